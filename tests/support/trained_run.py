# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: where one run of `ppmf train` left its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TEST_KEYS = ("--suite", "paillier-512-insecure", "--insecure-test-keys")


@dataclass(frozen=True, slots=True)
class Run:
    """The files of one run: ratings and parameters it was given, the folder of its results."""

    ratings: Path
    params: Path
    out: Path
