# SPDX-License-Identifier: Apache-2.0
"""Kept files: each flipped bit is found, and no file is taken for another one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.session.kept_files import Keeper
from ppmf_spec.errors import EncodingError, StateError

KEEPER = Keeper(bytes(range(32)), bytes(32), "csp", 3)
FILE = KEEPER.write("model-2", b"shares")


@pytest.mark.req("PPMF-RES-008")
@given(st.binary(max_size=300), st.integers(0, 2**64 - 1))
def test_what_is_kept_comes_back(content: bytes, epoch: int) -> None:
    keeper = replace(KEEPER, epoch=epoch)
    found = KEEPER.read("ratings", keeper.write("ratings", content), "here")
    assert (found.content, found.epoch, found.party) == (content, epoch, "csp")


@pytest.mark.req("PPMF-RES-008", "PPMF-ERR-004")
def test_every_flipped_bit_is_found() -> None:
    for bit in range(8 * len(FILE)):
        damaged = bytearray(FILE)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EncodingError, match=r"^model-2\.state: damaged"):
            KEEPER.read("model-2", bytes(damaged), "model-2.state")


@pytest.mark.req("PPMF-RES-008", "PPMF-ERR-004")
@pytest.mark.parametrize("end", range(0, len(FILE), 7))
def test_a_file_that_is_cut_is_found(end: int) -> None:
    with pytest.raises(EncodingError, match="damaged"):
        KEEPER.read("model-2", FILE[:end], "here")


@pytest.mark.req("PPMF-RES-008", "PPMF-ERR-004")
def test_a_file_of_another_session_party_or_name_is_refused() -> None:
    with pytest.raises(StateError, match="here: it belongs to another session"):
        replace(KEEPER, session_id=bytes([1] * 32)).read("model-2", FILE, "here")
    with pytest.raises(StateError, match="here: it is the file of another place"):
        replace(KEEPER, party="recsys").read("model-2", FILE, "here")
    with pytest.raises(StateError, match="here: it is the file of another place"):
        KEEPER.read("model-3", FILE, "here")
    with pytest.raises(EncodingError, match="damaged"):
        replace(KEEPER, key=bytes(32)).read("model-2", FILE, "here")


def test_the_key_is_not_printed() -> None:
    assert "01" not in repr(KEEPER)
