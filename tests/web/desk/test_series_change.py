"""Series changed, ended and answered by pages: all to come, or one date and the following."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from tests.web.callers import Answer, Api
from tests.web.desk.series_forms import booked, send, value
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in

SCRIPT = "<script>alert(1)</script>"


def filled(page: bytes) -> dict[str, list[str]]:
    """What a browser would send of the form in a page."""
    [form] = re.findall(r'<form class="sheet.*?</form>', page.decode(), re.DOTALL)
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if attributes.get("type") not in ("checkbox", "radio") or " checked" in tag:
            found.setdefault(attributes["name"], []).append(unescape(attributes["value"]))
    for name, options in re.findall(r'<select[^>]*name="(\w+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        found.setdefault(name, []).append(unescape(chosen[1] if chosen else ""))
    for name, text in re.findall(r'<textarea[^>]*name="(\w+)".*?>(.*?)</textarea>', form, re.DOTALL):
        found[name] = [unescape(text)]
    del found["form_token"]
    return found


async def change(visitor: Visitor, path: str, *, since: str = "", **changed: Any) -> Answer:
    """Open the form, type, and send it."""
    form = filled((await visitor.get(f"{path}/change" + (f"?from={since}" if since else ""))).body)
    return await send(visitor, f"{path}/change", **(form | changed))


async def only(api: Api) -> dict[str, Any]:
    [series] = (await (await api.of("admin"))("GET", "/series")).json["items"]
    found: dict[str, Any] = series
    return found


def starts(series: dict[str, Any]) -> list[str]:
    return [one["recurrence_id"] for one in series["occurrences"]]


async def test_a_form_that_changes_nothing_changes_nothing(api: Api) -> None:
    visitor = await signed_in(api)
    rooms: dict[str, Any] = {"room": ["lille:lille-2", "calais:calais-1"], "optional_site": ["sainte-justine"]}
    path = await booked(visitor, repeat="month_weekday", count="", until="2027-06-30", exclude="15/04/2027", **rooms)
    before = await only(api)
    done = await change(visitor, path)

    after = await only(api)
    assert done.status == 303, words(done.body)
    for name in ("rrule", "exclude", "rooms", "start", "required_sites", "optional_sites", "title", "override"):
        assert after[name] == before[name]
    assert [one["session"] for one in after["occurrences"]] == [one["session"] for one in before["occurrences"]]


async def test_all_to_come_gets_another_hour_length_title_and_sites(api: Api) -> None:
    visitor = await signed_in(api, "coordinator", sites=["lille"])
    path = await booked(visitor)
    done = await change(visitor, path, hour="16:00", duration_minutes="90", title="Autre", site=["calais", "arras"])
    page = words((await visitor.get(done.headers["Location"])).body)

    assert done.status == 303 and done.headers["Location"].startswith(f"{path}?done=changed&told=arras&told=calais")
    assert "La série est modifiée. Prévenus par courriel : CH d’Arras, CH de Calais" in page
    assert "Autre chaque jeudi à 16 h 00" in page and "90 minutes" in page and "Déplacée" not in page
    assert (await only(api))["required_sites"] == ["calais", "arras"]


async def test_this_and_the_following_become_a_new_series_that_says_what_it_follows(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor)
    opened = await visitor.get(f"{path}/change?from=2027-03-18T15:00")
    done = await change(visitor, path, since="2027-03-18T15:00", hour="10:00")
    new = done.headers["Location"].partition("?")[0]
    old, fresh = [words((await visitor.get(one)).body) for one in (path, new)]

    assert "À partir du jeudi 18 mars 2027" in words(opened.body) and value(opened.body, "start") == "2027-03-18"
    assert done.status == 303 and new != path
    assert "jeudi 11 mars 2027 |" in old and "jeudi 18 mars 2027 |" not in old
    assert "chaque jeudi à 10 h 00" in fresh and "Fait suite à" in fresh and "jeudi 18 mars 2027 |" in fresh


async def test_the_rule_and_the_exceptions_change_too(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor)
    done = await change(visitor, path, count="5", exclude="2027-03-04")

    assert done.status == 303, words(done.body)
    alive = [one["recurrence_id"] for one in (await only(api))["occurrences"] if one["status"] != "cancelled"]
    assert alive == [f"2027-{day}T15:00" for day in ("02-18", "02-25", "03-11", "03-18")]


async def test_a_stale_form_changes_nothing_keeps_what_was_typed_and_can_be_sent_again(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor)
    form = filled((await visitor.get(f"{path}/change")).body)
    assert (await change(visitor, path, title="Avant")).status == 303
    stale = await send(visitor, f"{path}/change", **(form | {"hour": ["16:00"]}))
    again = await send(visitor, f"{path}/change", **filled(stale.body))

    assert stale.status == 412 and value(stale.body, "hour") == "16:00" and 'role="alert"' in stale.body.decode()
    assert again.status == 303 and starts(await only(api))[0] == "2027-02-18T16:00"


async def test_a_refused_change_changes_nothing_and_says_which_dates_speak_against_it(api: Api) -> None:
    await (await api.of("admin")).book(host_site="calais", required_sites=["lens"], start="2027-03-04T10:30")
    visitor = await signed_in(api)
    path = await booked(visitor)
    answer = await change(visitor, path, hour="10:00")

    assert answer.status == 409 and "Rien n’est modifié : 7 dates sur 8 pourraient avoir lieu ainsi" in words(
        answer.body
    )
    assert "jeudi 4 mars 2027 | conflit" in words(answer.body) and value(answer.body, "hour") == "10:00"
    assert starts(await only(api))[0] == "2027-02-18T15:00"


async def test_a_change_is_tried_first_and_shows_each_date_before_anything_is_changed(api: Api) -> None:
    """In both languages; what was typed stays, the form that was tried is sent, and its revision still counts."""
    await (await api.of("admin")).book(host_site="calais", required_sites=["lens"], start="2027-03-04T10:30")
    visitor = await signed_in(api)
    path = await booked(visitor)
    before = await only(api)
    opened = await visitor.get(f"{path}/change")
    answer = await change(visitor, path, do="try", hour="10:00", exclude="2027-03-11")
    page = words(answer.body)

    assert 'name="do" value="try"' in opened.body.decode() and "rien n’est encore modifié" in words(opened.body)
    assert answer.status == 200 and "Rien n’est modifié : 8 dates sur 9 pourraient avoir lieu ainsi" in page
    assert "jeudi 4 mars 2027 | conflit" in page and "jeudi 11 mars 2027 | Annulée" in page
    assert value(answer.body, "hour") == "10:00" and await only(api) == before
    fits = await send(visitor, f"{path}/change", **(filled(answer.body) | {"do": ["try"], "hour": ["16:00"]}))
    assert fits.status == 200 and "9 dates sur 9 pourraient avoir lieu ainsi" in words(fits.body)
    done = await send(visitor, f"{path}/change", **(filled(fits.body) | {"do": ["book"]}))
    assert done.status == 303 and starts(await only(api))[0] == "2027-02-18T16:00"

    stale = await send(visitor, f"{path}/change", **(filled(fits.body) | {"do": ["try"]}))
    english = await signed_in(api)
    english.headers["Accept-Language"] = "en"
    nothing = await change(english, path, do="try")
    assert stale.status == 412
    assert nothing.status == 200 and "Nothing is changed: this is how the series is already" in words(nothing.body)
    part = await change(english, path, since="2027-03-18T16:00", do="try", title="Other")
    assert "Nothing is changed: 6 of 6 dates could be like this" in words(part.body)


async def test_a_series_whose_dates_are_all_left_out_is_ended_by_pages(api: Api) -> None:
    admin = await api.of("admin")
    for day in ("2027-02-18", "2027-02-25"):
        await admin.book(host_site="calais", required_sites=["lens"], start=f"{day}T15:30")
    visitor = await signed_in(api)
    path = await booked(visitor, "leave_out", count="2", exclude="")
    page = (await visitor.get(path)).body.decode()
    asked = words((await visitor.get(f"{path}/cancellation")).body)
    done = await send(visitor, f"{path}/cancellation")
    after = await visitor.get(path)
    again = await visitor.get(f"/series/new?again={path.rpartition('/')[2]}")

    assert f"{path}/cancellation" in page and "Les dates laissées de côté sont abandonnées." in asked
    assert done.status == 303 and (await only(api))["status"] == "cancelled"
    assert after.status == 200 and f"{path}/cancellation" not in after.body.decode()
    assert again.status == 200


async def test_what_is_to_come_is_cancelled_from_a_date_on_with_its_code(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor)
    asked = words((await visitor.get(f"{path}/cancellation?from=2027-03-18T15:00")).body)
    form = {"since": "2027-03-18T15:00", "code": "staffing", "reason": "Congés"}
    done, twice = [await send(visitor, f"{path}/cancellation", **form) for _ in range(2)]
    series = await only(api)

    assert "À partir du jeudi 18 mars 2027 : 4 séances." in asked
    assert (done.status, twice.status) == (303, 303)
    states = {one["recurrence_id"]: one["status"] for one in series["occurrences"]}
    assert [day for day, state in states.items() if state == "cancelled"] == starts(series)[4:]
    assert "Annulée" in words((await visitor.get(path)).body)


async def test_a_reason_that_may_speak_of_a_patient_is_kept_and_asked_about(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor)
    answer = await send(visitor, f"{path}/cancellation", reason="Dossier de Mme Dupont")

    assert answer.status == 422 and "Dossier de Mme Dupont" in answer.body.decode()
    assert 'name="no_patient_data"' in answer.body.decode() and (await only(api))["status"] != "cancelled"


async def test_one_answer_for_all_with_an_end_and_exceptions(api: Api) -> None:
    """Dunkerque: tentative until a day."""
    path = await booked(await signed_in(api), site=["dunkerque"])
    visitor = await signed_in(api, "coordinator", sites=["dunkerque"])
    page = await visitor.get(f"{path}/answer")
    form = {"site": "dunkerque", "answer": "tentative", "until": "2027-03-11", "but": ["2027-02-25T15:00"]}
    done = await send(visitor, f"{path}/answer", **form, comment="Sous réserve")
    sessions = (await (await api.of("admin"))("GET", "/sessions?site=dunkerque")).json["items"]
    given = [part["answer"] for one in sessions for part in one["participations"] if part["site"] == "dunkerque"]

    assert "jeudi 18 mars 2027" in words(page.body) and '<option value="dunkerque" selected>' in page.body.decode()
    assert done.status == 303 and given[:5] == ["tentative", "pending", "tentative", "tentative", "pending"]
    host = await signed_in(api)
    declined = await send(host, f"{path}/answer", site="lille", answer="declined")
    assert declined.status == 422 and '<a href="#answer">' in declined.body.decode()
    unknown = await send(host, f"{path}/answer", site="dunkerque", answer="accepted", but=["2027-02-26T15:00"])
    assert unknown.status == 422 and '<a href="#except">' in unknown.body.decode()


async def test_an_answer_that_cannot_hold_on_some_date_is_noted_for_none(api: Api) -> None:
    admin = await api.of("admin")
    path = await booked(await signed_in(api), site=["arras", "dunkerque"])
    visitor = await signed_in(api, "coordinator", sites=["dunkerque"])
    assert (await send(visitor, f"{path}/answer", site="dunkerque", answer="declined")).status == 303
    await admin.book(host_site="dunkerque", required_sites=["lens"], start="2027-03-04T15:00")
    answer = await send(visitor, f"{path}/answer", site="dunkerque", answer="accepted")

    assert (
        answer.status == 409 and "Rien n’est noté" in words(answer.body) and "jeudi 4 mars 2027" in words(answer.body)
    )
    assert 'value="accepted" checked' in answer.body.decode()


async def test_rights_of_changing_ending_and_answering(api: Api) -> None:
    path = await booked(await signed_in(api))
    visitors = {
        "host": await signed_in(api, "coordinator", sites=["lille"]),
        "guest": await signed_in(api, "coordinator", sites=["calais"]),
        "other": await signed_in(api, "coordinator", sites=["lens"]),
        "clinician": await signed_in(api, "clinician", sites=["calais"]),
        "stranger": await signed_in(api, "clinician", sites=["lens"]),
    }
    pages = {
        page: {name: (await visitor.get(f"{path}/{page}")).status for name, visitor in visitors.items()}
        for page in ("change", "cancellation", "answer")
    }
    sent = {
        name: [
            (await send(visitor, f"{path}/cancellation")).status,
            (await send(visitor, f"{path}/answer", site="lille")).status,
        ]
        for name, visitor in visitors.items()
        if name != "host"
    }

    no = {"other": 403, "clinician": 403, "stranger": 404}
    assert pages == {
        "change": {"host": 200, "guest": 403, **no},
        "cancellation": {"host": 200, "guest": 403, **no},
        "answer": {"host": 200, "guest": 200, **no},
    }
    assert sent == {"guest": [403, 403], "other": [403, 403], "clinician": [403, 403], "stranger": [404, 404]}


async def test_a_stored_script_stays_text_in_every_form(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor, title=SCRIPT, description=SCRIPT)
    pages = [await visitor.get(f"{path}/{page}") for page in ("change", "cancellation", "answer")]
    pages.append(await send(visitor, f"{path}/cancellation", since="x", reason=SCRIPT))
    pages.append(await send(visitor, f"{path}/answer", site=SCRIPT, comment=SCRIPT, until=SCRIPT[:10]))

    assert all(b"<script>" not in page.body for page in pages)
    assert all(b"&lt;script&gt;" in page.body for page in pages[:3])


async def test_dates_that_do_not_exist_are_refused(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor)
    answers = [
        await visitor.get(f"{path}/change?from=2027-02-19T15:00"),
        await visitor.get(f"{path}/cancellation?from=2027-02-19T15:00"),
        await send(visitor, f"{path}/cancellation", since="2027-02-19T15:00"),
        await send(visitor, f"{path}/dates", date="2027-02-19T15:00"),
    ]

    assert [answer.status for answer in answers] == [422, 422, 422, 422]
