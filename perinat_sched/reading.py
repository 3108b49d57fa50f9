"""A configuration table, read value by value: what is wrong is noted, and reading goes on.

Whoever mends a configuration wants to hear everything at once, and each time the file, the place in it, the reason
and the mend. So a `Table` (of a TOML file, or of the environment) never raises: it puts a `ConfigurationProblem` on
a shared list, hands back a harmless stand-in and lets the next value be read. A caller whose list is not empty at
the end throws away what was read. A key that nobody asked for is a mistake too: `finish` finds those.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import TypeVar

from perinat_sched import texts
from perinat_sched.errors import ConfigurationProblem, InvalidRequest
from perinat_sched.i18n import say

T = TypeVar("T")
D = TypeVar("D", int, None)
L = TypeVar("L", bound=str)
S = TypeVar("S")

LONGEST_TEXT = 200  # characters
_WORDS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number with decimals",
    list: "a list",
    dict: "a table",
    datetime: "a date and hour",
    date: "a date",
    time: "an hour",
}


class Wrong(ValueError):
    """A value that cannot be used: the reason, and how to mend it."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


def nearest(name: str, names: Collection[str]) -> str:
    """The mend for an unknown name: the closest known one, else the known ones."""
    if close := difflib.get_close_matches(name, names, n=1):
        return f'did you mean "{close[0]}"?'
    return f"known here: {', '.join(sorted(names)) or 'none'}"


def one_line(text: str) -> str:
    """A text that may stand in mails and calendars. Raises Wrong."""
    return typed(partial(texts.one_line, limit=LONGEST_TEXT, required=True), text)


def typed(check: Callable[[str, str], str], text: str) -> str:
    """What `texts` allows people to type holds for operators too. Raises Wrong with its reason and mend."""
    try:
        return check("", text)
    except InvalidRequest as refused:
        reason, _, mend = say(refused.errors[0].message, "en").partition(": ")
        raise Wrong(reason, mend) from None


def read_toml(path: Path, problems: list[ConfigurationProblem], *, required: bool) -> Table:
    """A TOML file as a table; an empty one where it cannot be read, with its one problem noted."""

    def table(values: Mapping[str, object]) -> Table:
        return Table(str(path), values, problems)

    def unreadable(key: str, reason: str, mend: str) -> Table:
        problems.append(ConfigurationProblem(str(path), key, reason, mend))
        return Unreadable(str(path), {}, problems)

    try:
        data = path.read_bytes()
        if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
            return unreadable("line 1", "it begins with a byte order mark", "save it as UTF-8 without BOM")
        return table(tomllib.loads(data.decode()))
    except FileNotFoundError:
        if not required:
            return table({})
        return unreadable("the file", "does not exist", "create it, or set PERINAT_CONFIG_DIR to where it is")
    except IsADirectoryError:
        return unreadable("the file", "is a folder", "put a text file in its place")
    except OSError as error:
        return unreadable("the file", f"cannot be read ({error.strerror})", "let the service's user read it")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return unreadable(f"line {line}", "is not UTF-8", "save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).removesuffix(")").rpartition(" (at ")
        return unreadable(
            place or "the file", f"is not TOML: {reason}", "mend the line: texts in quotes, key = value, each key once"
        )
    except RecursionError:
        return unreadable("the file", "is nested too deep", "write it like the example configuration")


class Table:
    """One table of a configuration file, or the environment. `file` and `prefix` say where it stands."""

    def __init__(
        self, file: str, values: Mapping[str, object], problems: list[ConfigurationProblem], prefix: str = ""
    ) -> None:
        self.file = file
        self._values = values
        self._problems = problems
        self._prefix = prefix
        self._asked: set[str] = set()
        self._children: list[Table] = []

    @property
    def place(self) -> str:
        """Where this table stands in its file, for people: `sites[3] "calais"`."""
        return self._prefix.removesuffix(" → ").removesuffix(".")

    def complain(self, key: str, reason: str, mend: str) -> None:
        """Note that something is wrong with `key`."""
        self._problems.append(ConfigurationProblem(self.file, self._prefix + key, reason, mend))

    def given(self, key: str) -> bool:
        """Whether the key is written at all."""
        self._asked.add(key)
        return key in self._values

    def value(self, key: str, convert: Callable[[str], T], default: T, *, required: bool = False) -> T:
        """A text, converted; `convert` raises Wrong."""
        raw = self._get(key, str, required)
        return default if raw is None else self._converted(key, raw, convert, default)

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """One line of plain text."""
        return self.value(key, one_line, default, required=required)

    def choice(self, key: str, choices: tuple[L, ...], default: L) -> L:
        """One word of a few."""

        def chosen(text: str) -> L:
            for choice in choices:
                if choice == text:
                    return choice
            raise Wrong(f'"{text}" is none of {", ".join(choices)}', nearest(text, choices))

        return self.value(key, chosen, default)

    def whole(self, key: str, default: D, least: int, most: int, *, required: bool = False) -> int | D:
        """A whole number from `least` to `most`."""
        number = self._get(key, int, required)
        if number is None:
            return default
        if not least <= number <= most:
            self.complain(key, f"{number} is out of range", f"write a whole number from {least} to {most}")
            return default
        return number

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        flag = self._get(key, bool, required=False)
        return default if flag is None else flag

    def texts(self, key: str, convert: Callable[[str], T], *, required: bool = False) -> tuple[T, ...]:
        """A list of texts, each converted, none twice; `required`: not an empty one either."""
        found: list[T] = []
        for index, raw in enumerate(self._list(key, str, required)):
            item = self._converted(f"{key}[{index}]", raw, convert, None)
            if item in found:
                self.complain(f"{key}[{index}]", f'"{raw}" is named twice', "remove one of them")
            elif item is not None:
                found.append(item)
        return tuple(found)

    def table(self, key: str, *, required: bool = False) -> Table:
        """A table within this one; empty where there is none."""
        return self._child(f"{self._prefix}{key}.", self._get(key, dict, required) or {})

    def tables(self, key: str, *, required: bool = False) -> list[Table]:
        """A list of tables, `[[key]]`; each goes by its place and its code."""
        tables = []
        for index, values in enumerate(self._list(key, dict, required)):
            code = values.get("code")
            label = f' "{code}" → ' if isinstance(code, str) and len(code) <= 40 and code.isprintable() else "."
            tables.append(self._child(f"{self._prefix}{key}[{index}]{label}", values))
        return tables

    def finish(self) -> None:
        """Note every key that nobody asked for, here and in the tables within."""
        for key in self._values.keys() - self._asked:
            self.complain(_printable(key), "is not known", nearest(key, self._asked))
        for child in self._children:
            child.finish()

    def _child(self, prefix: str, values: Mapping[str, object]) -> Table:
        child = type(self)(self.file, values, self._problems, prefix)
        self._children.append(child)
        return child

    def _get(self, key: str, kind: type[T], required: bool) -> T | None:
        self._asked.add(key)
        if key not in self._values:
            if required:
                self.complain(key, "is missing", f"add it: {_WORDS[kind]}")
            return None
        return self._typed(key, self._values[key], kind)

    def _list(self, key: str, kind: type[T], required: bool) -> list[T]:
        items = self._get(key, list, required)
        if items is not None and not items and required:
            self.complain(key, "is empty", "name at least one")
        typed = [self._typed(f"{key}[{index}]", item, kind) for index, item in enumerate(items or [])]
        return [item for item in typed if item is not None]

    def _typed(self, key: str, value: object, kind: type[T]) -> T | None:
        if type(value) is kind:  # not isinstance: true is no number
            return value
        mend = f"write {_WORDS[kind]}"
        if kind is str and not isinstance(value, list | dict):
            mend = f'write it in quotes: "{value}"'
        self.complain(key, f"is {_WORDS[type(value)]}, not {_WORDS[kind]}", mend)
        return None

    def _converted(self, key: str, raw: str, convert: Callable[[str], T], default: S) -> T | S:
        try:
            return convert(raw)
        except Wrong as wrong:
            self.complain(key, wrong.reason, wrong.mend)
            return default


class Unreadable(Table):
    """A file that could not be read: its one problem is noted, and the keys it lacks are not worth another."""

    def complain(self, key: str, reason: str, mend: str) -> None:
        pass


def _printable(key: str) -> str:
    return key if key.isprintable() and key else repr(key)
