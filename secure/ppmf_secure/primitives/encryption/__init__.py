# SPDX-License-Identifier: GPL-3.0-or-later
"""Homomorphic encryption: the product of an integer matrix with encrypted rows.

`interface` defines the product and what a cipher suite must offer; begin there. `paillier` and
`lattice` are the two kinds of cipher suites.
"""
