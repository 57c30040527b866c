# SPDX-License-Identifier: Apache-2.0
"""The cost model: bytes of a run exactly, seconds and memory from unit costs that were measured.

- `plan`: walks through the message plan of a run with public sizes alone, and counts messages and
  work; begin here;
- `tally`: the counters that it fills;
- `model`: turns the counts into seconds and memory, with unit costs that `ppmf bench --calibrate`
  fitted to measured runs (`coefficients.toml`).
"""
