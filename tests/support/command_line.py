# SPDX-License-Identifier: Apache-2.0
"""The `ppmf` command, called in this process."""

from __future__ import annotations

import pytest

from ppmf import main

Capture = pytest.CaptureFixture[str]


def refused(capsys: Capture, arguments: list[str], status: int = 2) -> str:
    """The one line that the command writes when it fails with that exit status."""
    capsys.readouterr()
    assert main.main(arguments) == status
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if "public" not in line]
    assert len(lines) == 1, said.err
    assert "Traceback" not in said.err + said.out
    return lines[0]
