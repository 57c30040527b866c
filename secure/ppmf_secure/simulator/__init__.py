# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulators: they make the view of each party without the others' secrets (PPMF-SEC-002).

A *view* is a party's transcript: all messages that it sent and received, in order. For a user,
RecSys and CSP a simulator makes the whole view of a run from that party's own input, its output and
the leakage, which is the only public argument. A simulator never has a rating of another party, nor
another's key, coins or shares: the module that could give it one is not imported.

A party's program has no sockets or clocks, so the simulator runs the real program, with coins of
its own, and answers each `Receive` with a message drawn from its ideal distribution. What the party
sends is then the real function of its coins and of what it received; and what it keeps for a later
epoch is too.

- `leakage`: the public argument of all simulators;
- `views`: the three simulators; begin here;
- `simulated_messages`: the drawn messages, and why each may stand for the real one;
- `answers`: the drawn answers of homomorphic products.

The hybrid argument of chapter 6 shows that no efficient test tells a real view from a simulated
one. Tests check its preconditions in this code: that both have one shape, and that both pass one
battery of checks (`ppmf_audit`).
"""

from __future__ import annotations

from ppmf_secure.simulator.leakage import Interruption, Leakage
from ppmf_secure.simulator.views import simulate_csp, simulate_recsys, simulate_user

__all__ = ["Interruption", "Leakage", "simulate_csp", "simulate_recsys", "simulate_user"]
