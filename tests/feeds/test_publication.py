"""What an address answers without making it anew, what may be told from its facts, and what it says without a database.

All of it with real databases, on both engines; other nodes are other publishers over the same tables.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from icalendar import Calendar
from sqlalchemy import delete, text

from perinat_sched.booking.session import Answer, Session
from perinat_sched.errors import Gone, NotFound, Unavailable
from perinat_sched.feeds import store
from perinat_sched.feeds.edition import Asked, Edition, Facts, Options, Published
from perinat_sched.feeds.publication import LAST_GOOD_FOR, hashed
from perinat_sched.feeds.shelf import Told
from perinat_sched.people import store as people_store
from perinat_sched.storage.database import Count, Database, Tx
from perinat_sched.storage.tables import participations, sessions
from tests.conftest import opened
from tests.feeds.examples import PARTS, part
from tests.feeds.house import EXPIRY, NOW, House, numbered
from tests.postgres import PostgresServer
from tests.storage.test_changes import quiet

pytestmark = pytest.mark.xdist_group("feeds-away")  # its server is started once


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def said(told: Published, name: str) -> str:
    return dict(told.headers)[name]


def has_bytes(house: House, secret: str) -> bool:
    """Whether this node has made, and keeps, the bytes."""
    kept = house.shelf.get((hashed(secret), Options()))
    return kept is not None and kept.edition is not None


def reads_sessions(count: Count) -> bool:
    """Whether what is written about sessions was read, which nothing but a rendering needs."""
    return any("sessions.title" in statement for statement in count.statements)


# Without rendering


@pytest.mark.parametrize("how", ["head", "etag", "date"])
async def test_head_and_304_cost_no_rendering_on_another_node_or_after_a_restart__http_02_03(
    house: House, how: str
) -> None:
    await house.book(*(numbered(n) for n in range(5)))
    secret = await house.secret(await house.actor("admin"), "site", "lille")
    whole = await house.publish(secret)
    other = House(house.database, house.now)
    with house.database.counting() as count:
        match how:
            case "head":
                told = await other.publish(secret, head=True)
                assert (told.status, told.headers, told.body) == (200, whole.headers, b"")
            case "etag":
                told = await other.publish(secret, if_none_match=said(whole, "ETag"))
                assert (told.status, said(told, "ETag"), told.body) == (304, said(whole, "ETag"), b"")
            case "date":
                told = await other.publish(secret, if_modified_since=said(whole, "Last-Modified"))
                assert (told.status, said(told, "Last-Modified")) == (304, said(whole, "Last-Modified"))
    assert not reads_sessions(count) and not has_bytes(other, secret)

    with house.database.counting() as count:
        assert await other.publish(secret) == whole
    assert reads_sessions(count) and has_bytes(other, secret)  # what the above would have seen


async def test_an_unchanged_feed_asks_nothing_once_it_was_read(house: House) -> None:
    await house.book(numbered(1))
    secret = await house.secret(await house.actor("admin"), "site", "lille")
    async with house.database.watching():
        await quiet(house.database)
        whole = await house.publish(secret)
        while not house.database.changes.stamp():  # a look may have been late
            await quiet(house.database)
        await house.publish(secret)
        with house.database.counting() as count:
            again = await house.publish(secret)
            packed = await house.publish(secret, accept_gzip=True)
            head = await house.publish(secret, head=True)
            known = await house.publish(secret, if_none_match=said(whole, "ETag"))
        assert count.statements == []
        assert (again, packed.status, head.headers, known.status) == (whole, 200, whole.headers, 304)


async def test_the_same_words_have_the_same_answer_until_something_may_have_changed(house: House) -> None:
    """A change, midnight, an address that ended, a database that nobody looks at: each is asked about again."""
    session = numbered(1)
    await house.book(session)
    secret = await house.secret(await house.actor("admin"), "site", "lille")
    words = (secret, Options(), "GET", None, None, "gzip")
    publisher = house.publisher

    async def told() -> tuple[Told, bool]:
        """The answer, and whether it was at hand."""
        at_hand = publisher.again(words, house.now[0].timestamp())
        fresh = await publisher.tell(hashed(secret), words)
        if at_hand is not None:
            assert at_hand.answer == fresh.answer
        return fresh, at_hand is not None

    assert not (await told())[1] and not (await told())[1]  # nobody looks
    async with house.database.watching():
        await quiet(house.database)
        first, _ = await told()
        if not (await told())[1]:  # a look was late
            await quiet(house.database)
            await told()
        assert (await told()) == (first, True)

        await house.change(session, title="Autre")
        changed, at_hand = await told()
        assert not at_hand and changed.answer.body != first.answer.body
        await quiet(house.database)
        await told()
        assert (await told())[1]

        house.now[0] += timedelta(days=1)
        assert not (await told())[1]
        assert (await told())[1]

        await house.feeds.revoke(await house.actor("admin", "another"), changed.then.feed.id)
        assert publisher.again(words, house.now[0].timestamp()) is None
        with pytest.raises(Gone):
            await publisher.tell(hashed(secret), words)


async def test_a_changed_feed_costs_the_same_statements_whatever_it_holds(house: House) -> None:
    secret = await house.secret(await house.actor("admin"), "network", "perinat")
    costs, first = [], numbered(0)
    await house.book(first)
    for many in (1, 150):
        await house.book(*(numbered(many * 1000 + n, f"2027-02-{n % 28 + 1:02d}T08:00") for n in range(many)))
        await house.publish(secret)
        first = await house.change(first, title=f"Visio {many}")
        with house.database.counting() as count:
            told = await house.publish(secret)
        assert f"Visio {many}" in told.body.decode()
        costs.append(count.total)
    assert costs == [4, 4]  # what stands behind the address, the list, the session, the new edition


# Any history


class History:
    """Random edits of the sessions of one feed, from a seed; what a calendar can show afterwards is known."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.dice = random.Random(seed)
        self.known: dict[str, Session] = {}
        self.numbers = 0

    async def step(self) -> None:
        steps = [self.book, self.book, self.retitle, self.move, self.cancel, self.decline, self.remove, self.wait]
        await self.dice.choice(steps)()

    async def book(self) -> None:
        self.numbers += 1
        day = NOW + timedelta(days=self.dice.randint(-62, 402))
        booked = numbered(self.numbers, f"{day:%Y-%m-%d}T15:00", status=self.dice.choice(["tentative", "confirmed"]))
        await self.house.book(booked)
        self.known[booked.id] = booked

    async def retitle(self) -> None:
        await self.change(title=f"Visio — {self.dice.random()}")

    async def move(self) -> None:
        start = NOW + timedelta(days=self.dice.randint(-62, 402))
        await self.change(start=start, wall_start=start.replace(tzinfo=None), timezone="Etc/UTC")

    async def cancel(self) -> None:
        await self.change(status=self.dice.choice(["cancelled", "cancelled", "confirmed"]))

    async def decline(self) -> None:
        answer: Answer = self.dice.choice(("declined", "accepted"))
        await self.change(participations=(PARTS[0], part("calais", answer, room=None)))

    async def change(self, **changes: object) -> None:
        if self.known:
            one = self.known[self.dice.choice(sorted(self.known))]
            self.known[one.id] = await self.house.change(one, **changes)

    async def remove(self) -> None:
        if self.known:
            gone = self.known.pop(self.dice.choice(sorted(self.known))).id

            async def delete_it(tx: Tx) -> None:
                await tx.execute(delete(participations).where(participations.c.session_id == gone))
                await tx.execute(delete(sessions).where(sessions.c.id == gone))

            await self.house.database.write(delete_it)

    async def wait(self) -> None:
        """The clock goes on, by less than a second or by days; a node's may be behind."""
        moments = (timedelta(milliseconds=200), timedelta(days=3), timedelta(days=20), timedelta(minutes=-1))
        self.house.now[0] += self.dice.choice(moments)

    def shown(self, now: datetime) -> set[str]:
        """The ids that the feed of Calais shows, by the rule as the README has it."""
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return {
            one.id
            for one in self.known.values()
            if one.end > today - timedelta(days=60 if one.status != "cancelled" else 30)
            and one.start < today + timedelta(days=400)
            and any(place.site == "calais" and place.answer != "declined" for place in one.participations)
        }


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_pieces_make_what_a_fresh_node_makes_and_dates_never_go_back__http_02_03_ics_02(
    house: House, seed: int
) -> None:
    """Edits, cancellations, deletions, hours that pass: a node that keeps pieces, another, and one without memory.

    The ETag is another exactly when the bytes are; Last-Modified rises then, by a second at least, and only then.
    """
    history, other = History(house, seed), House(house.database, house.now)
    secret = await house.secret(await house.actor("admin"), "site", "calais")
    before = await house.publish(secret)
    changed = 0
    for _ in range(40):
        await history.step()
        node, memory_less = house if history.dice.random() < 0.5 else other, House(house.database, house.now)
        now = await node.publish(secret)
        for packed in (False, True):
            told, fresh = [await each.publish(secret, accept_gzip=packed) for each in (node, memory_less)]
            assert fresh == told, "another way to the same state makes the same bytes and says the same of them"
        uids = [str(event["UID"]).partition("@")[0] for event in Calendar.from_ical(now.body).events]
        assert sorted(uids) == sorted(history.shown(house.now[0]))

        moved = now.body != before.body
        changed += moved
        assert (said(now, "ETag") != said(before, "ETag")) is moved
        then, since = (parsedate_to_datetime(said(told, "Last-Modified")) for told in (before, now))
        assert since >= then + timedelta(seconds=1) if moved else since == then
        by_date = await house.publish(secret, if_modified_since=said(before, "Last-Modified"))
        assert by_date.status == (200 if moved else 304)
        both = await house.publish(secret, if_none_match='"another"', if_modified_since=said(now, "Last-Modified"))
        assert both.status == 200  # the date does not count beside an ETag
        assert (await house.publish(secret, if_modified_since="yesterday")).status == 200  # nor one that is none
        before = now
    assert changed > 5, "a history in which little happens shows little"


# Without a database


@dataclass
class Outage:
    """A database that the test takes away and gives back."""

    url: str
    server: PostgresServer | None = None
    saved: bytes = b""

    @property
    def file(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def begin(self) -> None:
        if self.server is not None:
            self.server.stop()
            return
        with closing(sqlite3.connect(self.file)) as connection:  # nothing of it stays in any connection's memory
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('outage', '')")
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.saved = self.file.read_bytes()
        with self.file.open("r+b") as file:
            file.write(b"\xff" * len(self.saved))

    def end(self) -> None:
        if self.server is not None:
            self.server.start()
            return
        with self.file.open("r+b") as file:
            file.write(self.saved)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server of this module alone, to stop."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def outage(engine: str, request: pytest.FixtureRequest, sqlite_template: str, tmp_path: Path) -> Iterator[Outage]:
    if engine == "sqlite":
        shutil.copyfile(sqlite_template.removeprefix("sqlite:///"), tmp_path / "away.db")
        yield Outage(f"sqlite:///{tmp_path}/away.db")
        return
    server: PostgresServer = request.getfixturevalue("own_server")
    yield Outage(server.create_database("away"), server)
    server.start()
    server.drop_database("away")


@pytest.fixture
async def node(outage: Outage) -> AsyncIterator[House]:
    """A node whose database can be away."""
    async with opened(outage.url) as database:
        await database.migrate()
        yield House(database)


async def test_without_its_database_a_node_answers_the_last_good_bytes_for_a_day__http_06(
    node: House, outage: Outage
) -> None:
    """Calendar programs switch a feed off, or empty it, for an error; and afterwards all is as before."""
    await node.book(before := numbered(1))
    actor = await node.actor("admin")
    secret, unread = [await node.secret(actor, "site", "lille") for _ in range(2)]
    whole, packed = await node.publish(secret), await node.publish(secret, accept_gzip=True)
    outage.begin()
    for hours in (0, 1, 23):
        node.now[0] = NOW + timedelta(hours=hours)  # past midnight too, when another day would be shown
        assert await node.publish(secret) == whole
        assert await node.publish(secret, accept_gzip=True) == packed
        assert (await node.publish(secret, head=True)).headers == whole.headers
        assert (await node.publish(secret, if_none_match=said(whole, "ETag"))).status == 304
        with pytest.raises(Unavailable):
            await node.publish(unread)
    node.now[0] = NOW + LAST_GOOD_FOR
    with pytest.raises(Unavailable):
        await node.publish(secret)

    outage.end()
    node.now[0] = NOW
    assert await node.publish(secret) == whole
    assert (await node.publish(unread)).body == whole.body
    await node.change(before, title="Visio — après")
    assert "Visio — après" in (await node.publish(secret)).body.decode()
    with pytest.raises(NotFound):
        await node.publish("nobody's")
    outage.begin()  # the day begins anew
    node.now[0] = NOW + timedelta(hours=30)
    assert "Visio — après" in (await node.publish(secret)).body.decode()


@pytest.mark.parametrize("ending", ["revoked here", "revoked and read", "owner revoked and read", "expires meanwhile"])
async def test_without_its_database_a_node_still_knows_what_has_ended__http_06_07(
    node: House, outage: Outage, ending: str
) -> None:
    actor = await node.actor("admin")
    feed, secret = await node.feeds.create(actor, "site", "lille", "full", "", "fr")
    await node.publish(secret)
    match ending:
        case "revoked here":
            await node.feeds.revoke(actor, feed.id)
        case "revoked and read":
            await House(node.database, node.now).feeds.revoke(actor, feed.id)
        case "owner revoked and read":
            await node.database.write(lambda tx: people_store.revoke(tx, actor.token, NOW))
        case "expires meanwhile":
            node.now[0] = EXPIRY - timedelta(hours=1)
            await node.publish(secret)
    if ending.endswith("read"):
        with pytest.raises(Gone):
            await node.publish(secret)
    outage.begin()
    if ending == "expires meanwhile":
        await node.publish(secret)
        node.now[0] = EXPIRY
    for _ in range(2):
        with pytest.raises(Gone):
            await node.publish(secret)
    node.now[0] += LAST_GOOD_FOR * 2
    with pytest.raises(Gone):
        await node.publish(secret)


async def test_what_cannot_be_written_down_is_answered_without_its_date__http_03_06(house: House) -> None:
    """A disk that is full: a feed is read all the same, and says when it changed once that is known."""
    await house.book(numbered(1))
    secret = await house.secret(await house.actor("admin"), "site", "lille")

    async def forbid(tx: Tx) -> None:
        if house.database.dialect == "sqlite":
            forbidding = "BEFORE INSERT ON feed_editions BEGIN SELECT RAISE(ABORT, 'full'); END"
        else:
            await tx.execute(
                text("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'full'; END$$")
            )
            forbidding = "BEFORE INSERT ON feed_editions FOR EACH ROW EXECUTE FUNCTION full_disk()"
        await tx.execute(text(f"CREATE TRIGGER full_disk {forbidding}"))

    on = "" if house.database.dialect == "sqlite" else " ON feed_editions"
    await house.database.write(forbid)
    told = await house.publish(secret)
    assert told.status == 200 and "Last-Modified" not in dict(told.headers)
    await house.database.write(lambda tx: tx.execute(text(f"DROP TRIGGER full_disk{on}")))
    again = await house.publish(secret)
    assert (again.body, said(again, "ETag")) == (told.body, said(told, "ETag"))
    assert said(again, "Last-Modified") == "Fri, 15 Jan 2027 10:00:00 GMT"


async def test_what_becomes_as_it_was_before_is_dated_by_its_return_on_every_node__http_03(house: House) -> None:
    """A site is asked and leaves again: a node that missed it keeps the right bytes, but not their old date."""
    missed = House(house.database, house.now)
    secret = await house.secret(await house.actor("admin"), "site", "noumea")
    first = await missed.publish(secret)
    house.now[0] += timedelta(hours=1)
    await house.book(asked := numbered(1, participations=(*PARTS, part("noumea"))))
    second = await house.publish(secret)
    house.now[0] += timedelta(hours=1)
    await house.change(asked, participations=PARTS)
    third = await missed.publish(secret, if_modified_since=said(second, "Last-Modified"))
    assert (third.status, third.body == first.body) == (200, True)
    dates = [parsedate_to_datetime(said(told, "Last-Modified")) for told in (first, second, third)]
    assert dates == [NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)]


async def test_the_variants_of_an_address_change_each_for_itself__http_02(house: House) -> None:
    off = numbered(2, "2027-01-22T15:00", status="cancelled")
    await house.book(numbered(1), off)
    secret = await house.secret(await house.actor("admin"), "site", "lille")
    variants = (Options(), Options(alarm=15), Options(cancelled=False), Options(free_busy=True))
    first = [await house.publish(secret, options) for options in variants]
    assert len({told.body for told in first}) == len({said(told, "ETag") for told in first}) == 4
    house.now[0] += timedelta(hours=1)
    await house.change(off, title="Visio — une autre fois")
    second = [await house.publish(secret, options) for options in variants]
    pairs = list(zip(first, second, strict=True))
    assert [one.body != two.body for one, two in pairs] == [True, True, False, False]
    assert [said(one, "Last-Modified") != said(two, "Last-Modified") for one, two in pairs] == [
        True,
        True,
        False,
        False,
    ]


# Written down


async def test_what_another_node_wrote_meanwhile_is_read_again_and_dates_rise_all_the_same__http_03(
    house: House,
) -> None:
    """What was read before writing may be old by then: known, unknown, or of the same bytes."""
    secret = await house.secret(await house.actor("admin"), "site", "lille")
    then, _ = await house.publisher.publish(hashed(secret), Asked(), Options())

    async def record(body: bytes, before: tuple[str, Facts] | None) -> Facts:
        made = Edition.of((body,)).facts()
        return await house.database.write(
            lambda tx: store.record_edition(tx, then.feed.id, "alarm=5", body.decode(), made, house.now[0], before)
        )

    first = await record(b"a", None)
    second = await record(b"b", ("a", first))
    behind = await record(b"c", ("a", first))
    unread = await record(b"d", None)
    same = await record(b"d", ("a", first))
    dates = [facts.changed_at for facts in (first, second, behind, unread)]
    assert dates == [NOW + timedelta(seconds=seconds) for seconds in range(4)]
    assert same == unread
    async with house.database.read() as tx:
        found = await store.find(tx, hashed(secret), "alarm=5")
    assert found is not None and found.recorded == ("d", unread)
