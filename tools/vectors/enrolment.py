# SPDX-License-Identifier: Apache-2.0
"""Vectors of chapter 8: codes, tokens, invitations, digests of a proposal, receipts."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters import sessions_and_uploads
from ppmf_conformance.adapters.enrolment import OPERATIONS
from ppmf_secure.primitives.base_transfers import write_point
from ppmf_secure.session.enrolment import ALPHABET, check_value, write_code
from ppmf_secure.session.proposals import sign_receipt
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.sessions_and_uploads import RUN, signing_key

CODE = LabelledStream("enrolment/code").bytes(16)
LETTERS = write_code(CODE)
TOKEN = "c29tZSBieXRlcyBvZiBhIHRva2VuIG9mIGEgdGVzdCE"
KEY = LabelledStream("enrolment/csp-key").bytes(32).hex()
RECSYS: dict[str, Any] = {
    "from": "recsys",
    "user": "K7Q2M9XH4T0B",
    "token": TOKEN,
    "recsys": "https://recsys.example",
    "csp": "https://csp.example:8443/ppmf",
}
CSP: dict[str, Any] = {"from": "csp", "user": "K7Q2M9XH4T0B", "code": CODE.hex(), "key": KEY}


def families() -> list[Family]:
    """The families `enrolment`, `invitation` and `agreement`."""
    enrolment = Family("enrolment", "Codes, consent keys and tokens.", OPERATIONS)
    _codes(enrolment)
    _tokens(enrolment)
    _keys(enrolment)
    invitation = Family("invitation", "The two halves of an invitation.", OPERATIONS)
    _halves(invitation)
    _joins(invitation)
    agreement = Family("agreement", "Digests of a proposal, and receipts of V.", OPERATIONS)
    _proposals(agreement)
    _receipts(agreement)
    return [enrolment, invitation, agreement]


def _codes(family: Family) -> None:
    for slug, code in (
        ("drawn", CODE),
        ("zero", bytes(16)),
        ("ones", b"\xff" * 16),
        ("first-bit", b"\x80" + bytes(15)),
        ("last-bit", bytes(15) + b"\x01"),
    ):
        text = code.hex()
        family.add(f"letters-{slug}", "enrol.letters", "ENR-002 ENR-003", slug, {"code": text})
        comment = "the key that CSP keeps"
        family.add(f"key-{slug}", "enrol.consent_key", "ENR-005", comment, {"code": text})

    def typed(slug: str, comment: str, text: str, requirements: str = "ENR-004") -> None:
        family.add(f"typed-{slug}", "enrol.code", requirements, comment, {"text": text})

    typed("plain", "as it is written", LETTERS, "ENR-002 ENR-003")
    typed("small", "in small letters", LETTERS.lower())
    groups = [LETTERS[at : at + 4] for at in range(0, 27, 4)]
    typed("hyphens", "in groups with hyphens", "-".join(groups))
    typed("blanks", "in groups with blanks, and blanks around", f" {' '.join(groups)} ")
    looks = _coded("1" * 13 + "0" * 13)
    typed("look-alikes", "I and L for 1, O for 0", f"{'IlLi1' * 2}iLI{'oO0' * 4}o{looks[-1]}")

    def refused(slug: str, comment: str, text: str, requirements: str = "ENR-004") -> None:
        given = {"text": text}
        family.add(
            f"refused-{slug}", "enrol.code", requirements, comment, given, refuse="encoding",
            hides=[text] if text else (),
        )  # fmt: skip

    for at in (0, 11, 25, 26):
        other = ALPHABET[ALPHABET.index(LETTERS[at]) ^ 1]
        changed = LETTERS[:at] + other + LETTERS[at + 1 :]
        refused(f"letter-{at}", "one letter is wrong", changed, "ENR-003 ENR-004")
    for first, second in ((0, 1), (3, 24), (24, 26)):
        places = list(LETTERS)
        places[first], places[second] = places[second], places[first]
        comment = "two letters have changed places"
        refused(f"places-{first}-{second}", comment, "".join(places), "ENR-003 ENR-004")
    refused("short", "a letter is missing", LETTERS[:-1])
    refused("long", "a letter too many", LETTERS + "0")
    refused("letter-u", "a letter that is none of the alphabet", "U" + LETTERS[1:])
    refused("accent", "a letter that is not of ASCII", "É" + LETTERS[1:])
    refused("empty", "nothing", "")
    odd = ALPHABET[ALPHABET.index(LETTERS[25]) | 1]
    refused("spare-bit", "a spare bit is 1", _coded(LETTERS[:25] + odd))


def _coded(letters: str) -> str:
    """26 letters with their check letter."""
    return letters + ALPHABET[check_value(ALPHABET.index(one) for one in letters)]


def _tokens(family: Family) -> None:
    def add(slug: str, comment: str, token: str, refuse: str | None = None) -> None:
        given = {"token": token}
        hides = [token] if refuse and token else ()
        family.add(
            f"token-{slug}", "enrol.token", "ENR-006", comment, given, refuse=refuse, hides=hides
        )

    add("plain", "what RecSys keeps of a token", TOKEN)
    add("marks", "the two letters of base64url that are none", "-_" * 21 + "8")
    add("padded", "with padding", TOKEN + "=", "encoding")
    add("short", "a letter is missing", TOKEN[:-1], "encoding")
    add("spare-bit", "a spare bit is 1", TOKEN[:-1] + "F", "encoding")
    add("base64", "a letter of base64", "+" + TOKEN[1:], "encoding")
    add("blank", "a blank within", TOKEN[:5] + " " + TOKEN[6:], "encoding")
    add("empty", "nothing", "", "encoding")


def _keys(family: Family) -> None:
    def digest(slug: str, comment: str, key: bytes, refuse: str | None = None) -> None:
        requirements = "SRV-001" if refuse is None else "SRV-001 OTE-009"
        given = {"key": key.hex()}
        family.add(
            f"digest-{slug}", "enrol.key_digest", requirements, comment, given, refuse=refuse
        )

    recsys, point = (
        write_point(signing_key(f"session/{role}").public_key()) for role in ("recsys", "csp")
    )
    digest("recsys", "the key of RecSys", recsys)
    digest("csp", "the key of CSP", point)
    digest("no-point", "a number that is no point's", b"\x02" + bytes(31) + b"\x01", "range")
    digest(
        "other-form", "the first byte of a point that is not compressed", b"\4" + point[1:], "range"
    )
    digest("short", "a byte is missing", point[:-1], "encoding")
    digest("long", "a byte too many", point + b"\0", "encoding")


def _halves(family: Family) -> None:
    halves = {
        "recsys": RECSYS,
        "csp": CSP,
        "recsys-user": {**RECSYS, "user": "é & #1+1=2%"},
        "csp-user": {**CSP, "user": "\U0001f600 !'()*~"},
        "recsys-local": {**RECSYS, "recsys": "http://127.0.0.1:8443", "csp": "http://[::1]:1"},
        "recsys-localhost": {**RECSYS, "recsys": "http://localhost", "csp": "https://a/b/c!~"},
    }
    lines = {}
    for slug, half in halves.items():
        family.add(f"write-{slug}", "invitation.write", "ENR-009", "the line of a half", half)
        line = OPERATIONS["invitation.write"](half)["line"]
        family.add(f"read-{slug}", "invitation.read", "ENR-009 ENR-010", "a half", {"text": line})
        lines[slug] = line
    recsys, csp = lines["recsys"], lines["csp"]
    for slug, comment, text in (
        ("link", "after the # of a link", f"https://recsys.example/#{recsys}"),
        ("link-twice", "after the last # of a link", f"https://a.example/#x#{csp}"),
        ("line-end", "with blanks and line ends around", f" \r\n{csp} \r\n"),
    ):
        family.add(f"read-{slug}", "invitation.read", "ENR-010", comment, {"text": text})

    def refused(slug: str, comment: str, text: str, kind: str = "encoding", more: str = "") -> None:
        family.add(
            f"refused-{slug}", "invitation.read", f"ENR-010{more}", comment, {"text": text},
            refuse=kind, hides=[TOKEN, LETTERS],
        )  # fmt: skip

    refused("empty", "nothing", "")
    refused("version", "another version", recsys.replace("ppmf=2", "ppmf=3"))
    refused("sender", "another sender", csp.replace("from=csp", "from=users"))
    parts = csp.split("&")
    refused("order", "members in another order", "&".join(parts[at] for at in (0, 2, 1, 3, 4)))
    refused("twice", "a member twice", f"{csp}&user=K7Q2M9XH4T0B")
    refused("missing", "a member is missing", recsys.rpartition("&")[0])
    refused("more", "a member too many", f"{recsys}&more=1")
    refused("plus", "a plus sign for a blank", lines["recsys-user"].replace("%20", "+"))
    refused("small", "small hexadecimal digits", lines["recsys-user"].replace("%C3%A9", "%c3%a9"))
    refused("unescaped", "a colon that is not escaped", recsys.replace("https%3A", "https:", 1))
    refused("escaped", "a letter that is escaped", csp.replace("K7Q2", "%4B7Q2"))
    refused("utf-8", "bytes that are no UTF-8", lines["recsys-user"].replace("%C3%A9", "%C3"))
    refused("capitals", "the digest of the key in capitals", csp.replace(KEY, KEY.upper()))
    refused("key", "a digest of 31 bytes", csp[:-2])
    refused("hyphens", "a code with hyphens", csp.replace(LETTERS, f"{LETTERS[:4]}-{LETTERS[4:]}"))
    refused(
        "code", "a wrong check letter", csp.replace(LETTERS, LETTERS[:-1] + _other(LETTERS[-1]))
    )
    refused("token", "a short token", recsys.replace(TOKEN, TOKEN[:-1]))
    refused("user", "an empty pseudonym", csp.replace("K7Q2M9XH4T0B", ""))
    refused("padded-user", "a padded pseudonym", csp.replace("K7Q2M9XH4T0B", "K7Q2M9XH4T0B%20"))
    refused("long", "more than 4096 characters", f"https://{'a' * 4096}/#{csp}")
    for slug, comment, url in (
        ("http", "http for another machine", "http://recsys.example"),
        ("scheme", "another scheme", "ftp://recsys.example"),
        ("host", "no host", "https://"),
        ("port", "a port that is none", "https://recsys.example:65536"),
        ("name", "a user's name", "https://me@recsys.example"),
        ("query", "a query", "https://recsys.example/?a=b"),
        ("fragment", "a fragment", "https://recsys.example/a#b"),
        ("slash", "a slash at the end", "https://recsys.example/"),
        ("blank", "a blank", "https://recsys.example/a b"),
        ("accent", "a letter that is not of ASCII", "https://recsys.example/é"),
    ):
        half = {**RECSYS, "recsys": url}
        line = OPERATIONS["invitation.write"](half)["line"]
        refused(f"url-{slug}", comment, line, "range", " ENR-012")


def _other(letter: str) -> str:
    return ALPHABET[ALPHABET.index(letter) ^ 1]


def _joins(family: Family) -> None:
    lines = {
        name: OPERATIONS["invitation.write"](half)["line"]
        for name, half in (
            ("recsys", RECSYS),
            ("csp", CSP),
            ("other", {**CSP, "user": "000000000000"}),
        )
    }

    def add(slug: str, comment: str, *names: str, refuse: str | None = None) -> None:
        given = {"halves": [lines[name] for name in names]}
        family.add(f"join-{slug}", "invitation.join", "ENR-011", comment, given, refuse=refuse)

    add("halves", "one of each", "recsys", "csp")
    add("other-order", "the enroller's first", "csp", "recsys")
    add("twice-recsys", "RecSys' twice", "recsys", "recsys", refuse="state")
    add("twice-csp", "the enroller's twice", "csp", "csp", refuse="state")
    add("users", "halves of two users", "recsys", "other", refuse="state")


def _proposals(family: Family) -> None:
    def add(slug: str, comment: str, **change: Any) -> None:
        given = {"session": {**RUN, **change}}
        family.add(f"proposal-{slug}", "session.proposal", "SRV-006 SRV-028", comment, given)

    add("plain", "the proposal of a session")
    add("csp-nonce", "it does not depend on CSP's part", csp_nonce=bytes(16).hex())
    add("nonce", "another nonce of RecSys", recsys_nonce=bytes(16).hex())
    add("items", "other items", items=["7", "8"])
    add("users", "other users of the same items", users=["1", "2", "3"], least="2")


def _receipts(family: Family) -> None:
    key = signing_key("session/recsys")
    secret = key.private_numbers().private_value.to_bytes(32, "big").hex()
    digest = LabelledStream("agreement/digest").bytes(32)
    given = {"session": RUN, "secret": secret, "digest": digest.hex()}
    family.add("receipt-sign", "receipt.sign", "SRV-016", "RecSys signs", given)

    def signed(run: dict[str, Any], whose: str = "session/recsys") -> str:
        session_id = sessions_and_uploads.session(run).id
        return sign_receipt(signing_key(whose), session_id, digest).hex()

    def check(slug: str, comment: str, signature: str, refuse: str | None = None) -> None:
        given = {"session": RUN, "digest": digest.hex(), "signature": signature}
        family.add(f"receipt-{slug}", "receipt.check", "SRV-016", comment, given, refuse=refuse)

    check("right", "RecSys' signature", signed(RUN))
    check("of-csp", "CSP's key", signed(RUN, "session/csp"), "state")
    other = {**RUN, "csp_nonce": bytes(16).hex()}
    check("other-session", "of another session", signed(other), "state")
    accepted = sessions_and_uploads.OPERATIONS["session.sign"]({"session": RUN, "secret": secret})
    check("acceptance", "a signature of another kind", accepted["signature"], "state")
    check("short", "a byte is missing", signed(RUN)[:-2], "encoding")
