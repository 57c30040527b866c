# SPDX-License-Identifier: Apache-2.0
"""`ppmf audit`: what it says of the transcripts of a real run, and of spoiled ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ppmf import main
from tests.support.command_line import Capture
from tests.support.trained_run import Run


@pytest.mark.req("PPMF-OUT-002")
def test_transcripts_of_a_real_run_pass_the_audit(trained: Run, capsys: Capture) -> None:
    assert main.main(["audit", str(trained.out / "transcripts")]) == 0
    out = capsys.readouterr().out
    assert "all 22 checks held" in out
    assert "FAILED" not in out


def test_a_spoiled_transcript_gives_status_1(trained: Run, tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "transcripts"
    shutil.copytree(trained.out / "transcripts", folder)
    csp = folder / "csp/csp.cborseq"
    data = bytearray(csp.read_bytes())
    data[-1] ^= 1  # the last bit of the output share, as CSP says it sent it
    csp.write_bytes(data)
    assert main.main(["audit", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "1 of 22 checks FAILED" in out
