# SPDX-License-Identifier: Apache-2.0
"""What two servers over TLS cost, beside `ppmf train` in the same hour; and many uploads at once.

Both are measured as users and operators have them: two `ppmf serve`, each a process with an engine
below it, and requests over HTTP. What a process took is read from /proc, so this needs Linux.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import resource
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ppmf.bench import measured_runs
from ppmf.bench.measured_runs import Measured
from ppmf.bench.run_sizes import RunSize
from ppmf.pair import SERVERS, Pair
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import user_rows
from ppmf_service.client import UserClient, new_http
from ppmf_service.keys import link_certificate, make_signing_key
from ppmf_service.link.tls import Identity, context
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_service.storage import opened
from ppmf_spec.errors import StateError
from ppmf_spec.roles import RECSYS

_BEFORE = ("start", "upload")
"""The phases of `ppmf train` until all users have uploaded."""

_TLS_BYTES = 256 << 20
_PIECE = 1 << 20
_AGAIN = 10
"""One upload of so many is sent twice, as a proxy that repeats requests would."""

_MOST_TRIES = 60
_MOST_FILES = 1 << 14


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used: seconds of all cores, and the most memory, in bytes."""

    seconds: float
    memory: int

    @classmethod
    def by(cls, process: int) -> Used:
        """What a process has used until now. Raises StateError where there is no /proc."""
        try:
            # after the name, which may hold anything, the 12th and 13th are its two clocks
            after = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{process}/status").read_text()
        except OSError as error:
            raise StateError(f"/proc/{process}: {error.strerror}: this needs Linux") from None
        clocks = (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return cls(clocks, 1024 * int(peak.split()[1]))


def _engine(server: int) -> int:
    """The process of a server's engine: its child that Python started."""
    for task in Path(f"/proc/{server}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise StateError(f"process {server}: no engine runs below it")


# -- a training ------------------------------------------------------------------------------------


def training(beside: Measured, shown: Callable[[SessionRow], None]) -> dict[str, Any]:
    """Train by two servers what `ppmf train` has trained just now, and compare what both took.

    The seconds of either begin when all users have uploaded. TLS' part is computed: what this
    machine needs to encrypt and decrypt a byte, times the bytes that both servers send.
    """
    ratings, params = beside.ratings, beside.params
    with tempfile.TemporaryDirectory(prefix="ppmf-bench-") as folder:
        pair = Pair(Path(folder) / "pair")
        pair.make()
        users = pair.enrol(ratings.n_users)
        with pair.running():
            session_id = _opened(pair, pair.propose(params, users, ratings.items, beside.suite))
            rows = zip(users, (row for _, row in user_rows(ratings)), strict=True)
            began = time.perf_counter()
            sent = pair.play(session_id, list(rows))
            uploaded = time.perf_counter()
            pair.until_state(session_id, (State.FINISHED,), shown)
            spent = time.perf_counter() - uploaded
            engines = {role: Used.by(_engine(pair.processes[role].pid)) for role in SERVERS}
            with new_http() as http:
                client = UserClient(pair.invitation(users[0]), http)
                published, _ = client.profiles(client.session(session_id).session)
    theirs = beside.wall - sum(beside.seconds.get(name, 0.0) for name in _BEFORE)
    carried = sum(count for (party, _), count in beside.sent.items() if party in SERVERS)
    per_byte, cipher = tls_cost()
    memory = max(one.memory for one in engines.values())
    return {
        "suite": beside.suite,
        "users": ratings.n_users,
        "items": ratings.n_items,
        "rank": params.rank,
        "iterations": params.iterations,
        "seconds": round(spent, 3),
        "train_seconds": round(theirs, 3),
        "ratio": round(spent / theirs, 3),
        "uploads_seconds": round(uploaded - began, 3),
        "uploads_bytes": sent,
        "memory_of_a_server": memory,
        "train_memory_of_a_server": beside.memory,
        "memory_ratio": round(memory / beside.memory, 3),
        "engine_cpu_seconds": {role: round(one.seconds, 3) for role, one in engines.items()},
        "link_bytes": carried,
        "tls_cipher": cipher,
        "tls_cpu_seconds_per_gigabyte": round(per_byte * 1e9, 4),
        "tls_share_of_cpu": round(
            carried * per_byte / sum(one.seconds for one in engines.values()), 5
        ),
        "equal": published == beside.profiles,
    }


def _opened(pair: Pair, row: SessionRow) -> bytes:
    """Accept a proposal as CSP's operator does, and wait until users may upload; the id."""
    session_id = pair.accept(row.proposed)
    pair.until_state(row.key, (State.OPEN,), lambda _: None)
    return session_id


def tls_cost() -> tuple[float, str]:
    """The seconds of a core in which TLS encrypts and decrypts one byte, and with which cipher."""
    coins = Coins.system()
    own, peer = (link_certificate(make_signing_key(coins)) for _ in range(2))
    contexts = [
        context(Identity(*mine, other[0]), coins, server=server)
        for mine, other, server in ((own, peer, False), (peer, own, True))
    ]
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = contexts[0].wrap_bio(to_client, to_server)
    server = contexts[1].wrap_bio(to_server, to_client, server_side=True)
    ends = [client, server]
    for end in ends * 3:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    piece, room = bytes(_PIECE), bytearray(_PIECE)
    began = time.process_time()
    for _ in range(_TLS_BYTES // _PIECE):
        client.write(piece)
        left = _PIECE
        while left:
            left -= int(server.read(left, room))
    spent = time.process_time() - began
    cipher = client.cipher()
    assert cipher is not None, "the handshake is over"
    return spent / _TLS_BYTES, cipher[0]


# -- many uploads at once --------------------------------------------------------------------------


def load(size: RunSize, suite: str) -> dict[str, Any]:
    """Let all users of a session upload at the same moment, and see what RecSys took and kept."""
    with tempfile.TemporaryDirectory(prefix="ppmf-bench-") as folder, _many_files():
        ratings = measured_runs.made_up(size.users, size.items, size.params)
        pair = Pair(Path(folder) / "pair")
        pair.make()
        users = pair.enrol(size.users)
        with pair.running(), new_http() as http:
            session_id = _opened(pair, pair.propose(size.params, users, ratings.items, suite))
            client = UserClient(pair.invitation(users[0]), http)
            session = client.session(session_id).session
            sent = []
            for user, (_, row) in zip(users, user_rows(ratings), strict=True):
                client = UserClient(pair.invitation(user), http)
                token = client.invitation.recsys.token
                sent.append((token, client.make(session, 1, row, Coins.system())))
            server = pair.processes[RECSYS].pid
            before = Used.by(server)
            began = time.perf_counter()
            url = f"{pair.config(RECSYS).api.public_url}/v1/sessions/{session_id.hex()}/uploads"
            answers = asyncio.run(_all_at_once(url, sent))
            took = time.perf_counter() - began
            after = Used.by(server)
            lost, twice = _kept(pair, session_id, [data for _, data in sent])
    return {
        "users": size.users,
        "items": size.items,
        "requests": len(answers),
        "asked_again": sum(tries - 1 for tries, _ in answers),
        "seconds": round(took, 3),
        "cpu_milliseconds_per_upload": round(
            1000 * (after.seconds - before.seconds) / size.users, 3
        ),
        "bytes_per_upload": max(len(data) for _, data in sent),
        "bytes_per_request": max(count for _, count in answers),
        "lost": lost,
        "twice": twice,
    }


async def _all_at_once(url: str, sent: Sequence[tuple[str, bytes]]) -> list[tuple[int, int]]:
    """Send all uploads, some of them twice; how often each was tried, and its bytes."""
    requests = [(row, *one) for row, one in enumerate(sent)]
    requests += requests[::_AGAIN]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=60.0, trust_env=False) as http:

        async def put(row: int, token: str, data: bytes) -> tuple[int, int]:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cbor"}
            for tries in range(1, _MOST_TRIES):
                try:
                    answer = await http.put(f"{url}/{row}", content=data, headers=headers)
                except httpx.HTTPError:
                    await asyncio.sleep(random.uniform(0.1, 1.0))
                    continue
                if answer.status_code in (200, 201):
                    if answer.json()["digest"] != hashlib.sha256(data).hexdigest():
                        raise StateError(f"row {row}: another upload was acknowledged")
                    return tries, _size(answer.request)
                if answer.status_code not in (429, 503):
                    raise StateError(f"row {row}: status {answer.status_code}: {answer.text}")
                await asyncio.sleep(int(answer.headers["Retry-After"]) * random.uniform(0.5, 1.5))
            raise StateError(f"row {row}: no answer after {_MOST_TRIES} requests")

        return await asyncio.gather(*(put(*one) for one in requests))


def _size(request: httpx.Request) -> int:
    """The bytes of a request, with its head."""
    head = len(f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n\r\n")
    return (
        head
        + sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
        + len(request.content)
    )


def _kept(pair: Pair, session_id: bytes, sent: Sequence[bytes]) -> tuple[int, int]:
    """How many uploads RecSys acknowledged and has not, and how many rows it has twice."""
    with opened(pair.config(RECSYS)) as storage:
        rows = storage.database.rows(
            "SELECT row, digest, serial FROM uploads JOIN sessions "
            "ON sessions.number = uploads.session WHERE sessions.id = ?",
            (session_id,),
        )
    kept = {row[0]: (row[1], int.from_bytes(row[2], "big")) for row in rows}
    due = {number: (hashlib.sha256(data).digest(), 1) for number, data in enumerate(sent)}
    return sum(kept.get(row) != one for row, one in due.items()), len(rows) - len(kept)


@contextmanager
def _many_files() -> Iterator[None]:
    """The context in which this process, and those that it starts, may open many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(_MOST_FILES, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
