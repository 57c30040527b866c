# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-protocols of chapter 4, as programs of one server, in the order of the layers.

- `upload`, `output`: the first messages of a run and the last one;
- `transfers`: the oblivious transfers between the two servers;
- `ratings_product`, `bit_products`, `shared_circuits`: the three ways to compute on shares, that is
  homomorphic encryption, transfers and garbled circuits;
- `server_state`, `public_start`: what a server holds, and the start that both know;
- `sub_problem`, `step_sizes`, `half_step`: the parts of a half-step;
- `resumption`: how a later epoch goes on from checkpoints;
- `message_plan`: all messages and operations of an epoch, from public sizes alone.

`ppmf_secure.parties.training` puts them together; begin there, or with `half_step`.
"""
