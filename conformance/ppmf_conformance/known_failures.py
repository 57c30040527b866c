# SPDX-License-Identifier: Apache-2.0
"""The list of known failures, which is strict so that it stays true (PPMF-CON-014).

A line is a glob of case ids, spaces or tabs, and the reason; a line that begins with `#`, after
blanks or without, is a comment. The first glob that
matches a case is the one that excuses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ppmf_conformance.cases import Case, matches
from ppmf_spec.errors import EncodingError
from ppmf_spec.files import read_text


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A glob of cases that are known to fail, and the reason."""

    pattern: str
    reason: str


def read(path: Path) -> tuple[KnownFailure, ...]:
    """The list in a file. Raises EncodingError, with FILE:LINE, for an entry without a reason."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match line.split(maxsplit=1):
            case [pattern, reason]:
                found.append(KnownFailure(pattern, reason.strip()))
            case _:
                raise EncodingError(
                    f"{path}:{number}: a known failure needs a pattern and a reason"
                )
    return tuple(found)


def reason(case_id: str, known: Iterable[KnownFailure]) -> str | None:
    """The reason why a case is known to fail; None if it is not on the list."""
    return next((one.reason for one in known if matches(case_id, one.pattern)), None)


def dead(known: Iterable[KnownFailure], cases: Iterable[Case]) -> tuple[str, ...]:
    """The patterns that match none of the cases."""
    ids = [case.id for case in cases]
    return tuple(
        one.pattern for one in known if not any(matches(name, one.pattern) for name in ids)
    )
