# SPDX-License-Identifier: Apache-2.0
"""Kill two working servers again and again, and see that each session comes to the right V.

`python -m tools.kills` starts two `ppmf serve`, plays sessions, and kills one of them, as a power
cut would, in every phase of a session: a whole server, or its engine alone. A kill counts only if
it hit a process that ran and a session that had not ended; what was stored then says in which
phase. Nothing is done but to start the server again. It ends with the counts, in JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ppmf_reference import fixed
from ppmf_service.states import State
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.ratings import ratings_of
from tests.support.real_servers import RealServers, real_servers

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=30)
SUITE = "paillier-512-insecure"

PHASES = (
    "agreement",
    "open",
    "closing",
    "admission",
    "set-up",
    "training",
    "output",
    "receipt",
    "after",
)
"""The phases in which a kill can come, in their order; nothing is killed in the last one."""

ROUND = ("agreement", "open", "closing", "admission", "set-up", "training", "output", "receipt")
"""What is aimed at in one session, one after the other."""

_LINGER = {"agreement": 1.0, "open": 1.0, "set-up": 1.5, "training": 2.5}
"""The most seconds for which a kill waits within a phase that lasts."""

_SHORT = frozenset({"output"})
"""The phases that are over before somebody who looks now and then has seen them."""

_PATIENCE = 300.0
_LOOK_SECONDS = 0.001


@dataclass
class Told:
    """The kills that counted, by phase, server and what was killed, and what became of sessions."""

    phases: Counter[str] = field(default_factory=Counter)
    victims: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    right: int = 0
    missed: int = 0
    epochs: int = 0

    @property
    def kills(self) -> int:
        """All kills that counted."""
        return self.phases.total()

    def json(self) -> dict[str, Any]:
        """The counts, for a file."""
        return {
            "kills": self.kills,
            "by_phase": {name: self.phases[name] for name in PHASES[:-1]},
            "by_victim": dict(sorted(self.victims.items())),
            "kills_that_hit_nothing": self.missed,
            "sessions": self.sessions,
            "sessions_with_the_right_v": self.right,
            "epochs_of_all_sessions": self.epochs,
        }


class Watched:
    """A session, as both servers have stored it, looked at as often as one likes."""

    def __init__(self, stack: ExitStack, servers: RealServers, key: bytes) -> None:
        self._key = key
        self.engines: dict[Role, int] = {}
        """The engines that `creep` has stopped."""
        self._profiles = servers.configs[RECSYS].profiles_file
        self._both = [stack.enter_context(servers.storage(role)) for role in (RECSYS, CSP)]

    def phase(self) -> str:
        """The phase of the session now."""
        recsys, csp = (
            one.sessions.get(self._key) if one.sessions.known(self._key) else None
            for one in self._both
        )
        if recsys is None or csp is None:
            return "agreement"
        if recsys.state is State.FINISHED:
            return "after" if csp.state is State.FINISHED else "receipt"
        if recsys.state is State.TRAINING:
            # How far it is, is stored once in a second; V is written before the state.
            ended = "output" in (recsys.phase, csp.phase) or recsys.done == recsys.total
            written = recsys.id is not None and self._profiles(recsys.id).exists()
            return "output" if ended or written else "training"
        if recsys.state is State.SETTING_UP:
            return "set-up"
        if recsys.state is State.CLOSED:
            return "closing" if csp.state is State.OPEN else "admission"
        return "open" if recsys.state is State.OPEN else "agreement"

    def creep(self, aim: str, servers: RealServers) -> str:
        """Wait for a phase that lasts some milliseconds: both engines stand still whenever the
        session is looked at, and at the end, until `go_on`. Returns as `until`.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            self._signal(signal.SIGSTOP)
            phase = self.phase()
            if PHASES.index(phase) >= PHASES.index(aim):
                return phase
            assert time.monotonic() < end, f"the session stays in {phase}"
            self.go_on()
            for role in (RECSYS, CSP):  # to ask for an id takes longer than the phase lasts
                if role not in self.engines and (engine := servers.engine(role)):
                    self.engines[role] = engine
            time.sleep(_LOOK_SECONDS)

    def go_on(self) -> None:
        """Let the engines go on that stand still."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for role, engine in list(self.engines.items()):
            try:
                os.kill(engine, number)
            except ProcessLookupError:
                del self.engines[role]

    def until(self, aim: str) -> str:
        """Wait for a phase; the one that it is then, which may be a later one."""
        end = time.monotonic() + _PATIENCE
        while PHASES.index(phase := self.phase()) < PHASES.index(aim):
            assert time.monotonic() < end, f"the session stays in {phase}"
            time.sleep(_LOOK_SECONDS)
        return phase


@dataclass(frozen=True, slots=True)
class _Victim:
    """A server that works, and which of its processes is to be killed."""

    role: Role
    whole: bool
    process: int

    @classmethod
    def chosen(cls, servers: RealServers, chance: random.Random) -> _Victim:
        """One of both, once its engine runs."""
        role, whole = chance.choice((RECSYS, CSP)), chance.random() < 0.6
        found: list[int] = []

        def seen() -> bool:
            found[:] = [engine for engine in (servers.engine(role),) if engine is not None]
            return bool(found)

        servers.until(seen)
        return cls(role, whole, servers.processes[role].pid if whole else found[0])

    def kill(self, servers: RealServers, session: Watched) -> bool:
        """Kill it, and start it again; whether it ran until then.

        An engine that stands still would not notice that its server is gone.
        """
        if self.whole and self.role in session.engines:
            with suppress(ProcessLookupError):
                os.kill(session.engines.pop(self.role), signal.SIGKILL)
        try:
            os.kill(self.process, signal.SIGKILL)
        except ProcessLookupError:
            return False
        if self.whole:
            servers.kill(self.role)
            servers.start(self.role)
        return True


def one_session(servers: RealServers, chance: random.Random, told: Told, most: int) -> None:
    """Play a session with at most so many kills. Raises AssertionError for a wrong V.

    Each has items of its own: CSP asks before it trains a catalogue again (PPMF-SRV-028).
    """
    servers.ratings = replace(RATINGS, items=tuple(f"{told.sessions}-{n}" for n in range(4)))
    key = servers.propose()
    with ExitStack() as stack:
        session = Watched(stack, servers, key)
        for aim in ROUND:
            if told.kills >= most:
                break
            victim = _Victim.chosen(servers, chance)
            if PHASES.index(aim) > PHASES.index("open") and session.phase() == "open":
                servers.upload_all(key)
            phase = session.creep(aim, servers) if aim in _SHORT else session.until(aim)
            if phase == aim and aim in _LINGER:
                time.sleep(chance.uniform(0, _LINGER[aim]))
                phase = session.phase()
            if phase == "after":
                session.go_on()
                break
            killed = victim.kill(servers, session)
            session.go_on()
            session.engines.clear()
            if killed:
                told.phases[phase] += 1
                told.victims[f"{victim.role}, {'whole' if victim.whole else 'engine'}"] += 1
            else:
                told.missed += 1
        if session.until("open") == "open":
            servers.upload_all(key)
        session.until("after")
    told.sessions += 1
    row = servers.row(RECSYS, key)
    told.epochs += row.epoch if row else 0
    expected = fixed.train(servers.ratings, PARAMETERS)
    assert servers.profiles(key) == expected, f"a wrong V after {told.json()}"
    told.right += 1


def run(folder: Path, kills: int, seed: int, *, aloud: bool = False) -> Told:
    """Kill so often, in as many sessions as that takes. Raises AssertionError for a wrong V."""
    told, chance = Told(), random.Random(seed)
    with real_servers(folder, RATINGS, PARAMETERS, SUITE) as servers:
        servers.start()
        while told.kills < kills:
            one_session(servers, chance, told, kills)
            if aloud:
                print(json.dumps(told.json()), file=sys.stderr, flush=True)
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, run, and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ppmf-kills-") as folder:
        told = run(Path(folder), given.kills, given.seed, aloud=True)
    print(json.dumps(told.json(), indent=1))


if __name__ == "__main__":
    main()
