# SPDX-License-Identifier: Apache-2.0
"""Write the worked transcript: `python -m tools.worked_transcript FOLDER`.

The run is that of the page "A worked example", by our own parties, with coins from a label. What
they draw is read by name (`adapters.named_draws`), so that the file says what each secret is.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
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
from ppmf_reference import ratings_from
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import consent, keystream, user_rows
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import agree
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

LABEL = "worked-transcript"
SUITE = "rlwe-64-insecure"
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
                role: list(named_draws.drawn(role, session, ToldCoins([bytes(coins[role].drawn)])))
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
    return {
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


def write(folder: Path) -> None:
    """Write the transcript into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / transcripts.NAME).write_bytes(text(transcript()))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
