# SPDX-License-Identifier: Apache-2.0
"""All files of vectors, and the list of their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ppmf_conformance import requirement_titles
from ppmf_conformance.cases import DIGESTS
from tools.vectors import (
    building_blocks,
    messages,
    params,
    party_runs,
    ratings,
    sessions_and_uploads,
    steps,
    training,
    user_side,
    words,
)

MAKERS = (
    params,
    ratings,
    words,
    steps,
    training,
    user_side,
    messages,
    sessions_and_uploads,
    building_blocks,
    party_runs,
)


def files() -> dict[str, bytes]:
    """Content by file name, DIGESTS last (PPMF-CON-022, -023)."""
    found = {
        f"{family.name}.json": family.text().encode("utf-8")
        for maker in MAKERS
        for family in maker.families()
    }
    sums = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in found.items())
    return {**found, DIGESTS: sums.encode()}


def write(folder: Path, chapters: Path) -> list[str]:
    """Write the files, the requirements' titles beside the folder, and remove what is made no more.

    Returns the names written.
    """
    made = files()
    for old in folder.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        (folder / name).write_bytes(content)
    (folder.parent / requirement_titles.FILE).write_bytes(
        requirement_titles.render(chapters, named(made))
    )
    return [*made, requirement_titles.FILE]


def named(made: Mapping[str, bytes]) -> set[str]:
    """The ids of the requirements that the cases name."""
    tables = [json.loads(content) for name, content in made.items() if name != DIGESTS]
    return {one for table in tables for case in table["cases"] for one in case["requirements"]}
