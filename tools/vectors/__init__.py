# SPDX-License-Identifier: Apache-2.0
"""The generator of the conformance vectors, the same byte for byte on every machine.

`python -m tools.vectors VECTORS CHAPTERS` writes them, from labelled seeds. The oracle computes the
expected answers where it can, and elsewhere ppmf_secure, whose equality with chapter 4 the tests
show. Begin with `vector_files`, which lists the families and writes their files. The modules:

- `labelled_stream`, `toy_inputs`: random numbers from a label, and small inputs;
- `family`: a family of cases, and its file;
- `params`, `ratings`, `words`, `steps`, `training`, `user_side`: chapters 2 and 3;
- `messages`: chapter 5;
- `sessions_and_uploads`, `lattice`, `base_transfers`, `building_blocks`, `netlists`,
  `resumed_runs`, `party_runs`, `chunked_runs`, `ranked_runs`, `whole_runs`,
  `interrupted_runs`, `traces`: chapter 4;
- `enrolment`, `link`: chapter 8.

The comment of a case is part of its vector and must never change.
"""
