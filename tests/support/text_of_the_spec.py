# SPDX-License-Identifier: Apache-2.0
"""The chapters of the specification, cut into what a test asks for."""

from __future__ import annotations

import re
from pathlib import Path

SPEC = Path(__file__).resolve().parents[2] / "spec"
CHAPTERS = sorted(SPEC.glob("*.md"))


def prose(chapter: Path) -> str:
    """The chapter without its requirements and without fenced blocks."""
    text = chapter.read_text(encoding="utf-8")
    text = re.sub(r"^:::\{req\}.*?^:::$", "", text, flags=re.M | re.S)
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def sections(chapter: Path) -> dict[str, str]:
    """Each section by its heading, `##` or `###`, up to the next heading."""
    parts = re.split(r"^##+ (.+)$", chapter.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
