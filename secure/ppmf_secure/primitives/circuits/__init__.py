# SPDX-License-Identifier: GPL-3.0-or-later
"""Boolean circuits, and how they are garbled and evaluated.

- `netlist`: circuits of XOR, AND and NOT gates, and their builder; begin here;
- `training_circuits`: the circuits `reciprocal` and `update` of chapter 4;
- `half_gates`: garbling and evaluating; `label_slots`: the buffers in which labels are kept;
- `bristol`: circuits as text in Bristol Fashion.
"""
