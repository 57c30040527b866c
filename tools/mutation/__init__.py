# SPDX-License-Identifier: Apache-2.0
"""Mutation testing of the packages (docs/mutation.md).

`mutants` runs mutmut on a target in a working copy and reports the verdicts; begin there.
`forked_session` is the pytest plugin of its sessions, and `typecheck` asks mypy about all mutants.
`targets.toml` lists the mutated modules, and `survivors.toml` gives the reason for each mutant that
survives. `suite` is about the conformance suite, and not about the tests: begin in its `__main__`.
"""
