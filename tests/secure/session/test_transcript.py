# SPDX-License-Identifier: Apache-2.0
"""A party's transcript holds every message as it was, however its bytes reach the disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.session import transcript
from ppmf_secure.session.transcript import Record, Recorder, transcript_file
from ppmf_spec import strict_cbor
from ppmf_spec.roles import CSP, RECSYS


@given(
    messages=st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=5), max_size=5),
    most=st.integers(1, 400),
)
def test_messages_are_read_as_they_were_written(messages: list[list[bytes]], most: int) -> None:
    """Also where the system takes fewer bytes at once than it is given, as it may."""
    write = os.writev

    def some(descriptor: int, pieces: Sequence[memoryview]) -> int:
        first = next(piece for piece in pieces if len(piece))
        return write(descriptor, [first[:most]])

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "writev", some)
        with Recorder(Path(folder) / "run", RECSYS) as recorder:
            for pieces in messages:
                recorder.record("sent", CSP, *pieces)
        path = transcript_file(Path(folder) / "run", RECSYS)
        expected = [b"".join(pieces) for pieces in messages]
        assert list(transcript.read(path)) == [Record("sent", CSP, one) for one in expected]
        records = (strict_cbor.encode(["sent", CSP, one]) for one in expected)
        assert path.read_bytes() == b"".join(records)
