# SPDX-License-Identifier: Apache-2.0
"""The site's diagrams show the recorded transcripts: every message, once, in its order."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_docs import messages
from ppmf_docs.computed import Svg
from ppmf_docs.diagram_rows import Arrow, Loop, folded, shape
from ppmf_docs.toy_training import Sent, merged, recorded
from ppmf_secure.session.transcript import Record
from ppmf_spec import wire
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.messages import encoded_message

NAMESPACE = "{http://www.w3.org/2000/svg}"


def unfolded(rows: Sequence[Arrow | Loop]) -> Iterator[Sent]:
    """The messages of a diagram's rows, round by round."""
    for row in rows:
        if isinstance(row, Arrow):
            yield from row.sent
            continue
        for turn in range(row.times):
            for arrow in row.arrows:
                share = len(arrow.sent) // row.times
                yield from arrow.sent[turn * share : (turn + 1) * share]


def made_up(kinds: Sequence[tuple[bool, str, int]]) -> list[Sent]:
    """Messages between two servers that wait for each other: (from RecSys?, name, length)."""
    counts = {True: 0, False: 0}
    result = []
    for ours, name, size in kinds:
        ends = (RECSYS, CSP) if ours else (CSP, RECSYS)
        fields = (("it", "ot", size),)
        result.append(Sent(*ends, "updates", 0, b"", name, fields, counts[ours], counts[not ours]))
        counts[ours] += 1
    return result


KINDS = st.tuples(st.booleans(), st.sampled_from(["a", "b"]), st.integers(1, 2))


@given(st.lists(KINDS, max_size=12), st.integers(1, 4))
def test_folding_loses_no_message_and_keeps_the_order(
    kinds: list[tuple[bool, str, int]], times: int
) -> None:
    sent = made_up(kinds * times)
    assert list(unfolded(folded(sent))) == sent


def test_a_stretch_that_repeats_is_a_loop() -> None:
    sent = made_up([(True, "a", 1), (False, "b", 2), (False, "c", 1)] * 3)
    (loop,) = folded(sent)
    assert isinstance(loop, Loop)
    assert (loop.times, [arrow.first.name for arrow in loop.arrows]) == (3, ["a", "b", "c"])


def test_messages_alike_in_a_row_are_counted() -> None:
    (arrow,) = folded(made_up([(True, "a", 1)] * 5))
    assert isinstance(arrow, Arrow)
    assert (arrow.times, arrow.both_ways) == (5, False)


def test_an_exchange_is_one_arrow_but_an_answer_is_not() -> None:
    first, answer = made_up([(True, "a", 1), (False, "a", 1)])
    assert len(folded([first, answer])) == 2
    (arrow,) = folded([first, replace(answer, seen=0)])
    assert isinstance(arrow, Arrow)
    assert arrow.both_ways


PARTS: list[tuple[Callable[[], Svg], list[Sent]]] = [
    (messages.set_up, messages.preparation()),
    (messages.on_users, messages.half_step(2)),
    (messages.on_items, messages.half_step(3)),
]


@pytest.mark.parametrize(("drawn", "sent"), PARTS, ids=["set-up", "users", "items"])
def test_a_drawing_shows_the_transcripts_messages(
    drawn: Callable[[], Svg], sent: list[Sent]
) -> None:
    root = ElementTree.fromstring(
        drawn().source.replace("<svg ", f'<svg xmlns="{NAMESPACE[1:-1]}" ')
    )
    drawn_texts = list(root.iter(f"{NAMESPACE}text"))
    texts = [text.text or "" for text in drawn_texts]
    messages_drawn = [text for text in drawn_texts if "message" in text.get("class", "").split()]
    names = [(text.text or "").split(" × ")[0] for text in messages_drawn]
    arrows = [
        arrow
        for stretch in by_phase(sent)
        for row in folded(stretch)
        for arrow in (row.arrows if isinstance(row, Loop) else (row,))
    ]
    assert names == [arrow.first.name for arrow in arrows]
    assert len(list(root.iter(f"{NAMESPACE}polygon"))) == sum(1 + a.both_ways for a in arrows)
    for one in sent:
        assert any(f"{len(one.data):,}" in text for text in texts), one.name


def by_phase(sent: Sequence[Sent]) -> list[list[Sent]]:
    phases = list(dict.fromkeys(one.phase for one in sent))
    return [[one for one in sent if one.phase == phase] for phase in phases]


def test_the_parts_of_a_run_are_all_of_it() -> None:
    half_steps = [messages.half_step(number) for number in range(2 * messages.ITERATIONS)]
    parts = [messages.preparation(), *half_steps, messages.opening()]
    assert [one for part in parts for one in part] == list(messages.training().sent)
    assert shape(half_steps[2]) == shape(half_steps[4]) != shape(half_steps[0])


def test_every_build_records_the_same() -> None:
    again = recorded.__wrapped__(messages.ITERATIONS)
    assert [one.data for one in again.sent] == [one.data for one in messages.training().sent]


def test_every_type_of_message_is_in_the_table() -> None:
    lines = messages.all_messages().splitlines()[2:]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    sent = messages.training().sent
    assert [row[0].strip(" `") for row in rows] == list(wire.MESSAGES)
    for row, name in zip(rows, wire.MESSAGES, strict=True):
        assert row[4].strip() == str(sum(one.name == name for one in sent))
        assert len(row) == 7


def transcripts() -> dict[Role, list[Record]]:
    """Three short transcripts of one run."""
    key = encoded_message(wire.Closing, presence=b"0", seals=b"1")
    upload = encoded_message(wire.Upload, user="u", masked=b"2", sealed=b"3")
    return {
        CSP: [Record("received", RECSYS, key)],
        USERS: [Record("sent", RECSYS, upload)],
        RECSYS: [Record("received", USERS, upload), Record("sent", CSP, key)],
    }


MARKS = {party: [(0, "keys", 0), (0, "upload", 0)] for party in (CSP, USERS, RECSYS)}


def test_messages_come_in_an_order_in_which_they_can_have_been_sent() -> None:
    found = [(one.sender, one.phase) for one in merged(transcripts(), MARKS)]
    assert found == [(USERS, "upload"), (RECSYS, "upload")]


def test_transcripts_that_do_not_fit_together_are_refused() -> None:
    changed, cut = transcripts(), transcripts()
    changed[CSP][0] = Record("received", RECSYS, b"\x00")
    with pytest.raises(ValueError, match="csp received what recsys did not send"):
        list(merged(changed, MARKS))
    del cut[RECSYS][0]
    with pytest.raises(ValueError, match="not of one run"):
        list(merged(cut, MARKS))
