# SPDX-License-Identifier: Apache-2.0
"""Vectors of whole runs, by the parties under test and by the edits of messages on their way."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

from ppmf_conformance.adapters import sessions_and_uploads
from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_conformance.adapters.values import shown
from ppmf_conformance.line_protocol import ROLES
from ppmf_conformance.message_edits import field_changed
from ppmf_conformance.our_parties import OwnParties
from ppmf_reference import rating_code
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.upload import keystream, open_seal
from ppmf_spec import wire
from ppmf_spec.decimals import decimal_text
from tools.vectors import whole_runs
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import KINDS
from tools.vectors.whole_runs import OF_ROLE, before_each, lengths, needed_by_roles, output

_LATE = ("binary-count", "lipschitz", "inertia")
"""Kinds of runs of which every message is handed over as late as can be, too."""
_MANY = "-many"
"""The end of a name of runs of a kind with many users."""


def families() -> list[Family]:
    """The families `parties` and `tampered`."""
    parties = Family("parties", "Three-party runs with any subset under test.", OPERATIONS)
    _runs(parties)
    tampered = Family("tampered", "Messages changed on their way, and who refuses how.", OPERATIONS)
    _tampered(tampered)
    return [parties, tampered]


def _given(
    kind: str, users: int, items: int, iterations: int, suite: str, least: int | None = None
) -> dict[str, Any]:
    table = {**KINDS[kind.removesuffix(_MANY)], "rank": "1", "iterations": str(iterations)}
    shape = (users, items)
    rated = whole_runs.each_pair(_star)
    return whole_runs.given_of(f"parties/{kind}", table, shape, suite, rated, least)


def _star(draw: LabelledStream) -> str:
    return draw.one_of(["0.5", "2", "3.5", "5"])


def misread(given: dict[str, Any], value: str) -> dict[str, Any]:
    """The run in which the first user rated what their masked bits say after that edit."""
    session = sessions_and_uploads.session(given["session"])
    asked = {"role": "users", "coins": f"{given['coins']}/users"}
    parties = OwnParties()
    new = shown({**asked, **{name: given[name] for name in ("session", "ratings", "consent_keys")}})
    handle = parties.run("", "party.new", new).out["handle"]
    sent = parties.run("", "party.step", {"handle": handle, "inbox": []}).out["outbox"][0]
    changed = field_changed(bytes.fromhex(sent["message"]), "masked", value)
    upload = wire.decode(changed).message
    assert isinstance(upload, wire.Upload)
    key = SealingKey(bytes.fromhex(given["sealing_secret"]))
    seed, _ = open_seal(session, upload.user, key, upload.sealed)
    stream = keystream(session, upload.user, seed)
    bits = bytes(a ^ b for a, b in zip(bytes(upload.masked), stream, strict=True))
    params = session.parameters
    row = rating_code.row(bits, len(session.items), params)
    size = 1 << params.rating_frac_bits
    ratings = [one for one in given["ratings"] if one[0] != upload.user]
    for item, x in row.items():
        stars = decimal_text(params.rating_offset + Fraction(x, size), "rating")
        ratings.append([upload.user, session.items[item], stars])
    return {**given, "ratings": ratings}


def _runs(family: Family) -> None:
    every = [subset for size in (1, 2, 3) for subset in combinations(ROLES, size)]
    singles = [*every[:3], ROLES]
    for kind, shape, subsets, suite in (
        ("lipschitz", (2, 2, 1), every, "paillier-512-insecure"),
        ("binary-count", (2, 3, 1), singles, "paillier-512-insecure"),
        ("no-bias", (3, 2, 2), singles, "paillier-512-insecure"),
        ("inner", (1, 2, 1), singles, "paillier-512-insecure"),
        ("l1", (2, 1, 2), singles, "paillier-512-insecure"),
        ("count", (2, 2, 2), singles, "rlwe-64-insecure"),
        # in ciphertexts of 64: 33 rows in groups of 16, the last of one row; rows of 33 alone
        ("count-many", (33, 3, 2), (("recsys",), ("csp",)), "rlwe-64-insecure"),
        # rows of 65 in two pieces, under four secrets
        ("no-bias-many", (65, 2, 2), (("recsys",), ("csp",)), "rlwe-64-insecure"),
        ("inertia", (2, 2, 2), singles, "rlwe-64-insecure"),
        # each plane of a user's bits ends with a byte
        ("l1-many", (2, 16, 1), singles[:3], "paillier-512-insecure"),
    ):
        given = _given(kind, *shape, suite)
        expect = {"status": "ok", "out": {**output(given), "refused": []}}
        messages = lengths(given)
        for subset in subsets:
            needed = needed_by_roles(subset, suite)
            whole_runs.add(
                family,
                f"{kind}-{'-'.join(subset)}",
                needed,
                f"{', '.join(subset)} under test, a run of {' x '.join(map(str, shape[:2]))}",
                {**given, "roles": list(subset)},
                expect,
                messages,
                flags="positive",
                seed=f"parties/{kind}",
            )
        if kind in _LATE:
            beside = {"needed": before_each(given)}
            for role in ("recsys", "csp"):
                whole_runs.add(
                    family,
                    f"{kind}-late-{role}",
                    f"RUN-008 RUN-009 OTE-013 {OF_ROLE[role]}",
                    f"{role} under test gets each message when nobody can go on without it",
                    {**given, "roles": [role], "delivery": "late"},
                    expect,
                    messages,
                    beside=beside,
                    flags="positive unlucky",
                    seed=f"parties/{kind}",
                )
    _refused_sessions(family)
    _users_without_ratings(family)


_SPOILED: tuple[tuple[str, str, str, str, list[str], str], ...] = (
    ("absent", "drop", "", "", [], "sends no upload"),
    ("refused", "field", "masked", "cut", ["encoding"], "sends an upload that is refused"),
    ("sealed", "field", "sealed", "mirrored", [], "sends a seal that does not open"),
    ("serial", "field", "serial", "7", [], "gave no consent to the serial"),
    ("replaced", "again", "serial", "2", [], "is replaced by an upload without consent"),
    ("older", "extra", "serial", "2", ["state"], "comes after a larger serial without consent"),
)
"""What becomes of the second of three uploads: slug, edit, field, value, refusals, in words."""


def _users_without_ratings(family: Family) -> None:
    """Runs of three users of whom one is absent, refused or not admitted."""
    for slug, edit, field, value, refused, what in _SPOILED:
        given = _given("lipschitz-many", 3, 2, 1, "paillier-512-insecure", least=2)
        link = {"from": "users", "to": "recsys", "number": "1"}
        given["tamper"] = {**link, "edit": edit, "field": field, "value": value}
        others = [one for one in given["ratings"] if one[0] != "2"]
        assert len(others) < len(given["ratings"])
        expect = {
            "status": "ok",
            "out": {**output({**given, "ratings": others}), "refused": refused},
        }
        messages = lengths(given)
        for subset in (("recsys",), ("csp",), ROLES):
            whole_runs.add(
                family,
                f"{slug}-{'-'.join(subset)}",
                "ADM-002 ADM-003 ADM-004 ADM-005 ADM-006 ADM-009 CON-039 UPL-016",
                f"{', '.join(subset)} under test; of three users the second {what}",
                {**given, "roles": list(subset)},
                expect,
                messages,
                flags="positive tampered",
                seed="parties/lipschitz-many",
            )
    swapped = _given("lipschitz-many", 3, 2, 1, "paillier-512-insecure")
    link = {"from": "users", "to": "recsys", "number": "0", "field": "", "value": ""}
    swapped["tamper"] = {**link, "edit": "swap"}
    left = _given("no-bias-many", 5, 3, 1, "rlwe-64-insecure", least=2)
    link = {"from": "users", "to": "recsys", "number": "1", "field": "", "value": ""}
    left["tamper"] = {**link, "edit": "leaves"}
    first = [one for one in left["ratings"] if one[0] in ("1", "2")]
    for slug, what, given, ratings in (
        ("swapped", "the first upload comes after the second", swapped, swapped["ratings"]),
        ("left", "three of five users send no upload", left, first),
    ):
        out = {**output({**given, "ratings": ratings}), "refused": []}
        messages = lengths(given)
        for role in ("recsys", "csp"):
            whole_runs.add(
                family,
                f"{slug}-{role}",
                "ADM-001 ADM-003 ADM-004 ADM-005 ADM-006 ADM-009 CON-036",
                f"{role} under test; {what}",
                {**given, "roles": [role]},
                {"status": "ok", "out": out},
                messages,
                flags="positive tampered",
                seed=given["coins"],
            )
    few = _given("lipschitz-many", 3, 2, 1, "paillier-512-insecure", least=3)
    link = {"from": "users", "to": "recsys", "number": "1", "field": "", "value": ""}
    few["tamper"] = {**link, "edit": "drop"}
    whole_runs.add(
        family,
        "too-few-recsys",
        "ADM-003",
        "recsys under test; of three users, who all have to take part, one is absent",
        {**few, "roles": ["recsys"]},
        {"status": "reject", "class": "peer"},
        {},
        flags="negative",
        seed="parties/lipschitz-many",
    )
    due = lengths({key: value for key, value in few.items() if key != "tamper"})
    sealed = {**link, "edit": "field", "field": "sealed", "value": "mirrored"}
    nobody = {"from": "csp", "to": "recsys", "number": "0"}
    nobody |= {"edit": "field", "field": "admitted", "value": "zero"}
    for role, tamper, what in (
        ("csp", sealed, "all of whom have to take part, the seal of one does not open"),
        ("recsys", nobody, "all of whom have to take part, nobody is admitted"),
    ):
        whole_runs.add(
            family,
            f"too-few-admitted-{role}",
            "ADM-008",
            f"{role} under test; of three users, {what}",
            {**few, "tamper": tamper, "roles": [role]},
            {"status": "reject", "class": "peer"},
            due,
            flags="negative tampered",
            seed="parties/lipschitz-many",
        )


def _refused_sessions(family: Family) -> None:
    given = _given("lipschitz", 2, 2, 1, "paillier-512-insecure")
    session = given["session"]
    for slug, comment, kind, change in (
        ("order", "users out of order", "range", {"users": session["users"][::-1]}),
        ("suite", "no such suite", "parameters", {"suite": "paillier-1"}),
    ):
        for role in ROLES:
            whole_runs.add(
                family,
                f"refused-{slug}-{role}",
                "SES-009 CON-034" if slug == "order" else "AHE-001 CON-034",
                f"{role} under test, a session with {comment}",
                {**given, "session": {**session, **change}, "roles": [role]},
                {"status": "reject", "class": kind},
                {},
                flags="negative",
                seed="parties/lipschitz",
            )


# Receiver, sender, number among the messages of the link, edit, field, value, class of the refusal.
_EDITS: tuple[tuple[str, str, str, str, int, str, str, str, str], ...] = (
    ("cut", "ERR-003 WIR-003", "recsys", "csp", 0, "cut", "", "", "encoding"),
    ("more", "WIR-002 WIR-003", "recsys", "csp", 0, "more", "", "", "encoding"),
    ("session", "ERR-006 WIR-004", "recsys", "csp", 0, "session", "", "", "state"),
    ("epoch", "ERR-006 WIR-004", "recsys", "csp", 0, "epoch", "", "", "state"),
    ("number", "ERR-006 WIR-004", "recsys", "csp", 0, "number", "", "", "state"),
    ("rename", "ERR-006 WIR-004", "recsys", "csp", 0, "rename", "", "", "state"),
    ("lost", "ERR-006 WIR-004", "recsys", "csp", 2, "drop", "", "", "state"),
    ("lost-longer", "WIR-009", "recsys", "csp", 1, "drop", "", "", "encoding"),
    ("repeated", "ERR-006 WIR-004", "recsys", "csp", 0, "repeat", "", "", "state"),
    ("reordered", "ERR-006 WIR-004", "recsys", "csp", 2, "swap", "", "", "state"),
    ("reordered-longer", "WIR-009", "recsys", "csp", 1, "swap", "", "", "encoding"),
    ("gone", "ERR-005", "recsys", "csp", 0, "gone", "", "", "peer"),
    ("suite", "PRD-001", "recsys", "csp", 1, "field", "suite", "paillier-3072", "state"),
    ("product-key-zero", "AHE-004", "recsys", "csp", 1, "field", "product_key", "zero", "range"),
    ("packing", "PRD-003", "recsys", "csp", 6, "field", "packing", "items", "state"),
    ("first-row", "PRD-003", "recsys", "csp", 6, "field", "first", "1", "state"),
    ("rows-cut", "ERR-003", "recsys", "csp", 6, "field", "rows", "cut", "encoding"),
    ("rows-zero", "AHE-005", "recsys", "csp", 6, "field", "rows", "zero", "range"),
    ("rows-ones", "AHE-005", "recsys", "csp", 7, "field", "rows", "ones", "range"),
    ("request-cut", "ERR-003 OTE-009", "recsys", "csp", 2, "field", "points", "cut", "encoding"),
    ("request-zero", "OTE-009", "recsys", "csp", 2, "field", "points", "zero", "range"),
    ("answer-more", "ERR-003 OTE-009", "recsys", "csp", 3, "field", "point", "more", "encoding"),
    ("answer-zero", "OTE-009", "recsys", "csp", 3, "field", "point", "zero", "range"),
    ("cut", "ERR-003 WIR-003", "csp", "recsys", 0, "cut", "", "", "encoding"),
    ("session", "ERR-006 WIR-004", "csp", "recsys", 1, "session", "", "", "state"),
    ("epoch", "ERR-006 WIR-004", "csp", "recsys", 1, "epoch", "", "", "state"),
    ("lost", "ERR-006 WIR-004", "csp", "recsys", 2, "drop", "", "", "state"),
    ("lost-longer", "WIR-009", "csp", "recsys", 1, "drop", "", "", "encoding"),
    ("repeated", "ERR-006 WIR-004", "csp", "recsys", 1, "repeat", "", "", "state"),
    ("reordered", "ERR-006 WIR-004", "csp", "recsys", 2, "swap", "", "", "state"),
    ("reordered-longer", "WIR-009", "csp", "recsys", 1, "swap", "", "", "encoding"),
    ("gone", "ERR-005", "csp", "recsys", 1, "gone", "", "", "peer"),
    ("presence-cut", "ERR-003 ADM-005", "csp", "recsys", 0, "field", "presence", "cut", "encoding"),
    ("presence-ones", "ADM-005", "csp", "recsys", 0, "field", "presence", "ones", "range"),
    ("presence-zero", "ADM-005", "csp", "recsys", 0, "field", "presence", "zero", "state"),
    ("seals-cut", "ERR-003 ADM-005", "csp", "recsys", 0, "field", "seals", "cut", "encoding"),
    ("seals-zero", "ADM-005", "csp", "recsys", 0, "field", "seals", "zero", "range"),
    ("seals-mirrored", "ADM-008", "csp", "recsys", 0, "field", "seals", "mirrored", "peer"),
    ("admitted-cut", "ERR-003 ADM-005", "recsys", "csp", 0, "field", "admitted", "cut", "encoding"),
    ("admitted-ones", "ADM-005", "recsys", "csp", 0, "field", "admitted", "ones", "range"),
    ("admitted-zero", "ADM-008", "recsys", "csp", 0, "field", "admitted", "zero", "peer"),
    ("rows-cut", "ERR-003", "csp", "recsys", 6, "field", "rows", "cut", "encoding"),
    ("request-ones", "OTE-009", "csp", "recsys", 2, "field", "points", "ones", "range"),
    ("answer-cut", "ERR-003 OTE-009", "csp", "recsys", 3, "field", "point", "cut", "encoding"),
    ("gone-users", "ERR-005 CON-036", "recsys", "users", 0, "gone", "", "", "peer"),
    ("leaves", "ERR-005 CON-036", "recsys", "csp", 0, "leaves", "", "", "peer"),
    (
        "suite-and-key",
        "ERR-014 PRD-001",
        "recsys",
        "csp",
        1,
        "field",
        "suite product_key",
        "paillier-3072 cut",
        "state",
    ),
    (
        "packing-and-rows",
        "ERR-014 PRD-003",
        "recsys",
        "csp",
        6,
        "field",
        "packing rows",
        "items cut",
        "state",
    ),
    (
        "first-and-rows",
        "ERR-014 PRD-003",
        "recsys",
        "csp",
        6,
        "field",
        "first rows",
        "1 zero",
        "state",
    ),
    ("rows-short", "ERR-014 ERR-003", "recsys", "csp", 6, "field", "rows", "short", "encoding"),
    ("points-short", "ERR-014 ERR-003", "csp", "recsys", 2, "field", "points", "short", "encoding"),
    ("seals-short", "ERR-014 ERR-003", "csp", "recsys", 0, "field", "seals", "short", "encoding"),
)
_MIRRORED = frozenset(
    (
        *("more", "number", "rename", "suite", "product-key-zero", "packing", "first-row"),
        *("rows-zero", "rows-ones", "request-cut", "request-zero", "request-ones", "answer-more"),
        *("answer-zero", "answer-cut", "suite-and-key", "packing-and-rows", "first-and-rows"),
        "rows-short",
    )
)
"""Edits that each server has to refuse in the same way, whichever of the two it is."""
_CHECKED = (
    ("key-even", "AHE-004", "server-key", "product_key", "zeros-1", "range"),
    ("last-row", "AHE-005", "encrypted-rows", "rows", "ones-128", "range"),
    ("product-zero", "AHE-005", "product-answer", "answer", "zero", "range"),
    ("product-last", "AHE-005", "product-answer", "answer", "ones-128", "range"),
    ("request-last", "OTE-009", "base-request", "points", "ones-33", "range"),
)
"""What only a look at every number finds, in a Paillier suite."""
_LATTICE_CHECKED = (
    ("lattice-key-cut", "RLW-013", "server-key", "product_key", "cut", "encoding"),
    ("lattice-key-more", "RLW-013", "server-key", "product_key", "more", "encoding"),
    ("lattice-key-last", "RLW-013", "server-key", "product_key", "ones-8", "range"),
    ("lattice-rows-cut", "RLW-013", "encrypted-rows", "rows", "cut", "encoding"),
    ("lattice-rows-last", "RLW-013", "encrypted-rows", "rows", "ones-8", "range"),
    ("lattice-rows-ones", "RLW-013", "encrypted-rows", "rows", "ones", "range"),
    ("lattice-product-cut", "RLW-013", "product-answer", "answer", "cut", "encoding"),
    ("lattice-product-more", "RLW-013", "product-answer", "answer", "more", "encoding"),
    ("lattice-product-last", "RLW-013", "product-answer", "answer", "ones-8", "range"),
)
"""The same in a lattice suite: slug, requirement, message, field, value, class of the refusal."""
_BESIDES = (
    ("session", "csp", "recsys", 2, "points", "cut", "session", "state"),
    ("epoch", "csp", "recsys", 2, "points", "zero", "epoch", "state"),
    ("number", "recsys", "csp", 2, "points", "zero", "number", "state"),
    ("form", "recsys", "csp", 2, "points", "zero", "cut", "encoding"),
)
"""A field is changed, and besides the header or the form: slug, receiver, sender, number, field,
value, the other edit, class of the refusal (PPMF-ERR-014)."""
_LATER = (
    ("tables", "garbled-tables", "recsys", "csp", "tables", "cut"),
    ("payload", "transfer-payload", "recsys", "csp", "payload", "cut"),
    ("columns", "transfer-columns", "recsys", "csp", "columns", "cut"),
    ("product", "product-answer", "recsys", "csp", "answer", "cut"),
    ("share", "output-share", "recsys", "csp", "bits", "cut"),
    ("payload", "transfer-payload", "csp", "recsys", "payload", "cut"),
    ("columns", "transfer-columns", "csp", "recsys", "columns", "cut"),
    ("product", "product-answer", "csp", "recsys", "answer", "cut"),
    ("tables", "garbled-tables", "recsys", "csp", "tables", "more"),
    ("share", "output-share", "recsys", "csp", "bits", "more"),
    ("columns", "transfer-columns", "csp", "recsys", "columns", "more"),
    ("product", "product-answer", "csp", "recsys", "answer", "more"),
)
_UPLOADS = (
    ("extra", "masked", "cut", "encoding"),
    ("extra", "sealed", "zero", "range"),
    ("extra", "sealed", "cut", "encoding"),
    ("extra", "masked", "more", "encoding"),
    ("extra", "sealed", "more", "encoding"),
    ("extra", "user", "nobody", "range"),
    ("again", "masked", "mirrored", "state"),
    ("extra", "serial", "0", "range"),
    ("extra", "serial masked", "0 cut", "range"),
    ("extra", "", "cut", "encoding"),
    ("extra", "", "longer", "encoding"),
    ("extra", "", "session", "state"),
    ("extra", "", "epoch", "state"),
    ("extra", "", "number", "state"),
    ("extra", "", "rename", "state"),
    ("extra", "user masked", "nobody cut", "range"),
    ("extra", "masked sealed", "cut zero", "encoding"),
    ("extra", "masked sealed", "ones zero", "range"),
    ("extra", "sealed", "short", "encoding"),
    ("again", "sealed", "cut", "encoding"),
)


def _tampered(family: Family) -> None:
    given = _given("lipschitz", 2, 2, 1, "paillier-512-insecure")
    messages = lengths(given)

    def add(
        slug: str,
        requirements: str,
        comment: str,
        role: str,
        edit: Mapping[str, Any],
        expect: dict[str, Any],
    ) -> None:
        whole_runs.add(
            family,
            slug,
            requirements,
            comment,
            {**given, "roles": [role], "tamper": edit},
            expect,
            messages,
            flags="negative tampered",
            seed="parties/lipschitz",
        )

    both = {(slug, role) for slug, _, role, *_ in _EDITS}
    mirrored = [
        (slug, requirements, sender, role, number, edit, field, value, kind)
        for slug, requirements, role, sender, number, edit, field, value, kind in _EDITS
        if slug in _MIRRORED and (slug, sender) not in both
    ]
    for slug, requirements, role, sender, number, edit, field, value, kind in (*_EDITS, *mirrored):
        change = {
            "from": sender,
            "to": role,
            "number": str(number),
            "edit": edit,
            "field": field,
            "value": value,
        }
        name = messages[f"{sender}>{role}"][number][0]
        add(
            f"{role}-{slug}",
            f"{requirements} ERR-001",
            f"message {number}, {name}: {slug}",
            role,
            change,
            {"status": "reject", "class": kind},
        )
    for slug, role, sender, number, field, value, also, kind in _BESIDES:
        change = {
            "from": sender,
            "to": role,
            "number": str(number),
            "edit": "field",
            "field": field,
            "value": value,
            "also": also,
        }
        add(
            f"{role}-{field}-and-{slug}",
            "ERR-014",
            f"a field is {value}, and besides: {also}",
            role,
            change,
            {"status": "reject", "class": kind},
        )
    for role, sender in (("recsys", "csp"), ("csp", "recsys")):
        change = _first(messages, sender, role, "transfer-payload", "payload", "more")
        add(
            f"{role}-longer-and-session",
            "WIR-009 ERR-014",
            "longer than the message that is due, but not than others of its type; and of another "
            "session",
            role,
            {**change, "also": "session"},
            {"status": "reject", "class": "state"},
        )
    add(
        "recsys-users-leave",
        "CON-036",
        "the users are gone after their last upload: nobody waits for them",
        "recsys",
        {
            "from": "users",
            "to": "recsys",
            "number": "1",
            "edit": "leaves",
            "field": "",
            "value": "",
        },
        {"status": "ok", "out": {**output(given), "refused": []}},
    )
    for slug, name, role, sender, field, value in _LATER:
        names = [found for found, _ in messages[f"{sender}>{role}"]]
        change = {
            "from": sender,
            "to": role,
            "number": str(names.index(name)),
            "edit": "field",
            "field": field,
            "value": value,
        }
        add(
            f"{role}-{slug}-{value}",
            "ERR-003 ERR-007",
            f"{name}: a byte too {'few' if value == 'cut' else 'many'}",
            role,
            change,
            {"status": "reject", "class": "encoding"},
        )
    for slug, requirements, name, field, value, kind in _CHECKED:
        for role, sender in (("recsys", "csp"), ("csp", "recsys")):
            change = _first(messages, sender, role, name, field, value)
            expect = {"status": "reject", "class": kind}
            add(
                f"{role}-{slug}", f"{requirements} ERR-001", f"{name}: {slug}", role, change, expect
            )
    for value in ("zero", "ones", "mirrored"):
        change = {
            "from": "users",
            "to": "recsys",
            "number": "0",
            "edit": "field",
            "field": "masked",
            "value": value,
        }
        out = {**output(misread(given, value)), "refused": []}
        for role in ("recsys", "csp"):
            whole_runs.add(
                family,
                f"{role}-any-bits-{value}",
                "UPL-016 COD-006 CNV-002",
                "a user masks no row: the bits that they send are one all the same",
                {**given, "roles": [role], "tamper": change},
                {"status": "ok", "out": out},
                messages,
                flags="positive tampered",
                seed="parties/lipschitz",
            )
    for edit, field, value, kind in _UPLOADS:
        change = {
            "from": "users",
            "to": "recsys",
            "number": "0",
            "edit": edit,
            "field": field,
            "value": value,
        }
        out = {"status": "ok", "out": {**output(given), "refused": [kind]}}
        add(
            f"recsys-upload-{edit}-{field or 'whole'}-{value}".replace(" ", "-"),
            ("ADM-001 ERR-007 ERR-013" if field else "ERR-007 ERR-008 ERR-013")
            + (" ERR-014" if " " in field or value == "short" else ""),
            f"a bad upload is refused ({kind}), and the run goes on",
            "recsys",
            change,
            out,
        )
    _tampered_lattice(family)


def _first(
    messages: whole_runs.Lengths, sender: str, receiver: str, name: str, field: str, value: str
) -> dict[str, str]:
    """The change of a field of the first message of that name."""
    names = [found for found, _ in messages[f"{sender}>{receiver}"]]
    place = {"from": sender, "to": receiver, "number": str(names.index(name))}
    return {**place, "edit": "field", "field": field, "value": value}


def _tampered_lattice(family: Family) -> None:
    given = _given("count", 2, 2, 1, "rlwe-64-insecure")
    messages = lengths(given)
    for slug, requirements, name, field, value, kind in _LATTICE_CHECKED:
        for role, sender in (("recsys", "csp"), ("csp", "recsys")):
            edit = _first(messages, sender, role, name, field, value)
            whole_runs.add(
                family,
                f"{role}-{slug}",
                f"{requirements} ERR-001",
                f"{name}: {slug}",
                {**given, "roles": [role], "tamper": edit},
                {"status": "reject", "class": kind},
                messages,
                flags="negative tampered",
                seed="parties/count",
            )
