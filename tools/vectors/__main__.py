# SPDX-License-Identifier: Apache-2.0
"""Write the vectors: `python -m tools.vectors VECTORS CHAPTERS`."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.vectors.vector_files import write

if __name__ == "__main__":
    folder, chapters = map(Path, sys.argv[1:])
    for name in write(folder, chapters):
        print(name)
