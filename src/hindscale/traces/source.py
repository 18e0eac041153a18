"""A trace file before anyone knows its format: opened, unpacked, and its first lines at hand.

Formats ask a `TraceSource` for what they need and never touch the path: compression is recognised by
content, tables are read in batches, and whatever a reader library raises becomes one line that names
the file.
"""

from __future__ import annotations

import bz2
import csv as python_csv
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from hindscale.core.errors import TraceError

__all__ = ["BLOCK_BYTES", "TraceSource"]

HEAD_BYTES = 1 << 16
BLOCK_BYTES = 1 << 21  # Arrow reads 32 blocks ahead; a row must fit in one
LINE_BYTES = 1 << 24
_OPENERS: Mapping[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_STRANGERS: Mapping[bytes, str] = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV",
    b"\x28\xb5\x2f\xfd": "a file compressed with Zstandard; unpack it, or use gzip, bzip2 or xz",
    b"\xff\xfe": "text in UTF-16; save it in UTF-8",
    b"\xfe\xff": "text in UTF-16; save it in UTF-8",
}
_READ_ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeDecodeError, pa.ArrowException)
_ZONE = re.compile(r":\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)")
_NO_VALUE = frozenset(csv.ConvertOptions().null_values)
_LONGEST_QUOTE = 60


@dataclass(frozen=True)
class TraceSource:
    """One file that may hold a trace.

    Attributes:
        path: Where it is.
        name: What the trace will be called.
    """

    path: Path
    name: str

    @classmethod
    def open(cls, path: str | Path, *, name: str | None = None) -> TraceSource:
        """Check that there is a file with something in it.

        Raises:
            TraceError: If the path does not exist, is no regular file, cannot be read, or is empty.
        """
        path = Path(path)
        source = cls(path=path, name=name or _name_of(path))
        with source.errors_named():
            if not path.exists():
                raise TraceError(f"{path}: no such file")
            if path.is_dir():
                raise TraceError(f"{path}: expected a file, is a directory; name one file in it")
            if not path.is_file():  # it is read more than once, which a pipe does not allow
                raise TraceError(f"{path}: expected a regular file, is a pipe or a device; save it to a file first")
        if not source.magic:
            raise TraceError(f"{path}: expected a trace, the file is empty")
        return source

    @cached_property
    def magic(self) -> bytes:
        """The first bytes on disk, before unpacking."""
        with self.errors_named(), self.path.open("rb") as file:
            return file.read(8)

    @property
    def is_parquet(self) -> bool:
        return self.magic.startswith(b"PAR1")

    @cached_property
    def head(self) -> str:
        """The beginning of the unpacked text, whole lines; the only line if it is longer than that."""
        if self.is_parquet:
            return ""
        with self.errors_named(), self.unpacked() as file:
            raw = file.read(HEAD_BYTES)
        stranger = next((what for magic, what in _STRANGERS.items() if raw.startswith(magic)), "")
        if raw.startswith(b"PAR1"):
            stranger = "Parquet that was compressed once more; unpack it"
        elif b"\0" in raw:
            stranger = stranger or "binary data (a zero byte)"
        if stranger:
            raise TraceError(f"{self.path}: expected a table or a log in text, found {stranger}")
        if not raw.strip():
            raise TraceError(f"{self.path}: expected a trace, found nothing but white space")
        text = raw.decode("utf-8-sig", errors="replace")
        return text if len(raw) < HEAD_BYTES or "\n" not in text else text[: text.rindex("\n") + 1]

    @cached_property
    def lines(self) -> Sequence[str]:
        """The first lines, without line ends."""
        return self.head.splitlines()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The first line as the header of a comma-separated table."""
        cells = next(python_csv.reader(self.lines[:1], skipinitialspace=True), [])
        return tuple(cell.strip() for cell in cells)

    def has_columns(self, *names: str) -> bool:
        return set(names) <= set(self.columns)

    @contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """The bytes of the file, decompressed if it is compressed."""
        opener = next((opener for magic, opener in _OPENERS.items() if self.magic.startswith(magic)), None)
        with self.errors_named(), opener(self.path, "rb") if opener else self.path.open("rb") as file:
            yield cast("IO[bytes]", file)

    @contextmanager
    def errors_named(self) -> Iterator[None]:
        """Turn what libraries raise into one line with the path."""
        try:
            yield
        except _READ_ERRORS as error:
            raise TraceError(f"{self.path}: cannot be read: {_one_line(error)}") from error

    def text_lines(self) -> Iterator[str]:
        """All lines of the unpacked text, one at a time."""
        number = 0
        with self.unpacked() as file:
            while line := file.readline(LINE_BYTES):
                number += 1
                if len(line) == LINE_BYTES:
                    raise TraceError(
                        f"{self.path}: line {number}: expected text, found {LINE_BYTES:,} bytes in one line"
                    )
                yield line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace").rstrip("\r\n")

    def csv_columns(
        self,
        numbers: Sequence[str],
        *,
        timestamps: Sequence[str] = (),
        header: Sequence[str] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Named columns of a comma-separated table as NumPy arrays, further ones are skipped.

        Args:
            numbers: Columns to read as float64; empty cells become NaN.
            timestamps: Columns to read as datetime64[ns] in UTC, which a time without a zone is taken for;
                empty cells become NaT.
            header: The column names of a file that has no header line.

        Raises:
            TraceError: If there are no rows, a cell does not fit, or a row has too few or too many cells.
        """
        parts: dict[str, list[NDArray[Any]]] = {column: [] for column in (*numbers, *timestamps)}
        for batch in self.csv_batches(numbers, timestamps=timestamps, header=header):
            for column, values in batch.items():
                parts[column].append(values)
        # pop: the parts of a column are gone before the next one is joined.
        return {column: np.concatenate(parts.pop(column)) for column in (*numbers, *timestamps)}

    def csv_batches(
        self,
        numbers: Sequence[str],
        *,
        timestamps: Sequence[str] = (),
        header: Sequence[str] | None = None,
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """The same a few thousand rows at a time, for tables whose columns need not be kept."""
        columns = tuple(header or self.columns)
        types = dict.fromkeys(numbers, pa.float64()) | {column: self._timestamp_type(column) for column in timestamps}
        for column in types:
            if columns.count(column) > 1:
                raise TraceError(f"{self.path}: line 1: expected each column once, found {column} again")
        if not header and not any(line.strip() for line in self.lines[1:]):
            raise TraceError(f"{self.path}: expected rows below the header, found none")
        with self._bad_row_located(columns, types, header_lines=0 if header else 1), self.unpacked() as file:
            reader = csv.open_csv(
                file,
                read_options=csv.ReadOptions(
                    block_size=BLOCK_BYTES, column_names=columns, skip_rows=0 if header else 1, use_threads=False
                ),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(column_types=types, include_columns=list(types)),
            )
            for batch in reader:
                yield {column: batch.column(column).to_numpy(zero_copy_only=False) for column in types}

    def _timestamp_type(self, column: str) -> pa.DataType:
        """Arrow wants to know beforehand whether times carry a zone: the first one tells."""
        rows = python_csv.DictReader((line for line in self.lines[1:] if line.strip()), self.columns)
        first = next(rows, {}).get(column) or ""
        return pa.timestamp("ns", "UTC" if _ZONE.search(first) else None)

    @contextmanager
    def _bad_row_located(
        self, columns: Sequence[str], types: Mapping[str, pa.DataType], *, header_lines: int
    ) -> Iterator[None]:
        """Arrow does not know the lines of a file: look again, slowly, and name the one that is wrong."""
        try:
            yield
        except TraceError as error:
            where = self._first_bad_row(columns, types, header_lines)
            if not where:
                raise
            raise TraceError(f"{self.path}: {where}") from error

    def _first_bad_row(self, columns: Sequence[str], types: Mapping[str, pa.DataType], header_lines: int) -> str:
        wanted = [(columns.index(column), column, kind) for column, kind in types.items()]
        rows = python_csv.reader(self.text_lines())
        try:
            for row in rows:
                if not row or rows.line_num <= header_lines:
                    continue
                if len(row) != len(columns):
                    return f"line {rows.line_num}: expected {len(columns)} cells, found {len(row)}"
                for i, column, kind in wanted:
                    expected = _what_is_wrong(row[i], kind)
                    if expected:
                        return f"line {rows.line_num}: {column} must be {expected}, was {row[i][:_LONGEST_QUOTE]!r}"
        except python_csv.Error:
            pass
        return ""


def _what_is_wrong(cell: str, kind: pa.DataType) -> str:
    """What a cell should have been, or nothing if it is."""
    if cell in _NO_VALUE:
        return ""
    if pa.types.is_floating(kind):
        return "" if _is_float(cell) else "a number"
    if not _is_timestamp(cell):
        return "a time such as 2026-01-31 23:59:59"
    if kind.tz and not _ZONE.search(cell):
        return "a time with a zone, like the first"
    return "a time without a zone, like the first" if not kind.tz and _ZONE.search(cell) else ""


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def _is_timestamp(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "-" in text


def _one_line(error: BaseException) -> str:
    text = " ".join(str((isinstance(error, OSError) and error.strerror) or error).split())
    return text or type(error).__name__


def _name_of(path: Path) -> str:
    """The file's name without what tells its format and compression: week.csv.gz is week."""
    unpacked = path.with_suffix("") if path.suffix in {".gz", ".bz2", ".xz"} else path
    return unpacked.stem
