# SPDX-License-Identifier: Apache-2.0
"""One measured training: its seconds and bytes by phase, and the memory of the larger server.

A run has a process of its own, whose children are the two servers, so that the operating system's
account of the largest child is of this run alone.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from ppmf.data import synthetic_ratings
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import Sample
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.transport import processes
from ppmf_secure.transport.recorded_ends import Measure, Progress
from ppmf_secure.transport.server_process import end_with_parent
from ppmf_spec import ratings as rating_lists
from ppmf_spec.errors import PeerError, PpmfError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS

OnProgress = Callable[[Progress], None]
_ITERATED = ("products", "steps", "updates")


@dataclass(frozen=True, slots=True)
class Measured:
    """A run and its costs.

    seconds: the mean of the two servers by phase; "start" is the time that is in none of their
    phases. sent: bytes by (party, phase). memory: peak resident bytes of the larger server.
    """

    ratings: Ratings
    params: Parameters
    suite: str
    profiles: ItemProfiles
    seconds: Mapping[str, float]
    sent: Mapping[tuple[str, str], int]
    memory: int

    @property
    def wall(self) -> float:
        """Seconds from the start of the run to its result."""
        return sum(self.seconds.values())

    @property
    def iterated(self) -> float:
        """Seconds of all the iterations, without start, upload and set-up."""
        return sum(self.seconds.get(phase, 0.0) for phase in _ITERATED)

    @property
    def bytes_sent(self) -> int:
        """The bytes that all parties sent in the whole run."""
        return sum(self.sent.values())

    @property
    def bytes_iterated(self) -> int:
        """The bytes that both servers sent in all iterations."""
        return sum(count for (_, phase), count in self.sent.items() if phase in _ITERATED)

    @property
    def tally(self) -> Tally:
        """The messages and operations that the public sizes predict."""
        size = PublicSize.of(self.ratings.users, self.ratings.n_items)
        return count_run(self.params, size, cipher_suite(self.suite))

    def sample(self) -> Sample:
        """The run as the cost model takes it."""
        return Sample(self.suite, self.tally, self.seconds, float(self.memory))

    def json(self) -> dict[str, object]:
        """The JSON object of this for the results file."""
        return {
            "suite": self.suite,
            "users": self.ratings.n_users,
            "items": self.ratings.n_items,
            "ratings": len(self.ratings),
            "rank": self.params.rank,
            "iterations": self.params.iterations,
            "parameters": self.params.as_dict(),
            "seconds": round(self.wall, 3),
            "seconds_by_phase": {name: round(value, 3) for name, value in self.seconds.items()},
            "bytes_sent": self.bytes_sent,
            "bytes_sent_by_phase": dict(_by_phase(self.sent)),
            "memory_of_a_server": self.memory,
        }


def made_up(users: int, items: int, params: Parameters) -> Ratings:
    """Made-up ratings of exactly this size; the cost of a run does not depend on the ratings."""
    raw = synthetic_ratings.ratings(users, items)
    ids = [tuple(str(row + 1) for row in range(count)) for count in (users, items)]
    return rating_lists.quantise(raw, params, users=ids[0], items=ids[1])


def measure(
    ratings: Ratings, params: Parameters, suite: str, on_progress: OnProgress = lambda _: None
) -> Measured:
    """Train in a process of its own; raises what `processes.train` raises."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(ratings, params, suite, theirs))
    process.start()
    theirs.close()
    try:
        while True:
            match mine.recv():
                case Progress() as now:
                    on_progress(now)
                case PpmfError() as error:
                    raise error
                case (wall, measures, profiles, memory):
                    seconds = by_phase(measures, wall)
                    sent = {(one.party, one.phase): one.bytes_sent for one in measures}
                    return Measured(ratings, params, suite, profiles, seconds, sent, memory)
    except EOFError:
        raise PeerError("the measured run stopped without a result") from None
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()


def by_phase(measures: tuple[Measure, ...], wall: float) -> dict[str, float]:
    """Mean seconds of the two servers by phase; the rest of `wall` is "start", with "keys"."""
    spent: dict[str, float] = {}
    for one in measures:
        if one.party in (RECSYS, CSP) and one.phase != "keys":
            spent[one.phase] = spent.get(one.phase, 0.0) + one.seconds / 2
    start = max(0.0, wall - sum(spent.values()))
    return {"start": start, **spent}


def _run(ratings: Ratings, params: Parameters, suite: str, report: Connection) -> None:
    """Train, in the process of a run, and report through the pipe."""
    end_with_parent()
    try:
        with suppress(KeyboardInterrupt):
            started = time.perf_counter()
            result = processes.train(ratings, params, suite=suite, progress=report.send)
            wall = time.perf_counter() - started
            largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            memory = largest if sys.platform == "darwin" else 1024 * largest
            report.send((wall, result.measures, result.profiles, memory))
    except PpmfError as error:
        report.send(error)


def _by_phase(sent: Mapping[tuple[str, str], int]) -> Counter[str]:
    total: Counter[str] = Counter()
    for (_, phase), count in sent.items():
        total[phase] += count
    return total
