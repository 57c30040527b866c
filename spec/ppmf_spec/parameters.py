# SPDX-License-Identifier: Apache-2.0
"""The public parameter set: names, defaults, domain and integer constants (chapter 3).

Whether a set fits the ring depends on the number of users and items too: `ppmf_spec.bounds.bounds`
is that check.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, NoReturn, Self, get_args

from ppmf_spec import words
from ppmf_spec.decimals import decimal_text, parse_decimal
from ppmf_spec.errors import EncodingError, ParametersError
from ppmf_spec.step_rules import RULES, StepRuleName

Regulariser = Literal["elastic-net", "binary-elastic-net"]

# The smallest and largest value of every integer parameter. The lower ends come from the
# mathematics; the upper ends are far beyond use and keep a hostile set from costing memory or time.
INTEGER_DOMAIN: Final[dict[str, tuple[int, int]]] = {
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
# The smallest and largest value of every dyadic parameter.
DYADIC_DOMAIN: Final[dict[str, tuple[int | Fraction, int | Fraction]]] = {
    "rating_offset": (-(2**16), 2**16),
    "rating_min": (-(2**16), 2**16),
    "rating_max": (-(2**16), 2**16),
    "ridge": (0, 2**32),
    "l1": (0, 2**32),
    "inertia": (Fraction(0), 1 - Fraction(1, 2**16)),
}
MIN_RING_BITS: Final = 32
MAX_STEP_WIDTH: Final = 32  # of step_bits + step_guard_bits
MAX_FRACTION_BITS: Final = 64  # of any dyadic parameter
INERTIA_BITS: Final = 16  # fractional bits of the inertia
MAX_SEED_BYTES: Final = 256
MAX_TOML_BYTES: Final = 65_536


class _FloatText(str):
    """The text of a TOML float as it was written, so that 0.1 does not become a nearby binary64."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One public parameter set; every party of a run holds the same one.

    Raises `ParametersError`, naming the rule and the value, when the set is outside its domain
    (PPMF-PAR-001 to PPMF-PAR-014, PPMF-PAR-025, -026). The symbols are those of the specification.
    """

    rank: int = 10  # d
    iterations: int = 6  # T
    inner_steps: int = 2  # K
    frac_bits: int = 8  # f
    step_bits: int = 13  # q
    step_guard_bits: int = 4  # g
    box_bits: int = 1  # b
    bias: bool = True
    rating_offset: Fraction = Fraction(3)  # r0
    rating_frac_bits: int = 1  # fr
    rating_min: Fraction = Fraction(1, 2)
    rating_max: Fraction = Fraction(5)
    ridge: Fraction = Fraction(12)  # lambda
    l1: Fraction = Fraction(0)  # kappa
    regulariser: Regulariser = "elastic-net"
    step_rule: StepRuleName = "lipschitz"
    curvature_shift: int = 1  # s
    damping: int = 16  # c0
    inertia: Fraction = Fraction(1, 2)  # alpha
    ring_bits: int = 0  # k; 0: the least that holds a run
    seed: str = "ppmf"

    def __post_init__(self) -> None:
        for name, (low, high) in INTEGER_DOMAIN.items():
            _check_integer(name, getattr(self, name), low, high)
        if not isinstance(self.bias, bool):
            _refuse("bias", self.bias, "must be true or false")
        for name, ends in DYADIC_DOMAIN.items():
            _check_dyadic(name, getattr(self, name), *ends)
        _check_choice("regulariser", self.regulariser, get_args(Regulariser))
        _check_choice("step_rule", self.step_rule, get_args(StepRuleName))
        _check_seed(self.seed)
        self._check_relations()

    def _check_relations(self) -> None:
        """The rules beyond each parameter's range (PPMF-PAR-007 to -014, PPMF-PAR-025, -026)."""
        f, q, g, s = self.frac_bits, self.step_bits, self.step_guard_bits, self.curvature_shift
        if q + g > MAX_STEP_WIDTH:
            _refuse("step_bits + step_guard_bits", q + g, f"must be at most {MAX_STEP_WIDTH}")
        if self.rating_frac_bits > 2 * f:
            rule = f"must be at most 2 frac_bits = {2 * f}"
            _refuse("rating_frac_bits", self.rating_frac_bits, rule)
        if self.rating_min >= self.rating_max:
            rule = f"must be below rating_max = {_show(self.rating_max)}"
            _refuse("rating_min", self.rating_min, rule)
        for name in ("ridge", "l1"):
            value: Fraction = getattr(self, name)
            if (1 << 2 * f) % value.denominator:
                _refuse(name, value, f"times 2^(2 frac_bits) = 2^{2 * f} must be an integer")
        if (1 << INERTIA_BITS) % self.inertia.denominator:
            _refuse("inertia", self.inertia, f"times 2^{INERTIA_BITS} must be an integer")
        if 0 < self.ring_bits < MIN_RING_BITS:
            _refuse("ring_bits", self.ring_bits, f"must be 0 or at least {MIN_RING_BITS}")
        refused = RULES[self.step_rule].refused(f, g, s)
        if refused:
            _refuse("curvature_shift", s, refused)
        if self.regulariser == "binary-elastic-net":
            self._check_binary()

    def _check_binary(self) -> None:
        """The box must hold 1, and the jump of the binary prox must lie above 0
        (PPMF-PAR-013, -014).
        """
        if self.box_bits < 1:
            _refuse("box_bits", self.box_bits, "must be at least 1 for binary-elastic-net")
        half = 1 << (self.frac_bits - 1)
        if self.max_theta >= half:
            rule = (
                f"makes the largest theta {self.max_theta} (at curvature 0), which must be below "
                f"2^(frac_bits - 1) = {half} for binary-elastic-net; raise damping"
            )
            _refuse("ridge", self.ridge, rule)

    @property
    def ridge_int(self) -> int:
        """Lambda at scale 2f, an exact integer."""
        return int(self.ridge * (1 << 2 * self.frac_bits))

    @property
    def l1_int(self) -> int:
        """Kappa at scale 2f, an exact integer."""
        return int(self.l1 * (1 << 2 * self.frac_bits))

    @property
    def inertia_int(self) -> int:
        """Alpha at scale 2f + q, an exact integer: A of PPMF-FIX-030."""
        return int(self.inertia * (1 << (2 * self.frac_bits + self.step_bits)))

    @property
    def row_rank(self) -> int:
        """The trainable numbers of a row: the rank, and one for the bias."""
        return self.rank + int(self.bias)

    @property
    def word_bits(self) -> int:
        """The width 1 + b + f of the signed word of a factor or bias."""
        return 1 + self.box_bits + self.frac_bits

    @property
    def xmax(self) -> Fraction:
        """The largest |r - r0| over the public rating scale."""
        r0 = self.rating_offset
        return max(abs(self.rating_min - r0), abs(self.rating_max - r0))

    @property
    def max_step(self) -> int:
        """The longest step H, that of curvature 0, at scale q: floor(2^q / c0)."""
        return words.reciprocal(0, self.step_bits, self.step_guard_bits, self.damping)

    @property
    def max_tau(self) -> int:
        """Tau of the longest step, at scale f."""
        return words.threshold(self.max_step, self.l1_int, self.frac_bits, self.step_bits)

    @property
    def max_theta(self) -> int:
        """Theta of the longest step, at scale f (used by `binary-elastic-net` only)."""
        return words.threshold(self.max_step, self.ridge_int, self.frac_bits, self.step_bits)

    @classmethod
    def from_toml(cls, source: str | Path) -> Self:
        """A parameter set from TOML text (`str`) or from a TOML file (`Path`) (PPMF-PAR-022, -024).

        Names left out take their defaults; an unknown name is refused, and a byte-order mark at
        the beginning is passed over. The dyadic parameters may be integers, floats or strings in
        plain decimal notation, and must be dyadic as written: 0.1 is refused. Raises
        `ParametersError` in one line, with the file's name if there is one.
        """
        if isinstance(source, str):
            return cls._from_text(source)
        try:
            with source.open("rb") as file:
                data = file.read(MAX_TOML_BYTES + 1)
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise ParametersError(f"{source}: {reason}") from None
        try:
            return cls._from_text(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ParametersError(f"{source}: not UTF-8 at byte {error.start}") from None
        except ParametersError as error:
            raise ParametersError(f"{source}: {error}") from None

    @classmethod
    def _from_text(cls, text: str) -> Self:
        if len(text.encode("utf-8", "surrogatepass")) > MAX_TOML_BYTES:
            raise ParametersError(f"the TOML text is longer than {MAX_TOML_BYTES} bytes")
        try:
            table = tomllib.loads(text.removeprefix("\ufeff"), parse_float=_FloatText)
        except (ValueError, RecursionError) as error:
            # A long integer ends in a plain ValueError, deep nesting in a RecursionError.
            raise ParametersError(f"not TOML: {_one_line(str(error))}") from None
        known = {field.name for field in fields(cls)}
        for name in table:
            if name not in known:
                raise ParametersError(f"unknown parameter {_show(name)}")
        for name, value in table.items():
            if name in DYADIC_DOMAIN:
                table[name] = _parse_dyadic(name, value)
            elif isinstance(value, _FloatText):
                _refuse(name, value, "must not be a decimal fraction")
        return cls(**table)

    def to_toml(self) -> str:
        """The canonical TOML text (PPMF-PAR-020): every name in its order, one a line."""
        lines = []
        for name, value in self.as_dict().items():
            if isinstance(value, bool):
                text = "true" if value else "false"
            elif isinstance(value, int):
                text = str(value)
            else:
                text = _toml_string(value)
            lines.append(f"{name} = {text}\n")
        return "".join(lines)

    def as_dict(self) -> dict[str, int | str | bool]:
        """Every parameter by name, in canonical order; dyadic ones as decimal strings."""
        out: dict[str, int | str | bool] = {}
        for field in fields(self):
            value: int | str | bool | Fraction = getattr(self, field.name)
            if isinstance(value, Fraction):
                value = decimal_text(value, field.name)
            out[field.name] = value
        return out

    def digest(self) -> bytes:
        """SHA-256 of the canonical text in UTF-8: 32 bytes that name this set (PPMF-PAR-021)."""
        return hashlib.sha256(self.to_toml().encode()).digest()


def _refuse(name: str, value: object, rule: str) -> NoReturn:
    raise ParametersError(f"{name} = {_show(value)}: {rule}")


def _show(value: object) -> str:
    """A value in at most 60 characters on one line, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > 128:
            return "a fraction of more than 128 bits"
        return str(value)
    if isinstance(value, int | str):
        text = ascii(value)  # one line, and no control characters
        return text if len(text) <= 60 else text[:57] + "..."
    return f"a {type(value).__name__}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse(name, value, "must be an integer")
    if not low <= value <= high:
        _refuse(name, value, f"must be between {low} and {high}")


def _check_dyadic(name: str, value: object, low: int | Fraction, high: int | Fraction) -> None:
    if not isinstance(value, Fraction):
        _refuse(name, value, "must be a Fraction")
    if not low <= value <= high:
        _refuse(name, value, f"must be between {low} and {high}")
    if value.denominator & (value.denominator - 1):
        _refuse(name, value, "must be dyadic (an integer divided by a power of two)")
    if value.denominator > 1 << MAX_FRACTION_BITS:
        _refuse(name, value, f"must have at most {MAX_FRACTION_BITS} fractional bits")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        _refuse(name, value, f"must be one of {', '.join(choices)}")


def _check_seed(value: object) -> None:
    if not isinstance(value, str):
        _refuse("seed", value, "must be a string")
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        _refuse("seed", value, "must be Unicode text without surrogates")
    if size > MAX_SEED_BYTES:
        _refuse("seed", value, f"must be at most {MAX_SEED_BYTES} bytes of UTF-8")


def _parse_dyadic(name: str, value: object) -> Fraction:
    """An integer, or a float or string as written in plain decimals, as an exact fraction
    (PPMF-PAR-023).
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if not isinstance(value, str):
        _refuse(name, value, "must be a number or a decimal string")
    try:
        return parse_decimal(value, name)
    except EncodingError:
        _refuse(name, value, "must be a number in plain decimal notation")


def _toml_string(text: str) -> str:
    """A TOML basic string: backslash, quote and control characters escaped, the rest as it is."""
    out = []
    for character in text:
        if character in '"\\':
            out.append("\\" + character)
        elif ord(character) < 0x20 or ord(character) == 0x7F:
            out.append(f"\\u{ord(character):04X}")
        else:
            out.append(character)
    return '"' + "".join(out) + '"'
