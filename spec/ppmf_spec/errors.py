# SPDX-License-Identifier: Apache-2.0
"""The five classes of refusals, a closed list (PPMF-ERR-001, -002).

Every refusal of bad input, in the oracle, in the protocol and in the conformance suite, is of one
of these five classes; its message is one line that says what was wrong and where, and never
contains a secret.
"""

from __future__ import annotations

from typing import ClassVar


class PpmfError(Exception):
    """A refusal: `kind` is its class in the closed list, `str()` the one line for a person."""

    kind: ClassVar[str]


class EncodingError(PpmfError):
    """Bytes or text that do not decode: truncated, of the wrong length, not canonical."""

    kind = "encoding"


class RangeError(PpmfError):
    """A value outside its set: a rating off the scale, a ciphertext outside its group."""

    kind = "range"


class StateError(PpmfError):
    """A message or call out of turn: reordered, replayed, of another session, sent twice."""

    kind = "state"


class PeerError(PpmfError):
    """The other party disappeared or stopped with an error of its own."""

    kind = "peer"


class ParametersError(PpmfError):
    """A parameter set that is malformed, outside its domain, or could overflow the ring."""

    kind = "parameters"


def told(text: str) -> str:
    r"""Text of another party as it may stand in a refusal (PPMF-ERR-009).

    It is cut to 40 characters, in quotes, with escapes for all that is not printable ASCII.

    >>> print(told("\x1b[2Jusers"))
    '\x1b[2Jusers'
    """
    return ascii(text[:40])


def check_type(value: object, expected: type, where: str) -> None:
    """Refuse an object of another type than a function of the library takes (RangeError).

    `where` begins the message, which names both types and shows nothing of the object.
    """
    if not isinstance(value, expected):
        kind = type(value)
        module = kind.__module__.partition(".")[0]
        name = kind.__name__ if module == "builtins" else f"{module}.{kind.__name__}"
        raise RangeError(f"{where}: {name} where {expected.__name__} belongs")


KINDS: tuple[type[PpmfError], ...] = (
    EncodingError,
    RangeError,
    StateError,
    PeerError,
    ParametersError,
)
