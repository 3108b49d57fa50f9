"""Notices as mails: the letter as text and as HTML, and the calendar part where there is one.

Invitations, updates and cancellations are iTIP by mail (RFC 5546, 6047; standards.md § C.1): the calendar part comes
last among the alternatives, without a disposition, which would hide it from Outlook and Evolution, and once more as
an attachment for whoever knows only files. A reminder carries no calendar part, which would ask for an answer again.
"""

from __future__ import annotations

import hashlib
from email.utils import format_datetime, parseaddr
from typing import Literal

from perinat_sched.booking.session import Session
from perinat_sched.feeds.calendar import invitation
from perinat_sched.notices import letter, mime
from perinat_sched.notices.layout import Letter, as_html, as_text
from perinat_sched.notices.notice import CALENDAR_KINDS, Facts, Notice
from perinat_sched.notices.policy import contacts
from perinat_sched.sites.network import Directory


def domain_of(mail_from: str) -> str:
    """The domain of the scheduling mailbox (`a@b` or `Name <a@b>`): that of every Message-ID."""
    return parseaddr(mail_from)[1].rpartition("@")[2]


def compose(
    notice: Notice,
    session: Session,
    directory: Directory,
    *,
    mail_from: str,
    before: Facts | None = None,
    thread: str | None = None,
) -> bytes:
    """The whole mail, ready to be handed over.

    `before`: what the reader was last told; `thread`: the Message-ID of the reader's invitation. Raises UnsafeHeader
    when a text cannot stand in the mail's head.
    """
    written = letter.write(notice, session, directory, before)
    return mime.message(
        _headers(notice, session, directory, written, mail_from, thread),
        _body(notice, session, directory, written, mail_from),
    )


def _headers(
    notice: Notice, session: Session, directory: Directory, written: Letter, mail_from: str, thread: str | None
) -> list[tuple[str, str]]:
    answers = contacts(directory, session.host_site)[:1]
    return [
        ("From", mime.mailbox(*parseaddr(mail_from), "From")),
        ("To", mime.address(notice.recipient, "To")),
        ("Subject", written.subject),
        ("Date", format_datetime(notice.due_at)),
        ("Message-ID", notice.message_id),
        *(("Reply-To", mime.address(address, "Reply-To")) for address in answers),
        *([("References", thread)] if thread else []),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", written.language),
    ]


def _body(notice: Notice, session: Session, directory: Directory, written: Letter, mail_from: str) -> mime.Part:
    boundary = "=_" + hashlib.sha256(notice.key.encode()).hexdigest()[:24]  # in no encoding of ours: see mime
    alternatives = [mime.text("plain", as_text(written)), mime.text("html", as_html(written))]
    if notice.kind not in CALENDAR_KINDS:
        return mime.multipart("alternative", boundary, alternatives)
    method: Literal["REQUEST", "CANCEL"] = "CANCEL" if notice.kind == "cancellation" else "REQUEST"
    ics = invitation(
        session,
        directory,
        method=method,
        site=notice.site,
        attendee=notice.recipient,
        organizer=mail_from,
        language=written.language,
        stamp=max(notice.due_at, session.updated_at),  # of the words, not of the attempt: a second copy is the same
    )
    kind = f"charset=UTF-8; method={method}; component=VEVENT"
    alternatives.append(mime.data(f"text/calendar; {kind}", ics))
    attachment = mime.data('application/ics; name="invite.ics"', ics, file_name="invite.ics")
    return mime.multipart(
        "mixed", f"{boundary}_m", [mime.multipart("alternative", f"{boundary}_a", alternatives), attachment]
    )
