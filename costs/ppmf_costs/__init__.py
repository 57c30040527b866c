# SPDX-License-Identifier: Apache-2.0
"""The cost model: what a run takes, before it is run.

Bytes are exact, from the message plan of the protocol. Seconds and memory are estimates, from unit
costs that were measured. In the order to read them:

- `tally` counts bytes and work by phase.
- `counts` goes through the operations of a run, with nothing but public sizes, and fills a tally.
- `unit_costs` turns a tally into seconds and memory. `ppmf bench --calibrate` fits the unit costs
  to measured runs; those that come with the package are in `unit_costs.toml`.
- `network` turns the bytes and rounds of a tally into the seconds of a line between the servers.
- `workers` divides the work and the memory of a tally among the workers of a server.
"""
