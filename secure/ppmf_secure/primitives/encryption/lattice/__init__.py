# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over ring learning with errors.

`scheme` is the cipher suite, and says what hides what; begin there. In the order of use: `params`
(the lattice, and its budget of noise), `ring` and `rounding` (arithmetic on residues), `sampling`
(random polynomials), `layout` (which column lies in which coefficient), `wire` (residues as bytes),
`owner` and `peer` (the two sides of the product).
"""
