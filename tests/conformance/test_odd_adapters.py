# SPDX-License-Identifier: Apache-2.0
"""Adapters that answer with odd texts: the suite goes on, and every report can be read."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ppmf import main
from ppmf_conformance import cases, json_text, known_failures
from ppmf_conformance.known_failures import KnownFailure
from ppmf_conformance.visible_text import MOST, visible
from ppmf_spec.errors import EncodingError

Capture = pytest.CaptureFixture[str]

ODD = r"""
import json, sys
mode, where = sys.argv[1:3]
text = {
    "surrogate": "half \ud83d", "nul": "a\x00b", "esc": "a\x1b[31mred\x1b[0m", "fffe": "x\ufffey",
    "cdata": "]]> <b>&amp;</script><!--", "nl": "a\nb\r\nc\u2028d", "long": "y" * 1000000,
    "rtl": "\u202eabc",
}.get(mode, "odd")
one_line = " ".join(text.split())
for line in sys.stdin.buffer:
    call = json.loads(line)
    if call["call"] == "hello":
        about = {"name": "mine", "version": "0", "language": "Python", "issues": ""}
        if where == "hello":
            about["name"] += text
        answer = {"protocol": 1, "implementation": about, "roles": []}
        answer["features"] = ["words.round", "words.rond"]
    elif where == "error":
        answer = {"seq": call["seq"], "status": "error", "message": one_line}
    elif where == "reject":
        answer = {"seq": call["seq"], "status": "reject", "class": "range", "message": one_line}
    else:
        answer = {"seq": call["seq"], "status": "ok", "out": {"value": text}}
    written = json.dumps(answer)
    if mode == "utf16":
        data = written.encode("utf-16-le") + b"\n"
    elif mode == "bom":
        data = b"\xef\xbb\xbf" + written.encode() + b"\n"
    elif mode == "cesu":
        data = written.encode().replace(b'"mine"', b'"min\xed\xa0\x80"') + b"\n"
    else:
        data = written.encode() + b"\n"
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
"""
TEXTS = ["surrogate", "nul", "esc", "fffe", "cdata", "nl", "long", "rtl"]


@pytest.fixture
def adapter(tmp_path: Path) -> list[str]:
    path = tmp_path / "odd.py"
    path.write_text(ODD)
    return [sys.executable, str(path)]


def run(report: Path, *command: str) -> int:
    return main.main(
        ["conformance", "run", "--only", "words/round-*", "--report", str(report), "--", *command]
    )


def outcomes(report: Path) -> set[str]:
    """The outcomes in a report, each of whose files is well-formed."""
    ElementTree.fromstring((report / "junit.xml").read_bytes())
    page = (report / "index.html").read_text(encoding="utf-8")
    assert page.count("</script>") == 2
    data = page.partition('id="data">')[2].partition("</script>")[0]
    lines = [json.loads(line) for line in (report / "results.ndjson").read_bytes().splitlines()]
    found = [line for line in lines if line["record"] == "case"]
    assert len(json.loads(data)["cases"]) == len(found) > 2
    for line in found:
        assert len(line.get("detail", "")) <= MOST + 100
        assert line.get("detail", "").isprintable()
    return {line["outcome"] for line in found}


@pytest.mark.req("PPMF-CON-011", "PPMF-CON-024")
@pytest.mark.parametrize("where", ["value", "error", "reject", "hello"])
@pytest.mark.parametrize("mode", TEXTS)
def test_any_text_is_judged_and_reported(
    mode: str, where: str, adapter: list[str], tmp_path: Path, capsys: Capture
) -> None:
    report = tmp_path / "report"
    status = run(report, *adapter, mode, where)
    said = capsys.readouterr()
    assert all(c.isprintable() or c == "\n" for c in said.out)
    assert len(said.out) < 40_000
    if mode == "surrogate" and where == "hello":
        assert (status, outcomes(report)) == (5, {"not-run"})
        assert "half of a surrogate pair" in said.out
    else:
        assert status == 1
        other = {"error": "error"}.get(where, "fail")
        assert outcomes(report) <= {"malformed" if mode == "surrogate" else other, "not-run"}


@pytest.mark.req("PPMF-CON-002", "PPMF-CON-024")
@pytest.mark.parametrize(
    ("mode", "why"), [("utf16", "not JSON"), ("cesu", "not UTF-8"), ("bom", "not JSON")]
)
def test_another_encoding_is_malformed_and_said_once(
    mode: str, why: str, adapter: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert run(tmp_path / "report", *adapter, mode, "value") == 5
    said = capsys.readouterr().out
    assert said.count("no hello: hello line: " + why) == 1
    assert "not-run" not in said
    assert len(said.splitlines()) < 6
    outcomes(tmp_path / "report")


@pytest.mark.req("PPMF-CON-011")
@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("print('Hello, I am new', flush=True); input(); input()", "Hello, I am new"),
        ("input(); print('{\"protocol\":7}', flush=True); input()", '{"protocol":7}'),
        ("import sys; sys.exit('no module named mine')", "no module named mine"),
        (
            "import sys, time; print('waiting for a key', file=sys.stderr, flush=True);"
            "time.sleep(60)",
            "waiting for a key",
        ),
    ],
)
def test_an_adapter_without_a_hello_is_reported_once_with_its_line(
    script: str, line: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppmf.commands.conformance.HELLO_SECONDS", 3.0)
    command = ["conformance", "run", "--deadline", "3", "--", sys.executable, "-c", script]
    assert main.main(command) == 5
    shown = [one for one in capsys.readouterr().out.splitlines() if "no hello" in one]
    assert len(shown) == 1
    assert line in shown[0].rpartition("no hello: ")[2]


@pytest.mark.req("PPMF-CON-025")
def test_a_misspelt_feature_is_reported(
    adapter: list[str], tmp_path: Path, capsys: Capture
) -> None:
    run(tmp_path / "report", *adapter, "nul", "value")
    line = "no case asks for the feature words.rond; is words.round meant?"
    assert line in capsys.readouterr().out
    report = tmp_path / "report"
    first = json.loads((report / "results.ndjson").read_text().splitlines()[0])
    assert first["unknown_features"] == [line]
    page = (report / "index.html").read_text()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["unknown"] == [line]
    assert "data.unknown.forEach" in page
    properties = ElementTree.parse(report / "junit.xml").getroot().iter("property")
    assert line in [one.get("value") for one in properties]
    main.main(["conformance", "run", "--only", "words/round-*", "--json", "--", *adapter, "a", "b"])
    assert json.loads(capsys.readouterr().out)["unknown_features"] == [line]


@pytest.mark.req("PPMF-CON-024")
@pytest.mark.parametrize(
    "line",
    [b'{"a":"\\ud83d"}', b'{"\\uDE00":1}', b'["\\ude00\\ud83d"]', '{"a":1}'.encode("utf-16")],
)
def test_half_a_pair_and_other_encodings_are_no_text(line: bytes) -> None:
    with pytest.raises(EncodingError, match=r"^x: (half of a surrogate pair|not UTF-8)"):
        json_text.loads(line, "x")
    assert json_text.loads(b'"\\ud83d\\ude00"', "x") == "\U0001f600"
    assert json_text.loads(b'"\\\\ud83d"', "x") == "\\ud83d"


def test_a_command_that_is_not_utf8_can_be_reported(tmp_path: Path, capsys: Capture) -> None:
    assert run(tmp_path / "report", sys.executable, "-c", "input()", "\udcff") == 5
    outcomes(tmp_path / "report")


def test_text_is_shown_on_one_visible_line() -> None:
    assert visible("a\x1b[0m\u202e\n\ufffe é") == r"a\x1b[0m\u202e\n\ufffe é"
    assert visible("y" * 1000) == "y" * MOST + "..."


@pytest.mark.parametrize("seconds", ["inf", "-inf", "nan", "1e300", "0", "-1", "86401"])
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_deadline_is_one_that_a_clock_can_keep(
    command: str, seconds: str, capsys: Capture
) -> None:
    arguments = ["conformance", command, "--deadline", seconds, "--", "true"]
    assert main.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("ppmf: error (usage): ")
    assert "between 0.05 and 86,400 seconds" in said
    assert main.main(["bench", "--spu-limit", "inf", "--out", os.devnull]) == 2


@pytest.mark.req("PPMF-CON-014")
def test_a_known_failure_may_be_split_by_tabs_and_a_comment_indented(tmp_path: Path) -> None:
    path = tmp_path / "known"
    path.write_text("\ufeffwords/round-half\tties\tare hard\n \t# a comment\n  a/* \t b c \n")
    assert known_failures.read(path) == (
        KnownFailure("words/round-half", "ties\tare hard"),
        KnownFailure("a/*", "b c"),
    )


@pytest.mark.req("PPMF-CON-021")
def test_some_vectors_are_copied_alone_with_a_list_that_fits(
    tmp_path: Path, capsys: Capture
) -> None:
    shipped = cases.shipped()
    command = ["conformance", "vectors", str(tmp_path), "--only", "step/*"]
    assert main.main([*command, "--only", "words/round-half"]) == 0
    copied = cases.load(tmp_path)
    assert copied.cases == tuple(
        case for case in shipped.cases if case.family == "step" or case.id == "words/round-half"
    )
    assert copied.digest != shipped.digest
    assert copied.digest in capsys.readouterr().out
    names = {path.name for path in tmp_path.iterdir()}
    assert not {"wire.json", "init.json"} & names
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert main.main(["conformance", "vectors", str(tmp_path / "x"), "--only", "none"]) == 2
    assert not (tmp_path / "x").exists()


def test_all_vectors_picked_are_the_files_themselves() -> None:
    assert cases.files_of_vectors(["*"]) == cases.files_of_vectors()


def test_lists_in_a_pipe_have_each_case_on_one_line(capsys: Capture) -> None:
    assert main.main(["conformance", "vectors"]) == 0
    _, _, *lines = capsys.readouterr().out.splitlines()
    ids = [line.split()[0] for line in lines]
    assert ids == [case.id for case in cases.shipped().cases]
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.req("PPMF-CON-019")
def test_the_check_does_not_ask_for_a_whole_run(capsys: Capture) -> None:
    script = r"""
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    answer = {"seq": call.get("seq"), "status": "unsupported"}
    if call["call"] == "hello":
        about = {"name": "x", "version": "1", "language": "x", "issues": ""}
        answer = {"protocol": 1, "implementation": about, "features": ["party.run"]}
        answer["roles"] = ["csp"]
    elif call["op"] == "party.run":
        sys.exit("asked party.run")
    print(json.dumps(answer), flush=True)
"""
    assert main.main(["conformance", "check", "--", sys.executable, "-c", script]) == 0
    secure = "ppmf_conformance.adapters.secure"
    assert main.main(["conformance", "check", "--", sys.executable, "-m", secure]) == 0
    assert "no " not in [line[:3] for line in capsys.readouterr().out.splitlines()]
