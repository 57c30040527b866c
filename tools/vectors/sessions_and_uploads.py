# SPDX-License-Identifier: Apache-2.0
"""Vectors of chapter 4: sessions, uploads, Paillier, the output."""

from __future__ import annotations

from typing import Any

import gmpy2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ppmf_conformance.adapters import oracle
from ppmf_conformance.adapters.sessions_and_uploads import OPERATIONS
from ppmf_conformance.adapters.values import shown
from ppmf_secure.primitives.base_transfers import ORDER, fresh_secret, write_point
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.session.set_up import sign
from ppmf_spec import strict_cbor
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import version_1

SUITE = "paillier-512-insecure"
BITS = 512


def signing_key(label: str) -> EllipticCurvePrivateKey:
    """The key for signatures that a label determines."""
    return fresh_secret(Coins.seeded(f"vectors/{label}"))


def sealing_secret(label: str) -> bytes:
    """CSP's private key for seals that a label determines."""
    return LabelledStream(f"{label}/sealing-key").bytes(32)


def keys_of_servers(label: str) -> dict[str, str]:
    """The members of a session that are the servers' keys and nonces, which a label determines."""
    points = (write_point(signing_key(f"{label}/{who}").public_key()) for who in ("recsys", "csp"))
    recsys, csp = (point.hex() for point in points)
    draw = LabelledStream(f"{label}/nonces")
    return {
        "recsys_key": recsys,
        "recsys_nonce": draw.bytes(16).hex(),
        "csp_key": csp,
        "csp_nonce": draw.bytes(16).hex(),
        "sealing_key": SealingKey(sealing_secret(label)).public.hex(),
    }


RUN: dict[str, Any] = {
    "parameters": {"rank": "1", "iterations": "1"},
    "users": ["1", "2"],
    "items": ["7", "8", "9"],
    "suite": SUITE,
    "least": "2",
    "closes": "0",
    "expires": "0",
    "addresses": [],
    "trial": True,
    **keys_of_servers("session"),
}


CODE_OPERATIONS = {**OPERATIONS, "upload.row": oracle.OPERATIONS["upload.row"]}

SMALL_ORDER = {
    "0": bytes(32),
    "1": bytes([1]) + bytes(31),
    "8": (325606250916557431795983626356110631294008115727848805560023387167927233504).to_bytes(
        32, "little"
    ),
    "minus-1": (2**255 - 20).to_bytes(32, "little"),
}
"""The u-coordinates of some points of Curve25519 of order 1, 2, 4 or 8, by name."""


def families() -> list[Family]:
    """The families `session`, `shares`, `code`, `upload` and `paillier`."""
    session = Family("session", "The id of a session, and sessions that are refused.", OPERATIONS)
    _sessions(session)
    shares = Family("shares", "A user's rows in two shares; V out of two.", OPERATIONS)
    _shares(shares)
    code = Family("code", "Ratings as bits, of which every string is a row.", CODE_OPERATIONS)
    _codes(code)
    upload = Family("upload", "Masks, consents, seals, and what is refused.", OPERATIONS)
    _masks(upload)
    _uploads(upload)
    _admissions(upload)
    paillier = Family("paillier", "Moduli, ciphertexts, slots, answers.", OPERATIONS)
    _moduli(paillier)
    _ciphertexts(paillier)
    _slots(paillier)
    _answers(paillier)
    return [session, shares, code, upload, paillier]


P256_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
"""The prime of P-256's field; 5 is the x of a point, and 5 more than the prime must be refused."""


def key(label: str) -> SecretKey:
    """A short Paillier key that a label determines."""
    return SecretKey.generate(BITS, Coins.seeded(f"vectors/{label}"))


def _primes(secret: SecretKey) -> dict[str, int]:
    return {"p": int(secret._p), "q": int(secret._q)}


def _sessions(family: Family) -> None:
    def add(slug: str, comment: str, requirements: str = "SES-007", **change: Any) -> None:
        refuse = change.pop("refuse", None)
        given = {**RUN, **change}
        family.add(slug, "session.id", requirements, comment, given, refuse=refuse)

    add("plain", "two users, three items")
    add("nonce", "another nonce of RecSys", recsys_nonce=bytes(16).hex())
    add("csp-nonce", "another nonce of CSP", csp_nonce=bytes(16).hex())
    others = keys_of_servers("session/other")
    for name in ("recsys_key", "csp_key", "sealing_key"):
        add(name.replace("_", "-"), "another key", **{name: others[name]})
    add("least", "fewer users than there are", users=["1", "2", "3"], least="2")
    add("closes", "a time to close", closes="1764300000")
    add("expires", "a time to end", closes="1764300000", expires="18446744073709551615")
    add("addresses", "two addresses", addresses=["https://a.example", "https://b.example/é"])
    many = [f"https://{k}.example" for k in range(17)]
    add("many-addresses", "as many addresses as there may be", "SES-016", addresses=many[1:])
    add("too-many-addresses", "one more", "SES-016", addresses=many, refuse="encoding")
    add("no-trial", "no trial", suite="paillier-2048", trial=False)
    add("one-user", "one user alone", users=["1"], least="1")
    add("suite", "another suite", suite="paillier-3072", trial=False)
    add("parameter", "another parameter", parameters={**RUN["parameters"], "ridge": "0.5"})
    add("no-bias", "a boolean", parameters={**RUN["parameters"], "bias": False})
    add("unicode", "ids and seed in UTF-8", users=["é", "\U0001f600"], parameters={"seed": "数"})
    add("many", "more than 23 items", items=[str(j) for j in range(30)])
    add("no-users", "an empty list", "SES-009", users=[], refuse="range")
    add("no-items", "an empty catalogue", "SES-009", items=[], refuse="range")
    add("out-of-order", "not in row order", "SES-009", users=["2", "1"], refuse="range")
    add("text-order", "row order is that of numbers", "SES-009", users=["10", "9"], refuse="range")
    add("twice", "an id twice", "SES-009", items=["7", "7"], refuse="range")
    for slug, text in (("empty", ""), ("padded", "2 "), ("control", "2\x1b[2J")):
        bad = {"users": sorted(["1", text]), "refuse": "encoding"}
        add(f"{slug}-id", "an id that is none", "SES-009", **bad)
    for name in ("recsys_nonce", "csp_nonce"):
        for size in (15, 17):
            slug = name.replace("_", "-") + f"-{size}"
            change = {name: bytes(size).hex(), "refuse": "encoding"}
            add(slug, f"a nonce of {size} bytes", "SES-009", **change)
    for name in ("recsys_key", "csp_key", "sealing_key"):
        good, slug = bytes.fromhex(RUN[name]), name.replace("_", "-")
        for end, data in (("cut", good[:-1]), ("more", good + b"\0")):
            change = {name: data.hex(), "refuse": "encoding"}
            add(f"{slug}-{end}", "a key of a wrong length", "SES-009", **change)
        if name != "sealing_key":
            for what, data in (
                ("neutral", bytes(33)),
                ("uncompressed", b"\4" + good[1:]),
                ("off-curve", b"\2" + bytes(31) + b"\1"),
                ("unreduced", b"\2" + (P256_FIELD + 5).to_bytes(32, "big")),
            ):
                change = {name: data.hex(), "refuse": "range"}
                add(f"{slug}-{what}", "no point", "SES-009", **change)
    for name, point in SMALL_ORDER.items():
        slug = f"sealing-key-small-{name}"
        change = {"sealing_key": point.hex(), "refuse": "range"}
        add(slug, "a point of small order", "SES-009", **change)
    three = ["1", "2", "3"]
    for least in (0, 1, 4):
        bad = {"users": three, "least": str(least), "refuse": "parameters"}
        add(f"least-{least}", "out of its range", "SES-009", **bad)
    bad = {"users": ["1"], "least": "2", "refuse": "parameters"}
    add("least-of-one", "more than there are", "SES-009", **bad)
    for closes, expires in (("7", "7"), ("7", "6"), ("18446744073709551616", "0")):
        change = {"closes": closes, "expires": expires, "refuse": "parameters"}
        add(f"times-{closes}-{expires}", "times that cannot be", "SES-009", **change)
    add("insecure", "a suite for tests, no trial", "SES-009", trial=False, refuse="parameters")
    change = {"rating_frac_bits": "0", "rating_min": "3.25", "rating_max": "3.75"}
    add("no-rating", "no rating is allowed", "SES-009", parameters=change, refuse="parameters")
    change = {"rating_frac_bits": "0", "rating_min": "3.25", "rating_max": "4"}
    add("one-rating", "one rating is allowed", "SES-009", parameters=change)
    add(
        "too-large",
        "a set that does not fit the ring",
        "SES-003 PAR-016",
        parameters=version_1({"step_bits": "28"}),
        refuse="parameters",
    )
    add("unknown-suite", "no such suite", "AHE-001", suite="paillier-1", refuse="parameters")
    _files(family)


def _files(family: Family) -> None:
    """The files of sessions, with their signatures."""
    given = {"session": RUN, "secret": (1).to_bytes(32, "big")}
    family.add("sign-one", "session.sign", "SES-012", "the least private key", given)
    most = {**given, "secret": (ORDER - 1).to_bytes(32, "big")}
    family.add("sign-most", "session.sign", "SES-012", "the largest private key", most)

    def signed(run: dict[str, Any]) -> dict[str, Any]:
        key = bytes.fromhex(OPERATIONS["session.id"](run)["id"])
        signatures = (sign(signing_key(f"session/{who}"), key).hex() for who in ("recsys", "csp"))
        return {"session": run, **dict(zip(("by_recsys", "by_csp"), signatures, strict=True))}

    given = signed(RUN)
    family.add("write", "session.write", "SES-013", "the file of a session", given)
    whole = {**RUN, "closes": "5", "expires": "9", "addresses": ["https://a.example"]}
    expiring = signed(whole)
    family.add("write-times", "session.write", "SES-013", "times and an address", expiring)
    good = bytes.fromhex(OPERATIONS["session.write"](given)["file"])
    timed = bytes.fromhex(OPERATIONS["session.write"](expiring)["file"])

    def reading(
        slug: str, comment: str, requirements: str, file: bytes, now: int = 0, **more: Any
    ) -> None:
        asked = {"file": file, "now": now}
        family.add(f"read-{slug}", "session.read", requirements, comment, asked, **more)

    reading("plain", "a file of a session", "SES-013 SES-014", good, 2**40)
    reading("last", "in the last second", "SES-014", timed, 8)
    reading("expired", "a second later", "SES-014", timed, 9, refuse="state")
    reading("cut", "a byte too few", "SES-013", good[:-1], refuse="encoding")
    reading("more", "a byte too many", "SES-013", good + b"\0", refuse="encoding")
    reading("empty", "no bytes", "SES-013", b"", refuse="encoding")
    reading("deep", "arrays in arrays", "SES-013", b"\x81" * 60, refuse="encoding")
    for slug, old, new in (
        ("format", b"ppmf-session/2", b"ppmf-session/1"),
        ("tag", b"\x85", b"\xc0\x85"),
        ("member", b"\x83\x58\x21", b"\x82\x58\x21"),
        ("trial", b"\x80\x01\x58\x21", b"\x80\x02\x58\x21"),
    ):
        assert good.count(old) == 1 or slug == "tag"
        reading(slug, slug, "SES-013", good.replace(old, new, 1), refuse="encoding")
    spaced = good.replace(b"rank = 1", b"rank =1 ")
    reading(
        "not-canonical",
        "parameters as they are not written",
        "SES-013",
        spaced,
        refuse="parameters",
    )
    for name, at in (("csp", 1), ("recsys", 67)):
        bad = bytearray(good)
        bad[-at] ^= 1
        reading(f"{name}-signature", "a bit of a signature", "SES-012", bytes(bad), refuse="state")
    short = strict_cbor.encode([*_parts(good)[:3], _parts(good)[3][:-1], _parts(good)[4]])
    reading("short-signature", "63 bytes", "SES-012", short, refuse="encoding")
    swapped = strict_cbor.encode([*_parts(good)[:3], _parts(good)[4], _parts(good)[3]])
    reading("swapped-signatures", "each under the other's key", "SES-012", swapped, refuse="state")
    other = signed({**RUN, "csp_nonce": bytes(16).hex()})
    moved = {**given, "by_csp": other["by_csp"]}
    file = bytes.fromhex(OPERATIONS["session.write"](moved)["file"])
    reading("other-session", "signed for another session", "SES-012", file, refuse="state")
    zeros = {**given, "by_csp": bytes(64)}
    file = bytes.fromhex(OPERATIONS["session.write"](shown(zeros))["file"])
    reading("zero-signature", "nothing but zeros", "SES-012", file, refuse="state")


def _parts(file: bytes) -> list[Any]:
    found = strict_cbor.decode(file, depth=3, items=len(file))
    assert isinstance(found, list)
    return found


def _shares(family: Family) -> None:
    for slug, rank, bias, items, f in (
        ("plain", 2, True, 3, 12),
        ("no-bias", 2, False, 2, 12),
        ("odd-bits", 1, True, 1, 8),
    ):
        draw = LabelledStream(f"shares/open-{slug}")
        table = {"rank": str(rank), "bias": bias, "frac_bits": str(f), "step_bits": "10"}
        run = {**RUN, "parameters": table, "items": [str(j) for j in range(items)]}
        count = (2 + f) * (rank + bias) * items
        size = (count + 7) // 8
        unused = 0xFF >> (8 * size - count)
        recsys = bytearray(draw.bytes(size))
        recsys[-1] &= unused
        csp = bytearray(draw.bytes(size))
        csp[-1] &= unused
        given = {"session": run, "csp": bytes(csp), "recsys": bytes(recsys)}
        family.add(
            f"open-{slug}",
            "share.open",
            "OUT-001 OUT-003",
            "V, the exclusive or of two shares",
            given,
            seed=draw.label,
        )
        if unused != 0xFF:
            for role, share in (("csp", csp), ("recsys", recsys)):
                data = bytearray(share)
                data[-1] |= 0xFF ^ unused
                family.add(
                    f"open-{slug}-unused-{role}",
                    "share.open",
                    "OUT-003 CON-046",
                    "bits of the last byte that are of no word",
                    {**given, role: bytes(data)},
                    flags="positive unlucky",
                    seed=draw.label,
                )
        for end, wrong in (("cut", bytes(csp[:-1])), ("more", bytes(csp) + b"\0")):
            family.add(
                f"open-{slug}-{end}",
                "share.open",
                "OUT-001 ERR-003",
                "a share of the wrong length",
                {**given, "csp": wrong},
                refuse="encoding",
                seed=draw.label,
            )


def _encrypted(public: PublicKey, text: bytes, label: str) -> bytes:
    return public.write(
        [public.encrypt(int.from_bytes(text, "big"), Coins.seeded(f"vectors/{label}"))]
    )


def scale(span: int, **more: str) -> dict[str, str]:
    """Parameters whose ratings are the integers from -1 to `span` - 1."""
    return {
        "rating_offset": "1",
        "rating_frac_bits": "0",
        "rating_min": "0",
        "rating_max": str(span),
        **more,
    }


def _codes(family: Family) -> None:
    half_stars: dict[str, str] = {}
    one = {"rating_frac_bits": "0", "rating_min": "2.75", "rating_max": "3.25"}
    none = {"rating_frac_bits": "0", "rating_min": "3.25", "rating_max": "3.75"}
    scales = {
        "half-stars": half_stars,
        "one": one,
        **{f"span-{span}": scale(span) for span in (1, 2, 3, 4, 7, 8, 9, 20, 255, 256)},
        "fine": {"rating_frac_bits": "16", "frac_bits": "8"},
        "between": {"rating_min": "0.75", "rating_max": "4.75"},
    }
    for slug, params in scales.items():
        given = {"parameters": params}
        out = OPERATIONS["code.weights"](given)
        weights, least = [int(one) for one in out["weights"]], int(out["least"])
        span, bits = sum(weights), len(weights)
        family.add(f"weights-{slug}", "code.weights", "COD-001 COD-002", "weights of a code", given)
        chosen = {0, 1, span // 2, (1 << bits >> 1) - 1, 1 << bits >> 1, span - 1, span}
        ratings = sorted(least + v for v in chosen if 0 <= v <= span)
        family.add(
            f"encode-{slug}",
            "code.encode",
            "COD-003",
            "codes at the ends, and where the top bit begins",
            {"parameters": params, "values": ratings},
        )
        draw = LabelledStream(f"code/{slug}")
        strings = ["".join(str(draw.below(2)) for _ in range(bits)) for _ in range(5)]
        family.add(
            f"decode-{slug}",
            "code.decode",
            "COD-004",
            "what any bits say",
            {"parameters": params, "codes": ["0" * bits, "1" * bits, *strings]},
            seed=draw.label,
        )
        for name, off in (("low", least - 1), ("high", least + span + 1)):
            family.add(
                f"encode-{slug}-{name}",
                "code.encode",
                "COD-003",
                "a rating that is not on the scale",
                {"parameters": params, "values": [least, off]},
                refuse="range",
            )
    family.add(
        "weights-none",
        "code.weights",
        "COD-001",
        "a scale between two integers",
        {"parameters": none},
        refuse="parameters",
    )
    for slug, params, items in (
        ("half-stars", half_stars, 5),
        ("bytes", half_stars, 8),
        ("long", half_stars, 43),
        ("one", one, 9),
        ("wide", scale(300), 3),
    ):
        draw = LabelledStream(f"code/row-{slug}")
        out = OPERATIONS["code.weights"]({"parameters": params})
        least, span = int(out["least"]), sum(map(int, out["weights"]))
        rated = [item for item in range(items) if draw.below(2)]
        pairs = [[item, least + draw.below(span + 1)] for item in rated]
        size = ((1 + len(out["weights"])) * items + 7) // 8
        for name, some in (("", pairs), ("-nothing", pairs[:0])):
            family.add(
                f"plain-{slug}{name}",
                "upload.plain",
                "COD-005",
                "the bits of a row",
                {"parameters": params, "items": items, "ratings": some},
                seed=draw.label,
            )
        for name, data in (("any", draw.bytes(size)), ("ones", b"\xff" * size)):
            family.add(
                f"row-{slug}-{name}",
                "upload.row",
                "COD-006",
                "the row that any bits are",
                {"parameters": params, "items": items, "plain": data},
                seed=draw.label,
            )
    for slug, data in (("cut", bytes(3)), ("more", bytes(5))):
        family.add(
            f"row-{slug}",
            "upload.row",
            "ERR-003",
            "bits of another length",
            {"parameters": half_stars, "items": 5, "plain": data},
            refuse="encoding",
        )


def _masks(family: Family) -> None:
    for slug, user, items, table in (
        ("plain", "1", 3, {}),
        ("unicode", "Zoë", 2, {}),
        ("one-item", "2", 1, {}),
        ("long", "1", 40, {}),
        ("fine", "1", 9, {"rating_frac_bits": "8"}),
    ):
        draw = LabelledStream(f"upload/{slug}")
        params = {**RUN["parameters"], **table}
        lists = {"users": [user], "least": "1", "items": [str(j) for j in range(items)]}
        run = {**RUN, **lists, "parameters": params}
        family.add(
            f"keystream-{slug}",
            "upload.keystream",
            "UPL-010 UPL-011",
            "the mask of a user's bits, and CSP's share",
            {"session": run, "user": user, "seed": draw.bytes(32)},
            seed=draw.label,
        )
        for serial in (1, 256, 2**64 - 1):
            family.add(
                f"consent-{slug}-{serial}",
                "upload.consent",
                "UPL-012",
                "a user's consent",
                {"session": run, "user": user, "key": draw.bytes(32), "serial": serial},
                seed=draw.label,
            )


def _uploads(family: Family) -> None:
    draw = LabelledStream("upload/seeds")
    seed, secret = draw.bytes(32), sealing_secret("session")
    approval = LabelledStream("upload/consent").bytes(32)

    def sealed_as(slug: str, user: str = "1", **change: Any) -> bytes:
        """The user's seed and consent, sealed; a label determines the ephemeral key."""
        given = {
            "session": {**RUN, **change},
            "user": user,
            "material": LabelledStream(f"upload/{slug}").bytes(32).hex(),
            "seed": seed.hex(),
            "consent": approval.hex(),
        }
        return bytes.fromhex(OPERATIONS["upload.seal"](given)["sealed"])

    sealed = sealed_as("seal")

    given = {"session": RUN, "user": "1", "material": draw.bytes(32), "seed": seed}
    given["consent"] = approval
    what = "a seed and a consent are sealed"
    family.add("seal-plain", "upload.seal", "UPL-013", what, given, seed=draw.label)

    def opening(
        slug: str,
        comment: str,
        requirement: str,
        data: bytes,
        user: str = "1",
        key: bytes = secret,
        **more: Any,
    ) -> None:
        given = {"session": RUN, "user": user, "secret": key, "sealed": data}
        op = "upload.open"
        family.add(f"open-{slug}", op, requirement, comment, given, seed=draw.label, **more)

    opening("plain", "a seal", "UPL-013", sealed)
    opening("other-user", "sealed by another user", "UPL-013", sealed, user="2", refuse="state")
    opening(
        "other-session",
        "sealed for another session",
        "UPL-013",
        sealed_as("other-session", recsys_nonce=bytes(16).hex()),
        refuse="state",
    )
    other = draw.bytes(32)
    opening("wrong-key", "sealed to another key", "UPL-013", sealed, key=other, refuse="state")
    for place, where in (
        (0, "encapsulated key"),
        (32, "ciphertext"),
        (79, "consent"),
        (111, "tag"),
    ):
        altered = bytes(byte ^ (at == place) for at, byte in enumerate(sealed))
        opening(f"altered-{place}", f"a bit of the {where}", "UPL-013", altered, refuse="state")
    for name, point in SMALL_ORDER.items():
        small = point + sealed[32:]
        opening(f"small-{name}", "a point of small order", "UPL-013", small, refuse="range")
    opening("cut", "a byte too few", "ERR-003", sealed[:-1], refuse="encoding")
    opening("more", "a byte too many", "ERR-003", sealed + b"\0", refuse="encoding")

    masked = draw.bytes(2)

    def taking(slug: str, comment: str, uploads: Any, **more: Any) -> None:
        given = {"session": RUN, "uploads": uploads}
        op = "upload.take"
        needed = more.pop("needed", "ADM-001")
        family.add(f"take-{slug}", op, needed, comment, given, seed=draw.label, **more)

    one, two = ["1", 1, masked, sealed], ["2", 1, masked[::-1], sealed]
    taking("both", "both users", [one, two])
    taking("any-order", "in any order", [two, one])
    taking("again", "one of them again, byte for byte", [one, one, two])
    taking("none", "nobody yet", [])
    newer = ["1", 7, masked[::-1], sealed]
    taking("newer", "one of them replaced", [one, two, newer, newer], needed="ADM-002")
    taking("older", "an older serial", [newer, one], needed="ADM-002", refuse="state")
    taking("serial-0", "the serial 0", [["1", 0, masked, sealed]], refuse="range")
    serials = [["1", 2**64 - 2, masked, sealed], ["1", 2**64 - 1, masked, sealed]]
    taking("serial-largest", "the largest serials", serials, needed="ADM-002")
    taking(
        "changed",
        "one of them again, changed",
        [one, two, ["1", 1, masked[::-1], sealed]],
        refuse="state",
    )
    taking(
        "resealed",
        "the same bits, sealed anew",
        [one, ["1", 1, masked, sealed_as("anew")]],
        refuse="state",
    )
    taking("unknown", "somebody else", [one, ["3", 1, masked, sealed]], refuse="range")
    taking("short", "bits cut short", [["1", 1, masked[:-1], sealed]], refuse="encoding")
    taking("long", "a byte too many", [["1", 1, masked + bytes(1), sealed]], refuse="encoding")
    taking("sealed-short", "a seal cut short", [["1", 1, masked, sealed[:-1]]], refuse="encoding")
    zero = bytes(len(sealed))
    taking(
        "sealed-zero", "a seal of a point of small order", [["1", 1, masked, zero]], refuse="range"
    )


def _admissions(family: Family) -> None:
    """Closings and admissions of eleven users, some of whom are not there or not admitted."""
    draw = LabelledStream("upload/admission")
    users = [str(number) for number in range(1, 12)]
    run = {**RUN, "users": users, "least": "3"}
    keys = [draw.bytes(32) for _ in users]
    secret = sealing_secret("session")

    def sealed(row: int, serial: int, key: bytes, session: dict[str, Any] = run) -> bytes:
        about = {"session": session, "user": users[row]}
        consented = {**about, "key": key, "serial": serial}
        approval = OPERATIONS["upload.consent"](shown(consented))["consent"]
        payload = {"seed": draw.bytes(32), "consent": approval, "material": draw.bytes(32)}
        return bytes.fromhex(OPERATIONS["upload.seal"](shown({**about, **payload}))["sealed"])

    rows = {0: 1, 2: 3, 7: 1, 8: 2**64 - 1, 10: 1}
    seals = {row: sealed(row, serial, keys[row]) for row, serial in rows.items()}
    uploads = [[users[row], serial, draw.bytes(2), seals[row]] for row, serial in rows.items()]
    closing = {"session": run, "uploads": uploads[::-1]}

    def add(slug: str, op: str, needed: str, comment: str, given: Any, **more: Any) -> None:
        family.add(slug, op, needed, comment, given, seed=draw.label, **more)

    add("closing-plain", "closing.make", "ADM-004", "five of eleven users", closing)
    again = {**closing, "uploads": [*uploads, [users[0], 2, draw.bytes(2), seals[2]]]}
    add("closing-newest", "closing.make", "ADM-002 ADM-004", "one of them replaced", again)
    add(
        "closing-too-few",
        "closing.make",
        "ADM-003",
        "two, where three have to take part",
        {**closing, "uploads": uploads[:2]},
        refuse="peer",
    )
    made = OPERATIONS["closing.make"](shown(closing))
    given = {"session": run, "secret": secret, "consent_keys": keys, **made}
    presence, records = bytes.fromhex(made["presence"]), bytes.fromhex(made["seals"])

    def admitting(
        slug: str, comment: str, change: Any, needed: str = "ADM-005", **more: Any
    ) -> None:
        add(f"admission-{slug}", "admission.make", needed, comment, {**given, **change}, **more)

    admitting("all", "everybody who is present", {})
    admitting("secret", "under another key, nobody", {"secret": draw.bytes(32)})
    admitting("keys", "another consent key", {"consent_keys": [*keys[:7], keys[0], *keys[8:]]})
    for slug, comment, at in (
        ("serial", "another serial than that of the consent", 120),
        ("altered", "a seal with a bit changed", 2 * 120 + 60),
    ):
        bad = bytearray(records)
        bad[at] ^= 2
        admitting(slug, comment, {"seals": bytes(bad)})
    small = records[:128] + SMALL_ORDER["0"] + records[160:]
    admitting("small", "an encapsulated key of small order", {"seals": small}, "ADM-005 ADM-009")
    moved = records[120:240] + records[:120] + records[240:]
    admitting("swapped", "seals of two users exchanged", {"seals": moved}, "ADM-005 UPL-013")
    for slug, comment, change, kind in (
        ("presence-cut", "a byte too few", {"presence": presence[:-1]}, "encoding"),
        ("presence-more", "a byte too many", {"presence": presence + b"\0"}, "encoding"),
        ("presence-spare", "a bit of no user", {"presence": presence[:1] + b"\x0d"}, "range"),
        ("presence-few", "fewer than have to take part", {"presence": b"\1\4"}, "state"),
        ("seals-cut", "a byte too few", {"seals": records[:-1]}, "encoding"),
        ("seals-more", "a user too many", {"seals": records + records[:120]}, "encoding"),
        ("serial-0", "the serial 0", {"seals": bytes(8) + records[8:]}, "range"),
    ):
        admitting(slug, comment, change, refuse=kind)
    taken = {"session": run, **made}
    for slug, comment, admitted, refusal in (
        ("all", "everybody", presence, None),
        ("some", "three of five", b"\4\5", None),
        ("none", "nobody", bytes(2), None),
        ("absent", "somebody who is not present", b"\2\0", "range"),
        ("spare", "a bit of no user", b"\0\x80", "range"),
        ("cut", "a byte too few", b"\1", "encoding"),
    ):
        needed = "ADM-005" if refusal else "ADM-005 ADM-010"
        answer = {**taken, "admitted": admitted}
        add(f"admitted-{slug}", "admission.take", needed, comment, answer, refuse=refusal)


def _moduli(family: Family) -> None:
    secret = key("paillier/key")
    modulus = int(secret.public.modulus)
    prime = _primes(secret)["p"]

    def add(slug: str, comment: str, data: bytes, **more: Any) -> None:
        family.add(
            f"modulus-{slug}",
            "ahe.modulus",
            "AHE-003 AHE-004",
            comment,
            {"bits": BITS, "modulus": data},
            **more,
        )

    good = modulus.to_bytes(64, "big")
    add("plain", "a modulus of 512 bits", good)
    add("short", "a byte too few", good[1:], refuse="encoding")
    add("long", "a byte too many", b"\0" + good, refuse="encoding")
    short = int(gmpy2.next_prime(1 << 255)) * int(gmpy2.next_prime(3 << 254))
    assert short.bit_length() == 511, "a bit too few, and nothing else is wrong with it"
    add("511-bits", "a bit too few", short.to_bytes(64, "big"), refuse="range")
    add("zero", "no bits at all", bytes(64), refuse="range")
    add("even", "an even number", (modulus - 1).to_bytes(64, "big"), refuse="range")
    add(
        "small-factor",
        "a multiple of 997",
        ((1 << 511) // 997 * 997 + 997 * 2).to_bytes(64, "big"),
        refuse="range",
    )
    add("square", "a square", (prime * prime).to_bytes(64, "big"), refuse="range")
    add("prime", "a prime", int(gmpy2.next_prime(modulus)).to_bytes(64, "big"), refuse="range")
    root = int(gmpy2.next_prime(gmpy2.iroot(gmpy2.mpz(1) << 511, 3)[0] + 10**6))
    add("cube", "a cube", (root**3).to_bytes(64, "big"), refuse="range")


def _ciphertexts(family: Family) -> None:
    secret = key("paillier/key")
    public = secret.public
    size, square = BITS // 4, int(public.square)
    good = [_encrypted(public, bytes([n]), f"paillier/{n}") for n in range(3)]

    def add(slug: str, comment: str, data: bytes, count: int, **more: Any) -> None:
        given = {"bits": BITS, "modulus": public.to_bytes(), "data": data, "count": count}
        family.add(f"ciphertexts-{slug}", "ahe.ciphertexts", "AHE-005", comment, given, **more)

    add("three", "one after the other", b"".join(good), 3)
    add("none", "none at all", b"", 0)
    add("largest", "N^2 - 1", (square - 1).to_bytes(size, "big"), 1)
    add("one", "1: an encryption of 0 without randomness", (1).to_bytes(size, "big"), 1)
    add("zero", "0", good[0] + bytes(size), 2, refuse="range")
    add("square", "N^2", square.to_bytes(size, "big"), 1, refuse="range")
    add("largest-bytes", "nothing but ones", b"\xff" * size, 1, refuse="range")
    add("modulus", "N itself", int(public.modulus).to_bytes(size, "big"), 1, refuse="range")
    add(
        "factor",
        "a multiple of q",
        (_primes(secret)["q"] * 3).to_bytes(size, "big"),
        1,
        refuse="range",
    )
    add("cut", "a byte too few", good[0][:-1], 1, refuse="encoding")
    add("more", "a ciphertext too many", b"".join(good), 2, refuse="encoding")
    for number, plaintext in enumerate((0, 1, 2**64 - 1, int(public.modulus) - 1)):
        sealed = _encrypted(public, plaintext.to_bytes(64, "big"), f"paillier/decrypt-{number}")
        family.add(
            f"decrypt-{number}",
            "ahe.decrypt",
            "AHE-003 AHE-005 AHE-006",
            "an encryption, opened",
            {**_primes(secret), "ciphertext": sealed},
        )


def _slots(family: Family) -> None:
    for bits, rows, outputs, ring in (
        (3072, 943, 4_200_000, 64),
        (3072, 1, 1, 64),
        (2048, 2, 2, 64),
        (512, 3, 100, 64),
        (512, 4, 128, 64),
        (512, 5, 129, 64),
        (1024, 2**31 - 1, 2**40, 64),
        (3072, 943, 1_354_500, 47),
        (512, 1, 1, 32),
        (512, 2, 1, 63),
    ):
        given = {"bits": bits, "rows": rows, "blocks": [3, 3], "outputs": outputs, "ring": ring}
        slug = f"slots-{bits}-{rows}-{outputs}" + (f"-ring-{ring}" if ring < 64 else "")
        family.add(slug, "ahe.slots", "AHE-007", "slots of a plaintext", given)
    given = {"bits": 512, "rows": 2**150, "blocks": [1, 1], "outputs": 2**200, "ring": 64}
    family.add(
        "slots-none",
        "ahe.slots",
        "AHE-007",
        "not one slot fits",
        given,
        refuse="parameters",
    )


def _answers(family: Family) -> None:
    """Answers made by the formula of PPMF-AHE-009 from all of its inputs."""
    secret = key("paillier/answers")
    public = secret.public
    modulus, square = int(public.modulus), int(public.square)
    for slug, rows, blocks, uses, ring in (
        ("plain", 2, (3, 3), ((0, 2), (1, 2)), 64),
        ("one", 1, (1, 1), ((0, 1), (0, 1)), 64),
        ("empty-use", 2, (2, 2), ((0, 0), (0, 2)), 64),
        ("odd", 3, (5, 2), ((1, 2), (0, 2)), 64),
        ("ring-46", 3, (5, 2), ((0, 2), (1, 2)), 46),
    ):
        draw = LabelledStream(f"paillier/answer-{slug}")
        coins = Coins.seeded(f"vectors/paillier/answer-{slug}")
        layout, size = Layout(rows, blocks, 64, ring), 1 << ring
        slots = Slots.of(BITS, layout)
        shares = [
            [[[draw.word() % size for _ in range(width)] for _ in range(rows)] for width in blocks]
            for _ in ("owner", "peer")
        ]
        matrices = [
            [
                [(one + other) % size for one, other in zip(*row, strict=True)]
                for row in zip(*both, strict=True)
            ]
            for both in zip(*shares, strict=True)
        ]
        x = [[draw.word() % size for _ in range(rows)] for _ in range(max(end for _, end in uses))]
        answer = b""
        kept: list[list[list[int]]] = []
        for owners, peers, (first, end) in zip(*shares, uses, strict=True):
            spans = slots.spans(len(owners[0]))
            ciphers = [
                [
                    public.encrypt(slots.pack(row[span]), coins)
                    * (1 + slots.pack(mine[span]) * modulus)
                    % square
                    for span in spans
                ]
                for row, mine in zip(owners, peers, strict=True)
            ]
            kept.append([])
            for factors in x[first:end]:
                masks = [draw.below(1 << (slots.width - 1)) for _ in owners[0]]
                kept[-1].append([-mask % size for mask in masks])
                for column, span in enumerate(spans):
                    product = 1 + slots.pack(masks[span]) * modulus
                    for factor, row in zip(factors, ciphers, strict=True):
                        product = product * pow(int(row[column]), factor, square) % square
                    fresh = pow(public.unit(coins), modulus, square)
                    answer += (product * fresh % square).to_bytes(BITS // 4, "big")
        given = {
            **_primes(secret),
            "rows": rows,
            "blocks": list(blocks),
            "outputs": 64,
            "ring": ring,
            "uses": [list(use) for use in uses],
            "answer": answer,
        }
        family.add(
            f"answer-{slug}",
            "ahe.open",
            "AHE-002 AHE-008 AHE-009 AHE-010 AHE-013",
            "the owner's shares of a product",
            given,
            seed=draw.label,
        )
        _check_product(family, matrices, x, uses, kept, size)
        for end_slug, data in (("cut", answer[:-1]), ("more", answer + bytes(BITS // 4))):
            family.add(
                f"answer-{slug}-{end_slug}",
                "ahe.open",
                "AHE-005 ERR-003",
                "of the wrong length",
                {**given, "answer": data},
                refuse="encoding",
                seed=draw.label,
            )


def _check_product(family: Family, matrices: Any, x: Any, uses: Any, kept: Any, size: int) -> None:
    """Check that the owner's and the peer's shares add up to the product mod `size`."""
    shares = family.cases[-1]["expect"]["out"]["shares"]
    for matrix, (first, end), ours, theirs in zip(matrices, uses, shares, kept, strict=True):
        product = np.array(x[first:end], dtype=np.uint64).reshape(
            end - first, len(matrix)
        ) @ np.array(matrix, dtype=np.uint64)
        total = [
            [(int(a) + b) % size for a, b in zip(r, s, strict=True)]
            for r, s in zip(ours, theirs, strict=True)
        ]
        assert (product % np.uint64(size) if size < 1 << 64 else product).tolist() == total
