# SPDX-License-Identifier: Apache-2.0
"""`ppmf params`: the bound that it shows, the parameter files that it refuses, and the sets that it
suggests.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf import main
from ppmf.evaluation import suggestion, tried_sets
from ppmf.evaluation.advice import advise
from ppmf_reference import fixed, ratings_from
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tests.support.command_line import Capture, refused


def test_params_check_shows_the_bound(capsys: Capture) -> None:
    assert main.main(["params", "check", "--users", "943", "--items", "1682"]) == 0
    out = capsys.readouterr().out
    assert "46.4 of 47 bits" in out
    assert re.search(r"rlwe-8192 +holds it", out)
    assert "nearest" not in out


def test_params_check_names_the_limit_and_the_nearest_set(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "P.toml"
    file.write_text("step_bits = 20\nfrac_bits = 16\n")
    command = ["params", "check", str(file), "--users", "10", "--items", "10"]
    assert main.main(command) == 1
    said = capsys.readouterr()
    assert said.err.startswith("ppmf: ring_bits = 64: 10 rows of rank 10 need 7")
    (line,) = (line for line in said.out.splitlines() if line.startswith("the nearest set"))
    found = re.findall(r"(\w+) = (\d+)", line)
    assert dict(found).keys() == {"frac_bits", "step_bits"}
    file.write_text("".join(f"{name} = {value}\n" for name, value in found))
    assert main.main(command) == 0
    assert "nearest" not in capsys.readouterr().out


BAD_PARAMETERS = {
    "unknown name": ("ranks = 3", "unknown parameter 'ranks'"),
    "not dyadic": ("ridge = 0.1", "must be dyadic"),
    "out of its domain": ("rank = 0", "rank = 0"),
    "not TOML": ("rank = ", "not TOML"),
}


@pytest.mark.req("PPMF-PAR-024")
@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_bad_parameters_are_reported_in_one_line(
    case: str, tmp_path: Path, capsys: Capture
) -> None:
    text, what = BAD_PARAMETERS[case]
    file = tmp_path / "P.toml"
    file.write_text(text)
    line = refused(capsys, ["params", "check", str(file), "--users", "10", "--items", "10"])
    assert line.startswith("ppmf: error (parameters): ")
    assert what in line


SIZES = {
    "one of each": (1, 1),
    "MovieLens-100K": (943, 1682),
    "MovieLens-1M": (6040, 3706),
    "few items": (25_000, 300),
    "MovieLens-20M": (138_493, 26_744),
    "a million users": (1_000_000, 100_000),
}


def assert_it_fits(params: Parameters, users: int, items: int) -> None:
    """No row can have step 0, the run fits its ring, and no narrower one holds it."""
    rows = max(users, items)
    assert bounds(params, users, items).warnings == ()
    assert suggestion.moves_when_trained(params, rows)
    if params.ring_bits > suggestion.NARROWEST:
        with pytest.raises(ParametersError, match="ring_bits"):
            bounds(replace(params, ring_bits=params.ring_bits - 1), users, items)
    if params.step_bits > suggestion.LEAST_STEP_BITS:
        fewer = replace(params, step_bits=params.step_bits - 1)
        idle = bounds(fewer, users, items).warnings
        assert idle or not suggestion.moves_when_trained(fewer, rows)


@pytest.mark.req("PPMF-PAR-016", "PPMF-PAR-017", "PPMF-PAR-018", "PPMF-PAR-019")
@pytest.mark.parametrize("size", SIZES)
def test_a_suggested_set_fits_its_size(size: str) -> None:
    users, items = SIZES[size]
    assert_it_fits(suggestion.fitted(Parameters(), users, items), users, items)


@pytest.mark.req("PPMF-PAR-016", "PPMF-PAR-017", "PPMF-PAR-018", "PPMF-PAR-019")
@pytest.mark.parametrize("size", ["one of each", "MovieLens-100K", "a million users"])
def test_a_suggested_file_fits_its_size(size: str, capsys: Capture) -> None:
    users, items = SIZES[size]
    assert main.main(["params", "suggest", "--users", str(users), "--items", str(items)]) == 0
    params = Parameters.from_toml(capsys.readouterr().out)
    assert_it_fits(params, users, items)
    bits = {name: getattr(params, name) for name in ("step_bits", "ring_bits", "box_bits")}
    assert params == replace(Parameters(), **bits), "the other parameters have their defaults"
    assert params.box_bits == (0 if size == "a million users" else 1), "which rlwe-8192 needs"
    assert advise(params, users, items, "rlwe-8192").fits


@given(
    users=st.integers(1, 10**6),
    items=st.integers(1, 10**6),
    rank=st.integers(1, 30),
    bias=st.booleans(),
)
def test_every_size_up_to_a_million_has_a_set(
    users: int, items: int, rank: int, bias: bool
) -> None:
    base = replace(Parameters(), rank=rank, bias=bias)
    assert_it_fits(suggestion.fitted(base, users, items), users, items)


@pytest.mark.parametrize("scale", ["1:5:1", "0:100:1", "1:1025:1"])
def test_rows_go_on_moving_when_factors_have_grown_to_the_scale(scale: str) -> None:
    """200 users who rate everything, half of it lowest and half of it highest."""
    users, items = 200, 20
    base = suggestion.with_scale(replace(Parameters(), rank=2), scale)
    fitted = suggestion.fitted(base, users, items)
    odd = np.indices((users, items)).sum(axis=0) % 2
    table = np.where(odd, float(base.rating_max), float(base.rating_min))

    def idle(params: Parameters) -> bool:
        made = fixed.iterate(ratings_from(table, params), params)
        return any(step.factors == 0 for state in made for step in state.half_step.steps)

    assert not idle(fitted)
    if scale != "1:5:1":
        at_the_start = replace(fitted, step_bits=suggestion.LEAST_STEP_BITS)
        assert bounds(at_the_start, users, items).warnings == (), "PPMF-PAR-019 sees no harm"
        assert idle(at_the_start)


def test_a_suggestion_has_the_rank_that_was_asked_for(capsys: Capture) -> None:
    assert main.main(["params", "suggest", "--users", "9", "--items", "9", "--rank", "3"]) == 0
    assert Parameters.from_toml(capsys.readouterr().out).rank == 3


def test_a_suggestion_says_what_other_choices_cost(capsys: Capture) -> None:
    """Its figures are those of the sweep's table, and none are given where the sweep has none."""
    command = ["params", "suggest", "--users", "943", "--items", "1682"]
    assert main.main(command) == 0
    out = capsys.readouterr().out
    rows = {row.value("rank"): row for row in tried_sets.differing(Parameters(), "rank")}
    more = rows["6"].rmse["MovieLens-100K"] - rows["10"].rmse["MovieLens-100K"]
    assert re.search(rf"^# rank 6 +{re.escape(f'{more:+.4f}')} ", out, re.MULTILINE)
    assert re.search(r"^# iterations 4 ", out, re.MULTILINE)
    assert re.search(r"^# frac_bits 12 ", out, re.MULTILINE)
    assert all(
        line.startswith("# ") or line == "#" for line in out.split("\nrank = ")[0].split("\n")
    )
    assert main.main([*command, "--ratings-scale", "1:10:1"]) == 0
    assert "rank 6" not in capsys.readouterr().out


SCALES: dict[str, dict[str, object]] = {
    "0.5:5:0.5": {"rating_offset": 3, "rating_frac_bits": 1, "box_bits": 1, "ridge": 12},
    "1:5:1": {"rating_offset": 3, "rating_frac_bits": 0, "box_bits": 1, "ridge": 12},
    "1:10:1": {"rating_offset": 6, "rating_frac_bits": 0, "box_bits": 1, "ridge": 24},
    "0:1:1": {"rating_offset": 0, "rating_frac_bits": 0, "box_bits": 1, "ridge": 8},
    "0:100:1": {"rating_offset": 50, "rating_frac_bits": 0, "box_bits": 4, "damping": 356},
    "-1:1:0.25": {"rating_offset": 0, "rating_frac_bits": 2, "rating_min": -1},
}


@pytest.mark.parametrize("scale", SCALES)
def test_a_suggestion_for_another_scale(scale: str, capsys: Capture) -> None:
    arguments = ["params", "suggest", "--users", "50", "--items", "40", f"--ratings-scale={scale}"]
    assert main.main(arguments) == 0
    params = Parameters.from_toml(capsys.readouterr().out)
    assert {name: getattr(params, name) for name in SCALES[scale]} == SCALES[scale]
    assert_it_fits(params, 50, 40)
    unit = 1 << params.rating_frac_bits
    low, high, step = (Fraction(part) for part in scale.split(":"))
    for number in range(int((high - low) / step) + 1):
        assert ((low + number * step - params.rating_offset) * unit).denominator == 1


BAD_SUGGESTIONS = {
    "no users": (["--users", "0", "--items", "1"], "users = 0"),
    "too many items": (["--users", "1", "--items", str(2**31)], f"items = {2**31}"),
    "no rank": (["--users", "1", "--items", "1", "--rank", "0"], "rank = 0"),
    "a rank that does not fit": (
        ["--users", str(2**31 - 1), "--items", "1", "--rank", "1024"],
        "smaller rank",
    ),
    "a scale of two numbers": (
        ["--users", "1", "--items", "1", "--ratings-scale", "1:5"],
        "MIN:MAX:STEP",
    ),
    "a scale of no number": (
        ["--users", "1", "--items", "1", "--ratings-scale", "1:x:1"],
        "--ratings-scale",
    ),
    "a scale the wrong way": (
        ["--users", "1", "--items", "1", "--ratings-scale", "5:1:1"],
        "from MIN to MAX",
    ),
    "no step": (["--users", "1", "--items", "1", "--ratings-scale", "1:5:0"], "from MIN to MAX"),
    "a step that misses": (
        ["--users", "1", "--items", "1", "--ratings-scale", "1:5:1.5"],
        "from MIN to MAX",
    ),
    "a step that is not dyadic": (
        ["--users", "1", "--items", "1", "--ratings-scale", "0:1:0.1"],
        "dyadic",
    ),
    "a scale that is not dyadic": (
        ["--users", "1", "--items", "1", "--ratings-scale", "0.1:1.1:1"],
        "dyadic",
    ),
    "a scale beyond its domain": (
        ["--users", "1", "--items", "1", "--ratings-scale", "0:99999:1"],
        "rating_max",
    ),
}


@pytest.mark.parametrize("case", BAD_SUGGESTIONS)
def test_what_cannot_be_suggested_is_said_in_one_line(case: str, capsys: Capture) -> None:
    arguments, what = BAD_SUGGESTIONS[case]
    assert what in refused(capsys, ["params", "suggest", *arguments])
