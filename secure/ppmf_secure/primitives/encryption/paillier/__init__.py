# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over Paillier.

`scheme` is the cipher suite, and says what hides what; begin there. It rests on `keys` (keys and
ciphertexts), `slots` (several numbers in one plaintext), `multiexp` (many products of powers) and
`randomisers` (fresh randomness for answers).
"""
