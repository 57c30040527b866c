# SPDX-License-Identifier: Apache-2.0
"""What a later epoch puts on the wire: its messages, their lengths, and the names it goes by."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppmf_reference import fixed
from ppmf_secure.effects import Program
from ppmf_secure.parties import training
from ppmf_secure.parties.csp import csp
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.shares import ring_mask
from ppmf_secure.protocols.conversion import convert
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.session.checkpoint import RatingBits, RatingShares
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_secure.session.transcript import read
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.ideal import ideal_suite
from tests.support.lengths import BOTH, message_lengths
from tests.support.messages import message_of
from tests.support.ratings import ratings_of
from tests.support.sessions import session_of
from tests.support.three_parties import kept_by, run_epoch

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})


def run_the_epoch(session: Session, folder: Path, epoch: int) -> object:
    """A whole epoch in this thread, from what the last one kept; V as RecSys opened it."""
    chosen = ideal_suite() if session.suite == "ideal" else cipher_suite(session.suite)
    return run_epoch(
        session,
        chosen,
        lambda role: Coins.seeded(f"{role}/{epoch}"),
        ratings=None if epoch else RATINGS,
        epoch=epoch,
        transcripts=folder,
        checkpoints=folder,
    )[RECSYS]


def sent(folder: Path, sender: str, receiver: str, epoch: int) -> list[tuple[wire.Message, int]]:
    """The messages of one direction in one epoch, with their lengths."""
    found = []
    for record in read(folder / sender / f"{sender}.cborseq"):
        envelope = wire.decode(record.message)
        if (record.direction, record.peer, envelope.epoch) == ("sent", receiver, epoch):
            found.append((envelope.message, len(record.message)))
    return found


@pytest.mark.req("PPMF-RES-005", "PPMF-RUN-011")
@pytest.mark.parametrize("iterations", [1, 2, 4])
@pytest.mark.parametrize("suite_name", ["ideal", "paillier-512-insecure"])
def test_a_later_epoch_sends_what_is_predicted(
    tmp_path: Path, iterations: int, suite_name: str
) -> None:
    params = Parameters(rank=2, iterations=iterations)
    session = session_of(params, RATINGS.users, RATINGS.items, suite_name, bytes(16))
    expected = fixed.train(RATINGS, params)
    assert run_the_epoch(session, tmp_path, 0) == expected
    assert run_the_epoch(session, tmp_path, 1) == expected
    predicted = message_lengths(
        params,
        session.users,
        session.items,
        suite_name,
        epoch=1,
        held=min(2, iterations - 1),
        done=iterations - 1,
    )
    for way in BOTH:
        messages = sent(tmp_path, *way, epoch=1)
        assert [(message.name, size) for message, size in messages] == [
            (name, size) for *route, name, size in predicted if tuple(route) == way
        ]


@pytest.mark.req("PPMF-CNV-009", "PPMF-RES-015")
def test_every_epoch_converts_the_bits_that_were_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shares of one epoch are others than those of the next, and lie in no file."""
    made: list[dict[Role, RatingShares]] = [{}, {}]
    bits: list[dict[Role, RatingBits]] = [{}, {}]
    epoch = 0

    def noted(transfers: Transfers, kept: RatingBits, *rest: Any) -> Program[RatingShares]:
        bits[epoch][transfers.me] = kept
        made[epoch][transfers.me] = yield from convert(transfers, kept, *rest)
        return made[epoch][transfers.me]

    monkeypatch.setattr(training, "convert", noted)
    params = Parameters(rank=1, iterations=2)
    session = session_of(params, RATINGS.users, RATINGS.items, "ideal", bytes(16))
    for epoch in (0, 1):
        run_the_epoch(session, tmp_path, epoch)
    ring = ring_mask(session.bounds.ring_bits)
    rating = np.zeros((RATINGS.n_users, RATINGS.n_items), dtype=np.int64)
    rating[RATINGS.user, RATINGS.item] = RATINGS.value
    for first, second in ((0, 0), (1, 1), (0, 1), (1, 0)):
        total = (made[first][CSP].rating + made[second][RECSYS].rating) & ring
        right = total == rating.view(np.uint64) & ring
        assert right.all() if first == second else not right.any()
    for server in (CSP, RECSYS):
        assert np.array_equal(bits[0][server].planes, bits[1][server].planes)
        files = [path.read_bytes() for path in (tmp_path / server).glob("*.state")]
        for shares in (made[0][server], made[1][server]):
            for each in (shares.rated, shares.rating):
                rows = each[0].tobytes(), (each[0] & ring).tobytes()
                assert not any(row in data for row in rows for data in files)


@pytest.mark.req("PPMF-RES-003", "PPMF-RES-007")
def test_checkpoints_are_named_by_iteration_and_lineage(tmp_path: Path) -> None:
    params = Parameters(rank=1, iterations=3)
    session = session_of(params, RATINGS.users, RATINGS.items, "ideal", bytes(16))
    run_the_epoch(session, tmp_path, 0)
    run_the_epoch(session, tmp_path, 1)
    text = b"ppmf/v2/lineage/" + session.id
    for way in ((CSP, RECSYS), (RECSYS, CSP)):
        keys = [m for m, _ in sent(tmp_path, *way, epoch=0) if isinstance(m, wire.ServerKey)]
        assert len(keys) == 1
        key = keys[0].product_key
        text += len(key).to_bytes(8, "little") + key
    lineage = hashlib.sha256(text).digest()
    names = b"".join(count.to_bytes(8, "little") + lineage for count in (1, 2))
    for both in BOTH:
        first = sent(tmp_path, *both, epoch=1)[0][0]
        assert isinstance(first, wire.Resume)
        assert (first.last, first.checkpoints) == (0, names)


@pytest.mark.req("PPMF-RES-003", "PPMF-ERR-003", "PPMF-ERR-007")
def test_a_malformed_resume_is_refused_and_nothing_more_is_sent(
    tmp_path: Path,
) -> None:
    params = Parameters(rank=1, iterations=2)
    session = session_of(params, RATINGS.users, RATINGS.items, "ideal", bytes(16))
    run_the_epoch(session, tmp_path, 0)
    kept = kept_by(session, tmp_path, CSP)
    program = csp(session, ideal_suite(), Coins.seeded("csp"), epoch=1, kept=kept)
    effect = next(program)
    while not isinstance(getattr(effect, "message", None), wire.Resume):
        effect = next(program)
    next(program)
    with pytest.raises(EncodingError, match="resume: 41 bytes name no checkpoints"):
        program.send(message_of(wire.Resume, checkpoints=bytes(41)))
    assert list(program) == []
