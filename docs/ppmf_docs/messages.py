# SPDX-License-Identifier: Apache-2.0
"""The page "Message by message": diagrams and tables of one recorded training."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields

from ppmf_docs.computed import Svg
from ppmf_docs.diagram_rows import folded, shape
from ppmf_docs.sequence_diagram import Band, Box, Frame, Row, sequence
from ppmf_docs.tables import count, table
from ppmf_docs.toy_training import SUITE, Sent, Training, recorded
from ppmf_spec.roles import CSP, RECSYS, USERS
from ppmf_spec.wire import MESSAGES

ITERATIONS = 3
"""The least with an iteration that is neither the first nor the last."""

PREPARATION = ("keys", "upload", "set-up")


def training() -> Training:
    """The training whose messages the page shows."""
    return recorded(ITERATIONS)


def part(chosen: Callable[[Sent], bool]) -> list[Sent]:
    """The messages of the training that are chosen, in order."""
    return [sent for sent in training().sent if chosen(sent)]


def preparation() -> list[Sent]:
    """Everything before the first half-step."""
    return part(lambda sent: sent.phase in PREPARATION)


def half_step(number: int) -> list[Sent]:
    """The messages of a half-step; even numbers are on the users, from 0."""
    return part(
        lambda sent: sent.half_step == number and sent.phase not in (*PREPARATION, "output")
    )


def opening() -> list[Sent]:
    """The messages after the last half-step."""
    return part(lambda sent: sent.phase == "output")


def size() -> str:
    """The size of the recorded training, in words."""
    found = training().parameters
    return f"3 users, 3 items, rank {found.rank} with biases, T = {found.iterations}, suite {SUITE}"


def overview() -> Svg:
    """The whole run in one drawing."""
    uploads = part(lambda sent: sent.phase in ("keys", "upload"))
    set_up = part(lambda sent: sent.phase == "set-up")
    sides = ((0, "half-step on the users"), (1, "half-step on the items"))
    steps = tuple(
        Box(
            (
                title,
                f"{_several([half_step(2 * t + side) for t in range(ITERATIONS)])}",
            )
        )
        for side, title in sides
    )
    rows: list[Row] = [
        *folded(uploads),
        Box(("set-up", _weight(set_up))),
        Frame(f"T = {ITERATIONS} times", steps),
        *folded(opening()),
    ]
    return Svg(sequence("A whole run", rows))


def set_up() -> Svg:
    """Keys, uploads, set-up, message by message."""
    return Svg(sequence("Set-up", _by_phase(preparation())))


def on_users() -> Svg:
    """A half-step on the users that is neither of the first nor of the last iteration."""
    return _half_step_drawn(2)


def on_items() -> Svg:
    """A half-step on the items that is neither of the first nor of the last iteration."""
    return _half_step_drawn(3)


def output() -> Svg:
    """The end: the last half-step's updates, and the only opening."""
    last = [sent for sent in half_step(2 * ITERATIONS - 1) if sent.phase == "updates"]
    rows: list[Row] = [Band("updates, of the last half-step"), *folded(last)]
    rows += [Band("output"), *folded(opening())]
    return Svg(sequence("Output", rows, faded=[USERS]))


def iterations_alike() -> str:
    """How the half-steps of a run differ in their messages, and that nothing else differs."""
    rows = []
    for number in range(2 * ITERATIONS):
        sent = half_step(number)
        alike = [n + 1 for n in range(number) if shape(half_step(n)) == shape(sent)]
        rows.append(
            [
                str(number + 1),
                "users" if number % 2 == 0 else "items",
                str(len(sent)),
                *(count(sum(len(s.data) for s in sent if s.sender == by)) for by in (RECSYS, CSP)),
                f"half-step {alike[0]}" if alike else "none before",
            ]
        )
    headings = ["half-step", "on", "messages", "bytes of RecSys", "bytes of CSP", "shaped like"]
    return table(headings, rows, right=(0, 2, 3, 4))


def all_messages() -> str:
    """Every type of message: what it is, its ways, and what the recorded training sent of it."""
    rows = []
    for name, kind in MESSAGES.items():
        sent = part(lambda one, name=name: one.name == name)  # type: ignore[misc]
        about = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
        ways = "<br>".join(f"{sender} → {receiver}" for sender, receiver in kind.routes)
        classes = "<br>".join(
            f"`{field.name}`: {field.metadata['class']}" for field in fields(kind)
        )
        sizes = sorted({len(one.data) for one in sent})
        each = "" if not sizes else count(sizes[0])
        if len(sizes) > 1:
            each += f" to {count(sizes[-1])}"
        total = count(sum(len(one.data) for one in sent))
        rows.append([f"`{name}`", about, ways, classes, str(len(sent)), each, total])
    headings = ["message", "what it is", "way", "fields and their classes", "sent"]
    return table([*headings, "bytes each", "bytes in all"], rows, right=(4, 5, 6))


def totals() -> str:
    """Messages and bytes of the whole recorded training."""
    sent = training().sent
    return f"{len(sent)} messages, {count(sum(len(one.data) for one in sent))} bytes"


def _half_step_drawn(number: int) -> Svg:
    side = "users" if number % 2 == 0 else "items"
    return Svg(sequence(f"A half-step on the {side}", _by_phase(half_step(number)), faded=[USERS]))


def _by_phase(sent: Sequence[Sent]) -> list[Row]:
    """The messages of each phase together, although a server that need not wait goes on to the next
    phase before the other one has ended.
    """
    rows: list[Row] = []
    for phase in dict.fromkeys(one.phase for one in sent):
        rows += [Band(phase), *folded([one for one in sent if one.phase == phase])]
    return rows


def _weight(sent: Sequence[Sent]) -> str:
    return f"{len(sent)} messages, {count(sum(len(one.data) for one in sent))} B"


def _several(parts: Sequence[Sequence[Sent]]) -> str:
    numbers = sorted({len(sent) for sent in parts})
    weights = sorted({sum(len(one.data) for one in sent) for sent in parts})
    return f"{numbers[0]} to {numbers[-1]} messages, {count(weights[0])} to {count(weights[-1])} B"
