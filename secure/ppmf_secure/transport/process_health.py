# SPDX-License-Identifier: GPL-3.0-or-later
"""How this process does, for whoever operates it: its memory and its processor time."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from ppmf_secure.primitives.workers import ProcessHealth

_SIZES = ("VmRSS", "VmHWM")
"""The lines of a process' status that say its resident size, now and at most."""


def health_here() -> ProcessHealth:
    """How this process does. Where the system does not tell its resident size, that is the most."""
    cpu = time.process_time()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    most = most if sys.platform == "darwin" else most << 10
    status = Path("/proc/self/status")
    if not status.exists():
        return ProcessHealth(most, most, cpu)
    lines = (line.partition(":") for line in status.read_text(encoding="utf-8").splitlines())
    sizes = {name: int(rest.split()[0]) << 10 for name, _, rest in lines if name in _SIZES}
    return ProcessHealth(sizes["VmRSS"], sizes["VmHWM"], cpu)
