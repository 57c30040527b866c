# SPDX-License-Identifier: GPL-3.0-or-later
"""How the parties' programs are run: in one thread, or in a process for each server.

`recorded_ends` is common to all transports: it keeps the transcript, the measures, the progress and
the checkpoints of a party. `stepper` runs all parties in turn, in one thread; begin there.
`processes` runs a training with `server_process` for each server, over `pipes`. `store` is the
folder of a run's checkpoints. `dask_workers` are the workers of a server. `process_health` is
what a process has taken.
"""
