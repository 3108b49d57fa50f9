"""Mails with a sign-in link: a way of their own, because they concern no session and help for ten minutes only.

The sign-in page notes an address, whosesoever it is; here it is looked up, a link is made for each token that names
it, and the mail is handed over. A request is taken by putting off its next attempt, so a process that dies before
the relay's answer leaves it due; the second mail then bears a link of its own, and both open. No transaction is open
while the relay is spoken to.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime, parseaddr
from urllib.parse import quote

from perinat_sched.i18n import Message, say
from perinat_sched.notices import mime
from perinat_sched.notices.mailer import Mailer, Refused, TryLater
from perinat_sched.notices.messages import domain_of
from perinat_sched.people import store
from perinat_sched.people.sign_in import LINK_HOLDS, SignIns
from perinat_sched.people.store import LinkRequest, TokenRow
from perinat_sched.sites.network import Language
from perinat_sched.storage.database import Tx

logger = logging.getLogger(__name__)

BATCH = 20
AGAIN_AFTER = timedelta(minutes=1)
MOST_MAILS, WITHIN = 5, timedelta(hours=1)  # to one address


@dataclass(frozen=True, kw_only=True)
class SignInMail:
    """Sends the links that were asked for."""

    sign_ins: SignIns
    mailer: Mailer
    mail_from: str
    public_url: str

    async def run_once(self) -> None:
        """Deal with everything that is due, one request after the other."""
        async with self.sign_ins.database.read() as tx:
            due = await store.asked(tx, self.sign_ins.clock(), limit=BATCH)
        for request in due:
            await self._deal_with(request)

    async def _deal_with(self, request: LinkRequest) -> None:
        now = self.sign_ins.clock()

        async def claim(tx: Tx) -> Sequence[TokenRow] | None:
            """The tokens to send a link for; None: another process has taken the request."""
            if not await store.claim_request(tx, request.id, now, again_at=now + AGAIN_AFTER):
                return None
            too_many = await store.mails_sent(tx, request.address, now - WITHIN) >= MOST_MAILS
            found = [] if too_many else await store.with_address(tx, request.address)
            return [token for token in found if token.valid(now)]

        tokens = await self.sign_ins.database.write(claim)
        if tokens is None:
            return
        if not tokens or now >= request.created_at + LINK_HOLDS:
            await self._settle(request, "skipped")
            return
        links = [link(self.public_url, secret, request) for secret in await self.sign_ins.links(tokens)]
        mail = compose(request, list(zip(tokens, links, strict=True)), mail_from=self.mail_from, now=now)
        try:
            async with self.mailer.connection() as connection:
                await connection.send(mail, tokens[0].email or request.address)
        except Refused:
            logger.warning("A sign-in mail was refused.", extra={"action": "sign_in_mail_failed"})
            await self._settle(request, "failed")
        except TryLater:
            logger.warning("A sign-in mail is tried again later.", extra={"action": "sign_in_mail_later"})
        else:
            await self._settle(request, "sent")

    async def _settle(self, request: LinkRequest, state: str) -> None:
        await self.sign_ins.database.write(lambda tx: store.settle_request(tx, request.id, state))


def link(public_url: str, secret: str, request: LinkRequest | None = None) -> str:
    """The address that signs in; with the language and the page of the request."""
    address = f"{public_url}/sign-in/{secret}"
    if request is None:
        return address
    return f"{address}?lang={request.language}" + (f"&next={quote(request.next, safe='/')}" if request.next else "")


def compose(request: LinkRequest, links: Sequence[tuple[TokenRow, str]], *, mail_from: str, now: datetime) -> bytes:
    """The mail: a link for each token of the address, as plain text."""
    language: Language = request.language
    lines = [
        say(Message("Somebody, probably you, wants to sign in to the Périnat scheduler with this address."), language),
        "",
        say(Message("Open this link within ten minutes, then press “Sign in”. It works once:"), language),
        "",
    ]
    for token, address in links:
        several = Message("{label}: {value}", label=token.name, value=address)
        lines += [say(several, language) if len(links) > 1 else address, ""]
    lines.append(say(Message("If it was not you, do nothing: without the link nobody gets in."), language))
    headers = [
        ("From", mime.mailbox(*parseaddr(mail_from), "From")),
        ("To", mime.address(links[0][0].email or request.address, "To")),
        ("Subject", say(Message("Your sign-in link"), language)),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<sign-in-{request.id}-{now:%H%M%S}@{domain_of(mail_from)}>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", language),
    ]
    return mime.message(headers, mime.text("plain", "\n".join(lines)))
