"""Tokens: made once, kept as a hash, refused as soon as they are revoked or expired."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from perinat_sched.errors import InvalidRequest, NotFound, Unauthenticated
from perinat_sched.people.access import Actor
from perinat_sched.people.actions import Tokens
from perinat_sched.storage import audit, tables
from tests.builders import a_directory, a_site

DIRECTORY = a_directory(a_site("calais"), a_site("lille", networks=("perinat", "hpsm")))
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(database, clock) -> Tokens:
    return Tokens(database, DIRECTORY, clock)


async def _audited(database):
    async with database.read() as tx:
        return [
            (row.actor, row.action, row.object_type, row.object_id)
            for row in await audit.read(tx, after=None, limit=100)
        ]


async def test_a_token_opens_what_it_was_made_for(tokens):
    token, row = await tokens.create(
        role="coordinator",
        sites=["calais", "lille", "calais"],
        networks=["hpsm"],
        person="anne",
        email="anne@calais.example",
        name="Anne, Calais",
    )
    assert row.sites == ("calais", "lille")
    assert await tokens.authenticate(token) == Actor(
        token=row.id,
        role="coordinator",
        sites=frozenset({"calais", "lille"}),
        networks=frozenset({"hpsm"}),
        person="anne",
    )


async def test_the_database_keeps_the_sha256_of_a_token_and_nothing_of_the_token(tokens, database):
    token, row = await tokens.create(role="admin", name="Réseau")
    async with database.read() as tx:
        stored = (await tx.execute(select(tables.tokens))).one()
        audited = (await tx.execute(select(tables.audit))).one()
    assert token.startswith("ps_") and len(token) == 46
    assert stored.hash == hashlib.sha256(token.encode()).hexdigest()
    assert token[3:] not in repr((stored, audited, row))


async def test_two_tokens_may_bear_one_name(tokens):
    first, second = [await tokens.create(role="admin", name="Réseau") for _ in range(2)]
    assert first[0] != second[0]
    assert (await tokens.authenticate(first[0])).token == first[1].id
    assert (await tokens.authenticate(second[0])).token == second[1].id


async def test_a_token_lasts_365_days_unless_told_otherwise(tokens, clock):
    token, row = await tokens.create(role="admin", name="Réseau")
    assert row.expires_at == NOON + timedelta(days=365)
    clock.now = row.expires_at - timedelta(seconds=1)
    assert await tokens.authenticate(token)
    clock.now = row.expires_at
    with pytest.raises(Unauthenticated, match="expired"):
        await tokens.authenticate(token)


async def test_a_token_is_valid_through_its_last_day_in_utc(tokens, clock):
    token, _ = await tokens.create(role="admin", expires=date(2027, 3, 1), name="Réseau")
    clock.now = datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC)
    assert await tokens.authenticate(token)
    clock.now += timedelta(seconds=1)
    with pytest.raises(Unauthenticated, match="expired"):
        await tokens.authenticate(token)


async def test_a_revoked_token_is_refused_at_once_and_no_other(tokens):
    token, row = await tokens.create(role="admin", name="Réseau")
    other, _ = await tokens.create(role="admin", name="Réseau")
    assert await tokens.authenticate(token)
    await tokens.revoke(row.id)
    with pytest.raises(Unauthenticated, match="revoked"):
        await tokens.authenticate(token)
    assert await tokens.authenticate(other)


async def test_revoking_twice_changes_nothing(tokens, database, clock):
    _, row = await tokens.create(role="admin", name="Réseau")
    await tokens.revoke(row.id)
    clock.now += timedelta(hours=1)
    await tokens.revoke(row.id)
    assert [token.revoked_at for token in await tokens.list_all()] == [NOON]
    assert [action for _, action, *_ in await _audited(database)] == ["token_revoked", "token_created"]


@pytest.mark.parametrize("unknown", ["", "nothing", "00000000-0000-0000-0000-000000000000"])
async def test_revoking_what_is_not_there_is_not_found(tokens, database, unknown):
    with pytest.raises(NotFound):
        await tokens.revoke(unknown)
    assert await _audited(database) == []


async def test_tokens_are_listed_the_oldest_first_with_revoked_and_expired_ones(tokens, clock):
    made = []
    for name in ("first", "second", "third"):
        made.append((await tokens.create(role="clinician", sites=["calais"], expires=date(2027, 3, 2), name=name))[1])
        clock.now += timedelta(minutes=1)
    await tokens.revoke(made[1].id)
    clock.now += timedelta(days=30)
    listed = await tokens.list_all()
    assert [(row.id, row.name) for row in listed] == [(row.id, row.name) for row in made]
    assert [row.revoked_at is None for row in listed] == [True, False, True]
    assert listed[0] == made[0]


async def test_making_and_revoking_are_audited_without_what_was_typed(tokens, database):
    _, row = await tokens.create(role="coordinator", sites=["calais"], email="a@calais.example", name="Anne")
    await tokens.revoke(row.id)
    assert await _audited(database) == [
        ("system", "token_revoked", "token", row.id),
        ("system", "token_created", "token", row.id),
    ]
    async with database.read() as tx:
        details = [entry.details for entry in await audit.read(tx, after=None, limit=100)]
    assert details == [{"role": "coordinator", "sites": ["calais"], "networks": []}] * 2


RESEMBLING = {
    "empty": lambda token: "",
    "prefix alone": lambda token: "ps_",
    "truncated": lambda token: token[:-1],
    "extended": lambda token: token + "A",
    "with a line end": lambda token: token + "\n",
    "with a space": lambda token: " " + token,
    "in another case": lambda token: token.swapcase(),
    "another of the same form": lambda token: "ps_" + "A" * 43,
    "without its prefix": lambda token: token[3:],
    "its hash": lambda token: hashlib.sha256(token.encode()).hexdigest(),
    "not ASCII": lambda token: token[:-1] + "é",
    "full-width": lambda token: token[:-1] + "Ａ",
    "lone surrogate": lambda token: token[:-1] + "\ud800",
    "NUL": lambda token: token[:-1] + "\x00",
    "huge": lambda token: token * 10_000,
    "SQL": lambda token: "' OR '1'='1",
}


@pytest.mark.parametrize("change", RESEMBLING.values(), ids=RESEMBLING)
async def test_what_only_resembles_a_token_is_refused(tokens, change):
    token, _ = await tokens.create(role="admin", name="Réseau")
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(change(token))


async def test_a_request_costs_one_statement_and_a_malformed_token_none(tokens, database):
    token, _ = await tokens.create(role="admin", name="Réseau")
    with database.counting() as count:
        await tokens.authenticate(token)
    assert count.total == 1
    with database.counting() as count, pytest.raises(Unauthenticated):
        await tokens.authenticate(token + "x")
    assert count.total == 0


WRONG = {
    "unknown role": ({"role": "superuser"}, ["role"]),
    "unknown site": ({"sites": ["calais", "calai"]}, ["sites"]),
    "unknown network": ({"networks": ["nowhere"]}, ["networks"]),
    "all at once": ({"sites": ["x", "y"], "networks": ["z"]}, ["sites", "sites", "networks"]),
    "coordinator of nothing": ({"sites": []}, ["sites"]),
    "clinician of nothing": ({"role": "clinician", "sites": []}, ["sites"]),
    "clinician of a network": ({"role": "clinician", "networks": ["perinat"]}, ["networks"]),
    "no name": ({"name": " \u200b"}, ["name"]),
    "name over two lines": ({"name": "Anne\nBcc: x"}, ["name"]),
    "no address": ({"email": "a@b, victim@x"}, ["email"]),
    "no person": ({"person": ""}, ["person"]),
    "long person": ({"person": "x" * 37}, ["person"]),
    "the last day there is": ({"expires": date.max}, ["expires"]),
}


@pytest.mark.parametrize(("given", "fields"), WRONG.values(), ids=WRONG)
async def test_a_wrong_token_is_refused_field_by_field_and_nothing_is_stored(tokens, database, given, fields):
    with pytest.raises(InvalidRequest) as caught:
        await tokens.create(**({"role": "coordinator", "sites": ["calais"], "name": "Anne"} | given))
    assert [error.field for error in caught.value.errors] == fields
    assert await tokens.list_all() == []
    assert await _audited(database) == []


async def test_an_unknown_code_is_answered_with_the_nearest(tokens):
    with pytest.raises(InvalidRequest) as caught:
        await tokens.create(role="coordinator", sites=["calai"], name="Anne")
    assert caught.value.errors[0].message.values == {"code": "calai", "nearest": "calais"}


@pytest.mark.parametrize(
    "given",
    [
        {"role": "admin"},
        {"role": "admin", "sites": ["lille"]},
        {"role": "coordinator", "networks": ["perinat"]},
        {"role": "clinician", "person": "anne"},
    ],
    ids=["admin", "admin of a site", "coordinator", "clinician"],
)
async def test_every_role_has_a_token_that_opens_something(tokens, given):
    token, _ = await tokens.create(**given, name="Anne")
    assert (await tokens.authenticate(token)).role == given["role"]
