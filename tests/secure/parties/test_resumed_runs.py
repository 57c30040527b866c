# SPDX-License-Identifier: Apache-2.0
"""An interrupted run goes on in a new epoch, and ends in the same V (chapter 4, "Interruption")."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cbor2
import pytest

from ppmf_audit import message_order
from ppmf_audit.transcript_outline import outline
from ppmf_reference import fixed
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.checkpoint import read_ratings, write_admission
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.session.kept_files import KEY_BYTES, Keeper
from ppmf_secure.session.session import Session
from ppmf_secure.session.transcript import read, transcript_file
from ppmf_secure.transport.store import Store, load_session, save_session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.ideal import ideal_suite
from tests.support.power_cuts import PowerCutError, cut_at
from tests.support.ratings import ratings_of
from tests.support.sessions import session_of, signed
from tests.support.three_parties import kept_by, run_epoch

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=4, inner_steps=2, inertia=Fraction(1, 2))
"""With two inner steps, p is not the side at the beginning of its half-step."""


def _suite(session: Session) -> CipherSuite:
    return ideal_suite() if session.suite == "ideal" else cipher_suite(session.suite)


def _first_epoch(folder: Path, cut: int | None, suite_name: str = "ideal") -> Session:
    session = session_of(PARAMETERS, RATINGS.users, RATINGS.items, suite_name, bytes(16))
    save_session(folder, signed(session), epoch=0, coins=Coins.seeded("tags"))
    with pytest.raises(PowerCutError):
        _epoch(session, folder, 0, cut)
    return session


def _epoch(session: Session, folder: Path, epoch: int, cut: int | None) -> dict[Role, object]:
    return run_epoch(
        session,
        _suite(session),
        lambda role: Coins.seeded(f"{role}/{epoch}" if epoch else role),
        ratings=None if epoch else RATINGS,
        epoch=epoch,
        transcripts=folder,
        checkpoints=folder,
        change=lambda role, program: cut_at(program, cut if role is CSP else None),
    )


def _next_epoch(folder: Path, epoch: int, cut: int | None = None) -> object:
    found, last = load_session(folder)
    assert last == epoch - 1
    save_session(folder, found, epoch=epoch)
    return _epoch(found.session, folder, epoch, cut)[RECSYS]


@pytest.mark.req("PPMF-RES-001", "PPMF-RES-002")
@pytest.mark.parametrize("cut", [0, 1, 2, 5, 7])
def test_the_resumed_run_ends_in_the_same_profiles(tmp_path: Path, cut: int) -> None:
    _first_epoch(tmp_path, cut)
    assert _next_epoch(tmp_path, 1) == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-RES-001")
def test_a_run_may_be_interrupted_again(tmp_path: Path) -> None:
    _first_epoch(tmp_path, 3)
    with pytest.raises(PowerCutError):
        _next_epoch(tmp_path, 1, cut=6)
    assert _next_epoch(tmp_path, 2) == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-RES-003")
def test_servers_at_different_checkpoints_agree_on_the_lower(tmp_path: Path) -> None:
    _first_epoch(tmp_path, 7)
    newest = sorted((tmp_path / RECSYS).glob("model-*"))[-1]
    newest.unlink()
    assert _next_epoch(tmp_path, 1) == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-RES-003")
@pytest.mark.parametrize("survivor", [RECSYS, CSP])
def test_one_iteration_of_two_epochs_is_not_one_checkpoint(tmp_path: Path, survivor: str) -> None:
    """Both servers hold iteration 2, written in different epochs: their shares do not fit."""
    other = CSP if survivor == RECSYS else RECSYS
    _first_epoch(tmp_path, 5)
    first = (tmp_path / survivor / "model-2.state").read_bytes()
    (tmp_path / other / "model-2.state").unlink()
    with pytest.raises(PowerCutError):
        _next_epoch(tmp_path, 1, cut=5)
    (tmp_path / survivor / "model-2.state").write_bytes(first)
    assert _next_epoch(tmp_path, 2) == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-RES-003")
def test_servers_without_a_common_checkpoint_begin_again(tmp_path: Path) -> None:
    _first_epoch(tmp_path, 5)
    for path in (tmp_path / CSP).glob("model-*"):
        path.unlink()
    assert _next_epoch(tmp_path, 1) == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-RES-016", "PPMF-RES-001")
@pytest.mark.parametrize("ahead", [RECSYS, CSP])
def test_servers_that_kept_different_epochs_begin_a_new_one(tmp_path: Path, ahead: Role) -> None:
    """One of them kept the number of an epoch of which the other has heard nothing."""
    session = _first_epoch(tmp_path, 5)
    epochs = {role: 4 if role is ahead else 1 for role in (RECSYS, CSP)}
    found = run_epoch(
        session,
        ideal_suite(),
        lambda role: Coins.seeded(f"{role}/later"),
        epoch=1,
        epochs=epochs,
        transcripts=tmp_path,
        checkpoints=tmp_path,
    )
    assert found[RECSYS] == fixed.train(RATINGS, PARAMETERS)
    for role in (RECSYS, CSP):
        keeper = Keeper(bytes(KEY_BYTES), session.id, role)
        assert Store(tmp_path / role, keeper).last_epoch() == 4
        sent = [
            wire.decode(record.message)
            for record in read(transcript_file(tmp_path, role))
            if record.direction == "sent"
        ]
        later = [(one.epoch, one.number) for one in sent if one.epoch]
        assert later == [(epochs[role], 0), *((4, number) for number in range(1, len(later)))]
    assert [one for one in message_order.check(outline(tmp_path), session.id) if not one.ok] == []


@pytest.mark.req("PPMF-RES-015")
def test_a_new_run_leaves_another_runs_checkpoints_alone(tmp_path: Path) -> None:
    session = _first_epoch(tmp_path, 5)
    with pytest.raises(StateError, match="holds the checkpoints of a run"):
        save_session(tmp_path, signed(session), epoch=0, coins=Coins.seeded("tags"))


@pytest.mark.req("PPMF-RES-015")
def test_two_checkpoints_are_kept_and_shares_and_who_takes_part(tmp_path: Path) -> None:
    session = _first_epoch(tmp_path, 7)
    names = sorted(path.name for path in (tmp_path / CSP).glob("*.state"))
    once = ["admission.state", "closing.state"]
    assert names == [*once, "model-2.state", "model-3.state", "ratings.state"]
    shares = [
        read_ratings(session, kept_by(session, tmp_path, name).ratings) for name in (RECSYS, CSP)
    ]
    bits = shares[0].planes ^ shares[1].planes
    assert bits[0].tolist() == [[0b0101], [0b0010], [0b1010]], "who rated what"
    assert shares[0].planes.any(axis=(1, 2)).all(), "a share is no plaintext"


@pytest.mark.req("PPMF-RES-002")
def test_an_epoch_repeats_no_bytes_of_the_last(tmp_path: Path) -> None:
    """No ciphertext, column, correction or table of the first epoch occurs in the second."""
    _first_epoch(tmp_path, 5, "paillier-512-insecure")
    _next_epoch(tmp_path, 1)
    seen: dict[int, set[bytes]] = {0: set(), 1: set()}
    for name in (RECSYS, CSP):
        for record in read(tmp_path / name / f"{name}.cborseq"):
            envelope = wire.decode(record.message)
            for _, field_class, value in envelope.message.fields_with_class():
                if field_class is not wire.FieldClass.PUBLIC and isinstance(value, bytes):
                    seen[envelope.epoch].add(value)
    assert len(seen[1]) > 20
    assert seen[0].isdisjoint(seen[1])


@pytest.mark.req("PPMF-ERR-004")
def test_a_foreign_or_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    session = _first_epoch(tmp_path, 1)
    data = kept_by(session, tmp_path, CSP).ratings
    other = session_of(PARAMETERS, RATINGS.users, RATINGS.items, "ideal", bytes([1] * 16))
    with pytest.raises(StateError, match="belongs to another session"):
        read_ratings(other, data)
    with pytest.raises(EncodingError, match="checkpoint of the ratings"):
        read_ratings(session, data[:-1])
    with pytest.raises(EncodingError, match="not of format"):
        read_ratings(session, cbor2.dumps(["something else"]))
    short = cbor2.loads(data)
    short[3] = short[3][:-8]
    with pytest.raises(EncodingError, match="kept ratings: 7 bytes where 15 are due"):
        read_ratings(session, cbor2.dumps(short))


@pytest.mark.req("PPMF-ADM-010", "PPMF-ADM-007")
def test_servers_that_mean_different_closings_do_not_go_on(tmp_path: Path) -> None:
    session = _first_epoch(tmp_path, 5)
    keeper = Keeper(bytes(KEY_BYTES), session.id, CSP)
    other = wire.Admission(b"\3")
    path = tmp_path / CSP / "admission.state"
    path.write_bytes(keeper.write("admission", write_admission(session, other)))
    with pytest.raises(StateError, match="goes on from another closing or admission"):
        _next_epoch(tmp_path, 1)
