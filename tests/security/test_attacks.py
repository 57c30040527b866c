# SPDX-License-Identifier: Apache-2.0
"""Attacks with hostile bytes and damaged disks, of which each is refused.

Where an attack asks for work, the work is counted: heads that are parsed, bytes that are read and
bytes that are held. No time is asserted; `benchmarks/bench_attacks.py` measures it. Others are
tested where they belong: links and foreign folders in tests/secure/session/test_private_files.py,
forked coins in tests/secure/primitives/test_coins.py, killed parents in tests/ppmf/test_ending.py,
a resumption beside running servers in tests/secure/transport/test_processes.py.
"""

from __future__ import annotations

import multiprocessing
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import kept_files, transcript
from ppmf_secure.session.checkpoint import read_checkpoint, read_ratings, write_checkpoint
from ppmf_secure.session.kept_files import KEY_BYTES, KeptFile
from ppmf_secure.transport.pipes import PipeEnds
from ppmf_secure.transport.recorded_ends import Account
from ppmf_secure.transport.store import Store, load_session, save_session
from ppmf_spec import strict_cbor, wire
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.attacks import ATTACKS, counted
from tests.support.checkpoints import SESSION, checkpoint
from tests.support.messages import encoded_message
from tests.support.pipes import write_message
from tests.support.sessions import signed

HELD = 100_000
"""More bytes than a refusal needs."""


def of_message(data: bytes, _: Path) -> None:
    wire.decode(data)


def of_checkpoint(data: bytes, _: Path) -> None:
    read_checkpoint(SESSION, data)


def of_ratings(data: bytes, _: Path) -> None:
    read_ratings(SESSION, data)


def of_transcript(_: bytes, path: Path) -> None:
    list(transcript.read(path))


READERS = {
    "message": of_message,
    "checkpoint": of_checkpoint,
    "ratings": of_ratings,
    "transcript": of_transcript,
}


@pytest.mark.req("PPMF-WIR-010", "PPMF-WIR-003")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_no_reader_does_the_work_that_bytes_ask_for(
    read: Callable[[bytes, Path], None],
    attack: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "csp.cborseq"
    path.write_bytes(attack)
    with counted(monkeypatch) as work, pytest.raises(EncodingError):
        read(attack, path)
    assert work.heads <= 2
    assert work.memory < HELD


@pytest.mark.req("PPMF-RES-008", "PPMF-WIR-010")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_file_whose_tag_is_not_right_is_not_parsed(
    attack: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as work, pytest.raises(EncodingError, match="damaged"):
        kept_files.read(bytes(KEY_BYTES), attack, "a file")
    assert work.heads == 0
    assert work.memory < HELD


@pytest.mark.req("PPMF-WIR-009")
@pytest.mark.parametrize("sender", [CSP, USERS])
def test_a_message_that_is_too_long_is_not_held(
    sender: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a server's nothing but its length is read; a user's is read and forgotten."""
    mine, theirs = multiprocessing.Pipe()
    long = bytes(20_000_000)
    pieces: list[int] = []

    def watched(end: socket.socket, room: memoryview) -> int:
        pieces.append(recv_into(end, room))
        return pieces[-1]

    def write() -> None:
        with suppress(OSError):  # nobody reads the rest
            write_message(theirs, long)

    recv_into = socket.socket.recv_into
    monkeypatch.setattr(socket.socket, "recv_into", watched)
    threading.Thread(target=write, daemon=True).start()
    with (
        PipeEnds(Account(RECSYS), {sender: mine}) as ends,
        counted(monkeypatch) as work,
        pytest.raises(EncodingError, match="more than the 1000 bytes"),
    ):
        ends.get(sender, 1000, None)
    mine.close()
    assert sum(pieces) == (8 + len(long) if sender is USERS else 8)
    assert max(pieces) <= 1 << 20
    assert work.memory < 4 << 20
    assert work.heads == 0


def a_folder(at: Path) -> dict[str, bytes]:
    """All that is kept of a run, by the place in its folder."""
    save_session(at, signed(SESSION), epoch=0, coins=Coins.seeded("tags"))
    store = Store.of_run(at, CSP, SESSION, 0)
    store.begin(0)
    for name in ("closing", "admission", "ratings"):
        store.keep(name, None, name.encode)
    store.keep("model", 1, lambda: write_checkpoint(SESSION, checkpoint(1)))
    return {str(path.relative_to(at)): path.read_bytes() for path in at.rglob("*.*")}


@pytest.mark.req("PPMF-RES-008", "PPMF-ERR-004")
@given(data=st.data())
def test_any_flipped_bit_of_anything_that_is_kept_is_found(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In version 1 a flipped bit of a checkpoint gave a wrong V that looked like any other."""
    folder = tmp_path_factory.mktemp("run")
    kept = a_folder(folder)
    assert len(kept) == 7
    name = data.draw(st.sampled_from(sorted(kept)))
    bit = data.draw(st.integers(0, 8 * len(kept[name]) - 1))
    damaged = bytearray(kept[name])
    damaged[bit // 8] ^= 1 << bit % 8
    (folder / name).write_bytes(damaged)

    def resumed() -> None:
        load_session(folder)
        store = Store.of_run(folder, CSP, SESSION, 1)
        store.last_epoch()
        store.kept()

    with pytest.raises(EncodingError, match="damaged"):
        resumed()


@pytest.mark.req("PPMF-RES-008")
def test_a_file_of_an_earlier_run_is_refused(tmp_path: Path) -> None:
    """Its tag is right under the key of its own run, which is another."""
    a_folder(tmp_path)
    other = kept_files.write(bytes(KEY_BYTES), KeptFile(SESSION.id, CSP, 0, "ratings", b""))
    (tmp_path / CSP / "ratings.state").write_bytes(other)
    with pytest.raises(EncodingError, match="damaged"):
        Store.of_run(tmp_path, CSP, SESSION, 1).kept()


@pytest.mark.req("PPMF-ERR-009", "PPMF-ERR-002")
@given(st.text(max_size=300) | st.text("\x1b\n\u202e\u200b", min_size=1))
def test_text_of_a_peer_is_cut_and_escaped(text: str) -> None:
    with pytest.raises(EncodingError) as refusal:
        wire.decode(strict_cbor.encode([text, bytes(32), 0, 0, b""]))
    line = str(refusal.value)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 40 * len("\\U0001f600") + 100


@pytest.mark.req("PPMF-WIR-011", "PPMF-WIR-004")
@given(st.lists(st.integers(0, 5), max_size=12))
def test_whatever_comes_under_a_number_that_was_taken_is_refused(numbers: list[int]) -> None:
    """Duplicates, lost and reordered messages: each number is taken once, in its turn."""
    link, taken = wire.Link(bytes(32), 0, CSP, RECSYS), 0
    for number in numbers:
        data = encoded_message(wire.BaseAnswer, number=number, point=bytes([number]))
        if number == taken:
            assert link.decode(data, wire.BaseAnswer).point == bytes([number])
            taken += 1
        else:
            with pytest.raises(StateError, match=r"repeated, lost or reordered"):
                link.decode(data, wire.BaseAnswer)
