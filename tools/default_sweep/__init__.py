# SPDX-License-Identifier: Apache-2.0
"""The sweep from which the default parameters were chosen: `make sweep`.

Begin with `model`, a fast F_fix. `data_sets` has the ratings and their splits, `candidates` the
parameter sets that are tried, and `table` what each scores. The table is kept where
`ppmf.evaluation.tried_sets` reads it.
"""
