"""The log: a line of JSON each, and no secret in any."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from perinat_sched import logs

TOKEN = "ps_" + "aB3-_" * 8 + "xyz"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What the log writes, while this lasts."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.set_up("INFO", stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_an_object_with_what_was_said_and_done(stream: io.StringIO) -> None:
    mark = logs.request_id.set("abc")
    logging.getLogger("perinat_sched.test").info("booked %s", 5, extra={"action": "session_booked", "revision": 0})
    logs.request_id.reset(mark)

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "perinat_sched.test",
        "message": "booked 5",
        "request_id": "abc",
        "action": "session_booked",
        "revision": 0,
    }


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param(f"token {TOKEN} used", TOKEN, id="a token"),
        pytest.param(f"GET /feeds/{TOKEN[3:]}.ics HTTP/1.1", TOKEN[3:], id="a feed's address"),
        pytest.param(f'"Authorization: Bearer {TOKEN[3:]}"', TOKEN[3:], id="a header"),
        pytest.param("smtps://user:p4ssw0rd@relay.example", "p4ssw0rd", id="a password in an address"),
        pytest.param("postgresql://perinat:p4ssw0rd@db/perinat", "p4ssw0rd", id="a database's password"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(stream: io.StringIO, text: str, secret: str) -> None:
    log = logging.getLogger("aiohttp.server")
    log.warning(text, extra={"raw": text})

    assert secret not in stream.getvalue() and json.loads(stream.getvalue())


def test_an_exception_is_told_by_its_kind_and_place_and_not_by_its_text(stream: io.StringIO) -> None:
    try:
        try:
            raise KeyError("Mme Dupont")
        except KeyError as error:
            raise ValueError("12 rue du Canari") from error
    except ValueError:
        logging.getLogger("perinat_sched.test").exception("failed")

    told = json.loads(stream.getvalue())["error"]
    assert [line for line in told if not line.startswith(" ")] == ["builtins.ValueError", "builtins.KeyError"]
    assert any("test_logs.py" in line for line in told)
    assert "Dupont" not in stream.getvalue() and "Canari" not in stream.getvalue()


def test_a_message_is_one_line(stream: io.StringIO) -> None:
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: ValueError('canary')")

    assert stream.getvalue().count("\n") == 1 and "canary" not in stream.getvalue()


def test_the_line_of_a_request_is_the_one_that_a_record_would_give(stream: io.StringIO) -> None:
    said = {"action": "request", "method": "GET", "route": "/feeds/{secret}.ics", "status": 304, "ms": 12.3}
    mark = logs.request_id.set("abc")
    for caller in (None, "0123-abc"):
        logs.tell_answered("GET", "/feeds/{secret}.ics", 304, 0.0123, caller)
        logging.getLogger("perinat_sched.access").info("answered", extra={**said, "caller": caller})
    logs.request_id.reset(mark)

    lines = stream.getvalue().splitlines()
    times = [datetime.fromisoformat(json.loads(line)["time"]) for line in lines]
    untimed = [line.replace(json.loads(line)["time"], "") for line in lines]
    assert (untimed[0], untimed[2]) == (untimed[1], untimed[3])
    assert times == sorted(times) and all(time.utcoffset() == timedelta(0) for time in times)


def test_a_request_is_not_told_where_only_errors_are(stream: io.StringIO) -> None:
    logging.getLogger().setLevel("ERROR")
    logs.tell_answered("GET", "/", 200, 0.1, None)
    assert stream.getvalue() == ""


def test_nobody_fails_because_the_log_cannot_be_written(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    stream.close()
    logs.tell_answered("GET", "/", 200, 0.1, None)
    assert "Logging error" in capsys.readouterr().err
