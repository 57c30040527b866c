# SPDX-License-Identifier: Apache-2.0
"""What the refusals of a parameter set say, to the character, and where they are cut."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tests.support.parameter_sets import STEP_RULES


def refusal(**values: Any) -> str:
    with pytest.raises(ParametersError) as caught:
        Parameters(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**128 - 1, str(2**128 - 1)),
        (2**128, "an integer of 129 bits"),
        (-(2**128), "an integer of 129 bits"),
    ],
)
def test_integers_up_to_128_bits_are_shown_in_full(value: int, shown: str) -> None:
    assert refusal(rank=value) == f"rank = {shown}: must be between 1 and 1024"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(2**128 - 1), str(2**128 - 1)),
        (Fraction(2**128), "a fraction of more than 128 bits"),
        (Fraction(-1, 2**128 - 1), f"-1/{2**128 - 1}"),
        (Fraction(-1, 2**128), "a fraction of more than 128 bits"),
    ],
)
def test_fractions_up_to_128_bits_are_shown_in_full(value: Fraction, shown: str) -> None:
    assert refusal(ridge=value) == f"ridge = {shown}: must be between 0 and {2**32}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 58, f"'{'x' * 58}'"), ("x" * 59, f"'{'x' * 56}...")],
)
def test_texts_are_cut_to_60_characters(text: str, shown: str) -> None:
    assert len(shown) == 60
    message = refusal(step_rule=text)
    assert message == f"step_rule = {shown}: must be one of {', '.join(STEP_RULES)}"


def test_an_error_of_the_toml_parser_is_cut_to_200_characters_of_one_line() -> None:
    name = "a" * 300
    with pytest.raises(ParametersError) as caught:
        Parameters.from_toml(f"[{name}]\n[{name}]")
    start, _, quoted = str(caught.value).partition(": ")
    assert start == "not TOML"
    assert quoted == f"Cannot declare ('{name}"[:200]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"regulariser": "binary-elastic-net", "box_bits": 0},
            "box_bits = 0: must be at least 1 for binary-elastic-net",
        ),
        (
            {"regulariser": "binary-elastic-net", "damping": 2, "ridge": Fraction(9)},
            "ridge = 9: makes the largest theta 576 (at curvature 0), which must be below "
            "2^(frac_bits - 1) = 128 for binary-elastic-net; raise damping",
        ),
    ],
)
def test_refusals_of_the_binary_net(values: dict[str, Any], message: str) -> None:
    assert refusal(**values) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ridge": Fraction(1, 2**25)}, "times 2^(2 frac_bits) = 2^16 must be an integer"),
        ({"ridge": 12}, "must be a Fraction"),
        ({"inertia": Fraction(1, 2**17)}, "times 2^16 must be an integer"),
        ({"inertia": Fraction(1)}, "must be between 0 and 65535/65536"),
        ({"inertia": Fraction(-1, 2**16)}, "must be between 0 and 65535/65536"),
        ({"inertia": 0}, "must be a Fraction"),
        ({"seed": 7}, "must be a string"),
        ({"seed": "\ud800"}, "must be Unicode text without surrogates"),
        ({"seed": "x" * 257}, "must be at most 256 bytes of UTF-8"),
    ],
)
def test_refusals_of_single_values(values: dict[str, Any], message: str) -> None:
    ((name, value),) = values.items()
    shown = ascii(value) if isinstance(value, str) else str(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    assert refusal(**values) == f"{name} = {shown}: {message}"


def test_dyadic_values_may_reach_the_end_of_their_domain() -> None:
    params = Parameters(ridge=Fraction(2**32), l1=Fraction(2**32), rating_max=Fraction(2**16))
    largest = params.as_dict()
    assert [largest[name] for name in ("ridge", "l1", "rating_max")] == [
        "4294967296",
        "4294967296",
        "65536",
    ]


@pytest.mark.req("PPMF-PAR-026")
@pytest.mark.parametrize("width", [1, 16, 31])
def test_a_ring_of_less_than_32_bits_is_refused(width: int) -> None:
    with pytest.raises(ParametersError, match=f"^ring_bits = {width}: must be 0 or at least 32$"):
        Parameters(ring_bits=width)


@pytest.mark.req("PPMF-PAR-025")
@pytest.mark.parametrize("units", [0, 1, 2**15, 2**16 - 1])
def test_inertia_may_be_any_multiple_of_its_unit_below_1(units: int) -> None:
    params = Parameters(inertia=Fraction(units, 2**16), frac_bits=8, step_bits=0)
    assert params.inertia_int == units  # 2f + q = 16


def test_a_text_of_65536_bytes_is_not_too_long() -> None:
    assert Parameters.from_toml("#" * 65_536) == Parameters()


def test_a_file_is_read_no_further_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 <= size <= 2**20
            return b"#" * size

    monkeypatch.setattr(Path, "open", lambda path, mode: Endless())
    with pytest.raises(ParametersError, match="longer than 65536 bytes"):
        Parameters.from_toml(tmp_path / "endless.toml")


def test_an_error_of_the_system_without_a_text_still_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise OSError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ParametersError) as caught:
        Parameters.from_toml(tmp_path / "a.toml")
    assert str(caught.value) == f"{tmp_path / 'a.toml'}: cannot be read"


def test_printable_seeds_are_written_unescaped() -> None:
    assert Parameters(seed="aX b~").to_toml().endswith('\nseed = "aX b~"\n')
