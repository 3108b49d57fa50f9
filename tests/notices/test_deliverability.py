"""MAIL-05: what an operator is told of the relay and of the sender's domain, by a real relay and name server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from dns.asyncresolver import Resolver

from perinat_sched.notices.deliverability import Examination, Finding
from tests.notices.examples import MAIL_FROM
from tests.notices.names import Names, running_names
from tests.notices.relay import running_relay

KEY = "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    """All is well with perinat.example, whose relay is 80.12.0.25."""
    async with running_names() as running:
        running.records = {
            ("perinat.example", "TXT"): ['"site-verification=x"', '"v=spf1 ip4:80.12.0.25 " "-all"'],
            ("perinat.example", "MX"): ["10 mx.perinat.example."],
            ("visio._domainkey.perinat.example", "TXT"): [f'"v=DKIM1; {KEY}"'],
            ("_dmarc.perinat.example", "TXT"): ['"v=DMARC1; p=quarantine"'],
            ("relay.perinat.example", "A"): ["80.12.0.25"],
            ("25.0.12.80.in-addr.arpa", "PTR"): ["relay.perinat.example."],
        }
        yield running


async def examined(
    names: Names,
    *,
    mail_from: str = MAIL_FROM,
    smtp_url: str | None = "smtp://relay.perinat.example",
    selector: str | None = "visio",
) -> dict[str, Finding]:
    host, port = names.address
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], port
    resolver.lifetime = 1
    examination = Examination(mail_from=mail_from, smtp_url=smtp_url, selector=selector, resolver=resolver)
    return {finding.subject: finding async for finding in examination.findings()}


async def test_a_domain_where_all_is_well(names: Names) -> None:
    found = await examined(names)
    assert {subject for subject, finding in found.items() if not finding.good} == {"relay"}  # there is none
    assert found["SPF"].told == "perinat.example: v=spf1 ip4:80.12.0.25 -all"
    assert found["DKIM"].told == "visio._domainkey.perinat.example holds a key (rsa)"
    assert found["DMARC"].told == "_dmarc.perinat.example: v=DMARC1; p=quarantine"
    assert found["answers"].told == "perinat.example receives mail at mx.perinat.example"
    assert found["relay's name"].told == "80.12.0.25 is relay.perinat.example, and back"


@pytest.mark.parametrize(
    ("name", "kind", "records", "subject", "told"),
    [
        pytest.param("perinat.example", "TXT", [], "SPF", "does not say who may send", id="no SPF"),
        pytest.param("perinat.example", "TXT", ['"v=spf1 +all"'], "SPF", "lets everybody", id="SPF for everybody"),
        pytest.param(
            "perinat.example", "TXT", ['"v=spf1 a -all"', '"v=spf1 mx -all"'], "SPF", "none counts", id="SPF twice"
        ),
        pytest.param("visio._domainkey.perinat.example", "TXT", [], "DKIM", "holds no key", id="no DKIM key"),
        pytest.param(
            "visio._domainkey.perinat.example", "TXT", ['"v=DKIM1; p="'], "DKIM", "holds no key", id="a revoked key"
        ),
        pytest.param("_dmarc.perinat.example", "TXT", [], "DMARC", "says nothing", id="no DMARC"),
        pytest.param(
            "_dmarc.perinat.example",
            "TXT",
            ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'],
            "DMARC",
            "none counts",
            id="DMARC twice",
        ),
        pytest.param("perinat.example", "MX", [], "answers", "has no MX", id="no MX"),
        pytest.param("25.0.12.80.in-addr.arpa", "PTR", [], "relay's name", "no name that leads back", id="no PTR"),
        pytest.param(
            "25.0.12.80.in-addr.arpa",
            "PTR",
            ["elsewhere.example."],
            "relay's name",
            "no name that leads back",
            id="PTR",
        ),
        pytest.param("relay.perinat.example", "A", [], "relay's name", "has no address", id="no address"),
    ],
)
async def test_what_is_missing_is_said_with_its_mend(
    names: Names, name: str, kind: str, records: list[str], subject: str, told: str
) -> None:
    names.records[name, kind] = records
    found = await examined(names)
    assert {subject for subject, finding in found.items() if not finding.good} == {"relay", subject}
    assert told in found[subject].told


async def test_a_subdomain_may_have_the_policy_of_its_domain(names: Names) -> None:
    found = await examined(names, mail_from="visio@agenda.perinat.example")
    assert found["DMARC"] == Finding(subject="DMARC", good=True, told="_dmarc.perinat.example: v=DMARC1; p=quarantine")


async def test_without_a_selector_nothing_is_said_to_be_good(names: Names) -> None:
    found = await examined(names, selector=None)
    assert not found["DKIM"].good
    assert "--selector" in found["DKIM"].told


async def test_a_name_server_that_is_silent_is_a_finding(names: Names) -> None:
    names.transport.pause_reading()
    found = await examined(names)
    assert {finding.good for finding in found.values()} == {False}
    assert "DNS does not answer" in found["SPF"].told


async def test_mails_that_become_files_reach_nobody(names: Names) -> None:
    found = await examined(names, smtp_url=None)
    assert "PERINAT_SMTP_URL" in found["relay"].told


async def test_a_relay_is_greeted_by_tls_and_one_in_the_clear_is_not_good(
    names: Names, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with running_relay(starttls=context) as relay:
        found = await examined(names, smtp_url=relay.url)
        assert (found["relay"].good, relay.taken) == (True, [])
        assert "TLSv1.3" in found["relay"].told
        assert "within the house" in found["relay's name"].told
    async with running_relay() as relay:
        found = await examined(names, smtp_url=relay.url)
        assert not found["relay"].good
        assert "in the clear" in found["relay"].told
