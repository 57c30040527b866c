# SPDX-License-Identifier: Apache-2.0
"""Messages and their one encoding; what is refused; and that `wire.cddl` says the same."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec import wire
from ppmf_spec.errors import KINDS, EncodingError, StateError
from ppmf_spec.roles import CSP, RECSYS
from ppmf_spec.wire import (
    MESSAGES,
    EncryptedRows,
    Envelope,
    FieldClass,
    Link,
    Message,
    OutputShare,
    ProductAnswer,
    TransferColumns,
    decode,
    encode,
)
from tests.support.cbor_by_hand import by_hand
from tests.support.messages import message_of

CDDL = Path(__file__).parents[2] / "spec" / "wire.cddl"
COUNTS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 23, 24, 255, 256, 65535, 65536, 2**32])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": COUNTS,
    "str": st.text(max_size=300),
    "bytes": st.binary(max_size=300),
    "Bulk": st.binary(max_size=300),
}


@st.composite
def envelopes(draw: st.DrawFn, kind: type[Message] | None = None) -> Envelope:
    """Any message with any header and fields."""
    if kind is None:
        kind = draw(st.sampled_from(list(MESSAGES.values())))
    among = [field.metadata["among"] for field in fields(kind)]
    message = kind(
        *(
            draw(st.sampled_from(known) if known else VALUES[str(field.type)])
            for field, known in zip(fields(kind), among, strict=True)
        )
    )
    session = draw(st.binary(min_size=32, max_size=32))
    return Envelope(session, draw(COUNTS), draw(COUNTS), message)


def parts(envelope: Envelope) -> list[Any]:
    message = envelope.message
    header = [message.name, envelope.session, envelope.epoch, envelope.number]
    return header + [value for _, _, value in message.fields_with_class()]


@pytest.mark.req("PPMF-WIR-001", "PPMF-WIR-002")
@pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES.keys())
@given(data=st.data())
def test_every_message_has_one_encoding_and_comes_back(
    kind: type[Message], data: st.DataObject
) -> None:
    envelope = data.draw(envelopes(kind))
    encoded = encode(envelope)
    assert encoded == by_hand(parts(envelope))
    assert decode(encoded) == envelope


NAME = b"\x6eencrypted-rows"
HEADER = NAME + b"\x58\x20" + bytes(32) + b"\x00\x00\x65users"
"""After the head of the array: the name, a session of zeros, epoch and number 0, `packing`."""


def test_the_hand_written_bytes_are_those_of_the_message() -> None:
    expected = Envelope(bytes(32), 0, 0, message_of(EncryptedRows, packing="users", first=3))
    assert decode(b"\x87" + HEADER + b"\x03\x40") == expected


@pytest.mark.req("PPMF-WIR-002", "PPMF-WIR-003")
@pytest.mark.parametrize(
    "data",
    [
        b"\x9f" + HEADER + b"\x03\x40\xff",
        b"\x98\x07" + HEADER + b"\x03\x40",
        b"\x87" + HEADER + b"\x18\x03\x40",
        b"\x87" + HEADER + b"\x1b" + bytes(7) + b"\x03\x40",
        b"\x87" + HEADER + b"\xc2\x41\x03\x40",
        b"\x87" + HEADER + b"\xd8\x20\x03\x40",
        b"\x87" + HEADER + b"\x03\x40\x00",
        b"\x87" + HEADER + b"\xf9\x42\x00\x40",
        b"\x87\x7f" + NAME + b"\xff" + HEADER[15:] + b"\x03\x40",
        b"\x87\x78\x0e" + HEADER[1:] + b"\x03\x40",
        b"\x87" + NAME + b"\x5f" + HEADER[15:49] + b"\xff" + HEADER[49:] + b"\x03\x40",
        b"\x87" + NAME + b"\x59\x00" + HEADER[16:] + b"\x03\x40",
        b"\x87" + HEADER + b"\x03\x5f\xff",
        b"\xd9\xd9\xf7\x87" + HEADER + b"\x03\x40",
    ],
    ids=[
        "indefinite array",
        "long array head",
        "long integer",
        "longest integer",
        "bignum",
        "tagged integer",
        "trailing byte",
        "float",
        "indefinite text",
        "long text head",
        "indefinite session",
        "long bytes head",
        "indefinite bytes",
        "self-described",
    ],
)
def test_other_encodings_of_a_message_are_refused(data: bytes) -> None:
    with pytest.raises(EncodingError, match=r"a message of \d+ bytes: byte \d+: (not|a|an|bytes) "):
        decode(data)


SESSION = bytes(32)


@pytest.mark.req("PPMF-WIR-001", "PPMF-WIR-003", "PPMF-ERR-009")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"resume": b""}, "a message of 9 bytes: byte 0: a map"),
        ("resume", "not an array with a name"),
        ([], "not an array with a name"),
        ([3, SESSION, 0, 0], "not an array with a name"),
        (["resumed", SESSION, 0, 0, b""], "unknown message 'resumed'"),
        (["message", SESSION, 0, 0], "unknown message 'message'"),
        (["x" * 99, SESSION, 0, 0], f"unknown message '{'x' * 40}'"),
        ([b"resume", SESSION, 0, 0, b""], "not an array with a name"),
        (["resume", SESSION[1:], 0, 0, b""], "resume: the session is not 32 bytes"),
        (["resume", "0" * 32, 0, 0, b""], "resume: the session is not 32 bytes"),
        (["resume", SESSION, -1, 0, b""], "byte 42: a negative integer"),
        (["resume", SESSION, 0, 2**64, b""], "byte 43: a tag"),
        (["resume", SESSION, b"", 0, b""], "resume: epoch and number are unsigned"),
        (["resume", SESSION, True, 0, b""], "byte 42: a float or simple value"),
        (["resume", SESSION, 0, 0], "resume: 0 fields, not 3"),
        (["resume", SESSION, 0, 0, 0, b"", b"", b""], "resume: 4 fields, not 3"),
        (["encrypted-rows", SESSION, 0, 0, "users", -3, b""], "byte 58: a negative integer"),
        (["encrypted-rows", SESSION, 0, 0, "users", 2**64, b""], "byte 58: a tag"),
        (["encrypted-rows", SESSION, 0, 0, "users", True, b""], "byte 58: a float or simple"),
        (["encrypted-rows", SESSION, 0, 0, "users", 3.0, b""], "byte 58: a float or simple"),
        (["encrypted-rows", SESSION, 0, 0, "users", "3", b""], "field first is not of its type"),
        (["encrypted-rows", SESSION, 0, 0, "users", None, b""], "byte 58: a float or simple"),
        (["encrypted-rows", SESSION, 0, 0, "users", [3], b""], "byte 58: an array where none"),
        (["encrypted-rows", SESSION, 0, 0, "user", 3, b""], "packing is none of users, items"),
        (
            ["a\x1b\n\u202e\xe9" + "x" * 99, SESSION, 0, 0],
            "unknown message 'a\\x1b\\n\\u202e\\xe9" + 35 * "x" + "'",
        ),
        (["upload", SESSION, 0, 0, b"1", 1, b"", b""], "upload: field user is not of its type"),
        (["upload", SESSION, 0, 0, "1", 1, "", b""], "upload: field masked is not of its type"),
        (["upload", SESSION, 0, 0, "1", [b""], b""], "byte 46: an array where none can be"),
    ],
)
def test_malformed_messages_are_refused_with_their_name(value: object, message: str) -> None:
    with pytest.raises(EncodingError, match=re.escape(message)):
        decode(cbor2.dumps(value))


@pytest.mark.req("PPMF-WIR-003")
@given(envelope=envelopes(), data=st.data())
def test_a_truncated_message_is_refused(envelope: Envelope, data: st.DataObject) -> None:
    encoded = encode(envelope)
    end = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(EncodingError):
        decode(encoded[:end])


@pytest.mark.req("PPMF-WIR-003", "PPMF-ERR-001", "PPMF-ERR-002")
@given(data=st.binary(max_size=80) | st.integers(0, 255).map(lambda b: bytes([b]) * 5000))
def test_any_bytes_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(EncodingError) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


@pytest.mark.req("PPMF-ERR-001")
def test_the_closed_list_of_errors_is_the_chapters() -> None:
    chapter = CDDL.with_name("04-protocol.md").read_text(encoding="utf-8")
    text = chapter[chapter.index(":id: PPMF-ERR-001") : chapter.index(":id: PPMF-ERR-002")]
    assert re.findall(r"`([a-z]+)` \(", text) == [error.kind for error in KINDS]


# The order of messages in one direction


ANSWER = message_of(ProductAnswer, answer=b"answer")


def numbered(number: int) -> ProductAnswer:
    return message_of(ProductAnswer, answer=bytes([number % 256]))


def link(session: bytes = SESSION, epoch: int = 0) -> Link:
    return Link(session, epoch, RECSYS, CSP)


@pytest.mark.req("PPMF-WIR-004", "PPMF-ERR-006")
def test_messages_in_their_order_are_accepted() -> None:
    sender, receiver = link(), link()
    for number in range(300):
        data = sender.encode(numbered(number))
        assert decode(data).number == number
        assert receiver.decode(data, ProductAnswer) == numbered(number)


@pytest.mark.req("PPMF-WIR-004", "PPMF-ERR-006")
def test_a_message_out_of_its_order_is_refused_and_changes_nothing() -> None:
    sender, receiver = link(), link()
    first, second, third = (sender.encode(numbered(number)) for number in range(3))
    with pytest.raises(StateError, match=r"message 0 from recsys to csp: number 1 \(repeated, lo"):
        receiver.decode(second, ProductAnswer)  # reordered, or the first one lost
    receiver.decode(first, ProductAnswer)
    with pytest.raises(StateError, match="message 1 from recsys to csp: number 0"):
        receiver.decode(first, ProductAnswer)  # replayed
    with pytest.raises(StateError, match="number 2"):
        receiver.decode(third, ProductAnswer)
    assert receiver.decode(second, ProductAnswer) == numbered(1)
    assert receiver.decode(third, ProductAnswer) == numbered(2)


@pytest.mark.req("PPMF-WIR-011", "PPMF-WIR-004")
def test_another_message_under_a_number_that_was_taken_is_refused() -> None:
    receiver = link()
    receiver.decode(link().encode(ANSWER), ProductAnswer)
    for again in (ANSWER, message_of(ProductAnswer, answer=b"another answer")):
        with pytest.raises(StateError, match="message 1 from recsys to csp: number 0"):
            receiver.decode(link().encode(again), ProductAnswer)


@pytest.mark.req("PPMF-WIR-004", "PPMF-ERR-006")
def test_another_session_epoch_or_type_is_refused_and_changes_nothing() -> None:
    receiver = link()
    with pytest.raises(StateError, match="belongs to another session"):
        receiver.decode(link(session=bytes([1] * 32)).encode(ANSWER), ProductAnswer)
    with pytest.raises(StateError, match="epoch 1, not 0"):
        receiver.decode(link(epoch=1).encode(ANSWER), ProductAnswer)
    with pytest.raises(StateError, match="transfer-columns where product-answer was due"):
        receiver.decode(link().encode(message_of(TransferColumns)), ProductAnswer)
    with pytest.raises(EncodingError):
        receiver.decode(link().encode(ANSWER)[:-1], ProductAnswer)
    assert receiver.decode(link().encode(ANSWER), ProductAnswer) == ANSWER


# The schema


@cache
def schema() -> pycddl.Schema:
    return pycddl.Schema(CDDL.read_text(encoding="utf-8"))


def accepted(value: object) -> bool:
    """Whether the schema takes the value; a panic of cddl 0.9.5, which pycddl wraps, is a refusal.

    cddl panics at some of the arrays that are too long or that begin with bytes.
    """
    try:
        schema().validate_cbor(cbor2.dumps(value))
    except pycddl.ValidationError:
        return False
    except BaseException as error:  # the class of a panic can't be imported
        if type(error).__name__ != "PanicException":
            raise
        return False
    return True


@pytest.mark.req("PPMF-WIR-001")
@given(envelope=envelopes())
def test_the_schema_accepts_every_message(envelope: Envelope) -> None:
    schema().validate_cbor(encode(envelope))


@pytest.mark.req("PPMF-WIR-001")
@given(envelope=envelopes(), data=st.data())
def test_the_schema_and_the_parser_refuse_the_same_changes(
    envelope: Envelope, data: st.DataObject
) -> None:
    """A part left out, doubled, or of another type than it was.

    Not an array or a map with entries, of which cddl 0.9.5 accepts some. The parser refuses all,
    see above.
    """
    value = parts(envelope)
    change = data.draw(st.sampled_from(["left out", "doubled", "other type"]))
    at = data.draw(st.integers(0, len(value) - 1))
    match change:
        case "left out":
            del value[at]
        case "doubled":
            value.append(value[at])
        case _:
            others: list[Any] = [-1, 1.5, None, True, {}, "", 7, b""]
            value[at] = data.draw(
                st.sampled_from([other for other in others if type(other) is not type(value[at])])
            )
    assert not accepted(value)
    with pytest.raises(EncodingError):
        decode(cbor2.dumps(value))


def rules() -> dict[str, tuple[str, list[tuple[str, str, str]]]]:
    """By rule of the schema: the comment before it, and (field, type, class) of each field."""
    text = CDDL.read_text(encoding="utf-8")
    found = {}
    for comment, name, first, body in re.findall(
        r'((?:^; .*\n)+)^([a-z-]+) = \[\n  name: "([a-z-]+)", .*\n((?:  .*\n)*)^\]', text, re.M
    ):
        assert name == first
        items = re.findall(r"^  ([a-z_]+): ([a-z]+), +; class: ([a-z-]+)$", body, re.M)
        assert len(items) == body.count("\n"), f"{name}: a field without a class"
        found[name] = (comment, items)
    return found


@pytest.mark.req("PPMF-WIR-006", "PPMF-WIR-007")
def test_schema_and_code_have_the_same_messages_fields_types_classes_and_routes() -> None:
    types = {"bytes": "bytes", "text": "str", "side": "str", "uint": "int"}
    assert set(rules()) == set(MESSAGES)
    for name, (comment, items) in rules().items():
        kind = MESSAGES[name]
        assert [(field, types[cddl]) for field, cddl, _ in items] == [
            (field.name, str(field.type).replace("Bulk", "bytes")) for field in fields(kind)
        ]
        assert [field_class for *_, field_class in items] == [
            field.metadata["class"] for field in fields(kind)
        ]
        assert tuple(re.findall(r"(\w+) to (\w+)", comment.split(":")[0])) == kind.routes


@pytest.mark.req("PPMF-WIR-006")
def test_only_the_output_share_is_an_output_share() -> None:
    holders = {
        name
        for name, (_, items) in rules().items()
        if FieldClass.OUTPUT_SHARE in [field_class for *_, field_class in items]
    }
    assert holders == {OutputShare.name}


def test_the_chapter_names_every_class() -> None:
    chapter = CDDL.with_name("05-wire.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `([a-z-]+)` \| [a-zA-Z]", chapter, re.M)
    assert table == [str(known) for known in FieldClass]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "a message of 1 bytes: byte 0: a float or simple value"),
        (b"\x80", "a message is not an array with a name and a header"),
    ],
)
def test_refusals_of_messages_are_whole_sentences(data: bytes, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        wire.decode(data)
    assert str(caught.value) == message
