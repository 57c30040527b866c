// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Circuits": the netlists `reciprocal` and `update`. A literal is twice a node, plus 1 for its negation; a
// word is a list of literals, the lowest bit first.

const zeros = (count) => Array(Math.max(0, count)).fill(0);
const bitLength = (value) => (value ? value.toString(2).length : 0);

class Netlist {
  // `inputs`: the width of each word by name, in order.
  constructor(inputs) {
    this.inputs = inputs;
    this.outputs = {};
    this.made = new Map();
    const count = Object.values(inputs).reduce((sum, width) => sum + width, 0);
    this.nodes = Array(1 + count).fill(null);
  }

  word(name) {
    let first = 1;
    for (const [before, width] of Object.entries(this.inputs)) {
      if (before === name) return Array.from({ length: width }, (_, k) => 2 * (first + k));
      first += width;
    }
    throw new Error(`no word ${name}`);
  }

  gate(kind, a, b) {
    const name = `${kind} ${a} ${b}`;
    if (!this.made.has(name)) {
      this.made.set(name, 2 * this.nodes.length);
      this.nodes.push([kind, a, b]);
    }
    return this.made.get(name);
  }

  xor(a, b) {
    const negated = (a ^ b) & 1;
    const [low, high] = [Math.min(a & ~1, b & ~1), Math.max(a & ~1, b & ~1)];
    if (low === high) return negated;
    return (low === 0 ? high : this.gate("xor", low, high)) ^ negated;
  }

  both(a, b) {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    if (low === 0 || (low ^ high) === 1) return 0;
    return low === 1 || low === high ? high : this.gate("and", low, high);
  }

  either(a, b) {
    return this.both(a ^ 1, b ^ 1) ^ 1;
  }

  some(bits) {
    return bits.reduce((found, bit) => this.either(found, bit), 0);
  }

  every(bits) {
    return bits.reduce((held, bit) => this.both(held, bit), 1);
  }

  // PPMF-CIR-002: the nodes on which an output depends, in order.
  used() {
    const needed = new Set(
      Object.values(this.outputs)
        .flat()
        .map((bit) => bit >> 1),
    );
    for (let node = this.nodes.length - 1; node > 0; node -= 1)
      if (needed.has(node) && this.nodes[node]) for (const bit of this.nodes[node].slice(1)) needed.add(bit >> 1);
    return [...needed].filter((node) => this.nodes[node]).sort((a, b) => a - b);
  }

  ands() {
    return this.used().filter((node) => this.nodes[node][0] === "and");
  }
}

const constant = (value, width) => Array.from({ length: width }, (_, i) => Number((BigInt(value) >> BigInt(i)) & 1n));
const unsigned = (word, width) => [...word, ...zeros(width)].slice(0, width);
const signed = (word, width) => [...word, ...Array(Math.max(0, width - word.length)).fill(word.at(-1))];

const add = (net, x, y, carry = 0) => {
  if (x.length !== y.length) throw new Error("words of two widths");
  const total = x.map((a, k) => {
    const differs = net.xor(y[k], carry);
    const bit = net.xor(a, differs);
    carry = net.xor(carry, net.both(net.xor(a, carry), differs));
    return bit;
  });
  return [total, carry];
};
const subtract = (net, x, y) =>
  add(
    net,
    x,
    y.map((bit) => bit ^ 1),
    1,
  );

// PPMF-CIR-003; `weights` of `tau` and `theta`, in this order; exponent and weights may be BigInts.
export const reciprocal = ({ width, drop, exponent, minimum, weights, shift }) => {
  const net = new Netlist({ share0: width, share1: width });
  const [total] = add(net, net.word("share0"), net.word("share1"));
  const largest = (1n << BigInt(exponent)) / BigInt(minimum);
  const step = quotient(net, exponent, total.slice(drop), bitLength(largest));
  net.outputs.step = step;
  for (const [name, weight] of Object.entries(weights))
    net.outputs[name] = threshold(net, step, largest, BigInt(weight), shift);
  return net;
};

const quotient = (net, exponent, divisor, bits) => {
  if (bits === 0) return [0];
  const e = exponent - bits + 1;
  const high = [0]; // high[i]: one of the i highest bits of the divisor is set
  for (const bit of [...divisor].reverse()) high.push(net.either(high.at(-1), bit));
  let [doubled, positive] = [constant(1n << BigInt(e), e + 1), 1];
  const found = [];
  for (let j = 0; j < bits; j += 1) {
    const size = Math.min(e + j + 1, divisor.length + 1);
    const subtrahend = unsigned(divisor, size).map((bit) => net.xor(bit, positive));
    const [S] = add(net, unsigned(doubled, size), subtrahend, positive);
    const tooLarge = high[Math.max(divisor.length - (e + j + 1), 0)];
    positive = net.both(tooLarge ^ 1, S.at(-1) ^ 1);
    found.push(positive);
    doubled = [0, ...S];
  }
  return found.reverse();
};

const threshold = (net, step, largest, weight, shift) => {
  const half = 1n << BigInt(shift - 1);
  const width = bitLength(largest * weight + half);
  let total = constant(half, width);
  for (const [position, digit] of nonAdjacentForm(weight)) {
    const term = unsigned([...zeros(position), ...step], width);
    [total] = digit > 0n ? add(net, total, term) : subtract(net, total, term);
  }
  return total.length > shift ? total.slice(shift) : [0];
};

const nonAdjacentForm = (value) => {
  const digits = [];
  for (let [rest, position] = [value, 0]; rest; rest >>= 1n, position += 1)
    if (rest & 1n) {
      const digit = 2n - (rest & 3n);
      digits.push([position, digit]);
      rest -= digit;
    }
  return digits;
};

// PPMF-CIR-004; `prox` is null or the name of a regulariser.
export const update = ({ width, drop, f, b, prox, tau, theta }) => {
  const words = { share0: width, share1: width };
  const binary = prox === "binary-elastic-net";
  if (prox) words.tau = tau;
  if (binary) words.theta = theta;
  const net = new Netlist(words);
  let Z = add(net, net.word("share0"), net.word("share1"))[0].slice(drop);
  let jump = 0;
  if (binary) [jump, Z] = reflect(net, Z, net.word("theta"), f);
  let word = soft(net, Z, prox ? net.word("tau") : [], b + f, jump, f);
  if (binary) word = [...word.slice(0, f), ...add(net, word.slice(f), constant(0, b + 1), jump)[0]];
  net.outputs.word = word;
  return net;
};

const reflect = (net, Z, theta, f) => {
  const width = Math.max(Z.length, f + 1);
  const wide = signed(Z, width + 1);
  const [limit] = subtract(net, constant(1n << BigInt(f - 1), width + 1), unsigned(theta, width + 1));
  const jump = subtract(net, limit, wide)[0].at(-1);
  const shift = unsigned([0, ...theta.map((bit) => net.both(jump, bit))], f);
  return [jump, add(net, wide.slice(0, width), signed([...shift, jump], width))[0]];
};

const soft = (net, Z, tau, magnitude, jump, f) => {
  const sign = Z.at(-1);
  const size = Math.max(magnitude, tau.length) + 1;
  const bits = Z.slice(0, -1).map((bit) => net.xor(bit, sign));
  const wide = unsigned(bits, Math.max(size, bits.length));
  const beyond = net.some(wide.slice(size));
  const [Y, reaches] = subtract(net, wide.slice(0, size), unsigned(tau, size));
  const full = net.both(jump, net.every(Y.slice(f, magnitude)));
  const over = net.either(beyond, net.both(reaches, net.either(net.some(Y.slice(magnitude)), full)));
  const nothing = net.both(beyond ^ 1, reaches ^ 1);
  const keep = net.xor(over, nothing) ^ 1;
  const top = net.both(over, sign ^ 1);
  const word = Y.slice(0, magnitude).map((bit) => net.xor(net.both(keep, net.xor(bit, sign)), top));
  if (jump) word[f] = net.xor(word[f], top);
  return [...word, net.both(sign, nothing ^ 1)];
};
