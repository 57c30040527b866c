# SPDX-License-Identifier: Apache-2.0
"""`ppmf estimate`: exact bytes, and which costs are not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf import main
from ppmf_costs.counts import PublicSize, count_run
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters
from tests.support.command_line import Capture, refused
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


def test_a_set_that_does_not_fit_is_answered_with_the_nearest(
    tmp_path: Path, capsys: Capture
) -> None:
    wide = tmp_path / "wide.toml"
    wide.write_text("frac_bits = 12\nstep_bits = 16\n")
    size = ["--users", "1000000", "--items", "10", "--suite", "auto"]
    assert main.main(["estimate", *size, "--params", str(wide)]) == 0
    said = capsys.readouterr().out
    assert "does not fit: ring_bits = 64: 1,000,000 rows of rank 10 need 66.1 bits\n" in said
    assert "the nearest set that works has frac_bits = 8, step_bits = " in said
    assert "memory of each server: " in said


def test_a_number_of_users_that_no_run_has_is_refused(capsys: Capture) -> None:
    assert main.main(["estimate", "--users", str(2**31), "--items", "10"]) == 2
    assert f"users = {2**31}" in capsys.readouterr().err


def test_a_size_that_nothing_holds_has_an_answer_too(capsys: Capture) -> None:
    size = ["--users", str(2**31 - 1), "--items", str(2**31 - 1)]
    assert main.main(["estimate", *size, "--iterations", "1000000", "--suite", "rlwe-8192"]) == 0
    assert "no parameter set near this one works at this size" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["1", "Gbit", "0Gbit", "-1Gbit", "1e9bit", "1 GB", "1Gbit 1"])
def test_a_bandwidth_without_its_unit_is_refused(text: str, capsys: Capture) -> None:
    command = ["estimate", "--users", "9", "--items", "9", f"--bandwidth={text}"]
    assert "such as 1Gbit" in refused(capsys, command)


def test_a_latency_without_its_unit_is_refused(capsys: Capture) -> None:
    command = ["estimate", "--users", "9", "--items", "9", "--latency", "20"]
    assert "such as 20ms" in refused(capsys, command)


def test_the_line_between_the_servers_takes_time(capsys: Capture) -> None:
    command = ["estimate", "--users", "50", "--items", "40", "--suite", "rlwe-8192"]
    assert main.main(command) == 0
    assert "on the line" not in capsys.readouterr().out
    assert main.main([*command, "--latency", "50 ms"]) == 0
    assert "on the line" in capsys.readouterr().out
