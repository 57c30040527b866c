# SPDX-License-Identifier: Apache-2.0
"""Programs written from the prose alone give the integers of the vectors and of the oracle."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_reference import fixed
from ppmf_reference import ridge as oracle_ridge
from ppmf_spec import bounds as oracle_bounds
from ppmf_spec import ratings as oracle_ratings
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters as OracleParameters
from ppmf_spec.profiles import ItemProfiles
from tests.independent_reading import adapter_from_prose as adapter
from tests.independent_reading import f_fix_from_prose as f_fix
from tests.independent_reading import parameters_from_prose as chapter_3
from tests.independent_reading import users_side_from_prose as users_side
from tests.independent_reading.parameters_from_prose import RefusedError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VECTORS = ROOT / "conformance" / "ppmf_conformance" / "vectors"
PROSE = sorted(HERE.glob("*_from_prose.py"))
CASES = [
    case
    for path in sorted(VECTORS.glob("*.json"))
    for case in json.loads(path.read_text())["cases"]
]
req = pytest.mark.req


def imported(source: str) -> set[str]:
    """All that a module imports, and calls that could import something unseen."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Name) and node.id in ("__import__", "eval", "exec"):
            names.add(node.id)
    return names


def not_standard(source: str) -> set[str]:
    """What a module imports beyond the standard library and its siblings."""
    siblings = tuple(f"tests.independent_reading.{path.stem}" for path in PROSE)
    allowed = sys.stdlib_module_names - {"importlib", "runpy"}
    return {
        name
        for name in imported(source)
        if not name.startswith(siblings) and name.partition(".")[0] not in allowed
    }


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.stem)
def test_the_programs_import_the_standard_library_alone(path: Path) -> None:
    assert not_standard(path.read_text()) == set()


@pytest.mark.parametrize(
    "line",
    [
        "import ppmf_spec.words",
        "from ppmf_reference import fixed",
        "from .. import x",
        "import numpy",
        "from tests.support import x",
        "import importlib",
        "__import__('ppmf_spec')",
    ],
)
def test_an_import_of_shared_code_is_found(line: str) -> None:
    assert not_standard(f"def f():\n    {line}\n")


def disagreement(case: dict[str, Any]) -> str | None:
    """How the answer of the programs differs from that of a case; None if it does not."""
    expect = case["expect"]
    try:
        out, steps = map(adapter.strings, adapter.OPERATIONS[case["op"]](case["in"]))
    except RefusedError as refused:
        message = str(refused)
        if (expect["status"], expect.get("class")) != ("reject", refused.kind):
            return f"refused as {refused.kind}: {message}"
        unnamed = [text for text in expect.get("names", ()) if text not in message]
        told = [text for text in expect.get("hides", ()) if text in message]
        return f"message: {message!r}" if unnamed or told or "\n" in message else None
    if expect["status"] != "ok":
        return f"accepted, and {expect['class']} is due"
    if out != expect["out"]:
        return f"out is {out}"
    wrong = [name for name, value in case["steps"].items() if steps.get(name) != value]
    return f"steps differ: {wrong}" if wrong else None


@pytest.mark.parametrize(
    ("operation", "least"),
    [
        pytest.param(
            "params.validate",
            100,
            marks=req(
                "PPMF-PAR-001",
                "PPMF-PAR-002",
                "PPMF-PAR-003",
                "PPMF-PAR-004",
                "PPMF-PAR-005",
                "PPMF-PAR-006",
                "PPMF-PAR-007",
                "PPMF-PAR-008",
                "PPMF-PAR-009",
                "PPMF-PAR-010",
                "PPMF-PAR-011",
                "PPMF-PAR-012",
                "PPMF-PAR-013",
                "PPMF-PAR-014",
                "PPMF-PAR-020",
                "PPMF-PAR-021",
            ),
        ),
        pytest.param("params.toml", 20, marks=req("PPMF-PAR-022", "PPMF-PAR-023")),
        pytest.param(
            "params.bound",
            20,
            marks=req("PPMF-PAR-015", "PPMF-PAR-016", "PPMF-PAR-017", "PPMF-PAR-018"),
        ),
        pytest.param("params.warn", 4, marks=req("PPMF-PAR-019")),
        pytest.param(
            "ratings.parse",
            50,
            marks=req(
                "PPMF-FIX-003",
                "PPMF-FIX-005",
                "PPMF-FIX-006",
                "PPMF-FIX-007",
                "PPMF-FIX-008",
                "PPMF-FIX-009",
            ),
        ),
        pytest.param("words.round", 10, marks=req("PPMF-FIX-001")),
        pytest.param("words.descend", 10, marks=req("PPMF-FIX-002", "PPMF-FIX-030")),
        pytest.param("prox", 50, marks=req("PPMF-FIX-032", "PPMF-FIX-033", "PPMF-FIX-034")),
        pytest.param("init", 10, marks=req("PPMF-FIX-010", "PPMF-FIX-011")),
        pytest.param("step", 50, marks=req("PPMF-FIX-023", "PPMF-FIX-024", "PPMF-FIX-025")),
        pytest.param(
            "half_step",
            50,
            marks=req(
                "PPMF-FIX-020",
                "PPMF-FIX-021",
                "PPMF-FIX-022",
                "PPMF-FIX-026",
                "PPMF-FIX-027",
                "PPMF-FIX-028",
                "PPMF-FIX-029",
                "PPMF-FIX-031",
                "PPMF-FIX-035",
            ),
        ),
        pytest.param(
            "train.fixed",
            50,
            marks=req("PPMF-FIX-004", "PPMF-FIX-040", "PPMF-FIX-041", "PPMF-FIX-043"),
        ),
        pytest.param("profiles.write", 8, marks=req("PPMF-FIX-050", "PPMF-FIX-051")),
        pytest.param("profiles.read", 40, marks=req("PPMF-FIX-052")),
        pytest.param(
            "predict.ridge",
            25,
            marks=req(
                "PPMF-RDG-001",
                "PPMF-RDG-002",
                "PPMF-RDG-003",
                "PPMF-RDG-004",
                "PPMF-RDG-005",
                "PPMF-RDG-006",
                "PPMF-RDG-007",
                "PPMF-RDG-009",
            ),
        ),
        pytest.param("predict.similar", 10, marks=req("PPMF-RDG-008")),
    ],
)
def test_every_vector_of_an_operation(operation: str, least: int) -> None:
    cases = [case for case in CASES if case["op"] == operation]
    assert len(cases) >= least
    wrong = {case["id"]: disagreement(case) for case in cases}
    assert {name: what for name, what in wrong.items() if what} == {}


def test_every_operation_of_the_level_function_is_read() -> None:
    (row,) = (
        line
        for line in (ROOT / "spec" / "07-conformance.md").read_text().splitlines()
        if line.startswith("| *function* |")
    )
    globs = [text for text in row.split("|")[3].split("`") if text.strip(" ,")]
    asked = {case["op"] for case in CASES}
    due = {name for name in asked if any(fnmatch(name, glob) for glob in globs)}
    assert due == set(adapter.OPERATIONS)


def test_a_different_answer_is_reported() -> None:
    case = next(case for case in CASES if case["id"] == "half-step/lipschitz-0")
    assert disagreement(case) is None
    other = {**case, "in": {**case["in"], "parameters": {"rank": "2", "damping": "17"}}}
    assert disagreement(other)
    assert disagreement({**case, "steps": {**case["steps"], "z": []}})
    assert disagreement({**case, "expect": {"status": "reject", "class": "range"}})


def oracle(values: dict[str, Any]) -> OracleParameters | None:
    """The oracle's set of the same values; None if it is refused."""
    try:
        return OracleParameters(**values)
    except ParametersError:
        return None


def from_prose(values: dict[str, Any]) -> chapter_3.Parameters | None:
    """The programs' set of the same values; None if they refuse it."""
    try:
        return chapter_3.parameters(values)
    except RefusedError as refused:
        if refused.kind != "parameters":
            raise
        return None


def quarters(low: int, high: int) -> st.SearchStrategy[Fraction]:
    return st.integers(4 * low, 4 * high).map(lambda number: Fraction(number, 4))


def sets(rank: int, step_bits: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    """Parameter values, of which most but not all are inside the domain."""
    return st.fixed_dictionaries(
        {
            "rank": st.integers(1, rank),
            "iterations": st.integers(1, 3),
            "inner_steps": st.integers(1, 3),
            "frac_bits": st.integers(8, 14),
            "step_bits": step_bits,
            "step_guard_bits": st.integers(0, 6),
            "box_bits": st.integers(0, 3),
            "bias": st.booleans(),
            "rating_offset": quarters(-1, 4),
            "rating_frac_bits": st.integers(1, 3),
            "ridge": quarters(0, 6),
            "l1": quarters(0, 4),
            "regulariser": st.sampled_from(chapter_3.CHOICES["regulariser"]),
            "step_rule": st.sampled_from(chapter_3.CHOICES["step_rule"]),
            "curvature_shift": st.integers(-4, 6),
            "damping": st.integers(1, 40),
            "seed": st.text(max_size=4),
        }
    )


SIZES = st.sampled_from([1, 2, 30, 1682, 10_000, 2**31 - 1])


@req("PPMF-PAR-014", "PPMF-PAR-016", "PPMF-PAR-017", "PPMF-PAR-018", "PPMF-PAR-021")
@given(sets(20, st.integers(0, 16) | st.integers(17, 33)), SIZES, SIZES)
def test_domain_and_bound_are_the_oracles(values: dict[str, Any], n: int, m: int) -> None:
    ours, p = oracle(values), from_prose(values)
    assert (ours is None) == (p is None)
    if ours is None or p is None:
        return
    assert chapter_3.digest(p) == ours.digest()
    try:
        due: oracle_bounds.Bounds | None = oracle_bounds.bounds(ours, n, m)
    except ParametersError:
        due = None
    if due is None:
        with pytest.raises(RefusedError):
            chapter_3.bound(p, n, m)
    else:
        found = chapter_3.bound(p, n, m)
        assert (found.bound, found.width) == (due.bound, due.z_bits)
        assert found.idle == bool(due.warnings)


@st.composite
def toys(draw: Callable[[Any], Any]) -> tuple[dict[str, Any], list[str], list[str], Any]:
    """Parameter values, the lists of ids, and half-star ratings of some of the pairs."""
    ids = st.lists(st.sampled_from(["10", "9", "-2", "-3", "-10", "a"]), min_size=1, max_size=4)
    users, items = draw(ids.map(dict.fromkeys).map(list)), draw(ids.map(dict.fromkeys).map(list))
    stars = st.none() | st.integers(1, 10).map(lambda number: Fraction(number, 2))
    listed = [(user, item, draw(stars)) for user in users for item in items]
    ratings = [rating for rating in draw(st.permutations(listed)) if rating[2] is not None]
    values = {
        **draw(sets(3, st.integers(4, 20))),
        "rating_offset": Fraction(draw(st.integers(1, 4))),
    }
    return values, users, items, ratings


@req("PPMF-FIX-003", "PPMF-FIX-006", "PPMF-FIX-040", "PPMF-FIX-041", "PPMF-FIX-062")
@given(toys())
def test_every_half_step_of_a_toy_run_is_the_oracles(toy: Any) -> None:
    values, users, items, listed = toy
    ours, p = oracle(values), from_prose(values)
    assert (ours is None) == (p is None)
    if ours is None or p is None:
        return
    raw = oracle_ratings.RawRatings(
        tuple(user for user, _, _ in listed),
        tuple(item for _, item, _ in listed),
        tuple(stars for _, _, stars in listed),
    )
    rated = oracle_ratings.quantise(raw, ours, users=users, items=items)
    ratings = f_fix.read_ratings(p, users, items, listed)
    assert (ratings.users, ratings.items) == (rated.users, rated.items)
    try:
        profiles = fixed.train(rated, ours)
    except ParametersError:
        with pytest.raises(RefusedError, match="ring_bits"):
            f_fix.train(p, ratings)
        return
    for done, state in zip(f_fix.run(p, ratings), fixed.iterate(rated, ours), strict=True):
        assert (done.rows, done.z) == (state.half_step.rows, state.half_step.z)
        steps = state.half_step.steps
        assert done.counts == [step.count for step in steps]
        assert done.squares == [step.squares for step in steps]
        assert done.factor_steps == [step.factors for step in steps]
        assert done.bias_steps == [step.bias for step in steps]
        assert done.taus == [step.tau for step in steps]
        assert done.thetas == [step.theta for step in steps]
    V = f_fix.train(p, ratings)
    assert [row[: p.rank] for row in V] == profiles.factors.tolist()
    assert [row[p.rank :] for row in V] == (
        [[]] * len(V) if profiles.bias is None else [[word] for word in profiles.bias.tolist()]
    )


@st.composite
def item_profiles(draw: Callable[[Any], Any]) -> users_side.Profiles:
    m, rank, words = draw(st.integers(1, 4)), draw(st.integers(1, 3)), st.integers(-2048, 2047)
    rows = st.lists(st.lists(words, min_size=rank, max_size=rank), min_size=m, max_size=m)
    bias = st.none() | st.lists(words, min_size=m, max_size=m)
    return users_side.Profiles(
        rank=rank,
        frac_bits=8,
        box_bits=3,
        rating_frac_bits=1,
        rating_offset=Fraction(3),
        rating_min=Fraction(1, 2),
        rating_max=Fraction(5),
        ridge=draw(st.sampled_from([Fraction(0), Fraction(1, 4), Fraction(12)])),
        items=tuple(str(number) for number in range(1, m + 1)),
        factors=draw(rows),
        bias=draw(bias),
    )


@req(
    "PPMF-RDG-001",
    "PPMF-RDG-002",
    "PPMF-RDG-003",
    "PPMF-RDG-005",
    "PPMF-RDG-006",
    "PPMF-RDG-007",
    "PPMF-RDG-008",
)
@given(item_profiles(), st.dictionaries(st.integers(0, 3), st.integers(1, 10)))
def test_the_users_side_is_the_oracles(p: users_side.Profiles, stars: dict[int, int]) -> None:
    ours = ItemProfiles(
        items=p.items,
        frac_bits=p.frac_bits,
        factors=np.array(p.factors, dtype=np.int64),
        bias=None if p.bias is None else np.array(p.bias, dtype=np.int64),
        rating_offset=p.rating_offset,
        rating_min=p.rating_min,
        rating_max=p.rating_max,
        rating_frac_bits=p.rating_frac_bits,
        ridge=p.ridge,
        box_bits=p.box_bits,
    )
    rows = range(len(p.items))
    for row in rows:
        nearest = [p.items[other.row] for other in oracle_ridge.similar(ours, row, 4)]
        assert users_side.similar(p, p.items[row], 4) == nearest
    rated = {row: Fraction(number, 2) for row, number in stars.items() if row in rows}
    listed = [(p.items[row], rating) for row, rating in rated.items()]
    try:
        due = oracle_ridge.profile(rated, ours)
    except ParametersError:
        with pytest.raises(RefusedError, match="ridge"):
            users_side.profile(p, listed)
        return
    user = users_side.profile(p, listed)
    for row in rows:
        prediction = oracle_ridge.predict(due, ours, row)
        assert users_side.predict(p, user, row) == prediction
        assert users_side.clip(p, prediction) == oracle_ridge.clip(prediction, ours)
    best = [p.items[other.row] for other in oracle_ridge.top_n(due, ours, rated, 4)]
    assert users_side.top(p, user, 4) == best


@req("PPMF-RDG-006")
def test_predictions_beyond_the_scale_are_ordered_before_they_are_clipped() -> None:
    # u = 2 * 1 / (1 + 1) = 1 for the factors 1, 3, 5 (and r0 = 3): predictions 4, 6 and 8.
    numbers = {"rank": "1", "frac_bits": "8", "box_bits": "3", "rating_frac_bits": "1"}
    scale = {"rating_offset": "3", "rating_min": "0.5", "rating_max": "5", "ridge": "1"}
    rows = {"items": ["1", "2", "3"], "factors": [["256"], ["768"], ["1280"]], "bias": None}
    asked = {"ratings": [["1", "5"]], "items": ["1", "2", "3"], "count": "2"}
    out, _ = adapter.OPERATIONS["predict.ridge"]({"profiles": numbers | scale | rows, **asked})
    assert (out["predictions"], out["clipped"], out["top"]) == ([4, 6, 8], [4, 5, 5], ["3", "2"])
