"""A real SMTP server in the test's own loop, that answers each recipient as it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Relay:
    """`answers[recipient]` are given one after the other, then 250.

    "450 …" at RCPT, "instead 550 …" of 354, "data 550 …" after the mail; "hang up" at RCPT, "hang up at DATA"; after
    the mail "cut" (not taken), "cut-after", "stall" (taken, in silence). `otherwise` answers whom `answers` does not
    name.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = {}
        self.otherwise: Callable[[], str] = lambda: "250 OK"
        self.taken: list[tuple[str, bytes]] = []  # recipient, content
        self.senders: set[str] = set()
        self.sessions = 0
        self.hesitates = 0.0  # seconds between taking a mail and saying so
        self.mails_a_session: int | None = None  # then it takes leave
        self.refuses_us = False
        self.refuses_tls = False
        self.encrypted: list[bool] = []  # a mail each
        self.signed_in: set[bytes] = set()
        self.url = ""
        self._begun: Counter[Session] = Counter()  # mails

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
        self._begun[session] += 1
        if self.mails_a_session is not None and self._begun[session] > self.mails_a_session:
            return "421 4.7.0 too many messages on this connection"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        waiting = self.answers.setdefault(address, [])
        if not waiting and (answer := self.otherwise()) != "250 OK":
            waiting.append(answer)
        if waiting and waiting[0][:1] in "45":
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
            assert server.transport is not None
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        if answer == "stall":
            await asyncio.sleep(1)
        elif self.hesitates:
            await asyncio.sleep(self.hesitates)
        if answer.startswith("cut") and server.transport is not None:
            server.transport.close()
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.signed_in.add(data.login)
        return AuthResult(success=data.password == b"secret", handled=False)


class _Server(SMTP):
    async def smtp_STARTTLS(self, arg: str) -> None:
        if self.event_handler.refuses_tls:
            await self.push("454 4.7.0 TLS not available")
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_DATA(self, arg: str) -> None:
        waiting = self.event_handler.answers[self.envelope.rcpt_tos[0]] if self.envelope else []
        if waiting and waiting[0].startswith("instead "):
            await self.push(waiting.pop(0).removeprefix("instead "))
        elif waiting and waiting[0] == "hang up at DATA" and self.transport is not None:
            waiting.pop(0)
            self.transport.close()
        else:
            await super().smtp_DATA(arg)


@asynccontextmanager
async def running_relay(
    port: int = 0,
    *,
    relay: Relay | None = None,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Relay]:
    """The relay, while this lasts: in the clear, offering STARTTLS, or behind TLS from the first byte."""
    relay, loop = relay or Relay(), asyncio.get_running_loop()

    def conversation() -> SMTP:
        return _Server(
            relay,
            hostname="relay.example",
            loop=loop,
            tls_context=starttls,
            authenticator=relay.authenticate,
            auth_require_tls=tls is None,  # it does not see the TLS around it
        )

    server = await loop.create_server(conversation, "127.0.0.1", port, ssl=tls)
    relay.url = f"{'smtps' if tls else 'smtp'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        await server.wait_closed()
