"""The log: one JSON object a line, with an action and the request it belongs to, and no secret in it.

What is logged are sentences of ours and codes; a title, a name, an address or a feed's token never is. Two fences
stand behind that rule: an exception is told by its types and places, without its text, which may quote what somebody
sent (aiohttp's own errors quote whole requests); and whatever looks like a token is blotted out of every line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from contextlib import nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import islice
from types import TracebackType
from typing import TextIO

from pydantic import TypeAdapter

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# What it looks like, and what stands instead; the first words tell, more quickly, that there is none.
SECRETS = (
    (("ps_",), re.compile(r"ps_[A-Za-z0-9_-]{8,}"), "ps_…"),
    (("/feeds/",), re.compile(r"/feeds/[^/\s\"'{]+?\.ics"), "/feeds/….ics"),
    (("/feeds/",), re.compile(r"/feeds/[A-Za-z0-9_-]{43}"), "/feeds/…"),
    (("/unsubscribe/",), re.compile(r"/unsubscribe/[A-Za-z0-9_-]+"), "/unsubscribe/…"),
    (("bearer", "basic"), re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"'\\]+"), r"\1 …"),
    (("://",), re.compile(r"://[^/\s:@\"']*:[^/\s@\"']*@"), "://…@"),
)
_ORDINARY = vars(logging.makeLogRecord({"levelno": logging.INFO, "levelname": "INFO"}))
ORDINARY = frozenset(_ORDINARY) | {"message", "asctime", "taskName"}
_LINE = TypeAdapter(dict[str, object])
ACCESS = logging.getLogger("perinat_sched.access")
_COMMON = f'"level":"info","logger":"{ACCESS.name}","message":"answered"'


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what is given as `extra` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().partition("\n")[0],  # asyncio's further lines quote exceptions
        }
        if identity := request_id.get():
            line["request_id"] = identity
        extra = islice(vars(record).items(), len(_ORDINARY), None)  # it was added after what every record has
        line |= {name: value for name, value in extra if name not in ORDINARY}
        if record.exc_info and record.exc_info[1]:
            line["error"] = told(record.exc_info[1])
        try:
            return redacted(_LINE.dump_json(line, fallback=str).decode())
        except ValueError:  # half a surrogate pair, which UTF-8 does not write
            return redacted(json.dumps(line, default=str))


def told(error: BaseException) -> list[str]:
    """An exception and its causes: their types, and where they were raised, without their texts."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None and len(lines) < 100:
        reason = f": {current.strerror}" if isinstance(current, OSError) else ""
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}{reason}")
        lines += _places(current.__traceback__)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return lines


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace, limit=-20)
    return [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def redacted(text: str) -> str:
    """`text` without anything that looks like a token, a feed address or a password in a URL."""
    lowered = text.lower()
    for signs, pattern, instead in SECRETS:
        for sign in signs:
            if sign in lowered:
                text = pattern.sub(instead, text)
                break
    return text


class Lines(logging.StreamHandler[TextIO]):
    """Writes records, and lines that are written already."""

    def put(self, line: str) -> None:
        """Write a line. As with a record, nobody fails because it cannot be written."""
        try:
            with self.lock or nullcontext():
                self.stream.write(f"{line}\n")
                self.stream.flush()
        except Exception:
            self.handleError(logging.makeLogRecord({"msg": line}))


def tell_answered(method: str, route: str, status: int, seconds: float, caller: str | None) -> None:
    """A request was answered: told so often that the line is written here, as `JsonLines` would, without a record.

    `caller` is the id of a token. Nothing is blotted out: all in it is ours, and a request's id that looks like a
    secret was not taken over.
    """
    if not ACCESS.isEnabledFor(logging.INFO):
        return
    second, milli = divmod(int(time.time() * 1000), 1000)
    who = f'"{caller}"' if caller else "null"
    line = (
        f'{{"time":"{_second(second)}.{milli:03}+00:00",{_COMMON},"request_id":"{request_id.get()}",'
        f'{_request(method, route, status)},"ms":{seconds * 1000:.1f},"caller":{who}}}'
    )
    for handler in logging.root.handlers:
        if isinstance(handler, Lines):
            handler.put(line)


@lru_cache(maxsize=1)
def _second(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat()[:19]


@cache  # as many as there are routes and statuses
def _request(method: str, route: str, status: int) -> str:
    said = {"action": "request", "method": method, "route": route, "status": status}
    return json.dumps(said, separators=(",", ":"))[1:-1]


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Send every logger's lines to `stream` (standard output), from `level` on."""
    handler = Lines(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every tick
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)
