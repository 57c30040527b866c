# SPDX-License-Identifier: Apache-2.0
"""Write the vectors and the list of their SHA-256 into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from ppmf_conformance.suite.generate.render import write

if __name__ == "__main__":
    (folder,) = sys.argv[1:]
    for name in write(Path(folder)):
        print(name)
