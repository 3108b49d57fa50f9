"""The words of pages for what sessions, answers, mails, cancellations and rules of series are called."""

from __future__ import annotations

from collections.abc import Mapping

from perinat_sched.booking.session import CancellationCode, Status
from perinat_sched.i18n import Message, say
from perinat_sched.sites.network import Language
from perinat_sched.storage.backup import HELD

STATUSES: Mapping[Status, Message] = {
    "tentative": Message("To be confirmed"),
    "confirmed": Message("Confirmed"),
    "cancelled": Message("Cancelled"),
}
REASONS: Mapping[CancellationCode, Message] = {
    "cancelled": Message("cancelled"),
    "postponed": Message("postponed"),
    "no_case": Message("no case to discuss"),
    "no_show": Message("nobody came"),
    "staffing": Message("lack of staff"),
    "technical": Message("technical trouble"),
}
ANSWERS: Mapping[str, Message] = {
    "pending": Message("no answer yet"),
    "accepted": Message("accepted"),
    "declined": Message("declined"),
    "tentative": Message("perhaps"),
}
NOTICES: Mapping[str, Message] = {
    "invitation": Message("Invitation"),
    "update": Message("Change"),
    "cancellation": Message("Cancellation"),
    "reminder": Message("Reminder"),
    "declined": Message("A site declined"),
    "place-lost": Message("Place lost"),
    "drift": Message("Hours that drift"),
}
STATES: Mapping[str, Message] = {
    "due": Message("due"),
    "sent": Message("sent"),
    "failed": Message("failed"),
    "skipped": Message("not sent: out of date"),
}
REPEATS: Mapping[str, Message] = {
    "week": Message("every week"),
    "month_weekday": Message("every month, on a weekday"),
    "month_day": Message("every month, on the day of the first date"),
    "month_last": Message("every month, on its last day"),
    "day": Message("every day"),
    "dates": Message("on the days given below"),
    "rule": Message("by a rule of iCalendar"),
}


def failure(error: str | None, language: Language) -> str:
    """Why a mail failed: what a restore did in our words, what the relay said in its own."""
    if error == HELD:
        return say(Message("held for review: the database was restored"), language)
    return error or ""
