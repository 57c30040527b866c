# SPDX-License-Identifier: Apache-2.0
"""The sweep from which the default parameters were chosen: `make sweep`.

Begin with `model`, a fast F_fix. `data_sets` has the ratings and their splits, `candidates` the
parameter sets that are tried, `figures` what each scores, and `plot` the drawing.
"""
