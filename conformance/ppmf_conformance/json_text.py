# SPDX-License-Identifier: Apache-2.0
"""JSON without floats and without repeated names, written on one line (PPMF-CON-003)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ppmf_spec.errors import EncodingError


def loads(text: str | bytes, where: str) -> Any:
    """The value of a JSON text.

    Raises EncodingError, beginning with `where`, for what is not JSON in UTF-8, for a number with
    a point or an exponent, and for an object that names a member twice.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float
        )
    except EncodingError as error:
        raise EncodingError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise EncodingError(f"{where}: not JSON ({type(error).__name__})") from None


def line(value: object) -> str:
    """The value on one line, without spaces, text outside ASCII as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise EncodingError("an object names a member twice")
    return found


def _no_float(text: str) -> NoReturn:
    raise EncodingError(f"{text[:20]} is a JSON float; numbers are integers or strings")
