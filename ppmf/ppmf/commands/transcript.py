# SPDX-License-Identifier: Apache-2.0
"""`ppmf conformance transcript`: the worked transcript, played again or copied."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from ppmf import console
from ppmf_conformance import worked
from ppmf_conformance.cases import DIGESTS
from ppmf_spec.extras import needed_by
from ppmf_spec.files import write_atomically


def transcript(
    to: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Copy the files there, to be read without Python."),
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Play the worked transcript again, or copy its files into a folder.

    The transcript is one toy run with every secret of every party: keys, seeds, offsets, masks, the
    shares after each stage, and all messages. Played again, each party gets its recorded secrets
    and its recorded inbox, and has to send the recorded bytes.

    Files:
      transcript.json   the run
      messages.json     the sequence of its messages with every length, from public sizes alone
      netlists.json     circuits, with the digests that the vectors of circuit.netlist have
      *.txt             these circuits, in Bristol Fashion
      SHA256SUMS        the digests of the files

    Examples:
      ppmf conformance transcript
      ppmf conformance transcript out && cd out && sha256sum -c SHA256SUMS
    """
    digest = hashlib.sha256(worked.read(DIGESTS)).hexdigest()
    parties: list[dict[str, Any]] | None = None
    lines = []
    if to is None:
        with needed_by("playing the transcript again"):
            from ppmf_conformance.adapters import transcripts
        replayed = list(transcripts.replay(transcripts.shipped()))
        lines = [str(one) for one in replayed]
        parties = [
            {"role": str(one.role), "messages": one.messages, "stages": one.stages}
            for one in replayed
        ]
    else:
        to.mkdir(parents=True, exist_ok=True)
        copied = worked.contents()
        for name, content in copied.items():
            write_atomically(to / name, content)
        lines = [f"{len(copied)} files, sha256 {digest}"]
    if as_json:
        folder = None if to is None else str(to)
        console.put_json(
            "conformance-transcript", {"sha256": digest, "folder": folder, "parties": parties}
        )
        return
    for line in lines:
        typer.echo(line)
