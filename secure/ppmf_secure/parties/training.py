# SPDX-License-Identifier: GPL-3.0-or-later
"""The training both servers run, each from its own shares: keys, set-up, half-steps.

RecSys and CSP follow the same program; they differ in who garbles (CSP), in how they came by their
shares of the ratings (recsys.py, csp.py), and in the last message. (PROTOCOL.md, section 5.) Its
order is that of the messages, and nothing in it but public sizes decides what is sent
(PPMF-RUN-003, -004).
"""

from __future__ import annotations

import hashlib
from functools import partial

import numpy as np

from ppmf_secure.effects import CSP, RECSYS, Keep, Phase, Program, Send, receive
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.shares import Words
from ppmf_secure.protocols.half_step import inner_step, shared_side
from ppmf_secure.protocols.ratings_product import Orientation, set_up
from ppmf_secure.protocols.server_state import RowSums, Server, Side, Steps
from ppmf_secure.protocols.step_sizes import count_steps, lipschitz_steps
from ppmf_secure.protocols.sub_problem import column_uses, problem
from ppmf_secure.protocols.transfers import Site, open_pair, share_words
from ppmf_secure.session.checkpoint import (
    Checkpoint,
    Kept,
    RatingShares,
    SavedSide,
    agree,
    lineage,
    read_checkpoint,
    write_checkpoint,
)
from ppmf_secure.session.cipher_suites import SuiteChoice
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import StateError
from ppmf_spec.parameters import Parameters

SIDES = ("users", "items")


def train(
    me: str,
    session: Session,
    suite: SuiteChoice,
    transfer_key: SecretKey,
    ratings: RatingShares,
    coins: Coins,
    *,
    epoch: int = 0,
    kept: Kept | None = None,
) -> Program[Words]:
    """The whole run of server `me`; returns the labels of V's words, (word_bits, D m, 2).

    They are of value 0 at CSP and active at RecSys; nothing has been opened. `kept` is what an
    earlier epoch left behind: the run goes on from the last iteration both servers hold
    (PPMF-RUN-001, -002, PPMF-FIX-026, -035, -040, -043, -062, PPMF-RES-001, -002, -005).
    """
    found: Checkpoint | None = None
    if kept is not None:
        found = yield from agree(me, [read_checkpoint(session, data) for data in kept.checkpoints])
    done = 0 if found is None else found.iteration
    yield Phase("set-up", 2 * done, session.half_steps)
    server = yield from _set_up(me, session, suite, transfer_key, ratings, coins, epoch)
    params = session.parameters
    sides = _start(server) if found is None else (yield from _restore(server, found))
    made_once = yield from _steps_from_counts(server)
    for half_step in range(2 * done, session.half_steps):
        updated, fixed = SIDES[half_step % 2], SIDES[1 - half_step % 2]
        last = half_step == session.half_steps - 1
        yield Phase("products", half_step, session.half_steps)
        here = yield from problem(server, sides[fixed], updated, Site("products", (half_step,)))
        yield Phase("steps", half_step, session.half_steps)
        factor_steps, bias_steps = made_once[updated]
        if factor_steps is None:
            site = Site("steps", (half_step,))
            factor_steps = yield from lipschitz_steps(server, here.squares, sides[fixed].rows, site)
        yield Phase("updates", half_step, session.half_steps)
        for inner in range(params.inner_steps):
            site = Site("update", (half_step, inner))
            labels = yield from inner_step(
                server, sides[updated], here, factor_steps, bias_steps, site
            )
            if last and inner == params.inner_steps - 1:
                return labels
            sides[updated] = yield from shared_side(
                server, updated, sides[updated].rows, labels, site
            )
        if updated == "items":
            iteration = half_step // 2 + 1
            yield Keep("model", iteration, partial(_save, server, iteration, dict(sides)))
    raise AssertionError("a run has at least one iteration")


def public_start(params: Parameters, users: int, items: int) -> tuple[Words, Words]:
    """The start both servers know: (D, users) and (D, items) at scale f, as ring elements
    (PPMF-FIX-010, -011).
    """
    count = (users + items) * params.rank
    seed = b"ppmf/v1/init/" + params.seed.encode()
    drawn = np.frombuffer(hashlib.shake_256(seed).digest(count), dtype=np.uint8)
    entries = (drawn.astype(np.int64) - 128) << (params.frac_bits - 8)
    both = np.zeros((params.row_rank, users + items), dtype=np.uint64)
    both[: params.rank] = entries.reshape(users + items, params.rank).T.astype(np.uint64)
    return both[:, :users].copy(), both[:, users:].copy()


def check_session(session: Session, suite: SuiteChoice) -> None:
    """ParametersError when a session of this size does not fit the suite's ciphertexts
    (PPMF-SES-003).
    """
    sizes = len(session.users), len(session.items)
    for orientation in orientations(session.parameters, *sizes):
        suite.products.check(orientation.layout)


def orientations(params: Parameters, users: int, items: int) -> tuple[Orientation, Orientation]:
    """The two public shapes of the encrypted ratings: packing users, packing items
    (PPMF-PRD-002).
    """
    uses = column_uses(params)
    columns = sum(use.stop - use.start for use in uses)
    outputs = params.iterations * columns * (users + items)
    return (
        Orientation("users", Layout(items, (users, users), outputs), uses),
        Orientation("items", Layout(users, (items, items), outputs), uses),
    )


def _set_up(
    me: str,
    session: Session,
    suite: SuiteChoice,
    transfer_key: SecretKey,
    ratings: RatingShares,
    coins: Coins,
    epoch: int,
) -> Program[Server]:
    """Exchange keys, encrypted rows and base transfers (PPMF-PRD-001)."""
    peer = RECSYS if me == CSP else CSP
    product_key = suite.products.generate(coins)
    ours = wire.ServerKey(session.suite, product_key.public, transfer_key.public.to_bytes())
    yield Send(peer, ours)
    theirs = yield from receive(peer, wire.ServerKey)
    if theirs.suite != session.suite:
        raise StateError(
            f"{peer} runs suite {theirs.suite[:40]}, this server {session.suite}: use one suite"
        )
    peer_products = suite.products.peer(theirs.product_key)
    peer_transfers = PublicKey.parse(theirs.transfer_key, suite.transfer_bits)
    by_user = (ratings.rated, ratings.rating)
    by_item = (ratings.rated.T, ratings.rating.T)
    packing_users, packing_items = orientations(
        session.parameters, len(session.users), len(session.items)
    )
    products = yield from set_up(
        me,
        suite.products,
        product_key,
        peer_products,
        ((packing_users, by_item), (packing_items, by_user)),
        coins,
    )
    pair = yield from open_pair(me, session.id, epoch, transfer_key, peer_transfers, coins)
    sums = {
        "users": RowSums(*(part.sum(axis=1, dtype=np.uint64) for part in by_user)),
        "items": RowSums(*(part.sum(axis=1, dtype=np.uint64) for part in by_item)),
    }
    written_by = lineage(session, {me: ours, peer: theirs})
    return Server(session, pair, written_by, dict(zip(SIDES, products, strict=True)), sums)


def _start(server: Server) -> dict[str, Side]:
    """The public start, as this server's shares: all of it CSP's."""
    session = server.session
    values = public_start(session.parameters, len(session.users), len(session.items))
    return {
        name: Side(name, value if server.pair.garbles else np.zeros_like(value), None, value)
        for name, value in zip(SIDES, values, strict=True)
    }


def _save(server: Server, iteration: int, sides: dict[str, Side]) -> bytes:
    """The checkpoint of a model that is no longer the public start."""
    saved = []
    for name in SIDES:
        words = sides[name].words
        assert words is not None, "after an iteration both sides are shared"
        saved.append(SavedSide(sides[name].share, words.bits))
    return write_checkpoint(server.session, Checkpoint(iteration, server.lineage, *saved))


def _restore(server: Server, checkpoint: Checkpoint) -> Program[dict[str, Side]]:
    """The model of a checkpoint, with new transfers for its bits (PPMF-RES-005)."""
    sides = {}
    for name, saved in zip(SIDES, (checkpoint.users, checkpoint.items), strict=True):
        words = yield from share_words(server.pair, saved.bits)
        sides[name] = Side(name, saved.share, words, None)
    return sides


def _steps_from_counts(server: Server) -> Program[dict[str, tuple[Steps | None, Steps | None]]]:
    """By side, the steps that depend on counts alone: (the factors', the biases'), where so
    (PPMF-STP-003).
    """
    params = server.session.parameters
    made: dict[str, tuple[Steps | None, Steps | None]] = {}
    for name, terms in (
        ("users", len(server.session.items)),
        ("items", len(server.session.users)),
    ):
        counts = server.sums[name].count
        factors = biases = None
        if params.step_rule == "count":
            site = Site(f"count-steps/{name}")
            factors = yield from count_steps(server, counts, terms, site, factors=True)
        if params.bias:
            site = Site(f"bias-steps/{name}")
            biases = yield from count_steps(server, counts, terms, site, factors=False)
        made[name] = (factors, biases)
    return made
