# SPDX-License-Identifier: Apache-2.0
"""Vectors of chapter 5: every message written and read, and what a receiver refuses."""

from __future__ import annotations

from typing import Any

import cbor2

from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_conformance.adapters.values import shown
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream

SESSION = bytes(range(32)).hex()
FIELDS: dict[str, dict[str, Any]] = {
    "upload": {"user": "Zoë 1", "serial": 258, "masked": 16, "sealed": 112},
    "closing": {"presence": 2, "seals": 240},
    "admission": {"admitted": 2},
    "resume": {"last": 3, "checkpoints": 40, "decision": 32},
    "server-key": {"suite": "paillier-512-insecure", "product_key": 64},
    "base-request": {"points": 300},
    "base-answer": {"point": 33},
    "encrypted-rows": {"packing": "users", "first": 7, "rows": 256},
    "product-answer": {"answer": 128},
    "transfer-columns": {"columns": 2048},
    "transfer-payload": {"payload": 31},
    "garbled-tables": {"tables": 32},
    "output-share": {"bits": 5},
}
"""The fields of a message of each name; a number, except those of `_NUMBERS`, is so many random
bytes."""


_NUMBERS = {"first", "last", "serial"}


def families() -> list[Family]:
    """The families `wire` and `numbering`."""
    wire = Family("wire", "Messages to bytes and back, and bytes that are no message.", OPERATIONS)
    _messages(wire)
    _headers(wire)
    _refused(wire)
    numbering = Family("numbering", "What is in turn, of a session, an epoch, a type.", OPERATIONS)
    _turns(numbering)
    return [wire, numbering]


def message(name: str, number: int = 0, epoch: int = 0, session: str = SESSION) -> dict[str, Any]:
    """A message of that name, its bytes drawn."""
    draw = LabelledStream(f"wire/{name}")
    fields = {
        field: value if isinstance(value, str) or field in _NUMBERS else draw.bytes(value).hex()
        for field, value in FIELDS[name].items()
    }
    found: dict[str, Any] = shown(
        {"name": name, "session": session, "epoch": epoch, "number": number, "fields": fields}
    )
    return found


def encoded(found: dict[str, Any]) -> bytes:
    """The bytes of a message."""
    return bytes.fromhex(OPERATIONS["wire.encode"](found)["bytes"])


def _messages(family: Family) -> None:
    for name in FIELDS:
        found = message(name)
        family.add(
            f"encode-{name}",
            "wire.encode",
            "WIR-001 WIR-002 WIR-006",
            "to bytes",
            found,
            seed=f"wire/{name}",
        )
        family.add(
            f"decode-{name}",
            "wire.decode",
            "WIR-001 WIR-002 WIR-006",
            "from bytes",
            {"bytes": encoded(found)},
            seed=f"wire/{name}",
        )
    share = message("output-share")
    for slug, change in (
        ("session-short", {"session": share["session"][:-2]}),
        ("session-long", {"session": share["session"] + "00"}),
        ("session-none", {"session": ""}),
        ("epoch-large", {"epoch": str(1 << 64)}),
        ("number-large", {"number": str(1 << 64)}),
        ("number-negative", {"number": "-1"}),
    ):
        family.add(
            f"encode-{slug}",
            "wire.encode",
            "CON-046",
            "no message has such a header",
            {**share, **change},
            refuse="encoding",
        )
    serial = message("upload")
    family.add(
        "encode-serial-large",
        "wire.encode",
        "CON-046",
        "no message holds such a number",
        {**serial, "fields": {**serial["fields"], "serial": str(1 << 64)}},
        refuse="encoding",
    )
    empty = {**message("transfer-payload"), "fields": {"payload": ""}}
    family.add("encode-empty", "wire.encode", "WIR-001 WIR-002", "a field of no bytes", empty)
    family.add(
        "decode-empty",
        "wire.decode",
        "WIR-001",
        "a field of no bytes",
        {"bytes": encoded(empty)},
        flags="positive unlucky",
    )


def _headers(family: Family) -> None:
    for value in (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1):
        found = message("output-share", number=value, epoch=0)
        family.add(
            f"encode-number-{value}",
            "wire.encode",
            "WIR-002 WIR-008",
            "the shortest form of an integer",
            found,
            flags="positive unlucky",
        )
        family.add(
            f"decode-number-{value}",
            "wire.decode",
            "WIR-002",
            "the same, read",
            {"bytes": encoded(found)},
            flags="positive unlucky",
        )
    for size in (23, 24, 255, 256, 65535, 65536):
        found = {**message("output-share"), "fields": {"bits": bytes(size).hex()}}
        if size < 1000:
            family.add(
                f"encode-length-{size}",
                "wire.encode",
                "WIR-002 WIR-008",
                "the shortest form of a length",
                found,
                flags="positive unlucky",
            )
        else:
            label = {"user": "u" * (size // 64), "serial": "1", "masked": "00", "sealed": "00"}
            family.add(
                f"encode-text-{size // 64}",
                "wire.encode",
                "WIR-002",
                "a long text",
                {**message("upload"), "fields": label},
                flags="positive unlucky",
            )


def _refused(family: Family) -> None:
    good = encoded(message("output-share", number=1))
    parts = ["output-share", bytes.fromhex(SESSION), 0, 1, bytes(5)]

    def bad(slug: str, comment: str, data: bytes, requirement: str = "WIR-001") -> None:
        family.add(
            f"refuse-{slug}",
            "wire.decode",
            f"WIR-003 {requirement}",
            comment,
            {"bytes": data},
            refuse="encoding",
        )

    bad("empty", "nothing", b"")
    for size in (1, 12, 13, 14, 46, 47, 48, 49, len(good) - 1):
        bad(f"cut-{size}", f"cut after {size} bytes", good[:size])
    bad("trailing", "a byte too many", good + b"\x00", "WIR-002")
    bad("twice", "two messages", good + good, "WIR-002")
    for slug, comment, value in (
        ("map", "a map", {"name": "output-share"}),
        ("text", "a text", "output-share"),
        ("short", "a field too few", parts[:-1]),
        ("long", "a field too many", [*parts, b""]),
        ("unknown", "an unknown name", ["output-shares", *parts[1:]]),
        ("name-bytes", "a name in bytes", [b"output-share", *parts[1:]]),
        ("session-31", "a session of 31 bytes", [parts[0], bytes(31), *parts[2:]]),
        ("session-text", "a session in text", [parts[0], "0" * 32, *parts[2:]]),
        ("epoch-negative", "a negative epoch", [*parts[:2], -1, *parts[3:]]),
        ("number-negative", "a negative number", [*parts[:3], -1, parts[4]]),
        ("number-bignum", "a number beyond 64 bits", [*parts[:3], 2**64, parts[4]]),
        ("number-float", "a float", [*parts[:3], 1.0, parts[4]]),
        ("number-true", "a boolean", [*parts[:3], True, parts[4]]),
        ("number-null", "null", [*parts[:3], None, parts[4]]),
        ("field-text", "text where bytes belong", [*parts[:4], "00000"]),
        ("field-list", "a list where bytes belong", [*parts[:4], [0]]),
        ("array-empty", "an empty array", []),
    ):
        bad(slug, comment, cbor2.dumps(value, canonical=True))
    odd = "a\x1b[2J\n\u202e\xe9" + "x" * 60
    family.add(
        "refuse-name-escaped",
        "wire.decode",
        "WIR-003 ERR-002 ERR-009",
        "a name with a line break, an escape sequence, a change of direction, and too long",
        {"bytes": cbor2.dumps([odd, *parts[1:]], canonical=True)},
        refuse="encoding",
        hides=("\x1b", "\n", "\u202e", "\xe9", "x" * 41),
    )
    rows = ["encrypted-rows", bytes.fromhex(SESSION), 0, 0, "users", -1, b""]
    bad("first-negative", "a negative integer field", cbor2.dumps(rows, canonical=True))
    rows[4:6] = ["user", 0]
    bad("packing", "a side that there is not", cbor2.dumps(rows, canonical=True))
    rows[4:6] = ["users", -1]
    rows[5] = 2**64
    bad("first-bignum", "an integer field beyond 64 bits", cbor2.dumps(rows, canonical=True))
    head = b"\x85\x6coutput-share\x58\x20" + bytes.fromhex(SESSION)
    tail = b"\x45" + bytes(5)
    for slug, comment, data in (
        ("long-integer", "1 in two bytes", head + b"\x00\x18\x01" + tail),
        ("long-integer-8", "1 in nine bytes", head + b"\x00\x1b" + bytes(7) + b"\x01" + tail),
        ("long-integer-23", "23 in two bytes", head + b"\x00\x18\x17" + tail),
        ("long-integer-255", "255 in three bytes", head + b"\x00\x19\x00\xff" + tail),
        ("long-integer-65535", "2^16 - 1 in five bytes", head + b"\x00\x1a\0\0\xff\xff" + tail),
        (
            "long-integer-4294967295",
            "2^32 - 1 in nine bytes",
            head + b"\x00\x1b" + bytes(4) + b"\xff" * 4 + tail,
        ),
        ("name-negative", "a negative integer before a name's letters", b"\x85\x2c" + good[2:]),
        ("name-tagged", "a tag before a name's letters", b"\x85\xcc" + good[2:]),
        ("name-simple", "a simple value before a name's letters", b"\x85\xec" + good[2:]),
        ("long-length", "a length in two bytes", head + b"\x00\x01\x58\x05" + bytes(5)),
        ("long-array", "the array's length in two bytes", b"\x98\x05" + good[1:]),
        ("indefinite-array", "an array of indefinite length", b"\x9f" + good[1:] + b"\xff"),
        ("indefinite-bytes", "bytes in pieces", head + b"\x00\x01\x5f" + tail + b"\xff"),
        (
            "indefinite-name",
            "a name in pieces",
            b"\x85\x7f\x6coutput-share\xff\x58\x20" + bytes.fromhex(SESSION) + b"\x00\x01" + tail,
        ),
        ("tag", "a tag before the array", b"\xd9\xd9\xf7" + good),
        ("tagged-integer", "a bignum of one byte", head + b"\x00\xc2\x41\x01" + tail),
        ("half-float", "a float of two bytes", head + b"\x00\xf9\x3c\x00" + tail),
        ("break", "a break alone", b"\xff"),
        ("reserved", "a length that is reserved", head + b"\x00\x1c" + tail),
        ("deep", "arrays in arrays", b"\x81" * 5000),
        ("huge", "a length beyond all memory", b"\x5b\x7f" + b"\xff" * 7),
        ("huge-array", "a number of items beyond all memory", b"\x9b\x7f" + b"\xff" * 7),
        (
            "fraction",
            "a fraction of two bignums",
            b"\xd8\x1e\x82" + 2 * (b"\xc2\x59\x03\xe8" + b"\xff" * 1000),
        ),
        (
            "decimal",
            "a decimal fraction with a large exponent",
            b"\xc4\x82\x1a\x7f" + b"\xff" * 3 + b"\x01",
        ),
        ("keys", "a map whose keys collide", _colliding_keys()),
        ("wide", "arrays beside each other", b"\x99\x03\xe8" + b"\x80" * 1000),
        (
            "nested-field",
            "an array of arrays where bytes belong",
            head + b"\x00\x01" + b"\x81" * 1000,
        ),
    ):
        bad(slug, comment, data, "WIR-002 WIR-010")
    upload = encoded(message("upload"))
    at = upload.index("Zoë".encode())
    for slug, comment, replaced in (
        ("utf8-broken", "text that is not UTF-8", b"Zo\xc3("),
        ("utf8-surrogate", "a surrogate", b"Z\xed\xa0\x80"[:4]),
        ("utf8-long", "a character in more bytes than it needs", b"Zo\xc1\xab"),
    ):
        bad(slug, comment, upload[:at] + replaced + upload[at + 4 :], "WIR-002")


def _colliding_keys() -> bytes:
    """A map of 100 integers that leave one remainder by 2^61 - 1."""
    multiples = [k * (2**61 - 1) % 2**64 for k in range(100)]
    return b"\xb8\x64" + b"".join(cbor2.dumps(key) + b"\x00" for key in multiples)


def _turns(family: Family) -> None:
    kinds = ["base-request", "base-answer", "transfer-columns"]
    good = [encoded(message(kind, number)).hex() for number, kind in enumerate(kinds)]

    def add(slug: str, comment: str, messages: list[str], due: list[str], **more: Any) -> None:
        given = {
            "session": SESSION,
            "epoch": more.pop("epoch", 0),
            "sender": "recsys",
            "receiver": "csp",
            "due": due,
            "messages": messages,
        }
        family.add(
            slug,
            "wire.receive",
            more.pop("requirements", "WIR-004 WIR-005 ERR-006"),
            comment,
            given,
            **more,
        )

    bad = {"flags": "negative", "refuse": "state"}
    add("in-turn", "three messages in their order", good, kinds)
    add("none", "nothing yet", [], [], flags="positive unlucky")
    later = [encoded(message(kind, number, epoch=1)).hex() for number, kind in enumerate(kinds)]
    add("epoch-1", "a later epoch counts anew", later, kinds, epoch=1)
    add("begins-at-1", "the first is lost", good[1:], kinds[1:], **bad)
    add("lost", "the second is lost", [good[0], good[2]], [kinds[0], kinds[2]], **bad)
    add("repeated", "the first comes twice", [good[0], good[0]], [kinds[0], kinds[0]], **bad)
    renumbered = encoded(message(kinds[1], 0)).hex()
    add(
        "old-number",
        "another message under a number that was taken",
        [good[0], renumbered],
        kinds[:2],
        requirements="WIR-004 WIR-011 ERR-006",
        **bad,
    )
    add("reordered", "two are exchanged", [good[1], good[0]], [kinds[1], kinds[0]], **bad)
    add("wrong-type", "another type is due", good[:2], [kinds[0], "product-answer"], **bad)
    add("wrong-epoch", "of an epoch to come", later[:1], kinds[:1], **bad)
    add("old-epoch", "of an epoch that is over", good[:1], kinds[:1], epoch=1, **bad)
    other = encoded(message(kinds[0], session=bytes(32).hex())).hex()
    add("wrong-session", "of another session", [other], kinds[:1], **bad)
    add(
        "broken",
        "bytes that are no message",
        [good[0], good[1][:-2]],
        kinds[:2],
        requirements="WIR-003",
        refuse="encoding",
    )
    resume = message("resume", epoch=4)
    for slug, comment, epoch, header, more in (
        ("resume", "the epoch after the last one that its sender kept", 4, 4, {}),
        ("resume-larger", "its sender kept more epochs", 2, 4, {}),
        ("resume-smaller", "its sender kept fewer epochs", 9, 4, {}),
        ("resume-of-the-receiver", "the receiver's epoch, which is not `last` + 1", 5, 5, bad),
        ("resume-of-the-last", "the epoch `last` itself", 4, 3, bad),
    ):
        add(
            slug,
            comment,
            [encoded({**resume, "epoch": str(header)}).hex()],
            ["resume"],
            epoch=epoch,
            requirements="RES-016 WIR-004",
            **more,
        )
    add(
        "resume-not-due",
        "a `resume` where another message is due",
        [encoded(resume).hex()],
        ["server-key"],
        epoch=4,
        **bad,
    )
    add(
        "form-before-session",
        "of another session, epoch and number, and cut short",
        [encoded(message(kinds[1], 7, session=bytes(32).hex(), epoch=3)).hex()[:-2]],
        kinds[:1],
        requirements="WIR-003 ERR-014",
        refuse="encoding",
    )
