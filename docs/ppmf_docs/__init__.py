# SPDX-License-Identifier: Apache-2.0
"""What the site computes when it is built: tables, figures and drawings on its pages.

A page calls functions of these modules by the directive and the role of `computed`; begin there.
`toy_training` records the training that most of them show.

- one module a page: `audit_page`, `limits`, `messages`, `performance`, `worked_example`, with
  `example_shares` for the last part of the worked example;
- `diagram_rows`, `sequence_diagram`, `pictures`: drawings;
- `tables`: Markdown tables and numbers;
- `docstrings`, `mathml`: extensions of Sphinx.
"""
