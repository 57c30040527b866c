# SPDX-License-Identifier: Apache-2.0
"""`ppmf session`: two operators agree on a session, by commands alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ppmf import main, serving
from ppmf_secure.protocols.admission import write_rows
from ppmf_service.keys import read_certificate, read_signing_key
from ppmf_service.states import State
from ppmf_service.trained_before import TRAINED_BEFORE, Difference
from ppmf_spec.errors import ParametersError, StateError
from ppmf_spec.roles import CSP, RECSYS
from tests.support.command_line import Capture, documented, refused
from tests.support.operators import Operators, operators, run


@pytest.fixture
def both(tmp_path: Path, capsys: Capture) -> Operators:
    made = operators(tmp_path)
    capsys.readouterr()
    return made


def listed(both: Operators, capsys: Capture) -> list[dict[str, object]]:
    capsys.readouterr()
    run("session", "list", "--config", both.config(RECSYS), "--json")
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["sessions"]
    return found


def test_init_makes_a_folder_that_is_private_and_never_replaced(
    both: Operators, capsys: Capture
) -> None:
    for role in (RECSYS, CSP):
        folder = both.folder / role
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "signing.pem").stat().st_mode) == 0o600
        read_signing_key(folder / "signing.pem")
        assert (
            read_certificate(folder / f"{role}.pem")[1]
            == read_certificate(both.folder / role.peer / f"{role}.pem")[1]
        )
        line = refused(capsys, ["session", "init", str(folder), "--role", role])
        assert "there is a file already" in line
    line = refused(capsys, ["session", "init", str(both.folder / "u"), "--role", "users"])
    assert "recsys or csp" in line


def test_titles_are_put_on_the_page(both: Operators, tmp_path: Path, capsys: Capture) -> None:
    table = tmp_path / "movies.csv"
    table.write_text("movieId,title\n1,Heat\n2,\n")
    run("session", "titles", str(table), "--config", both.config(RECSYS))
    assert "1 titles are on the page now" in capsys.readouterr().out
    written = json.loads((both.folder / RECSYS / "data" / "titles.json").read_text())
    assert written == {"format": "ppmf-titles/1", "titles": {"1": "Heat"}}
    command = ["session", "titles", str(table), "--config", str(both.config(CSP))]
    assert refused(capsys, command)


def test_two_operators_agree_close_and_end_a_session(both: Operators, capsys: Capture) -> None:
    both.propose("--closes", "2h", "--expires", "10d")
    said = capsys.readouterr().out
    assert "3, of whom 3 have to take part" in said
    assert "yes: it protects nobody" in said
    assert listed(both, capsys)[0]["state"] == "proposed"
    run("session", "accept", "--config", both.config(CSP), "--yes")
    session_id = both.open()
    assert f"accepted session {session_id.hex()}" in capsys.readouterr().out
    (row,) = listed(both, capsys)
    assert (row["id"], row["state"], row["present"]) == (session_id.hex(), "open", 0)
    run("session", "show", "--config", both.config(RECSYS), session_id.hex()[:8], "--json")
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == documented("session")
    assert {"format": shown["format"], **row} == shown
    run("session", "show", "--config", both.config(CSP), session_id.hex()[:8])
    said = capsys.readouterr().out
    assert "accepted" in said
    assert "http://127.0.0.1:8443 http://127.0.0.1:8444" in said
    run("session", "close", "--config", both.config(RECSYS), "-y")
    assert "closed, with 0 users" in capsys.readouterr().out
    with both.storage(RECSYS) as ours:
        event = ours.sessions.events(session_id)[-1]
        assert (event.state, event.because) == (State.CLOSED, "closed by the operator")
    run("session", "abandon", "--config", both.config(RECSYS), "-y", "--because", "a trial")
    assert listed(both, capsys)[0]["state"] == "abandoned"
    run("session", "show", "--config", both.config(RECSYS), session_id.hex())
    assert "abandoned  (a trial)" in capsys.readouterr().out
    run("session", "list", "--config", both.config(RECSYS))
    assert session_id.hex()[:12] in capsys.readouterr().out


def test_nothing_is_done_unless_the_operator_says_yes(
    both: Operators, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.propose()
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    for command, role in (("accept", CSP), ("abandon", RECSYS)):
        assert main.main(["session", command, "--config", str(both.config(role))]) == 130
    with both.storage(CSP) as theirs:
        assert theirs.sessions.all()[0].state is State.PROPOSED
    assert listed(both, capsys)[0]["state"] == "proposed"


@pytest.mark.req("PPMF-SRV-028")
def test_csp_is_shown_that_a_catalogue_was_trained_before(both: Operators, capsys: Capture) -> None:
    both.propose()
    run("session", "accept", "--config", both.config(CSP), "--yes")
    first = both.open()
    with both.storage(CSP) as theirs:
        theirs.sessions.admit(first, write_rows((0, 1), 3), remember=True)
        for state in (State.CLOSED, State.SETTING_UP, State.TRAINING, State.FINISHED):
            theirs.sessions.move(first, state)
    both.propose()
    capsys.readouterr()
    run("session", "accept", "--config", both.config(CSP), "--yes")
    said = capsys.readouterr().out
    assert f"these items were trained before, in session {first.hex()[:12]} with 2 users" in said
    second = both.open()
    confirm = ["session", "confirm", "--config", str(both.config(CSP)), "--yes"]
    assert "is open, not closed" in refused(capsys, [*confirm, second.hex()])
    with both.storage(CSP) as theirs:
        theirs.sessions.move(second, State.CLOSED)
        theirs.sessions.note_error(second, StateError("a file could not be read"))
    assert "nothing to confirm" in refused(capsys, confirm)
    with both.storage(CSP) as theirs:
        assert not theirs.sessions.get(second).confirmed
        found = theirs.sessions.to_show(second, ("u1",))
        told = StateError(f"{TRAINED_BEFORE}: 1 users joined")
        differ = [Difference(one, 7, 8, 9) for one in (first, second)]
        theirs.sessions.show(second, found, told, differ)
    run(*confirm)
    said = capsys.readouterr().out
    assert "compared with" in said
    assert all(f"{one.hex()[:12]}" in said for one in (first, second))
    assert f"{TRAINED_BEFORE}: 1 users joined" in said
    assert f"confirmed session {second.hex()[:12]}" in said
    run("session", "confirm", "--config", both.config(CSP))
    assert "is confirmed already" in capsys.readouterr().out


def test_a_key_of_another_peer_is_refused(both: Operators, capsys: Capture) -> None:
    both.propose()
    run("session", "init", both.folder / "other", "--role", "recsys")
    (both.folder / CSP / "recsys.pem").write_bytes(
        (both.folder / "other" / "recsys.pem").read_bytes()
    )
    line = refused(capsys, ["session", "accept", "--config", str(both.config(CSP)), "--yes"])
    assert "another RecSys than the one of the link" in line


def test_what_is_wrong_ends_in_one_line(both: Operators, tmp_path: Path, capsys: Capture) -> None:
    recsys, csp = ["--config", str(both.config(RECSYS))], ["--config", str(both.config(CSP))]
    items = ["--catalogue", str(both.catalogue())]
    unknown = tmp_path / "unknown.txt"
    unknown.write_text("nobody\n")
    for arguments, text in (
        (["propose", *csp, *items], "this is for recsys"),
        (["propose", *recsys, *items, "--user-list", str(unknown)], "1 of these users are not"),
        (["propose", *recsys, *items, "--closes", "soon"], "--closes: such as 90m"),
        (["propose", *recsys, *items, "--closes", "2001-01-01T00:00Z"], "--closes: is in the past"),
        (["propose", *recsys, *items, "--closes", "3d", "--expires", "1h"], "expires: must be 0"),
        (["propose", *recsys, *items, "--least", "9"], "least = 9"),
        (["propose", *recsys, *items, "--suite", "rlwe-64-insecure"], "--insecure-test-keys"),
        (["accept", *csp], "there is no session here that is proposed; see `ppmf status`"),
        (["accept", *recsys], "this is for csp"),
        (["show", *recsys, "00ff"], "there is no session '00ff' here"),
        (["close", *recsys], "there is no session here that is open"),
    ):
        assert text in refused(capsys, ["session", *arguments])
    both.propose()
    assert "is proposed, not open" in refused(
        capsys, ["session", "close", *recsys, str(listed(both, capsys)[0]["proposed"])]
    )
    both.config(RECSYS).write_text(both.config(RECSYS).read_text() + "\n[extra]\n")
    line = refused(capsys, ["session", "list", *recsys])
    assert line == f"ppmf: error (parameters): {both.config(RECSYS)}: extra: unknown"


def test_a_damaged_database_ends_in_one_line(both: Operators, capsys: Capture) -> None:
    path = both.folder / RECSYS / "data" / "service.sqlite"
    path.write_bytes(b"\x55" * 10_000)
    line = refused(capsys, ["session", "list", "--config", str(both.config(RECSYS))])
    assert line == (
        f"ppmf: error (encoding): {path}: damaged, or no database; put back its last backup"
    )


def test_times_are_read_and_shown() -> None:
    assert serving.moment("90m", 1000, "--closes") == 1000 + 5400
    assert serving.moment("2d", 0, "--closes") == 172_800
    assert serving.moment("never", 1000, "--closes") == 0
    assert serving.moment("2030-01-31T12:00Z", 0, "--closes") == 1_896_091_200
    assert serving.moment("2030-01-31T12:00+01:00", 0, "--closes") == 1_896_087_600
    for text in ("", "5", "5w", "-1h", "2030-01-31T12:00", "9999999d", "tomorrow"):
        with pytest.raises(ParametersError, match="--closes: "):
            serving.moment(text, 0, "--closes")
    assert serving.shown_moment(0) == "never"
    assert serving.shown_moment(1_896_091_200) == "2030-01-31 12:00 UTC"
    assert serving.shown_moment(1 << 62) == f"second {1 << 62}"
