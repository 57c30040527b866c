# SPDX-License-Identifier: Apache-2.0
"""What a run costs, before it is run: bytes exactly, seconds and memory from measured costs.

`plan` walks through the protocol with nothing but public sizes, and counts what is sent and what is
worked. `model` turns the counts into seconds and memory with coefficients that `ppmf bench
--calibrate` fitted to measured runs (`coefficients.toml`).
"""
