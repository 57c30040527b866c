# SPDX-License-Identifier: Apache-2.0
"""The page of the worked transcript: it shows the data, and the data is that of the example."""

from __future__ import annotations

import re
from pathlib import Path

from ppmf_conformance.adapters import transcripts
from ppmf_docs import toy_training, transcript_page
from tools import worked_transcript

PAGE = Path(__file__).resolve().parents[2] / "docs" / "transcript.md"


def rows(markdown: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in markdown.strip().splitlines()[2:]
    ]


def test_the_run_is_that_of_the_worked_example() -> None:
    assert worked_transcript.PARAMETERS == toy_training.PARAMETERS
    ours, theirs = worked_transcript.ratings(), toy_training.RATINGS
    assert (ours.users, ours.items) == (theirs.users, theirs.items)
    for name in ("user", "item", "value"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()


def test_the_page_shows_every_draw_stage_and_message_once() -> None:
    table = transcripts.shipped()
    shown = rows(transcript_page.messages())
    assert len(shown) == len(table["messages"])
    assert sum(int(row[-1]) for row in shown) == sum(int(m["length"]) for m in table["messages"])
    assert len(rows(transcript_page.stages())) == len(table["stages"])
    for server, made in (("recsys", transcript_page.recsys), ("csp", transcript_page.csp)):
        drawn = {row[0].partition(",")[0] for row in rows(made())}
        names = {one["name"].partition(",")[0] for one in table["draws"][server]}
        assert names - drawn == {
            f"{what} {n}" for what in ("base secret", "candidates") for n in range(1, 128)
        }
    assert [row[0] for row in rows(transcript_page.users())] == ["ann", "bob", "cyd"]
    assert len(rows(transcript_page.netlists())) == 6
    assert len(rows(transcript_page.agreement())) == 8


def test_the_first_numbers_of_a_stage_add_up() -> None:
    """Of w, whose numbers are 0 and 1, in the ring of the run."""
    (one,) = [row for row in rows(transcript_page.stages()) if row[0] == "w"]
    table = transcripts.shipped()["stages"][1]
    assert one[-1] == f"`{table['value'][0][0]}`"
    assert table["value"][0][0] in ("0", "1")


def test_the_page_says_what_the_program_prints() -> None:
    said = [str(one) for one in transcripts.replay(transcripts.shipped())]
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\w+: .* the same as recorded$", text, re.MULTILINE) == said
