# SPDX-License-Identifier: Apache-2.0
"""How the vectors are made: from labelled seeds, byte for byte the same on every machine.

`python -m tools.vectors FOLDER` writes them; what they expect is computed by the
oracle where it can, and else by ppmf_secure, whose equality with chapter 4 the tests show.
"""
