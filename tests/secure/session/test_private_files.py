# SPDX-License-Identifier: Apache-2.0
"""Folders and files of one's own: who may read them, and what is not followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from ppmf_secure.session import private_files
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.session.transcript import Recorder, read, transcript_file
from ppmf_secure.transport.store import Store
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, RECSYS, USERS, Role


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def record(folder: Path, epoch: int = 0) -> None:
    with Recorder(folder, CSP, epoch=epoch) as recorder:
        recorder.record("sent", RECSYS, b"a message")


@pytest.mark.req("PPMF-RES-011")
def test_what_is_written_is_closed_to_others_whatever_the_mask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        record(tmp_path / "transcripts")
        Store(tmp_path / "kept").keep("ratings", None, lambda: b"shares")
        with Store(tmp_path / "kept").lock():
            pass
    finally:
        os.umask(before)
    assert mode(tmp_path / "transcripts") == 0o700
    for folder in (tmp_path / "transcripts" / CSP, tmp_path / "kept"):
        assert mode(folder) == 0o700
        assert [mode(path) for path in folder.iterdir()] == [0o600] * len(list(folder.iterdir()))


@pytest.mark.req("PPMF-RES-017")
def test_every_party_records_in_a_folder_of_its_own(tmp_path: Path) -> None:
    for party in Role:
        with Recorder(tmp_path / "transcripts", party) as recorder:
            recorder.record("sent", party.peer if party is not USERS else RECSYS, b"a message")
    for party in Role:
        folder = tmp_path / "transcripts" / party
        assert list(folder.iterdir()) == [transcript_file(tmp_path / "transcripts", party)]
    (tmp_path / "transcripts" / CSP).chmod(0o750)
    with pytest.raises(StateError, match="others may use this folder"):
        record(tmp_path / "transcripts")


@pytest.mark.req("PPMF-RES-011")
@pytest.mark.parametrize("open_to", [0o750, 0o705, 0o711, 0o777])
def test_a_folder_that_is_open_to_others_is_refused(tmp_path: Path, open_to: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(open_to)
    with pytest.raises(StateError, match="others may use this folder"):
        record(folder)
    with pytest.raises(StateError, match="others may use this folder"):
        Store(folder)
    assert not list(folder.iterdir())


@pytest.mark.req("PPMF-RES-011")
def test_a_link_a_file_and_another_users_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(StateError, match="not a folder"):
            private_folder(tmp_path / name)
    monkeypatch.setattr(private_files, "os", SimpleNamespace(geteuid=lambda: os.geteuid() + 1))
    with pytest.raises(StateError, match="the folder of another user"):
        private_folder(tmp_path / "mine")


@pytest.mark.req("PPMF-RES-011")
def test_links_in_the_place_of_files_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"before")
    folder = tmp_path / "transcripts"
    folder.mkdir(mode=0o700)
    (folder / "csp").mkdir(mode=0o700)
    (folder / "csp/csp.cborseq").symlink_to(target)
    with pytest.raises(StateError, match="a link, where a file of one's own"):
        record(folder, epoch=1)
    record(folder)
    assert [one.message for one in read(folder / "csp/csp.cborseq")] == [b"a message"]
    (folder / "ratings.state").symlink_to(target)
    Store(folder).keep("ratings", None, lambda: b"shares")
    assert not (folder / "ratings.state").is_symlink()
    assert target.read_bytes() == b"before"
    (folder / "in-use").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="in-use"), Store(folder).lock():
        pass
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.req("PPMF-RES-011")
def test_a_later_epoch_is_appended(tmp_path: Path) -> None:
    for epoch in range(3):
        record(tmp_path / "transcripts", epoch)
    assert len(list(read(tmp_path / "transcripts" / "csp/csp.cborseq"))) == 3
