# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulators: what each party sees can be made without the others' secrets (PPMF-SEC-002).

A *view* is a party's transcript: all that it sent and received, in order. For a user, for RecSys
and for CSP there is a simulator, which makes the party's whole view of a run from that party's own
input, its output and the leakage (chapter 6, "Leakage"). It is given no rating of another user, and
no key, coins or share of another party.

A party's program is sans-IO, so a simulator runs the real program, with coins of its own, and
answers each `Receive` with a message that is drawn from its ideal distribution.
`simulated_messages` says of each message why it may stand for the real one, and on which
assumption. What the party sends is then the real function of its coins and of what it received, and
so is what it keeps for a later epoch.

Chapter 6, "The proof", argues that no efficient test tells a real view from a simulated one. What
can be tested are the preconditions of this argument in the code: that both kinds of view have the
same shape, and that both pass the same battery of tests (`ppmf_audit`).

`views` holds the three simulators; begin there. `leakage` is their public argument.
`simulated_messages` draws the messages to a server, `simulated_answers` the homomorphic answers
among them.
"""

from __future__ import annotations

from ppmf_secure.simulator.leakage import Interruption, Leakage
from ppmf_secure.simulator.views import simulate_csp, simulate_recsys, simulate_user

__all__ = ["Interruption", "Leakage", "simulate_csp", "simulate_recsys", "simulate_user"]
