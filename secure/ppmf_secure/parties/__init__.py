# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the parties: the users, RecSys and CSP.

Both servers run `training`, the main part of the protocol; begin there. `recsys` and `csp` add what
comes before it (the upload) and after it (the output). `users` is the program of all users, who
send one upload each.
"""
