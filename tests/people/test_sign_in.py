"""Sign-in rows on both engines: one link opens once, whoever hurries; what ends, ends everywhere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from perinat_sched.errors import Gone, InvalidRequest, Unauthenticated
from perinat_sched.people import store
from perinat_sched.people.actions import Tokens
from perinat_sched.people.sign_in import IDLE, LINK_HOLDS, SignIns, own_path
from perinat_sched.people.store import TokenRow
from perinat_sched.storage.database import Database
from tests.builders import a_directory, a_site

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ANNE = "Anne@Calais.example"


class Clock:
    """Stands still until it is moved."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sign_ins(database: Database, clock: Clock) -> SignIns:
    return SignIns(database, clock)


@pytest.fixture
async def token(database: Database, clock: Clock) -> TokenRow:
    tokens = Tokens(database, a_directory(a_site("calais")), clock)
    return (await tokens.create(role="coordinator", sites=["calais"], name="Anne", email=ANNE))[1]


async def opened(sign_ins: SignIns, token: TokenRow) -> str:
    [secret] = await sign_ins.links([token])
    return (await sign_ins.open(secret))[0]


async def test_a_link_opens_once_however_many_press_at_the_same_time(sign_ins: SignIns, token: TokenRow) -> None:
    [secret] = await sign_ins.links([token])
    results = await asyncio.gather(*(sign_ins.open(secret) for _ in range(10)), return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["Gone"] * 9 + ["tuple"]


async def test_a_sign_in_acts_as_its_token(sign_ins: SignIns, token: TokenRow) -> None:
    who = await sign_ins.authenticate(await opened(sign_ins, token))

    assert who.actor == token.actor and who.token == token


@pytest.mark.parametrize("cookie", ["", "x", "a" * 43, "é" * 43, "a" * 44, "a" * 10_000])
async def test_what_is_no_cookie_of_ours_opens_nothing(sign_ins: SignIns, cookie: str) -> None:
    with pytest.raises(Unauthenticated):
        await sign_ins.authenticate(cookie)
    with pytest.raises(Gone):
        await sign_ins.open(cookie)


async def test_pages_keep_a_sign_in_awake(sign_ins: SignIns, token: TokenRow, clock: Clock) -> None:
    cookie = await opened(sign_ins, token)
    for _ in range(3):
        clock.now += IDLE - timedelta(minutes=6)
        await sign_ins.authenticate(cookie)
    clock.now += IDLE
    with pytest.raises(Unauthenticated, match="signed out after a while"):
        await sign_ins.authenticate(cookie)


async def test_everywhere_ends_the_sign_ins_of_this_token_alone(
    database: Database, sign_ins: SignIns, token: TokenRow, clock: Clock
) -> None:
    other = (await Tokens(database, a_directory(a_site("calais")), clock).create(role="admin", name="Other"))[1]
    mine, also_mine, theirs = [await opened(sign_ins, of) for of in (token, token, other)]
    await sign_ins.end_everywhere(await sign_ins.authenticate(mine))

    for ended in (mine, also_mine):
        with pytest.raises(Unauthenticated):
            await sign_ins.authenticate(ended)
    assert (await sign_ins.authenticate(theirs)).token == other


async def test_a_request_is_taken_by_one_process_and_comes_back_when_that_one_dies(
    database: Database, sign_ins: SignIns
) -> None:
    await sign_ins.ask(ANNE, "fr", "/week")
    async with database.read() as tx:
        [request] = await store.asked(tx, NOON, limit=9)
    assert (request.address, request.language, request.next) == (ANNE.lower(), "fr", "/week")

    async def take(now: datetime) -> bool:
        again = now + timedelta(minutes=1)
        return await database.write(lambda tx: store.claim_request(tx, request.id, now, again_at=again))

    assert sorted(await asyncio.gather(*(take(NOON) for _ in range(8)))) == [False] * 7 + [True]
    assert not await take(NOON + timedelta(seconds=59))
    assert await take(NOON + timedelta(seconds=60))


async def test_an_address_is_found_whatever_its_capitals(
    database: Database, sign_ins: SignIns, token: TokenRow
) -> None:
    async with database.read() as tx:
        assert [row.id for row in await store.with_address(tx, ANNE.upper())] == [token.id]
        assert await store.with_address(tx, "nobody@calais.example") == []


async def test_what_is_no_address_is_refused_on_its_field(sign_ins: SignIns) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await sign_ins.ask("nobody", "fr")
    assert [error.field for error in caught.value.errors] == ["address"]


async def test_what_is_over_is_forgotten_and_nothing_else(sign_ins: SignIns, token: TokenRow, clock: Clock) -> None:
    cookie = await opened(sign_ins, token)
    [late] = await sign_ins.links([token])
    clock.now += LINK_HOLDS - timedelta(seconds=1)
    await sign_ins.forget()
    await sign_ins.open(late)
    assert (await sign_ins.authenticate(cookie)).token == token


@pytest.mark.parametrize(
    "path", ["/", "/week", "/week?of=site%3Alille&day=2027-03-18", "/sessions/0-a", "/account?lang=en"]
)
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert own_path(path) == path
