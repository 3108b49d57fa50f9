"""The service as its users have it: a process of its own, on a socket, with a configuration and a database."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parent.parent
UNLIMITED = "[limits]\nwrites_per_minute = 0\nfeed_reads_per_minute = 0\n"


@dataclass
class Service:
    """One process of the service with the example network, in a folder of its own."""

    folder: Path
    database_url: str
    service_toml: str = UNLIMITED
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        config = self.folder / "config"
        if not config.exists():
            shutil.copytree(ROOT / "config", config)
            (config / "service.toml").write_text(self.service_toml)

    @property
    def log(self) -> Path:
        return self.folder / "service.log"

    def variables(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PERINAT_")}
        return clean | {
            "PERINAT_CONFIG_DIR": str(self.folder / "config"),
            "PERINAT_CALENDARS_DIR": str(ROOT / "calendars"),
            "PERINAT_DATABASE_URL": self.database_url,
            "PERINAT_SECRET_KEY_FILE": str(self.folder / "secret.key"),
            "PERINAT_SMTP_URL": "",
            **self.environment,
        }

    async def run(self, *arguments: str) -> str:
        """A command beside the service; its standard output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "perinat_sched", *arguments,
            cwd=self.folder, env=self.variables(),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode().strip()

    async def token(self, role: str = "admin", *options: str) -> str:
        return await self.run("token", "create", "--role", role, *options, "--name", "test")

    async def start(self) -> Service:
        """Start, and wait until it listens: as long as it lives, for a busy machine starts many at once."""
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "perinat_sched", "serve", "--port", "0",
                cwd=self.folder, env=self.variables(), stdout=log, stderr=log,
            )  # fmt: skip
        async with asyncio.timeout(300):
            while not (address := self._address(begin)):
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)
        self.url = f"http://{address[0]}:{address[1]}"
        return self

    def _address(self, begin: int) -> list[Any] | None:
        for line in self.log.read_bytes()[begin:].splitlines():
            if line.startswith(b"{") and line.endswith(b"}") and (entry := json.loads(line)).get("action") == "started":
                address: list[Any] = entry["address"][0]
                return address
        return None

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; the exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(40):
            return await self.process.wait()

    def client(self, token: str, connections: int = 32) -> aiohttp.ClientSession:
        """A client that is signed in."""
        return aiohttp.ClientSession(
            self.url + "/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(limit=connections),
            timeout=aiohttp.ClientTimeout(total=60),
        )
