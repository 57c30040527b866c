# SPDX-License-Identifier: Apache-2.0
"""Vectors of chapter 8: frames, control messages, messages on a stream, streams."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.link import OPERATIONS
from ppmf_spec import strict_cbor
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream

RECSYS_INCARNATION = LabelledStream("link/recsys").bytes(16).hex()
CSP_INCARNATION = LabelledStream("link/csp").bytes(16).hex()
NEXT_INCARNATION = LabelledStream("link/next").bytes(16).hex()
PAIRING = LabelledStream("link/pairing").bytes(16).hex()
KEY = LabelledStream("link/key").bytes(32).hex()
STREAM = 7
WINDOW = 100
CONTROL_WINDOW = 1 << 20
HEAD_BYTES = 17

HELLO: dict[str, Any] = {
    "kind": "hello",
    "role": "recsys",
    "direction": "up",
    "incarnation": RECSYS_INCARNATION,
    "peer": "",
    "pairing": PAIRING,
    "streams": [[0, 0, CONTROL_WINDOW]],
}

FRAMES: dict[str, dict[str, Any]] = {
    "hello": HELLO,
    "hello-again": {
        **HELLO,
        "role": "csp",
        "direction": "down",
        "peer": CSP_INCARNATION,
        "streams": [[0, 300, CONTROL_WINDOW], [STREAM, (1 << 40) + 5, (1 << 64) - 1]],
    },
    "hello-of-16": {**HELLO, "streams": [[n * n << 20, n, 1 << 63] for n in range(16)]},
    "data": {"kind": "data", "stream": STREAM, "offset": 1 << 40, "bytes": "00ff10"},
    "data-control": {"kind": "data", "stream": 0, "offset": 0, "bytes": "07"},
    "data-end": {"kind": "data", "stream": (1 << 32) - 1, "offset": (1 << 64) - 1, "bytes": "07"},
    "ack": {"kind": "ack", "stream": STREAM, "received": 77, "limit": 1 << 24},
    "ack-end": {"kind": "ack", "stream": 1, "received": (1 << 64) - 1, "limit": (1 << 64) - 1},
    "reset": {"kind": "reset", "stream": STREAM, "class": "state", "line": "the epoch has ended"},
    "reset-empty": {"kind": "reset", "stream": STREAM, "class": "peer", "line": ""},
    "ping": {"kind": "ping"},
}

CONTROLS: dict[str, dict[str, Any]] = {
    "propose": {"proposal": "80"},
    "accept": {"acceptance": "80", "signature": "11" * 64},
    "sign": {"signature": "22" * 64},
    "opened": {},
    "closing": {"message": "81"},
    "admission": {"message": "82"},
    "epoch": {"stream": STREAM},
    "ready": {"stream": (1 << 32) - 1},
    "receipt": {"digest": "33" * 32, "signature": "44" * 64},
    "received": {},
    "refused": {"question": "propose", "class": "state", "line": "nobody has accepted it"},
    "ended": {"state": "abandoned", "class": "peer", "line": "too few users"},
}


def families() -> list[Family]:
    """The families `link-frames`, `link-control` and `link-streams`."""
    frames = Family("link-frames", "Frames of the servers' link.", OPERATIONS)
    _frames(frames)
    _refused_frames(frames)
    control = Family("link-control", "Control messages between the servers.", OPERATIONS)
    _control(control)
    streams = Family("link-streams", "Streams of the link, cut and resumed.", OPERATIONS)
    _messages(streams)
    _streams(streams)
    _resumed(streams)
    _refused_streams(streams)
    return [frames, control, streams]


def _frame(given: dict[str, Any]) -> str:
    shown = {name: str(one) if isinstance(one, int) else one for name, one in given.items()}
    if "streams" in given:
        shown["streams"] = [[str(number) for number in entry] for entry in given["streams"]]
    written: str = OPERATIONS["link.write_frame"](shown)["bytes"]
    return written


def _head(kind: int, stream: int, offset: int, size: int) -> str:
    numbers = ((kind, 1), (stream, 4), (offset, 8), (size, 4))
    return b"".join(number.to_bytes(width, "little") for number, width in numbers).hex()


def _with_body(kind: int, body: Any) -> str:
    data = strict_cbor.encode(body)
    return _head(kind, 0, 0, len(data)) + data.hex()


# -- frames ----------------------------------------------------------------------------------------


def _frames(family: Family) -> None:
    for slug, frame in FRAMES.items():
        requirements = "LNK-003 LNK-004" if frame["kind"] == "hello" else "LNK-004"
        comment = "the bytes of a frame"
        family.add(f"write-{slug}", "link.write_frame", requirements, comment, frame)
        given = {"bytes": _frame(frame)}
        family.add(f"read-{slug}", "link.read_frames", requirements, "a frame", given)

    def read(slug: str, comment: str, data: str) -> None:
        family.add(f"read-{slug}", "link.read_frames", "LNK-004", comment, {"bytes": data})

    several = "".join(_frame(FRAMES[slug]) for slug in ("ack", "ping", "data", "reset"))
    read("nothing", "no byte", "")
    read("several", "four frames", several)
    read("part-of-head", "sixteen bytes after a frame", several + _frame(FRAMES["ping"])[:-2])
    read("part-of-body", "a frame whose last byte is missing", _frame(FRAMES["data"])[:-2])
    whole = _head(1, STREAM, 0, 1 << 20)
    read("longest", "the head of the longest frame of data", whole)


def _refused_frames(family: Family) -> None:
    def refused(slug: str, comment: str, data: str, requirements: str = "LNK-004") -> None:
        family.add(
            f"refused-{slug}", "link.read_frames", requirements, comment, {"bytes": data},
            refuse="encoding",
        )  # fmt: skip

    for kind in (5, 255):
        refused(f"kind-{kind}", "a kind that does not exist", _head(kind, 0, 0, 0))
    lengths = {
        "hello": (0, (0, 1025)),
        "data": (1, (0, (1 << 20) + 1, (1 << 32) - 1)),
        "ack": (2, (0, 7, 9)),
        "reset": (3, (0, 513)),
        "ping": (4, (1,)),
    }
    for name, (kind, sizes) in lengths.items():
        for size in sizes:
            comment = "a length that no frame of the kind has, before the body"
            refused(f"{name}-of-{size}", comment, _head(kind, 0, 0, size))
    for name, kind, stream, offset in (
        ("hello-stream", 0, 1, 0),
        ("hello-offset", 0, 0, 1),
        ("reset-offset", 3, STREAM, 1),
        ("ping-stream", 4, 1, 0),
        ("ping-offset", 4, 0, 1),
    ):
        size = {0: 1, 3: 1, 4: 0}[kind]
        refused(name, "a number that has to be 0", _head(kind, stream, offset, size))

    right: list[Any] = ["ppmf-link/1", "recsys", 0, bytes.fromhex(RECSYS_INCARNATION), b"",
             bytes.fromhex(PAIRING), [[0, 0, CONTROL_WINDOW]]]  # fmt: skip

    def hello(slug: str, comment: str, at: int, value: Any) -> None:
        changed = [*right[:at], value, *right[at + 1 :]]
        refused(f"hello-{slug}", comment, _with_body(0, changed), "LNK-003")

    hello("version", "another version", 0, "ppmf-link/2")
    hello("role", "a role that has no link", 1, "users")
    hello("role-number", "a role that is a number", 1, 0)
    hello("direction", "a direction that does not exist", 2, 2)
    hello("incarnation", "an incarnation of 15 bytes", 3, bytes(15))
    hello("no-incarnation", "no incarnation", 3, b"")
    hello("peer", "an incarnation of the peer of 8 bytes", 4, bytes(8))
    hello("pairing", "a pairing of 17 bytes", 5, bytes(17))
    hello("streams", "seventeen streams", 6, [[number, 0, 0] for number in range(17)])
    hello("two-numbers", "a stream of two numbers", 6, [[0, 0]])
    hello("four-numbers", "a stream of four numbers", 6, [[0, 0, 0, 0]])
    hello("text", "a stream whose number is a text", 6, [["0", 0, 0]])
    hello("no-list", "a number where the streams are due", 6, 0)
    refused("hello-short", "a member is missing", _with_body(0, right[:-1]), "LNK-003")
    refused("hello-long", "a member too many", _with_body(0, [*right, 0]), "LNK-003")
    refused("hello-no-array", "a text", _with_body(0, "ppmf-link/1"), "LNK-003")
    data = strict_cbor.encode(right)
    after = _head(0, 0, 0, len(data) + 1) + data.hex() + "00"
    refused("hello-after", "a byte after the array", after, "LNK-003")
    longer = data.hex().replace("00001a00100000", "0018001a00100000", 1)
    assert longer != data.hex()
    wide = _head(0, 0, 0, len(longer) // 2) + longer
    refused("hello-not-shortest", "a number in more bytes than it needs", wide, "LNK-003")

    for slug, comment, body in (
        ("class", "a class that does not exist", ["network", "line"]),
        ("no-text", "a line that is a number", ["state", 1]),
        ("short", "no line", ["state"]),
        ("long", "a member too many", ["state", "line", "more"]),
    ):
        refused(f"reset-{slug}", comment, _with_body(3, body))
    refused("second", "the second of two frames", _frame(FRAMES["ping"]) + _head(9, 0, 0, 0))


# -- control messages ------------------------------------------------------------------------------


def _control(family: Family) -> None:
    for name, members in CONTROLS.items():
        given = {"name": name, "key": KEY, **members}
        family.add(f"write-{name}", "link.write_control", "LNK-013", "the bytes", given)
        data = OPERATIONS["link.write_control"](
            {key: str(one) if isinstance(one, int) else one for key, one in given.items()}
        )
        family.add(f"read-{name}", "link.read_control", "LNK-013", "a control message", data)

    def refused(slug: str, comment: str, data: bytes) -> None:
        given = {"bytes": data.hex()}
        family.add(
            f"refused-{slug}", "link.read_control", "LNK-013", comment, given, refuse="encoding"
        )

    key = bytes.fromhex(KEY)
    bodies: tuple[tuple[str, str, Any], ...] = (
        ("name", "a name that does not exist", ["hello", key]),
        ("name-number", "a name that is a number", [1, key]),
        ("no-name", "an empty array", []),
        ("text", "no array", "opened"),
        ("no-key", "no key", ["opened"]),
        ("key-31", "a key of 31 bytes", ["opened", key[:31]]),
        ("key-33", "a key of 33 bytes", ["opened", key + b"\0"]),
        ("key-text", "a key that is a text", ["opened", KEY[:32]]),
        ("missing", "a member is missing", ["accept", key, b"\x80"]),
        ("more", "a member too many", ["opened", key, 1]),
        ("bytes", "a number where bytes are due", ["sign", key, 1]),
        ("number", "bytes where a number is due", ["epoch", key, b"\x07"]),
        ("line", "bytes where a text is due", ["refused", key, "sign", "state", b"line"]),
        ("class", "a class that does not exist", ["refused", key, "sign", "network", "line"]),
        ("ended-class", "a class that does not exist", ["ended", key, "failed", "", "line"]),
        ("ended-state", "a state in which no session ends", ["ended", key, "open", "peer", "line"]),
        ("finished", "a session that ended with V", ["ended", key, "finished", "peer", "line"]),
        ("nested", "an array where bytes are due", ["sign", key, [1]]),
    )
    for slug, comment, body in bodies:
        refused(slug, comment, strict_cbor.encode(body))
    opened = strict_cbor.encode(["opened", key])
    refused("empty", "no byte", b"")
    refused("after", "a byte after the array", opened + b"\0")
    refused("cut", "the last byte is missing", opened[:-1])
    longer = opened.replace(b"\x58\x20", b"\x59\x00\x20", 1)
    refused("not-shortest", "a length in more bytes than it needs", longer)


# -- messages on a stream --------------------------------------------------------------------------


def _messages(family: Family) -> None:
    def after_length(*messages: bytes) -> bytes:
        return b"".join(len(one).to_bytes(8, "little") + one for one in messages)

    def add(
        slug: str, comment: str, data: bytes, most: list[int], refuse: str | None = None
    ) -> None:
        given = {"bytes": data.hex(), "most": most}
        family.add(f"messages-{slug}", "link.messages", "LNK-011", comment, given, refuse=refuse)

    two = after_length(b"one", b"three")
    add("two", "two messages", two, [3, 5])
    add("more-due", "a third message has not come", two, [3, 5, 9])
    add("empty", "a message without bytes", after_length(b"", b"x"), [0, 1])
    add("part-of-length", "seven bytes of a length", two + bytes(7), [3, 5, 9])
    add("part", "the last byte has not come", two[:-1], [3, 5])
    add("long", "the second is longer than is due", two, [3, 4], "encoding")
    add(
        "longest", "a length of 2^64 - 1, before any byte of it", b"\xff" * 8, [1 << 27], "encoding"
    )
    add("zero-due", "a byte where none is due", after_length(b"x"), [0], "encoding")


# -- streams ---------------------------------------------------------------------------------------


class _Script:
    """The events of a case, at CSP unless RecSys is named."""

    def __init__(self, role: str = "csp") -> None:
        self.role = role
        self.events: list[dict[str, Any]] = []
        own, peer = CSP_INCARNATION, RECSYS_INCARNATION
        self.own, self.peer = (own, peer) if role == "csp" else (peer, own)

    def add(self, do: str, **members: Any) -> _Script:
        self.events.append({"do": do, **members})
        return self

    def meet(self, *streams: list[int], knows: bool = False, **change: Any) -> _Script:
        """The peer's hello, which names this server's incarnation if it knows it."""
        said = {
            **HELLO,
            "role": "recsys" if self.role == "csp" else "csp",
            "direction": "up" if self.role == "csp" else "down",
            "incarnation": self.peer,
            "peer": self.own if knows else "",
            "streams": [list(one) for one in streams],
            **change,
        }
        return self.add("meet", frame=_frame(said))

    def met(self) -> _Script:
        """Meet the peer for the first time, then the second, and go on with it."""
        first = [[0, 0, CONTROL_WINDOW]]
        if self.role == "recsys":
            return self.meet()
        return self.meet(*first)

    def opened(self, limit: int = 1000) -> _Script:
        """Open a stream at both ends, of which the peer has told a limit."""
        return self.met().add("open", stream=STREAM).ack(0, limit).add("send")

    def ack(self, received: int, limit: int, stream: int = STREAM) -> _Script:
        return self.frames({"kind": "ack", "stream": stream, "received": received, "limit": limit})

    def data(self, offset: int, data: bytes, stream: int = STREAM) -> _Script:
        return self.frames(
            {"kind": "data", "stream": stream, "offset": offset, "bytes": data.hex()}
        )

    def reset(self, kind: str, stream: int = STREAM) -> _Script:
        return self.frames({"kind": "reset", "stream": stream, "class": kind, "line": "why"})

    def frames(self, *frames: dict[str, Any]) -> _Script:
        return self.add("frames", bytes="".join(map(_frame, frames)))

    def write(self, data: bytes, stream: int = STREAM) -> _Script:
        return self.add("write", stream=stream, bytes=data.hex())

    def take(self, most: int = 1000, stream: int = STREAM) -> _Script:
        return self.add("take", stream=stream, most=most)

    def send(self) -> _Script:
        return self.add("send")

    def hello(self) -> _Script:
        return self.add("hello")

    def add_to(self, family: Family, slug: str, requirements: str, comment: str) -> None:
        given = {
            "role": self.role,
            "incarnations": [self.own, NEXT_INCARNATION],
            "window": WINDOW,
            "events": self.events,
        }
        flags = "negative" if slug.startswith("refused") else None
        family.add(slug, "link.streams", requirements, comment, given, flags=flags)


def _bytes(count: int, first: int = 0) -> bytes:
    return bytes((first + at) % 256 for at in range(count))


def _streams(family: Family) -> None:
    def add(slug: str, requirements: str, comment: str, script: _Script) -> None:
        script.add_to(family, slug, requirements, comment)

    add(
        "first-hello-csp",
        "LNK-008 LNK-009",
        "CSP meets RecSys for the first time",
        _Script().meet([0, 0, CONTROL_WINDOW]).hello(),
    )
    add(
        "first-hello-recsys",
        "LNK-003 LNK-009",
        "what RecSys says first, and CSP's answer",
        _Script("recsys").hello().meet().hello(),
    )
    add(
        "control",
        "LNK-006 LNK-009",
        "stream 0 is open from the beginning, and its limit is told",
        _Script().met().write(b"question", 0).send().ack(0, 5, 0).send().ack(5, 8, 0).send(),
    )
    add(
        "in-order",
        "LNK-005",
        "bytes come in order",
        _Script().opened().data(0, _bytes(3)).take().data(3, _bytes(4, 3)).take().take(),
    )
    add(
        "before",
        "LNK-005",
        "bytes that came before are passed over, with new ones after them",
        _Script().opened().data(0, _bytes(5)).data(0, b"\xff" * 5).data(2, _bytes(6, 2)).take(),
    )
    add(
        "long-before",
        "LNK-005",
        "the end of bytes that came before lies before the last byte that came",
        _Script().opened().data(0, _bytes(5)).data(0, b"\xff" * 3).data(5, b"\x05").take(),
    )
    add(
        "part-by-part",
        "LNK-005",
        "bytes are taken in other parts than they came",
        _Script().opened().data(0, _bytes(5)).data(5, _bytes(5, 5)).take(3).take(4).take(9),
    )
    add(
        "no-limit",
        "LNK-006",
        "nothing is sent before a limit was told",
        _Script().met().add("open", stream=STREAM).write(_bytes(10)).send().ack(0, 4).send(),
    )
    add(
        "limit",
        "LNK-006",
        "no byte at or above the limit is sent",
        _Script().opened(6).write(_bytes(10)).send().ack(6, 9).send().ack(9, 9).send(),
    )
    add(
        "limit-less",
        "LNK-006",
        "a limit never becomes less",
        _Script().opened(6).write(_bytes(10)).ack(0, 3).send(),
    )
    add(
        "window",
        "LNK-006",
        "the limit is what was handed on and the window",
        _Script()
        .opened()
        .data(0, _bytes(60))
        .take(20)
        .send()
        .meet([0, 0, CONTROL_WINDOW], [STREAM, 0, 1000], knows=True)
        .hello(),
    )
    add(
        "window-moves",
        "LNK-006",
        "bytes up to the new limit are taken",
        _Script().opened().data(0, _bytes(WINDOW)).take(50).send().data(WINDOW, _bytes(50)).take(),
    )
    add(
        "limit-early",
        "LNK-009",
        "the limit of a stream that is opened later is kept",
        _Script().met().ack(0, 5).add("open", stream=STREAM).write(_bytes(9)).send(),
    )
    add(
        "not-open",
        "LNK-009",
        "frames of a stream that is not open are passed over",
        _Script()
        .met()
        .data(500, _bytes(9))
        .add("open", stream=STREAM)
        .ack(0, 9)
        .send()
        .take()
        .data(0, _bytes(2))
        .take(),
    )
    add(
        "reset",
        "LNK-010",
        "a stream that the peer gave up: what is here, and then it ends",
        _Script().opened().data(0, _bytes(4)).reset("state").take().take().write(b"x"),
    )
    add(
        "give-up",
        "LNK-010",
        "a stream that this server gives up",
        _Script()
        .opened()
        .write(_bytes(9))
        .add("give_up", stream=STREAM, **{"class": "range"})
        .send()
        .data(0, _bytes(3))
        .write(b"x"),
    )
    add(
        "finish",
        "LNK-010",
        "a stream that has ended here is reset once all was acknowledged",
        _Script()
        .opened()
        .write(_bytes(9))
        .add("finish", stream=STREAM)
        .send()
        .ack(4, 1000)
        .send()
        .ack(9, 1000)
        .send(),
    )
    add(
        "reset-early",
        "LNK-010",
        "a stream that the peer gave up before it was opened here",
        _Script().met().reset("peer").add("open", stream=STREAM).take().write(b"x"),
    )


def _resumed(family: Family) -> None:
    def add(slug: str, requirements: str, comment: str, script: _Script) -> None:
        script.add_to(family, slug, requirements, comment)

    control = [0, 0, CONTROL_WINDOW]
    sent = _Script().opened().write(_bytes(20)).send().ack(8, 1000)
    add(
        "resume",
        "LNK-007",
        "the bytes that the peer has not received are sent again",
        sent.add("cut")
        .write(_bytes(3, 20))
        .send()
        .meet(control, [STREAM, 11, 1000], knows=True)
        .hello()
        .send(),
    )
    add(
        "resume-nothing-new",
        "LNK-007",
        "the peer has received everything",
        _Script()
        .opened()
        .write(_bytes(20))
        .send()
        .add("cut")
        .meet(control, [STREAM, 20, 1000], knows=True)
        .send(),
    )
    add(
        "resume-limit",
        "LNK-006 LNK-007",
        "the limit in a hello counts",
        _Script()
        .opened(5)
        .write(_bytes(20))
        .send()
        .add("cut")
        .meet(control, [STREAM, 3, 12], knows=True)
        .send(),
    )
    add(
        "resume-received",
        "LNK-003 LNK-007",
        "the hello says what was received",
        _Script()
        .opened()
        .data(0, _bytes(30))
        .take(10)
        .add("cut")
        .meet(control, [STREAM, 0, 1000], knows=True)
        .hello()
        .data(30, _bytes(5, 30))
        .take(),
    )
    add(
        "ended-meanwhile",
        "LNK-010",
        "a stream that the peer does not name any more has ended",
        _Script()
        .opened()
        .data(0, _bytes(4))
        .add("cut")
        .meet(control, knows=True)
        .take()
        .take()
        .hello(),
    )
    add(
        "not-met-yet",
        "LNK-010",
        "a stream that the peer has not opened yet goes on",
        _Script()
        .met()
        .add("open", stream=STREAM)
        .write(_bytes(4))
        .add("cut")
        .meet(control, knows=True)
        .hello()
        .ack(0, 9)
        .send(),
    )
    add(
        "named-first",
        "LNK-009",
        "a stream that a hello names and that is opened later",
        _Script()
        .met()
        .add("cut")
        .meet(control, [STREAM, 0, 6], knows=True)
        .hello()
        .add("open", stream=STREAM)
        .write(_bytes(9))
        .send(),
    )
    add(
        "met-by-hello",
        "LNK-010",
        "a stream that one hello names and the next does not",
        _Script()
        .met()
        .add("open", stream=STREAM)
        .meet(control, [STREAM, 0, 6], knows=True)
        .meet(control, knows=True)
        .hello()
        .take(),
    )
    add(
        "finished-window",
        "LNK-006 LNK-010",
        "what comes for a program that has ended is passed over",
        _Script()
        .opened()
        .write(_bytes(9))
        .add("finish", stream=STREAM)
        .data(0, _bytes(WINDOW))
        .meet(control, [STREAM, 0, 1000], knows=True)
        .hello(),
    )
    add(
        "peer-anew",
        "LNK-008",
        "a peer that started anew: streams are forgotten",
        _Script()
        .opened()
        .data(0, _bytes(4))
        .add("cut")
        .meet(control, incarnation=NEXT_INCARNATION)
        .hello()
        .take()
        .take()
        .write(b"x"),
    )
    add(
        "peer-forgot",
        "LNK-008",
        "a peer of the same incarnation that does not go on",
        _Script().opened().add("cut").meet(control).hello().take(),
    )
    add(
        "another-recsys",
        "LNK-007 LNK-008",
        "another incarnation of the peer, which names this server's",
        _Script()
        .opened()
        .add("cut")
        .meet(control, knows=True, incarnation=NEXT_INCARNATION)
        .hello()
        .take(),
    )
    add(
        "another-csp",
        "LNK-008",
        "a peer that names another incarnation of this server",
        _Script().opened().add("cut").meet(control, peer=NEXT_INCARNATION).hello().take(),
    )
    add(
        "recsys-goes-on",
        "LNK-007",
        "RecSys goes on with CSP",
        _Script("recsys")
        .met()
        .add("open", stream=STREAM)
        .ack(0, 9)
        .write(_bytes(20))
        .send()
        .add("cut")
        .hello()
        .meet([0, 0, CONTROL_WINDOW], [STREAM, 2, 14], knows=True)
        .send(),
    )


def _refused_streams(family: Family) -> None:
    def add(slug: str, requirements: str, comment: str, script: _Script) -> None:
        script.add_to(family, f"refused-{slug}", requirements, comment)

    control = [0, 0, CONTROL_WINDOW]
    add(
        "left-out",
        "LNK-005",
        "bytes that leave others out; the connection has ended",
        _Script().opened().data(0, _bytes(3)).data(4, _bytes(3)).write(b"x").send().take(),
    )
    add(
        "ack",
        "LNK-005",
        "an ack for more bytes than were sent",
        _Script().opened(5).write(_bytes(9)).send().ack(6, 1000).send(),
    )
    add(
        "window",
        "LNK-006",
        "a byte more than the window",
        _Script().opened().data(0, _bytes(WINDOW + 1)),
    )
    add(
        "window-later",
        "LNK-006",
        "a byte more than the limit, part by part",
        _Script().opened().data(0, _bytes(WINDOW)).data(WINDOW, b"x").take(),
    )
    add(
        "second-hello",
        "LNK-003",
        "a second hello on a connection",
        _Script().opened().frames(HELLO),
    )
    add(
        "own-role",
        "LNK-003",
        "a hello of the receiver's own role",
        _Script().meet(control, role="csp"),
    )
    add(
        "gone",
        "LNK-007",
        "bytes are asked for that are gone: a new incarnation",
        _Script()
        .opened()
        .write(_bytes(20))
        .send()
        .ack(8, 1000)
        .add("cut")
        .meet(control, [STREAM, 7, 1000], knows=True)
        .meet(control, knows=True)
        .hello()
        .take(),
    )
    add(
        "ahead",
        "LNK-005 LNK-007",
        "a hello with more bytes than were sent",
        _Script()
        .opened()
        .write(_bytes(20))
        .send()
        .add("cut")
        .meet(control, [STREAM, 21, 1000], knows=True),
    )
    add("reset-control", "LNK-010", "stream 0 is not reset", _Script().met().reset("peer", 0))
