# SPDX-License-Identifier: Apache-2.0
"""What the page costs a browser: `make test-browser ARGS=--measure` writes the figures.

Nothing is asserted about time. The figures are read by docs/performance.md.
"""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "browser.json"
LATTICE = "rlwe-8192-p54-54-55-55-t39"
SMALL, LARGE = 1_682, 100_000
RATED = 100
REPEATS = 7
""""""
