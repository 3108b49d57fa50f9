"""What a page says, piece by piece: for tests that read pages as people do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

ENDS = {"title", "td", "th", "li", "p", "h1", "h2", "h3", "caption", "option", "tr", "dd", "dt", "label", "legend"} | {
    "summary", "figcaption", "button", "main", "form", "fieldset", "section", "ul", "div", "textarea", "thead", "tbody"
}  # fmt: skip
SAID = ("aria-label", "alt", "title", "placeholder")
VOID = {"input", "meta", "link", "img", "br", "hr", "rect", "path"}


@dataclass
class Cell:
    """A cell of a table, and in which column it stands."""

    column: int
    text: str = ""


@dataclass
class Table:
    """What stands above a table, and in it."""

    caption: str = ""
    heads: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)


class Reading(HTMLParser):
    """A page's pieces in the language of the page (what is marked as another language is left out), and its tables."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.pieces: list[str] = [""]
        self.outside: list[str] = [""]  # of tables
        self.tables: list[Table] = []
        self.labels: dict[str, str] = {}
        self.clocks: list[str] = []  # the ids of fields for hours
        self._open: list[tuple[str, bool]] = []  # each with whether it is foreign
        self._within: Table | None = None
        self._label: str | None = None
        self.feed(page.decode())
        self.pieces = [" ".join(piece.split(" ")).strip(" \n") for piece in self.pieces if piece.strip(" \n")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ENDS:
            self._cut()
        if tag not in VOID:
            foreign = tag in ("pre", "code", "script", "style", "textarea") or (tag != "html" and "lang" in given)
            self._open.append((tag, foreign))
        if not self._foreign:
            self.pieces[1:1] = [said for name in SAID if (said := given.get(name))]
        if tag == "table":
            self._within = Table()
            self.tables.append(self._within)
        if self._within is not None and tag in ("th", "td") and not self._is_in("thead"):
            self._within.cells.append(Cell(self._column()))
        if tag == "tr":
            self._next = 0
        if self._within is not None and tag == "th" and self._is_in("thead"):
            self._within.heads.append("")
        if tag == "label":
            self._label = given.get("for")
        if tag == "input" and given.get("type") in ("time", "datetime-local"):
            self.clocks.append(given.get("id") or "")

    def _column(self) -> int:
        self._next += 1
        return self._next - 1

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass
        if tag in ENDS:
            self._cut()
        if tag == "table":
            self._within = None
        if tag == "label":
            self._label = None

    def handle_data(self, data: str) -> None:
        if self._foreign:
            return
        self.pieces[-1] += data
        if self._label is not None:
            self.labels[self._label] = self.labels.get(self._label, "") + data
        if self._within is None:
            self.outside[-1] += data
        elif self._is_in("caption"):
            self._within.caption += data
        elif self._is_in("thead") and self._within.heads:
            self._within.heads[-1] += data
        elif self._within.cells:
            self._within.cells[-1].text += data

    @property
    def _foreign(self) -> bool:
        return any(foreign for _, foreign in self._open)

    def _is_in(self, tag: str) -> bool:
        return any(name == tag for name, _ in self._open)

    def _cut(self) -> None:
        self.pieces.append("")
        if self._within is None:
            self.outside.append("")

    def placed(self) -> Iterator[tuple[str, str]]:
        """Each piece, and what stands around it that may say whose clock is meant: itself, or the heads of a table."""
        for piece in self.outside:
            yield piece, piece
        for table in self.tables:
            for cell in table.cells:
                head = table.heads[cell.column] if cell.column < len(table.heads) else ""
                yield cell.text, f"{cell.text} {head} {table.caption}"
