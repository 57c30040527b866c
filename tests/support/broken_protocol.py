# SPDX-License-Identifier: Apache-2.0
"""The protocol broken in one place: patches under which a toy run still ends in the right V.

Nothing but what is sent changes. Each is a leak of `leaks`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import CipherContext
from gmpy2 import mpz

from ppmf_secure.arrays import Bytes, Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.parties import csp as csp_module
from ppmf_secure.parties import recsys as recsys_module
from ppmf_secure.parties import training
from ppmf_secure.parties import users as user_module
from ppmf_secure.primitives import base_transfers, hashing, sealing, transfer_extension
from ppmf_secure.primitives.circuits import half_gates
from ppmf_secure.primitives.circuits.wire_labels import permute_bits
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.lattice import peer, sampling
from ppmf_secure.primitives.encryption.lattice.ring import reduce
from ppmf_secure.primitives.encryption.lattice.sampling import FLOOD_LIMB_BITS
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.randomisers import Randomisers
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.primitives.shares import SharedWords
from ppmf_secure.protocols import admission, bit_products, half_step, shared_circuits
from ppmf_secure.protocols import upload as upload_protocol
from ppmf_secure.protocols.conversion import Conversion
from ppmf_secure.protocols.server_state import Server, SharedSide
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.checkpoint import RatingBits
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.roles import CSP, RECSYS
from tests.support import recorded_views, three_parties
from tests.support.messages import message_of

Patch = pytest.MonkeyPatch

# -- uploads ---------------------------------------------------------------------------------------


def _masks(patch: Patch, mask: Callable[[Session, str, bytes], bytes]) -> None:
    for module in (upload_protocol, admission):
        patch.setattr(module, "keystream", mask)


def one_mask_for_all_users(patch: Patch) -> None:
    made = upload_protocol.keystream
    _masks(patch, lambda session, user, seed: made(session, "", bytes(32)))


def bits_in_the_clear(patch: Patch) -> None:
    _masks(patch, lambda session, user, seed: bytes(upload_protocol.upload_bytes(session)))


def one_seed_for_all_users(patch: Patch) -> None:
    def upload(
        session: Session, user: str, serial: int, row: Row, key: bytes, coins: Coins
    ) -> wire.Upload:
        made, seed = upload_protocol, bytes(range(32))
        masked = made.mask(made.plain_bits(session, row), made.keystream(session, user, seed))
        payload = seed + made.consent(key, session, user, serial)
        sealed = made.seal_upload(session, user, payload, coins.bytes(32))
        return wire.Upload(user, serial, masked, sealed)

    patch.setattr(user_module, "upload", upload)


def one_ephemeral_key_for_all_seals(patch: Patch) -> None:
    seal = sealing.seal
    ephemeral = bytes(32)
    patch.setattr(
        upload_protocol, "seal", lambda key, info, seed, _: seal(key, info, seed, ephemeral)
    )


def upload_as_long_as_its_ratings(patch: Patch) -> None:
    upload, planes = upload_protocol.upload, upload_protocol.planes

    def longer(
        session: Session, user: str, serial: int, row: Row, key: bytes, coins: Coins
    ) -> wire.Upload:
        made = upload(session, user, serial, row, key, coins)
        return replace(made, masked=bytes(made.masked) + coins.bytes(len(row.items)))

    def cut(session: Session, data: wire.Bulk) -> Bytes:
        return planes(session, data[: upload_protocol.upload_bytes(session)])

    patch.setattr(user_module, "upload", longer)
    patch.setattr(admission, "planes", cut)
    patch.setattr(admission, "check_length", lambda *_: None)


def who_rated_most_uploads_first(patch: Patch) -> None:
    rows_of = user_rows

    def sorted_rows(*ratings: Any) -> Iterable[tuple[str, Row]]:
        return sorted(rows_of(*ratings), key=lambda of_user: -len(of_user[1].items))

    patch.setattr(three_parties, "user_rows", sorted_rows)


def digest_of_masked_bits(patch: Patch) -> None:
    """RecSys sends CSP a digest of each user's masked bits, for instance to compare."""
    take, noted = admission.Intake.take, list[bytes]()

    def noting(self: admission.Intake, upload: wire.Upload) -> None:
        take(self, upload)
        noted.append(hashlib.sha256(upload.masked).digest())

    def with_digests(*given: Any) -> Program[RatingBits]:
        bits = yield from admission.take_uploads(*given)
        yield Send(CSP, message_of(wire.TransferPayload, payload=b"".join(noted)))
        return bits

    def comparing(*given: Any) -> Program[RatingBits]:
        bits = yield from admission.take_closing(*given)
        yield from receive(RECSYS, wire.TransferPayload)
        return bits

    patch.setattr(admission.Intake, "take", noting)
    patch.setattr(recsys_module, "take_uploads", with_digests)
    patch.setattr(csp_module, "take_closing", comparing)


# -- homomorphic answers ---------------------------------------------------------------------------


def mask_used_twice(patch: Patch) -> None:
    draw, kept = Slots.mask, list[int]()

    def mask(self: Slots, coins: Coins) -> int:
        if kept:
            return kept.pop()
        kept.append(draw(self, coins))
        return kept[0]

    patch.setattr(Slots, "mask", mask)


def short_mask(patch: Patch) -> None:
    patch.setattr(Slots, "mask", lambda self, coins: coins.below(1 << (self.width - 3)))


def mask_of_64_bits(patch: Patch) -> None:
    patch.setattr(Slots, "mask", lambda self, coins: coins.below(1 << 64))


def product_without_randomiser(patch: Patch) -> None:
    patch.setattr(Randomisers, "draw", lambda self, coins: mpz(1))


def one_randomiser_for_all_answers(patch: Patch) -> None:
    first: dict[PublicKey, mpz] = {}

    def draw(self: Randomisers, coins: Coins) -> mpz:
        return first.setdefault(self._public, self._public.residue(coins))

    patch.setattr(Randomisers, "draw", draw)


def rows_without_randomness(patch: Patch) -> None:
    patch.setattr(SecretKey, "encrypt", lambda self, message, coins: self.public.plain(message))


def no_flood(patch: Patch) -> None:
    def middle(coins: Coins, bits: int, count: int) -> np.ndarray[Any, Any]:
        limbs = [
            (1 << (bits - 1)) >> at & ((1 << FLOOD_LIMB_BITS) - 1)
            for at in range(0, bits, FLOOD_LIMB_BITS)
        ]
        return np.repeat(np.array(limbs, dtype=np.float64)[:, None], count, axis=1)

    patch.setattr(peer, "flood", middle)


def flood_used_twice(patch: Patch) -> None:
    draw = sampling.flood

    def half(coins: Coins, bits: int, count: int) -> np.ndarray[Any, Any]:
        drawn = draw(coins, bits, -(-count // 2))
        return np.concatenate([drawn, drawn], axis=1)[:, :count]

    patch.setattr(peer, "flood", half)


def lattice_product_without_fresh_zero(patch: Patch) -> None:
    patch.setattr(peer, "ternary", lambda coins, shape: np.zeros(shape, dtype=np.int8))
    patch.setattr(peer, "binomial", lambda coins, shape: np.zeros(shape))


def one_u_in_two_rows(patch: Patch) -> None:
    def twins(coins: Coins, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.int8]]:
        drawn = sampling.ternary(coins, shape)
        drawn[1] = drawn[0]
        return drawn

    patch.setattr(peer, "ternary", twins)


def number_of_another_band(patch: Patch) -> None:
    """For the first number of a part, that of band 1: row b + 1 of a group where row b is due."""
    make = peer.RlweRows._second_component

    def answer(self: peer.RlweRows, sums: Any, used: Any, part: Any, u: Any, *rest: Any) -> None:
        make(self, sums, used, part, u, *rest)
        context, packing, stored = self._context, self.packing, sums._second[part.block]
        found = np.empty((len(context.lattice.primes), 1))
        for index, prime in enumerate(context.lattice.primes):
            turned = np.zeros(packing.groups * packing.size)
            turned[: packing.rows] = stored._low[index, 0, :, 0]
            turned = np.roll(turned.reshape(-1, packing.size), -1, axis=1)
            turned[:, -1] *= -1
            zero = context.negacyclic.product(u[:1], self._keys_b[part.block, index])
            found[index] = sums._lifted[index, used.start] @ turned.ravel()[: packing.rows]
            found[index] += zero[0, packing.band]
            reduce(found[index], prime)
        context.rounding.switch(found, rest[-1][:, :1])

    patch.setattr(peer.RlweRows, "_second_component", answer)


# -- transfers -------------------------------------------------------------------------------------


def choices_in_the_clear(patch: Patch) -> None:
    """Both seeds of a base transfer are one, so columns are G xor G xor the choices."""

    def seed(context: bytes, number: int, *_: object) -> bytes:
        return hashlib.sha256(context + bytes([number])).digest()[: base_transfers.SEED_BYTES]

    patch.setattr(base_transfers, "_seed", seed)


def points_with_known_secrets(patch: Patch) -> None:
    """The chooser knows the secrets of both its points, and so both seeds."""

    def known(candidates: Iterable[bytes]) -> bytes:
        secret = int.from_bytes(next(iter(candidates)), "big") % base_transfers.ORDER
        return base_transfers.write_point(_point(secret))

    patch.setattr(base_transfers, "first_point", known)


def one_point_for_two_transfers(patch: Patch) -> None:
    draw, kept = base_transfers.first_point, list[bytes]()

    def first_point(candidates: Iterable[bytes]) -> bytes:
        if kept:
            return kept.pop()
        kept.append(draw(candidates))
        return kept[0]

    patch.setattr(base_transfers, "first_point", first_point)


def a_constant_between_two_points(patch: Patch) -> None:
    """The other point of a pair is the chooser's own and a constant, so the order shows."""
    pair = base_transfers.point_pair

    def related(choice: int, secret: ec.EllipticCurvePrivateKey, _: bytes) -> bytes:
        other = secret.private_numbers().private_value + 7
        return pair(choice, secret, base_transfers.write_point(_point(other)))

    patch.setattr(base_transfers, "point_pair", related)


def _point(secret: int) -> ec.EllipticCurvePublicKey:
    return ec.derive_private_key(secret % base_transfers.ORDER, ec.SECP256R1()).public_key()


def keystreams_begin_again(patch: Patch) -> None:
    begin, go_on = transfer_extension._Streams.__init__, transfer_extension._Streams.add_to

    def again(self: Any, rows: Words) -> None:
        begin(self, self._seeds, self._context)
        go_on(self, rows)

    patch.setattr(transfer_extension._Streams, "add_to", again)


def corrections_without_pads(patch: Patch) -> None:
    class NoPads(hashing.PadHash):
        def __call__(self, cipher: CipherContext) -> Words:
            return np.zeros_like(super().__call__(cipher))

    patch.setattr(bit_products, "PadHash", NoPads)


def conversion_without_pads(patch: Patch) -> None:
    def none(self: Conversion, number: int, plane: int, keys: Words) -> Words:
        return np.zeros((2, *keys.shape), dtype=np.uint64)

    patch.setattr(Conversion, "_both_pads", none)
    patch.setattr(Conversion, "_chosen_pads", lambda *given: none(*given)[0])


def one_pad_for_two_corrections(patch: Patch) -> None:
    """Of the two pads of a key the first masks both corrections of a bit."""
    both, chosen = Conversion._both_pads, Conversion._chosen_pads

    def first(pads: Words) -> Words:
        return np.repeat(pads[..., :1], 2, axis=-1)

    patch.setattr(Conversion, "_both_pads", lambda *given: first(both(*given)))
    patch.setattr(Conversion, "_chosen_pads", lambda *given: first(chosen(*given)))


# -- garbling --------------------------------------------------------------------------------------


def one_tweak_for_all_elements(patch: Patch) -> None:
    make = hashing.TweakedHash
    patch.setattr(
        half_gates, "TweakedHash", lambda tweaks, per_batch: make(tweaks % np.uint64(2), per_batch)
    )


def one_batch_key_for_all_half_steps(patch: Patch) -> None:
    derive = hashing.BatchKeys.key

    def key(self: hashing.BatchKeys, purpose: str, *indices: int) -> bytes:
        return derive(self, purpose, *indices[1:])

    patch.setattr(hashing.BatchKeys, "key", key)


def permute_bits_sent(patch: Patch) -> None:
    share = shared_circuits.share_outputs

    def telling(here: Transfers, labels: Words) -> Program[SharedWords]:
        if here.garbles:
            bits = np.packbits(permute_bits(labels))
            yield Send(RECSYS, message_of(wire.TransferPayload, payload=bits.tobytes()))
        else:
            yield from receive(CSP, wire.TransferPayload)
        return (yield from share(here, labels))

    patch.setattr(half_step, "share_outputs", telling)


# -- the run ---------------------------------------------------------------------------------------


def v_opened_early(patch: Patch) -> None:
    shared_side = half_step.shared_side

    def opening(here: Server, before: SharedSide, labels: Words, *rest: Any) -> Program[SharedSide]:
        side = yield from shared_side(here, before, labels, *rest)
        if before.name == "items" and here.transfers.garbles:
            bits = np.packbits(permute_bits(labels).ravel(), bitorder="little")
            yield Send(RECSYS, message_of(wire.OutputShare, bits=bits.tobytes()))
        elif before.name == "items":
            yield from receive(CSP, wire.OutputShare)
        return side

    patch.setattr(training, "shared_side", opening)


def biased_coins(patch: Patch) -> None:
    """The highest bit of every byte is 1 three times out of four."""
    draw = Coins.draw

    def biased(self: Coins, count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        first, second = draw(self, count), draw(self, count)
        return first | (second & np.uint8(0x80))

    patch.setattr(Coins, "draw", biased)


def coins_of_an_old_epoch(patch: Patch) -> None:
    fresh = recorded_views.server_coins
    patch.setattr(recorded_views, "server_coins", lambda label, name, epoch: fresh(label, name, 0))
