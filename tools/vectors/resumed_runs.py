# SPDX-License-Identifier: Apache-2.0
"""Vectors of chapter 4, "Interruption": the checkpoint from which two servers go on."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.resumed_runs import OPERATIONS
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream


def families() -> list[Family]:
    """The family `resumption`."""
    family = Family("resumption", "The checkpoint that two servers have in common.", OPERATIONS)
    draw = LabelledStream("resumption/lineages")
    one, two = draw.bytes(32), draw.bytes(32)

    def name(iterations: int, lineage: bytes) -> bytes:
        return iterations.to_bytes(8, "little") + lineage

    def add(slug: str, comment: str, held: Any, received: bytes, **more: Any) -> None:
        given = {
            "last": more.pop("last", 0),
            "received_last": more.pop("received_last", 0),
            "held": [[str(iterations), lineage] for iterations, lineage in held],
            "received": received,
        }
        needed = more.pop("requirements", "RES-003 RES-007")
        family.add(slug, "resume.agree", needed, comment, given, seed=draw.label, **more)

    both = [(3, one), (4, one)]
    sent = name(3, one) + name(4, one)
    add("same", "both hold the same two: the newer one", both, sent)
    add("behind", "the peer is an iteration behind", both, name(2, one) + name(3, one))
    add("ahead", "the peer is an iteration ahead", both, name(4, one) + name(5, one))
    unlucky = {"flags": "positive unlucky"}
    add("none", "the peer holds nothing: the public start", both, b"", **unlucky)
    add("nothing-held", "this server holds nothing", [], sent, **unlucky)
    add("neither", "neither holds any", [], b"", **unlucky)
    add(
        "lineages",
        "both finished iteration 4, in two epochs: iteration 3 is common",
        both,
        name(3, one) + name(4, two),
        requirements="RES-003 RES-007 RES-014",
        **unlucky,
    )
    add("other-lineage", "nothing of one lineage", both, name(3, two) + name(4, two), **unlucky)
    add("bytes", "256 iterations are more than 3", [(256, one), (3, one)], name(3, one), **unlucky)
    add(
        "not-by-bytes",
        "the last byte of the number is the highest",
        [(256, one), (255, one)],
        name(255, one) + name(256, one),
        **unlucky,
    )
    for slug, comment, last, received_last in (
        ("epochs-equal", "both kept epoch 6", 6, 6),
        ("epochs-mine", "this server kept one more epoch", 7, 6),
        ("epochs-theirs", "the peer kept three more epochs", 6, 9),
        ("epochs-most", "the largest number that the peer may have kept", 0, 2**63 - 1),
    ):
        kept = {"last": last, "received_last": received_last, "requirements": "RES-016"}
        add(slug, comment, both, sent, **kept, **unlucky)
    kept = {"received_last": 2**63, "requirements": "RES-016"}
    add("epochs-gone", "no number would be left", both, sent, **kept, refuse="range")
    for slug, comment, received, requirements in (
        ("cut", "a byte too few", sent[:-1], "RES-003 ERR-003"),
        ("more", "a byte too many", sent + b"\0", "RES-003 ERR-003"),
        ("three", "three names", sent + name(5, one), "RES-010"),
        ("descending", "the names in descending order", name(4, one) + name(3, one), "RES-014"),
        ("equal", "two of one iteration", name(4, one) + name(4, two), "RES-014"),
        ("twice", "one name twice", 2 * name(4, one), "RES-014"),
    ):
        add(slug, comment, both, received, requirements=requirements, refuse="encoding")
    return [family]
