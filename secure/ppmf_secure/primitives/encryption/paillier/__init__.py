# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over Paillier.

`keys` is Paillier encryption itself (chapter 4, "Paillier keys and ciphertexts"). `scheme` is the
overview of the product, with the argument for what each side learns; `slots` packs several numbers
into a plaintext, `multiexp` computes products of powers, and `randomisers` makes answers fresh.
`owner` and `peer` are the two sides, in the steps of chapter 4, "Products in a Paillier suite".
"""
