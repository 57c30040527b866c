# SPDX-License-Identifier: Apache-2.0
"""Text of others, shown: on one line, of a bounded length, and unable to steer a terminal."""

from __future__ import annotations

MOST = 400
"""The characters of a text that are shown."""


def visible(text: str, most: int = MOST) -> str:
    """The text with an escape for each character that cannot be seen: controls, marks of
    direction, ends of lines, code points that are no characters.
    """
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most]
    )
    return f"{shown}..." if len(text) > most else shown
