# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-protocols, each a program that yields effects, and the plan of their messages.

In the order of a run (chapter 4):

- `upload` makes shares of the users' ratings.
- `admission` lets the servers agree on whose shares they take.
- `resumption` agrees on a checkpoint, in a later epoch.
- `transfers` opens the oblivious transfers between the servers. Three protocols use them:
  `conversion` turns the users' bits into arithmetic shares, `bit_products` multiplies shared bits
  with shared vectors, `shared_circuits` garbles a circuit on shares.
- `ratings_product` multiplies shared columns with the shared ratings; its set-up exchanges the
  encrypted ratings. `suite_choice` says which cipher suite holds a run.
- `public_start` is the model before the first half-step.
- `sub_problem`, `step_sizes` and `half_step` are the parts of a half-step.
- `output` opens the result.

`server_state` holds what a server has between two of these. `ranges` gives work between messages to
workers. `operations` and `message_plan` say which messages a run has, from public sizes alone.
`observer` is what the trace of a conformance adapter uses, and nothing else does. Begin with
`transfers` and `bit_products`, then
`half_step`; `parties.training` calls all of them.
"""
