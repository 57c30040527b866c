# SPDX-License-Identifier: Apache-2.0
"""How good the recommendations are: `ppmf evaluate`, and the errors that `ppmf demo` shows.

Begin with `metrics`, which says what is measured. `predictors` holds the private model and what it
is compared with, of which `baseline` has the trainings without privacy. `sweep` trains with several
parameter sets, and `plots` draws both. `tried_sets` is the table behind the defaults, and
`suggestion` fits a set to a size, `nearest` searches the set that is nearest to one that does not
fit, and `advice` says so to people.
"""
