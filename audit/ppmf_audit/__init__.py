# SPDX-License-Identifier: Apache-2.0
"""Does a transcript contain only ciphertexts? Checks of three parties' recordings of one run.

`audit` reads what users, RecSys and CSP recorded and says, check by check, whether it keeps what
PROTOCOL.md, section 6, promises: nothing outside the known classes, what was sent was received,
ciphertexts valid and fresh, masks that look uniform and do not come again, V the only value opened.
It needs no key and no secret. What more can be asked of one party's transcript with her keys, and
with a simulated one to compare it with, is the battery's: see `view`.

How strict: every check but those of uniformity and repetition is exact. The tests of uniformity
together raise a false alarm with probability at most 2^-30 an audit, those of repetition less often
(`uniformity` and `repetition` say why).
"""

from __future__ import annotations

from pathlib import Path

from ppmf_audit import message_order
from ppmf_audit.ciphertexts import Ciphertexts
from ppmf_audit.finding import Finding
from ppmf_audit.masked_fields import Masks
from ppmf_audit.repetition import Repetition
from ppmf_audit.transcript_outline import contents, outline

__all__ = ["Finding", "audit"]


def audit(directory: Path) -> list[Finding]:
    """The findings on the transcripts in `directory` (users, recsys, csp .cborseq).

    Raises EncodingError when a transcript is missing or is not a sequence of records.
    """
    findings = message_order.check(outline(directory))
    ciphertexts, masks, repetition = Ciphertexts(), Masks(), Repetition()
    # Keys first: files are read one after the other, and a key may stand in a later one.
    for direction, envelope in contents(directory):
        ciphertexts.learn(direction, envelope)
    for direction, envelope in contents(directory):
        ciphertexts.add(direction, envelope)
        masks.add(direction, envelope.message)
        repetition.add(direction, envelope.message)
    found = [*ciphertexts.findings(), *masks.findings(), *repetition.findings()]
    return [*findings[:-1], *found, findings[-1]]
