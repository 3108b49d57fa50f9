"""A throwaway PostgreSQL server for tests: one a test run, gone afterwards.

Debian's own binaries are run directly, because its cluster tools are for servers that stay. A server refuses
to run as root, so as root it is started as the user that Debian's package made. `TEST_PERINAT_PG_URL` (a
superuser's address) names a server that already runs instead; that one is never started or stopped here.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

ENVIRONMENT_VARIABLE = "TEST_PERINAT_PG_URL"
DEADLINE = 60.0  # seconds to start or to stop


class NoPostgres(RuntimeError):
    """No PostgreSQL to test with: `apt-get install postgresql`, or name a server in TEST_PERINAT_PG_URL."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(" ".join(filter(None, [self.__doc__, detail])))


def find_binaries() -> Path | None:
    """The newest `bin` folder of Debian's PostgreSQL packages, else the one `postgres` on the PATH is in."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda folder: tuple(map(int, folder.parent.name.split("."))))
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


class PostgresServer:
    """A server in a temporary folder, on a unix socket in it and on a free port of 127.0.0.1."""

    def __init__(self, *, fsync: bool = False) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise NoPostgres
        self._bin = binaries
        self._user = "postgres" if os.getuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="perinat-pg-"))
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        try:
            if self._user is not None:
                entry = pwd.getpwnam(self._user)
                os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            options = [
                "--username=postgres",
                "--auth=trust",
                "--locale=C.UTF-8",
                "--encoding=UTF8",
                "--no-sync",
            ]
            self._run("initdb", *options, f"--pgdata={self._data}")
            with (self._data / "postgresql.conf").open("a") as conf:
                conf.write(
                    f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                    f"unix_socket_directories = '{self.folder}'\nmax_connections = 200\n"
                    f"fsync = {'on' if fsync else 'off'}\nfull_page_writes = {'on' if fsync else 'off'}\n"
                )
        except BaseException as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            if isinstance(error, KeyError):
                raise NoPostgres(f"There is no user {self._user!r}, and a server does not run as root.") from error
            raise

    @property
    def socket_url(self) -> str:
        """The same database over the unix socket."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers. After `kill` this is the recovery from a crash."""
        if self._process is not None:
            return
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data],
                user=self._user,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for the tests, not for the server
            )
        deadline = time.monotonic() + DEADLINE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """A fast, clean stop: open connections are cut, what is committed is on disk."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """A crash: every process of the server dies at once, nothing is flushed."""
        process = self._process
        if process is None:
            return
        # Each backend is its own session, so a process group would miss them: the kernel knows the children.
        children = _children(process.pid)
        self._end(signal.SIGKILL)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE
        while any(map(_lives, children)) and time.monotonic() < deadline:
            time.sleep(0.01)  # a survivor holds the shared memory, and the next start would refuse

    def close(self) -> None:
        """Stop the server and remove its folder."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """The server's own log."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        return create_database(self.url, name)

    def drop_database(self, name: str) -> None:
        """Drop a database, with the connections to it."""
        drop_database(self.url, name)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        command = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command).returncode == 0

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@contextmanager
def running_postgres(*, fsync: bool = False) -> Iterator[str]:
    """The URL of a running server: the one in TEST_PERINAT_PG_URL, else a throwaway one while this lasts."""
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if given:
        yield given
        return
    with PostgresServer(fsync=fsync) as server:
        yield server.url


def create_database(url: str, name: str) -> str:
    """Make an empty database on the server at `url` and return its URL."""
    _sql(url, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def drop_database(url: str, name: str) -> None:
    """Drop a database on the server at `url`, with the connections to it."""
    _sql(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _sql(url: str, statement: str) -> None:
    binaries = find_binaries()
    psql = str(binaries / "psql") if binaries else shutil.which("psql")
    if psql is None:
        raise NoPostgres("psql is missing.")
    done = subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"psql failed: {done.stderr.strip()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # gone already, or not Linux: the children notice the death of their parent
        return []


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "XZ"
    except (FileNotFoundError, ProcessLookupError):
        return False
