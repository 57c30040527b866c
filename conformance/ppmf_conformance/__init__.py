# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: any implementation, in any language, held against the specification.

`cases` reads the vectors; `target` runs an implementation's adapter as a process and speaks the
plug-in `protocol` with it; `runner` asks it every case it declares, `judge` says what is right,
`reports` write it down. Chapter 7 of the specification is the contract between them.
"""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """The suite's version: that of the distribution it comes in."""
    try:
        return metadata.version("ppmf")
    except metadata.PackageNotFoundError:
        return "source tree"
