# SPDX-License-Identifier: Apache-2.0
"""Adapters that are wrong on purpose, each in one way, to show that the suite finds the fault.

`python -m ppmf_conformance.adapters.broken_oracle NAME` runs one. Each is the oracle but for its
fault, and `FAULTS` names the case that finds it (PPMF-CON-018).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from ppmf_conformance import json_text
from ppmf_conformance.adapters import oracle, values
from ppmf_conformance.adapters.line_server import answer, introduction, serve, write
from ppmf_conformance.results import Outcome
from ppmf_reference import fixed
from ppmf_spec import ids, words
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

Call = Mapping[str, Any]


def half_even(a: int, b: int) -> int:
    """Rounding with ties to the even number, as most libraries round."""
    low, rest = divmod(a, b)
    return low + (2 * rest > b or (2 * rest == b and low % 2 == 1))


def floor(a: int, b: int) -> int:
    """Rounding down."""
    return a // b


def saturate_one_above(z: int, box_bits: int, frac_bits: int) -> int:
    """Saturation one above the range: 2^(b+f) is taken for a word of the box."""
    edge = 1 << (box_bits + frac_bits)
    return words.clamp(z, -edge, edge)


def soft_without_dead_zone(z: int, t: int) -> int:
    """A soft threshold that moves small numbers beyond zero, as ELBMF's published code does."""
    return z - t if z > 0 else z + t


def train_simultaneously(ratings: Ratings, params: Parameters) -> Any:
    """A training in which the items' half-step uses the users' rows of before the iteration."""
    users, items = fixed.start(params, ratings.n_users, ratings.n_items)
    for _ in range(params.iterations):
        moved = fixed.half_step(users, ratings.by_user(), items, params).rows
        items = fixed.half_step(items, ratings.by_item(), users, params).rows
        users = moved
    return fixed.profiles(items, ratings, params)


_gradient = fixed.gradient


def gradient_of_twice_the_ridge(row: Any, others: Any, targets: Any, params: Parameters) -> Any:
    """The half gradient with the ridge of the whole gradient."""
    right = _gradient(row, others, targets, params)
    return [g + params.ridge_int * x for g, x in zip(right, row, strict=True)]


_descend = fixed.descend
_half_step = fixed.half_step


def descend_without_inertia(x: Any, previous: Any, *rest: Any) -> Any:
    """Z of a word that always was where it is."""
    return _descend(x, x, *rest)


def descend_with_twice_the_inertia(x: Any, previous: Any, *rest: Any) -> Any:
    """Z of a word whose last move was twice as long."""
    return _descend(x, [2 * p - word for word, p in zip(x, previous, strict=True)], *rest)


def half_step_from_rest(
    rows: Any, rated: Any, other: Any, params: Parameters, previous: Any = None
) -> Any:
    """A half-step that has forgotten the last move on its side."""
    return _half_step(rows, rated, other, params)


def half_step_with_gradients_ahead(
    rows: Any, rated: Any, other: Any, params: Parameters, previous: Any = None
) -> Any:
    """A half-step whose gradients are taken where the inertia alone would bring a row, as those of
    Nesterov's method are.
    """
    scale = 2 * params.frac_bits + params.step_bits
    before = {id(row): last for row, last in zip(rows, previous or rows, strict=True)}

    def ahead(row: Any, *rest: Any) -> Any:
        moves = [
            x + (params.inertia_int * (x - p) >> scale)
            for x, p in zip(row, before.get(id(row), row), strict=True)
        ]
        return _gradient(moves, *rest)

    with patch.object(fixed, "gradient", ahead):
        return _half_step(rows, rated, other, params, previous)


def text_order(found: Any) -> tuple[str, ...]:
    """An order of ids as text, even where all are numbers."""
    return tuple(sorted(set(found), key=lambda text: text.encode("utf-8", "surrogatepass")))


def _patched(*changes: tuple[Any, str, Any]) -> Callable[[], None]:
    def run() -> None:
        with ExitStack() as stack:
            for module, name, wrong in changes:
                stack.enter_context(patch.object(module, name, wrong))
            serve(HELLO, oracle.OPERATIONS)

    return run


def _calls(on_run: Callable[[Call], None]) -> Callable[[], None]:
    """An adapter that introduces itself, and hands each call to `on_run`."""

    def run() -> None:
        for line in sys.stdin.buffer:
            call = json_text.loads(line, "call")
            if call["call"] == "hello":
                write(HELLO)
            else:
                on_run(call)

    return run


def _right(call: Call) -> None:
    write(answer(call, oracle.OPERATIONS))


def _crash(call: Call) -> None:
    if call["id"] == FAULTS["crash"].case:
        print("out of everything", file=sys.stderr, flush=True)
        os._exit(3)
    _right(call)


def _hang(call: Call) -> None:
    while call["id"] == FAULTS["hang"].case:
        time.sleep(3600)
    _right(call)


def _nothing(call: Call) -> None:
    """Answer no call."""


def _mute() -> None:
    """Read all input and write nothing, not even an introduction."""
    for _ in sys.stdin.buffer:
        pass


def _chatty(call: Call) -> None:
    if call["id"] == FAULTS["chatty"].case:
        print("computing the start …", flush=True)  # where the suite expects an answer
    _right(call)


def _accept(call: Call) -> None:
    found = answer(call, oracle.OPERATIONS)
    if found["status"] == "reject":
        found = {"seq": call["seq"], "status": "ok", "out": {}}
    write(found)


def _train(given: Call) -> Any:
    params = values.parameters(given["parameters"])
    found = train_simultaneously(values.ratings(given, params), params)
    return oracle.output_shown(found)


def _simultaneous() -> None:
    serve(HELLO, {**oracle.OPERATIONS, "train.fixed": _train})


@dataclass(frozen=True, slots=True)
class Fault:
    """A faulty adapter, the case that finds the fault, and the outcome of that case."""

    run: Callable[[], None]
    case: str
    outcome: Outcome = Outcome.FAIL


FAULTS: dict[str, Fault] = {
    "round-half-even": Fault(
        _patched((words, "round_half_up", half_even)), "words/round-five-halves"
    ),
    "round-floor": Fault(_patched((words, "round_half_up", floor)), "words/round-half"),
    "saturation-off-by-one": Fault(
        _patched((words, "saturate", saturate_one_above)), "prox/saturate-factor-12-1"
    ),
    "no-dead-zone": Fault(
        _patched((words, "soft", soft_without_dead_zone)), "prox/elastic-tau-100"
    ),
    "simultaneous": Fault(_simultaneous, "train/alternation"),
    "ridge-doubled": Fault(
        _patched((fixed, "gradient", gradient_of_twice_the_ridge)), "half-step/ridge-once"
    ),
    "inertia-dropped": Fault(
        _patched((fixed, "descend", descend_without_inertia)), "words/descend-inertia-tie"
    ),
    "inertia-doubled": Fault(
        _patched((fixed, "descend", descend_with_twice_the_inertia)), "words/descend-inertia-tie"
    ),
    "inertia-forgotten": Fault(
        _patched((fixed, "half_step", half_step_from_rest)), "train/inertia-carries-1"
    ),
    "gradient-ahead": Fault(
        _patched((fixed, "half_step", half_step_with_gradients_ahead)),
        "half-step/inertia-gradient-at-x",
    ),
    "wrong-row-order": Fault(
        _patched((ids, "canonical_order", text_order)), "ratings/order-users-integers"
    ),
    "crash": Fault(_calls(_crash), "init/seed-empty", Outcome.CRASH),
    "hang": Fault(_calls(_hang), "init/seed-utf8", Outcome.HANG),
    "silent": Fault(_calls(_nothing), "params/defaults", Outcome.HANG),
    "mute": Fault(_mute, "params/defaults", Outcome.NOT_RUN),
    "chatty": Fault(_calls(_chatty), "init/rank-1", Outcome.MALFORMED),
    "accepts-everything": Fault(_calls(_accept), "ratings/value-above"),
}

HELLO = introduction("broken on purpose", oracle.OPERATIONS)

if __name__ == "__main__":
    if sys.argv[1:] not in ([name] for name in FAULTS):
        sys.exit(f"name one fault: {', '.join(FAULTS)}")
    FAULTS[sys.argv[1]].run()
