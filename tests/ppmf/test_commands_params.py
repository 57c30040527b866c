# SPDX-License-Identifier: Apache-2.0
"""`ppmf params`: the bound that it shows, and the parameter files that it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf import main
from tests.support.command_line import Capture, refused


def test_params_check_shows_the_bound(capsys: Capture) -> None:
    assert main.main(["params", "check", "--users", "943", "--items", "1682"]) == 0
    assert "60.9 of 64 bits" in capsys.readouterr().out


BAD_PARAMETERS = {
    "unknown name": ("ranks = 3", "unknown parameter 'ranks'"),
    "not dyadic": ("ridge = 0.1", "must be dyadic"),
    "out of its domain": ("rank = 0", "rank = 0"),
    "overflow": ("step_bits = 20\nfrac_bits = 16", "bits"),
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
