# SPDX-License-Identifier: Apache-2.0
"""The programs printed in chapter 4, run as they stand there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

CHAPTER = Path(__file__).parents[2] / "spec" / "04-protocol.md"

_BLOCK = re.compile(r"^```\{code-block\} python\n:name: ([a-z-]+)\n(.*?)^```$", re.M | re.S)


@cache
def programs() -> dict[str, Any]:
    """The names that the chapter's blocks define, from top to bottom."""
    names: dict[str, Any] = {}
    for name, code in _BLOCK.findall(CHAPTER.read_text(encoding="utf-8")):
        exec(compile(code, f"{CHAPTER.name}#{name}", "exec"), names)
    return names


def circuit(kind: str, *arguments: object) -> Any:
    """The netlist that the chapter's program `kind` builds."""
    return programs()[kind](*arguments)
