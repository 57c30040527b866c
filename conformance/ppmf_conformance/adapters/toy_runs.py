# SPDX-License-Identifier: Apache-2.0
"""A case of `party.run` from any parameters and ratings: a session of a trial whose keys all follow
from a label, the messages that are due, and V.

The messages are those of the message plan and V is the oracle's. Nothing is played here.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ppmf_conformance.adapters.oracle import output_shown
from ppmf_conformance.adapters.values import shown
from ppmf_reference import fixed
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.message_plan import MessagePlan
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import agree
from ppmf_spec.decimals import decimal_text
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

SUITES = ("paillier-512-insecure", "rlwe-64-insecure")
"""The cipher suites of toy runs, whose keys protect nothing."""

IN_A_TURN = 5
"""The operations whose messages a server may send before it waits: the tables of an update, the
columns and corrections of its words, and the products that follow."""


@dataclass(frozen=True, slots=True)
class ToyRun:
    """A run as a case has it.

    given: its `in`, but for `roles`. messages: by link the name and length of each (PPMF-CON-032).
    output: V as `train.fixed` answers it. longest: about how many bytes a server sends at once.
    """

    given: dict[str, Any]
    messages: dict[str, list[list[str]]]
    output: dict[str, Any]
    longest: int


def toy_run(params: Parameters, ratings: Ratings, suite: str, label: str) -> ToyRun:
    """The run of these ratings, whose session and coins follow from a label.

    Raises ParametersError where parameters, sizes and suite do not fit each other.
    """
    coins = [Coins.seeded(f"{label}/agreement/{server}") for server in ("recsys", "csp")]
    lists = ratings.users, ratings.items
    agreed = agree(params, *lists, suite, recsys=coins[0], csp=coins[1], trial=True)
    given = {
        "session": session_shown(agreed.session),
        "sealing_secret": agreed.sealing.secret_bytes(),
        "consent_keys": [agreed.consent_keys[user] for user in ratings.users],
        "ratings": ratings_shown(params, ratings),
        "coins": label,
    }
    found = output_shown(fixed.train(ratings, params))
    session = agreed.session
    return ToyRun(shown(given), messages(session), found, most_in_a_turn(session))


def session_shown(session: Session) -> dict[str, Any]:
    """A session with the members of `session.id`."""
    proposal, acceptance = session.proposal, session.acceptance
    return {
        "parameters": parameters_shown(session.parameters),
        "users": list(session.users),
        "items": list(session.items),
        "suite": session.suite,
        "least": session.least,
        "closes": session.closes,
        "expires": proposal.expires,
        "addresses": list(proposal.addresses),
        "trial": proposal.trial,
        "recsys_key": proposal.signing_key,
        "recsys_nonce": proposal.nonce,
        "csp_key": acceptance.signing_key,
        "csp_nonce": acceptance.nonce,
        "sealing_key": acceptance.sealing_key,
    }


def parameters_shown(params: Parameters) -> dict[str, Any]:
    """The parameters that differ from their defaults."""
    default = Parameters().as_dict()
    return {name: value for name, value in params.as_dict().items() if value != default[name]}


def ratings_shown(params: Parameters, ratings: Ratings) -> list[list[str]]:
    """The ratings as users' and items' ids with plain decimals."""
    size = 1 << params.rating_frac_bits
    return [
        [
            ratings.users[user],
            ratings.items[item],
            decimal_text(params.rating_offset + Fraction(int(x), size), "rating"),
        ]
        for user, item, x in zip(ratings.user, ratings.item, ratings.value, strict=True)
    ]


def messages(session: Session) -> dict[str, list[list[str]]]:
    """The name and length of every message of a run's first epoch, by link."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    for due in MessagePlan.of(session, cipher_suite(session.suite)).messages():
        link = found[f"{due.sender}>{due.receiver}"]
        # each user is a sender of their own, and sends one message
        number = 0 if due.sender == "users" else len(link)
        link.append([due.kind.name, str(due.encoded(0, number))])
    return dict(found)


def most_in_a_turn(session: Session) -> int:
    """The most bytes, more or less, that a server sends before it waits, which are one answer of
    its adapter: those of some operations in a row.
    """
    by_operation: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=IN_A_TURN))
    most = 0
    for operation in MessagePlan.of(session, cipher_suite(session.suite)).operations():
        sent: Counter[str] = Counter()
        for due in operation.messages():
            sent[due.sender] += due.encoded(0, 0)
        for server in ("recsys", "csp"):
            by_operation[server].append(sent[server])
            most = max(most, sum(by_operation[server]))
    return most
