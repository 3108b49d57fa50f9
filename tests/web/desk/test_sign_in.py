"""Signing in without a password: a link by mail, used once, and a cookie that ends with its token."""

from __future__ import annotations

import asyncio
import email
import re
from dataclasses import replace
from datetime import datetime, timedelta
from email.policy import default
from pathlib import Path

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event, func, select

from perinat_sched import app
from perinat_sched.notices.mailer import FileMailer, TryLater
from perinat_sched.people.sign_in import IDLE, LINK_HOLDS, LONGEST, own_path
from perinat_sched.settings import Settings
from perinat_sched.storage import audit, tables
from perinat_sched.storage.database import Database
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import NOW, Api
from tests.web.desk.visitors import OURS, Visitor, signed_in

ANNE = "anne@calais.example"


class Clock:
    """Stands still until it is moved."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def services(database: Database, configured: Settings, clock: Clock, tmp_path: Path) -> Services:
    """A service whose clock can be moved and whose mails become files of this test."""
    await database.sync_resources(configured.directory)
    services = app.assemble(configured, database, clock)
    mail = replace(services.sign_in_mail, mailer=FileMailer(tmp_path / "mail"))
    return replace(services, sign_in_mail=mail)


@pytest.fixture
def visitor(api: Api) -> Visitor:
    return Visitor(api.anybody)


def mails(tmp_path: Path) -> list[str]:
    """The words of the mails that left, the first one first."""
    found = [email.message_from_bytes(file.read_bytes(), policy=default) for file in (tmp_path / "mail").glob("*.eml")]
    return [str(mail.get_content()) for mail in sorted(found, key=lambda mail: str(mail["Date"]))]


def links(words: str) -> list[str]:
    """The links in a mail, as paths."""
    return [found.removeprefix("http://127.0.0.1:8080") for found in re.findall(r"http\S+", words)]


async def asked(api: Api, visitor: Visitor, address: str = ANNE, **more: str) -> int:
    answer = await visitor.post("/sign-in", {"address": address, "next": "", **more})
    await api.services.sign_in_mail.run_once()
    return answer.status


async def a_token(api: Api, **given: object) -> str:
    wanted = {"role": "coordinator", "sites": ["calais"], "name": "Anne", "email": ANNE} | given
    return (await api.services.tokens.create(**wanted))[1].id  # type: ignore[arg-type]


async def test_a_link_comes_by_mail_and_its_button_signs_in(api: Api, visitor: Visitor, tmp_path: Path) -> None:
    await a_token(api)
    assert await asked(api, visitor, "Anne@Calais.example") == 200

    [words] = mails(tmp_path)
    [link] = links(words)
    page = await visitor.get(link)
    assert page.status == 200 and not visitor.cookie
    answer = await visitor.post(link, {"next": ""})

    assert (answer.status, answer.headers["Location"]) == (303, "/week?lang=fr")
    assert b"Anne" in (await visitor.get("/account")).body


async def test_following_the_link_however_often_uses_nothing_up_but_its_button_works_once(
    api: Api, visitor: Visitor
) -> None:
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])

    assert [(await visitor.get(f"/sign-in/{secret}")).status for _ in range(3)] == [200] * 3
    assert [(await visitor.post(f"/sign-in/{secret}", {})).status for _ in range(2)] == [303, 410]


async def test_of_many_who_press_the_button_at_once_one_gets_in(api: Api) -> None:
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])
    answers = await asyncio.gather(*(Visitor(api.anybody).post(f"/sign-in/{secret}", {}) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [303, *[410] * 7]


async def test_a_link_holds_ten_minutes(api: Api, visitor: Visitor, clock: Clock) -> None:
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [early, late] = await api.services.sign_ins.links([row, row])

    clock.now = NOW + LINK_HOLDS - timedelta(seconds=1)
    assert (await visitor.post(f"/sign-in/{early}", {})).status == 303
    clock.now = NOW + LINK_HOLDS
    assert (await visitor.post(f"/sign-in/{late}", {})).status == 410


async def test_the_answer_and_the_work_are_the_same_for_an_address_that_nobody_has(
    api: Api, visitor: Visitor, database: Database, tmp_path: Path
) -> None:
    await a_token(api)
    statements: list[list[str]] = []
    event.listen(database._engines.writer.sync_engine, "before_cursor_execute", lambda *a: statements[-1].append(a[2]))
    event.listen(database._engines.reader.sync_engine, "before_cursor_execute", lambda *a: statements[-1].append(a[2]))
    pages = []
    for address in (ANNE, "nobody@calais.example"):
        statements.append([])
        answer = await visitor.post("/sign-in", {"address": address, "next": ""})
        pages.append((answer.status, answer.body.replace(address.encode(), b"")))

    assert pages[0] == pages[1] and pages[0][0] == 200
    assert statements[0] == statements[1] and statements[0]
    statements.append([])
    await api.services.sign_in_mail.run_once()
    assert len(mails(tmp_path)) == 1


async def test_a_mail_that_could_not_leave_leaves_later_and_not_after_ten_minutes(
    api: Api, visitor: Visitor, clock: Clock, tmp_path: Path
) -> None:
    class Broken(FileMailer):
        async def send(self, message: bytes, recipient: str) -> None:
            raise TryLater("the line broke")

    await a_token(api)
    broken = replace(api.services.sign_in_mail, mailer=Broken(tmp_path))
    await visitor.post("/sign-in", {"address": ANNE})
    await broken.run_once()
    await api.services.sign_in_mail.run_once()
    assert mails(tmp_path) == []

    clock.now = NOW + timedelta(minutes=1)
    await api.services.sign_in_mail.run_once()
    assert len(mails(tmp_path)) == 1

    await visitor.post("/sign-in", {"address": ANNE})
    clock.now += LINK_HOLDS
    await api.services.sign_in_mail.run_once()
    assert len(mails(tmp_path)) == 1


async def test_an_address_gets_five_mails_an_hour_whatever_is_asked(
    api: Api, visitor: Visitor, clock: Clock, tmp_path: Path
) -> None:
    await a_token(api)
    for _ in range(8):
        assert await asked(api, visitor) == 200
    assert len(mails(tmp_path)) == 5

    clock.now = NOW + timedelta(hours=1)
    assert await asked(api, visitor) == 200
    assert len(mails(tmp_path)) == 6


async def test_who_has_two_tokens_gets_a_link_for_each_and_none_for_one_that_is_over(
    api: Api, visitor: Visitor, tmp_path: Path
) -> None:
    await a_token(api, name="Calais")
    await a_token(api, name="Lille", sites=["lille"])
    await api.services.tokens.revoke(await a_token(api, name="Old"))
    await asked(api, visitor)

    [words] = mails(tmp_path)
    assert len(links(words)) == 2 and "Calais\u00a0:" in words and "Old" not in words


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_mail_speaks_the_language_of_the_page(
    api: Api, visitor: Visitor, tmp_path: Path, language: str
) -> None:
    await a_token(api)
    await visitor.post(f"/sign-in?lang={language}", {"address": ANNE})
    await api.services.sign_in_mail.run_once()

    [words] = mails(tmp_path)
    assert {"fr": "Ouvrez ce lien", "en": "Open this link"}[language] in words
    assert f"lang={language}" in links(words)[0]


@pytest.mark.parametrize("address", ["", "nobody", "a@b@c.example", "a@x.example\r\nBcc: b@x.example", "x" * 300])
async def test_a_wrong_address_is_told_beside_its_field_and_what_was_typed_stays(
    visitor: Visitor, address: str
) -> None:
    answer = await visitor.post("/sign-in", {"address": address})
    page = answer.body.decode()

    assert answer.status == 422
    assert 'aria-invalid="true" aria-describedby="address-wrong"' in page and 'id="address-wrong" role="alert"' in page
    if address.isprintable():
        assert f'value="{address}"' in page


async def test_the_cookie_is_for_us_alone(api: Api, visitor: Visitor) -> None:
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])
    assert "Set-Cookie" not in (await visitor.get("/sign-in")).headers
    given = (await visitor.post(f"/sign-in/{secret}", {})).headers["Set-Cookie"]

    assert given.startswith("perinat=") and {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(given.split("; "))


async def test_behind_https_the_cookie_is_a_host_cookie(services: Services) -> None:
    safe = replace(services, settings=replace(services.settings, public_url="https://perinat.example"))
    async with TestClient(TestServer(application(safe)), cookie_jar=DummyCookieJar()) as client:
        api = Api(client, safe)
        visitor = Visitor(api.anybody)
        _, row = await safe.tokens.create(role="admin", name="Anne")
        [secret] = await safe.sign_ins.links([row])
        given = (await visitor.post(f"/sign-in/{secret}", {})).headers["Set-Cookie"]

        assert given.startswith("__Host-perinat=") and "Secure" in given and "Domain" not in given
        visitor.cookie = visitor.cookie.removeprefix("__Host-")
        assert (await visitor.get("/account")).status == 401


async def test_every_sign_in_has_a_cookie_of_its_own_and_ends_the_one_before(api: Api) -> None:
    """Fixation: a cookie that somebody planted is never taken over."""
    visitor = await signed_in(api)
    before = visitor.cookie
    assert visitor.token is not None
    [secret] = await api.services.sign_ins.links([visitor.token])
    await visitor.post(f"/sign-in/{secret}", {})
    planted = Visitor(api.anybody, cookie="perinat=" + "a" * 43)
    [secret] = await api.services.sign_ins.links([visitor.token])
    await planted.post(f"/sign-in/{secret}", {})

    assert len({before, visitor.cookie, planted.cookie, "perinat=" + "a" * 43}) == 4
    assert (await Visitor(api.anybody, cookie=before).get("/account")).status == 401
    assert (await visitor.get("/account")).status == 200


async def test_a_browser_is_signed_out_after_eight_idle_hours_and_after_seven_days(api: Api, clock: Clock) -> None:
    visitor = await signed_in(api)
    clock.now = NOW + IDLE - timedelta(seconds=1)
    assert (await visitor.get("/account")).status == 200
    clock.now += IDLE - timedelta(seconds=1)
    assert (await visitor.get("/account")).status == 200
    clock.now += IDLE
    assert (await visitor.get("/account")).status == 401

    clock.now = NOW
    visitor = await signed_in(api)
    while clock.now < NOW + LONGEST:
        assert (await visitor.get("/account")).status == 200
        clock.now += timedelta(hours=7)
    assert (await visitor.get("/account")).status == 401


async def test_a_sign_in_ends_with_its_token(api: Api, clock: Clock) -> None:
    revoked, expired = await signed_in(api), await signed_in(api, expires=NOW.date())
    assert revoked.token is not None
    await api.services.tokens.revoke(revoked.token.id)
    assert (await revoked.get("/account")).status == 401

    assert (await expired.get("/account")).status == 200
    clock.now = NOW.replace(hour=23, minute=59)
    [secret] = await api.services.sign_ins.links([expired.token] if expired.token else [])
    assert (await expired.post(f"/sign-in/{secret}", {})).status == 303
    clock.now = NOW.replace(hour=0) + timedelta(days=1)
    assert (await expired.get("/account")).status == 401


async def test_signing_out_ends_this_browser_and_everywhere_ends_them_all(api: Api) -> None:
    first = await signed_in(api)
    assert first.token is not None
    others = []
    for _ in range(2):
        [secret] = await api.services.sign_ins.links([first.token])
        others.append(Visitor(api.anybody))
        await others[-1].post(f"/sign-in/{secret}", {})
    stranger, cookies = await signed_in(api), [first.cookie, others[0].cookie, others[1].cookie]

    await first.post("/sign-out", {"form_token": await first.form_token()})
    assert first.cookie == ""
    first.cookie = cookies[0]
    assert [(await visitor.get("/account")).status for visitor in (first, *others)] == [401, 200, 200]
    await others[0].post("/sign-out/everywhere", {"form_token": await others[0].form_token()})
    others[0].cookie = cookies[1]
    assert [(await visitor.get("/account")).status for visitor in (*others, stranger)] == [401, 401, 200]


async def test_every_step_is_audited_without_a_secret_or_an_address(api: Api, database: Database) -> None:
    visitor = await signed_in(api, email=ANNE)
    assert visitor.token is not None
    await visitor.post("/sign-out", {"form_token": await visitor.form_token()})
    async with database.read() as tx:
        rows = await audit.read(tx, after=None, limit=10)

    done = ["token_created", "sign_in_link_created", "signed_in", "signed_out"]
    assert [row.action for row in reversed(rows)] == done
    assert {row.object_id for row in rows} == {visitor.token.id} and ANNE not in str(rows)


async def test_the_database_keeps_no_secret(api: Api, database: Database) -> None:
    visitor = await signed_in(api)
    assert visitor.token is not None
    [secret] = await api.services.sign_ins.links([visitor.token])
    async with database.read() as tx:
        kept = str([(await tx.execute(select(table))).all() for table in (tables.sign_ins, tables.sign_in_links)])

    assert visitor.token.id in kept
    assert secret not in kept and visitor.cookie.partition("=")[2] not in kept


async def test_what_is_over_is_forgotten_after_a_day(
    api: Api, visitor: Visitor, database: Database, clock: Clock
) -> None:
    await signed_in(api)
    await asked(api, visitor)
    counted = select(
        *(select(func.count()).select_from(table).scalar_subquery() for table in (
            tables.sign_in_requests, tables.sign_in_links, tables.sign_ins
        ))
    )  # fmt: skip

    async def left() -> tuple[int, ...]:
        await api.services.sign_ins.forget()
        async with database.read() as tx:
            return tuple((await tx.execute(counted)).one())

    assert await left() == (1, 1, 1)
    clock.now = NOW + timedelta(days=1, minutes=11)
    assert await left() == (0, 0, 1)
    clock.now = NOW + LONGEST + timedelta(days=1, minutes=1)
    assert await left() == (0, 0, 0)


# Forms and addresses of others


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080"},
    ],
)
async def test_a_form_from_elsewhere_is_refused(api: Api, visitor: Visitor, headers: dict[str, str]) -> None:
    mine = await signed_in(api)
    token = await mine.form_token()

    assert (await mine.post("/sign-out", {"form_token": token}, headers)).status == 403
    assert (await visitor.post("/sign-in", {"address": ANNE}, headers)).status == 403
    assert (await mine.get("/account")).status == 200


async def test_without_sec_fetch_site_our_own_origin_will_do(visitor: Visitor) -> None:
    answer = await visitor.post("/sign-in", {"address": ANNE}, {"Origin": "http://127.0.0.1:8080"})

    assert answer.status == 200


async def test_a_form_without_the_token_of_this_very_sign_in_is_refused(api: Api) -> None:
    mine, other = await signed_in(api), await signed_in(api)

    for wrong in ({}, {"form_token": ""}, {"form_token": "é"}, {"form_token": await other.form_token()}):
        assert (await mine.post("/sign-out", wrong)).status == 403
    assert (await mine.get("/account")).status == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%09/evil.example",
        "/\t/evil.example", "javascript:alert(1)", "/@evil.example", "account", "/a\r\nSet-Cookie: x=y",
        "/./\\evil", "/" + "a" * 501, "http:evil.example", "/;//evil.example",
    ],
)  # fmt: skip
async def test_signing_in_never_leads_to_another_host(api: Api, elsewhere: str) -> None:
    """Open redirect."""
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])
    answer = await Visitor(api.anybody).post(f"/sign-in/{secret}", {"next": elsewhere})

    assert own_path(elsewhere) == ""
    assert (answer.status, answer.headers["Location"]) == (303, "/week")


async def test_one_comes_back_to_the_page_one_wanted(api: Api, visitor: Visitor, tmp_path: Path) -> None:
    await a_token(api)
    page = (await visitor.get("/account?lang=en")).body.decode()
    assert 'name="next" value="/account?lang=en"' in page
    await visitor.post("/sign-in", {"address": ANNE, "next": "/account?lang=en"})
    await api.services.sign_in_mail.run_once()

    [link] = links(mails(tmp_path)[0])
    assert 'name="next" value="/account?lang=en"' in (await visitor.get(link)).body.decode()
    answer = await visitor.post(link, {"next": "/account?lang=en"})
    assert answer.headers["Location"] == "/account?lang=en"


async def test_no_link_follows_the_host_header(api: Api, visitor: Visitor) -> None:
    visitor.headers = {"Host": "evil.example"}
    mine = await signed_in(api)
    mine.headers = {"Host": "evil.example"}
    pages = [await visitor.get(path) for path in ("/sign-in", "/account", "/privacy", "/nothing")]
    pages += [await mine.get("/account"), await mine.post("/sign-out", {"form_token": await mine.form_token()})]

    assert [page.status for page in pages] == [200, 401, 200, 404, 200, 303]
    assert not [page for page in pages if b"evil" in page.body or "evil" in str(page.headers)]


async def test_a_cookie_opens_pages_and_nothing_of_the_api(api: Api) -> None:
    """So no other site can make a browser use the API."""
    visitor = await signed_in(api)

    assert (await visitor.get("/api/v1/me")).status == 401


async def test_a_form_that_is_no_form_is_refused_with_a_page(visitor: Visitor) -> None:
    for raw, content_type, status in [
        (b"\xff=\xff", "application/x-www-form-urlencoded", 422),
        (b"address=%FF", "application/x-www-form-urlencoded", 422),
        (b"address=a&address=b", "application/x-www-form-urlencoded", 422),
        (b"x&" * 300, "application/x-www-form-urlencoded", 422),
        (b"unknown=1", "application/x-www-form-urlencoded", 422),
        (b"{}", "application/json", 415),
        (b"address=" + b"a" * 300_000, "application/x-www-form-urlencoded", 413),
    ]:
        answer = await visitor.caller(
            "POST", "//sign-in", raw=raw, headers={**OURS, "Content-Type": content_type, "Accept": "text/html"}
        )
        assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
