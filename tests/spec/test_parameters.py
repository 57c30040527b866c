# SPDX-License-Identifier: Apache-2.0
"""The parameter set: its domain at every edge, its TOML form, and its digest."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import DYADIC_DOMAIN, INTEGER_DOMAIN, MAX_TOML_BYTES, Parameters
from tests.support.parameter_sets import VERSION_1, version_1
from tests.support.strategies import parameter_sets

CANONICAL_DEFAULTS = """\
rank = 10
iterations = 6
inner_steps = 2
frac_bits = 8
step_bits = 13
step_guard_bits = 4
box_bits = 1
bias = true
rating_offset = "3"
rating_frac_bits = 1
rating_min = "0.5"
rating_max = "5"
ridge = "12"
l1 = "0"
regulariser = "elastic-net"
step_rule = "lipschitz"
curvature_shift = 1
damping = 16
inertia = "0.5"
ring_bits = 0
seed = "ppmf"
"""


def make(**values: Any) -> Parameters:
    """A set with values that the type checker would not let pass."""
    return Parameters(**values)


def refusal_of(call: Callable[[], object]) -> str:
    """The message of the refusal, empty if there is none; any other exception passes through."""
    try:
        call()
    except ParametersError as refusal:
        return str(refusal)
    return ""


@pytest.mark.req("PPMF-PAR-020")
def test_canonical_text_of_the_defaults() -> None:
    assert Parameters().to_toml() == CANONICAL_DEFAULTS


@pytest.mark.req("PPMF-PAR-020", "PPMF-PAR-022")
@given(parameter_sets())
def test_canonical_text_reads_back(params: Parameters) -> None:
    assert Parameters.from_toml(params.to_toml()) == params


@pytest.mark.req("PPMF-PAR-021")
@given(parameter_sets(), parameter_sets())
def test_digest_names_the_set(one: Parameters, other: Parameters) -> None:
    assert one.digest() == hashlib.sha256(one.to_toml().encode()).digest()
    assert (one.digest() == other.digest()) == (one == other)


@pytest.mark.req("PPMF-PAR-020")
def test_seed_is_escaped_in_the_one_canonical_way() -> None:
    params = Parameters(seed='a"\\\n\x7fé\U0001f3ac')
    line = params.to_toml().splitlines()[-1]
    assert line == 'seed = "a\\"\\\\\\u000A\\u007Fé\U0001f3ac"'
    assert Parameters.from_toml(params.to_toml()) == params


def test_as_dict_has_every_field_in_order() -> None:
    found = Parameters(rating_offset=Fraction(-7, 4), bias=False).as_dict()
    assert list(found) == [field.name for field in dataclasses.fields(Parameters)]
    assert (found["rating_offset"], found["bias"], found["rank"]) == ("-1.75", False, 10)


@pytest.mark.req("PPMF-PAR-022")
def test_names_left_out_take_their_defaults() -> None:
    assert Parameters.from_toml("") == Parameters()
    assert Parameters.from_toml("rank = 3\n") == Parameters(rank=3)


@pytest.mark.req("PPMF-PAR-023")
@pytest.mark.parametrize("text", ["1.5", '"1.5"', '"1.500"', "1.50"])
def test_a_dyadic_number_may_be_a_float_or_a_string(text: str) -> None:
    assert Parameters.from_toml(f"ridge = {text}").ridge == Fraction(3, 2)


@pytest.mark.req("PPMF-PAR-023")
def test_a_dyadic_number_may_be_an_integer_or_negative() -> None:
    params = Parameters.from_toml("ridge = 7\nrating_offset = -0.25\nrating_min = '-1'")
    assert params == Parameters(
        ridge=Fraction(7), rating_offset=Fraction(-1, 4), rating_min=Fraction(-1)
    )


@pytest.mark.req("PPMF-PAR-022")
def test_a_byte_order_mark_at_the_beginning_is_passed_over(tmp_path: Path) -> None:
    text = "rank = 2\niterations = 1\n"
    path = tmp_path / "bom.toml"
    path.write_text("\ufeff" + text, encoding="utf-8")
    assert Parameters.from_toml(path) == Parameters.from_toml(text)
    assert Parameters.from_toml("\ufeff" + text) == Parameters.from_toml(text)
    for odd in ("\ufeff\ufeff" + text, text + "\ufeff"):
        with pytest.raises(ParametersError, match="not TOML"):
            Parameters.from_toml(odd)


@pytest.mark.req("PPMF-PAR-022", "PPMF-PAR-023", "PPMF-PAR-024")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rnak = 3", "unknown parameter 'rnak'"),
        ("[rank]\nx = 1", "rank = a dict: must be an integer"),
        ("rank = 1\nrank = 2", "not TOML"),
        ("rank = ", "not TOML"),
        ("rank = 10.0", "rank = '10.0': must not be a decimal fraction"),
        ("seed = 1.5", "seed = '1.5': must not be a decimal fraction"),
        ("rank = '10'", "rank = '10': must be an integer"),
        ("rank = true", "rank = True: must be an integer"),
        ("bias = 1", "bias = 1: must be true or false"),
        ("ridge = 0.1", "ridge = 1/10: must be dyadic"),
        ("l1 = '0.1'", "l1 = 1/10: must be dyadic"),
        ("ridge = true", "ridge = True: must be a number or a decimal string"),
        ("ridge = [1]", "ridge = a list: must be a number or a decimal string"),
        ("ridge = 1979-05-27", "ridge = a date: must be a number or a decimal string"),
        ("ridge = inf", "ridge = 'inf': must be a number in plain decimal notation"),
        ("ridge = nan", "ridge = 'nan': must be a number in plain decimal notation"),
        ("ridge = 1e999999999", "must be a number in plain decimal notation"),
        ("ridge = '3/4'", "must be a number in plain decimal notation"),
        ("ridge = ''", "must be a number in plain decimal notation"),
        ("ridge = '\u0661'", "must be a number in plain decimal notation"),
        (f"ridge = '{'1' * 1000}'", "must be a number in plain decimal notation"),
        (f"rank = {'9' * 4000}", "rank = an integer of 13288 bits: must be between 1 and 1024"),
        (f"rank = {'9' * 5000}", "not TOML"),
        ("rank = " + "[" * 30_000, "not TOML"),
        ("#" * (MAX_TOML_BYTES + 1), "the TOML text is longer than 65536 bytes"),
    ],
)
def test_refused_toml(text: str, message: str) -> None:
    with pytest.raises(ParametersError) as refusal:
        Parameters.from_toml(text)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 250


@pytest.mark.req("PPMF-PAR-024")
@given(st.text(max_size=80))
def test_any_text_is_a_set_or_one_clear_line(text: str) -> None:
    assert refusal_of(lambda: Parameters.from_toml(text)).count("\n") == 0


@pytest.mark.req("PPMF-PAR-024")
@given(
    st.dictionaries(
        st.sampled_from([field.name for field in dataclasses.fields(Parameters)]),
        st.one_of(
            st.integers(),
            st.booleans(),
            st.text(max_size=9),
            st.floats(),
            st.none(),
            st.fractions(),
            st.lists(st.integers(), max_size=2),
            st.binary(max_size=4),
        ),
    )
)
def test_any_values_are_a_set_or_one_clear_line(values: dict[str, Any]) -> None:
    assert refusal_of(lambda: make(**values)).count("\n") == 0


@pytest.mark.req("PPMF-PAR-024")
def test_a_refused_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("rank = 0\n")
    with pytest.raises(ParametersError) as refusal:
        Parameters.from_toml(file)
    assert str(refusal.value) == f"{file}: rank = 0: must be between 1 and 1024"


@pytest.mark.req("PPMF-PAR-024")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rank = 3\nseed = '\xff'", "not UTF-8 at byte 17"),
        (b"#" * (MAX_TOML_BYTES + 1), "longer than 65536 bytes"),
        (b"rank", "not TOML"),
    ],
)
def test_a_file_that_is_not_a_set(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(content)
    with pytest.raises(ParametersError, match=f"run.toml: .*{message}"):
        Parameters.from_toml(file)


@pytest.mark.req("PPMF-PAR-024")
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ParametersError, match="none.toml: No such file"):
        Parameters.from_toml(tmp_path / "none.toml")
    with pytest.raises(ParametersError, match="directory"):
        Parameters.from_toml(tmp_path)


def test_a_good_file_reads(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(CANONICAL_DEFAULTS)
    assert Parameters.from_toml(file) == Parameters()


@pytest.mark.req("PPMF-PAR-001")
@pytest.mark.parametrize("name", list(INTEGER_DOMAIN))
def test_integers_outside_their_domain(name: str) -> None:
    low, high = INTEGER_DOMAIN[name]
    for value in (low - 1, high + 1, -(10**50), 10**50):
        with pytest.raises(ParametersError, match=f"^{name} = .*must be between"):
            make(**{name: value})


@pytest.mark.req("PPMF-PAR-001")
@pytest.mark.parametrize(
    "values",
    [
        {"rank": 1},
        {"rank": 1024},
        {"iterations": 1},
        {"iterations": 1_000_000},
        {"inner_steps": 1000},
        {"frac_bits": 8, "rating_frac_bits": 16},
        {"frac_bits": 24},
        {"step_bits": 0, "step_guard_bits": 0},
        {"step_bits": 32, "step_guard_bits": 0},
        {"step_guard_bits": 16},
        {"box_bits": 0},
        {"box_bits": 16},
        {"curvature_shift": -16, "frac_bits": 10},
        {"curvature_shift": 32},
        {"damping": 1},
        {"damping": 2**32},
        {"ring_bits": 0},
        {"ring_bits": 32},
        {"ring_bits": 64},
    ],
)
def test_integers_at_the_edges_of_their_domain(values: dict[str, int]) -> None:
    params = make(**values)
    assert all(getattr(params, name) == value for name, value in values.items())


@pytest.mark.req("PPMF-PAR-002")
@pytest.mark.parametrize("name", list(INTEGER_DOMAIN))
@pytest.mark.parametrize("value", [True, 16.0, "16", None, Fraction(16)])
def test_integers_of_another_type(name: str, value: object) -> None:
    with pytest.raises(ParametersError, match=f"^{name} = .*: must be an integer$"):
        make(**{name: value})


@pytest.mark.req("PPMF-PAR-003")
@pytest.mark.parametrize("name", ["regulariser", "step_rule"])
@pytest.mark.parametrize("value", ["", "Elastic-net", "lipschitz ", 1, None, ["count"]])
def test_unknown_choices(name: str, value: object) -> None:
    with pytest.raises(ParametersError, match=f"^{name} = .*: must be one of"):
        make(**{name: value})


@pytest.mark.req("PPMF-PAR-003")
@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_bias_is_a_boolean(value: object) -> None:
    with pytest.raises(ParametersError, match="^bias = .*: must be true or false$"):
        make(bias=value)


@pytest.mark.req("PPMF-PAR-004")
@pytest.mark.parametrize("name", list(DYADIC_DOMAIN))
@pytest.mark.parametrize("value", [Fraction(1, 3), Fraction(1, 10), Fraction(7, 96)])
def test_fractions_that_are_not_dyadic(name: str, value: Fraction) -> None:
    with pytest.raises(ParametersError, match=f"^{name} = {value}: must be dyadic"):
        make(**{name: value})


@pytest.mark.req("PPMF-PAR-002")
@pytest.mark.parametrize("name", list(DYADIC_DOMAIN))
@pytest.mark.parametrize("value", [1, 1.0, True, "1", None])
def test_dyadic_values_of_another_type(name: str, value: object) -> None:
    with pytest.raises(ParametersError, match=f"^{name} = .*: must be a Fraction$"):
        make(**{name: value})


@pytest.mark.req("PPMF-PAR-005")
@pytest.mark.parametrize("name", list(DYADIC_DOMAIN))
def test_fractions_outside_their_domain(name: str) -> None:
    low, high = DYADIC_DOMAIN[name]
    tiny = Fraction(1, 2**64)
    for value in (low - tiny, high + tiny, Fraction(10**50), Fraction(-(10**50))):
        with pytest.raises(ParametersError, match=f"^{name} = .*must be between {low} and {high}"):
            make(**{name: value})


@pytest.mark.req("PPMF-PAR-005")
def test_fractions_with_too_many_bits() -> None:
    assert Parameters(rating_offset=Fraction(1, 2**64)).rating_offset == Fraction(1, 2**64)
    with pytest.raises(ParametersError, match="^rating_offset = .* at most 64 fractional bits"):
        Parameters(rating_offset=Fraction(1, 2**65))
    with pytest.raises(ParametersError, match="^rating_offset = a fraction of more than 128 bits"):
        Parameters(rating_offset=Fraction(1, 2**100_000))


@pytest.mark.req("PPMF-PAR-006")
def test_seed_of_256_bytes_at_most() -> None:
    assert Parameters(seed="é" * 128).seed == "é" * 128
    assert Parameters(seed="").seed == ""
    with pytest.raises(ParametersError, match="^seed = .* at most 256 bytes"):
        Parameters(seed="é" * 128 + "x")


@pytest.mark.req("PPMF-PAR-006")
@pytest.mark.parametrize("value", [1, None, b"ppmf"])
def test_seed_is_a_string(value: object) -> None:
    with pytest.raises(ParametersError, match="^seed = .*: must be a string$"):
        make(seed=value)


@pytest.mark.req("PPMF-PAR-006")
def test_seed_has_no_surrogates() -> None:
    with pytest.raises(ParametersError, match="without surrogates"):
        Parameters(seed="\ud800")


@pytest.mark.req("PPMF-PAR-007")
def test_step_and_guard_bits_together() -> None:
    assert Parameters(step_bits=28).step_bits == 28
    with pytest.raises(ParametersError, match=r"^step_bits \+ step_guard_bits = 33: .* at most 32"):
        Parameters(step_bits=29)


@pytest.mark.req("PPMF-PAR-008")
def test_rating_bits_at_most_twice_the_fractional_bits() -> None:
    assert Parameters(frac_bits=8, rating_frac_bits=16).rating_frac_bits == 16
    with pytest.raises(ParametersError, match="^rating_frac_bits = 17: .* 2 frac_bits = 16$"):
        Parameters(frac_bits=8, rating_frac_bits=17)


@pytest.mark.req("PPMF-PAR-009")
@pytest.mark.parametrize("top", [Fraction(1, 2), Fraction(0)])
def test_the_rating_scale_is_not_empty(top: Fraction) -> None:
    with pytest.raises(ParametersError, match=f"^rating_min = 1/2: .* rating_max = {top}$"):
        Parameters(rating_max=top)


@pytest.mark.req("PPMF-PAR-010")
@pytest.mark.parametrize("name", ["ridge", "l1"])
def test_weights_fit_the_scale_of_the_gradient(name: str) -> None:
    make(frac_bits=8, **{name: Fraction(1, 2**16)})
    with pytest.raises(ParametersError, match=f"^{name} = 1/131072: times .* must be an integer"):
        make(frac_bits=8, **{name: Fraction(1, 2**17)})


@pytest.mark.req("PPMF-PAR-011")
def test_curvature_shift_under_count() -> None:
    assert Parameters(step_rule="count", curvature_shift=4).curvature_shift == 4
    with pytest.raises(
        ParametersError, match="^curvature_shift = 5: .* step_guard_bits = 4 .*count"
    ):
        Parameters(step_rule="count", curvature_shift=5)


@pytest.mark.req("PPMF-PAR-012")
def test_curvature_shift_under_lipschitz() -> None:
    at_edge = Parameters(frac_bits=8, step_guard_bits=4, curvature_shift=-12)
    assert at_edge.curvature_shift == -12
    with pytest.raises(ParametersError, match="^curvature_shift = -13: must be at least .* -12"):
        Parameters(frac_bits=8, step_guard_bits=4, curvature_shift=-13)
    Parameters(frac_bits=8, step_guard_bits=4, curvature_shift=-13, step_rule="count")


@pytest.mark.req("PPMF-PAR-013")
def test_the_binary_box_holds_one() -> None:
    weights = {"ridge": Fraction(1), "regulariser": "binary-elastic-net"}
    assert make(**weights).box_bits == 1
    with pytest.raises(ParametersError, match="^box_bits = 0: .* binary-elastic-net"):
        make(box_bits=0, **weights)


@pytest.mark.req("PPMF-PAR-014")
def test_the_binary_theta_stays_below_a_half() -> None:
    """Theta = round(4096 lambda / 32): 2047 at the largest lambda that passes, 2048 beyond."""
    binary = {**VERSION_1, "regulariser": "binary-elastic-net"}
    largest = Fraction(2048, 128) - Fraction(1, 256) - Fraction(1, 2**24)
    assert make(ridge=largest, **binary).max_theta == 2047
    with pytest.raises(ParametersError, match="^ridge = .* theta 2048 .* 2048 for binary"):
        make(ridge=largest + Fraction(1, 2**24), **binary)
    assert version_1(ridge=Fraction(16)).max_theta == 2048


def test_integer_constants_of_the_defaults() -> None:
    params = Parameters(l1=Fraction(3, 2))
    assert (params.ridge_int, params.l1_int) == (12 << 16, 3 << 15)
    assert (params.row_rank, params.word_bits, params.xmax) == (11, 10, Fraction(5, 2))
    assert (params.max_step, params.max_tau, params.max_theta) == (512, 12, 96)
    assert Parameters(bias=False).row_rank == 10


@given(parameter_sets())
def test_integer_constants_are_exact(params: Parameters) -> None:
    scale = 2 ** (2 * params.frac_bits)
    assert Fraction(params.ridge_int, scale) == params.ridge
    assert Fraction(params.l1_int, scale) == params.l1
    assert params.max_step == 2**params.step_bits // params.damping
    distances = (params.rating_min - params.rating_offset, params.rating_max - params.rating_offset)
    assert params.xmax == max(map(abs, distances))


def test_a_set_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Parameters().rank = 3  # type: ignore[misc]


def test_the_table_of_chapter_3_says_the_same() -> None:
    """Names and their order, defaults, and every range of integers."""
    chapter = (Path(__file__).parents[2] / "spec" / "03-parameters.md").read_text(encoding="utf-8")
    lines = [line for line in chapter.splitlines() if line.startswith("| `")]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    defaults = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in Parameters().as_dict().items()
    }
    assert [(row[0], row[2]) for row in rows] == list(defaults.items())
    for name, _, _, domain, *_ in rows:
        if name in INTEGER_DOMAIN:
            text = domain.replace(",", "").replace("$2^{32}$", str(2**32)).replace("\u2212", "-")
            low, high = map(int, text.split(" to "))
            assert INTEGER_DOMAIN[name] == (low, high), name
