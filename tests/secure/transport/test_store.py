# SPDX-License-Identifier: Apache-2.0
"""Where checkpoints lie: the session beside them, and what is refused or never written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf_secure.transport.store import Store, load_session
from ppmf_spec.errors import EncodingError, StateError


@pytest.mark.req("PPMF-ERR-004")
def test_missing_and_damaged_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"nothing to resume from: no session\.cbor here"):
        load_session(tmp_path)
    with pytest.raises(StateError, match="the ratings were not complete"):
        Store(tmp_path / "csp").kept()
    (tmp_path / "session.cbor").write_bytes(b"\xff")
    with pytest.raises(EncodingError, match="byte 0: a float"):
        load_session(tmp_path)


def test_nothing_is_kept_without_a_folder() -> None:
    def never() -> bytes:
        raise AssertionError("asked for the bytes")

    Store(None).keep("ratings", None, never)
    with pytest.raises(StateError):
        Store(None).kept()
