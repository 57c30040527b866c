# SPDX-License-Identifier: Apache-2.0
"""All files of vectors, and the list of their digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ppmf_conformance.suite.cases import DIGESTS
from ppmf_conformance.suite.generate import params, ratings, steps, training, user_side, words

MAKERS = (params, ratings, words, steps, training, user_side)


def files() -> dict[str, bytes]:
    """Content by file name, DIGESTS last."""
    found = {
        f"{family.name}.json": family.text().encode("utf-8")
        for maker in MAKERS
        for family in maker.families()
    }
    sums = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in found.items())
    return {**found, DIGESTS: sums.encode()}


def write(folder: Path) -> list[str]:
    """Write the files, and remove the vectors that are made no more; the names written."""
    made = files()
    for old in folder.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return list(made)
