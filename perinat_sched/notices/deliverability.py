"""Whether other mail servers are going to take our mail: asked of the relay and of DNS, sending nothing (MAIL-05).

SPF, DKIM and DMARC of the sender's domain decide whether an invitation lands in a mailbox or among the spam. They are
set in DNS by whoever runs the domain; here is only looked at, and said, what an outsider finds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parseaddr

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.rdatatype import RdataType
from dns.resolver import NXDOMAIN, NoAnswer
from dns.reversename import from_address

from perinat_sched.notices.mailer import Away, SmtpMailer


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What was looked at, whether it is good, and what was found or is to be done."""

    subject: str
    good: bool
    told: str


@dataclass(frozen=True, kw_only=True)
class Examination:
    """Of the mail of one service. `selector`: under which name the relay's DKIM key stands; None where nobody said."""

    mail_from: str
    smtp_url: str | None
    selector: str | None
    resolver: Resolver

    async def findings(self) -> AsyncIterator[Finding]:
        """One after the other, as they are found. Raises nothing: what cannot be asked is a finding."""
        for subject, look in (
            ("relay", self._relay),
            ("relay's name", self._reverse_name),
            ("SPF", self._spf),
            ("DKIM", self._dkim),
            ("DMARC", self._dmarc),
            ("answers", self._mail_exchanger),
        ):
            try:
                yield Finding(subject=subject, good=True, told=await look())
            except _Wrong as wrong:
                yield Finding(subject=subject, good=False, told=str(wrong))
            except (DNSException, OSError) as error:
                yield Finding(subject=subject, good=False, told=f"DNS does not answer: {type(error).__name__}")

    @property
    def _domain(self) -> str:
        return parseaddr(self.mail_from)[1].rpartition("@")[2]

    async def _relay(self) -> str:
        if self.smtp_url is None:
            raise _Wrong("none is set, mails become files: set PERINAT_SMTP_URL")
        mailer = SmtpMailer(self.smtp_url, sender=self.mail_from)
        try:
            version = await mailer.greeted()
        except Away as error:
            raise _Wrong(f"{mailer.host} cannot be used: {error}") from error
        if version is None:
            raise _Wrong(f"{mailer.host} answers, but mail goes to it in the clear: have it offer STARTTLS")
        return f"{mailer.host} answers, {version}, its certificate is good"

    async def _reverse_name(self) -> str:
        if self.smtp_url is None:
            raise _Wrong("none is set")
        host = SmtpMailer(self.smtp_url, sender=self.mail_from).host
        for address in await self._addresses(host):
            if ipaddress.ip_address(address).is_private:
                return f"{address} is an address within the house: see that the one it sends from has a name (PTR)"
            names = await self._ask(from_address(address).to_text(), RdataType.PTR)
            for name in names:
                if address in await self._addresses(name.rstrip(".")):
                    return f"{address} is {name.rstrip('.')}, and back"
            raise _Wrong(f"{address} has no name that leads back to it: have its owner set one (PTR)")
        raise _Wrong(f"{host} has no address")

    async def _spf(self) -> str:
        record = await self._only(self._domain, "v=spf1", "who may send for it: publish v=spf1 include:… -all")
        if record.split()[-1] in ("+all", "all"):
            raise _Wrong(f"{self._domain} lets everybody send for it ({record}): end it with -all")
        return f"{self._domain}: {record}"

    async def _dkim(self) -> str:
        if self.selector is None:
            raise _Wrong("not looked at: name the selector that the relay signs with (--selector NAME)")
        name = f"{self.selector}._domainkey.{self._domain}"
        for record in await self._ask(name, RdataType.TXT):
            tags = dict(tag.strip().partition("=")[::2] for tag in record.split(";"))
            if tags.get("p"):
                return f"{name} holds a key ({tags.get('k', 'rsa')})"
        raise _Wrong(f"{name} holds no key: have the relay sign for {self._domain}, and publish its key there")

    async def _dmarc(self) -> str:
        labels = self._domain.split(".")
        for number in range(len(labels) - 1):  # the domain's own policy, else that of the one it belongs to
            name = "_dmarc." + ".".join(labels[number:])
            if any(record.startswith("v=DMARC1") for record in await self._ask(name, RdataType.TXT)):
                return f"{name}: {await self._only(name, 'v=DMARC1', 'what to do with forged mail')}"
        raise _Wrong(f"_dmarc.{self._domain} says nothing: publish v=DMARC1; p=quarantine; rua=mailto:…")

    async def _mail_exchanger(self) -> str:
        exchangers = [name for name in await self._ask(self._domain, RdataType.MX) if name != "0 ."]  # RFC 7505
        if not exchangers:
            raise _Wrong(f"{self._domain} has no MX: whoever answers, and each mail that comes back, reaches nobody")
        return f"{self._domain} receives mail at {', '.join(name.split()[-1].rstrip('.') for name in exchangers)}"

    async def _only(self, name: str, begins: str, what: str) -> str:
        """The one record that begins so; receivers ignore several."""
        found = [record for record in await self._ask(name, RdataType.TXT) if record.startswith(begins)]
        if not found:
            raise _Wrong(f"{name} does not say {what}")
        if len(found) > 1:
            raise _Wrong(f"{name} has {len(found)} records {begins}, so that none counts: keep one")
        return found[0]

    async def _addresses(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return [*await self._ask(host, RdataType.A), *await self._ask(host, RdataType.AAAA)]

    async def _ask(self, name: str, kind: RdataType) -> list[str]:
        """What DNS says, as text; nothing where it says that there is nothing."""
        try:
            answer = await self.resolver.resolve(name, kind)
        except (NXDOMAIN, NoAnswer):
            return []
        if kind is RdataType.TXT:
            return [b"".join(record.strings).decode(errors="replace") for record in answer]
        return [record.to_text() for record in answer]


class _Wrong(Exception):
    """What is wrong, and its mend."""
