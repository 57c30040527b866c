# SPDX-License-Identifier: Apache-2.0
"""`ppmf up` and `ppmf status` on real servers: two processes, TLS between them, users over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from ppmf.data import rating_sources
from ppmf.data.rating_tables import AS_FOUND
from ppmf.demo import slices, up
from ppmf.main import INTERRUPTED, main
from ppmf.pair import Pair
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.invitations import join, read_half
from ppmf_service import keys
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_service.storage import Storage, opened
from ppmf_spec.errors import PeerError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from ppmf_spec.wire import Admission

Capture = pytest.CaptureFixture[str]

ONE = Parameters(rank=1, iterations=1)
TOY = ["--rank", "1", "--iterations", "1", "--suite", "rlwe-64-insecure", "--insecure-test-keys"]


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    lines = [
        f"{user},{item},{(user * item) % 9 / 2 + 0.5}" for user in range(8) for item in range(6)
    ]
    path.write_text("\n".join(["user,item,rating", *lines]))
    return path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path / "pair")
    made.make()
    made.enrol(3)
    return made


def words(text: str) -> str:
    return " ".join(text.split())


def test_all_users_upload_and_v_is_that_of_f_fix(
    ratings: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "pair"
    command = ["up", "--folder", str(folder), "--data", str(ratings), "--play-users", *TOY]
    size = ["--users", "7", "--items", "5"]
    assert main([*command, *size]) == 0
    shown = capsys.readouterr()
    assert "7 users uploaded" in shown.out
    assert "ok V equals F_fix bit for bit" in words(shown.out)
    assert "ok transcripts contain only ciphertexts" in words(shown.out)
    logged = [(folder / role / "log.jsonl").read_text() for role in (RECSYS, CSP)]
    assert all('"state": "finished"' in log for log in logged)

    # the same command again: the servers start again, and V is still there
    assert main([*command, *size]) == 0
    shown = capsys.readouterr()
    assert "users uploaded" not in shown.out
    assert "ok V equals F_fix bit for bit" in words(shown.out)
    assert "ok transcripts contain only ciphertexts" in words(shown.out)
    assert main(["audit", str(folder / "transcripts")]) == 0
    capsys.readouterr()

    for other in (["--users", "6", "--items", "5"], [*size, "--iterations", "2"]):
        assert main([*command, *other]) == 2
        assert "its session is of other users, items or parameters" in capsys.readouterr().err


def test_a_link_opens_the_page_with_the_whole_invitation(pair: Pair) -> None:
    user = pair.users()[0]
    page, both = pair.link(user).split("/#")
    assert page == pair.config(RECSYS).api.public_url
    assert join(*map(read_half, both.split(";"))) == pair.invitation(user)


@pytest.mark.slow
def test_the_servers_serve_on_when_v_is_there(
    ratings: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --play-users the command goes on until Ctrl-C, and so does the same one again."""
    folder = tmp_path / "pair"
    command = ["up", "--folder", str(folder), "--data", str(ratings), *TOY]
    command += ["--users", "3", "--items", "5"]
    train, _ = slices.split(
        rating_sources.find(ratings, reading=AS_FOUND, announce=print, note=print), 3, 5, ONE
    )
    answered: list[int] = []

    class UntilCtrlC:
        """What waits for Ctrl-C: by now V is there, and is still served."""

        def wait(self) -> None:
            made = Pair(folder)
            session_id = made.rows()[-1].key.hex()
            url = f"{made.config(RECSYS).api.public_url}/v1/sessions/{session_id}/profiles"
            answered.append(httpx.get(url).status_code)
            raise KeyboardInterrupt

    def users_of(made: Pair, key: bytes, *more: Any) -> SessionRow:
        """All users upload as soon as the command waits for the end of the session."""
        if not more[0]:
            rows = (row for _, row in user_rows(train))
            made.play(made.rows()[-1].key, list(zip(made.users(), rows, strict=True)))
        return until_state(made, key, *more)

    until_state = Pair.until_state
    monkeypatch.setattr(up, "threading", SimpleNamespace(Event=UntilCtrlC))
    monkeypatch.setattr(Pair, "until_state", users_of)
    assert main(command) == INTERRUPTED
    shown = capsys.readouterr()
    assert "the servers still answer users, until Ctrl-C" in words(shown.out)
    assert "starts both again" in words(shown.err)
    monkeypatch.setattr(Pair, "until_state", until_state)
    assert main(command) == INTERRUPTED
    assert answered == [200, 200]


def test_what_was_interrupted_goes_on(ratings: Path, pair: Pair, capsys: Capture) -> None:
    """The session was proposed and not accepted; then one user of three had uploaded. Meanwhile the
    status says whether a server runs.
    """
    command = ["up", "--folder", str(pair.folder), "--data", str(ratings), "--play-users", *TOY]
    size = ["--users", "3", "--items", "5"]
    train, _ = slices.split(
        rating_sources.find(ratings, reading=AS_FOUND, announce=print, note=print), 3, 5, ONE
    )
    proposed = pair.propose(ONE, pair.users(), train.items, "rlwe-64-insecure")
    status = ["status", "--config", str(pair.folder / RECSYS / "recsys.toml")]
    assert main(status) == 1
    capsys.readouterr()
    with pair.running():
        assert main(status) == 0
        assert "server recsys, runs" in words(capsys.readouterr().out)
        session_id = pair.accept(proposed.proposed)
        pair.until_state(proposed.key, (State.OPEN,), lambda _: None)
        (_, row), *_ = user_rows(train)
        assert pair.play(session_id, [(pair.users()[0], row)]) > 0
        assert pair.play(session_id, [(pair.users()[0], row)]) == 0
    assert main([*command, *size]) == 0
    assert "ok V equals F_fix bit for bit" in words(capsys.readouterr().out)


def test_a_proposal_that_was_left_is_accepted(ratings: Path, pair: Pair, capsys: Capture) -> None:
    train, _ = slices.split(
        rating_sources.find(ratings, reading=AS_FOUND, announce=print, note=print), 3, 5, ONE
    )
    pair.propose(ONE, pair.users(), train.items, "rlwe-64-insecure")
    command = ["up", "--folder", str(pair.folder), "--data", str(ratings), "--play-users", *TOY]
    assert main([*command, "--users", "3", "--items", "5"]) == 0
    assert "ok V equals F_fix bit for bit" in words(capsys.readouterr().out)


def test_a_folder_that_holds_something_else_is_refused(
    ratings: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    command = ["up", "--folder", str(tmp_path / "mine"), "--data", str(ratings), *TOY]
    assert main([*command, "--users", "7", "--items", "5"]) == 2
    assert "is not empty, and holds no pair of servers" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_the_secrets_of_a_pair_are_for_its_owner_alone(pair: Pair) -> None:
    secret = [pair.folder / role / "signing.pem" for role in (RECSYS, CSP)]
    secret += list(pair.invitations.iterdir())
    assert len(secret) == 5
    assert all(path.stat().st_mode & 0o77 == 0 for path in secret)


# -- ppmf status -----------------------------------------------------------------------------------


def told(pair: Pair, role: Role, capsys: Capture, *more: str) -> str:
    main(["status", "--config", str(pair.folder / role / f"{role}.toml"), *more])
    return words(capsys.readouterr().out)


def agreed(pair: Pair) -> bytes:
    """A session that both servers have opened, without their programs."""
    with opened(pair.config(RECSYS)) as recsys, opened(pair.config(CSP)) as csp:
        proposed = pair.propose(Parameters(rank=1, iterations=1), pair.users(), ["a"], "rlwe-8192")
        csp.sessions.propose(recsys.sessions.proposal(proposed.key))
        key_of = {
            one.config.role: keys.read_signing_key(one.config.signing_key) for one in (recsys, csp)
        }
        csp.sessions.accept(proposed.key, key_of[CSP], Coins.system())
        acceptance = csp.sessions.acceptance(proposed.key)
        recsys.sessions.accepted(proposed.key, *acceptance, key_of[RECSYS])
        csp.sessions.opened(proposed.key, recsys.sessions.signed_session(proposed.key).by_recsys)
        recsys.sessions.opened(proposed.key)
        return proposed.key


def test_the_status_of_servers_without_a_session(pair: Pair, capsys: Capture) -> None:
    shown = told(pair, RECSYS, capsys)
    assert "recsys, does not run" in shown
    assert "`ppmf serve recsys` starts it" in shown
    assert "There is no session yet." in shown


def test_the_status_names_who_is_waited_for(pair: Pair, capsys: Capture) -> None:
    with opened(pair.config(RECSYS)) as recsys, opened(pair.config(CSP)) as csp:
        proposed = pair.propose(Parameters(rank=1, iterations=1), pair.users(), ["a"], "rlwe-8192")
        csp.sessions.propose(recsys.sessions.proposal(proposed.key))
    assert "waits for csp: its operator has to accept" in told(pair, RECSYS, capsys)
    assert "waits for you: look at it and accept it" in told(pair, CSP, capsys)


Step = Callable[[Storage, bytes], object]


def at(*states: State) -> Step:
    def bring(storage: Storage, key: bytes) -> None:
        for state in states:
            storage.sessions.move(key, state)

    return bring


def fails(storage: Storage, key: bytes) -> None:
    storage.sessions.fail(key, PeerError("csp cannot be reached"))


TO_TRAINING = (State.CLOSED, State.SETTING_UP, State.TRAINING)
CASES: dict[str, tuple[Role, Step, str]] = {
    "open": (RECSYS, at(), "users: 3 of 3 have not uploaded"),
    "open at csp": (CSP, at(), "recsys: the closing of the intake"),
    "closed": (RECSYS, at(State.CLOSED), "csp: whom it admits"),
    "set-up": (CSP, at(*TO_TRAINING[:2]), "recsys: the exchange of keys and encrypted rows"),
    "training": (RECSYS, at(*TO_TRAINING), "nobody: both servers train"),
    "ended": (RECSYS, fails, "last error peer: csp cannot be reached"),
}


@pytest.mark.parametrize(("role", "step", "expected"), CASES.values(), ids=CASES.keys())
def test_the_status_of_a_state(
    role: Role, step: Step, expected: str, pair: Pair, capsys: Capture
) -> None:
    key = agreed(pair)
    with opened(pair.config(role)) as storage:
        step(storage, key)
    assert expected in told(pair, role, capsys)


def test_the_status_for_programs(pair: Pair, capsys: Capture) -> None:
    key = agreed(pair)
    with opened(pair.config(RECSYS)) as storage:
        at(*TO_TRAINING)(storage, key)
        storage.sessions.admit(key, Admission(b"\x07").admitted)
        storage.sessions.progress(key, "products", 1, 2)
    found = json.loads(told(pair, RECSYS, capsys, "--json"))
    assert (found["role"], found["running"]) == ("recsys", False)
    (session,) = found["sessions"]
    assert (session["state"], session["admitted"], session["half_steps"]) == ("training", 3, [1, 2])
