# SPDX-License-Identifier: Apache-2.0
"""`ppmf conformance play`: one run of own files, bit exact or its first difference, in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ppmf import main
from ppmf_conformance import own_runs, party_runs
from ppmf_conformance.adapters import sessions_and_uploads, toy_runs
from ppmf_conformance.cases import shipped
from ppmf_conformance.deadline import DEADLINES
from ppmf_conformance.results import Outcome
from ppmf_reference import ratings_from
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tests.support.adapters import HELLO, ORACLE, script
from tests.support.command_line import Capture

SUITE = "rlwe-64-insecure"
SECURE = [sys.executable, "-m", "ppmf_conformance.adapters.secure"]
WRONG = script(
    "import numpy as np\n"
    "from ppmf_secure.protocols import half_step\n"
    "from ppmf_conformance.adapters import secure_operations\n"
    "right = half_step._moves\n"
    "def moves(*given):\n"
    "    return np.negative((yield from right(*given)))\n"
    "half_step._moves = moves\n"
    "secure_operations.answer()"
)
"""An adapter whose server takes the moves with the other sign."""
RATINGS = "user,item,rating\nann,alien,5\nann,brazil,4.5\nbob,alien,4\ncyd,brazil,2\n"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The options that name parameters and ratings of a toy run."""
    (tmp_path / "P.toml").write_text("rank = 2\niterations = 1\ninner_steps = 1\nseed = 'own'\n")
    (tmp_path / "R.csv").write_text(RATINGS)
    return ["--params", str(tmp_path / "P.toml"), "--ratings", str(tmp_path / "R.csv")]


def play(*arguments: str) -> int:
    return main.main(["conformance", "play", *arguments])


@pytest.mark.req("PPMF-CON-042")
@pytest.mark.parametrize("suite", ["paillier-512-insecure", "rlwe-64-insecure"])
def test_a_right_party_is_bit_exact(files: list[str], suite: str, capsys: Capture) -> None:
    assert play(*files, "--roles", "recsys", "--suite", suite, "--", *SECURE) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("plays recsys, among our users and csp")
    assert said[1].endswith(f"messages, {suite}")
    assert said[2].startswith("trace: all ")
    assert said[3].startswith("bit exact: ")


@pytest.mark.req("PPMF-CON-042")
def test_the_first_difference_of_a_wrong_party_is_named(files: list[str], capsys: Capture) -> None:
    assert play(*files, "--roles", "csp", "--", *WRONG) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[2].startswith("trace: the first ")
    where = "fail: HG of the users in iteration 1, inner step 0, row 0 (ann), [0]: "
    assert said[3].startswith(where)
    assert play(*files, "--roles", "csp", "--no-trace", "--", *WRONG) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[2] == "no trace: it was not asked for"
    assert said[3].startswith("fail: factors[0][0]: ")


def test_the_object_has_the_members_of_the_page(files: list[str], capsys: Capture) -> None:
    page = (Path(__file__).parents[2] / "docs" / "command.md").read_text(encoding="utf-8")
    rows = page.partition("`ppmf-conformance-play/1`\n")[2].partition("\n\n`ppmf")[0].splitlines()
    documented = {row.split("`")[1] for row in rows if row.startswith("| `")}
    assert play(*files, "--roles", "users,csp", "--json", "--", *SECURE) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("format") == "ppmf-conformance-play/1"
    assert found.keys() == documented
    assert found["exact"]
    assert found["roles"] == ["users", "csp"]
    assert found["stages"] == found["stages_right"] > 0
    assert (found["users"], found["items"]) == (3, 2)
    assert play(*files, "--roles", "csp", "--json", "--", *WRONG) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["exact"], found["outcome"]) == (False, "fail")
    assert 0 < found["stages_right"] < found["stages"]


def test_the_same_files_are_the_same_run(files: list[str]) -> None:
    params = Parameters(rank=2, iterations=1)
    found = ratings_from([[5, 4.5], [4, 2]], params)
    one, other = (own_runs.case_of(params, found, "rlwe-64-insecure", ["csp"]) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("more", "command", "said"),
    [
        (["--roles", "recsys,me"], SECURE, "--roles 'recsys,me': some of users, recsys, csp"),
        (["--roles", ""], SECURE, "--roles '': some of users, recsys, csp"),
        (["--roles", "csp", "--suite", "rlwe-8192"], SECURE, "suite 'rlwe-8192': must be one of"),
        (["--roles", "csp"], ORACLE, "declares no feature party.run"),
        (["--roles", "csp"], ["/no/such/adapter"], "/no/such/adapter: No such file"),
        (["--roles", "csp"], script("print('hello')"), "the adapter: no hello: "),
        (
            ["--roles", "users,csp"],
            script(f"input(); print({HELLO.replace('init', 'party.run')!r}); input()"),
            "does not play csp, users: of the roles it declares none",
        ),
    ],
)
def test_bad_input_is_one_line(
    files: list[str], more: list[str], command: list[str], said: str, capsys: Capture
) -> None:
    assert play(*files, *more, "--", *command) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "error" in one]
    assert said in line


def test_a_run_whose_messages_fit_no_line_is_refused() -> None:
    params = Parameters(rank=9, iterations=1)
    many = ratings_from([[3.0] * 2] * 2_000, params)
    with pytest.raises(ParametersError, match="2,000 users and 2 items is no toy: a server sends"):
        own_runs.case_of(params, many, "rlwe-64-insecure", ["csp"])


@pytest.mark.req("PPMF-RUN-011")
def test_the_messages_of_the_plan_are_those_of_the_cases() -> None:
    """Two ways to the same list: the plan, and a run of our own parties when vectors were made."""
    for case_id in ("parties/lipschitz-csp", "parties/no-bias-many-csp", "parties/inertia-csp"):
        (case,) = shipped().pick([case_id])
        session = sessions_and_uploads.session(case.given["session"])
        assert toy_runs.messages(session) == case.steps["messages"]


@pytest.mark.req("PPMF-CON-042")
def test_a_run_without_a_trace_says_why(files: list[str], capsys: Capture) -> None:
    silent = script(
        "from ppmf_conformance.adapters import party, secure_operations\n"
        "from ppmf_conformance.adapters.line_server import introduction, serve\n"
        "serve(introduction('x', ['party.run'], party.ROLES), party.Parties().operations)"
    )
    assert play(*files, "--roles", "csp", "--", *silent) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[2] == (
        "no trace: the adapter does not show its shares (it declares no party.trace)"
    )
    assert play(*files, "--roles", "users", "--", *silent) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[2].startswith("trace: all ")


@pytest.mark.req("PPMF-CON-042")
def test_a_large_run_has_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(party_runs, "MOST_TRACED", 3)
    params = Parameters(rank=1, iterations=1)
    case = own_runs.case_of(params, ratings_from([[5, 2], [4, 3]], params), SUITE, ["csp"])
    found = own_runs.play(case, SECURE, DEADLINES, trace=True)
    assert (found.outcome, found.stages) == (Outcome.PASS, None)
    assert found.untraced == "the run has more than 3 pairs of a user and an item"
