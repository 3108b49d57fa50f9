"""Tables as CSV files that a spreadsheet opens by a double click."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def written(header: Sequence[str], rows: Iterable[Sequence[str]], separator: str) -> bytes:
    """RFC 4180, UTF-8 with its mark; a cell that a spreadsheet would compute gets an apostrophe before it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    for row in (header, *rows):
        writer.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row])
    return codecs.BOM_UTF8 + out.getvalue().encode()
