"""Whatever happens to a session, and however its mails fare: in the end each reader knows the truth, told in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import Facts, Notice
from perinat_sched.notices.policy import objection
from perinat_sched.notices.readers import facts_for, fold, readers_of
from tests.notices.examples import CALAIS, LILLE, MONTREAL, NETWORK, Desk, changed, network, part, session

Fate = Literal["sent", "refused", "put off", "in doubt"]
FATES: tuple[Fate, ...] = ("sent", "refused", "put off", "in doubt")
SETTLE = timedelta(seconds=5)
PARTS = (
    (LILLE, CALAIS, MONTREAL),
    (LILLE, replace(CALAIS, room="calais-2"), MONTREAL),
    (LILLE, part("calais", "declined"), MONTREAL),
    (LILLE, CALAIS),
    (LILLE, MONTREAL, part("noumea", "pending", required=False)),
)
ELSEWHERE = network(sainte_justine=replace(NETWORK.sites["sainte-justine"], timezone="America/Halifax"))
CHANGES = st.one_of(
    st.builds(lambda hour: {"wall": f"2027-01-21T{hour}:00"}, st.sampled_from((14, 15, 16))),
    st.builds(lambda parts: {"participations": parts}, st.sampled_from(PARTS)),
    st.builds(lambda status: {"status": status}, st.sampled_from(("cancelled", "confirmed"))),
    st.builds(lambda title: {"title": title}, st.sampled_from(("Staff", "RCP"))),
    st.builds(lambda url: {"join_url": url}, st.sampled_from((None, "https://visio.example/autre"))),
)
STEPS = st.tuples(
    CHANGES | st.none(),
    st.integers(0, 12),  # seconds until the delivery looks
    st.booleans(),  # whether Sainte-Justine's clock is another one from now on
    st.lists(st.sampled_from(FATES), min_size=8, max_size=8),
)


@dataclass
class Post:
    """What each reader got, in the order in which it left; what only may have arrived, too."""

    desk: Desk
    heard: dict[str, list[tuple[Notice, Session]]] = field(default_factory=dict)

    def deliver(self, now_is: Session, seconds: int, fates: list[Fate]) -> None:
        """One pass: what is due is read against the session once more, and leaves or does not."""
        now = now_is.updated_at + timedelta(seconds=seconds)
        self.desk.plan(now_is, now)
        tried: set[str] = set()
        while row := self._next(now, tried):
            tried.add(row.id)
            reason = objection(row, now_is, self.desk.directory, list(self.desk.rows.values()))
            if reason:
                self.desk.rows[row.id] = replace(row, state="skipped", last_error=reason)
                self.desk.plan(now_is, now)
                continue
            self._leaves(row, now_is, fates[len(tried) % len(fates)])

    def _next(self, now: datetime, tried: set[str]) -> Notice | None:
        due = [
            row
            for row in self.desk.rows.values()
            if row.state == "due" and row.news and row.due_at <= now and row.id not in tried
        ]
        return min(due, key=lambda row: (row.try_at, row.revision, row.id), default=None)

    def _leaves(self, row: Notice, now_is: Session, fate: Fate) -> None:
        match fate:
            case "sent":
                row = replace(row, state="sent", handed_at=row.due_at, sent_at=row.due_at)
            case "refused":
                row = replace(row, state="failed")
            case "in doubt":
                row = replace(row, handed_at=row.due_at, ambiguous=True)
            case "put off":
                row = replace(row, attempts=row.attempts + 1)
        self.desk.rows[row.id] = row
        if fate in ("sent", "in doubt"):
            self.heard.setdefault(fold(row.recipient), []).append((row, now_is))

    def told(self, reader: str) -> Facts | None:
        """What a reader knows last; None: that they need not come, or nothing."""
        words = self.heard.get(reader, [])
        return words[-1][0].news if words and words[-1][0].kind != "cancellation" else None


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=12))
def test_in_the_end_each_reader_knows_the_truth_told_in_order_and_once(steps):
    """§ 2 of reliability.md: at least once, never an older SEQUENCE after a newer one; ITIP-06: DTSTAMP rises."""
    now_is = session()
    post = Post(Desk(settle=SETTLE))
    for change, seconds, moved_clock, fates in steps:
        post.deliver(now_is, seconds, list(fates))
        post.desk.directory = ELSEWHERE if moved_clock else NETWORK
        change = dict(change or {"title": "Autre"})
        title_alone = set(change) == {"title"}
        now_is = changed(
            now_is,
            change.pop("wall", None),
            after=timedelta(seconds=seconds + 1),
            **change | ({"sequence": now_is.sequence} if title_alone else {}),
        )
    for minute in range(3):  # the relay is there again; whoever was refused is sent again by hand
        for row in list(post.desk.rows.values()):
            if row.state == "failed":
                post.desk.rows[row.id] = replace(row, state="due")
        post.deliver(now_is, 60 * (minute + 1), ["sent"])

    readers = readers_of(now_is, post.desk.directory)
    for reader in {*post.heard, *readers}:
        truth = facts_for(now_is, post.desk.directory, readers[reader].site) if reader in readers else None
        known = post.told(reader)
        assert known == truth if not (known and truth) else known.tells_as(truth)
        heard = post.heard.get(reader, [])
        mails = {row.message_id: (about.sequence, max(row.due_at, about.updated_at)) for row, about in heard}
        assert list(mails.values()) == sorted(set(mails.values()))
        for (before, _), (after, _) in pairwise(heard):
            if before.id != after.id and not post.desk.rows[before.id].ambiguous:
                assert not says_the_same(before, after)


def says_the_same(one: Notice, other: Notice) -> bool:
    if "cancellation" in (one.kind, other.kind):
        return one.kind == other.kind
    return bool(one.news and other.news and one.news.tells_as(other.news))
