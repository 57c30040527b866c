# SPDX-License-Identifier: GPL-3.0-or-later
"""Boolean circuits: how they are built, which ones a training needs, and how they are garbled.

In the order to read them: `netlist` is a circuit and its builder; `training_circuits` builds the
two circuits of chapter 4, "Circuits"; `wire_labels` says what a label is and what can be read from
it; `half_gates` garbles and evaluates (chapter 4, "Garbled circuits"), and keeps labels where
`label_slots` says. `bristol` exchanges circuits with other tools; no party needs it.
"""
