"""Spreadsheets as CSV: what Excel and LibreOffice write, in French and in English, and what they may be given.

A file says neither its encoding nor its separator: both are found out. Programs take a cell that begins like a formula
for one and carry it out, so none leaves without an apostrophe before it (OWASP, CSV injection), which is taken away
again where it comes back; and none is read: what a person sees there is its result, and the file has only the formula.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from perinat_sched.errors import InvalidRequest

LARGEST = 256 * 1024
MOST_LINES = 1000  # without the header
MOST_COLUMNS = 50
SEPARATORS = ";,\t"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line under the header, with the number that a spreadsheet shows beside it."""

    number: int
    cells: tuple[str, ...]  # as many as the header has, stripped


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A spreadsheet as it was read; lines without anything in them are left out."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]


def read(content: bytes) -> Sheet:
    """A CSV file with a header: UTF-8 (with or without its mark), UTF-16 with one, else Windows' Latin-1.

    Raises InvalidRequest on `file`.
    """
    if len(content) > LARGEST:
        raise InvalidRequest.of("file", "A file has at most 256 KB: split it, by year.")
    text = _decoded(content)
    if "\0" in text:
        raise InvalidRequest.of("file", "This is no CSV file: save the spreadsheet as CSV.")
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[Row] = []
    try:
        for number, cells in enumerate(reader, 1):
            stripped = tuple(map(str.strip, cells))
            if any(stripped):
                lines.append(Row(number=number, cells=stripped))
            if len(lines) > MOST_LINES + 1:
                raise InvalidRequest.of("file", "A file has at most {most} lines: split it, by year.", most=MOST_LINES)
    except csv.Error:
        raise InvalidRequest.of(
            "file", "Line {number} cannot be read: look for a quotation mark that is not closed.",
            number=lines[-1].number + 1 if lines else 1,
        ) from None  # fmt: skip
    if len(lines) < 2:
        raise InvalidRequest.of("file", "Nothing is in this file: give a header and a line for each date.")
    header, rows = lines[0].cells, lines[1:]
    if len(header) > MOST_COLUMNS:
        raise InvalidRequest.of("file", "A file has at most {most} columns.", most=MOST_COLUMNS)
    return Sheet(header=header, rows=tuple(_as_wide(row, len(header)) for row in rows))


def opened(file: Path) -> bytes:
    """What is in a file, as far as it may be read. Raises InvalidRequest."""
    try:
        with file.open("rb") as content:
            return content.read(LARGEST + 1)
    except OSError as error:
        raise InvalidRequest.of("file", "{file} cannot be read: {reason}.", file=file, reason=error.strerror) from None


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in BOMS.items() if content.startswith(mark)), None)
    for name in [encoding] if encoding else ["utf-8", "cp1252"]:
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    raise InvalidRequest.of("file", "This is no text: save the spreadsheet as CSV, in UTF-8.")


def _as_wide(row: Row, width: int) -> Row:
    """Exactly as many cells as the header: some programs leave empty ones out at the end, others add some."""
    if any(row.cells[width:]):
        raise InvalidRequest.of(
            "file", "Line {number} has more cells than the header: put texts with separators in quotation marks.",
            number=row.number,
        )  # fmt: skip
    cells = (*row.cells, *[""] * width)[:width]
    return Row(number=row.number, cells=cells)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would compute it; a text that begins with a dash is a text."""
    return cell.startswith(("=", "@", "＝", "＠"))


def unprotected(cell: str) -> str:
    """A cell without the apostrophe that `written` puts before what looks like a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def written(header: Sequence[str], rows: Iterable[Sequence[str]], separator: str) -> bytes:
    """A CSV file that Excel opens by a double click: RFC 4180, UTF-8 with its mark, no cell a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    for row in (header, *rows):
        writer.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row])
    return codecs.BOM_UTF8 + out.getvalue().encode()
