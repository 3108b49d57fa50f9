"""Tables as pictures: columns by month, bars of shares; SVG files that the table beside them says in words.

svg.py writes what it is given as it is: every text passes `_text`. There is no script and no style sheet in a
picture, so its policy allows nothing at all. Colours can be told apart by their lightness too (after Okabe and Ito).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import count, takewhile
from typing import Literal

import svg

from perinat_sched import i18n
from perinat_sched.sites.network import Language
from perinat_sched.web.desk.figures.tables import Table

WIDTH = 900
POLICY = "default-src 'none'; frame-ancestors 'none'"
COLOURS = ("#0b5d7a", "#e69f00", "#56b4e9", "#7a3b69", "#009e73", "#d55e00", "#f0e442", "#8a9aa1")
INK, GRID, PAPER = "#1c2a30", "#d5dfe3", "#ffffff"
FONT = "system-ui, sans-serif"
PLOT = {"left": 60, "top": 16, "width": 828, "height": 250}
LEGEND_LINE, LEGEND_COLUMNS = 22, 2
BAR_LINE, BAR_LEFT, BAR_WIDTH = 26, 360, 440


def columns(table: Table) -> str:
    """A column a month, the kinds on top of one another; the last column of the table, the sum, is left out."""
    names = [name for name, _ in table.rows]
    values = [list(numbers[:-1]) for _, numbers in table.rows]
    steps = _steps(max(sum(month) for month in zip(*values, strict=True)))
    scale = PLOT["height"] / steps[-1]
    floor = PLOT["top"] + PLOT["height"]
    room = PLOT["width"] / len(values[0])
    drawn: list[svg.Element] = []
    for step in steps:
        y = floor - step * scale
        drawn.append(svg.Line(x1=PLOT["left"], x2=PLOT["left"] + PLOT["width"], y1=y, y2=y, stroke=GRID))
        drawn.append(_text(_number(step, table.language), PLOT["left"] - 8, y + 4, "end"))
    for month, head in enumerate(table.header[1:-1]):
        x, y = PLOT["left"] + month * room, float(floor)
        for row, colour in zip(values, _colours(len(values)), strict=True):
            height = row[month] * scale
            y -= height
            if height:
                bar = svg.Rect(x=x + room * 0.18, y=y, width=room * 0.64, height=height, fill=colour, stroke=PAPER)
                drawn.append(bar)
        drawn.append(_text(head, x + room / 2, floor + 20, "middle"))
    below = floor + 44
    for position, (name, colour) in enumerate(zip(names, _colours(len(names)), strict=True)):
        x = 16 + (position % LEGEND_COLUMNS) * (WIDTH - 32) / LEGEND_COLUMNS
        y = below + (position // LEGEND_COLUMNS) * LEGEND_LINE
        drawn += [svg.Rect(x=x, y=y - 11, width=13, height=13, fill=colour), _text(name, x + 20, y, "start")]
    return _picture(drawn, below + LEGEND_LINE * (1 + (len(names) - 1) // LEGEND_COLUMNS))


def shares(table: Table) -> str:
    """A bar a line, as long as its share, against the largest; the most used on top."""
    rows = sorted(((numbers[-1], name) for name, numbers in table.rows), reverse=True)
    largest = max(rows[0][0], 0.01)
    drawn: list[svg.Element] = []
    for line, (share, name) in enumerate(rows):
        y = 14 + line * BAR_LINE
        length = BAR_WIDTH * share / largest
        drawn.append(_text(name, BAR_LEFT - 10, y + 13, "end"))
        drawn.append(svg.Rect(x=BAR_LEFT, y=y, width=max(length, 1), height=BAR_LINE - 8, fill=COLOURS[0]))
        drawn.append(_text(i18n.percent(share, table.language), BAR_LEFT + length + 8, y + 13, "start"))
    return _picture(drawn, 20 + BAR_LINE * len(rows))


DRAWN: Mapping[str, Callable[[Table], str]] = {
    "sessions": columns,
    "hours": columns,
    "sites": columns,
    "rooms": shares,
    "cancellations": columns,
}


def _picture(drawn: list[svg.Element], height: float) -> str:
    paper = svg.Rect(x=0, y=0, width=WIDTH, height=height, fill=PAPER)
    whole = svg.SVG(viewBox=svg.ViewBoxSpec(0, 0, WIDTH, height), width=WIDTH, height=height, elements=[paper, *drawn])
    return whole.as_str()


def _text(words: str, x: float, y: float, anchor: Literal["start", "middle", "end"]) -> svg.Text:
    return svg.Text(text=escape(words), x=x, y=y, text_anchor=anchor, font_size=13, font_family=FONT, fill=INK)


def _number(value: float, language: Language) -> str:
    return i18n.number(value, language, 0 if value == int(value) else 1)


def _colours(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


def _steps(most: float) -> Sequence[float]:
    """From 0 to at least `most`, two to six round numbers."""
    round_numbers = (first * 10.0**power for power in count() for first in (1, 2, 5))
    size = next(step for step in round_numbers if step * 5 >= most)
    below = list(takewhile(lambda step: step < most, (size * number for number in count())))
    return [*below, size * len(below)]
