# SPDX-License-Identifier: Apache-2.0
"""All files of vectors, and the list of their digests."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from ppmf_conformance import requirement_titles
from ppmf_conformance.cases import DIGESTS
from tools.vectors import (
    base_transfers,
    building_blocks,
    chunked_runs,
    enrolment,
    interrupted_runs,
    lattice,
    link,
    messages,
    netlists,
    params,
    party_runs,
    ranked_runs,
    ratings,
    resumed_runs,
    sessions_and_uploads,
    steps,
    traces,
    training,
    user_side,
    words,
)

WITHDRAWN = Path(__file__).with_name("withdrawn.toml")

MAKERS = (
    params,
    ratings,
    words,
    steps,
    training,
    user_side,
    messages,
    sessions_and_uploads,
    enrolment,
    link,
    base_transfers,
    building_blocks,
    netlists,
    lattice,
    resumed_runs,
    party_runs,
    ranked_runs,
    chunked_runs,
    interrupted_runs,
    traces,
)


def withdrawn() -> dict[str, str]:
    """By the id of a vector that is no longer made, the reason (PPMF-CON-020)."""
    found: dict[str, str] = tomllib.loads(WITHDRAWN.read_text(encoding="utf-8"))
    return found


def files() -> dict[str, bytes]:
    """Content by file name, DIGESTS last (PPMF-CON-020, -022, -023).

    Raises AssertionError if a vector is given the id of one that was withdrawn.
    """
    families = [family for maker in MAKERS for family in maker.families()]
    again = withdrawn().keys() & {case["id"] for family in families for case in family.cases}
    assert not again, f"{', '.join(sorted(again))}: withdrawn, and not to be given again"
    found = {f"{family.name}.json": family.text().encode("utf-8") for family in families}
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
