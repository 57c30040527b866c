# SPDX-License-Identifier: Apache-2.0
"""`ppmf` as a whole: its help, and that every failure is one line and an exit status."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ppmf import main
from ppmf.docstring_help import Deferred
from ppmf_secure.transport import processes
from tests.support.command_line import Capture, refused
from tests.support.trained_run import Run


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["demo"],
        ["train"],
        ["resume"],
        ["oracle"],
        ["evaluate"],
        ["recommend"],
        ["similar"],
        ["audit"],
        ["params"],
    ],
)
def test_help_shows_an_example_of_the_command(command: list[str], capsys: Capture) -> None:
    assert main.main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert command == ["params"] or " ".join(["\n    ppmf", *command]) in out
    assert max(map(len, out.splitlines())) <= 100


def test_without_a_command_the_help_is_shown(capsys: Capture) -> None:
    assert main.main([]) == 0
    assert "ppmf demo" in capsys.readouterr().out


@pytest.mark.parametrize("command", main.COMMANDS, ids=lambda one: str(one.name))
def test_the_list_shows_the_first_sentence_of_a_commands_own_help(command: Deferred) -> None:
    assert command.loaded.help.startswith(command.help)
    assert command.help is not None
    assert command.help.endswith(".")


def test_a_command_loads_what_it_needs_and_no_more() -> None:
    """Whoever asks for the help or the version does not wait for numpy, and who trains not for the
    service.
    """
    program = """
import sys
from ppmf.main import main
status = main(sys.argv[1:])
print(*{name.partition(".")[0] for name in sys.modules})
"""
    for arguments, absent in (
        (["--version"], {"numpy", "cryptography", "httpx", "matplotlib"}),
        (["--help"], {"numpy", "cryptography", "httpx", "matplotlib"}),
        (["params", "check", "--users", "9", "--items", "9"], {"httpx", "matplotlib"}),
        (["train", "--help"], {"httpx", "matplotlib", "starlette", "ppmf_conformance"}),
    ):
        shown = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        ).stdout
        assert absent & set(shown.splitlines()[-1].split()) == set(), arguments


def test_the_version_is_shown(capsys: Capture) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ppmf ")


# -- bad input -------------------------------------------------------------------------------------

RATINGS = "userId,movieId,rating\n1,10,4\n1,11,3.5\n2,10,1\n"
BAD_RATINGS = {
    "off the scale": (RATINGS + "2,11,5.5\n", "error (range)", ":5: the rating is off the scale"),
    "off the grid": (
        RATINGS + "2,11,4.25\n",
        "error (range)",
        ":5: the rating is not on the grid: minus 3",
    ),
    "twice": (RATINGS + "1,10,4\n", "error (range)", ":5: the user rates the item twice"),
    "no number": (RATINGS + "2,11,four\n", "error (encoding)", ":5: the rating is not"),
    "too few columns": (RATINGS + "2,11\n", "error (encoding)", ":5: 2 columns"),
    "empty": ("", "error (encoding)", "ratings.csv"),
    "header alone": ("userId,movieId,rating\n", "error (encoding)", "no ratings"),
    "no ratings at all": (
        "hello\n",
        "error (encoding)",
        ":1: no columns of ratings: the first line has hello",
    ),
    "not text": ("\udcff\udcfe", "error (encoding)", "not UTF-8"),
}


@pytest.mark.parametrize("command", ["train", "oracle"])
@pytest.mark.parametrize("case", BAD_RATINGS)
def test_bad_ratings_are_reported_in_one_line(
    command: str, case: str, tmp_path: Path, capsys: Capture
) -> None:
    text, kind, what = BAD_RATINGS[case]
    file = tmp_path / "ratings.csv"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    line = refused(capsys, [command, str(file), "--out", str(tmp_path / "out")])
    assert line.startswith("ppmf: " + kind)
    assert "ratings.csv" in line
    assert what in line
    assert not (tmp_path / "out").exists()


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
def test_wrong_arguments_and_missing_files_are_reported_in_one_line(
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


def test_an_unwritable_output_is_reported_in_one_line(
    trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("")
    command = [str(trained.ratings), "--params", str(trained.params), "--out"]
    beneath = str(tmp_path / "file" / "V.json")
    assert "error (file): " in refused(capsys, ["oracle", *command, beneath])
    assert "file: Not a directory" in refused(capsys, ["train", *command, str(tmp_path / "file")])


# -- unexpected errors -----------------------------------------------------------------------------


def failing_with(error: BaseException) -> Callable[..., processes.RunResult]:
    def train(*_: object, **__: object) -> processes.RunResult:
        raise error

    return train


@pytest.fixture
def command(trained: Run, tmp_path: Path) -> list[str]:
    out = str(tmp_path / "out")
    return ["train", str(trained.ratings), "--params", str(trained.params), "--out", out]


def test_an_unexpected_exception_is_reported_in_one_line_with_status_70(
    command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PPMF_DEBUG", raising=False)
    monkeypatch.setattr(processes, "train", failing_with(KeyError("recsys")))
    line = refused(capsys, command, status=70)
    assert line.startswith("ppmf: error (bug): KeyError: 'recsys'")
    assert "PPMF_DEBUG=1" in line


def test_ppmf_debug_shows_the_traceback(
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
def test_interrupts_and_system_errors_have_their_status_and_message(
    error: BaseException,
    status: int,
    said: str,
    command: list[str],
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "train", failing_with(error))
    assert said in refused(capsys, command, status)


def test_a_closed_output_pipe_causes_no_traceback() -> None:
    command = [sys.executable, "-m", "ppmf.main", "params", "check"]
    with subprocess.Popen(
        [*command, "--users", "9", "--items", "9"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
