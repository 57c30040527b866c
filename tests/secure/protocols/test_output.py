# SPDX-License-Identifier: Apache-2.0
"""The one opening of a run, from labels and a share that are made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ppmf_secure.effects import Send
from ppmf_secure.primitives.shares import to_bits
from ppmf_secure.protocols.output import open_output, send_output
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from tests.support.sessions import session_of

PARAMS = Parameters(rank=2, frac_bits=8)
SESSION = session_of(PARAMS, ("1",), ("7", "8", "9"), "ideal", bytes(16))
# Two factors and a bias of each of three items, coordinate by coordinate.
WORDS = np.array([[1, -2, 3], [-512, 511, 0], [7, -8, 9]])


def labels_and_share(words: np.ndarray) -> tuple[np.ndarray, bytes]:
    """Labels whose colours are one XOR share of the words' bits, and the other share, packed."""
    bits = to_bits(words.ravel().astype(np.uint64), PARAMS.word_bits)
    mine = np.random.default_rng(7).integers(0, 2, bits.shape, dtype=np.uint8)
    labels = np.zeros((*bits.shape, 2), dtype=np.uint64)
    labels[..., 0] = np.uint64(1 << 40) + mine
    return labels, np.packbits((bits ^ mine).ravel(), bitorder="little").tobytes()


@pytest.mark.req("PPMF-OUT-003", "PPMF-FIX-041")
def test_the_output_is_opened_coordinate_by_coordinate() -> None:
    profiles = open_output(SESSION, *labels_and_share(WORDS))
    assert profiles.factors.tolist() == [[1, -512], [-2, 511], [3, 0]]
    assert profiles.bias is not None
    assert profiles.bias.tolist() == [7, -8, 9]


@pytest.mark.req("PPMF-OUT-001", "PPMF-OUT-002")
def test_csp_sends_its_permute_bits_the_lowest_of_a_byte_first() -> None:
    labels = np.zeros((3, 3, 2), dtype=np.uint64)
    labels[0, 0, 0] = labels[2, 1, 0] = 1  # the first and the eighth bit
    (sent,) = send_output(labels)
    assert isinstance(sent, Send)
    assert sent.message == wire.OutputShare(b"\x81\x00")
    labels[0, 1, 0] = 1
    (sent,) = send_output(labels)
    assert isinstance(sent, Send)
    assert sent.message == wire.OutputShare(b"\x83\x00")


@pytest.mark.req("PPMF-OUT-003")
def test_a_share_of_another_length_is_refused() -> None:
    labels, share = labels_and_share(WORDS)
    with pytest.raises(EncodingError, match="^output share: 11 bytes"):
        open_output(SESSION, labels, share[:-1])
