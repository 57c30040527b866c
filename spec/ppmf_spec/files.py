# SPDX-License-Identifier: Apache-2.0
"""Whole files, read and written.

Reading ends in the text or in one clear error; writing leaves the whole new file or the old one.
"""

from __future__ import annotations

import os
from pathlib import Path

from ppmf_spec.errors import EncodingError


def read_bytes(path: Path) -> bytes:
    """The bytes of the file. Raises EncodingError, naming the file, if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EncodingError(f"{path}: cannot be read: {error.strerror}") from error


def read_text(path: Path) -> str:
    """The file as text: UTF-8, a byte-order mark dropped, line ends (CRLF, CR) left alone.

    Raises EncodingError naming the file, and the line of the first byte that does not decode.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EncodingError(f"{path}:{line}: not UTF-8 text") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path`: a reader, or a crash half-way, finds the old file or the new one.

    The bytes go to a file beside it, reach the disk, and take its name. OSError passes through:
    a full or read-only disk is no fault of the input.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
