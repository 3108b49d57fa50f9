"""Handing mails over: to an SMTP relay, or into files where none is configured.

Bytes come in ready; here is only the handing over and what can become of it. Between the final dot and the relay's
250 nobody can know whether it took the mail (RFC 1047), so what breaks there says so (`ambiguous`), and the time
allowed for it is the ten minutes of RFC 5321 § 4.5.3.2: less makes duplicates.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC
from email.parser import BytesHeaderParser
from email.utils import parseaddr, parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from aiosmtplib.response import SMTPResponse

from perinat_sched.notices import mime

CONNECT_SECONDS = 30.0
COMMAND_SECONDS = 240.0  # until the relay waits for the mail itself: some check addresses by ringing their servers
DATA_SECONDS = 600.0
KEPT = 64  # addresses at hand: the sender's, those who are written to again and again
GO_ON = 354  # the relay waits for the mail itself
BREAKS = 3  # connections that break one after the other: there is no relay to speak of
_ADDRESS = re.compile(r"\S+@\S+")


class NotSent(Exception):
    """A mail that was not handed over; the text holds no address."""

    def __init__(self, reason: str) -> None:
        super().__init__(_ADDRESS.sub("…", " ".join(reason.split()))[:200])


class Refused(NotSent):
    """For good: the relay does not take this mail or this recipient (5xx)."""


class TryLater(NotSent):
    """Not now: a 4xx, or the connection broke. `ambiguous`: it may have been taken all the same."""

    def __init__(self, reason: str, *, ambiguous: bool = False) -> None:
        super().__init__(reason)
        self.ambiguous = ambiguous


class Away(TryLater):
    """There is no relay to speak to: no other mail would do better at the moment.

    `ambiguous` where connections broke again and again, the last one after this mail.
    """


class Connection(Protocol):
    """Takes mails one after the other."""

    async def connect(self) -> None:
        """Be there to take one, which may take long. Raises Away. What is there already does nothing."""

    async def send(self, message: bytes, recipient: str) -> None:
        """Hand one mail over. Raises Refused or TryLater; the next mail may be sent after either."""


class Mailer(Protocol):
    """Where mails go."""

    @property
    def name(self) -> str:
        """As `/readyz` says it."""

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """One for a batch of mails."""


def mailer_of(smtp_url: str | None, folder: Path, *, sender: str) -> Mailer:
    """The mailer of the settings: a relay, or `folder`. `sender`: the mailbox that bounces go to."""
    return SmtpMailer(smtp_url, sender=sender) if smtp_url else FileMailer(folder)


class SmtpMailer:
    """A relay: `smtp://host:port` (STARTTLS where it is offered), `smtps://user:password@host`.

    Certificates are checked against the machine's authorities (SSL_CERT_FILE names others), and a relay that offers
    STARTTLS is not spoken to without it. A password is never sent in the clear: with one, smtp:// insists on STARTTLS.
    """

    name = "smtp"

    def __init__(self, url: str, *, sender: str, data_seconds: float = DATA_SECONDS) -> None:
        parts = urlsplit(url)
        self.host, self._port = parts.hostname or "localhost", parts.port
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme == "smtps"
        self._sender = parseaddr(sender)[1]
        self._data_seconds = data_seconds

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        connection = _SmtpConnection(self)
        try:
            yield connection
        finally:
            await connection.close()

    async def connected(self) -> SMTP:
        """A session with the relay, signed in. Raises Away."""
        smtp = SMTP(
            hostname=self.host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._tls,
            start_tls=False if self._tls else (True if self._user else None),
            timeout=CONNECT_SECONDS,
        )
        try:
            await smtp.connect()
            if smtp.is_ehlo_or_helo_needed:
                await smtp.ehlo()
        except (SMTPException, OSError, ValueError) as error:  # ValueError: the relay's certificate has no such name
            smtp.close()
            raise Away(f"no relay: {_words(error)}") from error
        except BaseException:  # cancelled half-way
            smtp.close()
            raise
        return smtp

    async def greeted(self) -> str | None:
        """Sign in and leave; by which TLS mail travels, None: in the clear. Raises Away."""
        smtp = await self.connected()
        secured = smtp.get_transport_info("ssl_object")
        version: str | None = secured.version() if secured else None
        with suppress(SMTPException, OSError):
            await smtp.quit(timeout=5)
        smtp.close()
        return version

    async def transfer(self, smtp: SMTP, message: bytes, recipient: str) -> None:
        """One mail. Raises aiosmtplib's exceptions and OSError up to the final dot, from there on TryLater where no
        answer can be read; Refused for what is no plain address.

        Command by command: aiosmtplib's own `mail`, `rcpt` and `data` look for line ends and addresses to mend, and
        keep time of each answer, which costs more than the conversation.
        """
        sender, to = _path(self._sender), _path(recipient)
        async with asyncio.timeout(COMMAND_SECONDS):
            answer = await smtp.execute_command(b"MAIL", b"FROM:" + sender, timeout=None)
            if not _is_well(answer):
                raise SMTPSenderRefused(*answer, self._sender)
            answer = await smtp.execute_command(b"RCPT", b"TO:" + to, timeout=None)
            if not _is_well(answer):
                raise SMTPRecipientRefused(*answer, recipient)
            answer = await smtp.execute_command(b"DATA", timeout=None)
        if answer.code != GO_ON or smtp.protocol is None:
            raise SMTPDataError(*answer)
        smtp.protocol.write(_stuffed(message))
        try:
            async with asyncio.timeout(self._data_seconds):
                answer = await smtp.protocol.read_response()
        except (SMTPException, OSError) as error:
            raise TryLater(_words(error), ambiguous=True) from error
        if not _is_well(answer):
            raise SMTPDataError(*answer)


@lru_cache(maxsize=KEPT)
def _path(address: str) -> bytes:
    """Of an envelope (RFC 5321 § 4.1.2). Raises Refused for what could be more than one address."""
    try:
        return f"<{mime.address(address, 'To')}>".encode("ascii")
    except mime.UnsafeHeader as error:
        raise Refused("no plain address") from error


def _is_well(answer: SMTPResponse) -> bool:
    """By its first digit, as RFC 5321 § 4.3.2 has it read."""
    return answer.code // 100 == 2


def _stuffed(message: bytes) -> bytes:
    """As it travels after DATA (RFC 5321 § 4.5.2). It begins with a header, and all its lines end in CRLF: see mime."""
    return message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


class _SmtpConnection:
    """Connects at the first mail, and again after the connection broke."""

    def __init__(self, mailer: SmtpMailer) -> None:
        self._mailer = mailer
        self._smtp: SMTP | None = None
        self._breaks = 0  # since the relay last answered
        self._served = False  # whether a mail has left on this connection

    async def connect(self) -> None:
        if self._smtp is None or not self._smtp.is_connected:
            self._smtp = await self._mailer.connected()

    async def send(self, message: bytes, recipient: str) -> None:
        await self.connect()
        try:
            await self._transfer(message, recipient)
        except SMTPResponseException:  # many relays take so many mails a connection, and then leave it
            self._hang_up()
            await self.connect()
            await self._transfer(message, recipient)

    async def _transfer(self, message: bytes, recipient: str) -> None:
        """Raises SMTPResponseException where the relay leaves a connection that has served before (421)."""
        assert self._smtp
        try:
            await self._mailer.transfer(self._smtp, message, recipient)
        except SMTPResponseException as error:
            if error.code == 421:
                if self._served:
                    raise
                raise self._broken(TryLater(_words(error))) from error
            if isinstance(error, SMTPSenderRefused):  # about us, not about this recipient: for an operator to mend
                self._hang_up()
                raise Away(_words(error)) from error
            self._breaks = 0
            await self._begin_again()
            raise (Refused if error.code >= 500 else TryLater)(_words(error)) from error
        except TryLater as error:
            raise self._broken(error) from error
        except (SMTPException, OSError) as error:
            raise self._broken(TryLater(_words(error))) from error
        except BaseException:  # cancelled half-way: what the relay heard of it must not become part of the next mail
            self._hang_up()
            raise
        self._breaks, self._served = 0, True

    async def close(self) -> None:
        if self._smtp is not None:
            with suppress(SMTPException, OSError):
                await self._smtp.quit(timeout=5)
            self._hang_up()

    async def _begin_again(self) -> None:
        """After a refusal the relay forgets this mail, or is left."""
        try:
            if self._smtp is not None:
                await self._smtp.rset(timeout=COMMAND_SECONDS)
        except (SMTPException, OSError):
            self._hang_up()

    def _broken(self, error: TryLater) -> TryLater:
        """The connection is of no use any more: another mail may do better on the next, but not for ever."""
        self._hang_up()
        self._breaks += 1
        return error if self._breaks < BREAKS else Away(str(error), ambiguous=error.ambiguous)

    def _hang_up(self) -> None:
        self._served = False
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _words(error: Exception) -> str:
    """What went wrong, for an operator."""
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"
    return f"{type(error).__name__}: {error}"


class FileMailer:
    """No relay: each mail becomes a file `<date>-<Message-ID>.eml` that nobody else may read.

    The name follows from the mail, so that a mail written twice is one file.
    """

    name = "to files"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        yield self

    async def connect(self) -> None:
        pass

    async def send(self, message: bytes, recipient: str) -> None:
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as error:  # a full disk, a folder that is not ours
            raise Away(f"cannot write the mail: {error.strerror}") from error

    def _write(self, message: bytes) -> None:
        head = BytesHeaderParser().parsebytes(message)
        date = parsedate_to_datetime(head["Date"]).astimezone(UTC)
        local_part = re.sub(r"[^\w.-]", "_", head["Message-ID"].strip("<>").partition("@")[0])
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{date:%Y%m%dT%H%M%SZ}-{local_part}.eml"
        part = path.with_suffix(".part")
        with suppress(FileNotFoundError):
            part.unlink()
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
