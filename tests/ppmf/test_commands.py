# SPDX-License-Identifier: Apache-2.0
"""The command: what it writes, and that every failure is one line and a status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from ppmf import main
from ppmf.commands import train
from ppmf_reference import exact, fixed
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.transcript import read
from ppmf_secure.transport import processes
from ppmf_spec import profiles, ratings
from ppmf_spec.errors import PeerError
from ppmf_spec.parameters import Parameters
from tests.support.trained_run import TEST_KEYS, Run

Capture = pytest.CaptureFixture[str]


def refused(capsys: Capture, arguments: list[str], status: int = 2) -> str:
    """The one line that a failing command says."""
    capsys.readouterr()
    assert main.main(arguments) == status
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if "public" not in line]
    assert len(lines) == 1, said.err
    assert "Traceback" not in said.err + said.out
    return lines[0]


# -- train and oracle ------------------------------------------------------------------------------


@pytest.mark.req("PPMF-FIX-051")
def test_secure_training_equals_the_oracle_byte_for_byte(trained: Run, tmp_path: Path) -> None:
    out = tmp_path / "fixed.json"
    assert (
        main.main(
            ["oracle", str(trained.ratings), "--params", str(trained.params), "--out", str(out)]
        )
        == 0
    )
    assert out.read_bytes() == (trained.out / "item_profiles.json").read_bytes()


def test_the_report_says_what_it_cost_and_nothing_secret(trained: Run) -> None:
    report = json.loads((trained.out / "report.json").read_text())
    assert report["format"] == "ppmf-run-report/1"
    assert (report["users"], report["items"], report["epoch"]) == (9, 8, 0)
    assert report["suite"] == TEST_KEYS[1]
    assert report["secure"] is False
    assert report["parameters"] == Parameters(rank=2, iterations=2).as_dict()
    assert {one["party"] for one in report["measures"]} == {"users", "recsys", "csp"}
    sent = sum(one["bytes_sent"] for one in report["measures"])
    received = sum(one["bytes_received"] for one in report["measures"])
    assert sent == received > 0
    count = len(ratings.read(trained.ratings))
    numbers = [value for value in report.values() if isinstance(value, int)]
    assert count not in numbers


@pytest.mark.req("PPMF-OUT-002")
def test_transcripts_of_a_real_run_pass_the_audit(trained: Run, capsys: Capture) -> None:
    assert main.main(["audit", str(trained.out / "transcripts")]) == 0
    out = capsys.readouterr().out
    assert "all 19 checks held" in out
    assert "FAILED" not in out


def test_a_spoiled_transcript_gives_status_1(trained: Run, tmp_path: Path, capsys: Capture) -> None:
    for path in (trained.out / "transcripts").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    csp = tmp_path / "csp.cborseq"
    data = bytearray(csp.read_bytes())
    data[-1] ^= 1  # the last bit of the output share, as CSP says it sent it
    csp.write_bytes(data)
    assert main.main(["audit", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "1 of 19 checks FAILED" in out


def test_a_folder_in_use_is_kept_unless_forced(
    trained: Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> processes.RunResult:
        raise PeerError("recsys: csp disappeared")

    monkeypatch.setattr(processes, "train", gone)
    (tmp_path / "item_profiles.json").write_text("old")
    (tmp_path / "mine.txt").write_text("mine")
    command = [
        "train",
        str(trained.ratings),
        "--params",
        str(trained.params),
        "--out",
        str(tmp_path),
    ]
    assert "is not empty; --force" in refused(capsys, command)
    assert (tmp_path / "item_profiles.json").read_text() == "old"
    assert refused(capsys, [*command, "--force"]) == "ppmf: error (peer): recsys: csp disappeared"
    assert not (tmp_path / "item_profiles.json").exists()
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_catalogue_may_be_a_table_and_adds_items(trained: Run, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    present = sorted(set(ratings.read(trained.ratings).users) | {"777"})
    users.write_text("".join(f"{user}\n" for user in present))
    command = ["oracle", str(trained.ratings), "--params", str(trained.params)]
    command += ["--catalogue", str(trained.ratings.with_name("movies.csv"))]
    command += ["--user-list", str(users), "--out", str(tmp_path / "all.json")]
    assert main.main(command) == 0
    assert profiles.read(tmp_path / "all.json").items == tuple(map(str, range(1, 41)))


def test_ids_taken_from_the_ratings_are_announced(
    trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    command = ["oracle", str(trained.ratings), "--params", str(trained.params)]
    assert main.main([*command, "--out", str(tmp_path / "V.json")]) == 0
    said = capsys.readouterr().err
    assert "the public user list is the 9 ids in" in said
    assert "the public item catalogue is the 8 ids in" in said


def test_exact_rationals_are_written_as_fractions(trained: Run, tmp_path: Path) -> None:
    params = tmp_path / "P.toml"
    params.write_text('rank = 1\niterations = 1\nstep_rule = "count"\n')
    out = tmp_path / "exact.json"
    command = ["oracle", str(trained.ratings), "--params", str(params), "--mode", "exact"]
    assert main.main([*command, "--out", str(out)]) == 0
    written = json.loads(out.read_text())
    assert written["format"] == "ppmf-item-exact/1"
    parameters = Parameters.from_toml(params)
    rows = exact.train(ratings.quantise(ratings.read(trained.ratings), parameters), parameters)
    read = [
        [Fraction(text) for text in (*row, bias)]
        for row, bias in zip(written["factors"], written["bias"], strict=True)
    ]
    assert read == [[Fraction(int(x.p), int(x.q)) for x in row] for row in rows]


def test_enclosures_contain_the_exact_result(trained: Run, tmp_path: Path) -> None:
    written = {}
    for mode in ("exact", "certified"):
        out = tmp_path / f"{mode}.json"
        command = ["oracle", str(trained.ratings), "--params", str(trained.params)]
        assert main.main([*command, "--mode", mode, "--out", str(out)]) == 0
        written[mode] = json.loads(out.read_text())
    enclosure = written["certified"]
    assert enclosure["format"] == "ppmf-item-enclosure/1"
    assert enclosure["items"] == written["exact"]["items"]
    assert enclosure["undecided"] == []
    largest = Fraction(enclosure["largest_radius"])
    assert 0 < largest < Fraction(1, 1 << 60)
    for balls, points in [
        (enclosure["bias"], written["exact"]["bias"]),
        *zip(enclosure["factors"], written["exact"]["factors"], strict=True),
    ]:
        for (middle, radius), point in zip(balls, points, strict=True):
            assert abs(Fraction(middle) - Fraction(point)) <= Fraction(radius) <= largest


# -- what a training is asked for ------------------------------------------------------------------


class Asked:
    """In place of `processes.train`: F_fix, and what the secure training was asked for."""

    def __init__(self) -> None:
        self.by: dict[str, object] = {}

    def __call__(
        self, training: ratings.Ratings, params: Parameters, **by: object
    ) -> processes.RunResult:
        self.by = by
        return processes.RunResult(fixed.train(training, params), ())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(processes, "train", found)
    return found


@pytest.mark.req("PPMF-AHE-012")
def test_the_lattice_suite_is_what_train_takes_and_paillier_the_demo(
    trained: Run, tmp_path: Path, asked: Asked, capsys: Capture
) -> None:
    assert main.main(["train", str(trained.ratings), "--out", str(tmp_path / "run")]) == 0
    assert asked.by["suite"] == "rlwe-8192"
    assert asked.by["checkpoints"] is None
    for command, default in (("train", "rlwe-8192"), ("demo", "paillier-3072")):
        capsys.readouterr()
        main.main([command, "--help"])
        shown = " ".join(capsys.readouterr().out.split())
        assert f"[default: {default}]" in shown
        assert all(name in shown for name in ("rlwe-8192", "paillier-3072", "paillier-2048"))


def test_small_transcripts_are_recorded_unasked_and_large_ones_are_not(
    command: list[str],
    tmp_path: Path,
    asked: Asked,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "out" / "transcripts"
    assert main.main(command) == 0
    assert asked.by["transcripts"] == folder
    assert "no transcripts" not in capsys.readouterr().err
    monkeypatch.setattr(train, "_RECORDED_UNASKED", 1_000_000)
    (folder / "csp.cborseq").write_bytes(b"of the run before")
    assert main.main([*command, "--force"]) == 0
    assert asked.by["transcripts"] is None
    assert not list(folder.iterdir())
    assert "no transcripts: they would take" in capsys.readouterr().err
    assert main.main([*command, "--force", "--transcripts", "full"]) == 0
    assert asked.by["transcripts"] == folder
    assert main.main([*command, "--force", "--transcripts", "none"]) == 0
    assert asked.by["transcripts"] is None
    assert "no transcripts" not in capsys.readouterr().err


def test_the_size_of_transcripts_is_known_before(trained: Run) -> None:
    """To the byte, but for what each record carries about its message."""
    params = Parameters.from_toml(trained.params)
    training = ratings.quantise(ratings.read(trained.ratings), params)
    sent = train.predicted(training, params, cipher_suite(TEST_KEYS[1])).sent.total()
    files = list((trained.out / "transcripts").iterdir())
    records = sum(len(list(read(path))) for path in files)
    written = sum(path.stat().st_size for path in files)
    assert 2 * sent < written <= 2 * sent + 24 * records


# -- params, help, version -------------------------------------------------------------------------


def test_params_check_shows_the_bound(capsys: Capture) -> None:
    assert main.main(["params", "check", "--users", "943", "--items", "1682"]) == 0
    assert "60.9 of 64 bits" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["demo"],
        ["train"],
        ["resume"],
        ["oracle"],
        ["recommend"],
        ["similar"],
        ["audit"],
        ["params"],
    ],
)
def test_help_teaches_by_example(command: list[str], capsys: Capture) -> None:
    assert main.main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert command == ["params"] or " ".join(["\n    ppmf", *command]) in out
    assert max(map(len, out.splitlines())) <= 100


def test_no_command_is_a_question_for_help(capsys: Capture) -> None:
    assert main.main([]) == 0
    assert "ppmf demo" in capsys.readouterr().out


def test_version(capsys: Capture) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ppmf ")


# -- bad input -------------------------------------------------------------------------------------

RATINGS = "userId,movieId,rating\n1,10,4\n1,11,3.5\n2,10,1\n"
BAD_RATINGS = {
    "off the scale": (RATINGS + "2,11,5.5\n", "error (range)", ":5: the rating is off the scale"),
    "off the grid": (RATINGS + "2,11,4.25\n", "error (range)", ":5: the rating minus 3"),
    "twice": (RATINGS + "1,10,4\n", "error (range)", ":5: the user rates the item twice"),
    "no number": (RATINGS + "2,11,four\n", "error (encoding)", ":5: the rating is not"),
    "too few columns": (RATINGS + "2,11\n", "error (encoding)", ":5: 2 columns"),
    "empty": ("", "error (encoding)", "ratings.csv"),
    "header alone": ("userId,movieId,rating\n", "error (encoding)", "no ratings"),
    "no ratings at all": ("hello\n", "error (encoding)", ":1: not a ratings file"),
    "not text": ("\udcff\udcfe", "error (encoding)", "not UTF-8"),
}


@pytest.mark.parametrize("command", ["train", "oracle"])
@pytest.mark.parametrize("case", BAD_RATINGS)
def test_bad_ratings_are_one_line(command: str, case: str, tmp_path: Path, capsys: Capture) -> None:
    text, kind, what = BAD_RATINGS[case]
    file = tmp_path / "ratings.csv"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    line = refused(capsys, [command, str(file), "--out", str(tmp_path / "out")])
    assert line.startswith("ppmf: " + kind)
    assert "ratings.csv" in line
    assert what in line
    assert not (tmp_path / "out").exists()


BAD_PARAMETERS = {
    "unknown name": ("ranks = 3", "unknown parameter 'ranks'"),
    "not dyadic": ("ridge = 0.1", "must be dyadic"),
    "out of its domain": ("rank = 0", "rank = 0"),
    "overflow": ("step_bits = 20\nfrac_bits = 16", "bits"),
    "not TOML": ("rank = ", "not TOML"),
}


@pytest.mark.req("PPMF-PAR-024")
@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_bad_parameters_are_one_line(case: str, tmp_path: Path, capsys: Capture) -> None:
    text, what = BAD_PARAMETERS[case]
    file = tmp_path / "P.toml"
    file.write_text(text)
    line = refused(capsys, ["params", "check", str(file), "--users", "10", "--items", "10"])
    assert line.startswith("ppmf: error (parameters): ")
    assert what in line


def test_unknown_ids_and_repeated_ids_of_a_catalogue(tmp_path: Path, capsys: Capture) -> None:
    file, catalogue = tmp_path / "ratings.csv", tmp_path / "items.txt"
    file.write_text(RATINGS)
    command = ["oracle", str(file), "--catalogue", str(catalogue), "--out", str(tmp_path / "V")]
    catalogue.write_text("10\n12\n")
    assert "ratings.csv:3: the item id is not in the catalogue" in refused(capsys, command)
    catalogue.write_text("10\n11\n10\n")
    assert "items.txt: item catalogue: id number 3, 10, is listed twice" in refused(capsys, command)
    catalogue.write_text("10\n\n11\n")
    assert "items.txt: item catalogue: id number 2 is empty" in refused(capsys, command)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["train", "nowhere.csv", "--out", "x"], "nowhere.csv: cannot be read: No such file"),
        (["oracle", "nowhere.csv", "--out", "x"], "nowhere.csv: cannot be read: No such file"),
        (["audit", "nowhere"], "nowhere: no transcript of users"),
        (["similar", "1", "--profiles", "nowhere.json"], "nowhere.json: cannot be read"),
        (["params", "check", "no.toml", "--users", "1", "--items", "1"], "no.toml: No such file"),
        (["demo", "--data", "nowhere"], "nowhere"),
        (["train"], "Missing argument"),
        (["train", "a.csv"], "Missing option '--out'"),
        (["trian"], "No such command 'trian'"),
        (["train", "a.csv", "--out", "x", "--quick"], "No such option"),
        (["oracle", "a.csv", "--out", "x", "--mode", "vague"], "--mode"),
        (["demo", "--users", "0"], "--users"),
        (["demo", "--rank", "0"], "rank = 0"),
    ],
)
def test_what_is_not_there_is_one_line(
    arguments: list[str],
    what: str,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, arguments)
    assert line.startswith("ppmf: error (")
    assert what in line


def test_a_place_that_cannot_be_written_is_one_line(
    trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("")
    command = [str(trained.ratings), "--params", str(trained.params), "--out"]
    beneath = str(tmp_path / "file" / "V.json")
    assert "error (file): " in refused(capsys, ["oracle", *command, beneath])
    assert "file: Not a directory" in refused(capsys, ["train", *command, str(tmp_path / "file")])


@pytest.mark.parametrize("suite", ["paillier-512-insecure", "paillier-1024-insecure"])
def test_keys_that_can_be_broken_must_be_asked_for(
    suite: str, trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    command = ["train", str(trained.ratings), "--out", str(tmp_path / "out"), "--suite", suite]
    line = refused(capsys, command)
    assert line.startswith("ppmf: error (parameters): ")
    assert "--insecure-test-keys" in line


def test_an_unknown_suite_is_one_line(trained: Run, tmp_path: Path, capsys: Capture) -> None:
    command = ["train", str(trained.ratings), "--out", str(tmp_path), "--suite", "paillier-3"]
    assert "paillier-3072, paillier-2048" in refused(capsys, command)


# -- what nobody planned ---------------------------------------------------------------------------


def failing_with(error: BaseException) -> Callable[..., processes.RunResult]:
    def train(*_: object, **__: object) -> processes.RunResult:
        raise error

    return train


@pytest.fixture
def command(trained: Run, tmp_path: Path) -> list[str]:
    out = str(tmp_path / "out")
    return ["train", str(trained.ratings), "--params", str(trained.params), "--out", out]


def test_a_fault_of_the_program_is_one_line_and_status_70(
    command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PPMF_DEBUG", raising=False)
    monkeypatch.setattr(processes, "train", failing_with(KeyError("recsys")))
    line = refused(capsys, command, status=70)
    assert line.startswith("ppmf: error (bug): KeyError: 'recsys'")
    assert "PPMF_DEBUG=1" in line


def test_the_trace_can_be_seen(
    command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPMF_DEBUG", "1")
    monkeypatch.setattr(processes, "train", failing_with(KeyError("recsys")))
    assert main.main(command) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "ppmf: interrupted"),
        (MemoryError(), 2, "ppmf: error (memory): this machine has not enough"),
        (
            PermissionError(13, "Permission denied", "x/y"),
            2,
            "error (file): x/y: Permission denied",
        ),
    ],
)
def test_interruptions_and_the_machine(
    error: BaseException,
    status: int,
    said: str,
    command: list[str],
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "train", failing_with(error))
    assert said in refused(capsys, command, status)


def test_a_reader_that_leaves_early_gets_no_trace() -> None:
    command = [sys.executable, "-m", "ppmf.main", "params", "check"]
    with subprocess.Popen(
        [*command, "--users", "9", "--items", "9"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
