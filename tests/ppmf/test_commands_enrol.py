# SPDX-License-Identifier: Apache-2.0
"""`ppmf enrol`: halves of invitations, and what is never shown."""

from __future__ import annotations

import csv
import json
import stat
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ppmf_secure.session.enrolment import consent_key, token_digest, write_code
from ppmf_secure.session.invitations import CspHalf, RecSysHalf, read_half, read_invitation
from ppmf_service.keys import fingerprint, public_point, read_signing_key
from ppmf_spec.roles import CSP, RECSYS
from tests.support.command_line import Capture, documented, refused
from tests.support.operators import Operators, operators, run


@pytest.fixture
def both(tmp_path: Path, capsys: Capture) -> Operators:
    made = operators(tmp_path)
    capsys.readouterr()
    return made


def test_each_server_makes_a_half_and_keeps_what_follows_from_it(both: Operators) -> None:
    users = both.users()
    assert len(users) == len(set(users)) == 3
    with both.storage(RECSYS) as ours, both.storage(CSP) as theirs:
        keys = theirs.members.enrolled("consent")
        assert sorted(keys) == sorted(users) == sorted(ours.members.enrolled("token"))
        assert ours.members.enrolled("consent") == theirs.members.enrolled("token") == []
        for user in users:
            first = read_half(both.half(RECSYS, user).read_text())
            second = read_half(both.half(CSP, user).read_text())
            assert isinstance(first, RecSysHalf)
            assert isinstance(second, CspHalf)
            assert first.user == second.user == user
            assert first.recsys_url == ours.config.api.public_url
            assert first.csp_url == theirs.config.api.public_url
            assert ours.members.token_user(token_digest(first.token)) == user
            point = public_point(read_signing_key(theirs.config.signing_key))
            assert second.csp_key == fingerprint(point)
            row = theirs.database.row("SELECT consent FROM members WHERE user = ?", (user,))
            assert row is not None
            assert row[0] == consent_key(second.code)


def test_halves_and_links_are_for_their_owner_alone(both: Operators) -> None:
    for role in (RECSYS, CSP):
        folder = both.halves(role)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with (folder / "links.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["user"] for row in rows] == both.users()
        for row in rows:
            page, _, line = row["link"].partition("/#")
            assert page == "http://127.0.0.1:8443"  # RecSys' page, for both halves
            assert read_half(line).text() == both.half(role, row["user"]).read_text().strip()
    assert not (both.halves(CSP) / "users.txt").exists()


def test_nothing_secret_is_printed(both: Operators, tmp_path: Path, capsys: Capture) -> None:
    run("enrol", "tokens", "--config", both.config(RECSYS), "--count", 1, "--out", tmp_path / "t",
        "--qr")  # fmt: skip
    user = (tmp_path / "t" / "users.txt").read_text().strip()
    run("enrol", "codes", "--config", both.config(CSP), "--out", tmp_path / "c", "--qr",
        "--user-list", tmp_path / "t" / "users.txt")  # fmt: skip
    run("enrol", "join", tmp_path / "c" / f"{user}.txt", tmp_path / "t" / f"{user}.txt",
        "--out", tmp_path / "invitation")  # fmt: skip
    said = "".join(capsys.readouterr())
    found = read_invitation((tmp_path / "invitation").read_text())
    assert found.user == user
    assert stat.S_IMODE((tmp_path / "invitation").stat().st_mode) == 0o600
    for secret in (found.recsys.token, write_code(found.csp.code), found.csp.code.hex()):
        assert secret not in said
    for folder in ("t", "c"):
        drawn = ElementTree.fromstring((tmp_path / folder / f"{user}.svg").read_text())
        assert drawn.tag.endswith("svg")


def test_who_is_enrolled_already_is_refused_and_replaced_on_demand(
    both: Operators, tmp_path: Path, capsys: Capture
) -> None:
    users = both.users()
    lost = tmp_path / "lost.txt"
    lost.write_text(f"{users[1]}\n")
    before = both.half(RECSYS, users[1]).read_text()
    for command, role in (("tokens", RECSYS), ("codes", CSP)):
        arguments = ["enrol", command, "--config", str(both.config(role)), "--user-list", str(lost)]
        line = refused(capsys, [*arguments, "--out", str(tmp_path / f"no-{role}")])
        assert "1 of these users are enrolled already; --replace" in line
        assert not (tmp_path / f"no-{role}").exists()
        run(*arguments, "--replace", "--out", tmp_path / f"new-{role}")
    after = read_half((tmp_path / "new-recsys" / f"{users[1]}.txt").read_text())
    old = read_half(before)
    assert isinstance(after, RecSysHalf)
    assert isinstance(old, RecSysHalf)
    with both.storage(RECSYS) as ours:
        assert ours.members.token_user(token_digest(old.token)) is None
        assert ours.members.token_user(token_digest(after.token)) == users[1]


def test_a_third_party_makes_codes_for_csp(
    both: Operators, tmp_path: Path, capsys: Capture
) -> None:
    run("enrol", "tokens", "--config", both.config(RECSYS), "--count", 2, "--out", tmp_path / "t")
    run("enrol", "codes", "--certificate", both.folder / CSP / "csp.pem", "--page",
        "https://recsys.example", "--user-list", tmp_path / "t" / "users.txt",
        "--out", tmp_path / "c")  # fmt: skip
    keys = tmp_path / "c" / "consent-keys.txt"
    run("enrol", "keys", keys, "--config", both.config(CSP))
    line = refused(capsys, ["enrol", "keys", str(keys), "--config", str(both.config(CSP))])
    assert "2 of these users are enrolled already" in line
    with both.storage(CSP) as theirs:
        for user in (tmp_path / "t" / "users.txt").read_text().split():
            half = read_half((tmp_path / "c" / f"{user}.txt").read_text())
            assert isinstance(half, CspHalf)
            assert half.csp_key == fingerprint(
                public_point(read_signing_key(theirs.config.signing_key))
            )
            row = theirs.database.row("SELECT consent FROM members WHERE user = ?", (user,))
            assert row is not None
            assert row[0] == consent_key(half.code)
    for content in ("u\n", "u 12\n", f"u {'g' * 64}\n", f"%ff {'0' * 64}\n", f" {'0' * 64}\n"):
        keys.write_text("first " + "0" * 64 + "\n" + content)
        line = refused(capsys, ["enrol", "keys", str(keys), "--config", str(both.config(CSP))])
        assert "consent-keys.txt:2: not a pseudonym" in line or "pseudonym number 2" in line


def test_users_are_listed_and_removed(both: Operators, capsys: Capture) -> None:
    users = both.users()
    run("enrol", "list", "--config", both.config(RECSYS))
    assert sorted(capsys.readouterr().out.split()) == sorted(users)
    run("enrol", "remove", users[0], "--config", both.config(RECSYS))
    capsys.readouterr()
    run("enrol", "list", "--config", both.config(RECSYS), "--json")
    found = json.loads(capsys.readouterr().out)
    assert set(found) == documented("enrolled")
    assert sorted(found["users"]) == sorted(users[1:])
    line = refused(capsys, ["enrol", "remove", users[0], "--config", str(both.config(RECSYS))])
    assert "1 of these users are not enrolled here" in line


def test_what_is_wrong_ends_in_one_line(both: Operators, tmp_path: Path, capsys: Capture) -> None:
    recsys, csp = str(both.config(RECSYS)), str(both.config(CSP))
    users = str(both.halves(RECSYS) / "users.txt")
    full = str(both.halves(RECSYS))
    for arguments, text in (
        (["tokens", "--config", csp, "--count", "1", "--out", "x"], "this is for recsys"),
        (["codes", "--config", recsys, "--user-list", users, "--out", "x"], "this is for csp"),
        (["tokens", "--config", recsys, "--out", "x"], "one of --count and --user-list is due"),
        (["tokens", "--config", recsys, "--count", "1", "--out", full], "is not empty"),
        (["codes", "--user-list", users, "--out", "x"], "one of --config and --certificate"),
        (
            [
                "codes",
                "--certificate",
                f"{tmp_path}/csp/csp.pem",
                "--user-list",
                users,
                "--out",
                "x",
            ],
            "--certificate needs --page",
        ),
        (["list", "--config", str(tmp_path / "none.toml")], "none.toml: cannot be read"),
    ):
        assert text in refused(capsys, ["enrol", *arguments])
    one = both.half(RECSYS, both.users()[0])
    other = both.half(CSP, both.users()[1])
    out = str(tmp_path / "invitation")
    for first, second, text in (
        (one, one, "two halves of the same sender"),
        (one, other, "of different users"),
        (one, both.halves(RECSYS) / "users.txt", "users.txt: invitation: not"),
    ):
        line = refused(capsys, ["enrol", "join", str(first), str(second), "--out", out])
        assert text in line
    assert not Path(out).exists()
    assert not Path("x").exists()


@pytest.mark.parametrize("name", ["users", "consent-keys", "x" * 201])
def test_no_half_takes_the_place_of_another_file(
    both: Operators, tmp_path: Path, capsys: Capture, name: str
) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{user}\n" for user in ("x" * 200, name)))
    out = tmp_path / "halves"
    command = ["enrol", "tokens", "--config", str(both.config(RECSYS)), "--user-list", str(listed)]
    assert "the name of another file" in refused(capsys, [*command, "--out", str(out)])
    assert not list(out.iterdir())
    with both.storage(RECSYS) as ours:
        assert name not in ours.members.users()


def test_the_groups_show_their_help(capsys: Capture) -> None:
    for group in ("enrol", "session"):
        run(group)
        assert "Usage: ppmf" in capsys.readouterr().out


@pytest.mark.req("PPMF-ENR-013")
def test_no_half_to_be_joined_stands_in_the_command(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "half.txt"
    half = "ppmf=2&from=recsys&user=u1&token=SECRET"
    for given in ([half, str(file)], [str(file), f"https://x.example/#{half}"]):
        line = refused(capsys, ["enrol", "join", *given, "--out", str(tmp_path / "whole.txt")])
        assert "which other users of this machine can see" in line
        assert "SECRET" not in line
