# SPDX-License-Identifier: Apache-2.0
"""Tables of ratings in many shapes, read, and trained on by the oracle."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from ppmf import main
from ppmf.data import rating_tables
from ppmf.data.columns import BY_USUAL_NAMES, Columns
from ppmf.data.rating_tables import Reading
from ppmf_spec.rating_files import RawRatings

RATINGS = "userId,movieId,rating\n1,2,4\n1,10,3\n2,2,5\n2,10,1\n"
LONG = "x" * 131_073
"""One character more than the csv module takes unless it is told otherwise."""


def stars(raw: RawRatings) -> list[tuple[str, str, Fraction]]:
    return list(zip(raw.users, raw.items, raw.values, strict=True))


def read(path: Path, columns: str = "", separator: str | None = None) -> RawRatings:
    chosen = Columns.parse(columns) if columns else BY_USUAL_NAMES
    return rating_tables.read(path, Reading(chosen, separator), lambda line: None)


def run(folder: Path, *arguments: str) -> int:
    """The oracle on a toy parameter set; `folder/out.json` is its result."""
    (folder / "small.toml").write_text("rank = 2\niterations = 2\n")
    params, out = str(folder / "small.toml"), str(folder / "out.json")
    return main.main(["oracle", *arguments, "--params", params, "--out", out])


def items(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "out.json").read_text())["items"]
    return found
