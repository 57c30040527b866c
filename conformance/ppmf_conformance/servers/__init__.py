# SPDX-License-Identifier: Apache-2.0
"""Checks of a running server, by its address, against the users' interface of chapter 8.

Begin with `CHECKS` and `look`; the checks themselves are in `public_checks` and `upload_checks`.
`target` is the server and what of it is asked for once, `calls` carries the calls, `judged` says
what every answer has to be. Nothing here knows how the server is written; uploads and sessions are
made and read by `ppmf_conformance.adapters.server_user`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ppmf_conformance.servers import public_checks, upload_checks
from ppmf_conformance.servers.calls import NoAnswerError
from ppmf_conformance.servers.judged import NotSeenError, WrongError
from ppmf_conformance.servers.target import Target

MOST_SILENT = 3
"""After so many checks in succession without an answer a server is given up."""


class Seen(StrEnum):
    """What came of a check."""

    YES = "yes"
    NO = "no"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. requirements: of chapter 8, which it looks at (PPMF-CON-052).

    locks: whether the server may refuse the caller's address for some minutes afterwards.
    """

    name: str
    requirements: tuple[str, ...]
    run: Callable[[Target], None]
    locks: bool = False

    @property
    def what(self) -> str:
        """What is looked at, in one sentence."""
        return " ".join((self.run.__doc__ or "").split()).rstrip(".")


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check; `detail` says what is wrong, or why nothing was seen."""

    check: Check
    seen: Seen
    detail: str


def _check(name: str, numbers: str, run: Callable[[Target], None], *, locks: bool = False) -> Check:
    ids = tuple(f"PPMF-{number}" for number in numbers.split())
    return Check(name, ids, run, locks)


CHECKS: Sequence[Check] = (
    _check("health", "API-003", public_checks.health),
    _check("sessions", "API-011", public_checks.sessions),
    _check("unknown-paths", "API-003 API-004", public_checks.unknown_paths),
    _check("operators-paths", "API-003 API-019", public_checks.operators_paths),
    _check("unknown-sessions", "API-003 API-004", public_checks.unknown_sessions),
    _check("other-methods", "API-003 API-004", public_checks.other_methods),
    _check("heads", "API-022", public_checks.heads),
    _check("session-file", "API-010 SES-013", public_checks.session_file),
    _check("csps-file", "API-010", public_checks.csps_file),
    _check("csps-paths", "API-003 API-004", public_checks.csps_paths),
    _check("status", "API-014 SRV-004", public_checks.status),
    _check("profiles", "API-015", public_checks.item_profiles),
    _check("page", "PAGE-004", public_checks.page),
    _check("no-rows", "API-003 API-004", public_checks.no_rows),
    _check("own-receipt", "API-013", upload_checks.own_receipt),
    _check("first-upload", "API-006 API-013 SRV-010", upload_checks.first_upload),
    _check("the-same-again", "API-005 SRV-010", upload_checks.the_same_again),
    _check("older-serials", "API-006 SRV-010", upload_checks.older_serials),
    _check("wrong-bodies", "API-006 API-004", upload_checks.wrong_bodies),
    _check("other-media-types", "API-006", upload_checks.other_media_types),
    _check("said-too-long", "API-007", upload_checks.said_too_long),
    _check("found-too-long", "API-007", upload_checks.found_too_long),
    _check("wrong-withdrawals", "API-016 SRV-011", upload_checks.wrong_withdrawals),
    _check("withdrawals", "API-005 API-016 SRV-011", upload_checks.withdrawals),
    _check("methods-of-uploads", "API-003 API-022", upload_checks.methods_of_uploads),
    _check("after-the-closing", "API-012 SRV-012", upload_checks.after_the_closing),
    _check("the-last-again", "API-005 SRV-010 SRV-011", upload_checks.the_last_again),
    _check("erased-digests", "API-013 SRV-013", upload_checks.erased_digests),
    _check("no-tokens", "API-002 API-004", public_checks.no_tokens),
    _check("body-of-nobody", "API-002 API-007", public_checks.body_of_nobody),
    _check("other-rows", "API-002 API-004", upload_checks.other_rows),
    _check("too-many", "API-008 API-009", public_checks.too_many, locks=True),
)
"""All checks, in the order in which they are made. Those that send wrong tokens, which a server may
count against the caller's address, come after the others; one that locks it out comes last.
"""


def look(target: Target, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """Make checks; each one's finding as soon as it is known. One that finds a fault, or gets no
    answer, costs no other one, but for a server that is silent again and again (PPMF-CON-050).
    """
    silent = 0
    for check in checks:
        if silent == MOST_SILENT:
            yield Finding(check, Seen.NOT_SEEN, "the server gave no answers before")
            continue
        try:
            check.run(target)
        except NotSeenError as reason:
            yield Finding(check, Seen.NOT_SEEN, str(reason))
        except WrongError as fault:
            yield Finding(check, Seen.NO, str(fault))
        except NoAnswerError as fault:
            silent += 1
            yield Finding(check, Seen.NO, str(fault))
            continue
        else:
            yield Finding(check, Seen.YES, "")
        silent = 0


def exit_status(findings: Sequence[Finding]) -> int:
    """0 if all that was seen is right, 1 if something is wrong, 5 if nothing was seen."""
    seen = {one.seen for one in findings}
    if Seen.NO in seen:
        return 1
    return 0 if Seen.YES in seen else 5
