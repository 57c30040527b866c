# SPDX-License-Identifier: GPL-3.0-or-later
"""Homomorphic encryption: an integer matrix times encrypted rows.

`interface` says what is asked of it, in terms that hold for both schemes; begin there. `paillier`
and `lattice` are the two schemes, each with the same three modules: `owner` is the side that holds
the key, `peer` the side that multiplies, and `scheme` puts them together and says what each side
learns. (Chapter 4, "Homomorphic encryption: integer matrix times encrypted rows".)
"""
