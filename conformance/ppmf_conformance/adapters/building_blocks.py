# SPDX-License-Identifier: Apache-2.0
"""The operations of the building blocks of chapter 4: hash, transfers, products, circuits.

ppmf_secure computes them. In a vector a block of 16 bytes is hexadecimal, its first byte first, and
a ring element is its integer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_secure.effects import Send
from ppmf_secure.primitives import base_transfers
from ppmf_secure.primitives.circuits import training_circuits
from ppmf_secure.primitives.circuits.half_gates import Evaluator, Garbler
from ppmf_secure.primitives.circuits.netlist import CONSTANT_ONE, CONSTANT_ZERO, Circuit, Kind
from ppmf_secure.primitives.hashing import BatchKeys, expand, hash_blocks
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.shares import (
    SharedWords,
    check_length,
    from_bits,
    ring_mask,
    to_bits,
    words_to_bytes,
)
from ppmf_secure.primitives.transfer_extension import ExtensionChooser, ExtensionSender
from ppmf_secure.protocols.bit_products import times_vectors
from ppmf_secure.protocols.conversion import Conversion
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec.roles import Role
from ppmf_spec.wire import TransferPayload

Words = NDArray[np.uint64]


def words_of(texts: Sequence[str]) -> Words:
    """Ring elements (n,) from their integers, negative ones mod 2^64."""
    return np.array([values.integer(text) % (1 << 64) for text in texts], dtype=np.uint64)


def blocks_of(texts: Sequence[str]) -> Words:
    """Blocks (n, 2) from hexadecimal."""
    data = b"".join(map(bytes.fromhex, texts))
    return np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(-1, 2)


def hex_of(blocks: Words) -> list[str]:
    """Hexadecimal of blocks (n, 2)."""
    return [words_to_bytes(block).hex() for block in blocks]


def _keys(given: Given) -> BatchKeys:
    return BatchKeys(bytes.fromhex(given["session"]), values.integer(given["epoch"]))


def _cipher(key: str) -> Any:
    return Cipher(algorithms.AES(bytes.fromhex(key)), modes.ECB()).encryptor()


def hash_key(given: Given) -> dict[str, Any]:
    """`hash.key`: the key of a batch."""
    indices = values.integers(given["indices"])
    return {"key": _keys(given).key(given["purpose"], *indices).hex()}


def hash_block(given: Given) -> dict[str, Any]:
    """`hash.block`: the hash of a block under a tweak."""
    tweak = values.integer(given["tweak"])
    return {
        "hash": hex_of(hash_blocks(_cipher(given["key"]), blocks_of([given["block"]]), tweak))[0]
    }


def hash_pads(given: Given) -> dict[str, Any]:
    """`hash.pads`: pads of a length, for several blocks."""
    length, blocks = values.integer(given["length"]), blocks_of(given["blocks"])
    found = expand([_cipher(given["key"])], blocks, (length + 1) // 2, max(1, len(blocks)))
    flat = found.reshape(len(found), -1)[:, :length]
    return {"pads": values.shown(flat.tolist())}


def _context(given: Given) -> bytes:
    epoch = values.integer(given["epoch"]).to_bytes(8, "little")
    place: bytes = bytes.fromhex(given["session"]) + epoch + given["sender"].encode()
    return place


def _secret(given: Given) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(values.integer(given["secret"]), ec.SECP256R1())


def base_points(given: Given) -> dict[str, Any]:
    """`base.points`: a chooser's two points of a transfer, from a secret and candidates."""
    other = base_transfers.first_point(map(bytes.fromhex, given["candidates"]))
    pair = base_transfers.point_pair(values.integer(given["choice"]), _secret(given), other)
    return {"points": pair.hex()}


def base_answer(given: Given) -> dict[str, Any]:
    """`base.answer`: a sender's point, and both seeds of a transfer."""
    secret, pair = _secret(given), bytes.fromhex(given["points"])
    check_length(pair, 2 * base_transfers.POINT_BYTES, "points")
    seeds = base_transfers.seed_pair(
        _context(given), values.integer(given["transfer"]), secret, pair
    )
    answer = base_transfers.write_point(secret.public_key())
    return {"answer": answer.hex(), "seeds": [seed.hex() for seed in seeds]}


def base_seed(given: Given) -> dict[str, Any]:
    """`base.seed`: the seed of a transfer that a chooser gets."""
    seed = base_transfers.chosen_seed(
        _context(given),
        values.integer(given["transfer"]),
        values.integer(given["choice"]),
        _secret(given),
        bytes.fromhex(given["points"]),
        base_transfers.read_point(bytes.fromhex(given["answer"]), "answer"),
    )
    return {"seed": seed.hex()}


def ot_choose(given: Given) -> dict[str, Any]:
    """`ot.choose`: columns and chosen keys of one or more messages of choices."""
    pairs = [bytes.fromhex(one + other) for one, other in given["seeds"]]
    seeds = np.frombuffer(b"".join(pairs), dtype=np.uint8).reshape(-1, 2, 16)
    chooser = ExtensionChooser(seeds, _context(given))
    found = []
    for choices in given["messages"]:
        columns, keys = chooser.extend(_bits(choices))
        found.append({"columns": columns.hex(), "keys": hex_of(keys)})
    return {"messages": found}


def ot_send(given: Given) -> dict[str, Any]:
    """`ot.send`: the keys of choice 0 from one or more messages of columns."""
    data = b"".join(map(bytes.fromhex, given["seeds"]))
    seeds = np.frombuffer(data, dtype=np.uint8).reshape(-1, 16)
    sender = ExtensionSender(blocks_of([given["offset"]])[0], seeds, _context(given))
    return {
        "keys": [
            hex_of(sender.extend(bytes.fromhex(columns), values.integer(count)))
            for columns, count in given["messages"]
        ]
    }


def _bits(text: str) -> NDArray[np.uint8]:
    return np.array([int(bit) for bit in text], dtype=np.uint8)


def multiply(given: Given) -> dict[str, Any]:
    """`bitmul.multiply`: one server's message and share of words times vectors, one chunk.

    Bits of a word are a text of 0 and 1, lowest first; keys go with them, bit by bit.
    """
    bits, offset = _planes(given), blocks_of([given["offset"]])[0]
    words = SharedWords(bits, _bit_keys(given, "sent"), _bit_keys(given, "chosen"), offset)
    vectors = np.array([words_of(row) for row in given["vectors"]], dtype=np.uint64)
    transfers = _transfers(given)
    *indices, chunk = values.integers(given["indices"])
    assert chunk == 0, "one chunk, which the program numbers itself"
    site = Site(given["purpose"], tuple(indices))
    program = times_vectors(transfers, words, vectors, site, signed=given["signed"])
    sent = next(program)
    assert isinstance(sent, Send)
    assert isinstance(sent.message, TransferPayload)
    next(program)
    try:
        program.send(TransferPayload(bytes.fromhex(given["received"])))
    except StopIteration as end:
        share = values.shown(_in_ring(transfers, end.value))
        return {"payload": sent.message.payload.hex(), "share": share}
    raise AssertionError("one chunk is one message")


def convert_chunk(given: Given) -> dict[str, Any]:
    """`conversion.chunk`: one server's corrections for a chunk, and its shares of the ratings.

    Bits of an entry are a text of 0 and 1, that of plane 0 first; keys go with them, by plane.
    """
    transfers, bits, number = _transfers(given), _planes(given), values.integer(given["chunk"])
    work = Conversion(transfers, RatingCode.of(values.parameters(given["parameters"])))
    sent, chosen = _bit_keys(given, "sent"), _bit_keys(given, "chosen")
    received = bytes.fromhex(given["received"])
    if transfers.garbles:
        payload, shares = work.corrections_of_csp(number, bits, sent)
        pads = work.pads_at_csp(number, chosen[0])
        rated, rating = shares[0], shares[1] + pads + work.rest_at_csp(bits[:1], received)
    else:
        payload, (rated, rating) = work.corrections_of_recsys(number, bits, chosen, sent, received)
    shown = {"rated": _in_ring(transfers, rated), "rating": _in_ring(transfers, rating)}
    return {"payload": payload.tobytes().hex(), **values.shown(shown)}


def _planes(given: Given) -> NDArray[np.uint8]:
    """The bits (width, count) of a case, which gives them by element."""
    return np.array([_bits(word) for word in given["bits"]], dtype=np.uint8).T.copy()


def _bit_keys(given: Given, name: str) -> Words:
    """Keys of transfers (width, count, 2) of a case, which gives them by element, bit by bit."""
    found = np.array([blocks_of(word) for word in given[name]], dtype=np.uint64)
    return found.transpose(1, 0, 2).copy()


def _transfers(given: Given) -> Transfers:
    """A server's ends of transfers, of which a case gives the keys: no extension is run."""
    offset = blocks_of([given["offset"]])[0]
    return Transfers(
        me=Role(given["me"]),
        ring_bits=values.integer(given["ring"]),
        keys=_keys(given),
        offset=offset,
        sender=ExtensionSender(offset, np.zeros((128, 16), dtype=np.uint8), b""),
        chooser=ExtensionChooser(np.zeros((128, 2, 16), dtype=np.uint8), b""),
    )


def _in_ring(transfers: Transfers, shares: Words) -> Any:
    """Shares as integers in the ring."""
    return (shares & ring_mask(transfers.ring_bits)).tolist()


def circuit(given: Given) -> Circuit:
    """The circuit that a case's `circuit` and `plan` name."""
    plan = given["plan"]
    if given["circuit"] == "reciprocal":
        weights = {name: values.integer(weight) for name, weight in plan["weights"].items()}
        return training_circuits.reciprocal(
            width=values.integer(plan["width"]),
            drop=values.integer(plan["drop"]),
            numerator_bits=values.integer(plan["exponent"]),
            minimum=values.integer(plan["minimum"]),
            l1_int=weights.get("tau", 0),
            ridge_int=weights.get("theta", 0),
            threshold_shift=values.integer(plan["shift"]),
            tau="tau" in weights,
            theta="theta" in weights,
        )
    names = ("width", "drop", "frac_bits", "box_bits", "tau_bits", "theta_bits")
    return training_circuits.update(
        prox=plan["prox"], **{n: values.integer(plan[n]) for n in names}
    )


def evaluate_in_clear(made: Circuit, inputs: Given) -> dict[str, list[int]]:
    """The output words of a circuit; `word` is signed, all others are not."""
    bits = {name: to_bits(words_of(inputs[name]), width) for name, width in made.inputs.items()}
    found = {}
    for name, word in made.evaluate(bits).items():
        signed = name == "word"
        integers = from_bits(word, signed=signed)
        found[name] = integers.view(np.int64).tolist() if signed else integers.tolist()
    return found


def circuit_evaluate(given: Given) -> dict[str, Any]:
    """`circuit.evaluate`: a circuit in the clear, and its number of AND gates."""
    made = circuit(given)
    outputs = evaluate_in_clear(made, given["inputs"])
    return {"outputs": values.shown(outputs), "and_gates": str(made.and_count)}


def circuit_netlist(given: Given) -> dict[str, Any]:
    """`circuit.netlist`: the digest of a circuit's normal form, and its number of AND gates."""
    made = circuit(given)
    digest = hashlib.sha256(normal_form(made).encode()).hexdigest()
    return {"and_gates": str(made.and_count), "sha256": digest}


def normal_form(made: Circuit) -> str:
    """The normal form of a netlist (PPMF-CON-044): it does not depend on how exclusive ors and
    negations are computed.
    """
    sources: list[frozenset[int]] = [frozenset({1 + bit}) for bit in range(made.input_count)]
    lines: list[list[frozenset[int]]] = []
    for kind, left, right in made.gates:
        match kind:
            case Kind.XOR:
                sources.append(sources[left] ^ sources[right])
            case Kind.NOT:
                sources.append(sources[left] ^ {0})
            case Kind.AND:
                sources.append(frozenset({1 + made.input_count + len(lines)}))
                lines.append([sources[left], sources[right]])
    constants = {CONSTANT_ZERO: frozenset[int](), CONSTANT_ONE: frozenset({0})}
    for word in made.outputs.values():
        lines.append([constants[w] if w in constants else sources[w] for w in word])
    return "".join(" ".join(map(_sources, line)) + "\n" for line in lines)


def _sources(of: frozenset[int]) -> str:
    return "+".join(map(str, sorted(of))) or "-"


def garble(given: Given) -> dict[str, Any]:
    """`garble.garble`: the tables and the labels of value 0 of the outputs, for one chunk."""
    made, keys = circuit(given), _keys(given)
    indices = values.integers(given["indices"])
    zero = _labels(made, given["labels"])
    garbler = Garbler(made, blocks_of([given["offset"]])[0])
    tables, out = garbler.garble(
        zero, lambda *number: keys.cipher(given["purpose"], *indices, *number)
    )
    return {"tables": words_to_bytes(tables).hex(), "labels": _shown_labels(out)}


def evaluate(given: Given) -> dict[str, Any]:
    """`garble.evaluate`: the active labels of the outputs, for one chunk."""
    made, keys = circuit(given), _keys(given)
    indices = values.integers(given["indices"])
    active = _labels(made, given["labels"])
    count = next(iter(active.values())).shape[1]
    data = np.frombuffer(bytes.fromhex(given["tables"]), dtype="<u8").astype(np.uint64)
    out = Evaluator(made).evaluate(
        active,
        data.reshape(made.and_count, count, 2, 2),
        lambda *number: keys.cipher(given["purpose"], *indices, *number),
    )
    return {"labels": _shown_labels(out)}


def _labels(made: Circuit, given: Given) -> dict[str, Words]:
    return {
        name: np.array([blocks_of(bit) for bit in given[name]], dtype=np.uint64)
        for name in made.inputs
    }


def _shown_labels(found: dict[str, Words]) -> dict[str, list[list[str]]]:
    return {name: [hex_of(bit) for bit in word] for name, word in found.items()}


OPERATIONS: dict[str, Operation] = {
    "hash.key": hash_key,
    "hash.block": hash_block,
    "hash.pads": hash_pads,
    "base.points": base_points,
    "base.answer": base_answer,
    "base.seed": base_seed,
    "ot.choose": ot_choose,
    "ot.send": ot_send,
    "bitmul.multiply": multiply,
    "conversion.chunk": convert_chunk,
    "circuit.evaluate": circuit_evaluate,
    "circuit.netlist": circuit_netlist,
    "garble.garble": garble,
    "garble.evaluate": evaluate,
}
