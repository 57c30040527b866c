# SPDX-License-Identifier: GPL-3.0-or-later
"""The parties of a run, each as a program that yields effects (`ppmf_secure.effects`).

`users` is the program of all users, `recsys` and `csp` are those of the servers. Both servers run
`training` between their first and their last messages; begin there.
"""
