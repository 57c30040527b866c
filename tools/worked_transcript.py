# SPDX-License-Identifier: Apache-2.0
"""Write the worked transcript and what goes with it: `python -m tools.worked_transcript FOLDER`.

The run is that of the page "A worked example", by our own parties, with coins from a label. What
they draw is read by name (`adapters.named_draws`), so that the file says what each secret is.
"""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ppmf_conformance import json_text
from ppmf_conformance.adapters import named_draws, sessions_and_uploads, toy_runs, transcripts
from ppmf_conformance.adapters.lattice_blocks import ToldCoins
from ppmf_conformance.adapters.stages import stages
from ppmf_conformance.adapters.transcripts import PlayedParty
from ppmf_conformance.adapters.values import shown
from ppmf_conformance.cases import DIGESTS
from ppmf_reference import ratings_from
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.base_transfers import fresh_secret
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.message_plan import MessagePlan
from ppmf_secure.protocols.operations import (
    ConvertBits,
    GiveEncryptedRows,
    GiveServerKeys,
    MultiplyBits,
    MultiplyRatings,
    OpenOutput,
    Operation,
    RunBaseTransfers,
    RunCircuit,
    ShareOutputs,
    TakeUploads,
)
from ppmf_secure.protocols.upload import consent, keystream, user_rows
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import agree
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tools.vectors import netlists

LABEL = "worked-transcript"
SUITE = "rlwe-64-insecure"
MESSAGES = "messages.json"
PARAMETERS = Parameters(
    rank=2,
    iterations=2,
    inner_steps=1,
    curvature_shift=0,
    ridge=Fraction("0.5"),
    l1=Fraction("0.125"),
    damping=1,
    box_bits=0,
    seed="example",
)
STARS = [[5, 4.5, None], [4, None, 1.5], [None, 2, 3.5]]
"""The ratings of the page "A worked example"."""


class NotedCoins(Coins):
    """Coins that note what is drawn from them."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.drawn = bytearray()

    def draw(self, count: int) -> NDArray[Any]:
        """Uniform bytes, noted."""
        found = super().draw(count)
        self.drawn += found.tobytes()
        return found

    def again(self) -> ToldCoins:
        """Coins that give the same bytes once more."""
        return ToldCoins([bytes(self.drawn)])


def ratings() -> Ratings:
    """The ratings of the run."""
    return ratings_from(
        [[float("nan") if one is None else one for one in row] for row in STARS],
        PARAMETERS,
        users=("ann", "bob", "cyd"),
        items=("alien", "brazil", "casablanca"),
    )


def transcript() -> dict[str, Any]:
    """The whole transcript, as its file has it."""
    run = toy_runs.toy_run(PARAMETERS, ratings(), SUITE, LABEL)
    session = sessions_and_uploads.session(run.given["session"])
    coins = {role: NotedCoins.seeded(f"{LABEL}/{role}") for role in transcripts.PARTIES}
    keys = dict(zip(session.users, map(bytes.fromhex, run.given["consent_keys"]), strict=True))
    program = users(session, user_rows(ratings()), keys, coins[USERS])
    parties = {
        USERS: PlayedParty(USERS, session, program),
        RECSYS: transcripts.server(RECSYS, session, coins[RECSYS], run.given),
        CSP: transcripts.server(CSP, session, coins[CSP], run.given),
    }
    messages, shares = _played(parties)
    if parties[RECSYS].output != run.output:
        raise AssertionError("the run did not give F_fix")
    found = {
        "format": transcripts.FORMAT,
        "about": "One toy run with all its secrets. Its keys protect nothing, and must serve "
        "nothing else.",
        "session": run.given["session"],
        "session_id": session.id,
        "ratings": run.given["ratings"],
        **_of_the_agreement(session),
        "consent_keys": run.given["consent_keys"],
        "draws": {
            "users": list(_of_the_users(session, keys, bytes(coins[USERS].drawn))),
            **{
                str(role): list(named_draws.drawn(role, session, coins[role].again()))
                for role in (RECSYS, CSP)
            },
        },
        "stages": list(_stages(run.given, shares)),
        "messages": messages,
        "output": run.output,
    }
    table: dict[str, Any] = shown(found)
    return table


def _of_the_agreement(session: Session) -> dict[str, Any]:
    """The private keys behind the session, and its signatures."""
    # as `toy_runs.toy_run` draws them
    recsys, csp = (Coins.seeded(f"{LABEL}/agreement/{one}") for one in ("recsys", "csp"))
    lists = session.users, session.items
    agreed = agree(session.parameters, *lists, session.suite, recsys=recsys, csp=csp, trial=True)
    assert agreed.session == session, "another session"
    keys = (
        fresh_secret(Coins.seeded(f"{LABEL}/agreement/{one}")).private_numbers().private_value
        for one in ("recsys", "csp")
    )
    recsys_secret, csp_secret = (key.to_bytes(32, "big") for key in keys)
    return {
        "recsys_secret": recsys_secret,
        "csp_secret": csp_secret,
        "sealing_secret": agreed.sealing.secret_bytes(),
        "by_recsys": agreed.signed.by_recsys,
        "by_csp": agreed.signed.by_csp,
    }


def _of_the_users(
    session: Session, keys: Mapping[str, bytes], drawn: bytes
) -> Iterator[dict[str, Any]]:
    """By user the seed of the mask and the material of the seal, and what follows from them."""
    for number, user in enumerate(session.users):
        own = Coins(drawn[32 * number : 32 * number + 32])
        seed, material = own.bytes(32), own.bytes(32)
        yield {
            "user": user,
            "seed": seed,
            "material": material,
            "mask": keystream(session, user, seed),
            "consent": consent(keys[user], session, user, 1),
        }


def _played(
    parties: Mapping[Role, PlayedParty],
) -> tuple[list[dict[str, Any]], dict[Role, list[dict[str, Any]]]]:
    """All messages in the order in which they are sent, and what each server showed."""
    messages: list[dict[str, Any]] = []
    shares: dict[Role, list[dict[str, Any]]] = defaultdict(list)
    while not all(party.done for party in parties.values()):
        for role, party in parties.items():
            if party.done:
                continue
            for to, data, phase in party.turn():
                messages.append(
                    {
                        "from": role,
                        "to": to,
                        "name": wire.decode(data).message.name,
                        "phase": phase.name,
                        "half_step": phase.done,
                        "length": len(data),
                        "bytes": data,
                    }
                )
                parties[to].ends.take(role, data)
            shares[role] += party.shown()
    return messages, shares


def _stages(
    given: Mapping[str, Any], shares: Mapping[Role, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """Every stage with both shares and the secret that they make, in the order of F_fix."""
    by_server = {
        role: {(one["stage"], tuple(one["at"])): one["shares"] for one in shares[role]}
        for role in (RECSYS, CSP)
    }
    for stage in stages(given):
        key = stage.name, stage.at
        both = {str(role): by_server[role][key] for role in (RECSYS, CSP)}
        yield {"stage": stage.name, "at": list(stage.at), **both, "value": stage.due}


def message_sequence(session: Session) -> dict[str, Any]:
    """Every message that the message plan has for the run, with its lengths, as its file has it."""
    found: list[dict[str, Any]] = []
    sent: dict[tuple[Role, Role], int] = defaultdict(int)
    half_step, phase = -1, ""
    for operation in MessagePlan.of(session, cipher_suite(session.suite)).operations():
        if operation.phase == "products" != phase:
            half_step += 1
        phase = operation.phase
        section, sizes = _described(operation)
        for due in operation.messages():
            way = due.sender, due.receiver
            number = 0 if due.sender is USERS else sent[way]
            sent[way] += 1
            names = (one.name for one in fields(due.kind))
            of_type = zip(names, wire.FIELD_TYPES[due.kind.name], due.sizes, strict=True)
            found.append(
                {
                    "section": section,
                    "sizes": sizes,
                    "phase": phase,
                    "half_step": half_step if phase not in ("upload", "set-up", "output") else None,
                    "from": due.sender,
                    "to": due.receiver,
                    "number": number,
                    "name": due.kind.name,
                    "fields": {name: size for name, kind, size in of_type if kind is not int},
                    "length": due.encoded(0, number),
                }
            )
    table: dict[str, Any] = shown(
        {
            "format": "ppmf-message-sequence/1",
            "about": "Every message of the run of transcript.json, from the message plan alone.",
            "session_id": session.id,
            "messages": found,
        }
    )
    return table


def _described(operation: Operation) -> tuple[str, dict[str, int | str]]:
    """The section of chapter 4 that an operation follows, and the public sizes that it has."""
    match operation:
        case TakeUploads(size=size, code=code):
            return "The upload", {"users": size.users, "items": size.items, "planes": 1 + code.bits}
        case GiveServerKeys():
            return "The product with the ratings", {}
        case RunBaseTransfers():
            return "Base transfers", {"transfers": 128}
        case ConvertBits(entries=entries, planes=planes):
            return "From bits to shares", {"entries": entries, "planes": planes}
        case GiveEncryptedRows(orientation=orientation):
            layout = orientation.layout
            return "The product with the ratings", {
                "packing": orientation.packing,
                "rows": layout.rows,
                "columns": sum(layout.blocks),
            }
        case RunCircuit(circuit=circuit, elements=elements):
            return "Garbled circuits", {
                "elements": elements,
                "input_bits": operation.input_bits,
                "and_gates": circuit.and_count,
            }
        case ShareOutputs(bits=bits):
            return "Garbled circuits", {"bits": bits}
        case MultiplyBits(elements=elements, length=length, width=width):
            return "Bit times vector", {"elements": elements, "length": length, "bits": width}
        case MultiplyRatings():
            return "The product with the ratings", {}
        case OpenOutput(bits=bits):
            return "Output", {"bits": bits}
    raise ValueError(f"{type(operation).__name__}: no operation of a first epoch")


def text(table: Mapping[str, Any]) -> bytes:
    """The file: a line for each draw, stage and message, so that it can be read and compared."""
    parts = []
    for name, value in table.items():
        if name == "draws":
            parties = ",\n".join(
                f'  "{role}": {_lines(entries, 3)}' for role, entries in value.items()
            )
            parts.append(f' "draws": {{\n{parties}\n }}')
        elif name in ("stages", "messages"):
            parts.append(f' "{name}": {_lines(value, 2)}')
        else:
            parts.append(f' "{name}": {json_text.line(value)}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _lines(entries: list[Any], indent: int) -> str:
    blank = " " * indent
    inside = ",\n".join(f"{blank}{json_text.line(entry)}" for entry in entries)
    return f"[\n{inside}\n{blank[:-1]}]"


def files() -> dict[str, bytes]:
    """The files of the folder by name, the list of their digests last."""
    table = transcript()
    session = sessions_and_uploads.session(table["session"])
    found = {
        transcripts.NAME: text(table),
        MESSAGES: text(message_sequence(session)),
        **netlists.files(),
    }
    sums = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in found.items())
    return {**found, DIGESTS: "".join(sums).encode()}


def write(folder: Path) -> None:
    """Write the files, and remove what is made no more."""
    folder.mkdir(exist_ok=True)
    made = files()
    for old in folder.iterdir():
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
