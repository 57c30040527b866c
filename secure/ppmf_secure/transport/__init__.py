# SPDX-License-Identifier: GPL-3.0-or-later
"""The transports: what carries bytes between the programs of the parties.

Each gives `ppmf_secure.driver` the ends of one party.

- `recorded_ends`: ends that keep a transcript, measures and checkpoints; all transports share them;
- `stepper`: all parties in one thread, for tests and toy runs; the shortest, so begin here;
- `pipes`, `processes`: both servers in processes of their own on one machine;
- `store`: the folder of a run's checkpoints.
"""
