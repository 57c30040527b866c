# SPDX-License-Identifier: Apache-2.0
"""Message-sequence diagrams as SVG: three lifelines, arrows, loops, boxes.

A drawing is as wide as a phone, so that its letters need not shrink there. Colours come from the
page's theme (`_static/ppmf.css`), so that one drawing serves light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from ppmf_docs.diagram_rows import Arrow, Loop
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

WIDTH = 360
LANES = {USERS: 34, RECSYS: 122, CSP: 326}
NAMES = {USERS: "users", RECSYS: "RecSys", CSP: "CSP"}
TOP, STEP, BAND, PAD = 34, 40, 26, 8


@dataclass(frozen=True, slots=True)
class Band:
    """The name of what follows, across the drawing."""

    title: str


@dataclass(frozen=True, slots=True)
class Box:
    """A part that is drawn elsewhere: its lines, over the servers' lifelines."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows that are repeated, in a frame with a label."""

    label: str
    rows: tuple[Arrow, ...] | tuple[Box, ...]


Row = Arrow | Loop | Band | Box | Frame


def sequence(title: str, rows: Iterable[Row], *, faded: Sequence[str] = ()) -> str:
    """The diagram; the lifelines of the parties `faded` take no part in it."""
    body: list[str] = []
    y = TOP + PAD
    for row in rows:
        y = _row(body, row, y)
    height = y + PAD
    lanes = [_lane(party, height, party in faded) for party in LANES]
    return (
        f'<svg class="sequence" viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(lanes)}{''.join(body)}</svg>"
    )


def _row(body: list[str], row: Row, y: int) -> int:
    """Draw a row from y on; returns the y at which it ends."""
    if isinstance(row, Arrow):
        return _arrow(body, row, y)
    if isinstance(row, Band):
        body.append(f'<line class="rule" x1="4" x2="{WIDTH - 4}" y1="{y + 8}" y2="{y + 8}"/>')
        body.append(_text(WIDTH // 2, y + 12, row.title, "band"))
        return y + BAND
    if isinstance(row, Box):
        return _box(body, row, y)
    inner: tuple[Arrow, ...] | tuple[Box, ...]
    if isinstance(row, Loop):
        label, inner, rounds = f"{row.times} times", row.arrows, row.times
    else:
        label, inner, rounds = row.label, row.rows, 1
    inside: list[str] = []
    end = y + 20
    for part in inner:
        end = (
            _box(inside, part, end) if isinstance(part, Box) else _arrow(inside, part, end, rounds)
        )
    left = 6 if any(_touches_users(part) for part in inner) else LANES[RECSYS] - 30
    body.append(
        f'<rect class="frame" x="{left}" y="{y}" width="{WIDTH - left - 4}" '
        f'height="{end - y}" rx="4"/>'
    )
    body.append(_text(left + 6, y + 13, label, "loop"))
    body.extend(inside)
    return end + PAD


def _touches_users(row: Arrow | Box) -> bool:
    return isinstance(row, Arrow) and USERS in (row.first.sender, row.first.receiver)


def _arrow(body: list[str], arrow: Arrow, y: int, rounds: int = 1) -> int:
    first = arrow.first
    start, end = LANES[first.sender], LANES[first.receiver]
    line = y + 18
    times = f" × {arrow.times // rounds}" if arrow.times > rounds else ""
    left, right = min(start, end), max(start, end)
    middle = (LANES[RECSYS] + LANES[CSP]) // 2
    at, anchor = (middle, "") if left == LANES[RECSYS] else (left + 6, " start")
    body.append(_text(at, line - 5, first.name + times, "message" + anchor))
    body.append(f'<line class="arrow" x1="{left}" x2="{right}" y1="{line}" y2="{line}"/>')
    for lane, there in ((right, end == right), (left, end == left)):
        if there or arrow.both_ways:
            toward = -7 if lane == right else 7
            points = f"{lane},{line} {lane + toward},{line - 4} {lane + toward},{line + 4}"
            body.append(f'<polygon class="head" points="{points}"/>')
    body.append(_text(at, line + 13, _detail(arrow), "detail" + anchor))
    return y + STEP


def _detail(arrow: Arrow) -> str:
    sizes = sorted({len(sent.data) for sent in arrow.sent})
    size = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    ways = "each way " if arrow.both_ways else ""
    return f"{ways}{size} B, {classes(arrow)}"


def classes(arrow: Arrow) -> str:
    """The classes of a message's fields; `public` only if there is no other."""
    found = dict.fromkeys(of_class for _, of_class, _ in arrow.first.fields)
    return ", ".join(name for name in found if name != "public") or "public"


def _box(body: list[str], box: Box, y: int) -> int:
    height = 14 * len(box.lines) + 8
    left, right = LANES[RECSYS] - 16, LANES[CSP] + 16
    body.append(
        f'<rect class="box" x="{left}" y="{y}" width="{right - left}" height="{height}" rx="4"/>'
    )
    for number, line in enumerate(box.lines):
        style = "within message" if number == 0 else "within detail"
        body.append(_text((left + right) // 2, y + 16 + 14 * number, line, style))
    return y + height + PAD


def _lane(party: Role, height: int, faded: bool) -> str:
    x = LANES[party]
    style = " faded" if faded else ""
    line = f'<line class="lane{style}" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{height}"/>'
    return line + _text(x, TOP - 14, NAMES[party], "party" + style)


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'
