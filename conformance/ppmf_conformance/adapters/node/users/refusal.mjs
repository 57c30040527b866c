// SPDX-License-Identifier: Apache-2.0
// The five classes of refusal (PPMF-ERR-001), and the integers and fractions of a call.

export class Refusal extends Error {
  constructor(kind, message) {
    super(message.replace(/[\r\n]+/g, " "));
    this.kind = kind;
  }
}

export const refuse = (kind, message) => {
  throw new Refusal(kind, message);
};

// A decimal integer in a string, as a BigInt.
export const integer = (text, where = "integer") =>
  typeof text === "string" && /^(0|-?[1-9][0-9]*)$/.test(text)
    ? BigInt(text)
    : refuse("encoding", `${where}: not a decimal integer in a string`);

export const integers = (list) => list.map((text) => integer(text));

// BigInts become strings, wherever they stand; fractions too.
export const shown = (value) => {
  if (typeof value === "bigint" || value instanceof Fraction) return value.toString();
  if (Array.isArray(value)) return value.map(shown);
  if (value !== null && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shown(one)]));
  return value;
};

export const floorDivide = (a, b) => {
  const quotient = a / b; // BigInt division truncates
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
};

export const roundHalfUp = (a, b) => floorDivide(2n * a + b, 2n * b);

const gcd = (a, b) => {
  while (b) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
};

export class Fraction {
  constructor(numerator, denominator = 1n) {
    const sign = denominator < 0n ? -1n : 1n;
    const common = gcd(numerator, denominator) || 1n;
    this.n = (sign * numerator) / common;
    this.d = (sign * denominator) / common;
  }
  plus(other) {
    return new Fraction(this.n * other.d + other.n * this.d, this.d * other.d);
  }
  minus(other) {
    return new Fraction(this.n * other.d - other.n * this.d, this.d * other.d);
  }
  times(other) {
    return new Fraction(this.n * other.n, this.d * other.d);
  }
  over(other) {
    return new Fraction(this.n * other.d, this.d * other.n);
  }
  compare(other) {
    const difference = this.n * other.d - other.n * this.d;
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  get isZero() {
    return this.n === 0n;
  }
  toString() {
    return this.d === 1n ? `${this.n}` : `${this.n}/${this.d}`;
  }
}

export const whole = (value) => new Fraction(BigInt(value));

// Plain decimal text, exactly; null for anything else.
export const decimal = (text) => {
  const match = typeof text === "string" && /^(-?)([0-9]{1,300})(?:\.([0-9]{1,300}))?$/.exec(text);
  if (!match) return null;
  const digits = match[3] ?? "";
  const value = BigInt(match[2] + digits);
  return new Fraction(match[1] ? -value : value, 10n ** BigInt(digits.length));
};

// The shortest plain decimal of a fraction that has one.
export const decimalText = (value) => {
  let places = 0n;
  while (10n ** places % value.d !== 0n) {
    places += 1n;
    if (places > 400n) refuse("range", "a number without a finite decimal form");
  }
  const scaled = ((value.n < 0n ? -value.n : value.n) * 10n ** places) / value.d;
  const digits = scaled.toString().padStart(Number(places) + 1, "0");
  const at = digits.length - Number(places);
  const text = places ? `${digits.slice(0, at)}.${digits.slice(at)}` : digits;
  return value.n < 0n ? `-${text}` : text;
};
