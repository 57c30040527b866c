# SPDX-License-Identifier: Apache-2.0
"""Results go where the user says: links, modes, devices and pipes stay what they are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ppmf_spec.files import write_atomically

AS_ROOT = os.geteuid() == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def alone(folder: Path, *names: str) -> bool:
    """Whether a folder holds these names and no others: nothing temporary is left."""
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o664, 0o755])
def test_an_existing_file_keeps_its_mode(bits: int, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old")
    path.chmod(bits)
    write_atomically(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", bits)
    assert alone(tmp_path, "out.json")


@pytest.mark.parametrize(("umask", "bits"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_follows_the_umask(umask: int, bits: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "out.json", b"new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "out.json") == bits


@pytest.mark.skipif(not AS_ROOT, reason="only root gives files away")
def test_an_existing_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    write_atomically(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(there: bool, tmp_path: Path) -> None:
    target = tmp_path / "kept" / "real.json"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
        target.chmod(0o600)
    between = tmp_path / "between"
    between.symlink_to(Path("kept") / "real.json")
    link = tmp_path / "link.json"
    link.symlink_to(between)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert between.is_symlink()
    assert target.read_bytes() == b"new"
    assert not there or mode(target) == 0o600
    assert alone(target.parent, "real.json")


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_atomically(pipe, b"new" * 100_000)
    reader.join(timeout=10)
    assert read == [b"new" * 100_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert alone(tmp_path, "pipe")


def test_a_device_is_written_in_place(tmp_path: Path) -> None:
    # No test names a device of the machine's: a fault here, run by root, would replace it.
    master, slave = os.openpty()
    (tmp_path / "link").symlink_to(os.ttyname(slave))
    write_atomically(tmp_path / "link", b"new")
    assert os.read(master, 100) == b"new"
    os.close(master)
    os.close(slave)


PRINTS = """
from pathlib import Path
from ppmf_spec.files import write_atomically
print("before")
write_atomically(Path({path!r}), b"content\\n")
print("after")
"""


def test_standard_output_takes_the_content_among_what_is_printed(tmp_path: Path) -> None:
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")  # as /dev/stdout is
    command = [sys.executable, "-c", PRINTS.format(path=str(link))]
    whole = b"before\ncontent\nafter\n"
    assert subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout == whole
    with (tmp_path / "redirected").open("wb") as file:
        subprocess.run(command, stdout=file, check=True)
    assert (tmp_path / "redirected").read_bytes() == whole
    assert link.is_symlink()


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127])
def test_a_name_may_be_as_long_as_the_system_allows(name: str, tmp_path: Path) -> None:
    write_atomically(tmp_path / name, b"new")
    assert alone(tmp_path, name)


def test_an_error_names_the_path_that_the_user_gave(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "missing" / "out.json")
    for path in (tmp_path / "none" / "out.json", tmp_path / "link", tmp_path):
        with pytest.raises(OSError, match=".") as caught:
            write_atomically(path, b"new")
        assert caught.value.filename == str(path)
        assert "partial" not in str(caught.value)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert alone(tmp_path, "out.json")


def test_a_file_that_cannot_be_replaced_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old and longer")

    def busy(self: Path, target: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)  # as where the file is mounted by itself
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert alone(tmp_path, "out.json")
    with pytest.raises(OSError, match="busy"):
        write_atomically(tmp_path / "other.json", b"new")
    assert alone(tmp_path, "out.json")


def test_a_file_that_may_not_be_written_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old")
    path.chmod(0o400)
    if AS_ROOT:  # who may write everything
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError) as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert (path.read_bytes(), mode(path)) == (b"old", 0o400)
