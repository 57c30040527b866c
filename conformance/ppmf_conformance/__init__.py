# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: it tests any implementation, in any language, against the specification.

An implementation comes with an adapter, which is a program that answers cases in lines of JSON.
Chapter 7 of the specification is the contract between the suite and an adapter. Begin with
`runner`, which asks an adapter every case that it declares. The modules, in the order of use:

- `cases`: the vectors, read from `vectors/` and checked by `schema` and `json_text`;
- `line_protocol`, `adapter_process`: the lines of a call and its answer, and the adapter as a
  process; `deadline`: how long the suite waits for it;
- `judgement`, `enclosures`: whether an answer is the one that is due;
- `party_runs`: whole runs in which the adapter plays some of the parties; `our_parties` play the
  others, `message_edits` changes messages on their way, `fresh_fields` sees what was not drawn
  anew, and `trace` holds shares against F_fix;
- `known_failures`, `results`, `reports`, `requirement_titles`, `claim`: what became of the cases;
  `visible_text`: text of an adapter as reports and the screen show it;
- `own_runs`: one run of any parameters and ratings; `worked`: the files of the worked transcript;
- `adapter_check`: checks of an adapter by itself, without its arithmetic;
- `pytest_plugin`: the cases as tests of pytest;
- `servers`: checks of a running server by its address, which need no adapter;
- `adapters`: the adapters that come with the suite.

The suite reaches the oracle and the secure implementation through `adapters` alone.
"""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """The version of the suite, which is that of the distribution."""
    try:
        return metadata.version("ppmf")
    except metadata.PackageNotFoundError:
        return "source tree"
