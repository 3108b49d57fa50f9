from __future__ import annotations

import asyncio
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from perinat_sched.notices.delivery import LEASE
from perinat_sched.notices.mailer import (
    BREAKS,
    COMMAND_SECONDS,
    DATA_SECONDS,
    Away,
    FileMailer,
    Refused,
    SmtpMailer,
    TryLater,
    mailer_of,
)
from tests.notices.relay import running_relay

SENDER = "Périnat <visio@perinat.example>"
MAIL = b"\r\n".join(
    [
        b"From: visio@perinat.example",
        b"Date: Mon, 04 Jan 2027 09:00:00 +0000",
        b"Message-ID: <abc/../123@perinat.example>",
        b"",
        b"one",
        b".",
        b".two",
        b"",
    ]
)


async def test_a_mail_arrives_byte_for_byte_from_the_plain_address():
    async with running_relay() as relay, SmtpMailer(relay.url, sender=SENDER).connection() as connection:
        await connection.send(MAIL, "a@x.example")
        assert relay.taken == [("a@x.example", MAIL)]
        assert relay.senders == {"visio@perinat.example"}


async def test_a_batch_takes_one_connection_and_a_refusal_spares_the_others():
    async with running_relay() as relay:
        relay.answers = {"no@x.example": ["550 5.1.1 no@x.example unknown"], "later@x.example": ["data 452 full"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            await connection.send(MAIL, "a@x.example")
            with pytest.raises(Refused, match=r"^550 5.1.1 … unknown$"):
                await connection.send(MAIL, "no@x.example")
            with pytest.raises(TryLater, match="452") as refusal:
                await connection.send(MAIL, "later@x.example")
            assert not refusal.value.ambiguous
            await connection.send(MAIL, "b@x.example")
        assert relay.recipients == ["a@x.example", "b@x.example"]
        assert relay.sessions == 1


@pytest.mark.parametrize("cut", ["cut", "cut-after"])
async def test_a_connection_cut_after_the_final_dot_leaves_a_doubt_and_the_next_mail_a_new_connection(cut):
    async with running_relay() as relay:
        relay.answers = {"a@x.example": [cut]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(TryLater) as broken:
                await connection.send(MAIL, "a@x.example")
            assert broken.value.ambiguous
            await connection.send(MAIL, "b@x.example")
        assert relay.recipients[-1] == "b@x.example"
        assert relay.sessions == 2


async def test_a_relay_that_takes_leave_is_called_again():
    async with running_relay() as relay:
        relay.answers = {"a@x.example": ["421 4.3.2 going down"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(TryLater, match="421"):
                await connection.send(MAIL, "a@x.example")
            await connection.send(MAIL, "a@x.example")
        assert relay.recipients == ["a@x.example"]
        assert relay.sessions == 2


@pytest.mark.parametrize("most", [1, 3])
async def test_a_relay_that_takes_some_mails_a_connection_has_the_next_on_another_at_once(most: int):
    async with running_relay() as relay:
        relay.mails_a_session = most
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            for number in range(7):
                await connection.send(MAIL, f"{number}@x.example")
        assert relay.recipients == [f"{number}@x.example" for number in range(7)]
        assert relay.sessions == -(-7 // most)


async def test_a_relay_that_takes_no_mail_at_all_is_not_called_for_ever():
    async with running_relay() as relay:
        relay.mails_a_session = 0
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            for _ in range(2):
                with pytest.raises(TryLater, match="421"):
                    await connection.send(MAIL, "a@x.example")
            with pytest.raises(Away, match="421"):
                await connection.send(MAIL, "a@x.example")
        assert relay.sessions == 3


@pytest.mark.parametrize("cut", ["hang up", "hang up at DATA"])
async def test_a_connection_cut_before_the_mail_was_sent_leaves_no_doubt(cut: str):
    async with running_relay() as relay:
        relay.answers = {"a@x.example": [cut]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(TryLater) as broken:
                await connection.send(MAIL, "a@x.example")
            assert not broken.value.ambiguous
            await connection.send(MAIL, "a@x.example")
        assert relay.recipients == ["a@x.example"]


@pytest.mark.parametrize(("answer", "error"), [("451 4.3.0 disk full", TryLater), ("554 5.7.1 no", Refused)])
async def test_a_relay_that_does_not_want_the_mail_itself_is_told_none_of_it(answer: str, error: type[Exception]):
    async with running_relay() as relay:
        relay.answers = {"a@x.example": [f"instead {answer}"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(error, match=answer[:3]):
                await connection.send(MAIL, "a@x.example")
            await connection.send(MAIL, "b@x.example")
        assert relay.taken == [("b@x.example", MAIL)]
        assert relay.sessions == 1


async def test_an_answer_that_nobody_can_read_leaves_a_doubt_and_the_next_mail_a_new_connection():
    async with running_relay() as relay:
        relay.answers = {"a@x.example": ["data taken, perhaps"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(TryLater) as unread:
                await connection.send(MAIL, "a@x.example")
            assert unread.value.ambiguous
            await connection.send(MAIL, "b@x.example")
        assert (relay.recipients, relay.sessions) == (["b@x.example"], 2)


async def test_an_answer_is_read_by_its_first_digit():
    """RFC 5321 § 4.3.2: a mail that was taken in other words is not sent again."""
    async with running_relay() as relay:
        relay.answers = {"a@x.example": ["data 252 taken, and looked at later"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            await connection.send(MAIL, "a@x.example")


@pytest.mark.parametrize(
    "recipient", ["a@x.example>\r\nRCPT TO:<b@x.example", "a@x.example b@x.example", "a@x.example>", "a", "é@x.example"]
)
async def test_what_is_no_plain_address_is_told_to_no_relay(recipient: str):
    async with running_relay() as relay:
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(Refused, match=r"^no plain address$"):
                await connection.send(MAIL, recipient)
            await connection.send(MAIL, "a@x.example")
        assert relay.recipients == ["a@x.example"]


async def test_a_relay_that_does_not_take_our_mail_at_all_is_away_rather_than_a_thousand_refusals():
    async with running_relay() as relay:
        relay.refuses_us = True
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(Away, match="530"):
                await connection.send(MAIL, "a@x.example")
            relay.refuses_us = False
            await connection.send(MAIL, "a@x.example")


async def test_who_is_cut_off_half_way_leaves_nothing_to_the_next_mail():
    async with running_relay() as relay:
        relay.answers = {"a@x.example": ["stall"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.send(MAIL, "a@x.example"), 0.2)
            await connection.send(MAIL, "b@x.example")
        assert relay.sessions == 2


async def test_no_relay_is_away_and_leaves_no_doubt():
    async with running_relay() as relay:
        url = relay.url
    async with SmtpMailer(url, sender=SENDER).connection() as connection:
        with pytest.raises(Away, match="no relay") as away:
            await connection.send(MAIL, "a@x.example")
    assert not away.value.ambiguous


async def test_a_password_is_not_sent_in_the_clear():
    async with running_relay() as relay:
        url = relay.url.replace("smtp://", "smtp://user:secret@")
        async with SmtpMailer(url, sender=SENDER).connection() as connection:
            with pytest.raises(Away) as away:
                await connection.send(MAIL, "a@x.example")
        assert "secret" not in str(away.value)
        assert relay.taken == []


async def test_a_relay_that_stalls_leaves_a_doubt():
    async with running_relay() as relay:
        relay.answers = {"a@x.example": ["stall"]}
        async with SmtpMailer(relay.url, sender=SENDER, data_seconds=0.2).connection() as connection:
            with pytest.raises(TryLater) as stalled:
                await connection.send(MAIL, "a@x.example")
    assert stalled.value.ambiguous


async def test_a_file_is_written_whole_once_and_for_its_owner_alone(tmp_path: Path):
    folder = tmp_path / "var" / "mail"
    async with FileMailer(folder).connection() as connection:
        await connection.send(MAIL, "a@x.example")
        await connection.send(MAIL, "a@x.example")
    [file] = folder.iterdir()
    assert file.name == "20270104T090000Z-abc_.._123.eml"
    assert file.read_bytes() == MAIL
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_folder_that_cannot_be_written_is_away(tmp_path: Path):
    (tmp_path / "mail").write_text("a file")
    async with FileMailer(tmp_path / "mail").connection() as connection:
        with pytest.raises(Away, match="cannot write the mail"):
            await connection.send(MAIL, "a@x.example")


def test_without_a_relay_mails_go_to_files(tmp_path: Path):
    assert mailer_of(None, tmp_path, sender=SENDER).name == "to files"
    assert mailer_of("smtp://relay.example", tmp_path, sender=SENDER).name == "smtp"


async def test_connections_that_break_one_after_the_other_are_no_relay():
    async with running_relay() as relay:
        relay.otherwise = lambda: "cut"
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            for _ in range(BREAKS - 1):
                with pytest.raises(TryLater) as broken:
                    await connection.send(MAIL, "a@x.example")
                assert not isinstance(broken.value, Away)
            with pytest.raises(Away) as away:
                await connection.send(MAIL, "a@x.example")
    assert away.value.ambiguous


async def test_an_answer_in_between_shows_that_the_relay_is_there():
    async with running_relay() as relay:
        relay.answers = {"a@x.example": ["cut", "cut", "250 OK", "cut", "450 later", "421 busy", "cut", "250 OK"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            for _ in range(8):
                try:
                    await connection.send(MAIL, "a@x.example")
                except TryLater as error:
                    assert not isinstance(error, Away)
    assert len(relay.taken) == 2


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificates(authority: trustme.CA) -> dict[str, ssl.SSLContext]:
    """What a relay can show: its name under our authority, or something that is worth nothing."""
    shown = {
        "good": authority.issue_cert("127.0.0.1"),
        "another's name": authority.issue_cert("relay.example"),
        "expired": authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
        "nobody's": trustme.CA().issue_cert("127.0.0.1"),
    }
    contexts = {}
    for name, certificate in shown.items():
        contexts[name] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(contexts[name])
    return contexts


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine trusts our authority, as an administrator makes it trust the hospital's."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_mail_travels_encrypted_where_the_relay_can(certificates, how):
    async with running_relay(**{how: certificates["good"]}) as relay:
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            await connection.send(MAIL, "a@x.example")
            await connection.send(MAIL, "b@x.example")
        assert (relay.encrypted, relay.recipients) == ([True, True], ["a@x.example", "b@x.example"])


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("how", ["starttls", "tls"])
@pytest.mark.parametrize("shown", ["another's name", "expired", "nobody's"])
async def test_a_relay_with_a_wrong_certificate_is_told_nothing(certificates, how, shown):
    async with running_relay(**{how: certificates[shown]}) as relay:
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(Away, match=r"(?i)certificate") as away:
                await connection.send(MAIL, "a@x.example")
        assert not away.value.ambiguous
        assert relay.taken == []
        assert relay.senders == set()


@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_an_authority_that_the_machine_does_not_know_is_none(certificates, how):
    async with running_relay(**{how: certificates["good"]}) as relay:
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(Away, match="certificate"):
                await connection.send(MAIL, "a@x.example")
        assert relay.taken == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("user", ["", "user:secret@"])
async def test_a_relay_that_offers_starttls_and_refuses_it_is_away_rather_than_spoken_to_in_the_clear(
    certificates, user
):
    async with running_relay(starttls=certificates["good"]) as relay:
        relay.refuses_tls = True
        url = relay.url.replace("smtp://", f"smtp://{user}")
        async with SmtpMailer(url, sender=SENDER).connection() as connection:
            with pytest.raises(Away, match="454"):
                await connection.send(MAIL, "a@x.example")
            assert relay.taken == []
            relay.refuses_tls = False
            await connection.send(MAIL, "a@x.example")
        assert relay.encrypted == [True]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_a_password_is_sent_once_encrypted_and_a_wrong_one_is_never_repeated_to_us(certificates, how):
    async with running_relay(**{how: certificates["good"]}) as relay:
        for user, right in (("user:secret@", True), ("user:wr%40ng-canary@", False)):
            async with SmtpMailer(relay.url.replace("://", f"://{user}"), sender=SENDER).connection() as connection:
                if right:
                    await connection.send(MAIL, "a@x.example")
                else:
                    with pytest.raises(Away) as away:
                        await connection.send(MAIL, "a@x.example")
                    assert "canary" not in str(away.value)
        assert relay.signed_in == {b"user"}
        assert relay.encrypted == [True]


def test_the_end_of_a_mail_is_waited_for_ten_minutes():
    """RFC 5321 § 4.5.3.2.6: less makes duplicates; a lease lasts longer than that."""
    assert DATA_SECONDS == 600
    assert LEASE.total_seconds() > DATA_SECONDS + COMMAND_SECONDS
