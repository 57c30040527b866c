# SPDX-License-Identifier: Apache-2.0
"""JSON without floats and without repeated names, written on one line (PPMF-CON-003)."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from ppmf_spec.errors import EncodingError

_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str | bytes, where: str) -> Any:
    """The value of a JSON text.

    Raises EncodingError, beginning with `where`, for what is not JSON in UTF-8, for a number with
    a point or an exponent, for an object that names a member twice, and for half of a surrogate
    pair, which is no text (PPMF-CON-002, -003, -024).
    """
    try:
        # The json module would guess the encoding of bytes, and take UTF-16 as well.
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        found = json.loads(
            decoded, object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float
        )
        if _SURROGATE_ESCAPE.search(decoded):
            json.dumps(found, ensure_ascii=False).encode("utf-8")
        return found
    except UnicodeDecodeError:
        raise EncodingError(f"{where}: not UTF-8") from None
    except UnicodeEncodeError:
        raise EncodingError(f"{where}: half of a surrogate pair") from None
    except EncodingError as error:
        raise EncodingError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise EncodingError(f"{where}: not JSON ({type(error).__name__})") from None


def line(value: object) -> str:
    """The value on one line, without spaces, text outside ASCII as it is.

    What is no text in UTF-8 (an argument of the command line need not be) becomes U+FFFD.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _SURROGATE.sub("\ufffd", text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise EncodingError("an object names a member twice")
    return found


def _no_float(text: str) -> NoReturn:
    raise EncodingError(f"{text[:20]} is a JSON float; numbers are integers or strings")
