# SPDX-License-Identifier: Apache-2.0
"""The folders of checkpoints: what is read from them, what is not, and who may use them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.checkpoint import write_checkpoint
from ppmf_secure.session.kept_files import Keeper
from ppmf_secure.transport.store import Store, load_session, read_key, save_session
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.roles import CSP
from tests.support.checkpoints import SESSION, checkpoint
from tests.support.sessions import signed


def a_run(folder: Path, epoch: int = 0) -> Store:
    """The store of CSP in the folder of a run that has just begun."""
    save_session(
        folder, signed(SESSION), epoch=epoch, coins=None if epoch else Coins.seeded("tags")
    )
    return Store.of_run(folder, CSP, SESSION, epoch)


def keep_once(store: Store) -> None:
    """Let it keep what a server keeps before the training."""
    for name in ("closing", "admission", "ratings"):
        store.keep(name, None, name.encode)


@pytest.mark.req("PPMF-ERR-004")
def test_nothing_to_resume_from_is_told_from_damage(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"no tags\.key here|no run\.cbor here"):
        load_session(tmp_path)
    store = a_run(tmp_path)
    with pytest.raises(StateError, match="the ratings were not complete"):
        store.kept()
    (tmp_path / "run.cbor").write_bytes(b"\xff")
    with pytest.raises(EncodingError, match=r"run\.cbor: damaged"):
        load_session(tmp_path)
    (tmp_path / "tags.key").write_bytes(b"\xff")
    with pytest.raises(EncodingError, match=r"tags\.key: 1 bytes where 32 are due"):
        load_session(tmp_path)


@pytest.mark.req("PPMF-RES-008")
def test_the_session_comes_back_and_a_flipped_bit_of_it_is_found(tmp_path: Path) -> None:
    a_run(tmp_path)
    found, epoch = load_session(tmp_path)
    assert (found, epoch, found.session.id) == (signed(SESSION), 0, SESSION.id)
    path = tmp_path / "run.cbor"
    data = path.read_bytes()
    for bit in random.Random(1).sample(range(8 * len(data)), 100):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(EncodingError, match=r"run\.cbor: damaged"):
            load_session(tmp_path)


@pytest.mark.req("PPMF-RES-008", "PPMF-ERR-004")
@pytest.mark.parametrize("name", ["ratings", "closing", "admission", "model-1"])
def test_a_flipped_bit_of_shares_is_found(tmp_path: Path, name: str) -> None:
    store = a_run(tmp_path)
    keep_once(store)
    store.keep("model", 1, lambda: b"model")
    path = tmp_path / CSP / f"{name}.state"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(EncodingError, match=f"^{name}.state: damaged"):
        store.kept()


@pytest.mark.req("PPMF-RES-008", "PPMF-ERR-004")
def test_another_file_in_the_place_of_the_session_is_refused(tmp_path: Path) -> None:
    store = a_run(tmp_path)
    keep_once(store)
    (tmp_path / "run.cbor").write_bytes((tmp_path / CSP / "ratings.state").read_bytes())
    with pytest.raises(StateError, match=r"run\.cbor: another file of the run in its place"):
        load_session(tmp_path)


@pytest.mark.req("PPMF-RES-008", "PPMF-ERR-004")
def test_a_file_of_the_other_server_is_refused(tmp_path: Path) -> None:
    store = a_run(tmp_path)
    keep_once(store)
    keeper = Keeper(read_key(tmp_path), SESSION.id, "recsys")
    (tmp_path / CSP / "ratings.state").write_bytes(keeper.write("ratings", b""))
    with pytest.raises(StateError, match="the file of another place"):
        store.kept()


@pytest.mark.req("PPMF-RES-010", "PPMF-RES-015")
def test_the_last_two_checkpoints_are_named_by_epoch_and_iteration(tmp_path: Path) -> None:
    """An interruption between writing and removing can leave three, also of two epochs."""
    store = a_run(tmp_path)
    keep_once(store)
    data = {number: write_checkpoint(SESSION, checkpoint(number)) for number in (1, 9, 10)}
    for epoch, number in ((0, 9), (0, 10), (1, 1)):
        keeper = Keeper(read_key(tmp_path), SESSION.id, CSP, epoch)
        path = tmp_path / CSP / f"model-{number}.state"
        path.write_bytes(keeper.write(path.stem, data[number]))
    assert store.kept().checkpoints == (data[10], data[1])


@pytest.mark.req("PPMF-RES-016")
def test_the_number_of_an_epoch_is_kept_and_marks_what_follows(tmp_path: Path) -> None:
    store = a_run(tmp_path)
    assert store.last_epoch() == 0
    store.begin(3)
    for name in ("closing", "admission", "ratings"):
        store.keep(name, None, name.encode)
    again = Store.of_run(tmp_path, CSP, SESSION, 0)
    assert again.last_epoch() == 3
    assert again.kept().ratings == b"ratings"
    path = tmp_path / CSP / "epoch.state"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EncodingError, match="epoch.state: damaged"):
        again.last_epoch()


@pytest.mark.req("PPMF-RES-009")
def test_one_server_at_a_time_uses_a_folder(tmp_path: Path) -> None:
    first = a_run(tmp_path)
    second = Store.of_run(tmp_path, CSP, SESSION, 0)
    with first.lock(), pytest.raises(StateError, match="goes on"), second.lock():
        pass
    with second.lock():
        pass


def test_nothing_is_kept_without_a_folder() -> None:
    def never() -> bytes:
        raise AssertionError("asked for the bytes")

    Store().keep("ratings", None, never)
    with pytest.raises(StateError):
        Store().kept()
    with Store().lock():
        pass


def test_what_could_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    store = a_run(tmp_path)
    (tmp_path / CSP / "ratings.state" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=r"ratings\.state"):
        store.keep("ratings", None, lambda: b"ratings")
    assert not list(tmp_path.rglob("*.partial"))
