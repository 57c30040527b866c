# SPDX-License-Identifier: Apache-2.0
"""Checks that the recorded transcripts of a run contain nothing but what nobody can read.

Two audits share most of the checks. `audit`, in this module, reads what users, RecSys and CSP
recorded and needs no key and no secret. Its findings say whether the transcripts keep what chapters
5 and 6 promise: every field is of a known class, what was sent was received, ciphertexts are valid
and fresh, masks look uniform and are not repeated, and V is the only value that is opened.
`view_battery.battery` takes the transcript of one party together with that party's keys and a
simulated transcript, and asks more of it.

Begin with `audit`. The modules, in the order of the layers:

- `finding`: the result of one check;
- `transcript_outline`: who sent what to whom in three transcripts, without the contents;
- `message_order`: checks of the types, routes, numbers and order of messages;
- `ciphertext_pieces`, `ciphertexts`: checks that ciphertexts are valid and never repeated;
- `base_points`: the same of the points of base transfers, and how they relate;
- `uniformity`, `masked_fields`, `repetition`: checks of fields that must look uniform;
- `opened_values`, `answer_randomness`: checks of what a party's own keys open;
- `masked_guesses`: whether CSP could test guesses of ratings;
- `converted_bits`: whether RecSys could read ratings from the corrections of the conversion;
- `view_battery`: all checks of one party's transcript.

Every check but those of uniformity and repetition is exact. The tests of uniformity together raise
a false alarm with probability at most 2^-30 an audit, those of repetition less often; `uniformity`
and `repetition` say why.
"""

from __future__ import annotations

from pathlib import Path

from ppmf_audit import message_order
from ppmf_audit.base_points import BasePoints
from ppmf_audit.ciphertexts import Ciphertexts
from ppmf_audit.finding import Finding
from ppmf_audit.masked_fields import Masks
from ppmf_audit.repetition import Repetition
from ppmf_audit.transcript_outline import contents, outline, session_of

__all__ = ["Finding", "audit"]


def audit(directory: Path) -> list[Finding]:
    """The findings on the transcripts in `directory`, each in the folder of its party, beside which
    lies the file of their session (signed-session.cbor).

    Raises EncodingError when a transcript is missing or is not a sequence of records, and what
    `set_up.read` raises when the session is missing or is none.
    """
    entries, session = outline(directory), session_of(directory)
    findings = message_order.check(entries, session.id)
    ciphertexts, points = Ciphertexts(session), BasePoints()
    masks, repetition = Masks(), Repetition()
    # Keys first: files are read one after the other, and a key may stand in a later one.
    for direction, envelope in contents(directory):
        ciphertexts.learn(direction, envelope)
    for direction, envelope in contents(directory):
        ciphertexts.add(direction, envelope)
        points.add(direction, envelope.message)
        masks.add(direction, envelope.message)
        repetition.add(direction, envelope.message)
    found = [*ciphertexts.findings(), *points.findings()]
    found += [*masks.findings(), *repetition.findings()]
    return [*findings[:-1], *found, findings[-1]]
