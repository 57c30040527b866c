# SPDX-License-Identifier: GPL-3.0-or-later
"""The output: CSP sends its Boolean share of V to RecSys, which opens it (chapter 4, "Output").

Nothing else is opened in a run.
"""

from __future__ import annotations

import numpy as np

from ppmf_secure.arrays import Labels
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.circuits.wire_labels import colours, permute_bits
from ppmf_secure.primitives.shares import check_length, from_bits
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS


def send_output(labels: Labels) -> Program[None]:
    """CSP sends the permute bits of V's words, whose labels are (word_bits, D m, 2)
    (PPMF-OUT-001, -002).
    """
    bits = np.packbits(permute_bits(labels).ravel(), bitorder="little")
    yield Send(RECSYS, wire.OutputShare(bits.tobytes()))


def receive_output(session: Session, labels: Labels) -> Program[ItemProfiles]:
    """RecSys receives CSP's share and opens V, whose active labels are (word_bits, D m, 2)."""
    message = yield from receive(CSP, wire.OutputShare)
    return open_output(session, labels, message.bits)


def open_output(session: Session, labels: Labels, packed: bytes) -> ItemProfiles:
    """V, from RecSys' active labels (word_bits, D m, 2) and CSP's packed share
    (PPMF-OUT-003, PPMF-FIX-041, -042).
    """
    mine = colours(labels)
    check_length(packed, (mine.size + 7) // 8, "output share")
    theirs = np.unpackbits(
        np.frombuffer(packed, dtype=np.uint8), count=mine.size, bitorder="little"
    )
    words = from_bits(mine ^ theirs.reshape(mine.shape), signed=True)
    params = session.parameters
    values = words.view(np.int64).reshape(params.row_rank, len(session.items))
    bias = values[params.rank] if params.bias else None
    return ItemProfiles.of(session.items, values[: params.rank].T, bias, params)
