# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.default_sweep`: try all sets and write the table.

MovieLens-100K is fetched, the synthetic ratings are made. PPMF_DATA may name a folder with
MovieLens latest-small; without it the table has no columns of that data set, and says so. The
program takes about six minutes of one core, and 3 GB of memory.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ppmf.evaluation.tried_sets import TABLE, VERSION_1
from ppmf_spec.errors import PpmfError
from ppmf_spec.files import write_atomically
from ppmf_spec.parameters import Parameters
from tools.default_sweep import candidates, data_sets, table


def main() -> int:
    """Write the table; the exit status."""
    try:
        splits = list(data_sets.every(os.environ.get("PPMF_DATA")))
    except (PpmfError, OSError) as error:
        print(f"default_sweep: {error}", file=sys.stderr)
        return 2
    tried = [one for one in candidates.candidates() if table.fits(one, splits)]
    work: list[tuple[Parameters, tuple[int, ...]]]
    work = [(one, candidates.ITERATIONS) for one in tried]
    work += [(one, (20,)) for one in (VERSION_1, *candidates.others_of_version_1())]
    found: dict[Parameters, table.Errors] = {}
    for number, (params, iterations) in enumerate(work, start=1):
        print(f"{number} of {len(work)}", file=sys.stderr, flush=True)
        found.update(table.errors(params, splits, iterations))
    text = table.written(found, found[VERSION_1], splits)
    write_atomically(TABLE, text.encode())
    print(Path(TABLE))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
