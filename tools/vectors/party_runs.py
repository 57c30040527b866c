# SPDX-License-Identifier: Apache-2.0
"""Vectors of whole runs, by the parties under test and by the edits of messages on their way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from ppmf_conformance.adapters import sessions_and_uploads
from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_conformance.adapters.values import shown
from ppmf_conformance.line_protocol import ROLES
from ppmf_conformance.message_edits import Delivery
from ppmf_conformance.our_parties import OwnParties
from ppmf_secure.protocols.message_plan import MessagePlan
from ppmf_secure.protocols.operations import RunBaseTransfers, RunCircuit, TakeUploads
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec import wire
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import KINDS

_ALL = (
    "RUN-001 RUN-002 RUN-003 RUN-004 WIR-001 WIR-002 WIR-004 WIR-005 WIR-006 WIR-007 WIR-008 "
    "FIX-062"
)
_OF_ROLE = {
    "users": "UPL-001 UPL-002 UPL-003 UPL-004",
    "recsys": (
        "UPL-006 UPL-007 AHE-013 PRD-001 PRD-002 PRD-003 PRD-004 PRD-005 PRD-006 PRD-007 OTE-009 "
        "OTE-010 OTE-011 OTE-012 GCB-005 GCB-006 GCB-008 BIT-002 STP-001 STP-002 STP-003 STP-004 "
        "HST-001 HST-002 HST-003 HST-004 HST-005 OUT-003"
    ),
    "csp": (
        "UPL-008 AHE-013 PRD-001 PRD-002 PRD-003 PRD-004 PRD-005 PRD-006 PRD-007 OTE-001 OTE-009 "
        "OTE-010 OTE-011 OTE-012 GCB-004 GCB-006 GCB-008 GCB-009 BIT-002 STP-001 STP-002 STP-003 "
        "STP-004 HST-001 HST-002 HST-003 HST-004 HST-005 OUT-001 OUT-002"
    ),
}
_LATTICE = (
    "RLW-001 RLW-002 RLW-003 RLW-004 RLW-005 RLW-006 RLW-007 RLW-008 RLW-009 RLW-010 RLW-011 "
    "RLW-012 RLW-014 RLW-015 RLW-016"
)
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


def _given(kind: str, users: int, items: int, iterations: int, suite: str) -> dict[str, Any]:
    draw = LabelledStream(f"parties/{kind}")
    table = {**KINDS[kind.removesuffix(_MANY)], "rank": "1", "iterations": str(iterations)}
    user_ids, item_ids = [str(i + 1) for i in range(users)], [str(j + 1) for j in range(items)]
    found = [
        [user, item, draw.one_of(["0.5", "2", "3.5", "5"])]
        for user in user_ids
        for item in item_ids
        if draw.chance(2, 3)
    ]
    session = {
        "parameters": table,
        "users": user_ids,
        "items": item_ids,
        "suite": suite,
        "nonce": draw.bytes(16).hex(),
    }
    return {"session": session, "ratings": found, "coins": f"parties/{kind}"}


def output(given: dict[str, Any]) -> dict[str, Any]:
    """The output that RecSys must end with: V of F_fix, by the oracle."""
    table = {key: given["session"][key] for key in ("parameters", "users", "items")}
    return dict(OPERATIONS["train.fixed"](shown({**table, "ratings": given["ratings"]})))


def lengths(given: dict[str, Any]) -> dict[str, list[list[str]]]:
    """The name and length of every message of a run, by link, from a run of our own parties."""
    ours, delivery = OwnParties(), Delivery(None)
    handles: dict[str, str] = {}
    done: set[str] = set()
    found: dict[str, list[list[str]]] = defaultdict(list)
    for role in ROLES:
        asked = {
            "role": role,
            "session": given["session"],
            "coins": role,
            "ratings": given["ratings"],
        }
        handles[role] = ours.run("", "party.new", shown(asked)).out["handle"]
    while len(done) < len(ROLES):
        for role in ROLES:
            inbox = [
                {"from": sender, "message": message.hex() if message else None}
                for sender, message in delivery.collect(role)
            ]
            if role in done:
                continue
            answer = ours.run("", "party.step", {"handle": handles[role], "inbox": inbox})
            assert answer.status == "ok", answer.message
            for one in answer.out["outbox"]:
                message = bytes.fromhex(one["message"])
                delivery.put(role, one["to"], message)
                name = wire.decode(message).message.name
                found[f"{role}>{one['to']}"].append([name, str(len(message))])
            if answer.out["done"]:
                done.add(role)
    return dict(found)


def before_each(given: dict[str, Any]) -> dict[str, list[int]]:
    """By link, for each message how many messages its receiver must have sent back before it waits
    for it (PPMF-RUN-008).
    """
    run = sessions_and_uploads.session(given["session"])
    plan = MessagePlan.of(run, cipher_suite(run.suite))
    steps = [(step, due) for step, due in enumerate_steps(plan) if "users" not in due]
    found: dict[str, list[int]] = defaultdict(list)
    for step, (sender, receiver) in steps:
        before = [at for at, route in steps if route == (receiver, sender) and at <= step]
        found[f"{sender}>{receiver}"].append(len(before))
    return dict(found)


def enumerate_steps(plan: MessagePlan) -> Iterator[tuple[tuple[int, int], tuple[str, str]]]:
    """The routes of all messages, each with its place in the order of the run, which messages of
    both directions have in common where neither needs the other.
    """
    for number, operation in enumerate(plan.operations()):
        counts: dict[tuple[str, str, str], int] = defaultdict(int)
        for due in operation.messages():
            route = (str(due.sender), str(due.receiver))
            match operation:
                case RunCircuit():  # all columns stand before all tables
                    step = int(due.kind is wire.GarbledTables)
                case RunBaseTransfers():
                    step = int(due.kind is wire.BaseAnswer)
                case TakeUploads():
                    step = 0
                case _:
                    step = counts[*route, due.kind.name]
                    counts[*route, due.kind.name] += 1
            yield (number, step), route


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
    ):
        given = _given(kind, *shape, suite)
        expect = {"status": "ok", "out": {**output(given), "refused": []}}
        messages = lengths(given)
        for subset in subsets:
            needed = " ".join([_ALL, *(_OF_ROLE[role] for role in subset)])
            if suite.startswith("rlwe") and subset != ("users",):
                needed += f" {_LATTICE}"
            _add(
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
                _add(
                    family,
                    f"{kind}-late-{role}",
                    f"RUN-008 RUN-009 {_OF_ROLE[role]}",
                    f"{role} under test gets each message when nobody can go on without it",
                    {**given, "roles": [role], "delivery": "late"},
                    expect,
                    messages,
                    beside=beside,
                    flags="positive unlucky",
                    seed=f"parties/{kind}",
                )
    _refused_sessions(family)


def _refused_sessions(family: Family) -> None:
    given = _given("lipschitz", 2, 2, 1, "paillier-512-insecure")
    session = given["session"]
    for slug, comment, kind, change in (
        ("order", "users out of order", "range", {"users": session["users"][::-1]}),
        ("suite", "no such suite", "parameters", {"suite": "paillier-1"}),
    ):
        for role in ROLES:
            _add(
                family,
                f"refused-{slug}-{role}",
                "SES-002 CON-034" if slug == "order" else "AHE-001 CON-034",
                f"{role} under test, a session with {comment}",
                {**given, "session": {**session, **change}, "roles": [role]},
                {"status": "reject", "class": kind},
                {},
                flags="negative",
                seed="parties/lipschitz",
            )


def _add(
    family: Family,
    slug: str,
    requirements: str,
    comment: str,
    given: Any,
    expect: Any,
    messages: Any,
    beside: Any = None,
    **more: Any,
) -> None:
    names = " ".join(dict.fromkeys(requirements.split()))
    family.add(
        slug,
        "party.run",
        names,
        comment,
        given,
        expect=expect,
        shows={"messages": messages, **(beside or {})},
        **more,
    )


# Receiver, sender, number among the messages of the link, edit, field, value, class of the refusal.
_EDITS: tuple[tuple[str, str, str, str, int, str, str, str, str], ...] = (
    ("cut", "ERR-003 WIR-003", "recsys", "csp", 0, "cut", "", "", "encoding"),
    ("more", "WIR-002 WIR-003", "recsys", "csp", 0, "more", "", "", "encoding"),
    ("session", "ERR-006 WIR-004", "recsys", "csp", 0, "session", "", "", "state"),
    ("epoch", "ERR-006 WIR-004", "recsys", "csp", 0, "epoch", "", "", "state"),
    ("number", "ERR-006 WIR-004", "recsys", "csp", 0, "number", "", "", "state"),
    ("rename", "ERR-006 WIR-004", "recsys", "csp", 0, "rename", "", "", "state"),
    ("lost", "ERR-006 WIR-004", "recsys", "csp", 3, "drop", "", "", "state"),
    ("lost-longer", "WIR-009", "recsys", "csp", 0, "drop", "", "", "encoding"),
    ("repeated", "ERR-006 WIR-004", "recsys", "csp", 0, "repeat", "", "", "state"),
    ("reordered", "ERR-006 WIR-004", "recsys", "csp", 3, "swap", "", "", "state"),
    ("reordered-longer", "WIR-009", "recsys", "csp", 0, "swap", "", "", "encoding"),
    ("gone", "ERR-005", "recsys", "csp", 0, "gone", "", "", "peer"),
    ("suite", "PRD-001", "recsys", "csp", 0, "field", "suite", "paillier-3072", "state"),
    ("product-key-zero", "AHE-004", "recsys", "csp", 0, "field", "product_key", "zero", "range"),
    ("packing", "PRD-003", "recsys", "csp", 1, "field", "packing", "items", "state"),
    ("first-row", "PRD-003", "recsys", "csp", 1, "field", "first", "1", "state"),
    ("rows-cut", "ERR-003", "recsys", "csp", 1, "field", "rows", "cut", "encoding"),
    ("rows-zero", "AHE-005", "recsys", "csp", 1, "field", "rows", "zero", "range"),
    ("rows-ones", "AHE-005", "recsys", "csp", 2, "field", "rows", "ones", "range"),
    ("request-cut", "ERR-003 OTE-009", "recsys", "csp", 3, "field", "points", "cut", "encoding"),
    ("request-zero", "OTE-009", "recsys", "csp", 3, "field", "points", "zero", "range"),
    ("answer-more", "ERR-003 OTE-009", "recsys", "csp", 4, "field", "point", "more", "encoding"),
    ("answer-zero", "OTE-009", "recsys", "csp", 4, "field", "point", "zero", "range"),
    ("cut", "ERR-003 WIR-003", "csp", "recsys", 0, "cut", "", "", "encoding"),
    ("session", "ERR-006 WIR-004", "csp", "recsys", 1, "session", "", "", "state"),
    ("epoch", "ERR-006 WIR-004", "csp", "recsys", 1, "epoch", "", "", "state"),
    ("lost", "ERR-006 WIR-004", "csp", "recsys", 4, "drop", "", "", "state"),
    ("lost-longer", "WIR-009", "csp", "recsys", 1, "drop", "", "", "encoding"),
    ("repeated", "ERR-006 WIR-004", "csp", "recsys", 1, "repeat", "", "", "state"),
    ("reordered", "ERR-006 WIR-004", "csp", "recsys", 4, "swap", "", "", "state"),
    ("reordered-longer", "WIR-009", "csp", "recsys", 1, "swap", "", "", "encoding"),
    ("gone", "ERR-005", "csp", "recsys", 1, "gone", "", "", "peer"),
    ("seeds-cut", "ERR-003", "csp", "recsys", 0, "field", "sealed", "cut", "encoding"),
    ("seeds-zero", "UPL-008", "csp", "recsys", 0, "field", "sealed", "zero", "range"),
    ("seeds-altered", "UPL-008", "csp", "recsys", 0, "field", "sealed", "mirrored", "state"),
    ("rows-cut", "ERR-003", "csp", "recsys", 2, "field", "rows", "cut", "encoding"),
    ("request-ones", "OTE-009", "csp", "recsys", 4, "field", "points", "ones", "range"),
    ("answer-cut", "ERR-003 OTE-009", "csp", "recsys", 5, "field", "point", "cut", "encoding"),
    ("cut", "WIR-003", "users", "csp", 0, "cut", "", "", "encoding"),
    ("session", "ERR-006", "users", "csp", 0, "session", "", "", "state"),
    ("rename", "ERR-006", "users", "csp", 0, "rename", "", "", "state"),
    ("key-more", "UPL-009", "users", "csp", 0, "field", "key", "more", "encoding"),
    ("key-zero", "UPL-009", "users", "csp", 0, "field", "key", "zero", "range"),
    ("gone", "ERR-005 CON-036", "users", "csp", 0, "gone", "", "", "peer"),
    ("gone-users", "ERR-005 CON-036", "recsys", "users", 0, "gone", "", "", "peer"),
    ("leaves", "ERR-005 CON-036", "recsys", "csp", 0, "leaves", "", "", "peer"),
    (
        "suite-and-key",
        "ERR-014 PRD-001",
        "recsys",
        "csp",
        0,
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
        1,
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
        1,
        "field",
        "first rows",
        "1 zero",
        "state",
    ),
    ("rows-short", "ERR-014 ERR-003", "recsys", "csp", 1, "field", "rows", "short", "encoding"),
    ("points-short", "ERR-014 ERR-003", "csp", "recsys", 4, "field", "points", "short", "encoding"),
    ("seeds-short", "ERR-014 ERR-003", "csp", "recsys", 0, "field", "sealed", "short", "encoding"),
)
_BESIDES = (
    ("session", "csp", "recsys", 4, "points", "cut", "session", "state"),
    ("epoch", "csp", "recsys", 4, "points", "zero", "epoch", "state"),
    ("number", "recsys", "csp", 3, "points", "zero", "number", "state"),
    ("form", "recsys", "csp", 3, "points", "zero", "cut", "encoding"),
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
        edit: dict[str, str],
        expect: dict[str, Any],
    ) -> None:
        _add(
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

    for slug, requirements, role, sender, number, edit, field, value, kind in _EDITS:
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
    for edit, field, value, kind in _UPLOADS:
        change = {
            "from": "users",
            "to": "recsys",
            "number": "0",
            "edit": edit,
            "field": field,
            "value": value,
        }
        expect = {"status": "ok", "out": {**output(given), "refused": [kind]}}
        add(
            f"recsys-upload-{edit}-{field or 'whole'}-{value}".replace(" ", "-"),
            ("UPL-006 ERR-007 ERR-013" if field else "ERR-007 ERR-008 ERR-013")
            + (" ERR-014" if " " in field or value == "short" else ""),
            f"a bad upload is refused ({kind}), and the run goes on",
            "recsys",
            change,
            expect,
        )
