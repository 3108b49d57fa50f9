"""Radicale, a calendar server from PyPI, with the events of a feed of ours: benchmarks.feeds measures both."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from benchmarks.feed_server import answered, asking

NAME = f"Radicale {version('radicale')}"
PATH = "/benchmark/feed/"
ANYBODY = "Authorization: Basic YmVuY2htYXJrOg=="  # it asks for a name, and believes it
TICKS = os.sysconf("SC_CLK_TCK")


class Peer:
    """The process, from outside: its CPU time, of all its threads, and where it listens."""

    def __init__(self, process: int, port: int) -> None:
        self._stat = Path(f"/proc/{process}/stat")
        self.port = port

    def spent(self) -> float:
        """CPU seconds so far, to a hundredth."""
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def serving(calendar: bytes) -> Iterator[Peer]:
    """Radicale as it comes, without passwords, with one collection of the events in `calendar`."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        options = {
            "--config": "",
            "--server-hosts": f"127.0.0.1:{port}",
            "--storage-filesystem-folder": folder,
            "--auth-type": "none",
            "--logging-level": "critical",
        }
        command = [sys.executable, "-m", "radicale", *(part for option in options.items() for part in option)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            put = asking(
                "PUT", PATH, ANYBODY, "Content-Type: text/calendar", f"Content-Length: {len(calendar)}", body=calendar
            )
            assert b" 201 " in once(port, put)[:20], "Radicale takes the feed as a collection"
            yield Peer(process.pid, port)
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < until, "Radicale does not listen"
        time.sleep(0.1)


def once(port: int, request: bytes) -> bytes:
    """The answer to a request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        return answered(connection)
