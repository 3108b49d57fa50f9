from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from perinat_sched.notices.mailer import Away, FileMailer, Refused, SmtpMailer, TryLater, mailer_of
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


async def test_a_connection_cut_before_the_mail_was_sent_leaves_no_doubt():
    async with running_relay() as relay:
        relay.answers = {"a@x.example": ["hang up"]}
        async with SmtpMailer(relay.url, sender=SENDER).connection() as connection:
            with pytest.raises(TryLater) as broken:
                await connection.send(MAIL, "a@x.example")
            assert not broken.value.ambiguous
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
