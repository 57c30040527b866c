# SPDX-License-Identifier: Apache-2.0
"""`ppmf submit`, and `ppmf recommend` of who takes part: what a user types, sees and keeps."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from ppmf import main
from ppmf_service.user_folder import UserFolder
from ppmf_spec import profiles, rating_files
from ppmf_spec.profiles import ItemProfiles
from tests.support.command_line import Capture
from tests.support.served import Served, published, served


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served(tmp_path / "servers") as made:
        monkeypatch.setattr("ppmf_service.client.new_http", made.http)
        monkeypatch.setattr("ppmf.options.user_folder", lambda: tmp_path / "user")
        yield made


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.csv"
    path.write_text("userId,movieId,rating\nme,i1,3\nme,i3,4.5\n")
    return str(path)


def halves(servers: Served, folder: Path, user: str = "u1") -> list[str]:
    """The options for both halves, each in a file of its own."""
    invitation = servers.invitation(user)
    found = []
    for name, half in (("recsys", invitation.recsys), ("csp", invitation.csp)):
        path = folder / f"{name}.txt"
        path.write_text(f"https://page.example/#{half.text()}\n")
        found += ["--invitation", str(path)]
    return found


def ran(capsys: Capture, *arguments: str) -> dict[str, object]:
    """The JSON object of a command that ended well; the sessions of these tests are trials."""
    assert main.main(["submit", *arguments, "--trial", "--json"]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def refused(capsys: Capture, *arguments: str) -> str:
    """The one line of a command that was refused."""
    assert main.main([*arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
    return lines[-1]


@pytest.mark.req("PPMF-API-017", "PPMF-API-018")
def test_a_user_sends_sends_again_replaces_asks_and_withdraws(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture
) -> None:
    session = servers.session()
    uploads = servers.pair.recsys.uploads
    first = ran(capsys, mine, *halves(servers, tmp_path))
    assert (first["outcome"], first["serial"]) == ("sent", 1)
    assert uploads.count(session.id) == 1
    digest = uploads.receipt(session.id, 0).digest
    assert ran(capsys)["outcome"] == "there already"
    assert uploads.receipt(session.id, 0).digest == digest
    Path(mine).write_text("userId,movieId,rating\nme,i2,1\n")
    assert ran(capsys, mine)["serial"] == 2
    status = ran(capsys, "--status")
    assert (status["phase"], status["serial"], status["withdrawn"]) == ("open", 2, False)
    assert ran(capsys, "--withdraw")["serial"] == 3
    assert uploads.count(session.id) == 0
    assert ran(capsys)["serial"] == 4
    kept = rating_files.read(tmp_path / "user" / "ratings.csv")
    assert kept.items == ("i2",)
    assert main.main(["submit", "--forget"]) == 0
    assert not (tmp_path / "user").exists()


def test_a_trial_is_shown_on_every_screen(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture
) -> None:
    servers.session()
    for arguments in ([mine, *halves(servers, tmp_path)], [], ["--status"], ["--withdraw"]):
        assert main.main(["--quiet", "submit", *arguments, "--trial"]) == 0
        found = capsys.readouterr()
        assert "this session is a trial" in found.err
        assert "session" in found.out


@pytest.mark.req("PPMF-API-023")
def test_nothing_is_sent_to_a_trial_before_the_user_has_said_so(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = servers.session()
    options = [mine, *halves(servers, tmp_path)]
    assert "a trial, which protects nobody" in refused(capsys, "submit", *options)
    for said, status in (("n\n", 130), ("y\n", 0)):
        assert servers.pair.recsys.uploads.count(session.id) == 0
        monkeypatch.setattr("sys.stdin", Typed(said))
        assert main.main(["submit", *options]) == status
        assert "Send ratings to it?" in "".join(capsys.readouterr())
    assert servers.pair.recsys.uploads.count(session.id) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main.main(["submit"]) == 0  # what they said holds for this session
    other = servers.session(replace(session.proposal, nonce=bytes(15) + b"\7"))
    assert "a trial, which protects nobody" in refused(capsys, "submit")
    assert servers.pair.recsys.uploads.count(other.id) == 0


class Typed(io.StringIO):
    """What somebody types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_invitations_come_as_files_and_input(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.session()
    invitation = servers.invitation("u2")
    both = tmp_path / "both.txt"
    both.write_text(invitation.text())
    folder = ["--folder", str(tmp_path / "u2")]
    assert ran(capsys, mine, "--invitation", str(both), *folder)["serial"] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(both.read_text()))
    assert ran(capsys, mine, "--invitation", "-", *folder)["serial"] == 1


@pytest.mark.req("PPMF-API-027")
def test_a_half_takes_the_place_of_the_kept_one_only_with_a_word(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.session()
    folder, both = ["--folder", str(tmp_path / "u2")], tmp_path / "both.txt"
    first, other = servers.invitation("u2"), servers.invitation("u2", csp_key=bytes(32))
    both.write_text(first.text())
    ran(capsys, mine, "--invitation", str(both), *folder)
    both.write_text(other.text())
    kept = UserFolder(tmp_path / "u2")
    again = ["submit", mine, "--invitation", str(both), *folder]
    assert "another invitation of this user is kept" in refused(capsys, *again)
    assert kept.invitation() == first
    monkeypatch.setattr("sys.stdin", Typed("n\n"))
    assert main.main(again) != 0
    assert kept.invitation() == first
    capsys.readouterr()
    assert "another CSP" in refused(capsys, *again, "--replace")
    assert kept.invitation() == other
    both.write_text(servers.invitation("u3").text())
    assert "belongs to another invitation" in refused(capsys, *again, "--replace")


@pytest.mark.req("PPMF-ENR-013")
def test_no_half_stands_in_a_command(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user who gives none is asked, and what they paste is not shown."""
    servers.session()
    invitation = servers.invitation("u2")
    texts = [half.text() for half in (invitation.recsys, invitation.csp)]
    for given in (texts[0], f"https://x.example/#{texts[1]}"):
        line = refused(capsys, "submit", mine, "--invitation", given)
        assert "which other users of this machine can see" in line
        assert invitation.recsys.token not in line
    pasted = iter(texts)
    monkeypatch.setattr("typer.prompt", lambda _, hide_input: next(pasted))
    monkeypatch.setattr("sys.stdin", Typed())
    assert ran(capsys, mine, "--folder", str(tmp_path / "u2"))["serial"] == 1


def test_what_cannot_be_sent_is_one_line(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture
) -> None:
    assert "no invitation is kept" in refused(capsys, "submit", mine)
    one_half = halves(servers, tmp_path)
    assert "1 lines where its two halves" in refused(capsys, "submit", mine, *one_half[:2])
    text = refused(capsys, "submit", mine, "--invitation", str(tmp_path / "recsys.txt"), *one_half)
    assert "3 lines" in text
    assert "no session of this user" in refused(capsys, "submit", mine, *one_half)
    servers.session()
    assert "no ratings are kept" in refused(capsys, "submit")
    others = tmp_path / "others.csv"
    others.write_text("userId,movieId,rating\nme,i1,3\nme,i9,4\n")
    assert f"{others}:3: the item id" in refused(capsys, "submit", str(others))
    assert ran(capsys, str(others), "--ignore-unknown")["serial"] == 1
    others.write_text("userId,movieId,rating\nme,i1,3\nyou,i2,4\n")
    assert "ratings of 2 users" in refused(capsys, "submit", str(others))
    assert ran(capsys, str(others), "--user", "you")["serial"] == 2
    assert "64 hexadecimal digits" in refused(capsys, "submit", "--session", "1")
    assert "exclude each other" in refused(capsys, "submit", "--status", "--withdraw")
    assert "for sending alone" in refused(capsys, "submit", mine, "--status")
    unknown = refused(capsys, "submit", "--session", "0" * 64)
    assert "no such session" in unknown


def test_no_secret_of_an_invitation_is_printed(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture
) -> None:
    servers.session()
    options = halves(servers, tmp_path)
    found = []
    for arguments in ([mine, *options], [mine, *options[:2]], ["--status"], [mine, *options, "-"]):
        main.main(["--verbose", "submit", *arguments])
        found.append("".join(capsys.readouterr()))
    invitation = servers.invitation("u1")
    for secret in (invitation.recsys.token, invitation.csp.text()[30:60]):
        assert not any(secret in text for text in found)
    # a rating, but no time or length that happens to have its digits
    assert not any(re.search(r"(?<![\d.])4\.5(?! ?(s|[kMG]?B)\b)", text) for text in found)


def test_recommendations_of_who_takes_part_need_no_options(
    servers: Served, mine: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no invitation is kept" in refused(capsys, "recommend")
    session = servers.session()
    ran(capsys, mine, *halves(servers, tmp_path))
    assert "no session of this user that is finished" in refused(capsys, "recommend")
    params = session.parameters
    factors = np.arange(len(session.items) * params.rank, dtype=np.int64).reshape(-1, params.rank)
    bias = np.zeros(len(session.items), dtype=np.int64) if params.bias else None
    made = ItemProfiles.of(session.items, factors, bias, params)
    published(servers, session, profiles.dumps(made).encode())
    servers.pair.clock.advance(60)
    shown = []
    for arguments in (["recommend"], ["similar", "i1"]):
        assert main.main([*arguments, "--json"]) == 0
        shown.append(json.loads(capsys.readouterr().out))
    ranked = {one["item"] for one in shown[0]["recommendations"]}
    assert ranked == {"i2", "i4"}, "what the user rated is left out"

    def away() -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(_gone))

    monkeypatch.setattr("ppmf_service.client.new_http", away)
    monkeypatch.setattr("ppmf_service.client.SystemClock", lambda: servers.pair.clock)
    assert main.main(["recommend", "--json"]) == 0
    offline = capsys.readouterr()
    assert json.loads(offline.out) == shown[0]
    assert "the profiles that were kept are taken" in offline.err
    assert "is due with --profiles" in refused(capsys, "recommend", "--profiles", "V.json")


def _gone(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no network", request=request)
