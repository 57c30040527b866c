# SPDX-License-Identifier: Apache-2.0
"""`ppmf estimate`: exact bytes, and which costs are not known."""

from __future__ import annotations

from pathlib import Path

from ppmf import main
from ppmf_costs.counts import PublicSize, count_run
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters
from tests.support.command_line import Capture
from tests.support.predicted_runs import UNIT_COST, by_party, primitives, unit_costs

SUITE = "paillier-512-insecure"


def test_the_command_shows_exact_bytes_and_says_which_costs_are_not_known(
    tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "costs.toml"
    tally = count_run(
        Parameters(rank=2, iterations=2), PublicSize.numbered(3, 4), cipher_suite(SUITE)
    )
    unit_costs(primitives(tally, SUITE), UNIT_COST).write(path)
    command = ["estimate", "--users", "30", "--items", "20", "--rank", "2", "--iterations", "3"]
    command += ["--costs", str(path), "--suite", SUITE, "--suite", "paillier-2048"]
    assert main.main(command) == 0
    shown = capsys.readouterr().out
    for name in (SUITE, "paillier-2048"):
        sent = by_party(
            count_run(
                Parameters(rank=2, iterations=3), PublicSize.numbered(30, 20), cipher_suite(name)
            )
        )
        assert f"RecSys {sent['recsys']:,} bytes, CSP {sent['csp']:,} bytes" in shown
    assert shown.count("memory of each server: ") == 1
    assert shown.count("not known") == 1


def test_a_size_that_could_overflow_is_refused(tmp_path: Path, capsys: Capture) -> None:
    wide = tmp_path / "wide.toml"
    wide.write_text("frac_bits = 12\nstep_bits = 16\n")
    size = ["--users", "1000000", "--items", "10"]
    assert main.main(["estimate", *size, "--params", str(wide)]) == 2
    assert "ring" in capsys.readouterr().err
