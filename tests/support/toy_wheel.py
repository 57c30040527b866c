# SPDX-License-Identifier: Apache-2.0
"""A small wheel in place of the one that holds MovieLens-100K, its pin, and its download."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from ppmf.data import movielens

INTER = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4\t7\n2\t10\t3\t8\n"
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\n10\tMisérables, Les\t1995\n".encode()
)
MEMBERS = {"toy/ml-100k/ml-100k.inter": INTER, "toy/ml-100k/ml-100k.item": ITEM}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_wheel(folder: Path) -> Path:
    """The wheel, which also holds a module that must never run."""
    path = folder / "toy-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
        archive.writestr("toy/code.py", "raise SystemExit('never run')")
    return path


def pin_of(wheel: Path) -> movielens.Pin:
    """The pin that accepts this wheel and its two members."""
    return movielens.Pin(
        requirement="toy==1",
        wheel_sha256=sha256(wheel.read_bytes()),
        members={name: sha256(content) for name, content in MEMBERS.items()},
    )


def serving(wheel: Path) -> movielens.Download:
    """A download that brings this wheel."""

    def download(requirement: str, folder: Path) -> None:
        assert requirement == "toy==1"
        (folder / wheel.name).write_bytes(wheel.read_bytes())

    return download
