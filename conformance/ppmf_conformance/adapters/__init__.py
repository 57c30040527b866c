# SPDX-License-Identifier: Apache-2.0
"""The adapters that come with the suite; each is a program.

`python -m ppmf_conformance.adapters.NAME` runs one:

- `oracle`: the oracle;
- `secure`: the secure implementation, operation by operation and as parties of a run;
- `broken_oracle`: the oracle with one fault, by which the suite itself is tested.

`node/` is an adapter in JavaScript and `rust/` a smaller one in Rust, each written from the
specification alone. To write an adapter in
Python, begin with `line_server`, which answers the lines; `values` converts numbers, and the other
modules hold the operations: `spec_operations`, which oracle and secure implementation share, and
`secure_operations`, `building_blocks`, `lattice_blocks`, `sessions_and_uploads`, `enrolment`,
`link`, `resumed_runs` and `party`, with `shown_shares`, of the secure implementation. The suite
itself asks `stages` what a trace has to show, `toy_runs` for a run of any parameters and ratings,
and `server_user` for a user of a running server.
`transcripts`, a program too, plays the worked transcript again, from what `named_draws` reads.
"""
