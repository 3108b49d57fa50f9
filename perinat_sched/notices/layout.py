"""How a letter lies on the page: as text, and as HTML that says the same.

The words are all in the letter; neither print has any of its own, so that neither can say less than the other. The
HTML reads at a telephone's width, without images and with the little style that mail programs keep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from perinat_sched.i18n import Language, Message, say

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(enabled_extensions=("html.j2",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@cache
def _page() -> Callable[[Letter], str]:
    """Jinja2 itself looks at the file's date each time, and builds a whole context for a template that is no macro."""
    page: Callable[[Letter], str] = _templates.get_template("letter.html.j2").module.page  # type: ignore[attr-defined]
    return page


class Line(NamedTuple):
    """One fact: its name, and what it is; a link where it can be followed."""

    label: str
    value: str
    link: bool = False


class Section(NamedTuple):
    """Facts of one sort under a heading; never without lines."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """Everything a mail says."""

    language: Language
    subject: str
    first_line: str  # the reader's own hour
    paragraphs: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str


def as_text(written: Letter) -> str:
    """The letter for any reader."""
    labelled = say(Message("{label}: {value}"), written.language).format
    blocks = [written.first_line, *written.paragraphs]
    for heading, lines in written.sections:
        # The value as it is written, line by line.
        facts = ["\n  ".join(labelled(label=label, value=value).splitlines()) for label, value, _ in lines]
        blocks.append("\n- ".join([heading.upper(), *facts]))
    return "\n\n".join([*blocks, written.footer]) + "\n"


def as_html(written: Letter) -> str:
    """The same letter, readable at a telephone's width, without images."""
    return str(_page()(written))
