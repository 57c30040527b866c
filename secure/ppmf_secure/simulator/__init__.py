# SPDX-License-Identifier: GPL-3.0-or-later
"""What each party sees can be made without the others' secrets (PPMF-SEC-002).

A *view* is a party's transcript: all it sent and received, in order. For a user, RecSys and CSP a
simulator makes the whole view of a run from that party's own input, its output and the leakage, the
one public argument. It never has a rating of another, nor another's key, coins or shares: the
module that could hand it one is not imported.

How. A party's program is sans-IO, so the simulator runs the real one, with coins of its own, and
answers each `Receive` with a message drawn from its ideal distribution (`imagined`, which says of
each why it may stand for the real one and on which assumption). What the party sends is then the
real function of its coins and of what it received; and what it keeps for a later epoch is too.

That no efficient test tells a real view from a simulated one is the hybrid argument of chapter 6.
What can be tested are its preconditions in this code: that both have one shape, and that both pass
one battery of tests (`ppmf_audit`).
"""

from __future__ import annotations

from ppmf_secure.simulator.leakage import Interruption, Leakage
from ppmf_secure.simulator.views import simulate_csp, simulate_recsys, simulate_user

__all__ = ["Interruption", "Leakage", "simulate_csp", "simulate_recsys", "simulate_user"]
