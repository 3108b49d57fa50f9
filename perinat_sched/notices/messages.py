"""Notices as mails: the letter as text and as HTML, and the calendar part where there is one.

Invitations, updates and cancellations are iTIP by mail (RFC 5546, 6047; standards.md § C.1): the calendar part comes
last among the alternatives, without a disposition, which would hide it from Outlook and Evolution, and once more as
an attachment for whoever knows only files. A reminder carries no calendar part, which would ask for an answer again
(MAIL-09); it says how to get no more of them (MAIL-04).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Any, Literal, TypeVar

from perinat_sched.booking.session import Session
from perinat_sched.feeds.invitation import Invitation
from perinat_sched.i18n import Message, say
from perinat_sched.notices import lists, mime, series_letter
from perinat_sched.notices.bundle import Bundle
from perinat_sched.notices.layout import Letter, Line, Section, as_html, as_text
from perinat_sched.notices.letter import Words
from perinat_sched.notices.notice import Facts, Notice, OddPeriod
from perinat_sched.notices.readers import answered_by
from perinat_sched.sites.network import Directory, Site

KEPT = 64  # letters whose prints are at hand

T = TypeVar("T")


class Shared:
    """What mails that are written together have in common, made once: the letter to a site, the calendar part."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes, the first time; `key`: all that it depends on and may differ among these mails."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made


@lru_cache(maxsize=KEPT)
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
    code_before: str | None = None,
    thread: str | None = None,
    stop_url: str | None = None,
    bundle: Bundle | None = None,
    leaves: datetime | None = None,
    shared: Shared | None = None,
) -> bytes:
    """The whole mail, ready to be handed over.

    `before`, `code_before`: what the reader was last told; `thread`: the Message-ID of the reader's invitation;
    `stop_url`: where the reader stops reminders; `bundle`: of a series, what it tells; `leaves`: when it does, where
    later than it is due; `shared`: with the mails that are written together with it, and leave then too. Raises
    UnsafeHeader when a text cannot stand in the mail's head.
    """
    shared = shared or Shared()
    if bundle and not bundle.alone:
        written = series_letter.write(bundle, directory, leaves)
    else:
        written = shared.once(
            (session.id, _told(notice), before and before.all, code_before),
            lambda: Words(notice, session, directory, before, code_before, leaves=leaves).letter(),
        )
    written = _with_stop(written, stop_url)
    host = answered_by([session], directory)
    headers = _headers(notice, written, mail_from, host, thread=thread, stop_url=stop_url)
    return mime.message(headers, _body(notice, session, directory, written, mail_from, bundle, shared))


def _told(notice: Notice) -> Hashable:
    """All that a letter says of a notice: nothing of who reads it, but for which site."""
    facts = notice.facts.all if isinstance(notice.facts, Facts) else notice.facts
    return notice.kind, notice.lead, notice.site, notice.due_at, facts


def digest(
    reminders: Sequence[tuple[Notice, Session]],
    directory: Directory,
    *,
    mail_from: str,
    thread: str | None = None,
    stop_url: str | None = None,
) -> bytes:
    """One mail for the reminders of one reader that fall due together; its Message-ID is the first notice's.

    `thread`: the Message-ID of one invitation, for several would tie their sessions' threads into one.
    """
    first, _ = reminders[0]
    written = _with_stop(lists.digest(reminders, directory), stop_url)
    host = answered_by([session for _, session in reminders], directory)
    headers = _headers(first, written, mail_from, host, thread=thread, stop_url=stop_url)
    return mime.message(headers, _prints(first, written))


def warning(
    notice: Notice,
    period: OddPeriod,
    sessions: Sequence[Session],
    directory: Directory,
    *,
    mail_from: str,
    thread: str | None = None,
) -> bytes:
    """The mail that tells a reader of an odd period."""
    written = lists.odd_hours(notice, period, sessions, directory)
    host = answered_by(sessions, directory)
    return mime.message(_headers(notice, written, mail_from, host, thread=thread), _prints(notice, written))


def _with_stop(written: Letter, stop_url: str | None) -> Letter:
    """With what its reader does to get no more reminders."""
    if stop_url is None:
        return written
    label = say(Message("No more reminders to this address"), written.language)
    stop = Section(
        heading=say(Message("Reminders"), written.language), lines=(Line(label=label, value=stop_url, link=True),)
    )
    return replace(written, sections=(*written.sections, stop))


def _headers(
    notice: Notice,
    written: Letter,
    mail_from: str,
    host: Site | None,
    *,
    thread: str | None = None,
    stop_url: str | None = None,
) -> list[tuple[str, str]]:
    one_click = [("List-Unsubscribe", f"<{stop_url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
    return [
        ("From", _sender(mail_from)),
        ("To", mime.address(notice.recipient, "To")),
        ("Subject", written.subject),
        ("Date", format_datetime(notice.due_at)),
        ("Message-ID", notice.message_id),
        *([("Reply-To", mime.address(host.contacts[0], "Reply-To"))] if host else []),
        *([("References", thread)] if thread else []),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", written.language),
        *(one_click if stop_url else []),
    ]


@lru_cache(maxsize=KEPT)
def _sender(mail_from: str) -> str:
    return mime.mailbox(*parseaddr(mail_from), "From")


@lru_cache(maxsize=KEPT)
def _printed(written: Letter) -> tuple[mime.Part, mime.Part]:
    """A letter as text and as HTML."""
    return mime.text("plain", as_text(written)), mime.text("html", as_html(written))


def _boundary(notice: Notice) -> str:
    return "=_" + hashlib.sha256(notice.key.encode()).hexdigest()[:24]  # in no encoding of ours: see mime


def _prints(notice: Notice, written: Letter) -> mime.Part:
    return mime.multipart("alternative", _boundary(notice), _printed(written))


def _body(
    notice: Notice,
    session: Session,
    directory: Directory,
    written: Letter,
    mail_from: str,
    bundle: Bundle | None,
    shared: Shared,
) -> mime.Part:
    if notice.news is None:
        return _prints(notice, written)
    boundary = _boundary(notice)
    stamp = max(notice.due_at, session.updated_at)  # of the words, not of the attempt: a second copy is the same
    method: Literal["REQUEST", "CANCEL"] = "CANCEL" if notice.kind == "cancellation" else "REQUEST"
    if bundle:
        method = bundle.method
        ics = bundle.calendar(directory, organizer=mail_from, language=written.language, stamp=stamp)
    else:
        asked, language = session.participation(notice.site) is not None, written.language
        invitation = shared.once(
            (session.id, method, asked, language, stamp),
            lambda: Invitation(
                session, directory, method=method, asked=asked, organizer=mail_from, language=language, stamp=stamp
            ),
        )
        ics = invitation.to(notice.site, notice.recipient)
    kind = f"charset=UTF-8; method={method}; component=VEVENT"
    alternatives = [*_printed(written), mime.data(f"text/calendar; {kind}", ics)]
    attachment = mime.data('application/ics; name="invite.ics"', ics, file_name="invite.ics")
    return mime.multipart(
        "mixed", f"{boundary}_m", [mime.multipart("alternative", f"{boundary}_a", alternatives), attachment]
    )
