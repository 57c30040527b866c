# SPDX-License-Identifier: Apache-2.0
"""Tables as people have them, read strictly: the one reader of ratings, lists and titles.

A table is text or Parquet. Text may be compressed by gzip, or be the one file in a zip archive;
columns stand between commas, tabs, `::`, `|` or `;`. Fields between commas and semicolons may be
quoted, as in CSV; between tabs and `|` they may if the header (or, with `|`, the first line) has a
quoted field. The number of a line is that of the row's first line in the text; in Parquet it is the
number of the row, from 1.

A first line is a header if it has a usual name (see `columns`), or one that the user gave, and no
number. No file is read beyond `LARGEST` bytes, compressed or not, so that no archive of a few
kilobytes can fill the memory.
"""

from __future__ import annotations

import gzip
import importlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from ppmf.data.columns import Columns, is_number, shown
from ppmf_spec.errors import EncodingError
from ppmf_spec.extras import MissingExtraError
from ppmf_spec.rating_files import Rows, csv_rows, split_rows

LARGEST = 2_000_000_000
"""The largest file that is read, in bytes after decompression."""

SEPARATORS = {"comma": ",", "tab": "\t", "colons": "::", "pipe": "|", "semicolon": ";"}
"""What may stand between columns, by the words that `--separator` takes beside the marks."""

_QUOTED = re.compile('"(?:[^"]|"")*"')
_CHUNK = 1 << 24


class Table(Protocol):
    """A table: its header, if it has one, and chosen columns of its rows."""

    @property
    def source(self) -> Path:
        """The file."""

    @property
    def header(self) -> tuple[str, ...] | None:
        """The names of the columns, or None."""

    @property
    def first(self) -> tuple[str, ...]:
        """The first line's fields: the header, or the first row."""

    @property
    def separator(self) -> str:
        """What stands between columns; nothing in Parquet."""

    def pick(
        self, ids: Sequence[int], others: Sequence[int] = (), *, widths: Sequence[int] = ()
    ) -> Rows:
        """The rows below the header, cut to the columns `ids` and then `others`.

        Raises EncodingError, beginning with `FILE:LINE`, for a row that has not one of `widths`
        columns (without them: as many as the first), and for an id that is a floating-point number
        or depends on a guess of the file's encoding.
        """


def read(path: Path, columns: Columns, separator: str | None = None) -> Table:
    """The table in a file; `separator` is found out from the first line unless it is given.

    Raises EncodingError, beginning with FILE or `FILE:LINE`, for what cannot be read;
    MissingExtraError for Parquet without a package that reads it.
    """
    content = _unpacked(path, _content(path))
    if content.startswith(b"PAR1"):
        return _parquet(path, content)
    return _text_table(path, content, columns, separator)


def separator_named(text: str) -> str:
    """The separator that a value of `--separator` means. Raises EncodingError for another."""
    mark = "\t" if text == "\\t" else SEPARATORS.get(text, text)
    if mark not in SEPARATORS.values():
        raise EncodingError(f"--separator: expected one of {', '.join(SEPARATORS)}")
    return mark


# --- bytes ---


def _bounded(path: Path, stream: IO[bytes] | gzip.GzipFile) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > LARGEST:
            raise EncodingError(f"{path}: more than {LARGEST:,} bytes, the most that is read")
        chunks.append(chunk)
    return b"".join(chunks)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return _bounded(path, file)
    except OSError as error:
        raise EncodingError(f"{path}: cannot be read: {error.strerror}") from error


def _unpacked(path: Path, content: bytes) -> bytes:
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                return _bounded(path, stream)
        if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _only_member(path, content)
    # RuntimeError: a member with a password; NotImplementedError: a method of compression.
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise EncodingError(f"{path}: cannot be decompressed: {error}") from error
    for magic, name in ((b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")):
        if content.startswith(magic):
            raise EncodingError(f"{path}: compressed by {name}; gzip, zip and plain text are read")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise EncodingError(f"{path}: not UTF-8 text but UTF-16; save it as UTF-8")
    return content


def _only_member(path: Path, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [
            one
            for one in archive.infolist()
            if not one.is_dir() and not one.filename.startswith("__MACOSX/")
        ]
        if len(members) != 1:
            names = shown([one.filename for one in members])
            raise EncodingError(f"{path}: a zip archive of {len(members)} files, not one: {names}")
        with archive.open(members[0]) as stream:
            return _bounded(path, stream)


# --- text ---


@dataclass(frozen=True, slots=True)
class _Text:
    source: Path
    text: str
    separator: str
    quoted: bool
    latin1: bool
    header: tuple[str, ...] | None
    first: tuple[str, ...]

    def pick(
        self, ids: Sequence[int], others: Sequence[int] = (), *, widths: Sequence[int] = ()
    ) -> Rows:
        expected = widths or (len(self.first),)
        rows = _rows(self.source, self.text, self.separator, quoted=self.quoted)
        if self.header is not None:
            next(rows)
        for line, row in rows:
            if len(row) not in expected:
                right = " or ".join(map(str, expected))
                what = f"{len(row)} columns" if any(row) else "an empty line"
                raise EncodingError(f"{self.source}:{line}: {what}, expected {right} columns")
            for k in ids if self.latin1 else ():
                if not row[k].isascii():
                    raise EncodingError(f"{self.source}:{line}: not UTF-8 text")
            yield line, [row[k] for k in (*ids, *others)]


def _text_table(path: Path, content: bytes, columns: Columns, separator: str | None) -> _Text:
    try:
        text, latin1 = content.decode("utf-8-sig"), False
    except UnicodeDecodeError as error:
        if b"\0" in content:
            line = content.count(b"\n", 0, error.start) + 1
            raise EncodingError(f"{path}:{line}: not UTF-8 text") from error
        # Old files are Latin-1 in their titles; an id must not depend on that guess (see `pick`).
        text, latin1 = content.decode("latin-1"), True
    text = text.rstrip("\r\n")
    if not text:
        raise EncodingError(f"{path}: the file is empty")
    first_line = text.split("\n", 1)[0].rstrip("\r")
    if not first_line:
        raise EncodingError(f"{path}:1: the first line is empty")
    mark = _separator(path, first_line, columns) if separator is None else separator
    fields = first_line.split(mark)
    # In u.data and .inter, which have no quotes, a quote is a part of an id.
    quoted = mark in (",", ";") or (
        mark in ("\t", "|")
        and any(map(_QUOTED.fullmatch, fields))
        and (mark == "|" or columns.names_in([one.strip('"') for one in fields]) > 0)
    )
    _, first = next(_rows(path, text, mark, quoted=quoted))
    named = columns.names_in(first) > 0
    header = tuple(first) if named else None
    return _Text(path, text, mark, quoted, latin1, header, tuple(first))


def _rows(source: Path, text: str, separator: str, *, quoted: bool) -> Rows:
    return csv_rows(source, text, separator) if quoted else split_rows(text, separator)


def _separator(path: Path, line: str, columns: Columns) -> str:
    """The separator that gives the most names, and in a line without names the one first in it."""
    for mark in ("\t", "::"):  # u.data and ratings.dat, whose ids may be names or hold other marks
        fields = line.split(mark)
        if len(fields) in (3, 4) and is_number(fields[2]):
            return mark
    bare = _QUOTED.sub(lambda match: "x" * len(match[0]), line)
    present = sorted((bare.index(mark), mark) for mark in SEPARATORS.values() if mark in bare)

    def names(mark: str) -> int:
        return columns.names_in([one.strip('"') for one in line.split(mark)])

    best = max((mark for _, mark in present), key=names, default=",")
    return best if names(best) or not present else present[0][1]


# --- Parquet ---


@dataclass(frozen=True, slots=True)
class _Parquet:
    """A Parquet file; `column(k)` gives column k as text, and whether it was floating-point."""

    source: Path
    header: tuple[str, ...]
    reader: _ParquetReader
    separator: str = ""

    @property
    def first(self) -> tuple[str, ...]:
        return self.header

    def pick(
        self, ids: Sequence[int], others: Sequence[int] = (), *, widths: Sequence[int] = ()
    ) -> Rows:
        chosen: list[Iterable[str | None]] = []
        for k in (*ids, *others):
            texts, floating = self.reader.column(self.header[k])
            if floating and k in ids:
                raise EncodingError(
                    f"{self.source}: the column {shown([self.header[k]])} has floating-point "
                    "numbers, not ids"
                )
            chosen.append(texts)
        return self._zipped(chosen)

    def _zipped(self, chosen: list[Iterable[str | None]]) -> Iterator[tuple[int, list[str]]]:
        for number, row in enumerate(zip(*chosen, strict=True), start=1):
            # A missing value is refused like an empty field of text.
            yield number, [text or "" for text in row]


class _ParquetReader(Protocol):
    def column(self, name: str) -> tuple[Iterable[str | None], bool]: ...


class _Arrow:
    def __init__(self, pyarrow: Any, parquet: Any, content: bytes) -> None:
        self._pa = pyarrow
        self._file = parquet.ParquetFile(pyarrow.BufferReader(content))
        metadata = self._file.metadata
        self.names = tuple(self._file.schema_arrow.names)
        groups = range(metadata.num_row_groups)
        # A run of equal values takes no space: the number of rows is bounded too.
        self.size = max(
            metadata.num_rows * 8, sum(metadata.row_group(k).total_byte_size for k in groups)
        )

    def column(self, name: str) -> tuple[Iterable[str | None], bool]:
        column = self._file.read(columns=[name]).column(name)
        kind = column.type
        if self._pa.types.is_dictionary(kind):
            kind = kind.value_type
            column = column.cast(kind)
        texts: list[str | None] = column.cast(self._pa.large_string()).to_pylist()
        return texts, bool(self._pa.types.is_floating(kind))


class _Polars:
    def __init__(self, polars: Any, content: bytes) -> None:
        self._pl = polars
        self._content = content
        self.names = tuple(polars.read_parquet_schema(io.BytesIO(content)))
        rows = polars.scan_parquet(io.BytesIO(content)).select(polars.len()).collect().item()
        self.size = int(rows) * 8

    def column(self, name: str) -> tuple[Iterable[str | None], bool]:
        series = self._pl.read_parquet(io.BytesIO(self._content), columns=[name])[name]
        texts: list[str | None] = series.cast(self._pl.String).to_list()
        return texts, bool(series.dtype.is_float())


def _parquet(path: Path, content: bytes) -> Table:
    for package in ("pyarrow", "polars"):
        try:
            module = importlib.import_module(package)
            parquet = importlib.import_module("pyarrow.parquet") if package == "pyarrow" else None
        except ImportError:
            continue
        errors: tuple[type[Exception], ...] = (
            (module.ArrowException, OSError, ValueError)
            if parquet is not None
            else (module.exceptions.PolarsError, OSError)
        )
        try:
            reader = (
                _Polars(module, content) if parquet is None else _Arrow(module, parquet, content)
            )
        except errors as error:
            raise EncodingError(f"{path}: not a Parquet file that {package} can read") from error
        if reader.size > LARGEST:
            raise EncodingError(f"{path}: more than {LARGEST:,} bytes, the most that is read")
        return _Parquet(path, reader.names, _Refusing(path, reader, errors))
    raise MissingExtraError(
        f"{path}: a Parquet file needs pyarrow or polars, and neither is installed: "
        "pip install pyarrow"
    )


@dataclass(frozen=True, slots=True)
class _Refusing:
    """A reader of columns whose package's errors become one line."""

    source: Path
    reader: _ParquetReader
    errors: tuple[type[Exception], ...]

    def column(self, name: str) -> tuple[Iterable[str | None], bool]:
        try:
            return self.reader.column(name)
        except self.errors as error:
            raise EncodingError(
                f"{self.source}: the column {shown([name])} cannot be read as text or numbers"
            ) from error
