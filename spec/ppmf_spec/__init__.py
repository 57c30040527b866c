# SPDX-License-Identifier: Apache-2.0
"""What the oracle and the secure implementation have in common; the package rests on no other.

The chapters of the specification stand in the folder above this package. The modules hold what two
implementations must agree on before either computes anything. In the order in which a reader needs
them:

- `errors`: the five classes of refusals; `roles`: the parties and the two sides;
- `decimals`, `files`: exact numbers as decimal text, and whole files read or written;
- `parameters`, `bounds`, `step_rules`: the public parameter set of a run, whether the run fits the
  ring, and the parts of both that depend on the step rule;
- `ids`, `rating_files`, `rating_scale`, `ratings`: public lists of users and items, files of
  ratings, their scale, and the integers that ratings become;
- `words`: the integer arithmetic of single numbers, that is rounding, steps, thresholds, prox and
  saturation;
- `profiles`: the item profiles V, and the file in which they are published;
- `wire`, `strict_cbor`: the messages between the parties and their bytes, and the strict decoder by
  which those and files are read;
- `netlists`: the two garbled circuits, as the programs of chapter 4;
- `objective`: the objective function in symbols, from which tests derive the formulas of `words`;
- `requirements`: the numbered requirements, parsed out of the chapters;
- `extras`: the error for a package that a light installation does not bring.

Begin with `parameters` and `words` beside chapters 2 and 3.
"""
