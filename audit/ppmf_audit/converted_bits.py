# SPDX-License-Identifier: Apache-2.0
"""Whether RecSys could read ratings from CSP's corrections of the conversion (PPMF-CNV-005).

The bit of plane 0 has two corrections of CSP, each under a pad of its own. Were both under one pad,
their difference would be y - 1 or 1 - y, with y CSP's share of the value, and RecSys has the other
share. The check does what RecSys could do then: it takes the difference for that, and looks whether
the value is one of the scale.

False alarms: a uniform difference gives a value of the scale with a probability of 2 (S + 1) / 2^k,
and half of all entries do so with one below 2^-200 where there are 16 of them or more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppmf_audit.finding import Finding
from ppmf_secure.arrays import Words
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.shares import ring_mask, words_of_low_bytes
from ppmf_spec.wire import Bulk

CHECK = "no two corrections of the conversion under one pad"


def finding(
    code: RatingCode, ring_bits: int, payloads: Sequence[Bulk], values: Sequence[Words]
) -> Finding:
    """Whether the differences of CSP's two corrections for a rating say what the rating is.

    payloads: CSP's of the conversion, chunk by chunk. values (n,): RecSys' shares of the values in
    the same chunks.
    """
    size, ring = (ring_bits + 7) // 8, ring_mask(ring_bits)
    entries = hits = 0
    for payload, value in zip(payloads, values, strict=False):
        rows = words_of_low_bytes(payload, (code.bits + 2, len(value)), size)
        difference = rows[-1] - rows[0]
        least = np.uint64(code.least % (1 << 64))
        above = (
            (np.uint64(1) + sign + value - least) & ring
            for sign in (difference, np.negative(difference))
        )
        hits += int(np.logical_or(*(each <= np.uint64(code.span) for each in above)).sum())
        entries += len(value)
    seen = f"{hits} of {entries} entries show a rating"
    return Finding(CHECK, 2 * hits < max(1, entries), seen)
