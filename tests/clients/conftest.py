"""Running services with the programme booked in them, for calendar programs to read."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.clients import programme
from tests.clients.office import Office
from tests.clients.readers import INSTALLED
from tests.service import Service


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    """Where the programs are missing these tests fail: none is ever left out."""
    assert (INSTALLED.parent / ".clients").exists(), "calendar programs are missing: run `make .venv/.clients`"


@pytest.fixture
def engine() -> str:
    """What a feed says does not depend on the engine; one test shows it."""
    return "sqlite"


@contextmanager
def office_of(folder: Path, database_url: str) -> Iterator[Office]:
    """An office in front of a service that runs while this lasts."""
    folder.mkdir()
    service = Service(folder, database_url)
    programme.add_sites(folder / "config")
    with asyncio.Runner() as runner:
        runner.run(service.start())
        office = Office(service.url, runner.run(service.token()), service.log)
        try:
            yield office
        finally:
            office.close()
            runner.run(service.stop(signal.SIGKILL))


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """An office in front of an empty service."""
    with office_of(tmp_path / "service", database_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def booked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office with the whole programme, which nobody changes any more."""
    folder = tmp_path_factory.mktemp("booked")
    with office_of(folder / "service", f"sqlite:///{folder}/perinat.db") as opened:
        programme.book(opened)
        programme.book_thousand(opened)
        yield opened


class Quiet(SimpleHTTPRequestHandler):
    """Files over HTTP, without a line for each."""

    def log_message(self, format: str, *args: object) -> None:
        pass


class Files(ThreadingHTTPServer):
    """For programs that ask for everything at once."""

    request_queue_size = 128


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address under which the files of a folder are read, while this lasts."""
    with Files(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
