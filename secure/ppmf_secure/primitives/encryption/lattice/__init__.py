# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over ring learning with errors (RLWE).

`scheme` is the overview, with the argument for what each side learns. `params` holds the lattice
and proves that every answer decrypts and hides (chapter 4, "Lattice suites: parameters"). `ring`
is exact arithmetic in float64; `rounding` passes between words of 64 bits and residues; `sampling`
draws; `wire` packs residues into bytes. `layout` places the columns of a row in ciphertexts.
`stored` keeps encrypted rows and multiplies them, `shards` does so at workers.
`owner` and `peer` are the two sides, in the steps of chapter 4, "Products in a lattice suite".
"""
