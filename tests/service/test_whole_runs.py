# SPDX-License-Identifier: Apache-2.0
"""Both engines run sessions to V: what the operator is asked, told, and what stays in the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ppmf_secure.protocols.upload import keystream, open_seal
from ppmf_secure.session.enrolment import consent_key, read_token, token_digest, write_code
from ppmf_service.states import State
from ppmf_service.uploads import read_upload, upload_digest
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.engines import World


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


@pytest.mark.req("PPMF-SRV-018")
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
