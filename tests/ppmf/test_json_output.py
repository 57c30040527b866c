# SPDX-License-Identifier: Apache-2.0
"""`--json`: one object on standard output, with the names that docs/command.md gives, and the same
exit status as without it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ppmf import main
from ppmf_conformance import cases, version
from ppmf_reference import ridge
from ppmf_spec import profiles
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from tests.support.command_line import COMMAND_PAGE, commands, documented
from tests.support.trained_run import Run

Capture = pytest.CaptureFixture[str]
ORACLE = [sys.executable, "-m", "ppmf_conformance.adapters.oracle"]


def told(capsys: Capture, arguments: list[str], status: int = 0) -> dict[str, Any]:
    """The object that a command prints: one line of ASCII."""
    capsys.readouterr()
    assert main.main([*arguments, "--json"]) == status
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    assert next(iter(found)) == "format"
    return found


def test_estimate(capsys: Capture) -> None:
    command = ["estimate", "--users", "50", "--items", "20", "--rank", "3"]
    found = told(capsys, [*command, "--suite", "rlwe-8192", "--suite", "paillier-512-insecure"])
    assert set(found) == documented("estimate")
    assert (found["users"], found["items"], found["parameters"]["rank"]) == (50, 20, 3)
    assert found["automatic"] == "rlwe-8192"
    known, unknown = found["suites"]
    for one in found["suites"]:
        assert one["bytes_sent"] == sum(phase["bytes_sent"] for phase in one["phases"])
        assert one["bytes_sent"] == sum(one["bytes_sent_by_party"].values())
    assert known["seconds"] == pytest.approx(sum(phase["seconds"] for phase in known["phases"]))
    assert known["memory_bytes"] > 0
    assert unknown["seconds"] is unknown["memory_bytes"] is unknown["phases"][0]["seconds"] is None


def test_params_check(capsys: Capture) -> None:
    found = told(capsys, ["params", "check", "--users", "943", "--items", "1682"])
    assert set(found) == documented("params-check")
    assert found["bits"] == bounds(Parameters(), 943, 1682).bits
    assert found["sha256"] == Parameters().digest().hex()
    assert found["parameters"] == Parameters().as_dict()
    assert found["warnings"] == found["nearest"] == []
    assert found["nearest_parameters"] == found["parameters"]
    assert (found["fits"], found["limit"], found["automatic"]) == (True, None, "rlwe-8192")


def test_params_check_of_a_set_that_does_not_fit(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "P.toml"
    file.write_text("ring_bits = 40\n")
    found = told(capsys, ["params", "check", "--users", "9", "--items", "9", str(file)], 1)
    assert set(found) == documented("params-check")
    assert (found["fits"], found["bits"], found["automatic"]) == (False, None, None)
    assert found["limit"].startswith("ring_bits = 40: 9 rows of rank 10 need ")
    (change,) = found["nearest"]
    assert (change["parameter"], change["from"], change["to"]) == ("ring_bits", 40, 0)
    assert found["nearest_parameters"] == Parameters().as_dict()


def test_estimate_of_a_set_that_does_not_fit(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "P.toml"
    file.write_text("ring_bits = 40\n")
    size = ["estimate", "--users", "9", "--items", "9", "--suite", "rlwe-8192"]
    line = ["--bandwidth", "1Gbit", "--latency", "20ms"]
    (one,) = told(capsys, [*size, *line, "--params", str(file)])["suites"]
    (of_nearest,) = told(capsys, [*size, *line])["suites"]
    assert not one["fits"]
    assert one["bytes_sent"] == of_nearest["bytes_sent"] > 0
    assert one["seconds"] == of_nearest["seconds"]
    assert all(phase["seconds"] >= phase["network_seconds"] for phase in one["phases"])
    assert sum(phase["network_seconds"] for phase in one["phases"]) > 0


def test_params_suggest(capsys: Capture, tmp_path: Path) -> None:
    found = told(capsys, ["params", "suggest", "--users", "943", "--items", "1682", "--rank", "8"])
    assert set(found) == documented("params-suggest")
    bits = {name: found["parameters"][name] for name in ("step_bits", "ring_bits")}
    params = Parameters(rank=8, **bits)
    assert found["parameters"] == params.as_dict()
    assert found["sha256"] == params.digest().hex()
    assert found["bits"] == bounds(params, 943, 1682).bits
    file = tmp_path / "P.toml"
    file.write_text(params.to_toml())
    size = ["--users", "943", "--items", "1682"]
    estimated = told(capsys, ["estimate", *size, "--params", str(file), "--suite", found["suite"]])
    assert estimated["suites"][0]["seconds"] == found["seconds"]
    assert estimated["suites"][0]["bytes_sent"] == found["bytes_sent"]
    ranks = [one["changed"]["rank"] for one in found["alternatives"] if "rank" in one["changed"]]
    assert 6 in ranks
    assert all(one["seconds"] > 0 and one["bytes_sent"] > 0 for one in found["alternatives"])


def test_a_refusal_prints_no_object(capsys: Capture) -> None:
    capsys.readouterr()
    assert main.main(["params", "check", "--users", "0", "--items", "1", "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("ppmf: error (")


def test_recommend(trained: Run, capsys: Capture) -> None:
    published = trained.out / "item_profiles.json"
    command = ["recommend", "--profiles", str(published), "--ratings", str(trained.ratings)]
    user = trained.ratings.read_text().splitlines()[1].split(",")[0]
    found = told(capsys, [*command, "--user", user, "--top", "3"])
    assert set(found) == documented("recommendations")
    assert found["user"] == user
    lines = [line.split(",") for line in trained.ratings.read_text().splitlines()]
    mine = {item for who, item, *_ in lines if who == user}
    assert found["rated"] == len(mine)
    assert {one["item"] for one in found["recommendations"]}.isdisjoint(mine)
    for place, one in enumerate(found["recommendations"], start=1):
        assert one["place"] == place
        assert one["title"] == f"[bold] {one['item']} :smile:"
        assert one["predicted"] == min(max(one["unclipped"], 0.5), 5)


def test_similar(trained: Run, capsys: Capture) -> None:
    path = trained.out / "item_profiles.json"
    published = profiles.read(path)
    found = told(capsys, ["similar", published.items[2], "--profiles", str(path), "--top", "2"])
    assert set(found) == documented("similar")
    assert (found["item"], found["title"]) == (published.items[2], None)
    near = ridge.similar(published, 2, 2)
    assert [one["item"] for one in found["similar"]] == [published.items[n.row] for n in near]
    squares = [(one["distance"] * 2**published.frac_bits) ** 2 for one in found["similar"]]
    assert squares == pytest.approx([n.squared_distance for n in near])


def test_audit_and_its_status(trained: Run, tmp_path: Path, capsys: Capture) -> None:
    found = told(capsys, ["audit", str(trained.out / "transcripts")])
    assert set(found) == documented("audit")
    assert found["held"] is True
    assert len(found["checks"]) == 22
    folder = tmp_path / "transcripts"
    shutil.copytree(trained.out / "transcripts", folder)
    data = (folder / "csp/csp.cborseq").read_bytes()
    (folder / "csp/csp.cborseq").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = told(capsys, ["audit", str(folder)], status=1)
    assert found["held"] is False
    assert sum(not one["ok"] for one in found["checks"]) == 1


def with_json(verb: str, *arguments: str, adapter: list[str]) -> list[str]:
    return ["conformance", verb, "--json", *arguments, "--", *adapter]


def asked(capsys: Capture, arguments: list[str], status: int) -> dict[str, Any]:
    """As `told`, for commands that end in the adapter's own arguments."""
    capsys.readouterr()
    assert main.main(arguments) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_conformance_run(tmp_path: Path, capsys: Capture) -> None:
    report = ["--report", str(tmp_path)]
    command = with_json("run", "--only", "prox/*", *report, adapter=ORACLE)
    found = asked(capsys, command, 0)
    assert set(found) == documented("conformance-run")
    assert found["exit"] == 0
    assert found["counts"] == {"pass": found["cases"]}
    assert (found["suite"], found["vectors"]) == (version(), cases.shipped().digest)
    assert found["implementation"]["name"]
    assert found["command"] == ORACLE
    assert found["report"] == str(tmp_path)
    assert (tmp_path / "index.html").is_file()
    silent = [sys.executable, "-c", ""]
    found = asked(capsys, with_json("run", "--only", "prox/*", adapter=silent), 5)
    assert found["implementation"] is None
    assert found["exit"] == 5


def test_conformance_run_names_its_failures(tmp_path: Path, capsys: Capture) -> None:
    known = tmp_path / "known.txt"
    known.write_text("prox/* they pass, so they are no longer failures\n")
    command = ["--only", "prox/*", "--known-failures", str(known)]
    found = asked(capsys, with_json("run", *command, adapter=ORACLE), 1)
    assert len(found["failures"]) == found["cases"] > 0
    assert {one["verdict"] for one in found["failures"]} == {"fixed"}


def test_conformance_check_and_vectors(tmp_path: Path, capsys: Capture) -> None:
    found = asked(capsys, with_json("check", adapter=[sys.executable, "-c", ""]), 1)
    assert set(found) == documented("adapter-check")
    assert found["fit"] is False
    assert found["findings"][-1]["fault"]
    found = told(capsys, ["conformance", "vectors", "--only", "prox/*"])
    assert set(found) == documented("vectors")
    assert found["folder"] is None
    assert [one["id"] for one in found["cases"]] == [
        one.id for one in cases.shipped().pick(["prox/*"])
    ]
    found = told(capsys, ["conformance", "vectors", str(tmp_path / "out")])
    assert len(found["cases"]) == len(cases.shipped().cases)
    assert (tmp_path / "out" / "SHA256SUMS").is_file()


def test_every_command_with_json_has_its_members_on_the_page() -> None:
    have = [
        f"ppmf {words}"
        for words, command in commands().items()
        if any("--json" in one.opts for one in command.params)
    ]
    assert len(have) == 19
    page = COMMAND_PAGE.read_text()
    assert [name for name in have if f"`{name}`" not in page] == []
