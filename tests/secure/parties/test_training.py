# SPDX-License-Identifier: Apache-2.0
"""The training as both servers run it: their keys, its phases, and later epochs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_reference import fixed
from ppmf_secure.effects import Begin, Phase, Program, Receive, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.primitives.workers import Call, OneProcess
from ppmf_secure.protocols.admission import Decision
from ppmf_secure.protocols.observer import Place, check_observer, nobody
from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.protocols.upload import (
    upload,
)
from ppmf_secure.session.checkpoint import (
    Kept,
    RatingBits,
    write_admission,
    write_closing,
    write_ratings,
)
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, ParametersError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from ppmf_spec.step_rules import StepRuleName
from tests.support.ideal import ideal_suite
from tests.support.messages import message_of
from tests.support.ratings import ratings_of
from tests.support.sessions import SEALING, consent_keys, session_of
from tests.support.three_parties import SERVERS, run_epoch
from tests.support.toy_runs import run_toy, toy_session

RATINGS = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
PARAMS = Parameters(rank=1, iterations=4)
HALF_STEP = ("products", "steps", "updates")

LATTICE, PAILLIER = cipher_suite("rlwe-64-insecure"), cipher_suite("paillier-512-insecure")
SMALLEST = orientations(Parameters(rank=1), 1, 3)
LATTICE_KEY = (
    LATTICE.products.fit([each.layout for each in SMALLEST]).generate(Coins.seeded("key")).public
)
NOTHING = Row(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
MODULUS = SecretKey.generate(512, Coins.seeded("test modulus")).public.to_bytes()


# -- keys ------------------------------------------------------------------------------------------


def _csp_that_waits_for_a_key(chosen: CipherSuite) -> Program[None]:
    """CSP's program for one user, up to where RecSys' key is due."""
    session = session_of(Parameters(rank=1), ("1",), ("7", "8", "9"), chosen.name, bytes(16))
    keys = consent_keys(session)
    program = csp(session, chosen, Coins.seeded("csp"), sealing=SEALING, consent_keys=keys)
    sealed = upload(session, "1", 1, NOTHING, keys["1"], Coins.seeded("u")).sealed
    while not isinstance(next(program), Receive):
        pass
    seals = (1).to_bytes(8, "little") + sealed
    effect = program.send(message_of(wire.Closing, presence=b"\1", seals=seals))
    while not (isinstance(effect, Send) and isinstance(effect.message, wire.ServerKey)):
        effect = next(program)
    next(program)
    return program


@pytest.mark.req("PPMF-PRD-001", "PPMF-ERR-006")
def test_a_key_under_another_suites_name_is_refused() -> None:
    program = _csp_that_waits_for_a_key(ideal_suite())
    other = message_of(wire.ServerKey, suite="paillier-3072")
    with pytest.raises(StateError, match="recsys runs suite 'paillier-3072', this server ideal"):
        program.send(other)


@pytest.mark.req("PPMF-PRD-001", "PPMF-RLW-013", "PPMF-AHE-004", "PPMF-ERR-002")
@pytest.mark.parametrize(
    ("chosen", "key", "error", "message"),
    [
        (LATTICE, MODULUS, EncodingError, "lattice public key: 64 bytes where 2496"),
        (LATTICE, b"\xff" * 2496, RangeError, "lattice public key: a residue is outside"),
        (PAILLIER, LATTICE_KEY, EncodingError, "Paillier public key: 2496 bytes instead of"),
        (PAILLIER, b"\xff" * 64, RangeError, "Paillier public key: the modulus has a"),
    ],
)
def test_a_key_that_does_not_fit_the_named_suite_is_refused(
    chosen: CipherSuite, key: bytes, error: type[Exception], message: str
) -> None:
    """The name of the suite is right, the key is not."""
    program = _csp_that_waits_for_a_key(chosen)
    with pytest.raises(error, match=message):
        program.send(message_of(wire.ServerKey, suite=chosen.name, product_key=key))


@pytest.mark.req("PPMF-PRD-001")
@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((PAILLIER, LATTICE), "csp to recsys: more than the 144 bytes that are due at most"),
        ((LATTICE, PAILLIER), "lattice public key: 64 bytes where 2496 are due"),
    ],
)
def test_a_run_ends_when_the_servers_mean_different_suites_by_one_name(
    names: tuple[CipherSuite, CipherSuite], message: str
) -> None:
    """RecSys and CSP agree on the name, and disagree on what it stands for."""
    ratings = ratings_of(1, 3, {(0, 0): 4})
    session = session_of(Parameters(rank=1), ratings.users, ("1", "2", "3"), "any", bytes(16))
    suites = dict(zip((RECSYS, CSP), names, strict=True))
    with pytest.raises(EncodingError, match=message):
        run_epoch(session, suites, Coins.seeded, ratings=ratings)


@pytest.mark.req("PPMF-SES-003")
@pytest.mark.parametrize("server", [csp, recsys])
def test_a_session_beyond_a_suites_budget_is_refused_before_anything_is_sent(
    server: Callable[..., Program[object]],
) -> None:
    many = tuple(str(number) for number in range(1, 60_001))
    session = session_of(Parameters(ring_bits=64), many, ("1",), "rlwe-8192", bytes(16))
    with pytest.raises(ParametersError, match="flood"):
        next(server(session, cipher_suite("rlwe-8192"), Coins.seeded("x")))


# -- phases and epochs -----------------------------------------------------------------------------


def halves(first: int) -> list[tuple[str, int, int]]:
    return [(phase, done, 8) for done in range(first, 8) for phase in HALF_STEP]


@pytest.mark.req("PPMF-RUN-005")
def test_a_run_names_its_phases() -> None:
    seen: list[Progress] = []
    found = run_toy(RATINGS, PARAMS, ideal_suite(), on_progress=seen.append)
    assert found == fixed.train(RATINGS, PARAMS)
    beginning = [("keys", 0, 8), ("upload", 0, 8), ("set-up", 0, 8)]
    for party in (RECSYS, CSP):
        mine = [(step.phase, step.done, step.total) for step in seen if step.party == party]
        assert mine == [*beginning, *halves(0), ("output", 8, 8)]
    assert [step for step in seen if step.party == USERS] == [Progress(USERS, "upload", 0, 8)]


@pytest.mark.req("PPMF-RES-001", "PPMF-RES-002", "PPMF-RES-005")
def test_a_later_epoch_goes_on_after_the_last_iteration_kept(tmp_path: Path) -> None:
    run_toy(RATINGS, PARAMS, ideal_suite(), checkpoints=tmp_path)
    for name in (RECSYS, CSP):
        names = sorted(path.name for path in (tmp_path / name).iterdir())
        once = ["admission.state", "closing.state"]
        assert names == [*once, "model-2.state", "model-3.state", "ratings.state"]
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    seen: list[Progress] = []
    found = run_epoch(
        session,
        ideal_suite(),
        lambda role: Coins.seeded(f"later/{role}"),
        epoch=1,
        checkpoints=tmp_path,
        on_progress=seen.append,
    )
    assert found[RECSYS] == fixed.train(RATINGS, PARAMS)
    for name in (RECSYS, CSP):
        mine = [(step.phase, step.done, step.total) for step in seen if step.party == name]
        assert mine == [("keys", 0, 8), ("set-up", 6, 8), *halves(6), ("output", 8, 8)]


@pytest.mark.req("PPMF-ERR-006")
def test_a_long_name_of_another_suite_is_cut() -> None:
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    nothing = RatingBits(np.zeros((5, 2, 1), dtype=np.uint8))
    closing, admission = wire.Closing(b"\0", b""), wire.Admission(b"\0")
    once = write_closing(session, closing, None), write_admission(session, admission)
    decision = Decision(closing, admission).digest(session)
    kept = Kept(write_ratings(session, nothing), *once, ())
    program = recsys(session, ideal_suite(), Coins.seeded("recsys"), epoch=1, kept=kept)
    assert [type(next(program)) for _ in range(4)] == [Phase, Begin, Send, Receive]
    assert type(program.send(message_of(wire.Resume, decision=decision))) is Phase
    assert [type(next(program)) for _ in range(2)] == [Send, Receive]
    with pytest.raises(StateError, match=r"^csp runs suite 'x{40}', this server ideal: use"):
        program.send(message_of(wire.ServerKey, suite="x" * 50))


@pytest.mark.req("PPMF-ADM-005")
def test_csp_does_not_begin_without_the_consent_key_of_every_user() -> None:
    chosen = ideal_suite()
    session = session_of(Parameters(rank=1), ("1", "2"), ("7",), chosen.name, bytes(16))
    keys = dict(list(consent_keys(session).items())[1:])
    program = csp(session, chosen, Coins.seeded("csp"), sealing=SEALING, consent_keys=keys)
    with pytest.raises(StateError, match="lacks the consent keys of 1 users"):
        list(program)


# -- workers ---------------------------------------------------------------------------------------


class Noted(OneProcess):
    """Workers that note what they are given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(2, folder)
        self.loaded = self.ran = 0

    def load(self, shards: Mapping[str, Call]) -> None:
        self.loaded += len(shards)
        super().load(shards)

    def run(self, tasks: Iterator[Call]) -> Iterator[Any]:
        for done in super().run(tasks):
            self.ran += 1
            yield done


@pytest.mark.req("PPMF-WRK-002")
def test_the_workers_of_a_server_encrypt_its_rows_and_hold_its_peers(
    tmp_path: Path,
) -> None:
    params = Parameters(rank=1, iterations=1)
    workers = {role: Noted(tmp_path / role) for role in (RECSYS, CSP)}
    for each in workers.values():
        each.folder.mkdir()
    session = toy_session(RATINGS, params, LATTICE, "workers")
    found = run_epoch(session, LATTICE, Coins.seeded, ratings=RATINGS, workers=workers)[RECSYS]
    assert found == fixed.train(RATINGS, params)
    for each in workers.values():
        assert (each.loaded, each.ran) == (2, 2), "a shard and a task of each orientation"


def test_nobody_may_observe_any_session_and_somebody_a_trial_alone() -> None:
    check_observer(nobody, trial=False)
    check_observer(nobody, trial=True)
    check_observer(lambda *_: None, trial=True)
    with pytest.raises(StateError, match="^trace: shares are shown in a trial alone"):
        check_observer(lambda *_: None, trial=False)


# -- what has a name -------------------------------------------------------------------------------

NAMED = Parameters(rank=1, iterations=2, inner_steps=2, l1=Fraction(1, 64))
"""Two iterations of two inner steps, with a prox: four half-steps, of which 0 is of the users."""

INNER: set[tuple[int, ...]] = {(half, inner) for half in range(4) for inner in range(2)}
HALVES: set[tuple[int, ...]] = {(half,) for half in range(4)}


def batches(rule: StepRuleName) -> dict[str, set[tuple[int, ...]]]:
    """The purposes of chapter 4's table, with the indices before the chunk (PPMF-HSH-007)."""
    circuits: dict[str, set[tuple[int, ...]]] = {"update": INNER, "update-bias": INNER}
    circuits |= {f"bias-steps/{side}": {()} for side in ("users", "items")}
    if rule == "count":
        circuits |= {f"count-steps/{side}": {()} for side in ("users", "items")}
    else:
        circuits["steps"] = HALVES
    products: dict[str, set[tuple[int, ...]]] = {
        "conversion": {()},
        "products": {(half, 0) for half in (1, 2, 3)},  # half-step 0 takes the public start
        "gradient": INNER - {(0, 0), (1, 0)},  # as does the first gradient of each side
        "factor-moves": INNER,
        "bias-moves": INNER,
    }
    found = {f"{one}/{part}": at for one, at in circuits.items() for part in PARTS}
    found |= {f"{one}/to-{to}": at for one, at in products.items() for to in ("csp", "recsys")}
    return found | {"to-arithmetic/to-recsys": INNER - {(3, 1)}}


PARTS = {"garbler-inputs": 1, "gates": 3}
"""How many indices of a circuit's batches there are from the chunk on."""


def stages(rule: StepRuleName) -> list[tuple[str, Place]]:
    """The stages of both servers (PPMF-CON-041). q2 is made under `count` too, and not shown."""
    found: list[tuple[str, Place]] = [("bits", ()), ("w", ()), ("x", ())]
    for side in ("users", "items"):
        if rule == "count":
            found += [(name, (side,)) for name in ("factor_steps", "tau")]
        found.append(("bias_steps", (side,)))
    for half in range(4):
        found += [("Phi", (half,))] if half else []
        found += [(name, (half,)) for name in ("S", "o")]
        if rule == "lipschitz":
            found += [(name, (half,)) for name in ("q2", "factor_steps", "tau")]
        for inner in range(2):
            found += [(name, (half, inner)) for name in ("G", "HG", "Z", "words")]
            found += [("shares", (half, inner))] if (half, inner) != (3, 1) else []
    return found


@pytest.mark.req("PPMF-HSH-007", "PPMF-CON-041")
@pytest.mark.parametrize("rule", ["count", "lipschitz"])
def test_batches_and_stages_have_the_names_of_the_chapters(
    rule: StepRuleName, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = replace(NAMED, step_rule=rule, curvature_shift=3 if rule == "count" else 0)
    batch_keys: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    told: dict[Role, list[tuple[str, Place]]] = {RECSYS: [], CSP: []}
    original = BatchKeys.cipher

    def watched(self: BatchKeys, purpose: str, *indices: int) -> CipherContext:
        kept = PARTS.get(purpose.rpartition("/")[2], 3)
        batch_keys[purpose].add(indices[: len(indices) - kept])
        return original(self, purpose, *indices)

    def observed(role: Role, program: Callable[..., Program[Any]]) -> Callable[..., Program[Any]]:
        def note(stage: str, place: Place, _: object) -> None:
            told[role].append((stage, place))

        return partial(program, observer=note)

    monkeypatch.setattr(BatchKeys, "cipher", watched)
    for role, program in ((RECSYS, recsys), (CSP, csp)):
        monkeypatch.setitem(SERVERS, role, observed(role, program))
    session = toy_session(RATINGS, params, ideal_suite(), "named")
    run_epoch(session, ideal_suite(), Coins.seeded, ratings=RATINGS)
    assert dict(batch_keys) == batches(rule)
    for role in told:
        shown = [one for one in told[role] if one[0] != "q2" or rule == "lipschitz"]
        assert sorted(shown) == sorted(stages(rule))
