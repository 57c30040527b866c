# SPDX-License-Identifier: Apache-2.0
"""The maintainers' programs, which make and check files of the repository; no wheel contains them.

- `packages`: the list of the packages, read from pyproject.toml;
- `traceability`: the table from requirements to tests and code (`make trace`);
- `vectors`: the generator of the conformance vectors, and `worked_transcript`, that of the run with
  all its secrets (`make vectors`);
- `default_sweep`: the sweep from which the default parameters were chosen (`make sweep`);
- `notebooks`: runs the notebooks of the documentation and writes what their cells show;
- `fuzz`: hostile inputs in great numbers (`make fuzz`);
- `kills`: two working servers, killed again and again in every phase of a session;
- `mutation`: mutation testing of the packages (`make mutation`).
"""
