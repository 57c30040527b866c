# SPDX-License-Identifier: Apache-2.0
"""Logs, counts and problem documents of a run, searched for everything that is secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.enrolment import (
    consent_key,
    make_code,
    make_token,
    read_token,
    token_digest,
    write_code,
)
from ppmf_secure.session.session import Session
from ppmf_service import logs
from ppmf_service.logs import MEMBERS, UNTOLD, Log
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from tests.support.every_answer import every_answer
from tests.support.fuzzed import opened_interface
from tests.support.served import Served, served
from tests.support.services import message

PIECE = 8
"""So many bytes of something secret are looked for."""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The log of the process, with everything that is ever logged."""
    stream = io.StringIO()
    monkeypatch.setattr(logs, "_log", Log(stream, least=logging.DEBUG, most=1 << 30))
    return stream


def written(data: bytes) -> Iterator[str]:
    """The ways in which bytes may stand in a text."""
    yield data.hex()
    yield base64.b64encode(data).decode().rstrip("=")
    yield base64.urlsafe_b64encode(data).decode().rstrip("=")
    yield str(list(data))[1:-1]
    yield repr(data)[2:-1]


def secrets_of(servers: Served, session: Session) -> set[str]:
    """What nobody may be told of the users of a session, in many ways of writing."""
    found: set[str] = set()
    for row, user in enumerate(session.users):
        token, code = servers.pair.tokens[user], servers.pair.codes[user]
        found |= {token, token[:20], write_code(code), write_code(code)[:12]}
        data = [read_token(token), token_digest(token), code, consent_key(code)]
        for serial in range(1, 9):
            sent = message(servers.pair, session, row, serial)
            upload = wire.decode(sent).message
            assert isinstance(upload, wire.Upload)
            masked = bytes(upload.masked)
            digests = [hashlib.sha256(one).digest() for one in (sent, masked)]
            data += [masked, *digests, hashlib.sha1(masked).digest(), upload.sealed]
        for one in data:
            found.update(text for text in written(one[:PIECE]) if len(text) >= PIECE)
    return found


@pytest.mark.req("PPMF-API-020", "PPMF-SEC-004")
def test_nothing_secret_is_logged_counted_or_told(tmp_path: Path, log: io.StringIO) -> None:
    told = []
    with served(tmp_path, most_under_way=1) as servers:
        for answer in every_answer(servers):
            if answer.status_code >= 400:
                told.append(answer.text)
        (session,) = (
            servers.pair.recsys.sessions.signed_session(row.key).session
            for row in servers.pair.recsys.sessions.all()
        )
        secrets = secrets_of(servers, session)
        counts = servers.metrics.text().decode()
    assert {json.loads(text)["status"] for text in told} >= {400, 401, 404, 409, 413, 429, 500}
    lines = log.getvalue()
    assert '"event": "upload"' in lines
    assert "ppmf_uploads_total" in counts
    for where, text in (("log", lines), ("counts", counts), ("problem documents", "".join(told))):
        assert not [one for one in secrets if one in text], where


@pytest.mark.req("PPMF-API-020")
def test_nothing_secret_is_logged_of_hostile_requests(tmp_path: Path, log: io.StringIO) -> None:
    with opened_interface(tmp_path) as interface:

        async def many() -> None:
            source = random.Random(7)
            for _ in range(500):
                await interface.try_one(source)  # looks into problem documents itself

        asyncio.run(many())
        material = interface.material
    text = log.getvalue()
    assert len(text.splitlines()) > 500
    for secret in (*material.tokens, *material.secrets):
        assert secret.decode() not in text


def test_a_member_that_is_not_of_its_form_is_not_logged(log: io.StringIO) -> None:
    coins = Coins.seeded("tests/log")
    for secret in (make_token(coins), write_code(make_code(coins)), coins.bytes(32).hex()):
        values: list[Any] = [secret, secret.encode(), [secret], {"a": secret}, RuntimeError(secret)]
        for member in MEMBERS:
            for value in values:
                logs.event("something", **{member: value})
        with pytest.raises(KeyError):
            logs.event("something", token=secret)
        assert secret not in log.getvalue()
    assert UNTOLD in log.getvalue()


def test_of_an_exception_its_type_and_place_are_logged(log: io.StringIO) -> None:
    try:
        raise ValueError("a secret")
    except ValueError as error:
        logs.failure("it failed", error)
    try:
        raise EncodingError("upload: cut short\n\x1b[2J")
    except EncodingError as error:
        logs.failure("it was refused", error)
    first, second = map(json.loads, log.getvalue().splitlines())
    assert (first["error"], first["level"]) == ("ValueError", "error")
    assert first["place"].startswith("test_no_secrets_told:")
    assert "a secret" not in log.getvalue()
    assert second["error"] == "encoding"
    assert second["detail"].startswith("upload: cut short")


def test_what_a_library_says_is_not_logged(log: io.StringIO) -> None:
    logs.watch_libraries("tests.library")
    logger = logging.getLogger("tests.library")
    try:
        raise ValueError("a secret")
    except ValueError:
        logger.exception("failed at a secret")
    logger.info("a secret")
    (line,) = log.getvalue().splitlines()
    assert "secret" not in line.replace("test_no_secrets_told", "")
    assert json.loads(line)["error"] == "ValueError"


def test_levels_times_and_whole_lines() -> None:
    stream = io.StringIO()
    found = Log(stream, least=logging.WARNING, now=lambda: 1.23456)
    found.event("small", level=logging.INFO)
    found.event("large", level=logging.WARNING, session=bytes(32), seconds=0.5, count=0, peer=None)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {
        "time": 1.235,
        "level": "warning",
        "event": "large",
        "session": "00" * 32,
        "seconds": 0.5,
        "count": 0,
    }
