# SPDX-License-Identifier: Apache-2.0
"""What the vectors of whole runs have in common: their inputs, outputs and messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ppmf_conformance.adapters import sessions_and_uploads
from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_conformance.adapters.values import shown
from ppmf_conformance.line_protocol import ROLES
from ppmf_conformance.message_edits import Delivery, lost
from ppmf_conformance.our_parties import OwnParties
from ppmf_conformance.party_runs import RESUMED
from ppmf_secure.protocols.message_plan import MessagePlan
from ppmf_secure.protocols.operations import (
    ConvertBits,
    RunBaseTransfers,
    RunCircuit,
    TakeUploads,
)
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec import wire
from ppmf_spec.roles import Role
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.sessions_and_uploads import keys_of_servers, sealing_secret

ALL = (
    "RUN-001 RUN-002 RUN-010 RUN-011 WIR-001 WIR-002 WIR-004 WIR-005 WIR-006 WIR-007 WIR-008 "
    "FIX-062"
)
OF_ROLE = {
    "users": "COD-003 COD-005 UPL-010 UPL-011 UPL-012 UPL-013 UPL-015",
    "recsys": (
        "ADM-001 ADM-003 ADM-004 AHE-013 PRD-001 PRD-002 PRD-003 PRD-004 PRD-005 PRD-006 PRD-007 "
        "OTE-009 OTE-010 OTE-011 OTE-012 GCB-005 GCB-006 GCB-008 BIT-002 STP-001 STP-002 STP-003 "
        "STP-004 HST-001 HST-002 HST-003 HST-004 HST-005 OUT-003"
    ),
    "csp": (
        "ADM-005 ADM-006 AHE-013 PRD-001 PRD-002 PRD-003 PRD-004 PRD-005 PRD-006 PRD-007 "
        "OTE-001 OTE-009 OTE-010 OTE-011 OTE-012 GCB-004 GCB-006 GCB-008 GCB-009 BIT-002 STP-001 "
        "STP-002 STP-003 STP-004 HST-001 HST-002 HST-003 HST-004 HST-005 OUT-001 OUT-002"
    ),
}
LATTICE = (
    "RLW-001 RLW-002 RLW-003 RLW-004 RLW-005 RLW-006 RLW-007 RLW-008 RLW-009 RLW-010 RLW-011 "
    "RLW-012 RLW-014 RLW-015 RLW-016"
)

Rated = Callable[[LabelledStream, list[str], list[str]], list[list[str]]]
"""What draws the ratings of a run, from its stream, its users and its items."""


def each_pair(rate: Callable[[LabelledStream], str]) -> Rated:
    """The ratings of two thirds of all pairs, which `rate` draws as text."""

    def rated(draw: LabelledStream, users: list[str], items: list[str]) -> list[list[str]]:
        return [[user, item, rate(draw)] for user in users for item in items if draw.chance(2, 3)]

    return rated


def given_of(
    label: str,
    table: Mapping[str, Any],
    shape: tuple[int, int],
    suite: str,
    rated: Rated,
    least: int | None = None,
) -> dict[str, Any]:
    """The input of a run of users times items, drawn from the label, without the roles.

    least: how many users have to take part, by default all.
    """
    draw = LabelledStream(label)
    users, items = shape
    user_ids, item_ids = [str(i + 1) for i in range(users)], [str(j + 1) for j in range(items)]
    found = rated(draw, user_ids, item_ids)
    session = {
        "parameters": dict(table),
        "users": user_ids,
        "items": item_ids,
        "suite": suite,
        "least": str(users if least is None else least),
        "closes": "0",
        "expires": "0",
        "addresses": [],
        "trial": True,
        **keys_of_servers(label),
    }
    secret = sealing_secret(label).hex()
    keys = [draw.bytes(32).hex() for _ in user_ids]
    return {
        "session": session,
        "sealing_secret": secret,
        "consent_keys": keys,
        "ratings": found,
        "coins": label,
    }


def output(given: dict[str, Any]) -> dict[str, Any]:
    """The output that RecSys must end with: V of F_fix, by the oracle."""
    table = {key: given["session"][key] for key in ("parameters", "users", "items")}
    return dict(OPERATIONS["train.fixed"](shown({**table, "ratings": given["ratings"]})))


Lengths = dict[str, list[list[str]]]
"""The name and length of every message, by link."""


def lengths(given: dict[str, Any]) -> Lengths:
    """The lengths of the last epoch of a run, from a run of our own parties."""
    ours = OwnParties()
    handles: dict[str, str] = {}
    for role in ROLES:
        names = ("session", "ratings", "sealing_secret", "consent_keys")
        asked = {"role": role, "coins": role, **{name: given[name] for name in names}}
        handles[role] = ours.run("", "party.new", shown(asked)).out["handle"]
    tamper = given.get("tamper")
    interrupts = given.get("interrupts", [])
    for epoch, stop in enumerate(interrupts):
        _epoch(ours, handles, Delivery(None), stop)
        handles.pop("users", None)
        for role, handle in handles.items():
            asked = {"handle": handle, "coins": f"{role}/{epoch}"}
            handles[role] = ours.run("", "party.resume", asked).out["handle"]
    here = tamper is not None and int(tamper.get("epoch", "0")) == len(interrupts)
    return _epoch(ours, handles, Delivery(tamper if here else None), None)


def lengths_by_epoch(given: dict[str, Any]) -> list[Lengths]:
    """The lengths of each epoch of a run, those of an interrupted one as if it went on."""
    interrupts = given["interrupts"]
    return [
        lengths({**given, "interrupts": interrupts[:epoch]}) for epoch in range(len(interrupts) + 1)
    ]


def _epoch(
    ours: OwnParties, handles: dict[str, str], delivery: Delivery, stop: Mapping[str, str] | None
) -> Lengths:
    """The lengths of one epoch, to its end or as far as it goes without the message `stop`."""
    done: set[str] = set()
    found: dict[str, list[list[str]]] = defaultdict(list)
    started: set[str] = set()
    moved = True
    while len(done) < len(handles) and moved:
        moved = False
        for role, handle in handles.items():
            inbox = [
                {"from": sender, "message": message.hex() if message else None}
                for sender, message in delivery.collect(role)
            ]
            if role in done or (role in started and not inbox):
                continue
            moved = True
            started.add(role)
            answer = ours.run("", "party.step", {"handle": handle, "inbox": inbox})
            assert answer.status == "ok", answer.message
            for one in answer.out["outbox"]:
                message = bytes.fromhex(one["message"])
                link = f"{role}>{one['to']}"
                number = len(found[link])
                found[link].append([wire.decode(message).message.name, str(len(message))])
                if not stop or not lost(stop, role, one["to"], number):
                    delivery.put(role, one["to"], message)
            if answer.out["done"]:
                done.add(role)
                if role == "users":
                    delivery.leave(role, "recsys")
    assert stop or len(done) == len(handles), "nobody sends what the others wait for"
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
                case RunBaseTransfers():  # none of the four waits for another (PPMF-OTE-013)
                    step = 0
                case TakeUploads():
                    step = int(due.kind is wire.Admission)
                case ConvertBits():  # one chunk: RecSys' columns, CSP's answer, RecSys' payload
                    by_recsys = due.sender is Role.RECSYS
                    step = 1 if not by_recsys else 2 * int(due.kind is wire.TransferPayload)
                case _:
                    step = counts[*route, due.kind.name]
                    counts[*route, due.kind.name] += 1
            yield (number, step), route


def needed_by_roles(roles: tuple[str, ...], suite: str) -> str:
    """The requirements that a run shows whose parties under test have these roles."""
    needed = " ".join([ALL, *(OF_ROLE[role] for role in roles)])
    return f"{needed} {LATTICE}" if suite.startswith("rlwe") and roles != ("users",) else needed


def add(
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
    """Add a run, whose messages are among its steps, to the family."""
    names = " ".join(dict.fromkeys(requirements.split()))
    family.add(
        slug,
        "party.run",
        names,
        comment,
        given,
        expect=expect,
        shows={"messages": messages, **(beside or {})},
        needs=[RESUMED] if "interrupts" in given else (),
        **more,
    )
