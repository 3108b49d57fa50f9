"""Mails as people see them: what became of each, and sending a failed one again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from perinat_sched import app
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices
from perinat_sched.web.services import Services
from tests.web.callers import NOW, Api, Caller

FIELDS = [
    "id", "session", "kind", "recipient", "due_at", "state", "attempts", "sent_at", "message_id", "ambiguous",
    "last_error",
]  # fmt: skip


async def become(services: Services, session: dict[str, Any], **values: Any) -> None:
    """What a relay made of a session's invitations."""

    async def work(tx: Tx) -> None:
        invitations = (notices.c.session_id == session["id"]) & (notices.c.kind == "invitation")
        await tx.execute(update(notices).where(invitations).values(values))

    await services.database.write(work)


async def failed(api: Api, admin: Caller, **given: Any) -> dict[str, Any]:
    """A session whose invitations a relay refused."""
    session = await admin.book(**given)
    await api.services.delivery.plan()
    await become(api.services, session, state="failed", attempts=3, last_error="550 5.1.1 … unknown")
    return session


async def listed(caller: Caller, query: str = "state=failed") -> list[dict[str, Any]]:
    answer = await caller("GET", f"/notices?{query}")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.json["items"]
    return items


async def test_a_failed_mail_is_listed_with_its_reason_here_and_beside_its_session(api: Api) -> None:
    admin = await api.of("admin")
    session = await failed(api, admin)

    here = await listed(admin)
    beside = (await admin("GET", f"/sessions/{session['id']}/notices")).json["items"]

    assert list(here[0]) == FIELDS
    assert {(one["session"], one["kind"], one["state"], one["attempts"]) for one in here} == {
        (session["id"], "invitation", "failed", 3)
    }
    assert {one["last_error"] for one in here} == {"550 5.1.1 … unknown"}
    assert sorted(one["id"] for one in here) == sorted(one["id"] for one in beside if one["state"] == "failed")
    assert all(one["due_at"].endswith("+01:00") for one in here), "by the clock of the session"


@pytest.mark.parametrize(("state", "kinds"), [("failed", {"invitation"}), ("due", {"reminder"}), ("sent", set())])
async def test_mails_are_listed_by_what_became_of_them(api: Api, state: str, kinds: set[str]) -> None:
    admin = await api.of("admin")
    await failed(api, admin)

    assert {one["kind"] for one in await listed(admin, f"state={state}")} == kinds


async def test_a_mail_that_is_on_its_way_is_due(api: Api) -> None:
    admin = await api.of("admin")
    session = await failed(api, admin)
    await become(api.services, session, state="leased", lease="a", leased_until=NOW + timedelta(minutes=15))

    assert "invitation" in {one["kind"] for one in await listed(admin, "state=due")}


@pytest.mark.parametrize(
    ("who", "sites"),
    [
        pytest.param({"role": "admin"}, {"lille", "calais", "lens", "seclin"}, id="an administrator: all"),
        pytest.param({"role": "coordinator", "sites": ("lille",)}, {"lille", "calais"}, id="the host: all of hers"),
        pytest.param({"role": "coordinator", "sites": ("calais",)}, {"calais"}, id="a site: its own"),
        pytest.param({"role": "clinician", "sites": ("calais",)}, {"calais"}, id="a clinician: the site's"),
        pytest.param({"role": "coordinator", "sites": ("dunkerque",)}, set(), id="another site: none"),
        pytest.param({"role": "coordinator", "networks": ("hpsm",)}, set(), id="another network: none"),
        pytest.param(
            {"role": "coordinator", "networks": ("perinat",)}, {"lille", "calais", "lens", "seclin"}, id="the network"
        ),
    ],
)
async def test_the_list_shows_what_concerns_the_caller_and_no_more(
    api: Api, who: dict[str, Any], sites: set[str]
) -> None:
    admin = await api.of("admin")
    ours = await failed(api, admin)
    theirs = await failed(api, admin, host_site="lens", required_sites=["seclin"])

    seen = await listed(await api.of(**who))

    directory = api.services.directory
    contacts = {contact: code for code, site in directory.sites.items() for contact in site.contacts}
    assert {contacts[one["recipient"]] for one in seen} == sites
    for session in (ours, theirs):
        beside = await (await api.of(**who))("GET", f"/sessions/{session['id']}/notices")
        found = {one["id"] for one in beside.json.get("items", ()) if one["state"] == "failed"}
        assert found == {one["id"] for one in seen if one["session"] == session["id"]}, "both lists agree"


async def test_the_list_comes_in_pages_the_latest_due_first(api: Api) -> None:
    admin = await api.of("admin")
    await failed(api, admin)
    await failed(api, admin, start="2027-03-19T15:00")
    whole = await listed(admin, "limit=500")

    paged, query = [], "limit=1"
    while True:
        answer = (await admin("GET", f"/notices?{query}")).json
        paged += answer["items"]
        if answer["next"] is None:
            break
        query = f"limit=1&cursor={answer['next']}"

    assert len({one["id"] for one in whole}) == len(whole) > 4
    assert paged == whole
    assert [one["due_at"] for one in whole] == sorted((one["due_at"] for one in whole), reverse=True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param("state=lost", "state", id="an unknown state"),
        pytest.param("state=leased", "state", id="a state that is nobody's business"),
        pytest.param("state=", "state", id="no state"),
        pytest.param("limit=0", "limit", id="no notice at all"),
        pytest.param("limit=501", "limit", id="too many"),
        pytest.param("cursor=abc", "cursor", id="a cursor of nowhere"),
        pytest.param("kind=reminder", "kind", id="an unknown parameter"),
    ],
)
async def test_a_question_that_cannot_be_meant_names_its_field(api: Api, query: str, field: str) -> None:
    answer = await (await api.of("admin"))("GET", f"/notices?{query}")

    assert (answer.status, answer.slug, answer.fields) == (422, "invalid-request", [field])


async def test_a_cursor_of_one_question_does_not_open_another(api: Api) -> None:
    admin = await api.of("admin")
    await failed(api, admin)
    cursor = (await admin("GET", "/notices?state=failed&limit=1")).json["next"]

    answer = await admin("GET", f"/notices?state=sent&limit=1&cursor={cursor}")

    assert (answer.status, answer.fields) == (422, ["cursor"])


async def test_a_failed_mail_is_sent_again_at_once_with_its_attempts_kept(api: Api) -> None:
    admin, host = await api.of("admin"), await api.of("coordinator", sites=("lille",))
    session = await failed(api, admin)
    [mail] = [one for one in await listed(host) if "calais" in one["recipient"]]

    answer = await host("POST", f"/notices/{mail['id']}/retry")

    assert answer.status == 200
    assert answer.json == {**mail, "state": "due"}
    await api.services.delivery.run_once()
    beside = (await admin("GET", f"/sessions/{session['id']}/notices")).json["items"]
    [sent] = [one for one in beside if one["id"] == mail["id"]]
    assert (sent["state"], sent["attempts"], sent["last_error"]) == ("sent", 4, None)
    assert sent["message_id"] == mail["message_id"]


async def test_sending_again_is_audited_without_an_address(api: Api) -> None:
    admin = await api.of("admin")
    session = await failed(api, admin)
    mail = (await listed(admin))[0]

    await admin("POST", f"/notices/{mail['id']}/retry")

    row = (await admin("GET", "/audit?limit=1")).json["items"][0]
    assert (row["action"], row["object_type"], row["object_id"]) == ("notice_retried", "notice", mail["id"])
    assert row["details"] == {"session": session["id"], "kind": "invitation", "attempts": 3}


@pytest.mark.parametrize("state", ["due", "leased", "sent", "skipped"])
@pytest.mark.parametrize(("language", "word"), [("en", "failed"), ("fr", "échec")])
async def test_a_mail_that_has_not_failed_is_not_sent_again(api: Api, state: str, language: str, word: str) -> None:
    admin = await api.of("admin")
    session = await failed(api, admin)
    mail = (await listed(admin))[0]
    await become(api.services, session, state=state)

    answer = await admin("POST", f"/notices/{mail['id']}/retry", headers={"Accept-Language": language})

    assert (answer.status, answer.slug, answer.fields) == (422, "invalid-request", ["state"])
    assert word in answer.json["errors"][0]["detail"]
    assert "notice_retried" not in {row["action"] for row in (await admin("GET", "/audit")).json["items"]}


@pytest.mark.parametrize(("language", "word"), [("en", "Ring the site"), ("fr", "Appelez le site")])
async def test_a_mail_whose_time_is_over_is_refused_with_the_reason(api: Api, language: str, word: str) -> None:
    admin = await api.of("admin")
    session = await failed(api, admin)
    mail = (await listed(admin))[0]
    await become(api.services, session, expires_at=NOW)

    answer = await admin("POST", f"/notices/{mail['id']}/retry", headers={"Accept-Language": language})

    assert (answer.status, answer.fields) == (422, ["state"])
    assert word in answer.json["errors"][0]["detail"]


@pytest.mark.parametrize("unknown", ["0", "none", "%00", "a" * 500, "1' OR '1'='1"])
async def test_a_mail_that_does_not_exist_is_not_found(api: Api, unknown: str) -> None:
    answer = await (await api.of("admin"))("POST", f"/notices/{unknown}/retry")

    assert (answer.status, answer.slug) == (404, "not-found")


async def test_sending_again_twice_at_once_sends_once(api: Api) -> None:
    admin = await api.of("admin")
    await failed(api, admin)
    mail = (await listed(admin))[0]

    answers = [(await admin("POST", f"/notices/{mail['id']}/retry")).status for _ in range(2)]

    assert answers == [200, 422]


async def test_a_mail_that_no_longer_says_the_truth_is_skipped_when_it_is_sent_again(api: Api) -> None:
    admin = await api.of("admin")
    session = await failed(api, admin)
    [mail] = [one for one in await listed(admin) if "calais" in one["recipient"]]
    await admin("POST", f"/sessions/{session['id']}/cancellation")

    again = await admin("POST", f"/notices/{mail['id']}/retry")
    await api.services.delivery.run_once()

    assert again.status == 200
    beside = (await admin("GET", f"/sessions/{session['id']}/notices")).json["items"]
    assert {one["state"] for one in beside if one["id"] == mail["id"]} == {"skipped"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails that leave become files of this test."""
    monkeypatch.setattr(app, "MAIL_FOLDER", tmp_path / "mail")


async def test_reminders_that_no_longer_help_are_counted_by_reason(api: Api) -> None:
    """Never silent: what was skipped stands in the metrics and beside its session."""
    admin = await api.of("admin")
    session = await admin.book(start="2027-01-04T15:00")  # in six hours; the day before is past

    await api.services.delivery.plan()

    beside = (await admin("GET", f"/sessions/{session['id']}/notices")).json["items"]
    skipped = [one for one in beside if one["kind"] == "reminder"]
    assert {(one["state"], one["last_error"]) for one in skipped} == {("skipped", "too-late")}
    metrics = (await api.anybody("GET", "//metrics")).body.decode()
    assert f'perinat_reminders_skipped_total{{reason="too-late"}} {len(skipped)}.0' in metrics
