# SPDX-License-Identifier: GPL-3.0-or-later
"""The training, which both servers run, each on its own shares (chapter 4, "The run").

RecSys and CSP differ in that CSP garbles, in how they get their shares of the ratings
(`protocols.admission`), and in the last message (`protocols.output`). The order of the program is
the order of the messages, and public sizes alone decide what is sent (PPMF-RUN-010, -011).
`protocols.message_plan` goes through the same order without secrets.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ppmf_secure.arrays import Labels
from ppmf_secure.effects import Keep, Phase, Program, Send, finished, receive, started
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols.admission import Decision
from ppmf_secure.protocols.conversion import convert
from ppmf_secure.protocols.half_step import half_gradient, inner_step, shared_side
from ppmf_secure.protocols.observer import Observer, Place, check_observer, nobody
from ppmf_secure.protocols.public_start import public_start
from ppmf_secure.protocols.ratings_product import (
    fitted_scheme,
    orientations,
    set_up_products,
)
from ppmf_secure.protocols.resumption import agree_on_checkpoint, lineage, restore_model, save_model
from ppmf_secure.protocols.server_state import RowSums, Server, SharedSide, Steps
from ppmf_secure.protocols.step_sizes import BIAS_RULE, factor_rule
from ppmf_secure.protocols.sub_problem import make_sub_problem
from ppmf_secure.protocols.transfers import Site, open_transfers
from ppmf_secure.session.checkpoint import (
    Checkpoint,
    Kept,
    RatingBits,
    read_admission,
    read_checkpoint,
    read_closing,
)
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import StateError, told
from ppmf_spec.roles import SIDES, Role, Side


def train(
    me: Role,
    session: Session,
    suite: CipherSuite,
    bits: RatingBits,
    coins: Coins,
    *,
    epoch: int = 0,
    kept: Kept | None = None,
    observer: Observer = nobody,
    workers: Workers | None = None,
    room: Room = MEMORY,
) -> Program[Labels]:
    """The labels (word_bits, D m, 2) of V's words, after the training of one epoch.

    They are zero labels at CSP and active labels at RecSys; nothing is opened yet.

    me: this server. bits: its share of the users' bits.
    epoch: its number; of a later one, the number after the highest that this server kept.
    kept: what earlier epochs kept; the run goes on from the last iteration that both servers hold.
    observer: whom it tells its shares after each stage, in the trace of a conformance adapter.
    workers: those of this server, if it has any. room: where encrypted matrices lie
    (PPMF-RUN-001, -002, PPMF-FIX-026, -035, -040, -043, -062, PPMF-RES-001, -002, -005).
    """
    check_observer(observer, trial=session.proposal.trial)
    observer("bits", (), bits.planes)
    found: Checkpoint | None = None
    if kept is not None:
        checkpoints = [read_checkpoint(session, data) for data in kept.checkpoints]
        decision = Decision(
            read_closing(session, kept.closing), read_admission(session, kept.admission)
        )
        epoch, found = yield from agree_on_checkpoint(
            me, epoch, checkpoints, decision.digest(session)
        )
    done = 0 if found is None else found.iteration
    yield Phase("set-up", 2 * done, session.half_steps)
    server = yield from _set_up(me, session, suite, bits, coins, epoch, observer, workers, room)
    params = session.parameters
    sides = _start(server) if found is None else (yield from restore_model(server, found))
    made_once = yield from _steps_from_counts(server)
    for half_step in range(2 * done, session.half_steps):
        updated = SIDES[half_step % 2]
        fixed = sides[updated.other]
        last = half_step == session.half_steps - 1
        yield Phase("products", half_step, session.half_steps)
        problem = yield from make_sub_problem(
            server, fixed, updated, Site("products", (half_step,))
        )
        yield Phase("steps", half_step, session.half_steps)
        made, bias_steps = made_once[updated]
        site = Site("steps", (half_step,))
        steps = (
            factor_rule(params).make(server, problem.squares, fixed.rows, site)
            if made is None
            else finished(made)
        )
        if server.transfers.garbles:  # its tables go before what it sends for the gradient
            steps = finished((yield from steps))
        else:  # it sends nothing after its columns, and goes on while the peer garbles
            steps = yield from started(steps)
        yield Phase("updates", half_step, session.half_steps)
        site = Site("gradient", (half_step, 0))
        gradient = yield from started(half_gradient(server, sides[updated], problem, site))
        factor_steps = yield from steps
        if made is None:
            _observe_steps(server, "factor", (half_step,), factor_steps)
        for inner in range(params.inner_steps):
            if inner:
                site = Site("gradient", (half_step, inner))
                gradient = half_gradient(server, sides[updated], problem, site)
            site = Site("update", (half_step, inner))
            labels = yield from inner_step(
                server, sides[updated], (yield from gradient), factor_steps, bias_steps, site
            )
            if last and inner == params.inner_steps - 1:
                return labels
            sides[updated] = yield from shared_side(server, sides[updated], labels, site)
        if updated is Side.ITEMS:
            iteration = half_step // 2 + 1
            yield Keep("model", iteration, partial(save_model, server, iteration, dict(sides)))
    raise AssertionError("a run has at least one iteration")


def _set_up(
    me: Role,
    session: Session,
    suite: CipherSuite,
    bits: RatingBits,
    coins: Coins,
    epoch: int,
    observer: Observer,
    workers: Workers | None,
    room: Room,
) -> Program[Server]:
    """The server after the set-up: keys and base transfers are exchanged, the bits converted, and
    then encrypted rows exchanged (PPMF-PRD-001, PPMF-CNV-009).
    """
    peer = me.peer
    scheme = fitted_scheme(session, suite)
    product_key = scheme.generate(coins, workers)
    ours = wire.ServerKey(session.suite, product_key.public)
    yield Send(peer, ours)
    theirs = yield from receive(peer, wire.ServerKey)
    if theirs.suite != session.suite:
        raise StateError(
            f"{peer} runs suite {told(theirs.suite)}, this server {session.suite}: use one suite"
        )
    peer_products = scheme.peer(theirs.product_key, workers, room)
    ring_bits = session.bounds.ring_bits
    transfers = yield from open_transfers(me, session.id, epoch, ring_bits, coins, workers)
    code = RatingCode.of(session.parameters)
    ratings = yield from convert(transfers, bits, len(session.items), code)
    by_user = (ratings.rated, ratings.rating)
    for stage, share in zip(("w", "x"), by_user, strict=True):
        observer(stage, (), share)
    by_item = (ratings.rated.T, ratings.rating.T)
    packing_users, packing_items = orientations(
        session.parameters, len(session.users), len(session.items)
    )
    products = yield from set_up_products(
        me,
        scheme,
        product_key,
        peer_products,
        ((packing_users, by_item), (packing_items, by_user)),
        coins,
    )
    sums = {
        Side.USERS: RowSums(*(part.sum(axis=1, dtype=np.uint64) for part in by_user)),
        Side.ITEMS: RowSums(*(part.sum(axis=1, dtype=np.uint64) for part in by_item)),
    }
    written_by = lineage(session, {me: ours, peer: theirs})
    by_side = dict(zip(SIDES, products, strict=True))
    return Server(session, transfers, written_by, by_side, sums, observer)


def _start(server: Server) -> dict[Side, SharedSide]:
    """This server's shares of the public start: the start itself at CSP, 0 at RecSys
    (PPMF-RUN-009).
    """
    session = server.session
    values = public_start(session.parameters, len(session.users), len(session.items))
    mine = values if server.transfers.garbles else tuple(map(np.zeros_like, values))
    return {
        side: SharedSide(side, share, share, None, value)
        for side, share, value in zip(SIDES, mine, values, strict=True)
    }


def _steps_from_counts(server: Server) -> Program[dict[Side, tuple[Steps | None, Steps | None]]]:
    """The steps that depend on counts alone, those of the factors and of the biases, by side.

    They are None where they are made in every half-step, or not at all (PPMF-STP-003).
    """
    params = server.session.parameters
    rows = {Side.USERS: len(server.session.users), Side.ITEMS: len(server.session.items)}
    made: dict[Side, tuple[Steps | None, Steps | None]] = {}
    for side in SIDES:
        counts, terms = server.sums[side].count, rows[side.other]
        factors = biases = None
        if factor_rule(params).made_once:
            site = Site(f"count-steps/{side}")
            factors = yield from factor_rule(params).make(server, counts, terms, site)
            _observe_steps(server, "factor", (side,), factors)
        if params.bias:
            site = Site(f"bias-steps/{side}")
            biases = yield from BIAS_RULE.make(server, counts, terms, site)
            _observe_steps(server, "bias", (side,), biases)
        made[side] = (factors, biases)
    return made


def _observe_steps(server: Server, kind: str, place: Place, steps: Steps) -> None:
    """Tell the observer the shares of steps and of their thresholds."""
    server.observer(f"{kind}_steps", place, steps.words.bits)
    for name, labels in steps.thresholds.items():
        server.observer(name, place, labels)
