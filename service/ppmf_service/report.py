# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a session: what became of it, what it took, and what was erased when.

It has times, counts, bytes, states and the lines of errors, and nothing secret (PPMF-SRV-019): no
user, no rating, no key, and of V its digest alone, which is public. So an operator may hand it on.
"""

from __future__ import annotations

import json
from pathlib import Path

from ppmf_secure.transport.store import write_durably
from ppmf_service import report_page
from ppmf_service.config import ServerConfig
from ppmf_service.database import Database
from ppmf_service.measures import EpochCost, Measures
from ppmf_service.report_page import Facts
from ppmf_service.session_rows import SessionRow
from ppmf_service.sessions import Sessions

FORMAT = "ppmf-service-report/1"


class Reports:
    """The reports of a server's sessions."""

    def __init__(
        self, config: ServerConfig, database: Database, sessions: Sessions | None = None
    ) -> None:
        self._config = config
        self._database = database
        self._sessions = sessions or Sessions(database)
        self._measures = Measures(database)

    def facts(self, key: bytes) -> Facts:
        """The report of a session, as JSON has it; raises as `Sessions.get`."""
        row = self._sessions.get(key)
        now = self._database.clock.now()
        return {
            "format": FORMAT,
            "made": now,
            "server": self._config.role,
            "session": row.key.hex(),
            "proposal": row.proposed.hex(),
            "trial": row.trial,
            "state": row.state,
            "since": row.since,
            "error": None if row.last_error is None else ": ".join(row.last_error),
            "users": row.users,
            "items": row.items,
            "admitted": row.admitted_count,
            "agreed": self._agreed(row),
            "closes": row.closes or None,
            "expires": row.expires or None,
            "profiles_sha256": row.profiles_digest.hex() if row.profiles_digest else None,
            "events": [
                {"at": one.at, "state": one.state, "because": one.because or None}
                for one in self._sessions.events(row.key)
            ],
            "epochs": [self._epoch(row, one) for one in self._measures.epochs(row.number)],
            "erased": [
                {"at": one.at, "what": one.what, "count": one.count, "bytes": one.bytes}
                for one in self._measures.erasures(row.number)
            ],
            "secrets_erased": row.erased,
            "all_but_tombstone_erased": row.buried,
        }

    def write(self, key: bytes) -> tuple[Path, Path]:
        """Write the report as JSON and as a page, and return where; raises as `facts`, OSError."""
        facts = self.facts(key)
        folder = self._config.reports_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        return write_report(folder, facts)

    def _agreed(self, row: SessionRow) -> Facts | None:
        """What the session was to compute, as long as the session file is kept."""
        if not self._sessions.has_proposal(row.key):
            return None
        proposal = self._sessions.proposal(row.key)
        return {
            "suite": proposal.suite,
            "parameters_sha256": proposal.parameters.digest().hex(),
            "rank": proposal.parameters.rank,
            "iterations": proposal.parameters.iterations,
            "least": proposal.least,
        }

    def _epoch(self, row: SessionRow, cost: EpochCost) -> Facts:
        until = cost.ended if cost.ended is not None else self._database.clock.now()
        return {
            "epoch": cost.epoch,
            "began": cost.began,
            "ended": cost.ended,
            "outcome": cost.outcome or "running",
            "memory_bytes": cost.memory,
            "workers": None
            if cost.workers is None
            else {
                "count": cost.workers.count,
                "there": cost.workers.there,
                "memory_bytes": cost.workers.memory,
                "cpu_seconds": round(cost.workers.cpu_seconds, 3),
                "asked": cost.workers.at,
            },
            "peer_lost": self._measures.losses(cost.began, until),
            "phases": [
                {
                    "phase": one.phase,
                    "seconds": round(one.seconds, 3),
                    "bytes_sent": one.bytes_sent,
                    "bytes_received": one.bytes_received,
                }
                for one in cost.phases
            ],
            "over_time": [
                {
                    "seconds": round(one.seconds, 3),
                    "half_steps": one.done,
                    "bytes_sent": one.bytes_sent,
                    "bytes_received": one.bytes_received,
                }
                for one in self._measures.samples(row.number, cost.epoch)
            ],
        }


def write_report(folder: Path, facts: Facts) -> tuple[Path, Path]:
    """Write a report into a folder, as JSON and as a page, and return where."""
    stem = f"{facts['session']}"
    data, page = folder / f"{stem}.json", folder / f"{stem}.html"
    write_durably(data, (json.dumps(facts, indent=1) + "\n").encode())
    write_durably(page, report_page.page(facts).encode())
    return data, page
