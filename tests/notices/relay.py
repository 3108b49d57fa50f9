"""A real SMTP server in the test's own loop, that answers each recipient as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Relay:
    """`answers[recipient]` are given one after the other, then 250.

    "450 …" at RCPT, "data 550 …" after DATA; "hang up" at RCPT; after DATA "cut" (not taken), "cut-after", "stall".
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = {}
        self.taken: list[tuple[str, bytes]] = []  # recipient, content
        self.senders: set[str] = set()
        self.sessions = 0
        self.refuses_us = False
        self.url = ""

    @property
    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.taken]

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str, lines: Any) -> Any:
        self.sessions += 1
        session.host_name = hostname
        return lines

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.refuses_us:
            return "530 5.7.0 sign in first"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if (waiting := self.answers.get(address)) and waiting[0][:1] in "45":
            return waiting.pop(0)
        if waiting and waiting[0] == "hang up" and server.transport is not None:
            waiting.pop(0)
            server.transport.close()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        [recipient] = envelope.rcpt_tos
        self.senders.add(envelope.mail_from or "")
        answer = (self.answers.get(recipient) or ["250 OK"]).pop(0)
        if answer.startswith("data "):
            return answer.removeprefix("data ")
        if answer != "cut":
            assert isinstance(envelope.original_content, bytes)
            self.taken.append((recipient, envelope.original_content))
        if answer == "stall":
            await asyncio.sleep(1)
        if answer.startswith("cut") and server.transport is not None:
            server.transport.close()
        return "250 OK"


@asynccontextmanager
async def running_relay(port: int = 0) -> AsyncIterator[Relay]:
    """The relay, while this lasts."""
    relay, loop = Relay(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(relay, hostname="relay.example", loop=loop), "127.0.0.1", port)
    relay.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        await server.wait_closed()
