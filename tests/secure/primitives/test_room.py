# SPDX-License-Identifier: Apache-2.0
"""Large arrays in files: private, gone with the process, and refused in one line."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice import layout as layout_module
from ppmf_secure.primitives.encryption.lattice import ring
from ppmf_secure.primitives.room import MEMORY, Files, Room
from ppmf_secure.primitives.workers import OneProcess
from tests.support.lattice_schemes import SMALL


def answer(layout: Layout, room: Room, folder: Path, workers: int) -> tuple[bytes, list[object]]:
    """The answer of a peer that keeps a matrix there, alone or at workers; and its shares."""
    coins = Coins.seeded("matrix")
    matrix, own = coins.words(layout.shape), coins.words(layout.shape)
    scheme = SMALL.fit([layout])
    owner = scheme.generate(Coins.seeded("Q"))
    groups = list(owner.encrypt_rows(matrix, layout, Coins.seeded("rows")))
    folder.mkdir()
    shared = OneProcess(workers, folder) if workers else None
    taken = scheme.peer(owner.public, shared, room).rows(groups, layout, own)
    uses = [slice(0, 3) for _ in layout.blocks]
    sent, shares = taken.multiply(coins.words((3, layout.rows)), uses, Coins.seeded("answer"))
    return sent, [share.tolist() for share in shares]


@pytest.mark.req("PPMF-WRK-010")
@settings(max_examples=12, deadline=None)
@given(
    rows=st.integers(1, 90),
    widths=st.lists(st.sampled_from([0, 1, 9, 33, 64, 100]), min_size=1, max_size=3),
    workers=st.sampled_from([0, 0, 3]),
    compact=st.booleans(),
)
def test_a_matrix_in_files_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    widths: list[int],
    workers: int,
    compact: bool,
) -> None:
    layout, folder = Layout(rows, tuple(widths), 1 << 20), tmp_path_factory.mktemp("room")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout_module, "LARGE_BYTES", 0 if compact else 1 << 30)
        patch.setattr(ring, "_ROWS_AT_ONCE", 32)
        patch.setattr(ring, "_COLUMNS_AT_ONCE", 16)
        expected = answer(layout, MEMORY, folder / "memory", 0)
        files = Files(folder / "matrices")
        assert answer(layout, files, folder / "files", workers) == expected
    gc.collect()
    assert list(files.folder.iterdir()) == []


@pytest.mark.req("PPMF-WRK-010")
def test_a_file_has_no_name_and_goes_with_the_array(tmp_path: Path) -> None:
    stored = Files(tmp_path / "matrices").take((1 << 20, 8), np.int32)
    stored.values[:] = 7
    stored.done(stored.values)
    stored.soon(stored.values[5:])
    assert (stored.values == 7).all()
    assert (tmp_path / "matrices").stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "matrices").iterdir()) == []
    mapped = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    (line,) = [line for line in mapped if str(tmp_path) in " ".join(line)]
    assert "(deleted)" in line
    del stored
    gc.collect()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_an_array_of_nothing_needs_no_file(tmp_path: Path) -> None:
    stored = Files(tmp_path).take((3, 0), np.int8)
    assert stored.values.shape == (3, 0)


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        OSError, match=r"a matrix needs 4,000 bytes there, and [0-9,]+ are free"
    ) as e:
        Files(tmp_path).take((10, 100), np.int32)
    assert (e.value.errno, e.value.filename) == (errno.ENOSPC, str(tmp_path))

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "posix_fallocate", broken)
    with pytest.raises(OSError, match="Input/output error"):
        Files(tmp_path).take((10, 100), np.int32)


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from ppmf_secure.primitives.encryption.lattice.params import STANDARD as L
from ppmf_secure.primitives.encryption.lattice.ring import ResidueMatrix, Scratch
from ppmf_secure.primitives.room import MEMORY, Files
room = Files(Path(sys.argv[1])) if len(sys.argv) > 1 else MEMORY
rows, columns, x = 200, 8192, np.ones((2, 200))
values, out, scratch = np.zeros((1, 40, columns)), np.empty((2, columns)), Scratch()
np.matmul(np.ones((64, 64)), np.ones((64, 64)))
used = int(Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (used + (40 << 20),) * 2)
try:
    matrix = ResidueMatrix(L, rows, columns, compact=False, room=room)
    for index in range(len(L.primes)):
        for first in range(0, rows, 40):
            values[:] = index + first
            matrix.put(index, slice(first, first + 40), values)
    matrix.times(x, 9, out, scratch)
except MemoryError:
    print("too large")
else:
    print(int(out[1, 77]), int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) >> 10)
"""


@pytest.mark.req("PPMF-WRK-010")
def test_a_matrix_that_the_memory_does_not_hold_is_multiplied_in_files(tmp_path: Path) -> None:
    """65 MB of residues in a process that may take 40 MB more than it has."""
    ran = [
        subprocess.run(
            [sys.executable, "-c", LIMITED, *given],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).stdout.split()
        for given in ([], [str(tmp_path / "matrices")])
    ]
    assert ran[0] == ["too", "large"]
    assert int(ran[1][0]) == sum(9 + row // 40 * 40 for row in range(200))
