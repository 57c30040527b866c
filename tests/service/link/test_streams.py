# SPDX-License-Identifier: Apache-2.0
"""The streams of a link: whatever is cut, sent twice or held back, the bytes come in order."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.link import frames, streams
from ppmf_secure.link.frames import MOST_DATA, Direction, Head, Hello, Kind, Splitter
from ppmf_secure.link.streams import CONTROL, Stream
from ppmf_secure.primitives.coins import Coins
from ppmf_service.link import link
from ppmf_service.link.memory import MemoryLink, Wire
from ppmf_spec.errors import EncodingError, PeerError, PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role

COINS = Coins.seeded("link")
NUMBER = 7
SMALL = 1000


def pair() -> Wire:
    return Wire.between(COINS.child("pair"))


def opened(wire: Wire) -> dict[Role, Stream]:
    return {role: wire.links[role].open(NUMBER) for role in (CSP, RECSYS)}


def taken(link: MemoryLink, stream: Stream, most: int = 1 << 20) -> bytes:
    room = memoryview(bytearray(most))
    return bytes(room[: link.read_into(stream, room)])


def pattern(count: int) -> bytes:
    return bytes(at * at % 251 for at in range(count))


@pytest.mark.req("PPMF-LNK-005", "PPMF-LNK-007")
@given(st.data())
def test_bytes_come_whole_and_in_order_whatever_is_cut(data: st.DataObject) -> None:
    """Cuts at any byte lose what is on its way; it is sent again, and nothing comes twice."""
    wire = pair()
    wire.connect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "MOST_DATA", data.draw(st.integers(1, 300)))
        both = {
            role: wire.links[role]._streams.open(NUMBER, window=SMALL) for role in (CSP, RECSYS)
        }
        sent = dict.fromkeys(both, b"")
        got = dict.fromkeys(both, b"")
        for _ in range(data.draw(st.integers(1, 40))):
            role = data.draw(st.sampled_from([RECSYS, CSP]))
            match data.draw(st.sampled_from(["write", "deliver", "take", "cut"])):
                case "write":
                    piece = pattern(data.draw(st.integers(0, 2000)))
                    cut = data.draw(st.integers(0, len(piece)))
                    wire.links[role].write(both[role], [piece[:cut], piece[cut:]])
                    sent[role] += piece
                case "deliver" if wire.up:
                    count = wire.fill(role, 500)
                    wire.deliver(role, data.draw(st.integers(0, count)))
                case "take":
                    most = data.draw(st.integers(0, 800))
                    got[role.peer] += taken(wire.links[role.peer], both[role.peer], most)
                case "cut":
                    wire.connect()
            assert both[role].available <= SMALL
        for _ in range(60):
            if not wire.up:
                wire.connect()
            wire.pump()
            for role in both:
                got[role] += taken(wire.links[role], both[role])
        assert got == {RECSYS: sent[CSP], CSP: sent[RECSYS]}
        assert all(stream.drained for stream in both.values())


@pytest.mark.req("PPMF-LNK-005", "PPMF-LNK-007")
@given(st.data())
def test_bytes_come_in_order_into_rooms_that_are_lent(data: st.DataObject) -> None:
    """Also if a connection is cut while a frame is read to where it belongs."""
    wire = pair()
    wire.connect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "MOST_DATA", data.draw(st.integers(1, 300)))
        both = {
            role: wire.links[role]._streams.open(NUMBER, window=SMALL) for role in (CSP, RECSYS)
        }
        sent = got = b""
        room, at = memoryview(bytearray(0)), 0
        for step in (
            data.draw(
                st.lists(st.sampled_from(["write", "deliver", "half", "take", "cut"]), max_size=40)
            )
            + ["take", "pump"] * 30
        ):
            match step:
                case "write":
                    piece = pattern(data.draw(st.integers(0, 2000)))
                    wire.links[RECSYS].write(both[RECSYS], [piece])
                    sent += piece
                case "deliver" if wire.up:
                    wire.deliver(RECSYS, data.draw(st.integers(0, wire.fill(RECSYS, 500))))
                case "half":  # of a frame, of which the rest is lost
                    size = data.draw(st.integers(1, 300))
                    head = Head(Kind.DATA, NUMBER, both[CSP]._in.received, size)
                    place = wire.links[CSP]._streams.place(head)
                    if place is not None:
                        place[:] = bytes(size)
                case "take":
                    if at == len(room):
                        got += bytes(room)
                        room, at = memoryview(bytearray(data.draw(st.integers(0, 700)))), 0
                    at += wire.links[CSP].read_into(both[CSP], room[at:], lend=True)
                case "cut":
                    wire.connect()
                case "pump":
                    if not wire.up:
                        wire.connect()
                    wire.pump()
            if at == len(room):
                assert both[CSP].news == (both[CSP].available > 0)
        while at == len(room) and both[CSP].available:
            got += bytes(room)
            room, at = memoryview(bytearray(700)), 0
            at += wire.links[CSP].read_into(both[CSP], room, lend=True)
            wire.pump()
        at += wire.links[CSP].read_into(both[CSP], room[at:], lend=True)
        assert got + bytes(room[:at]) == sent


@pytest.mark.req("PPMF-LNK-006")
def test_a_message_that_is_awaited_is_put_where_it_belongs() -> None:
    """It may be longer than the window, is kept nowhere else, and wakes nobody before its end."""
    wire = pair()
    wire.connect()
    both = {role: wire.links[role]._streams.open(NUMBER, window=SMALL) for role in (CSP, RECSYS)}
    room = memoryview(bytearray(3 * SMALL))
    assert both[CSP].read_into(room, lend=True) == 0
    sent = pattern(4 * SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "MOST_DATA", SMALL // 4)
        both[RECSYS].write([sent[: 2 * SMALL]])
        wire.pump()
        assert (both[CSP].news, both[CSP].available) == (False, 2 * SMALL)
        both[RECSYS].write([sent[2 * SMALL :]])
        wire.pump()
    assert bytes(room) == sent[: 3 * SMALL]
    assert both[CSP].news
    assert both[CSP].read_into(room) == 3 * SMALL
    assert both[CSP].read_into(room) == SMALL
    assert bytes(room[:SMALL]) == sent[3 * SMALL :]


@pytest.mark.req("PPMF-LNK-006")
def test_a_frame_beyond_the_window_has_no_place() -> None:
    wire = pair()
    wire.connect()
    stream = wire.links[CSP]._streams.open(NUMBER, window=SMALL)
    stream.read_into(memoryview(bytearray(2 * SMALL)), lend=True)
    found = wire.links[CSP]._streams
    assert found.place(Head(Kind.DATA, NUMBER, 0, SMALL)) is not None
    assert found.place(Head(Kind.DATA, NUMBER, 0, SMALL + 1)) is None
    assert found.place(Head(Kind.DATA, NUMBER, 1, 1)) is None
    assert found.place(Head(Kind.DATA, NUMBER + 1, 0, 1)) is None


@pytest.mark.req("PPMF-LNK-005")
def test_bytes_after_others_that_wait_have_no_place() -> None:
    wire = pair()
    wire.connect()
    stream = wire.links[CSP]._streams.open(NUMBER, window=SMALL)
    stream.read_into(memoryview(bytearray(10)), lend=True)
    found = wire.links[CSP]._streams
    found.take(Head(Kind.DATA, NUMBER, 0, 20), pattern(20))
    assert found.place(Head(Kind.DATA, NUMBER, 20, 5)) is None


@pytest.mark.req("PPMF-LNK-006")
def test_a_sender_keeps_to_the_window() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    wire.links[RECSYS].write(both[RECSYS], [bytes(3 * streams.WINDOW)])
    wire.pump()
    assert both[CSP].available == streams.WINDOW
    assert both[RECSYS].queued == 2 * streams.WINDOW
    room = memoryview(bytearray(streams.WINDOW // 2))
    wire.links[CSP].read_into(both[CSP], room)
    wire.pump()
    assert both[CSP].available == streams.WINDOW


@pytest.mark.req("PPMF-LNK-006")
def test_what_was_acknowledged_is_not_kept() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    wire.links[RECSYS].write(both[RECSYS], [bytes(1000)])
    assert not both[RECSYS].drained
    wire.pump()
    assert both[RECSYS].drained
    assert not both[RECSYS]._out._pieces


@pytest.mark.req("PPMF-LNK-006")
def test_more_than_the_window_is_refused() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    both[CSP]._in.received = both[CSP]._in._granted - 1
    body = bytes(2)
    head = Head(Kind.DATA, NUMBER, both[CSP]._in.received, len(body))
    with pytest.raises(StateError, match="are allowed"):
        wire.links[CSP]._streams.take(head, body)


@pytest.mark.req("PPMF-LNK-017")
def test_a_server_that_waits_to_send_lets_the_peer_send_more() -> None:
    wire = pair()
    wire.connect()
    both = {role: wire.links[role].open(NUMBER, ahead=streams.WINDOW) for role in (CSP, RECSYS)}
    wire.links[RECSYS].write(both[RECSYS], [bytes(2 * streams.WINDOW)])
    wire.pump()
    both[CSP].widen(waits=True)
    wire.pump()
    assert both[CSP].available == 2 * streams.WINDOW


@pytest.mark.req("PPMF-LNK-005")
@pytest.mark.parametrize("offset", [1, 1 << 63])
def test_bytes_that_are_left_out_are_refused(offset: int) -> None:
    wire = pair()
    wire.connect()
    opened(wire)
    with pytest.raises(StateError, match="were left out"):
        wire.links[CSP]._streams.take(Head(Kind.DATA, NUMBER, offset, 1), b"x")


@pytest.mark.req("PPMF-LNK-005")
def test_bytes_that_come_again_are_passed_over() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    link = wire.links[CSP]
    link._streams.take(Head(Kind.DATA, NUMBER, 0, 3), b"abc")
    link._streams.take(Head(Kind.DATA, NUMBER, 1, 3), b"bcd")
    link._streams.take(Head(Kind.DATA, NUMBER, 0, 2), b"ab")
    assert taken(link, both[CSP]) == b"abcd"


@pytest.mark.req("PPMF-LNK-005")
def test_more_acknowledged_than_sent_is_refused() -> None:
    wire = pair()
    wire.connect()
    opened(wire)
    frame = frames.ack(NUMBER, 1, 1)
    ((head, body),) = Splitter().feed(frame)
    with pytest.raises(StateError, match="acknowledged"):
        wire.links[CSP]._streams.take(head, body)


@pytest.mark.req("PPMF-LNK-008")
@pytest.mark.parametrize("who", [RECSYS, CSP])
def test_a_peer_that_started_anew_has_lost_the_streams(who: Role) -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    wire.links[who].write(both[who], [b"what came before"])
    control = wire.links[who.peer].control
    wire.pump()
    wire.cut()
    wire.links[who] = MemoryLink(who, COINS.child("another"))
    before = wire.links[who.peer].generation
    wire.connect()
    other = wire.links[who.peer]
    assert other.generation == before + 1
    assert other.control is not control
    assert taken(other, both[who.peer], 100) == b"what came before"
    with pytest.raises(PeerError, match="started anew"):
        taken(other, both[who.peer])
    with pytest.raises(PeerError, match="started anew"):
        other.write(both[who.peer], [b"x"])
    for role in both:
        wire.links[role].write(wire.links[role].control, [b"again"])
    wire.pump()
    for role in both:
        assert taken(wire.links[role], wire.links[role].control) == b"again"


@pytest.mark.req("PPMF-LNK-008")
def test_a_hello_whose_answer_was_lost_begins_anew_once_more() -> None:
    wire = pair()
    wire.links[CSP].meet(wire.links[RECSYS].say_hello())
    generation = wire.links[CSP].generation
    wire.connect()
    assert wire.links[CSP].generation == generation + 1
    wire.connect()
    assert wire.links[CSP].generation == generation + 1


@pytest.mark.req("PPMF-LNK-007")
def test_bytes_that_are_gone_cannot_be_asked_for_again() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    wire.links[RECSYS].write(both[RECSYS], [bytes(10)])
    wire.pump()
    said = wire.links[CSP].say_hello()
    listed = tuple((n, r - 1 if n == NUMBER else r, limit) for n, r, limit in said.streams)
    wrong = Hello(CSP, said.direction, said.incarnation, said.peer, said.pairing, listed)
    before = wire.links[RECSYS].say_hello().incarnation
    with pytest.raises(StateError, match="asked for again"):
        wire.links[RECSYS].meet(wrong)
    assert wire.links[RECSYS].say_hello().incarnation != before
    wire.connect()
    assert wire.links[CSP].connected
    with pytest.raises(PeerError):
        taken(wire.links[CSP], both[CSP], 100) and taken(wire.links[CSP], both[CSP])


@pytest.mark.req("PPMF-LNK-003")
def test_a_server_of_the_same_role_is_refused() -> None:
    one, other = (MemoryLink(CSP, COINS.child(name)) for name in ("one", "other"))
    with pytest.raises(StateError, match="csp where recsys was due"):
        one.meet(other.say_hello())


@pytest.mark.req("PPMF-LNK-010")
def test_a_stream_that_is_given_up_ends_at_the_peer_with_the_reason() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    wire.links[RECSYS].write(both[RECSYS], [bytes(50)])
    wire.links[RECSYS].give_up(both[RECSYS], EncodingError("bad \x1b[2J bytes"))
    wire.pump()
    with pytest.raises(PeerError, match=r"recsys stopped: encoding: bad \\x1b\[2J bytes"):
        taken(wire.links[CSP], both[CSP])
    with pytest.raises(PeerError):
        wire.links[RECSYS].write(both[RECSYS], [b"x"])


@pytest.mark.req("PPMF-LNK-010")
def test_a_stream_that_the_peer_gave_up_first_is_lost_when_it_is_opened() -> None:
    wire = pair()
    wire.connect()
    stream = wire.links[CSP].open(NUMBER)
    wire.links[CSP].give_up(stream, StateError("full disk"))
    wire.pump()
    late = wire.links[RECSYS].open(NUMBER, met=True)
    with pytest.raises(PeerError, match="csp stopped: state: full disk"):
        taken(wire.links[RECSYS], late)
    wire.links[RECSYS].finish(late)
    wire.links[RECSYS].give_up(late, StateError("why"))
    assert wire.links[RECSYS]._streams.next_frame(idle=True) is None


@pytest.mark.req("PPMF-LNK-010")
def test_a_stream_that_ended_while_the_wire_was_cut_is_lost_at_the_peer() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    wire.pump()
    wire.cut()
    wire.links[RECSYS].give_up(both[RECSYS], StateError("full disk"))
    wire.links[RECSYS]._streams._resets.clear()
    wire.connect()
    with pytest.raises(PeerError, match="has ended"):
        taken(wire.links[CSP], both[CSP])


@pytest.mark.req("PPMF-LNK-010")
def test_a_finished_stream_lasts_until_the_peer_has_it_all() -> None:
    wire = pair()
    wire.connect()
    both = opened(wire)
    link = wire.links[CSP]
    link.write(both[CSP], [b"the last message"])
    wire.links[RECSYS].write(both[RECSYS], [b"which CSP does not want"])
    link.finish(both[CSP])
    wire.fill(CSP)
    wire.cut()
    wire.connect()
    wire.pump()
    assert taken(wire.links[RECSYS], both[RECSYS], 100) == b"the last message"
    assert NUMBER not in link._streams._streams
    wire.links[RECSYS].finish(both[RECSYS])
    wire.pump()
    assert NUMBER not in wire.links[RECSYS]._streams._streams


@pytest.mark.req("PPMF-LNK-009")
def test_frames_of_streams_that_are_not_open_are_passed_over() -> None:
    wire = pair()
    wire.connect()
    link = wire.links[CSP]._streams
    for frame in (frames.ack(9, 5, 5), frames.reset(9, StateError("no")), frames.ping()):
        for head, body in Splitter().feed(frame):
            link.take(head, body)
    link.take(Head(Kind.DATA, 9, 0, 1), b"x")


@pytest.mark.req("PPMF-LNK-009")
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("first", [RECSYS, CSP])
def test_either_server_may_open_a_stream_first(first: Role, cut: bool) -> None:
    wire = pair()
    wire.connect()
    one = wire.links[first].open(NUMBER)
    if cut:
        wire.connect()
    wire.pump()
    other = wire.links[first.peer].open(NUMBER)
    for role, stream in ((first, one), (first.peer, other)):
        wire.links[role].write(stream, [role.encode()])
    wire.pump()
    assert taken(wire.links[first], one) == first.peer.encode()
    assert taken(wire.links[first.peer], other) == first.encode()


@pytest.mark.req("PPMF-LNK-009")
def test_only_the_newest_of_the_streams_that_are_not_open_are_remembered() -> None:
    wire = pair()
    wire.connect()
    link = wire.links[CSP]._streams
    for number in range(100, 200):
        ((head, body),) = Splitter().feed(frames.ack(number, 0, 5))
        link.take(head, body)
    assert list(link._early) == list(range(200 - frames.MOST_STREAMS, 200))


@pytest.mark.req("PPMF-LNK-009")
def test_no_stream_is_opened_twice_and_there_are_not_too_many() -> None:
    link = pair().links[CSP]
    link.open(1)
    with pytest.raises(StateError, match="stream 1 cannot be opened"):
        link.open(1)
    for number in range(2, frames.MOST_STREAMS):
        link.open(number)
    with pytest.raises(StateError, match="cannot be opened"):
        link.open(99)
    frames.hello(link.say_hello())


@pytest.mark.req("PPMF-LNK-003", "PPMF-LNK-010")
def test_what_must_not_come_is_refused() -> None:
    link = pair().links[CSP]._streams
    with pytest.raises(StateError, match="second hello"):
        link.take(Head(Kind.HELLO, 0, 0, 1), b"x")
    with pytest.raises(StateError, match="control stream"):
        link.take(Head(Kind.RESET, CONTROL, 0, 1), b"x")


FRAMES = st.sampled_from(
    [
        frames.ack(NUMBER, 0, 5000),
        frames.ping(),
        frames.reset(NUMBER, StateError("why")),
        frames.write_head(Kind.DATA, NUMBER, 0, 5) + b"bytes",
        frames.write_head(Kind.DATA, CONTROL, 0, 5) + b"bytes",
        frames.hello(pair().links[RECSYS].say_hello()),
    ]
)


@pytest.mark.req("PPMF-LNK-004")
@given(st.lists(FRAMES, max_size=5), st.data())
def test_frames_come_whole_from_bytes_in_any_pieces(sent: list[bytes], data: st.DataObject) -> None:
    joined, splitter, found = b"".join(sent), Splitter(), []
    while joined:
        cut = data.draw(st.integers(1, len(joined)))
        found += [
            frames.write_head(head.kind, head.stream, head.offset, head.size) + body
            for head, body in splitter.feed(joined[:cut])
        ]
        joined = joined[cut:]
    assert found == sent


@pytest.mark.req("PPMF-LNK-004")
@given(st.binary(max_size=200), FRAMES, st.data())
def test_mutated_frames_end_in_a_refusal_or_change_nothing(
    noise: bytes, frame: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(frame)))
    mutated = frame[:at] + noise + frame[data.draw(st.integers(at, len(frame))) :]
    wire = pair()
    wire.connect()
    both = opened(wire)
    with suppress(PpmfError):
        wire.links[CSP].take(Splitter(), mutated)
    assert both[CSP].available <= len(mutated)


@pytest.mark.req("PPMF-LNK-004")
@pytest.mark.parametrize(
    ("kind", "size"),
    [(0, 0), (0, 1025), (1, 0), (1, MOST_DATA + 1), (2, 7), (2, 9), (3, 0), (3, 513), (4, 1)],
)
def test_a_body_that_no_frame_of_the_kind_has_is_refused_by_its_head(kind: int, size: int) -> None:
    with pytest.raises(EncodingError, match="a body of"):
        frames.read_head(frames.write_head(Kind(kind), 0, 0, size))


@pytest.mark.req("PPMF-LNK-004")
def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(EncodingError, match="kind 5"):
        frames.read_head(b"\x05" + bytes(16))


def hello_body(said: Hello) -> bytes:
    return frames.hello(said)[frames.HEAD_BYTES :]


SAID = Hello(CSP, Direction.DOWN, bytes(16), b"", bytes(16), ((0, 1, 2), (7, 8, 9)))


@pytest.mark.req("PPMF-LNK-003")
def test_a_hello_is_read_as_it_was_written() -> None:
    assert frames.read_hello(hello_body(SAID)) == SAID
    again = Hello(RECSYS, Direction.UP, b"i" * 16, b"p" * 16, b"q" * 16, ())
    assert frames.read_hello(hello_body(again)) == again


@pytest.mark.req("PPMF-LNK-003")
@pytest.mark.parametrize(
    "said",
    [
        Hello(Role.USERS, Direction.UP, bytes(16), b"", bytes(16), ()),
        Hello(CSP, Direction.UP, bytes(15), b"", bytes(16), ()),
        Hello(CSP, Direction.UP, bytes(16), bytes(1), bytes(16), ()),
        Hello(CSP, Direction.UP, bytes(16), b"", bytes(17), ()),
        Hello(CSP, Direction.UP, bytes(16), b"", bytes(16), ((1, 2),)),  # type: ignore[arg-type]
        Hello(CSP, Direction.UP, bytes(16), b"", bytes(16), ((0, 0, 0),) * 17),
    ],
)
def test_a_malformed_hello_is_refused(said: Hello) -> None:
    with pytest.raises(EncodingError):
        frames.read_hello(hello_body(said))


@pytest.mark.req("PPMF-LNK-003")
def test_another_version_is_refused_by_its_name() -> None:
    body = hello_body(SAID).replace(b"ppmf-link/1", b"ppmf-link/9")
    with pytest.raises(EncodingError, match="'ppmf-link/9', not ppmf-link/1"):
        frames.read_hello(body)


@pytest.mark.req("PPMF-LNK-006")
def test_bytes_that_come_one_by_one_take_no_more_room_than_others() -> None:
    incoming = streams._Incoming(1 << 20)
    incoming.allow()
    sent = pattern(20_000)
    for at in range(len(sent)):
        incoming.add(at, sent[at : at + 1])
        if at == 10_000:
            room = memoryview(bytearray(3))
            assert incoming.read_into(room) == 3
            assert bytes(room) == sent[:3]
    assert len(incoming._pieces) <= 1 + len(sent) // 2048
    room = memoryview(bytearray(len(sent)))
    assert incoming.read_into(room) == len(sent) - 3
    assert bytes(room[:-3]) == sent[3:]


def waiting_to_send(one: link.Link, stream: Stream) -> tuple[threading.Thread, list[PeerError]]:
    """A program that sends more than the peer acknowledges, and what it is told in the end."""
    told = list[PeerError]()

    def send() -> None:
        try:
            one.write(stream, [bytes(100)])
        except PeerError as error:
            told.append(error)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    return sender, told


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small bounds and short times."""
    for name, value in (
        ("MOST_QUEUED", 10),
        ("WINDOW", 10),
        ("AWAY_SECONDS", 0.05),
        ("STALL_SECONDS", 0.1),
        ("STALL_BYTES", 30),
        ("_LOOK_SECONDS", 0.01),
    ):
        monkeypatch.setattr(link, name, value)


@pytest.mark.req("PPMF-LNK-018", "PPMF-SRV-015")
@pytest.mark.parametrize("connected", [False, True])
def test_a_program_that_waits_to_send_is_let_go_if_nothing_is_taken(
    connected: bool, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = link.Link(RECSYS, COINS.child("away"))
    cuts, looked = list[bool](), list[bool]()
    monkeypatch.setattr(one, "cut", lambda: cuts.append(True))
    one.meanwhile = lambda: looked.append(True)
    one._streams.connected = connected
    sender, told = waiting_to_send(one, one.open(NUMBER))
    sender.join(20)
    assert not sender.is_alive()
    assert "takes nothing" if connected else "stays away" in str(told[0])
    assert bool(cuts) is connected
    assert looked


@pytest.mark.req("PPMF-LNK-006", "PPMF-LNK-018")
def test_a_peer_that_reads_all_and_acknowledges_nothing_fills_no_memory(quick: None) -> None:
    """What was sent is kept, so that is what counts, whatever the peer allows."""
    wire = pair()
    wire.connect()
    one = link.Link(RECSYS, COINS.child("held"))
    one._streams = wire.links[RECSYS]._streams
    stream = one.open(NUMBER)
    stream._out.limit = 1 << 60
    sender, told = waiting_to_send(one, stream)
    while one._streams.next_frame(idle=True) is not None:
        pass
    assert stream.queued == 0 or sender.is_alive()
    sender.join(20)
    assert not sender.is_alive()
    assert "takes nothing" in str(told[0])


@pytest.mark.req("PPMF-LNK-018")
def test_a_peer_that_takes_little_by_little_is_waited_for(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = (count / 100 for count in range(1 << 20))  # a look in each hundredth of a second
    monkeypatch.setattr(link, "time", SimpleNamespace(monotonic=lambda: next(passed)))
    one = link.Link(RECSYS, COINS.child("slow"))
    one._streams.connected = True
    stream = one.open(NUMBER)
    stream._out.limit = 100
    turns = iter(range(0, 101, 4))

    def takes() -> None:
        stream._out.next(4)
        stream._out.acknowledge(min(next(turns, 100), stream._out.sent), 100)

    one.meanwhile = takes
    sender, told = waiting_to_send(one, stream)
    sender.join(20)
    assert told == []
    assert stream.acknowledged >= 80


@pytest.mark.req("PPMF-LNK-006", "PPMF-LNK-017")
def test_while_a_program_waits_to_send_the_peer_may_send_what_the_plan_says() -> None:
    wire = pair()
    wire.connect()
    stream = wire.links[RECSYS].open(NUMBER, ahead=500)
    granted = stream._in.allow()[1]
    stream.widen(waits=True)
    assert stream._in.allow()[1] == granted + 500
    stream._in.add(0, bytes(granted + 500))
    with pytest.raises(StateError, match="are allowed"):
        stream._in.add(granted + 500, b"x")
    stream.widen(waits=False)
    room = memoryview(bytearray(500))
    stream._in.read_into(room)
    assert stream._in.allow()[1] == granted + 500  # no more than the window from now on
    stream._in.read_into(room[:1])
    assert stream._in.allow()[1] == granted + 501
