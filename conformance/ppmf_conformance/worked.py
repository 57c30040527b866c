# SPDX-License-Identifier: Apache-2.0
"""The files of the worked transcript: one toy run with all its secrets, the sequence of its
messages with every length, and netlists as text.

`adapters.transcripts` plays the run again; what is here needs no cryptography.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from ppmf_conformance.cases import DIGESTS, digests
from ppmf_spec.errors import EncodingError

_FOLDER = files(__package__) / "transcript"


def read(name: str) -> bytes:
    """A file of the worked transcript. Raises EncodingError if it is not the one that is listed."""
    content = (_FOLDER / name).read_bytes()
    if name != DIGESTS and digests(_FOLDER).get(name) != hashlib.sha256(content).hexdigest():
        raise EncodingError(f"{name}: not the file that {DIGESTS} lists")
    return content


def contents() -> dict[str, bytes]:
    """All files by name, the list of their digests last."""
    return {name: read(name) for name in [*digests(_FOLDER), DIGESTS]}
