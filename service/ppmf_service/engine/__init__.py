# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of a server, which brings every session from state to state with the peer.

Begin with `engine.engine`, whose steps are those of `engine.recsys` or `engine.csp`. Both rest on
`engine.steps`; `engine.epochs` has the training that runs, and `engine.training` what is run of the
protocol. `engine.workers` are those of the server, if it has any.
"""
