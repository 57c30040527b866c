# SPDX-License-Identifier: Apache-2.0
"""Both engines run sessions to V: what the operator is asked, told, and what stays in the files."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ppmf_secure.protocols.upload import keystream, open_seal, plain_bits, user_rows
from ppmf_secure.session.enrolment import consent_key, read_token, token_digest, write_code
from ppmf_secure.session.session import Session
from ppmf_service.report import Reports
from ppmf_service.states import State
from ppmf_service.uploads import read_upload, upload_digest
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.engines import World
from tests.support.ratings import ratings_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.servers.close()


def finished(world: World, key: bytes) -> bool:
    return all(world.row(role, key).erased is not None for role in (RECSYS, CSP))


def files_of(world: World, role: Role) -> bytes:
    """All bytes that a server has on its disk."""
    folder = world.server(role).path.parent
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def told(world: World, role: Role) -> str:
    """All that a server logged, and what its operator is shown."""
    server = world.server(role)
    shown = [repr(server.sessions.all())]
    shown += [repr(server.sessions.events(row.key)) for row in server.sessions.all()]
    shown += [f"{name} {members}" for name, members in world.logged[role]]
    return "\n".join(shown)


def secrets_of(world: World, key: bytes) -> dict[Role, list[bytes]]:
    """The secrets of a session whose intake is closed, by the server that has them: RecSys the
    uploads, CSP seeds and keys.
    """
    session = world.session(key)
    sealing = world.server(CSP).sessions.sealing_key(key)
    found: dict[Role, list[bytes]] = {RECSYS: [], CSP: [sealing.secret_bytes()]}
    for row, data in enumerate(world.server(RECSYS).uploads.frozen(key)):
        message = read_upload(session, data)
        seed, consent = open_seal(session, session.users[row], sealing, message.sealed)
        found[RECSYS] += [data, upload_digest(data), message.sealed[-48:]]
        found[CSP] += [seed, consent, keystream(session, session.users[row], seed)]
    return found


@pytest.mark.req("PPMF-SRV-013", "PPMF-SRV-014", "PPMF-SRV-017", "PPMF-SRV-019")
def test_after_a_run_nothing_secret_is_in_any_file_or_log(world: World) -> None:
    key = world.opened()
    world.upload_all(key)
    world.server(RECSYS).uploads.freeze(key)
    secrets = secrets_of(world, key)
    assert secrets[RECSYS][0] in files_of(world, RECSYS)
    assert secrets[CSP][0] in files_of(world, CSP)
    world.until(lambda: finished(world, key))
    assert world.profiles(key) == world.expected()
    everything = [one for role in (RECSYS, CSP) for one in secrets[role] if len(one) > 8]
    tokens, codes = world.servers.tokens.values(), world.servers.codes.values()
    for role in (RECSYS, CSP):
        content, text = files_of(world, role), told(world, role)
        for secret in everything:
            assert secret not in content
        for secret in (*everything, *map(read_token, tokens), *map(token_digest, tokens),
                       *codes, *map(consent_key, codes)):  # fmt: skip
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text
        for letters in (*tokens, *map(write_code, codes)):
            assert letters not in text
            assert letters.encode() not in content


def of_ratings(ratings: Ratings, session: Session) -> set[str]:
    """What would show who rated what: ids of items, and rows of bits, of item numbers and of
    values, in the ways in which they may stand in a text.
    """
    found = set(ratings.items)
    for _, row in user_rows(ratings):
        bits = plain_bits(session, row)
        windows = (bits[at : at + 8] for at in range(0, len(bits) - 7, 8))
        for part in (part for part in windows if sum(map(bool, part)) > 3):
            shown = base64.b64encode(part).decode().rstrip("=")
            found |= {part.hex(), shown, str(list(part))[1:-1], repr(part)[2:-1]}
        for numbers in (row.items.tolist(), row.values.tolist()):
            found |= {sign.join(map(str, numbers[:8])) for sign in (",", ", ", " ")}
    return found


@pytest.mark.req("PPMF-SRV-019", "PPMF-API-020")
def test_nobody_is_told_who_rated_what(tmp_path: Path) -> None:
    cells = {(row, at): (row * at) % 8 - 4 for row in range(3) for at in range(row, 80, 2 + row)}
    made = ratings_of(3, 80, cells)
    made = replace(made, items=tuple(f"movie-7391-{at:03}" for at in range(80)))
    world = World(tmp_path, ratings=made)
    try:
        key = world.opened()
        forms = of_ratings(made, world.session(key))
        world.upload_all(key)
        world.until(lambda: finished(world, key))
        for role in (RECSYS, CSP):
            server = world.server(role)
            reports = Reports(world.configs[role], server.database)
            text = told(world, role) + json.dumps(reports.facts(key), default=str)
            text += "".join(path.read_text() for path in reports.write(key))
            assert len(text) > 2000
            assert not [form for form in forms if form in text]
            for leak in sorted(forms)[:: len(forms) // 20]:  # each would be seen
                assert [form for form in forms if form in f"{text[:500]}{leak}{text[500:]}"]
    finally:
        world.servers.close()


@pytest.mark.req("PPMF-SRV-028")
def test_csp_trains_a_catalogue_again_once_its_operator_has_looked(world: World) -> None:
    first = world.opened()
    world.upload_all(first)
    world.until(lambda: finished(world, first))
    second = world.opened(nonce=bytes(range(16)))
    world.upload_all(second, but=0)
    world.server(RECSYS).uploads.freeze(second)
    world.until(lambda: world.row(CSP, second).last_error is not None)
    for _ in range(20):
        world.turn()
    row = world.row(CSP, second)
    assert (row.state, row.admitted) == (State.CLOSED, None)
    assert row.last_error is not None
    assert row.last_error[0] == "state"
    assert f"0 users joined, 1 left, {row.users - 1} stayed" in row.last_error[1]
    assert world.row(RECSYS, second).admitted is None
    world.confirm(second)
    world.until(lambda: finished(world, second))
    assert world.states(second) == (State.FINISHED, State.FINISHED)
    assert world.row(CSP, second).admitted_count == row.users - 1
