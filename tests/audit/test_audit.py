# SPDX-License-Identifier: Apache-2.0
"""Each way to spoil a faultless transcript is found by the audit, by the right check."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from itertools import zip_longest
from pathlib import Path

import cbor2
import numpy as np
import pytest

from ppmf_audit import audit
from ppmf_audit.base_points import PointSecrets, coins_behind, origin_finding
from ppmf_audit.ciphertexts import KEYS
from ppmf_secure.primitives.base_transfers import candidates, first_point
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.sealing import SealingKey, seal
from ppmf_secure.session.set_up import write
from ppmf_secure.session.transcript import Recorder, record_session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.messages import encoded_message, message_of
from tests.support.p256_by_hand import ORDER, PRIME, G, Point, add, decode, encode, times
from tests.support.sessions import session_of, signed

Step = tuple[Role, Role, wire.Message]
Wire = list[tuple[Role, Role, bytes]]

SUITE = "paillier-512-insecure"
BOTH = ((RECSYS, CSP), (CSP, RECSYS))
COINS = Coins.seeded("test_audit")
SECRET = {name: SecretKey.generate(512, COINS) for name in (RECSYS, CSP)}
KEY_FOR_SEALS = SealingKey.generate(COINS).public
USER_IDS = [f"{number}" for number in range(1, 8)]
SESSION = session_of(
    Parameters(rank=2, iterations=1),
    tuple(USER_IDS),
    tuple(str(number) for number in range(1, 2561)),
    SUITE,
)


def ciphertexts(owner: Role, count: int) -> bytes:
    key = SECRET[owner]
    return key.public.write(key.encrypt(number, COINS) for number in range(count))


def points(count: int) -> bytes:
    return b"".join(first_point(candidates(COINS)) for _ in range(count))


def sealed_seed() -> bytes:
    return seal(KEY_FOR_SEALS, b"", COINS.bytes(64), COINS.bytes(32))


def faultless() -> list[Step]:
    """A run's messages in a plausible order, with random bytes where bytes must look random."""
    steps: list[Step] = []

    def step(sender: Role, receiver: Role, kind: type[wire.Message], **chosen: object) -> None:
        steps.append((sender, receiver, message_of(kind, **chosen)))

    seals = [sealed_seed() for _ in USER_IDS]
    for user, seal_of_user in zip(USER_IDS, seals, strict=True):
        masked = COINS.bytes(1600)
        step(USERS, RECSYS, wire.Upload, user=user, masked=masked, sealed=seal_of_user)
    records = b"".join((1).to_bytes(8, "little") + each for each in seals)
    step(RECSYS, CSP, wire.Closing, presence=b"\x7f", seals=records)
    step(CSP, RECSYS, wire.Admission, admitted=b"\x7f")
    for me, peer in BOTH:
        key = SECRET[me].public.to_bytes()
        step(me, peer, wire.ServerKey, suite=SUITE, product_key=key)
        step(me, peer, wire.EncryptedRows, packing="users", rows=ciphertexts(me, 6))
    for me, peer in BOTH:
        step(me, peer, wire.BaseRequest, points=points(256))
    for me, peer in BOTH:
        step(me, peer, wire.BaseAnswer, point=points(1))
    for me, peer in BOTH * 2:
        step(me, peer, wire.ProductAnswer, answer=ciphertexts(peer, 3))
        step(me, peer, wire.TransferColumns, columns=COINS.bytes(6400))
        step(me, peer, wire.TransferPayload, payload=COINS.bytes(5000))
    for _ in range(2):
        step(CSP, RECSYS, wire.GarbledTables, tables=COINS.bytes(8000))
    step(CSP, RECSYS, wire.OutputShare, bits=b"share")
    return steps


def encoded(steps: list[Step], session: bytes = SESSION.id) -> Wire:
    links: dict[tuple[Role, Role], wire.Link] = {}
    out: Wire = []
    for sender, receiver, message in steps:
        fresh = wire.Link(session, 0, sender, receiver)  # each user is a sender of their own
        link = fresh if sender is USERS else links.setdefault((sender, receiver), fresh)
        out.append((sender, receiver, link.encode(message)))
    return out


def record(folder: Path, sent: Wire, received: Wire | None = None) -> Path:
    """Three transcripts of what went out, and of what came in (by default the same)."""
    received = sent if received is None else received
    record_session(folder, write(signed(SESSION)))
    for party in Role:
        with Recorder(folder, party) as recorder:
            for outgoing, incoming in zip_longest(sent, received):
                if outgoing is not None and outgoing[0] == party:
                    recorder.record("sent", outgoing[1], outgoing[2])
                if incoming is not None and incoming[1] == party:
                    recorder.record("received", incoming[0], incoming[2])
    return folder


def failed(folder: Path) -> set[str]:
    return {one.check for one in audit(folder) if not one.ok}


def of_kind(steps: list[Step], kind: type[wire.Message], nth: int = 0) -> int:
    """The place of the nth message of a kind."""
    return [at for at, (_, _, message) in enumerate(steps) if isinstance(message, kind)][nth]


def spoil(
    steps: list[Step], kind: type[wire.Message], name: str, change: Callable[[bytes], bytes]
) -> list[Step]:
    """The same steps with a field of every message of `kind` changed."""
    out = []
    for sender, receiver, message in steps:
        if isinstance(message, kind):
            message = replace(message, **{name: change(getattr(message, name))})
        out.append((sender, receiver, message))
    return out


def test_a_faultless_run_passes_every_check_of_the_audit(tmp_path: Path) -> None:
    findings = audit(record(tmp_path, encoded(faultless())))
    assert [one for one in findings if not one.ok] == []
    assert sum("looks uniform" in one.check for one in findings) == 6
    assert not any("too few" in one.detail for one in findings)


def test_every_field_of_ciphertexts_has_a_key() -> None:
    found = {
        (kind.name, item.name)
        for kind in wire.MESSAGES.values()
        for item in fields(kind)
        if item.metadata["class"] is wire.FieldClass.HE_CIPHERTEXT
    }
    assert found == set(KEYS)


# -- bytes that should look uniform ----------------------------------------------------------------


REPEATED = {
    "no masked field repeated",
    "no block repeated within a message",
    "columns under fresh keystreams",
    "masked bits fair, alone and between users",
}
"""What constant bytes are besides."""


def low_bit_cleared(data: bytes) -> bytes:
    return bytes(byte & 0xFE for byte in data)


def top_byte_of_words_zero(data: bytes) -> bytes:
    words = np.frombuffer(data, dtype="<u8") >> np.uint64(8)
    return words.tobytes()


def blocks_repeated(data: bytes) -> bytes:
    blocks = np.frombuffer(data, dtype=np.uint8).reshape(-1, 16)
    return np.repeat(blocks[::2], 2, axis=0)[: len(blocks)].tobytes()


def skewed(data: bytes) -> bytes:
    """Every byte the larger of two: 0x00 rare, 0xff common."""
    values = np.frombuffer(data, dtype=np.uint8)
    return np.maximum(values, np.roll(values, 1)).tobytes()


@pytest.mark.parametrize(
    "change", [lambda data: b"\x5a" * len(data), low_bit_cleared, top_byte_of_words_zero, skewed]
)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (wire.Upload, "masked"),
        (wire.TransferColumns, "columns"),
        (wire.TransferPayload, "payload"),
        (wire.GarbledTables, "tables"),
    ],
)
def test_bytes_that_are_not_uniform_are_found(
    tmp_path: Path, kind: type[wire.Message], name: str, change: Callable[[bytes], bytes]
) -> None:
    steps = spoil(faultless(), kind, name, change)
    found = failed(record(tmp_path, encoded(steps))) - REPEATED
    assert found
    assert all(check.startswith(f"{kind.name}.{name} looks uniform") for check in found)


def test_repeated_blocks_are_found(tmp_path: Path) -> None:
    steps = spoil(faultless(), wire.GarbledTables, "tables", blocks_repeated)
    assert failed(record(tmp_path, encoded(steps))) == {
        "garbled-tables.tables looks uniform (garbled-table)",
        "no block repeated within a message",
    }


def test_a_repeated_mask_is_found(tmp_path: Path) -> None:
    steps = faultless()
    first, second = (of_kind(steps, wire.TransferColumns, nth) for nth in (0, 1))
    steps[second] = (*steps[second][:2], steps[first][2])
    assert failed(record(tmp_path, encoded(steps))) == {"no masked field repeated"}


def test_too_few_bytes_are_not_judged(tmp_path: Path) -> None:
    steps = spoil(faultless(), wire.Upload, "masked", lambda data: data[:64])
    findings = audit(record(tmp_path, encoded(steps)))
    (masked,) = [one for one in findings if one.check.startswith("upload.masked")]
    assert masked.ok
    assert "too few" in masked.detail


# -- ciphertexts -----------------------------------------------------------------------------------


def test_a_repeated_ciphertext_is_found(tmp_path: Path) -> None:
    def repeat_the_first(data: bytes) -> bytes:
        return data[:128] + data[:128] + data[256:]

    steps = spoil(faultless(), wire.EncryptedRows, "rows", repeat_the_first)
    assert failed(record(tmp_path, encoded(steps))) == {"no ciphertext repeated"}


def test_a_ciphertext_used_again_in_another_message_is_found(tmp_path: Path) -> None:
    steps = faultless()
    first, later = (of_kind(steps, wire.ProductAnswer, nth) for nth in (0, 2))
    assert steps[first][:2] == steps[later][:2]
    steps[later] = steps[first]
    assert failed(record(tmp_path, encoded(steps))) == {"no ciphertext repeated"}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: bytes(128) + data[128:],
        lambda data: b"\xff" * 128 + data[128:],
        lambda data: b"",
    ],
    ids=["width", "zero", "above N^2", "empty"],
)
def test_an_invalid_ciphertext_is_found(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    steps = spoil(faultless(), wire.EncryptedRows, "rows", change)
    assert "ciphertexts of fixed width and valid" in failed(record(tmp_path, encoded(steps)))


def test_one_randomness_under_two_plaintexts_is_found(tmp_path: Path) -> None:
    """The second ciphertext is the first with 1 added to its plaintext."""

    def add_one(data: bytes) -> bytes:
        first = int.from_bytes(data[:128], "big")
        key = next(k.public for k in SECRET.values() if k.decrypt(first) == 0)
        return data[:128] + key.write([first * key.plain(1) % key.square]) + data[256:]

    steps = spoil(faultless(), wire.EncryptedRows, "rows", add_one)
    assert failed(record(tmp_path, encoded(steps))) == {"no ciphertext repeated"}


def test_a_ciphertext_without_a_key_is_found(tmp_path: Path) -> None:
    steps = [step for step in faultless() if not isinstance(step[2], wire.ServerKey)]
    assert failed(record(tmp_path, encoded(steps))) == {"ciphertexts of fixed width and valid"}


def test_an_invalid_public_key_is_found(tmp_path: Path) -> None:
    steps = spoil(faultless(), wire.ServerKey, "product_key", lambda data: bytes(len(data)))
    assert failed(record(tmp_path, encoded(steps))) == {"ciphertexts of fixed width and valid"}


def test_a_sealed_seed_altered_on_its_way_is_found(tmp_path: Path) -> None:
    fresh = sealed_seed()
    steps = spoil(faultless(), wire.Closing, "seals", lambda data: data[:8] + fresh + data[120:])
    assert failed(record(tmp_path, encoded(steps))) == {"seals forwarded unchanged"}


def test_seals_of_uploads_that_were_replaced_are_not_forwarded(tmp_path: Path) -> None:
    steps = faultless()
    masked = COINS.bytes(1600)
    again = message_of(wire.Upload, user="1", serial=2, masked=masked, sealed=sealed_seed())
    assert failed(record(tmp_path, encoded([(USERS, RECSYS, again), *steps]))) == set()


# -- points of base transfers ----------------------------------------------------------------------

VALID, ONCE, UNRELATED = (
    "points of base transfers valid",
    "no point repeated",
    "no difference of points repeated",
)


def plus(encoded: bytes, point: Point) -> bytes:
    return encode(add(decode(encoded), point))


def negative(encoded: bytes) -> bytes:
    return bytes([5 - encoded[0]]) + encoded[1:]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda data: data[:-1], {VALID}),
        (lambda data: data[:-33], {VALID}),
        (lambda data: b"", {VALID}),
        (lambda data: b"\x04" + data[1:], {VALID}),
        (lambda data: data[33:66] + data[33:], {ONCE}),
        (lambda data: data[:132] + negative(data[:33]) + data[165:], {ONCE}),
        (lambda data: data[:66] + data[66:99] + data[:33] + data[132:], {ONCE}),
        (
            lambda data: data[:66] + plus(data[:33], G) + plus(data[33:66], G) + data[132:],
            {UNRELATED},
        ),
        (
            lambda data: data[:66] + plus(data[33:66], G) + plus(data[:33], G) + data[132:],
            {UNRELATED},
        ),
        (
            lambda data: (
                data[:66] + plus(data[:33], G) + plus(negative(data[33:66]), G) + data[132:]
            ),
            {UNRELATED},
        ),
    ],
    ids=[
        "cut",
        "one short",
        "empty",
        "no point",
        "a pair of one",
        "a negative",
        "again in another pair",
        "one difference",
        "an opposite difference",
        "a difference that was a sum",
    ],
)
def test_bad_points_are_found(
    tmp_path: Path, change: Callable[[bytes], bytes], found: set[str]
) -> None:
    steps = spoil(faultless(), wire.BaseRequest, "points", change)
    assert failed(record(tmp_path, encoded(steps))) == found


def test_an_answer_that_is_a_point_of_the_request_is_found(tmp_path: Path) -> None:
    steps = faultless()
    at, asked = of_kind(steps, wire.BaseAnswer), steps[of_kind(steps, wire.BaseRequest)][2]
    assert isinstance(asked, wire.BaseRequest)
    steps[at] = (*steps[at][:2], message_of(wire.BaseAnswer, point=asked.points[66:99]))
    assert failed(record(tmp_path, encoded(steps))) == {ONCE}


def opened(count: int) -> tuple[list[wire.Message], dict[bytes, int], dict[bytes, list[bytes]]]:
    """A request of so many pairs, half of them turned, and an answer, with what is behind them."""
    secrets, drawn, pairs = {}, {}, []
    for number in range(count + 1):
        value = 1 + COINS.below(ORDER - 1)
        own, other = encode(times(value, G)), [COINS.bytes(33)]
        while not decode(as_point(other[-1])):
            other.append(COINS.bytes(33))
        secrets[own], drawn[as_point(other[-1])] = value, other
        pair = [own, as_point(other[-1])]
        pairs.append(pair[::-1] if number % 2 else pair)
    answer = pairs.pop()[count % 2]
    asked = message_of(wire.BaseRequest, points=b"".join(b"".join(pair) for pair in pairs))
    return [asked, message_of(wire.BaseAnswer, point=answer)], secrets, drawn


def as_point(candidate: bytes) -> bytes:
    return bytes([2 + candidate[0] % 2]) + candidate[1:]


@pytest.mark.req("PPMF-SEC-003", "PPMF-OTE-010")
def test_points_are_derived_again() -> None:
    sent, secrets, drawn = opened(6)
    behind, asked = PointSecrets(secrets, drawn), sent[0]
    assert isinstance(asked, wire.BaseRequest)
    assert origin_finding(sent, behind).ok
    of_request = [each for point, each in drawn.items() if point in asked.points]
    assert len(coins_behind(sent, behind)) == 7 + sum(map(len, of_request))
    assert len({len(each) for each in drawn.values()}) > 1, "some candidates were refused"


@pytest.mark.req("PPMF-SEC-003", "PPMF-OTE-010", "PPMF-OTE-011")
def test_points_of_another_origin_are_found() -> None:
    sent, secrets, drawn = opened(6)
    own, other = next(iter(secrets)), next(iter(drawn))
    late = next(point for point, each in drawn.items() if len(each) > 1 and point != other)
    above = bytes(1) + (PRIME + 5).to_bytes(32, "big")  # 5 would be the x of a point
    wrong = [
        PointSecrets({**secrets, own: secrets[own] + 1}, drawn),
        PointSecrets({k: v for k, v in secrets.items() if k != own}, drawn),
        PointSecrets(secrets, {k: v for k, v in drawn.items() if k != other}),
        PointSecrets(secrets, {**drawn, other: []}),
        PointSecrets(secrets, {**drawn, other: [drawn[late][-1], *drawn[other]]}),
        PointSecrets(secrets, {**drawn, other: [*drawn[other], bytes(33)]}),
        PointSecrets(secrets, {**drawn, other: [*drawn[other], b"\xff" * 33]}),
        PointSecrets(secrets, {**drawn, other: drawn[late]}),
        PointSecrets({**secrets, other: 1}, drawn),
        PointSecrets(secrets, {**drawn, own: drawn[other]}),
        PointSecrets(secrets, {**drawn, other: [above, *drawn[other]]}),
    ]
    findings = [origin_finding(sent, behind) for behind in wrong]
    # a secret that is not the point's, and candidates that are not, say nothing
    assert [one.ok for one in findings] == [False] * 8 + [True] * 3
    assert "transfer 0: 0 of a secret, 1 of candidates" in findings[0].detail
    both = {**secrets, encode(times(5, G)): 5, encode(times(6, G)): 6}
    two = message_of(wire.BaseRequest, points=encode(times(5, G)) + encode(times(6, G)))
    assert "2 of a secret, 0 of cand" in origin_finding([two], PointSecrets(both, drawn)).detail


# -- order -----------------------------------------------------------------------------------------

OPENING = "V alone is opened, once, at the end"
NUMBERS = "numbers without gaps or repetitions"
DELIVERY = "received is what was sent"
KNOWN = "known messages and classes, on their routes"


def test_an_early_output_share_is_found(tmp_path: Path) -> None:
    steps = faultless()
    steps.insert(-2, steps.pop())
    assert failed(record(tmp_path, encoded(steps))) == {OPENING}


@pytest.mark.parametrize("count", [0, 2])
def test_no_output_share_or_a_second_is_found(tmp_path: Path, count: int) -> None:
    steps = faultless()
    steps[-1:] = steps[-1:] * count
    assert failed(record(tmp_path, encoded(steps))) == {OPENING}


@pytest.mark.parametrize("route", [(RECSYS, CSP), (CSP, USERS), (USERS, CSP)])
def test_an_output_share_on_another_route_is_found(
    tmp_path: Path, route: tuple[Role, Role]
) -> None:
    steps = faultless()
    steps[-1] = (*route, steps[-1][2])
    assert failed(record(tmp_path, encoded(steps))) == {OPENING, KNOWN}


def test_a_missing_message_is_found(tmp_path: Path) -> None:
    messages = encoded(faultless())
    del messages[of_kind(faultless(), wire.TransferPayload)]
    assert failed(record(tmp_path, messages)) == {NUMBERS}


def test_reordered_messages_are_found(tmp_path: Path) -> None:
    steps = faultless()
    messages = encoded(steps)
    first, second = (of_kind(steps, wire.GarbledTables, nth) for nth in (0, 1))
    messages[first], messages[second] = messages[second], messages[first]
    assert failed(record(tmp_path, messages)) == {NUMBERS}


def test_a_message_altered_on_its_way_is_found(tmp_path: Path) -> None:
    steps = faultless()
    at = of_kind(steps, wire.GarbledTables)
    messages = encoded(steps)
    received = list(messages)
    sender, receiver, data = messages[at]
    received[at] = (sender, receiver, data[:-1] + bytes([data[-1] ^ 1]))
    assert failed(record(tmp_path, messages, received)) == {DELIVERY}


def test_a_message_that_never_arrived_is_found(tmp_path: Path) -> None:
    messages = encoded(faultless())
    assert failed(record(tmp_path, messages, messages[:-1])) >= {DELIVERY, OPENING}


def test_an_unknown_message_is_found(tmp_path: Path) -> None:
    messages = encoded(faultless())
    messages.insert(0, (CSP, USERS, cbor2.dumps(["ratings", bytes(32), 0, 0, b"4.5"])))
    findings = audit(record(tmp_path, messages))
    (known,) = [one for one in findings if not one.ok]
    assert known.check == KNOWN
    assert "unknown message 'ratings'" in known.detail


def test_a_message_on_the_wrong_route_is_found(tmp_path: Path) -> None:
    steps = faultless()
    steps.insert(0, (RECSYS, CSP, message_of(wire.GarbledTables, tables=COINS.bytes(64))))
    assert failed(record(tmp_path, encoded(steps))) == {KNOWN}


def test_a_message_of_another_session_is_found(tmp_path: Path) -> None:
    messages = encoded(faultless())
    messages[:-1] = encoded(faultless(), session=bytes([1] * 32))[:-1]
    assert "one session" in failed(record(tmp_path, messages))


def test_a_new_epoch_restarts_the_numbers_and_an_old_epoch_must_not_return(tmp_path: Path) -> None:
    def payload(epoch: int, number: int) -> tuple[Role, Role, bytes]:
        data = encoded_message(
            wire.TransferPayload, epoch=epoch, number=number, payload=COINS.bytes(64)
        )
        return CSP, RECSYS, data

    def outcome(name: str, *at: tuple[int, int]) -> bool:
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        return NUMBERS not in failed(record(folder, [payload(*pair) for pair in at]))

    assert outcome("resumed", (0, 0), (0, 1), (1, 0), (1, 1))
    assert not outcome("went on", (0, 0), (1, 1))
    assert not outcome("returned", (0, 0), (1, 0), (0, 1))


def later_epoch(steps: list[Step]) -> Wire:
    """The servers' messages again, in epoch 1, under new keys and with all bytes fresh."""
    links: dict[tuple[Role, Role], wire.Link] = {}
    out: Wire = []
    for sender, receiver, message in steps:
        if USERS in (sender, receiver) or isinstance(message, wire.Closing | wire.Admission):
            continue
        link = links.setdefault((sender, receiver), wire.Link(SESSION.id, 1, sender, receiver))
        out.append((sender, receiver, link.encode(message)))
    return out


def test_an_interrupted_epoch_may_lack_its_end_and_has_keys_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encoded(faultless())[:-4]
    lost = [step for step in first if step is not first[-1]]
    new_keys = {name: SecretKey.generate(512, COINS) for name in SECRET}
    monkeypatch.setattr(sys.modules[__name__], "SECRET", new_keys)
    second = later_epoch(faultless())
    folders = Folders(tmp_path)
    assert failed(record(folders.new(), first + second, lost + second)) == set()
    assert failed(record(folders.new(), first + second, first + second[:-2])) >= {DELIVERY}
    changed = [*first[:-1], (*first[-1][:2], first[0][2]), *second]
    assert DELIVERY in failed(record(folders.new(), first + second, changed))


def test_an_epoch_interrupted_after_its_output_share_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encoded(faultless())
    new_keys = {name: SecretKey.generate(512, COINS) for name in SECRET}
    monkeypatch.setattr(sys.modules[__name__], "SECRET", new_keys)
    again = later_epoch(faultless())
    folders = Folders(tmp_path)
    assert failed(record(folders.new(), first + again)) == set()
    assert failed(record(folders.new(), first + again[:-1])) == {OPENING}
    twice = [*faultless(), faultless()[-1]]
    assert OPENING in failed(record(folders.new(), encoded(twice) + again))


# -- lengths ---------------------------------------------------------------------------------------


def lengths(folder: Path) -> str:
    return audit(folder)[-1].detail


@dataclass
class Folders:
    root: Path
    made: list[Path] = field(default_factory=list)

    def new(self) -> Path:
        folder = self.root / str(len(self.made))
        folder.mkdir(mode=0o700)
        self.made.append(folder)
        return folder


def test_the_digest_of_lengths_depends_on_types_and_lengths_alone(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    one, same = (lengths(record(folders.new(), encoded(faultless()))) for _ in range(2))
    assert one == same
    longer = spoil(faultless(), wire.OutputShare, "bits", lambda data: data + b"x")
    assert one != lengths(record(folders.new(), encoded(longer)))
    renamed = faultless()
    at = of_kind(renamed, wire.TransferPayload)
    renamed[at] = (*renamed[at][:2], message_of(wire.TransferColumns, columns=COINS.bytes(5000)))
    assert one != lengths(record(folders.new(), encoded(renamed)))


def test_the_digest_of_lengths_ignores_how_two_directions_interleave(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    steps = faultless()
    at = next(
        at
        for at in range(len(steps) - 1)
        if {steps[at][0], steps[at + 1][0]} == {RECSYS, CSP}
        and type(steps[at][2]) is type(steps[at + 1][2])
    )
    first = lengths(record(folders.new(), encoded(steps)))
    steps[at], steps[at + 1] = steps[at + 1], steps[at]
    steps.append(steps.pop(0))  # csp's only message to users, now after all it sends to recsys
    assert first == lengths(record(folders.new(), encoded(steps)))


# -- files -----------------------------------------------------------------------------------------


def test_a_missing_transcript_is_refused(tmp_path: Path) -> None:
    record(tmp_path, encoded(faultless()))
    (tmp_path / "csp/csp.cborseq").unlink()
    with pytest.raises(EncodingError, match=r"no transcript of csp"):
        audit(tmp_path)


def test_a_truncated_transcript_is_refused(tmp_path: Path) -> None:
    record(tmp_path, encoded(faultless()))
    path = tmp_path / "recsys/recsys.cborseq"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(EncodingError, match=r"recsys\.cborseq: record \d+"):
        audit(tmp_path)
