# SPDX-License-Identifier: Apache-2.0
"""`ppmf conformance api`: a running server, of whoever wrote it, against chapter 8."""

from __future__ import annotations

import re
import ssl
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppmf import console, options
from ppmf_conformance import servers
from ppmf_conformance.deadline import checked
from ppmf_conformance.servers import Check, Finding, Seen
from ppmf_conformance.servers.calls import HttpCaller
from ppmf_conformance.servers.target import Target
from ppmf_conformance.visible_text import visible
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.extras import needed_by
from ppmf_spec.files import read_text

if TYPE_CHECKING:
    from ppmf_conformance.adapters.server_user import ServerUser

_MOST_INVITATION = 1 << 14
_ID = re.compile(r"[0-9a-f]{64}")


def _seconds(value: float) -> float:
    try:
        return checked(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def api(
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Under which users reach RecSys."),
    ] = None,
    csp: Annotated[
        str | None,
        typer.Option("--csp", metavar="URL", help="Under which users reach CSP."),
    ] = None,
    invitation: Annotated[
        list[str] | None,
        typer.Option(
            "--invitation",
            metavar="FILE",
            help="An invitation of a trial, or a half of it: name both; - reads standard input. "
            "The addresses in it count unless --url or --csp is given.",
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            "--session", metavar="ID", help="The session to look at; the newest open one if none."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="A check by its name; repeatable."),
    ] = None,
    lock: Annotated[
        bool,
        typer.Option(
            "--lock",
            help="Look also at what becomes of many wrong tokens: the server then refuses this "
            "machine's address for some minutes.",
        ),
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="The authority of the servers' certificates."),
    ] = None,
    deadline: Annotated[
        float,
        typer.Option("--deadline", metavar="SECONDS", callback=_seconds, help="For one answer."),
    ] = 30.0,
    as_json: console.Json = False,
) -> int:
    """Hold a running server against the users' interface of chapter 8, by its address.

    The server may be anybody's. What everybody may ask is looked at with its address alone; what
    CSP shows needs CSP's address. What a user sends needs an invitation, and is looked at in a
    session that is marked as a trial and in no other: uploads without ratings are sent, replaced
    and withdrawn, wrong ones are tried, and the last one stays. After the closing the same command
    looks at what is refused then.

    A check that is "not seen" says why, and is neither right nor wrong. Some ten wrong tokens are
    sent, which a server may count against this machine's address for a minute or more.

    Exit status: 0 all that was seen is right; 1 something is not; 2 usage; 5 nothing was seen.

    Examples:
      ppmf conformance api --url https://recsys.example
      ppmf conformance api --url https://recsys.example --csp https://csp.example --json
      ppmf conformance api --invitation from-recsys.txt --invitation from-csp.txt
      ppmf conformance api --invitation both.txt --session ID --only after-the-closing
    """
    with needed_by("`ppmf conformance api`", "secure"):
        from ppmf_conformance.adapters import server_user
    member = _member(server_user.ServerUser, invitation or [])
    if url is None and member is None:
        raise typer.BadParameter("--url or --invitation: the address of a server is due")
    known = (None, None) if member is None else member.urls
    recsys_url, csp_url = url or known[0] or "", csp or (known[1] if url is None else None)
    if session is not None and not _ID.fullmatch(session):
        raise typer.BadParameter("--session: 64 hexadecimal digits are due")
    trusted = None if ca is None else _authority(ca)
    target = Target(
        HttpCaller(recsys_url, deadline, trusted),
        server_user.read_session,
        None if csp_url is None else HttpCaller(csp_url, deadline, trusted),
        member,
        None if session is None else bytes.fromhex(session),
    )
    chosen = _chosen(only or [], lock=lock)
    findings = []
    with console.bars() as bars:
        for finding in servers.look(target, chosen):
            findings.append(finding)
            bars.show("checks", len(findings), len(chosen), finding.check.name)
    if as_json:
        _put_json(recsys_url, csp_url, target, findings)
    else:
        _show(findings)
    return servers.exit_status(findings)


def _member(kind: type[ServerUser], files: Sequence[str]) -> ServerUser | None:
    """The user of the invitation in these files; None for no files."""
    if not files:
        return None
    text = ""
    for one in files:
        options.refuse_half("--invitation", one)
        found = sys.stdin.read(_MOST_INVITATION) if one == "-" else read_text(Path(one))
        if len(found) >= _MOST_INVITATION:
            raise EncodingError(f"{one}: too long for an invitation")
        text += found + "\n"
    return kind.read(text)


def _authority(path: Path) -> ssl.SSLContext:
    path.open("rb").close()  # for the line of a file that is not there
    try:
        return ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        raise EncodingError(f"{path}: no certificates") from None


def _chosen(only: Sequence[str], *, lock: bool) -> list[Check]:
    """The checks of these names, or all; those that lock the caller out if they are asked for."""
    names = {check.name for check in servers.CHECKS}
    for one in only:
        if one not in names:
            raise RangeError(f"--only {one[:40]!a}: none of {', '.join(sorted(names))}")
    return [
        check
        for check in servers.CHECKS
        if (check.name in only if only else lock or not check.locks)
    ]


def _looked_at(target: Target) -> str | None:
    """The id of the session that the checks looked at, if there was one."""
    found = target.__dict__.get("session_id")
    return found if isinstance(found, str) else None


def _put_json(url: str, csp: str | None, target: Target, findings: Sequence[Finding]) -> None:
    told = [
        {
            "check": one.check.name,
            "what": one.check.what,
            "requirements": list(one.check.requirements),
            "seen": one.seen.value,
            "detail": one.detail or None,
        }
        for one in findings
    ]
    counts = Counter(one.seen for one in findings)
    console.put_json(
        "server-checks",
        {
            "exit": servers.exit_status(findings),
            "url": url,
            "csp": csp,
            "session": _looked_at(target),
            "counts": {one.value: counts[one] for one in Seen},
            "checks": told,
        },
    )


def _show(findings: Sequence[Finding]) -> None:
    for one in findings:
        ids = " ".join(one.check.requirements)
        typer.echo(f"{one.seen.value:8}  {one.check.name}: {one.check.what} ({ids})")
        if one.detail:
            typer.echo(f"          {visible(one.detail)}")
    counts = Counter(one.seen for one in findings)
    told = ", ".join(f"{counts[one]} {one.value}" for one in Seen)
    typer.echo(f"{len(findings)} checks: {told}")
