# SPDX-License-Identifier: GPL-3.0-or-later
"""The cryptographic building blocks. They send nothing, and know neither ratings nor parties.

In the order in which they build on each other:

- `coins` gives a party all its random numbers.
- `shares` holds secrets as arithmetic or Boolean shares, and turns their arrays into bytes.
- `encryption` multiplies an integer matrix with encrypted rows.
- `rating_code` writes a rating as bits, so that any bits are a rating.
- `sealing` encrypts a short secret to the holder of a key.
- `hashing` is the hash of 128-bit blocks, with a key for each batch.
- `base_transfers` and `transfer_extension` are oblivious transfer; `bit_transpose` serves the
  latter.
- `circuits` are Boolean circuits and their garbling.
- `workers` are other processes of the party, which hold a part of its data.
- `room` is where large arrays of a party lie, in its memory or in files.

Each module says what it hides, from whom, and on which assumption that rests. Chapter 6,
"Assumptions, step by step", collects these. Begin with `shares`, then `transfer_extension`.
"""
