# SPDX-License-Identifier: Apache-2.0
"""The vectors: reading them, checking them against their schema and digest, choosing among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ppmf_conformance import json_text, schema
from ppmf_conformance.visible_text import visible
from ppmf_spec.errors import EncodingError, RangeError

DIGESTS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Case:
    """One vector. `given` is its `in`; all numbers in it are strings (PPMF-CON-003).

    content: the SHA-256 of what is put and what is due (PPMF-CON-047).
    """

    id: str
    family: str
    op: str
    requirements: tuple[str, ...]
    level: str
    features: frozenset[str]
    flags: tuple[str, ...]
    comment: str
    given: dict[str, Any]
    steps: dict[str, Any]
    expect: dict[str, Any]
    source: dict[str, Any]
    content: str = ""

    @classmethod
    def of(cls, family: str, table: dict[str, Any]) -> Case:
        """A case from its JSON object, which fits the schema."""
        return cls(
            id=table["id"],
            family=family,
            op=table["op"],
            requirements=tuple(table["requirements"]),
            level=table["level"],
            features=frozenset(table["features"]),
            flags=tuple(table["flags"]),
            comment=table["comment"],
            given=table["in"],
            steps=table["steps"],
            expect=table["expect"],
            source=table["source"],
            content=table["content"],
        )


@dataclass(frozen=True, slots=True)
class Vectors:
    """All cases in order, and `digest`, which is SHA-256 of the list of files (PPMF-CON-021)."""

    cases: tuple[Case, ...]
    digest: str

    def pick(self, patterns: Sequence[str]) -> tuple[Case, ...]:
        """The cases whose id matches one of the globs; all of them without globs."""
        if not patterns:
            return self.cases
        return tuple(case for case in self.cases if any(matches(case.id, p) for p in patterns))


def matches(case_id: str, pattern: str) -> bool:
    """Whether a glob (`*`, `?`, `[…]`, case counts, `*` crosses `/`) is the whole id."""
    return fnmatchcase(case_id, pattern)


@cache
def shipped() -> Vectors:
    """The vectors that come with the suite.

    Whoever made them looked at their form (`load`): here only their digests are looked at, since
    every call of the suite would otherwise wait two seconds for it.
    """
    return _read(files(__package__) / "vectors", _as_it_is)


def load(folder: Path | Traversable) -> Vectors:
    """The vectors of a folder (PPMF-CON-020, -021).

    Raises EncodingError for a file that does not fit the schema or its digest, and RangeError for
    an id that occurs twice or is not of its family.
    """
    return _read(folder, _check_form)


def _as_it_is(name: str, table: Any) -> None:
    """Accept a file."""


def _check_form(name: str, table: Any) -> None:
    """Raise EncodingError for a file that does not fit the schema or the hashes in it."""
    wrong = schema.faults(table, schema.named("vectors"))
    if wrong:
        raise EncodingError(f"{name}: {wrong[0]}")
    for case in table["cases"]:
        if content_hash(case) != case["content"]:
            raise EncodingError(f"{case['id']}: not the content that its hash is of")


def _read(folder: Path | Traversable, check: Callable[[str, Any], None]) -> Vectors:
    """The vectors of a folder, whose files `check` looks at, once their digests are right."""
    listed = digests(folder)
    cases: list[Case] = []
    for name, digest in listed.items():
        content = (folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise EncodingError(f"{name}: not the vectors that {DIGESTS} lists")
        table = json_text.loads(content, name)
        check(name, table)
        cases += (Case.of(table["family"], case) for case in table["cases"])
    _check_ids(cases)
    text = "".join(f"{digest}  {name}\n" for name, digest in listed.items())
    return Vectors(tuple(cases), hashlib.sha256(text.encode()).hexdigest())


def content_hash(table: Mapping[str, Any]) -> str:
    """The content hash of a vector: SHA-256 of the JSON text of a list of its `op`, `in`, `steps`
    and `expect`, without blanks (PPMF-CON-047).
    """
    told = [table[name] for name in ("op", "in", "steps", "expect")]
    return hashlib.sha256(json_text.line(told).encode()).hexdigest()


def digests(folder: Path | Traversable) -> dict[str, str]:
    """The SHA-256 of each file of vectors, by its name, from the list that `sha256sum -c` reads."""
    try:
        lines = (folder / DIGESTS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise EncodingError(f"{folder}: no vectors here ({error.strerror})") from None
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def features_of(cases: Iterable[Case]) -> frozenset[str]:
    """The features that some case asks for."""
    return frozenset(feature for case in cases for feature in case.features)


def unknown_features(declared: Iterable[str], asked: frozenset[str]) -> list[str]:
    """A line for each declared feature that is not among those `asked` for, with the nearest that
    is (PPMF-CON-025).
    """
    lines = []
    for name in sorted(set(declared) - asked):
        near = get_close_matches(name, sorted(asked), n=1)
        meant = f"; is {near[0]} meant?" if near else ""
        lines.append(visible(f"no case asks for the feature {name}{meant}"))
    return lines


def _check_ids(cases: Iterable[Case]) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise RangeError(f"{case.id}: two cases of this id")
        if case.id.partition("/")[0] != case.family:
            raise RangeError(f"{case.id}: in the family {case.family}")
        seen.add(case.id)


def files_of_vectors(patterns: Sequence[str] = ()) -> dict[str, bytes]:
    """The content of every file that is needed to use the vectors without this suite, by name.

    With globs, only the cases whose id matches one of them, and a list of files that fits.
    """
    here = files(__package__)
    names = [*digests(here / "vectors"), DIGESTS]
    found = {name: (here / "vectors" / name).read_bytes() for name in names}
    for schema_file in ("vectors.schema.json", "protocol.schema.json"):
        found[schema_file] = (here / "schemas" / schema_file).read_bytes()
    if patterns:
        for name in names[:-1]:
            part = _part(found.pop(name), patterns)
            if part:
                found[name] = part
        found[DIGESTS] = "".join(
            f"{hashlib.sha256(found[name]).hexdigest()}  {name}\n"
            for name in names[:-1]
            if name in found
        ).encode()
    return found


def _part(content: bytes, patterns: Sequence[str]) -> bytes:
    """A file of vectors with some of its cases alone, in the same layout; empty without any."""
    *head, first = content.split(b"\n  {", 1)[0].split(b"\n")
    table = json_text.loads(content, DIGESTS)
    picked = [c for c in table["cases"] if any(matches(c["id"], p) for p in patterns)]
    if not picked:
        return b""
    lines = ",\n".join(f"  {json_text.line(case)}" for case in picked)
    return b"\n".join([*head, first]) + f"\n{lines}\n ]\n}}\n".encode()
