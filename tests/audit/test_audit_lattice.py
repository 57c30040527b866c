# SPDX-License-Identifier: Apache-2.0
"""The audit of a lattice run: what is wrong with its ciphertexts is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppmf_audit import audit
from ppmf_secure.primitives.encryption.lattice.params import TOY, chosen
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES
from ppmf_secure.primitives.encryption.lattice.wire import words_for
from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.transcript import SESSION_FILE, Recorder, read, record_session
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import Role
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy

PARAMETERS = Parameters(rank=2, iterations=2)
LATTICE = chosen(TOY, [each.layout for each in orientations(PARAMETERS, 3, 4)])
"""That of the run that is audited."""
VALID, FRESH = "ciphertexts of fixed width and valid", "no ciphertext repeated"
PARTIES = tuple(Role)
Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 3 users and 4 items."""
    folder = tmp_path_factory.mktemp("recorded")
    ratings = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 3): 1})
    run_toy(ratings, PARAMETERS, cipher_suite("rlwe-64-insecure"), transcripts=folder)
    return folder


def failed(
    recorded: Path,
    folder: Path,
    kind: type[wire.Message],
    name: str,
    change: Callable[[Any], object],
) -> set[str]:
    """The checks that fail when a field of every message of a kind is changed, at both ends."""
    record_session(folder, (recorded / SESSION_FILE).read_bytes())
    for party in PARTIES:
        with Recorder(folder, party) as recorder:
            for record in read(recorded / party / f"{party}.cborseq"):
                envelope = wire.decode(record.message)
                if isinstance(envelope.message, kind):
                    value = change(getattr(envelope.message, name))
                    message = replace(envelope.message, **{name: value})
                    envelope = replace(envelope, message=message)
                recorder.record(record.direction, record.peer, wire.encode(envelope))
    return {one.check for one in audit(folder) if not one.ok}


def group(rows: int, columns: int) -> int:
    """The length of a group of encrypted rows."""
    return SEED_BYTES + 8 * len(LATTICE.primes) * words_for(rows * columns)


def test_a_faultless_run_passes(recorded: Path) -> None:
    assert [one for one in audit(recorded) if not one.ok] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[:-1],
        lambda rows: b"",
        lambda rows: rows[:-8] + b"\xff" * 8,
        lambda rows: rows + bytes(8),
    ],
    ids=["width", "empty", "residue", "long"],
)
def test_an_invalid_row_is_found(recorded: Path, tmp_path: Path, change: Change) -> None:
    assert VALID in failed(recorded, tmp_path, wire.EncryptedRows, "rows", change)


def test_a_seed_used_twice_is_found(recorded: Path, tmp_path: Path) -> None:
    """All four rows that pack users are in one group, and so are the three that pack items."""
    seeds: list[bytes] = []

    def same_seed(rows: bytes) -> bytes:
        assert len(rows) in (group(4, 6), group(3, 8))
        seeds.append(rows[:SEED_BYTES])
        return seeds[0] + rows[SEED_BYTES:]

    assert failed(recorded, tmp_path, wire.EncryptedRows, "rows", same_seed) == {FRESH}


def test_groups_of_another_place_are_found(recorded: Path, tmp_path: Path) -> None:
    assert VALID in failed(recorded, tmp_path, wire.EncryptedRows, "first", lambda first: first + 1)


def test_a_side_that_there_is_not_is_no_message(recorded: Path, tmp_path: Path) -> None:
    found = failed(recorded, tmp_path, wire.EncryptedRows, "packing", lambda _: "both")
    assert "known messages and classes, on their routes" in found


@pytest.mark.parametrize(
    "change",
    [lambda answer: answer[:-1], lambda answer: answer[:64], lambda answer: b"\xff" * len(answer)],
    ids=["width", "short", "residue"],
)
def test_an_invalid_answer_is_found(recorded: Path, tmp_path: Path, change: Change) -> None:
    assert VALID in failed(recorded, tmp_path, wire.ProductAnswer, "answer", change)


def test_a_component_of_a_ciphertext_used_twice_is_found(recorded: Path, tmp_path: Path) -> None:
    """The first c1 of every answer is that of the first: the first 64 residues of each prime."""
    first: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = []

    def repeat(answer: bytes) -> bytes:
        words = np.frombuffer(answer, dtype="<u8").reshape(len(LATTICE.kept_primes), -1).copy()
        lows = np.stack([row % p for row, p in zip(words, LATTICE.kept_primes, strict=True)])
        first.append(lows[:, : LATTICE.degree])
        words[:, : LATTICE.degree] += first[0] - lows[:, : LATTICE.degree]
        return words.tobytes()

    assert FRESH in failed(recorded, tmp_path, wire.ProductAnswer, "answer", repeat)


@pytest.mark.parametrize("name", ["paillier-512-insecure", "rlwe-8192", "rot13"])
def test_a_key_of_another_suite_is_found(recorded: Path, tmp_path: Path, name: str) -> None:
    assert VALID in failed(recorded, tmp_path, wire.ServerKey, "suite", lambda _: name)


def test_an_invalid_public_key_is_found(recorded: Path, tmp_path: Path) -> None:
    def beyond(key: bytes) -> bytes:
        return key[:-8] + b"\xff" * 8

    assert failed(recorded, tmp_path, wire.ServerKey, "product_key", beyond) == {VALID}
