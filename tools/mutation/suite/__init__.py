# SPDX-License-Identifier: Apache-2.0
"""The mutation score of the conformance suite (docs/mutation-suite.md).

Mutants of implementations are put to the suite alone, as `ppmf conformance run` would ask them.
`__main__` is the command; begin there. `targets.toml` lists what is mutated, `kinds.toml` the
mistakes that are tried by name, and `survivors.toml` gives the reason for each mutant that no run
of the suite can tell from the original.

- `mutants` makes the mutants, by `operators` for Python and `javascript`, each a `change`;
- `copies` puts one into a copy of its implementation, which `adapter` or node runs;
- `baseline` is what the original does, and `probe` two more runs of it;
- `verdicts` asks the cases and keeps what became of a mutant; `report` makes the tables.
"""
