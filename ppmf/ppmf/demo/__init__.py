# SPDX-License-Identifier: Apache-2.0
"""`ppmf demo`: a private training on real ratings, and checks of its result.

`command` is the command and holds the whole sequence; begin there. `checks` has one function for
each claim that the demo checks, `slices` the ratings that are taken. `up` is `ppmf up`: both
servers of a service on this machine.
"""
