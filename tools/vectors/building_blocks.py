# SPDX-License-Identifier: Apache-2.0
"""Vectors of the building blocks of chapter 4: hash, transfers, products, circuits, garbling."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.building_blocks import OPERATIONS
from ppmf_conformance.adapters.oracle import OPERATIONS as INTEGERS
from ppmf_secure.primitives.rating_code import RatingCode
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.messages import SESSION

WORD = 1 << 64


def families() -> list[Family]:
    """The families `hash`, `transfers`, `bitmul`, `conversion`, `circuits` and `garbling`."""
    hashes = Family("hash", "Batch keys, the hash of a block, pads.", OPERATIONS)
    _hashes(hashes)
    transfers = Family("transfers", "The extension of oblivious transfers.", OPERATIONS)
    _transfers(transfers)
    bitmul = Family(
        "bitmul", "Shared bits times shared vectors: one side's message and share.", OPERATIONS
    )
    _bitmul(bitmul)
    _bitmul_of_batches(bitmul)
    conversion = Family(
        "conversion", "From bits to shares: one side's corrections and shares.", OPERATIONS
    )
    _conversion(conversion)
    _conversion_of_batches(conversion)
    circuits = Family("circuits", "The two circuits, in the clear, on shares.", OPERATIONS)
    _reciprocals(circuits)
    _updates(circuits)
    garbling = Family("garbling", "Tables and labels of both circuits.", OPERATIONS)
    _garbling(garbling)
    _garbling_of_batches(garbling)
    return [hashes, transfers, bitmul, conversion, circuits, garbling]


def _hashes(family: Family) -> None:
    for slug, purpose, indices, epoch in (
        ("plain", "steps/gates", [0, 0, 0], 0),
        ("no-indices", "update/gates", [], 0),
        ("epoch", "steps/gates", [0, 0, 0], 1),
        ("large", "products/to-csp", [2**32, 2**64 - 1, 5], 2**32),
        ("order", "gradient/to-recsys", [1, 2, 3, 4, 5], 0),
    ):
        given = {"session": SESSION, "epoch": epoch, "purpose": purpose, "indices": indices}
        family.add(f"key-{slug}", "hash.key", "HSH-002 HSH-007", "the key of a batch", given)
    draw = LabelledStream("hash/blocks")
    for slug, tweak in (
        ("tweak-0", 0),
        ("tweak-1", 1),
        ("tweak-255", 255),
        ("tweak-large", 2**40 + 7),
    ):
        given = {"key": draw.bytes(16), "block": draw.bytes(16), "tweak": tweak}
        family.add(
            f"block-{slug}", "hash.block", "HSH-001", "a block and a tweak", given, seed=draw.label
        )
    zero = {"key": bytes(16), "block": bytes(16), "tweak": 0}
    family.add(
        "block-zero", "hash.block", "HSH-001", "nothing but zeros", zero, flags="positive unlucky"
    )
    for length in (1, 2, 3, 4, 11):
        given = {
            "key": draw.bytes(16),
            "blocks": [draw.bytes(16) for _ in range(3)],
            "length": length,
        }
        family.add(
            f"pads-{length}", "hash.pads", "HSH-005", "pads of a length", given, seed=draw.label
        )


def _transfers(family: Family) -> None:
    for slug, sizes in (
        ("one", [1]),
        ("block", [128]),
        ("beyond", [129]),
        ("streams", [5, 130, 1]),
    ):
        draw = LabelledStream(f"transfers/{slug}")
        seeds = [[draw.bytes(16), draw.bytes(16)] for _ in range(128)]
        choices = ["".join(str(draw.below(2)) for _ in range(size)) for size in sizes]
        offset = draw.bytes(16)
        place = {"session": SESSION, "epoch": 0, "sender": draw.one_of(["csp", "recsys"])}
        chooses = {**place, "seeds": seeds, "messages": choices}
        family.add(
            f"choose-{slug}",
            "ot.choose",
            "OTE-004 OTE-005 OTE-006 OTE-007 OTE-008",
            "the chooser's columns and keys",
            chooses,
            seed=draw.label,
        )
        columns = [message["columns"] for message in family.cases[-1]["expect"]["out"]["messages"]]
        chosen = [seeds[i][int.from_bytes(offset, "little") >> i & 1] for i in range(128)]
        sends = {
            **place,
            "seeds": chosen,
            "offset": offset,
            "messages": [[one, len(bits)] for one, bits in zip(columns, choices, strict=True)],
        }
        family.add(
            f"send-{slug}",
            "ot.send",
            "OTE-005 OTE-006 OTE-008",
            "the sender's keys of choice 0",
            sends,
            seed=draw.label,
        )
        if slug == "one":
            short = {**sends, "messages": [[columns[0][:-2], 1]]}
            family.add(
                "send-cut",
                "ot.send",
                "OTE-006 ERR-003",
                "columns cut short",
                short,
                refuse="encoding",
                seed=draw.label,
            )


def _bitmul(family: Family) -> None:
    for slug, comment, ring, width, count, length, signed in (
        ("bit", "one bit, one number", 64, 1, 1, 1, False),
        ("step", "an unsigned word", 64, 13, 2, 3, False),
        ("word", "a signed word", 64, 14, 2, 2, True),
        ("sign", "a word of one bit, signed", 64, 1, 2, 1, True),
        ("long", "a vector of eleven", 64, 3, 2, 11, True),
        ("wide", "the payload of late bits is short", 64, 33, 1, 1, False),
        ("whole", "a word as wide as the ring", 64, 64, 1, 1, True),
        ("ring-46", "corrections of 46 bits and fewer", 46, 14, 2, 3, True),
        ("ring-49", "a first correction of seven bytes, the next of six", 49, 10, 1, 2, False),
        ("ring-32", "a word as wide as the narrowest ring", 32, 32, 1, 1, True),
    ):
        for me in ("csp", "recsys"):
            draw = LabelledStream(f"bitmul/{slug}-{me}")
            bits = [[draw.below(2) for _ in range(width)] for _ in range(count)]
            payload = sum((ring - t + 7) // 8 for t in range(width)) * count * length
            given: dict[str, Any] = {
                "session": SESSION,
                "epoch": 0,
                "ring": ring,
                "me": me,
                "purpose": "gradient",
                "indices": [draw.below(9), 0, 0],
                "signed": signed,
                "offset": draw.bytes(16),
                "bits": ["".join(map(str, word)) for word in bits],
                "sent": [[draw.bytes(16) for _ in word] for word in bits],
                "chosen": [[draw.bytes(16) for _ in word] for word in bits],
                "vectors": [[draw.word() for _ in range(length)] for _ in bits],
                "received": draw.bytes(payload),
            }
            family.add(
                f"{slug}-{me}",
                "bitmul.multiply",
                "BIT-001 BIT-004 BIT-005 BIT-008 HSH-005",
                comment,
                given,
                seed=draw.label,
            )
            if slug == "word":
                for end, data in (
                    ("cut", given["received"][:-1]),
                    ("more", given["received"] + b"\0"),
                ):
                    family.add(
                        f"{slug}-{me}-{end}",
                        "bitmul.multiply",
                        "ERR-003",
                        "a payload of the wrong length",
                        {**given, "received": data},
                        refuse="encoding",
                        seed=draw.label,
                    )


def _bitmul_of_batches(family: Family) -> None:
    """Vectors of 64 are 32 blocks a key: 128 elements a batch, and one more."""
    draw = LabelledStream("bitmul/batches")
    count, length = 129, 64
    given: dict[str, Any] = {
        "session": SESSION,
        "epoch": 0,
        "ring": 64,
        "me": "csp",
        "purpose": "gradient",
        "indices": [2, 0, 0],
        "signed": False,
        "offset": draw.bytes(16),
        "bits": [str(draw.below(2)) for _ in range(count)],
        "sent": [[draw.bytes(16)] for _ in range(count)],
        "chosen": [[draw.bytes(16)] for _ in range(count)],
        "vectors": [[draw.below(10) for _ in range(length)] for _ in range(count)],
        "received": bytes(8 * length * count),
    }
    family.add(
        "batches-csp",
        "bitmul.multiply",
        "BIT-004 BIT-008 HSH-005 HSH-008",
        "two batches, each under a key of its own",
        given,
        seed=draw.label,
    )


_STARS = {"rating_min": "1", "rating_max": "5", "rating_frac_bits": "0"}
_ONE_VALUE = {"rating_min": "2.5", "rating_max": "3.5", "rating_frac_bits": "0"}


def _conversion(family: Family) -> None:
    for slug, comment, ring, params, chunk, bits, flags in (
        ("entry", "one entry, stars from 1 to 5", 46, _STARS, 0, ["1011"], ""),
        ("half-stars", "a top weight that is no power of two", 46, {}, 3, [], ""),
        ("wide", "corrections of 8 bytes", 64, _STARS, 0, [], ""),
        (
            "narrow",
            "corrections of 4 bytes, none shorter",
            32,
            {"rating_frac_bits": "3"},
            1,
            [],
            "",
        ),
        ("ring-41", "corrections of 6 bytes for 41 bits", 41, {"rating_max": "1"}, 0, [], ""),
        ("only-rated", "ratings of one value, which have no bits", 46, _ONE_VALUE, 7, [], ""),
        ("unrated", "a code where nothing is rated", 46, _STARS, 0, ["0111", "0010"], "unlucky"),
    ):
        for me in ("csp", "recsys"):
            draw = LabelledStream(f"conversion/{slug}-{me}")
            given = _conversion_case(draw, me, bits or 3, params, ring, chunk)
            family.add(
                f"{slug}-{me}",
                "conversion.chunk",
                "CNV-002 CNV-005 CNV-006 CNV-007 CNV-010 HSH-005",
                comment,
                given,
                flags=flags,
                seed=draw.label,
            )
            if slug == "entry":
                for end, data in (
                    ("cut", given["received"][:-1]),
                    ("more", given["received"] + b"\0"),
                ):
                    family.add(
                        f"{slug}-{me}-{end}",
                        "conversion.chunk",
                        "CNV-007 ERR-003",
                        "a payload of the wrong length",
                        {**given, "received": data},
                        refuse="encoding",
                        seed=draw.label,
                    )


def _conversion_case(
    draw: LabelledStream,
    me: str,
    bits: list[str] | int,
    params: dict[str, str],
    ring: int,
    chunk: int,
) -> dict[str, Any]:
    """A server's chunk with these bits, or so many drawn ones."""
    planes = 1 + RatingCode.of(values.parameters(params)).bits
    if isinstance(bits, int):
        bits = ["".join(str(draw.below(2)) for _ in range(planes)) for _ in range(bits)]
    sends, chooses, corrections = (planes, 1, 1) if me == "csp" else (1, planes, planes + 1)
    return {
        "session": SESSION,
        "epoch": 0,
        "ring": ring,
        "me": me,
        "chunk": chunk,
        "parameters": params,
        "offset": draw.bytes(16),
        "bits": bits,
        "sent": [[draw.bytes(16) for _ in range(sends)] for _ in bits],
        "chosen": [[draw.bytes(16) for _ in range(chooses)] for _ in bits],
        "received": draw.bytes(corrections * len(bits) * -(-ring // 8)),
    }


def _conversion_of_batches(family: Family) -> None:
    """A chunk is one batch, however many elements it has."""
    for me in ("csp", "recsys"):
        draw = LabelledStream(f"conversion/batches-{me}")
        family.add(
            f"batches-{me}",
            "conversion.chunk",
            "CNV-005 CNV-006 CNV-010 HSH-008",
            "all elements in one batch",
            _conversion_case(draw, me, 2049, _ONE_VALUE, 32, 2),
            seed=draw.label,
        )


def _shared(draw: LabelledStream, numbers: list[int], width: int) -> dict[str, list[int]]:
    """Two shares mod 2^width of each number, some of them chosen to carry through every bit."""
    share0 = [draw.below(1 << width) for _ in numbers]
    share0[0] = (1 << width) - 1
    return {
        "share0": share0,
        "share1": [(n - one) % (1 << width) for n, one in zip(numbers, share0, strict=True)],
    }


def _reciprocals(family: Family) -> None:
    for slug, comment, plan, divisors in (
        (
            "defaults",
            "the defaults' width",
            {"width": 40, "drop": 20, "exponent": 20, "minimum": 256, "shift": 29, "weights": {}},
            [256, 257, 300, 511, 512, 4095, 2**20 - 1],
        ),
        (
            "thresholds",
            "with thresholds",
            {
                "width": 20,
                "drop": 0,
                "exponent": 20,
                "minimum": 64,
                "shift": 25,
                "weights": {"tau": 12 << 16, "theta": 7 << 16},
            },
            [64, 65, 100, 4096, 2**20 - 1],
        ),
        (
            "tau",
            "with one",
            {
                "width": 24,
                "drop": 4,
                "exponent": 16,
                "minimum": 16,
                "shift": 21,
                "weights": {"tau": 1 << 17},
            },
            [16, 17, 31, 32, 33, 1000],
        ),
        (
            "minimum-1",
            "a divisor of 1",
            {"width": 10, "drop": 0, "exponent": 12, "minimum": 1, "shift": 5, "weights": {}},
            [1, 2, 3, 5, 7, 1023],
        ),
        (
            "zero-step",
            "a step that is always 0",
            {"width": 16, "drop": 0, "exponent": 4, "minimum": 32, "shift": 9, "weights": {}},
            [32, 33, 65535],
        ),
        (
            "full-width",
            "64 bits, a carry across all",
            {
                "width": 64,
                "drop": 30,
                "exponent": 32,
                "minimum": 1 << 8,
                "shift": 40,
                "weights": {},
            },
            [256, 2**33, 2**34 - 1],
        ),
    ):
        draw = LabelledStream(f"circuits/reciprocal-{slug}")
        drop, width = int(str(plan["drop"])), int(str(plan["width"]))
        numbers = [(d << drop) + draw.below(1 << drop) for d in divisors]
        given = {"circuit": "reciprocal", "plan": plan, "inputs": _shared(draw, numbers, width)}
        _circuit(
            family, f"reciprocal-{slug}", "CIR-001 CIR-003 GCB-007", comment, given, draw.label
        )


def _updates(family: Family) -> None:
    for slug, prox, width, drop, f, b in (
        ("none", None, 40, 24, 8, 1),
        ("none-no-drop", None, 12, 0, 8, 0),
        ("elastic", "elastic-net", 40, 24, 8, 1),
        ("elastic-64", "elastic-net", 64, 40, 12, 1),
        ("binary", "binary-elastic-net", 40, 24, 8, 1),
        ("binary-64", "binary-elastic-net", 64, 40, 12, 2),
    ):
        draw = LabelledStream(f"circuits/update-{slug}")
        plan = {
            "width": width,
            "drop": drop,
            "frac_bits": f,
            "box_bits": b,
            "prox": prox,
            "tau_bits": 7,
            "theta_bits": f - 1,
        }
        edge, half = 1 << (b + f), 1 << (f - 1)
        z = [
            0,
            -1,
            1,
            half,
            half - 1,
            -half,
            edge - 1,
            edge,
            -edge,
            -edge - 1,
            edge + 90,
            -edge - 90,
        ]
        top = 1 << (width - drop - 1)
        z += [top - 1, -top] + [draw.between(-top, top - 1) for _ in range(4)]
        z = [min(max(one, -top), top - 1) for one in z]
        numbers = [(one << drop) + draw.below(1 << drop) for one in z]
        inputs: dict[str, Any] = _shared(draw, [n % (1 << width) for n in numbers], width)
        if prox:
            inputs["tau"] = [draw.below(128) for _ in z]
        if prox == "binary-elastic-net":
            inputs["theta"] = [draw.below(half) for _ in z]
        given = {"circuit": "update", "plan": plan, "inputs": inputs}
        _circuit(
            family,
            f"update-{slug}",
            "CIR-001 CIR-004 GCB-007",
            "every edge, on shares that carry",
            given,
            draw.label,
        )


def _circuit(
    family: Family, slug: str, requirements: str, comment: str, given: Any, label: str
) -> None:
    family.add(
        slug,
        "circuit.evaluate",
        requirements,
        comment,
        given,
        steps=["and_gates"],
        flags="positive unlucky",
        seed=label,
    )
    case = family.cases[-1]
    oracle = INTEGERS["circuit.evaluate"](case["in"])
    assert oracle == case["expect"]["out"], f"{slug}: the circuit is not the integer function"


def _garbling(family: Family) -> None:
    plans: list[tuple[str, str, dict[str, Any], dict[str, int]]] = [
        (
            "reciprocal",
            "reciprocal",
            {
                "width": 12,
                "drop": 2,
                "exponent": 8,
                "minimum": 4,
                "shift": 9,
                "weights": {"tau": 96},
            },
            {"share0": 12, "share1": 12},
        ),
        (
            "update",
            "update",
            {
                "width": 16,
                "drop": 4,
                "frac_bits": 8,
                "box_bits": 1,
                "prox": None,
                "tau_bits": 0,
                "theta_bits": 0,
            },
            {"share0": 16, "share1": 16},
        ),
        (
            "update-elastic",
            "update",
            {
                "width": 14,
                "drop": 2,
                "frac_bits": 8,
                "box_bits": 1,
                "prox": "elastic-net",
                "tau_bits": 3,
                "theta_bits": 0,
            },
            {"share0": 14, "share1": 14, "tau": 3},
        ),
        (
            "update-binary",
            "update",
            {
                "width": 14,
                "drop": 2,
                "frac_bits": 8,
                "box_bits": 1,
                "prox": "binary-elastic-net",
                "tau_bits": 3,
                "theta_bits": 4,
            },
            {"share0": 14, "share1": 14, "tau": 3, "theta": 4},
        ),
    ]
    for slug, circuit, plan, widths in plans:
        for elements in (1, 3):
            draw = LabelledStream(f"garbling/{slug}-{elements}")
            offset = bytearray(draw.bytes(16))
            offset[0] |= 1
            zero = {
                name: [[draw.bytes(16) for _ in range(elements)] for _ in range(width)]
                for name, width in widths.items()
            }
            place = {
                "circuit": circuit,
                "plan": plan,
                "session": SESSION,
                "epoch": 0,
                "purpose": "update/gates",
                "indices": [3, 0, 0],
            }
            requirements = "GCB-001 GCB-011 GCB-003 CIR-001 CIR-002"
            family.add(
                f"garble-{slug}-{elements}",
                "garble.garble",
                requirements,
                "the garbler's tables and labels",
                {**place, "offset": bytes(offset), "labels": zero},
                seed=draw.label,
            )
            tables = family.cases[-1]["expect"]["out"]["tables"]
            active = {
                name: [
                    [_chosen(label, bytes(offset), draw.below(2)) for label in bit] for bit in word
                ]
                for name, word in zero.items()
            }
            if circuit == "reciprocal":  # the promise that the divisor is at least the minimum
                active["share0"], active["share1"] = _promised(zero, bytes(offset))
            family.add(
                f"evaluate-{slug}-{elements}",
                "garble.evaluate",
                requirements,
                "the evaluator's labels",
                {**place, "labels": active, "tables": tables},
                seed=draw.label,
            )


def _garbling_of_batches(family: Family) -> None:
    """One AND gate, and one element more than a batch has."""
    draw = LabelledStream("garbling/batches")
    offset = bytearray(draw.bytes(16))
    offset[0] |= 1
    plan = {
        "width": 2,
        "drop": 0,
        "frac_bits": 0,
        "box_bits": 1,
        "prox": None,
        "tau_bits": 0,
        "theta_bits": 0,
    }
    labels = {
        name: [[draw.bytes(16) for _ in range(2049)] for _ in range(2)]
        for name in ("share0", "share1")
    }
    given = {
        "circuit": "update",
        "plan": plan,
        "session": SESSION,
        "epoch": 0,
        "purpose": "update/gates",
        "indices": [3, 0, 0],
        "offset": bytes(offset),
        "labels": labels,
    }
    family.add(
        "garble-batches",
        "garble.garble",
        "GCB-003 GCB-011 HSH-008 HSH-007",
        "two batches of elements, each under a key of its own",
        given,
        seed=draw.label,
    )


def _chosen(label: bytes, offset: bytes, bit: int) -> bytes:
    """The label of a value."""
    return bytes(a ^ b * bit for a, b in zip(label, offset, strict=True))


def _promised(zero: dict[str, Any], offset: bytes) -> tuple[Any, Any]:
    """Labels of share0 = 2^width - 1 and share1 = 1 + 2^(width - 1): the sum is 2^(width - 1)."""
    width = len(zero["share0"])
    return (
        [[_chosen(label, offset, 1) for label in bit] for bit in zero["share0"]],
        [
            [_chosen(label, offset, int(t in (0, width - 1))) for label in bit]
            for t, bit in enumerate(zero["share1"])
        ],
    )
