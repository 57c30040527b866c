# SPDX-License-Identifier: Apache-2.0
"""The parameters, written from the prose of chapter 3: domain, bound, text.

The formulas of chapter 2 that chapter 3 refers to (round_half_up, curvature, step, thresholds)
stand here too. See f_fix_from_prose.py for what this is about.
"""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from hashlib import sha256

PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?")


class RefusedError(Exception):
    """Input that the specification refuses; `kind` is one of the classes of PPMF-ERR-001."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


INTEGER_RANGES = {
    "rank": (1, 1024),
    "iterations": (1, 1_000_000),
    "inner_steps": (1, 1000),
    "frac_bits": (8, 24),
    "step_bits": (0, 32),
    "step_guard_bits": (0, 16),
    "box_bits": (0, 16),
    "rating_frac_bits": (0, 24),
    "curvature_shift": (-16, 32),
    "damping": (1, 2**32),
    "ring_bits": (0, 64),
}
DYADIC_RANGES = {
    "rating_offset": (-(2**16), 2**16),
    "rating_min": (-(2**16), 2**16),
    "rating_max": (-(2**16), 2**16),
    "ridge": (0, 2**32),
    "l1": (0, 2**32),
    "inertia": (0, Fraction(2**16 - 1, 2**16)),
}
CHOICES = {
    "regulariser": ("elastic-net", "binary-elastic-net"),
    "step_rule": ("lipschitz", "count"),
}


@dataclass(frozen=True)
class Parameters:
    """A parameter set within the domain of chapter 3, in the order of its table."""

    rank: int = 10
    iterations: int = 6
    inner_steps: int = 2
    frac_bits: int = 8
    step_bits: int = 13
    step_guard_bits: int = 4
    box_bits: int = 1
    bias: bool = True
    rating_offset: Fraction = Fraction(3)
    rating_frac_bits: int = 1
    rating_min: Fraction = Fraction(1, 2)
    rating_max: Fraction = Fraction(5)
    ridge: Fraction = Fraction(12)
    l1: Fraction = Fraction(0)
    regulariser: str = "elastic-net"
    step_rule: str = "lipschitz"
    curvature_shift: int = 1
    damping: int = 16
    inertia: Fraction = Fraction(1, 2)
    ring_bits: int = 0
    seed: str = "ppmf"

    def __post_init__(self) -> None:
        check_domain(self)

    @property
    def letters(self) -> tuple[int, int, int, int, int, int, int]:
        """The letters d, f, q, g, s, c0 and B = 2^b of the chapters."""
        return (
            self.rank,
            self.frac_bits,
            self.step_bits,
            self.step_guard_bits,
            self.curvature_shift,
            self.damping,
            2**self.box_bits,
        )


def outside(name: str, rule: str, value: object) -> RefusedError:
    """The refusal of PPMF-PAR-024, on one line."""
    return RefusedError("parameters", f"{name} {rule}: {value!r}")


def parameters(given: Mapping[str, object]) -> Parameters:
    """The set of the `given` values, a dyadic one as int, Fraction or text, and of defaults."""
    values: dict[str, object] = {}
    known = {field.name for field in fields(Parameters)}
    for name, value in given.items():
        if name not in known:
            raise outside(name, "must be the name of a parameter", value)
        values[name] = dyadic(name, value) if name in DYADIC_RANGES else value
    return Parameters(**values)  # type: ignore[arg-type]


def plain_decimal(text: str) -> Fraction | None:
    """The number of a plain decimal text (PPMF-PAR-023), None if it is no such text."""
    return Fraction(text) if PLAIN_DECIMAL.fullmatch(text) else None


def dyadic(name: str, value: object) -> Fraction:
    """The exact number of an integer, a fraction or a plain decimal text (PPMF-PAR-023)."""
    if isinstance(value, Fraction) or (isinstance(value, int) and not isinstance(value, bool)):
        return Fraction(value)
    number = plain_decimal(value) if isinstance(value, str) else None
    if number is None:
        raise outside(name, "must be a plain decimal number", value)
    return number


def check_domain(p: Parameters) -> None:
    """Refuse what violates PPMF-PAR-001 to PPMF-PAR-014 and PPMF-PAR-025 and -026."""
    for name, (low, high) in INTEGER_RANGES.items():
        value = getattr(p, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise outside(name, f"must be an integer from {low} to {high}", value)
    for name, (least, most) in DYADIC_RANGES.items():
        value = getattr(p, name)
        if not least <= value <= most or (value * 2**64).denominator != 1:
            raise outside(name, f"must be dyadic and from {least} to {most}", str(value))
    if not isinstance(p.bias, bool):
        raise outside("bias", "must be true or false", p.bias)
    for name, choices in CHOICES.items():
        if getattr(p, name) not in choices:
            raise outside(name, f"must be one of {', '.join(choices)}", getattr(p, name))
    if not isinstance(p.seed, str):
        raise outside("seed", "must be a text", p.seed)
    if any(unicodedata.category(c) == "Cs" for c in p.seed):
        raise outside("seed", "must be of Unicode scalar values", p.seed)
    if 0 < p.ring_bits < 32:
        raise outside("ring_bits", "must be 0 or from 32 to 64", p.ring_bits)
    if len(p.seed.encode()) > 256:
        raise outside("seed", "must be at most 256 bytes", p.seed)
    _, f, q, g, s, _, B = p.letters
    if q + g > 32:
        raise outside("step_bits", "and step_guard_bits must be at most 32 together", q + g)
    if p.rating_frac_bits > 2 * f:
        raise outside("rating_frac_bits", "must be at most 2 frac_bits", p.rating_frac_bits)
    if p.rating_min >= p.rating_max:
        raise outside("rating_min", "must be below rating_max", str(p.rating_min))
    for name in ("ridge", "l1"):
        if (getattr(p, name) * 2 ** (2 * f)).denominator != 1:
            raise outside(name, "times 2^(2 frac_bits) must be an integer", str(getattr(p, name)))
    if (p.inertia * 2**16).denominator != 1:
        raise outside("inertia", "times 2^16 must be an integer", str(p.inertia))
    if p.step_rule == "count" and s > g:
        raise outside("curvature_shift", "must be at most step_guard_bits under count", s)
    if p.step_rule == "lipschitz" and 2 * f - g + s < 0:
        raise outside("curvature_shift", "must be at least step_guard_bits - 2 frac_bits", s)
    if p.regulariser == "binary-elastic-net":
        if B < 2:
            raise outside("box_bits", "must be at least 1 under binary-elastic-net", p.box_bits)
        _, theta = thresholds(p, step(p, 0))
        if theta >= 2 ** (f - 1):
            raise outside("ridge", "makes theta 2^(frac_bits - 1) or more", str(p.ridge))


def round_half_up(a: int, b: int) -> int:
    """The nearest integer to a / b, b > 0, a tie going upwards (PPMF-FIX-001)."""
    return (2 * a + b) // (2 * b)


def curvature_of_factors(p: Parameters, c: int, q2: int) -> int:
    """The factors' curvature at scale g (PPMF-FIX-023)."""
    _, f, _, g, s, _, _ = p.letters
    return q2 >> (2 * f - g + s) if p.step_rule == "lipschitz" else c << (g - s)


def curvature_of_bias(p: Parameters, c: int) -> int:
    """The bias's curvature at scale g (PPMF-FIX-023)."""
    return c << (p.step_guard_bits - min(p.curvature_shift, 0))


def step(p: Parameters, curvature: int) -> int:
    """H at scale q (PPMF-FIX-024)."""
    _, _, q, g, _, c0, _ = p.letters
    return int(2 ** (q + g) // (curvature + (c0 << g)))


def thresholds(p: Parameters, H: int) -> tuple[int, int]:
    """Tau and theta at scale f, for the factors' step (PPMF-FIX-025)."""
    _, f, q, _, _, _, _ = p.letters
    tau, theta = (
        round_half_up(H * weight.numerator * 2**f, weight.denominator * 2 ** (q + 1))
        for weight in (p.l1, p.ridge)
    )
    return tau, theta


@dataclass(frozen=True)
class Bound:
    """What chapter 3 says of a size: the bound before the shift, its bits, idle rows."""

    bound: Fraction
    width: int
    idle: bool
    ring: int


def plateaus(
    p: Parameters, top: int, curvature: Callable[[int], int], last: Callable[[int], int]
) -> Iterator[tuple[int, int]]:
    """Each step H > 0 over the arguments 0 to `top`, with the largest argument that has it.

    `last` gives the largest argument of a curvature.
    """
    argument = 0
    while argument <= top:
        H = step(p, curvature(argument))
        if H == 0:
            return
        largest = 2 ** (p.step_bits + p.step_guard_bits) // H - (p.damping << p.step_guard_bits)
        argument = min(top, last(largest))
        yield H, argument
        argument += 1


def bound(p: Parameters, n: int, m: int) -> Bound:
    """The bound for n users and m items; refuses what violates PPMF-PAR-015 to -018 and -027."""
    for name, size in (("users", n), ("items", m)):
        if not 1 <= size <= 2**31 - 1:
            raise outside(name, f"must be from 1 to {2**31 - 1}", size)
    d, f, q, g, s, c0, B = p.letters
    N = max(n, m)
    xmax = max(abs(p.rating_min - p.rating_offset), abs(p.rating_max - p.rating_offset))
    E = d * B * B + 2 * B + xmax
    products = [Fraction(0)]
    denominators = []
    if p.step_rule == "lipschitz":
        drop = 2 * f - g + s
        top = N * d * B * B * 2 ** (2 * f)
        for H, q2 in plateaus(p, top, lambda q2: q2 >> drop, lambda v: ((v + 1) << drop) - 1):
            R = 1 + math.isqrt(N * q2 - 1) if q2 else 0
            products.append(H * (E * min(Fraction(N * B), Fraction(R, 2**f)) + p.ridge * B))
        denominators.append(top + c0 * 2 ** (2 * f + s))
    else:
        rise = g - s
        for H, c in plateaus(p, N, lambda c: c << rise, lambda v: v >> rise):
            products.append(H * (c * B * E + p.ridge * B))
        denominators.append(N * 2**rise + c0 * 2**g)
    if p.bias:
        lift = g - min(s, 0)
        for H, c in plateaus(p, N, lambda c: c << lift, lambda v: v >> lift):
            products.append(H * (c * E + p.ridge * B))
        denominators.append(N * 2**lift + c0 * 2**g)
    before = (
        (1 + 2 * p.inertia) * 2 ** (3 * f + q) * B
        + 2 ** (2 * f + q - 1)
        + 2 ** (3 * f) * max(products)
    )
    tau, theta = thresholds(p, step(p, 0))
    allowance = tau if p.regulariser == "elastic-net" else max(tau, 2 * theta + 2**f)
    after = math.ceil(before / 2 ** (2 * f + q)) + allowance
    ring = None
    for k in [p.ring_bits] if p.ring_bits else range(32, 65):
        enough = (
            before < 2 ** (k - 1),
            after * 2 ** (2 * f + q) < 2 ** (k - 1),
            max(denominators) < 2**k,
        )
        if all(enough):
            ring = k
            break
    if ring is None:
        raise outside("ring_bits", f"is too few for {n} users and {m} items", p.ring_bits)
    idle = step(p, curvature_of_factors(p, N, N * d * 2 ** (2 * f - 2))) == 0
    if p.bias:
        idle = idle or step(p, curvature_of_bias(p, N)) == 0
    return Bound(before, math.floor(before).bit_length() + 1, idle, ring)


def shortest_decimal(value: Fraction) -> str:
    """The shortest plain decimal of a number that has one (PPMF-PAR-020)."""
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    text = str(abs(value * 10**digits)).rjust(digits + 1, "0")
    text = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return f"-{text}" if value < 0 else text


def quoted(text: str) -> str:
    """A string of the canonical text (PPMF-PAR-020)."""
    parts = []
    for character in text:
        if character in '\\"':
            parts.append("\\" + character)
        elif character < " " or character == "\x7f":
            parts.append(f"\\u{ord(character):04X}")
        else:
            parts.append(character)
    return f'"{"".join(parts)}"'


def canonical_text(p: Parameters) -> str:
    """The one text of a parameter set (PPMF-PAR-020)."""
    lines = []
    for field in fields(p):
        value = getattr(p, field.name)
        if isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, int):
            text = str(value)
        else:
            text = quoted(shortest_decimal(value) if isinstance(value, Fraction) else value)
        lines.append(f"{field.name} = {text}\n")
    return "".join(lines)


def digest(p: Parameters) -> bytes:
    """SHA-256 of the canonical text (PPMF-PAR-021)."""
    return sha256(canonical_text(p).encode()).digest()


@dataclass(frozen=True)
class Float:
    """A TOML float, as it is written."""

    text: str


def from_toml(text: str) -> Parameters:
    """The set that a TOML document gives (PPMF-PAR-022, PPMF-PAR-023)."""
    if len(text.encode(errors="surrogatepass")) > 65_536:
        raise RefusedError("parameters", "the document must be at most 65536 bytes long")
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"), parse_float=Float)
    except ValueError as error:
        raise RefusedError("parameters", f"no TOML document: {error}") from error
    values = {
        name: value.text if isinstance(value, Float) and name in DYADIC_RANGES else value
        for name, value in document.items()
    }
    return parameters(values)
