# SPDX-License-Identifier: GPL-3.0-or-later
"""The building blocks of the protocol that need no messages of their own, the lowest first.

- `coins`, `shares`: a party's randomness; additive and Boolean shares, and their bytes;
- `bit_transpose`: transposition of bit matrices, for the transfer extension;
- `encryption`: the homomorphic matrix product, in Paillier suites and lattice suites;
- `base_transfers`, `sealing`, `hashing`: base transfers over Paillier, seals of users' seeds, and
  the hash of garbling and transfers;
- `transfer_extension`, `circuits`: oblivious transfers in any number, and garbled circuits.

`protocols` makes sub-protocols of them. Begin with `shares`.
"""
