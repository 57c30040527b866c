# SPDX-License-Identifier: Apache-2.0
"""What the site computes when it is built: tables, figures and drawings on its pages.

A page calls functions of these modules by the directive and the role of `computed`; begin there.
`toy_training` records the training that most of them show.

- one module a page: `audit_page`, `choosing`, `how_far`, `limits`, `messages`, `mutation_suite`,
  `performance`, `transcript_page`, `worked_example`, with
  `example_shares` for the last part of the worked example;
- `figures`: what the README and the first page begin with;
- `traces`: from tests and modules back to requirements; `cases`: the conformance cases and theirs;
- `diagram_rows`, `sequence_diagram`, `pictures`: drawings;
- `tables`: Markdown tables and numbers;
- `docstrings`, `mathml`, `links`, `search`: extensions of Sphinx.
"""
