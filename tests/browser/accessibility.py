# SPDX-License-Identifier: Apache-2.0
"""What axe-core finds on a page as it is shown, and whether the page is wider than the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(tab: Page, rules: Sequence[str] = ()) -> list[str]:
    """A line for each rule that the page breaks, with the elements. rules: those that are looked
    at, if not all.
    """
    if not tab.evaluate("() => 'axe' in window"):
        tab.evaluate(AXE.read_text(encoding="utf-8"))
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _TAGS}
    found: dict[str, Any] = tab.evaluate(
        "only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only
    )
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:120] for node in rule['nodes'][:3]]}"
        for rule in found["violations"]
    ]


def covered(tab: Page) -> float:
    """Which part of the screen is covered by what stays where it is when the page is scrolled."""
    part: float = tab.evaluate(
        """() => [...document.querySelectorAll("body *")]
          .filter((one) => ["sticky", "fixed"].includes(getComputedStyle(one).position))
          .filter((one) => one.checkVisibility() && !one.matches("dialog, .skip"))
          .map((one) => one.getBoundingClientRect().height / innerHeight)
          .reduce((sum, part) => sum + part, 0)"""
    )
    return part


def too_wide(tab: Page) -> int:
    """By how many pixels the page is wider than what shows it."""
    wide: int = tab.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide
