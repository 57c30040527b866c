# SPDX-License-Identifier: Apache-2.0
"""What commands write: where the user says, never over what they read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ppmf import main
from tests.support.trained_run import Run

Capture = pytest.CaptureFixture[str]
PPMF = [sys.executable, "-m", "ppmf.main"]


def refused(capsys: Capture, arguments: list[str]) -> str:
    """The one line of a command that ends with status 2."""
    capsys.readouterr()
    assert main.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


@pytest.fixture
def inputs(trained: Run, tmp_path: Path) -> Run:
    """The inputs of a run, copied so that they may be lost."""
    copy = Run(tmp_path / "ratings.csv", tmp_path / "P.toml", tmp_path / "run")
    copy.ratings.write_bytes(trained.ratings.read_bytes())
    copy.params.write_bytes(trained.params.read_bytes())
    return copy


def oracle(run: Run, out: Path | str, *more: str) -> list[str]:
    return ["oracle", str(run.ratings), "--params", str(run.params), "--out", str(out), *more]


# -- results are not written over inputs -----------------------------------------------------------


@pytest.mark.parametrize("which", ["ratings", "params", "catalogue", "users"])
@pytest.mark.parametrize("through", ["itself", "link", "hard link"])
@pytest.mark.parametrize("mode", ["fixed", "exact", "certified"])
def test_the_oracle_does_not_write_over_its_inputs(
    which: str, through: str, mode: str, inputs: Run, tmp_path: Path, capsys: Capture
) -> None:
    lists = {"catalogue": tmp_path / "items.txt", "users": tmp_path / "users.txt"}
    for path in lists.values():
        path.write_text("".join(f"{number}\n" for number in range(1, 41)))
    files = {"ratings": inputs.ratings, "params": inputs.params, **lists}
    named = out = files[which]
    if through == "link":
        out = tmp_path / "link"
        out.symlink_to(named)
    elif through == "hard link":
        out = tmp_path / "link"
        os.link(named, out)
    before = named.read_bytes()
    more = ["--catalogue", str(lists["catalogue"]), "--user-list", str(lists["users"])]
    line = refused(capsys, oracle(inputs, out, "--mode", mode, *more))
    assert line.startswith("ppmf: error (usage): ")
    assert f"{out}: the result would replace what {named} holds" in line
    assert named.read_bytes() == before


def test_a_folder_of_ratings_is_an_input_too(inputs: Run, tmp_path: Path, capsys: Capture) -> None:
    command = ["oracle", str(tmp_path), "--out", str(inputs.ratings)]
    assert "would replace" in refused(capsys, command)


@pytest.mark.parametrize(
    "place", ["item_profiles.json", "report.json", "transcripts/csp/csp.cborseq"]
)
def test_a_training_does_not_replace_its_inputs(place: str, inputs: Run, capsys: Capture) -> None:
    name = inputs.out / place
    name.parent.mkdir(parents=True)
    inputs.params.rename(name)
    command = ["train", str(inputs.ratings), "--params", str(name), "--out", str(inputs.out)]
    assert f"{name}: the result would replace" in refused(capsys, [*command, "--force"])
    assert name.exists()


def test_a_bench_does_not_replace_its_inputs(inputs: Run, tmp_path: Path, capsys: Capture) -> None:
    for out, costs in ((tmp_path / "b", inputs.ratings), (tmp_path, tmp_path / "results.json")):
        (tmp_path / "results.json").write_text("{}")
        command = ["bench", "--data", str(inputs.ratings), "--out", str(out), "--calibrate"]
        assert "would replace" in refused(capsys, [*command, "--costs", str(costs)])


def test_a_figure_does_not_replace_its_inputs(inputs: Run, tmp_path: Path, capsys: Capture) -> None:
    command = ["evaluate", str(inputs.ratings), "--params", str(inputs.params)]
    for given in (inputs.ratings, inputs.params):
        figure = tmp_path / "figure.svg"
        figure.symlink_to(given)
        before = given.read_bytes()
        assert "would replace" in refused(capsys, [*command, "--plot", str(figure)])
        assert given.read_bytes() == before
        figure.unlink()
    named = tmp_path / "items.svg"
    named.write_text("1\n")
    for option in ("--catalogue", "--user-list"):
        line = refused(capsys, [*command, option, str(named), "--plot", str(named)])
        assert f"{named}: the result would replace what {named} holds" in line


def test_a_bench_does_not_replace_the_ratings_of_the_environment(
    inputs: Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPMF_DATA", str(inputs.ratings))
    results = tmp_path / "results.json"
    results.symlink_to(inputs.ratings)
    assert "would replace" in refused(capsys, ["bench", "--quick", "--out", str(tmp_path)])
    command = ["bench", "--out", str(tmp_path / "b"), "--calibrate", "--costs"]
    assert "would replace" in refused(capsys, [*command, str(inputs.ratings)])


def test_a_report_does_not_replace_what_it_is_of(tmp_path: Path, capsys: Capture) -> None:
    known = tmp_path / "junit.xml"
    known.write_text("init/* reason\n")
    run = ["conformance", "run", "--report", str(tmp_path)]
    line = refused(capsys, [*run, "--known-failures", str(known), "--", "true"])
    assert "would replace" in line
    adapter = tmp_path / "results.ndjson"
    adapter.write_text("#!/bin/sh\n")
    assert "would replace" in refused(capsys, [*run, "--", "sh", str(adapter)])
    assert adapter.read_text() == "#!/bin/sh\n"


# -- results are written where the user says -------------------------------------------------------


def test_standard_output_holds_the_result_alone(trained: Run, tmp_path: Path) -> None:
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")  # as /dev/stdout is
    for more in ([], ["--mode", "exact"], ["--mode", "certified"]):
        done = subprocess.run(
            [*PPMF, *oracle(trained, link, *more)], capture_output=True, check=True
        )
        assert json.loads(done.stdout)["items"]
        assert b"8 items, 9 users" in done.stderr


def test_a_pipe_takes_the_result(trained: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert main.main(oracle(trained, pipe)) == 0
    reader.join(timeout=10)
    assert read == [(trained.out / "item_profiles.json").read_bytes()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    "arguments",
    [
        ["oracle", "{ratings}", "--out", ""],
        ["oracle", "", "--out", "x"],
        ["oracle", "{ratings}", "--out=", "--params", "{params}"],
        ["oracle", "{ratings}", "--out", "x", "--params", ""],
        ["train", "{ratings}", "--out", ""],
        ["demo", "--out", ""],
        ["bench", "--out", ""],
        ["resume", ""],
        ["audit", ""],
        ["recommend", "--profiles", "", "--ratings", "{ratings}"],
        ["conformance", "run", "--report", "", "--", "true"],
        ["conformance", "vectors", ""],
    ],
)
def test_an_empty_text_is_no_path(arguments: list[str], trained: Run, capsys: Capture) -> None:
    places = {"ratings": str(trained.ratings), "params": str(trained.params)}
    line = refused(capsys, [one.format(**places) for one in arguments])
    assert line.startswith("ppmf: error (usage): ")
    assert "an empty text names no file" in line


@pytest.mark.parametrize("out", ["none/V.json", "folder", "file/V.json"])
def test_what_cannot_be_written_is_said_before_any_work(
    out: str, trained: Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("ppmf_reference.fixed.train", None)
    line = refused(capsys, oracle(trained, tmp_path / out))
    assert line.startswith(f"ppmf: error (file): {tmp_path / out}: ")


def test_an_id_may_be_a_negative_number(trained: Run, tmp_path: Path, capsys: Capture) -> None:
    published = json.loads((trained.out / "item_profiles.json").read_text())
    published["items"][0] = "-1"
    profiles = tmp_path / "V.json"
    profiles.write_text(json.dumps(published))
    for command in (["-1", "--profiles", str(profiles)], ["--profiles", str(profiles), "-1"]):
        assert main.main(["similar", *command, "--top", "2"]) == 0
        assert capsys.readouterr().out.startswith("nearest to -1\n")
    assert "--top" in refused(capsys, ["similar", "1", "--profiles", str(profiles), "--top", "-1"])
    line = refused(capsys, ["similar", "1", "--profils", str(profiles)])
    assert "No such option" in line
