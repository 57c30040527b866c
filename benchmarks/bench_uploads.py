# SPDX-License-Identifier: Apache-2.0
"""All users of a session upload at once over HTTP: processor time, bytes, and that none is lost.

    python benchmarks/bench_uploads.py [--users 1000] [--items 1682] [--rounds 3]

The server runs in a process of its own, with its database on the disk of --folder. In each round
every user sends a new upload over a connection of their own, all at the same time, and once more
the same bytes; a user who is told to come again does so. Prints the processor time of the server
for each request, how long users waited, and the bytes of an upload by the user's own program.
Checks that every upload is stored once, as it was sent; asserts nothing about time.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import socket
import tempfile
import threading
from collections import Counter
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.upload import upload
from ppmf_secure.session.enrolment import consent_key, make_code, make_token, token_digest
from ppmf_secure.session.invitations import CspHalf, Invitation, RecSysHalf
from ppmf_secure.session.session import Proposal, Session
from ppmf_service import logs
from ppmf_service.api import server
from ppmf_service.client import UserClient, new_http
from ppmf_service.clock import SystemClock
from ppmf_service.config import LinkConfig, Listen, ServerConfig
from ppmf_service.database import Database
from ppmf_service.enrolment import Members
from ppmf_service.keys import make_signing_key, public_point
from ppmf_service.sessions import Sessions
from ppmf_service.uploads import Uploads
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import RECSYS, USERS
from ppmf_spec.wire import Link

COINS = Coins.seeded("benchmarks/uploads")
STARS = Parameters(
    rating_min=Fraction(1), rating_max=Fraction(5), rating_offset=Fraction(3), rating_frac_bits=0
)
"""The scale of MovieLens-100K: whole stars."""

TRIES = 200


def main() -> None:
    """Run the rounds and print what they took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--items", type=int, default=1682)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the database is made")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        config = configuration(Path(folder) / "recsys")
        tokens = [make_token(COINS) for _ in range(given.users)]
        session = prepared(config, tokens, given.items)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(config, theirs))
        process.start()
        port = ours.recv()
        code = make_code(COINS)
        try:
            print(f"{given.users:,} users, {given.items:,} items, {given.rounds} rounds")
            print(f"bytes of an upload by the user's program: {measured(session, tokens[0], port)}")
            for number in range(given.rounds):
                messages = [made(session, row, number + 2, code) for row in range(given.users)]
                for name, due in (("new", 200 if number else 201), ("again", 200)):
                    before = asked(ours)
                    began = perf_counter()
                    waits, statuses = asyncio.run(all_at_once(session, tokens, messages, port))
                    seconds, spent = perf_counter() - began, asked(ours) - before
                    assert set(statuses) <= {due, 200, 201, 429}, statuses
                    answered = sum(statuses.values())
                    median, last = np.percentile(waits, [50, 100])
                    print(
                        f"round {number + 1}, {name:5}: {seconds:6.2f} s; server "
                        f"{1000 * spent / given.users:5.2f} ms of processor time an upload; "
                        f"{answered - given.users} told to come again; waited {median:.2f} s in "
                        f"the median and {last:.2f} s at most"
                    )
                check(config, session, messages)
        finally:
            ours.send("stop")
            process.join(30)
    print("every upload is stored once, as it was sent")


def configuration(folder: Path) -> ServerConfig:
    """RecSys on loopback, at free ports."""
    return ServerConfig(
        RECSYS,
        folder,
        folder / "signing.pem",
        None,
        Listen("127.0.0.1", 0, "http://127.0.0.1"),
        Listen("127.0.0.1", 0),
        LinkConfig("127.0.0.1", 1, folder / "peer.pem"),
    )


def prepared(config: ServerConfig, tokens: list[str], items: int) -> Session:
    """A session that is open, of users who are enrolled."""
    database = Database.open(config.database, SystemClock())
    sessions = Sessions(database)
    members = Members(database, sessions)
    members.enrol_tokens({f"u{row:06}": token_digest(token) for row, token in enumerate(tokens)})
    signing, csp = make_signing_key(COINS), make_signing_key(COINS)
    proposal = Proposal(
        STARS,
        members.users(),
        tuple(f"{item}" for item in range(items)),
        "rlwe-8192",
        public_point(signing),
        COINS.bytes(16),
        trial=True,
    )
    row = sessions.propose(proposal)
    other = Database.open(config.folder.parent / "csp" / "service.sqlite", SystemClock())
    theirs = Sessions(other)
    Members(other, theirs).enrol_consent_keys({user: bytes(32) for user in proposal.users})
    theirs.propose(proposal)
    theirs.accept(row.key, csp, COINS)
    sessions.accepted(row.key, *theirs.acceptance(row.key), signing)
    sessions.opened(row.key)
    session = sessions.signed_session(row.key).session
    database.close()
    other.close()
    return session


def serve(config: ServerConfig, pipe: Connection) -> None:
    """The server: answers, and says by the pipe how much processor time it took so far."""
    logs.use(logs.Log(open("/dev/null", "w", encoding="ascii")))  # noqa: SIM115
    stop = threading.Event()

    def listen() -> None:
        while pipe.recv() == "time":
            pipe.send(process_time())
        stop.set()

    def begun(ports: dict[str, int]) -> None:
        pipe.send(ports["api"])
        threading.Thread(target=listen, daemon=True).start()

    clock = SystemClock()
    server.run(config, Database.open(config.database, clock), clock, stop, lambda p: begun(dict(p)))


def asked(pipe: Connection) -> float:
    """The processor time of the server so far."""
    pipe.send("time")
    return float(pipe.recv())


def made(session: Session, row: int, serial: int, code: bytes) -> bytes:
    """An upload of a user who rated a hundred items."""
    items = np.arange(0, len(session.items), max(1, len(session.items) // 100))
    rated = Row(items, np.full(len(items), 1))
    user = session.users[row]
    found = upload(session, user, serial, rated, consent_key(code), Coins(COINS.bytes(32)))
    return Link(session.id, 0, USERS, RECSYS).encode(found)


async def all_at_once(
    session: Session, tokens: list[str], messages: list[bytes], port: int
) -> tuple[list[float], Counter[int]]:
    """Each user sends their message; how long each waited, and the statuses that were answered."""
    statuses: Counter[int] = Counter()

    async def one(row: int) -> float:
        head = (
            f"PUT /v1/sessions/{session.id.hex()}/uploads/{row} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {tokens[row]}\r\nContent-Type: application/cbor\r\n"
            f"Content-Length: {len(messages[row])}\r\nConnection: close\r\n\r\n"
        )
        began = perf_counter()
        for _ in range(TRIES):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() + messages[row])
            answer = await reader.read()
            writer.close()
            status = int(answer.split(b" ", 2)[1])
            statuses[status] += 1
            if status != 429:
                break
            await asyncio.sleep(1 + row % 100 / 100)
        return perf_counter() - began

    waits = await asyncio.gather(*(one(row) for row in range(len(messages))))
    return list(waits), statuses


def check(config: ServerConfig, session: Session, messages: list[bytes]) -> None:
    """Check that the database has each message, once, with the digest of what was sent."""
    database = Database.open(config.database, SystemClock())
    uploads = Uploads(database)
    assert uploads.count(session.id) == len(messages)
    for row, message in enumerate(messages):
        assert uploads.receipt(session.id, row).digest == hashlib.sha256(message).digest()
    database.close()


def measured(session: Session, token: str, port: int) -> str:
    """The bytes of an upload by the user's own program, both ways, as a relay counts them."""
    counts = [0, 0]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def relay() -> None:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))

            def copy(source: socket.socket, target: socket.socket, which: int) -> None:
                while data := source.recv(1 << 16):
                    counts[which] += len(data)
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

            back = threading.Thread(target=copy, args=(far, near, 1))
            back.start()
            copy(near, far, 0)
            back.join()
            near.close()
            far.close()

        thread = threading.Thread(target=relay)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        invitation = Invitation(
            RecSysHalf(session.users[0], token, url, url),
            CspHalf(session.users[0], make_code(COINS), bytes(32)),
        )
        with new_http() as http:
            one = UserClient(invitation, http)
            rated = Row(np.array([0]), np.array([1]))
            data = one.make(session, 1, rated, COINS)
            one.put(session, data)
        thread.join()
    return f"{counts[0]:,} sent, of which {len(data):,} are the message; {counts[1]:,} received"


if __name__ == "__main__":
    main()
