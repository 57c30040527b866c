# SPDX-License-Identifier: Apache-2.0
"""What operators do beside agreeing on sessions: look, report, back up, restore, rotate keys."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ppmf import main
from ppmf.commands import status
from ppmf_service import clock_watch
from ppmf_service.keys import fingerprint, public_point, read_certificate, read_signing_key
from ppmf_service.measures import PhaseCost
from ppmf_service.states import State
from ppmf_spec.errors import PeerError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.command_line import Capture, refused
from tests.support.operators import Operators, operators, run


@pytest.fixture
def both(tmp_path: Path, capsys: Capture) -> Operators:
    made = operators(tmp_path)
    capsys.readouterr()
    return made


def shown(both: Operators, role: Role, capsys: Capture, *more: str) -> str:
    capsys.readouterr()
    main.main(["status", "--config", str(both.config(role)), *more])
    return " ".join(capsys.readouterr().out.split())


def test_status_says_what_is_next_in_each_state(
    both: Operators, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(both, RECSYS, capsys)
    assert "recsys, does not run" in text
    assert "`ppmf serve recsys` starts it." in text
    assert "There is no session yet." in text
    monkeypatch.setattr(status, "_runs", lambda _: True)
    both.propose("--closes", "2h", "--expires", "10d")
    assert "csp was not there yet" in shown(both, RECSYS, capsys)
    assert "waits for csp: its operator has to accept" in shown(both, RECSYS, capsys)
    assert "waits for you: look at it and accept it" in shown(both, CSP, capsys)
    run("session", "accept", "--config", both.config(CSP), "--yes")
    assert "waits for recsys: its signature" in shown(both, CSP, capsys)
    key = both.open()
    with both.storage(RECSYS) as ours:
        ours.measures.link(True)
    text = shown(both, RECSYS, capsys)
    assert "csp is there, since" in text
    assert "users: 3 of 3 have not uploaded" in text
    assert re.search(r"the intake closes in [12] h \d+ min, or when all have uploaded", text)
    assert "the closing of the intake" in shown(both, CSP, capsys)
    run("session", "close", "--config", both.config(RECSYS), "--yes")
    assert "waits for csp: whom it admits" in shown(both, RECSYS, capsys)
    with both.storage(RECSYS) as ours:
        ours.measures.link(False, "timed out")
        number = ours.sessions.get(key).number
        ours.sessions.move(key, State.SETTING_UP)
        ours.sessions.move(key, State.TRAINING)
        ours.sessions.began(key, 1)
        ours.measures.began(number, 1)
        for done in (0, 4):
            ours.sessions.progress(key, "updates", done, 10)
            taken = [PhaseCost("updates", 60.0 * done + 1, 1000 * done, 0)]
            ours.measures.sample(number, 1, "updates", done, 10, taken)
        ours.sessions.note_error(key, PeerError("csp cannot be reached"))
    text = shown(both, RECSYS, capsys)
    assert "csp is not there, since" in text
    assert "timed out" in text
    assert "4 of 10, updates; epoch 1" in text
    assert "about 6 min 0 s to go" in text
    assert "last error peer: csp cannot be reached" in text
    found = json.loads(shown(both, RECSYS, capsys, "--json"))
    assert found["link"] | {"since": 0} == {"up": False, "since": 0, "why": "timed out"}
    assert found["disk_free"] > 0
    (one,) = found["sessions"]
    assert (one["seconds_left"], one["state"], one["half_steps"]) == (360, "training", [4, 10])
    assert main.main(["status", "--config", str(both.config(RECSYS))]) == 1  # there was an error


@pytest.mark.req("PPMF-SRV-026")
def test_a_clock_in_doubt_is_shown_until_the_operator_has_said_that_it_is_right(
    both: Operators, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_runs", lambda _: True)
    of_csp = ("--config", str(both.config(CSP)))
    run("session", "clock", *of_csp)
    assert "the clock is not in doubt" in capsys.readouterr().out
    with both.storage(CSP) as ours:
        doubt = clock_watch.Noted(1.0, 1, 7200.0, 0)
        clock_watch._note(ours.database, doubt)
    capsys.readouterr()
    assert main.main(["status", *of_csp]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "The clock has leapt: nothing is closed" in text
    assert "for 2 h 0 min more" in text
    assert main.main(["status", *of_csp, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["clock_doubt"] == 7200
    run("session", "clock", *of_csp, "--yes")
    assert "noted" in capsys.readouterr().out
    assert main.main(["status", *of_csp]) == 0


def test_status_watches_until_it_is_interrupted(
    both: Operators, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(status, "_runs", lambda _: True)
    assert main.main(["status", "--watch", "--config", str(both.config(CSP))]) == main.INTERRUPTED
    assert capsys.readouterr().out.count("There is no session yet.") == 3
    line = refused(capsys, ["status", "--watch", "--json", "--config", str(both.config(CSP))])
    assert "exclude each other" in line


def test_a_report_is_written_at_any_time(both: Operators, tmp_path: Path, capsys: Capture) -> None:
    both.propose("--closes", "2h")
    run("report", "--config", both.config(CSP), "--out", tmp_path / "out")
    assert "not decided, of 3 users" in capsys.readouterr().out
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".json", ".html"}
    run("report", "--config", both.config(CSP), "--json")
    assert json.loads(capsys.readouterr().out)["format"] == "ppmf-service-report/1"
    run("report", "--config", both.config(RECSYS))
    assert list((both.folder / RECSYS / "data" / "reports").glob("*.html"))
    line = refused(capsys, ["report", "ffffff", "--config", str(both.config(CSP))])
    assert "there is no session" in line


def test_a_backup_is_put_back_and_the_operator_told_what_to_do(
    both: Operators, tmp_path: Path, capsys: Capture
) -> None:
    both.propose("--closes", "2h")
    run("session", "accept", "--config", both.config(CSP), "--yes")
    run("backup", "--config", both.config(CSP), "--out", tmp_path / "backup")
    assert (
        "enrolled users: 3; sessions: 1, of which with item profiles: 0" in capsys.readouterr().out
    )
    line = refused(capsys, ["restore", str(tmp_path / "backup"), "--config", str(both.config(CSP))])
    assert "there is a database already" in line
    shutil.rmtree(both.folder / CSP / "data")
    run("restore", tmp_path / "backup", "--config", both.config(CSP))
    said = capsys.readouterr().out
    assert "enrol again whom you enrolled since (`ppmf enrol codes --user-list`)" in said
    assert "waits for `ppmf session confirm`" in said
    with both.storage(CSP) as theirs:
        assert len(theirs.members.users()) == 3
        assert [row.state for row in theirs.sessions.all()] == [State.ABANDONED]


@pytest.mark.req("PPMF-SRV-001", "PPMF-SRV-003")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_signing_key_is_rotated_and_the_peer_takes_the_new_certificate(
    both: Operators, role: Role, capsys: Capture
) -> None:
    config, peer = both.config(role), both.config(role.peer)
    before = read_certificate(both.folder / role / f"{role}.pem")[1]
    both.propose()
    line = refused(capsys, ["session", "rotate-key", "--config", str(config), "--yes"])
    assert "1 sessions are not over" in line
    for one in (role, role.peer):
        run("session", "abandon", "--config", both.config(one), "--yes")
    run("session", "rotate-key", "--config", config, "--yes")
    said = capsys.readouterr().out
    after = read_certificate(both.folder / role / f"{role}.pem")[1]
    assert after != before
    assert fingerprint(before).hex() in said
    assert fingerprint(after).hex() in said
    assert ("each user needs a new half" in said) is (role is CSP)
    (old,) = (both.folder / role).glob("signing.pem.*.old")
    assert public_point(read_signing_key(old)) == before
    certificate = both.folder / role / f"{role}.pem"
    run("session", "peer", certificate, "--config", peer, "--yes")
    assert fingerprint(after).hex() in capsys.readouterr().out
    assert read_certificate(both.folder / role.peer / f"{role}.pem")[1] == after
    run("session", "peer", certificate, "--config", peer)
    assert "is this certificate already" in capsys.readouterr().out
    # a session under the new key comes about
    both.propose()
    run("session", "accept", "--config", both.config(CSP), "--yes")
    both.open()


@pytest.mark.req("PPMF-SRV-014", "PPMF-SRV-016")
def test_no_key_is_rotated_before_csp_has_the_receipt(both: Operators, capsys: Capture) -> None:
    """RecSys would sign it by another key than the session's, and CSP never erase its secrets."""
    both.propose()
    run("session", "accept", "--config", both.config(CSP), "--yes")
    both.open()
    rotate = ["session", "rotate-key", "--config", str(both.config(RECSYS)), "--yes"]
    with both.storage(RECSYS) as storage:
        (row,) = storage.sessions.all()
        for state in (State.CLOSED, State.SETTING_UP, State.TRAINING):
            storage.sessions.move(row.key, state)
        storage.sessions.publish(row.key, bytes(32))
        assert "1 sessions are not over" in refused(capsys, rotate)
        storage.sessions.note_told(row.key)
    run(*rotate)


def test_a_folder_that_was_moved_is_told_once(both: Operators, capsys: Capture) -> None:
    run("session", "moved", "--config", both.config(CSP), "--yes")
    assert "noted" in capsys.readouterr().out
