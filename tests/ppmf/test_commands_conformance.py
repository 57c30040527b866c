# SPDX-License-Identifier: Apache-2.0
"""`ppmf conformance`: its exit status, its files, and the check of an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ppmf import main
from ppmf_conformance import cases
from tests.support.adapters import HELLO, ORACLE, broken, script
from tests.support.command_line import Capture

SUITE = cases.shipped()


@pytest.mark.req("PPMF-CON-015")
def test_the_command_ends_with_the_status_of_the_run(tmp_path: Path, capsys: Capture) -> None:
    def status(*arguments: str) -> int:
        return main.main(["conformance", "run", *arguments])

    assert status("--only", "init/*", "--report", str(tmp_path / "r"), "--", *ORACLE) == 0
    assert {path.name for path in (tmp_path / "r").iterdir()} == {
        "results.ndjson",
        "junit.xml",
        "index.html",
    }
    assert status("--only", "words/*", "--", *broken("round-floor")) == 1
    shown = capsys.readouterr().out
    assert "ppmf conformance run --only words/round-half -- " in shown
    assert status("--only", "none/*", "--", *ORACLE) == 4
    assert status("--only", "hash/*", "--", *ORACLE) == 5
    assert status("--", str(tmp_path / "none")) == 2
    assert status() == 2


def test_the_command_lists_and_copies_the_vectors(tmp_path: Path, capsys: Capture) -> None:
    assert main.main(["conformance", "vectors", "--only", "init/seed-*"]) == 0
    assert "init/seed-utf8" in capsys.readouterr().out
    assert main.main(["conformance", "vectors", "--only", "none"]) == 2
    assert main.main(["conformance", "vectors", str(tmp_path / "v")]) == 0
    assert cases.load(tmp_path / "v").digest == SUITE.digest
    assert (tmp_path / "v" / "vectors.schema.json").is_file()


@pytest.mark.req("PPMF-CON-002", "PPMF-CON-006", "PPMF-CON-008", "PPMF-CON-009", "PPMF-CON-019")
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (ORACLE, 0, "yes  ends when its input ends"),
        (broken("mute"), 1, "no   introduces itself"),
        (broken("silent"), 1, "no   answers the unknown with unsupported"),
        (broken("chatty"), 0, "yes  answers calls in their order"),
        (script("print('hello')"), 1, "no   introduces itself"),
        (script(f"input(); print({HELLO!r}); input()"), 1, "no   answers the unknown"),
    ],
)
def test_the_check_of_an_adapter_reports_what_is_wrong_with_it(
    command: Sequence[str],
    status: int,
    said: str,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deadline = "20"
    if status:  # an adapter may be silent: it is waited for until the deadlines
        for_hello = 1.0 if "introduces itself" in said else 20.0
        monkeypatch.setattr("ppmf.commands.conformance.HELLO_SECONDS", for_hello)
        deadline = "0.5"
    assert main.main(["conformance", "check", "--deadline", deadline, "--", *command]) == status
    assert said in capsys.readouterr().out
