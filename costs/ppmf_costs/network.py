# SPDX-License-Identifier: Apache-2.0
"""The time that messages take on the line between the two servers.

For each phase it is the larger of two times, and the time of its rounds: the bytes of the busier
direction divided by the bandwidth; and the round trips that pass because a server that is ahead of
its peer waits after a bounded number of messages. Computing and sending overlap in a run, so that
the sum of these times and of the computation is more than the run takes, and the larger of the two
is less.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ppmf_costs.tally import Tally
from ppmf_spec.errors import ParametersError

_BITS = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "tbit": 1e12}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Network:
    """The line between the servers: bits a second in each direction, and seconds of a round trip.

    bandwidth: None if bytes take no time.
    """

    bandwidth: float | None = None
    latency: float = 0.0

    def seconds(self, tally: Tally) -> dict[str, float]:
        """The seconds by phase."""
        found = {}
        for phase in sorted({*tally.link, *tally.windows, *tally.rounds}):
            sending = 8 * tally.link[phase] / self.bandwidth if self.bandwidth else 0.0
            waiting = tally.windows[phase] * self.latency
            found[phase] = max(sending, waiting) + tally.rounds[phase] * self.latency
        return found


def bandwidth(text: str) -> float:
    """Bits a second from a text such as "1Gbit" or "100 Mbit/s"; ParametersError on another."""
    return _quantity(text, "bandwidth", "1Gbit or 100Mbit", _BITS, "(?:/s)?")


def latency(text: str) -> float:
    """Seconds from a text such as "20ms"; ParametersError on another."""
    return _quantity(text, "latency", "20ms or 0.02s", _SECONDS, "")


def _quantity(text: str, what: str, such: str, units: dict[str, float], ending: str) -> float:
    names = "|".join(sorted(units, key=len, reverse=True))
    pattern = rf"([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?) ?({names}){ending}"
    found = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
    value = float(found[1]) * units[found[2].lower()] if found else 0.0
    if found is None or (what == "bandwidth" and not value):
        raise ParametersError(f"{what} {text[:40]!a}: not a number with its unit, such as {such}")
    return value
