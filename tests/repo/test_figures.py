# SPDX-License-Identifier: Apache-2.0
"""A figure stands in one place; pages that quote it agree with that place."""

from __future__ import annotations

import re

import pytest

from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts
from ppmf_docs import figures, limits, performance
from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tools.packages import ROOT

BENCHMARKS = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "spec").glob("*.md")),
]


def test_the_readme_has_the_computed_figures() -> None:
    assert figures.first() in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_bits_of_the_whole_are_those_of_chapter_6(page: object) -> None:
    text = (ROOT / str(page)).read_text(encoding="utf-8")
    said = re.findall(r"[Aa]bout (\d+) bits", text)
    assert set(said) <= {figures.bits()}


def test_the_hours_with_paillier_are_those_of_the_results_and_of_the_cost_model() -> None:
    runs = [run for _, part in performance.parts("training") for run in part]
    (small,) = (run for run in runs if "extrapolated_seconds" in run)
    assert f"it would take {small['extrapolated_seconds'] / 3600:.0f} hours" in BENCHMARKS
    suite = small["suite"]
    full = count_run(Parameters(), PublicSize.numbered(943, 1682), cipher_suite(suite))
    hours = UnitCosts.read().estimate(full, suite).total / 3600
    assert f"`ppmf estimate` itself says {hours:.0f} hours" in BENCHMARKS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_other_page_states_hours_or_a_number_of_rows(page: object) -> None:
    text = (ROOT / str(page)).read_text(encoding="utf-8").replace(figures.first(), "")
    assert not re.search(r"\b(33|47) hours\b|123,330|19,5\d\d", text)


def test_one_row_more_than_the_largest_is_refused() -> None:
    """By the check that a session's programs begin with; a list of so many ids is not made here."""
    rows = limits.largest_rows("rlwe-8192")
    assert rows < limits.largest_rows("paillier-3072")
    both = orientations(Parameters(), rows + 1, rows + 1)
    with pytest.raises(ParametersError, match="noise"):
        cipher_suite("rlwe-8192").products.fit([orientation.layout for orientation in both])


def test_a_row_of_one_rating_more_than_the_longest_has_a_step_0() -> None:
    rows = limits.longest_row()
    assert bounds(Parameters(), 1, rows).warnings == ()
    assert "step" in bounds(Parameters(), 1, rows + 1).warnings[0]


def test_the_founding_paper_is_named_where_it_is_called_so() -> None:
    for page in (
        ROOT / "README.md",
        ROOT / "spec" / "01-problem.md",
        ROOT / "benchmarks/README.md",
    ):
        text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
        assert "Nikolaenko" in text, page.name
        assert "CCS 2013" in text, page.name
