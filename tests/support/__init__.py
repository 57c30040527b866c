# SPDX-License-Identifier: Apache-2.0
"""What several tests share; and how the tests are ordered.

Tests stand in the folder of the package that they test: `tests/secure/protocols` tests
`ppmf_secure.protocols`. A file is named for a module, or for what it looks at; in `tests/ppmf`,
files for `ppmf.commands`, `ppmf.data` and `ppmf.bench` begin with these names. The folders that
belong to no package:

    properties           secure training equals the oracle, whatever the ratings and parameters
    security             views, real and simulated, and the leaks that must be found in them
    formal               proofs by z3 and sympy of the bounds, the circuits and the objective
    independent_reading  programs written from the specification's prose alone, held against ours
    repo                 the repository: its text, docs, installation, layout, tables
    browser              the users' page in Chromium, with what only `make test-browser` installs
    support              this package

Begin here to build what a test needs:

- inputs: `ratings` makes ratings from a table, `parameter_sets` has a set of each step rule,
  `strategies` draws parameter sets and small problems, `messages` makes a message of any kind,
  `checkpoints` a checkpoint, `random_circuits` netlists, `lattice_schemes` a lattice scheme with an
  owner, `ideal` a suite that encrypts nothing;
- runs: `toy_runs` trains with three parties in this thread, through `three_parties`, the one place
  where they are put together; `two_servers` runs a sub-protocol between the servers alone;
  `power_cuts` interrupts a party; `trained_run` is one run of the command; `recorded_views` records
  or simulates what a server sees, and `broken_protocol` and `leaks` break what it sees;
- stand-ins: `predicted_runs` for runs that are not run, `toy_wheel` for MovieLens-100K, `adapters`
  for implementations under the conformance suite;
- checks: `chi_square` of counts, `refusals` and `command_line` for what is said in a refusal;
- independent readings, which use nothing of the code that they are held against: `lengths` and
  `formulas` (chapters 4 and 5), `cbor_by_hand`, `lattice_by_hand`, `derived_numbers`;
- proofs: `formal`, `formal_circuits`, `formal_costs`; and texts: `text_of_the_spec`, `locks`.
"""
