# SPDX-License-Identifier: Apache-2.0
"""`ppmf audit`: checks of three recorded transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console
from ppmf_audit import Finding, audit

_OUTCOME = {True: "ok", False: "FAILED"}


def audit_transcripts(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The folder of the folders of users, recsys and csp, each with its transcript.",
            show_default=False,
        ),
    ],
    as_json: console.Json = False,
) -> None:
    """Check that transcripts contain only ciphertexts.

    Every field must be of a known class; what was sent must have been received; ciphertexts must
    be valid, fresh and of fixed width; masked, transfer and table bytes must look uniform (a
    faultless run is accused with probability below 2^-30). Runs of equal sizes must show the same
    sequence of lengths, whatever the ratings. Exit status 1 if a check fails.

    Examples:
      ppmf audit run/transcripts
      ppmf audit run/transcripts --json
    """
    findings = audit(folder)
    failed = [one for one in findings if not one.ok]
    if as_json:
        checks = [asdict(one) for one in findings]
        console.put_json("audit", {"held": not failed, "checks": checks})
        raise typer.Exit(1 if failed else 0)
    show(findings)
    console.say()
    if failed:
        console.say(f"{len(failed)} of {len(findings)} checks FAILED", style="bold red")
        raise typer.Exit(1)
    console.say(f"all {len(findings)} checks held")


def show(findings: Sequence[Finding]) -> None:
    """The findings as a table."""
    console.table(
        ["", "check", "seen"], [[_OUTCOME[one.ok], one.check, one.detail] for one in findings]
    )
