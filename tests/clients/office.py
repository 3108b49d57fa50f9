"""The coordinator of the tests: books a programme in a running service, over its API, and says what feeds must show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.clients.readers import Shown

BEFORE_THE_TITLE = {
    ("fr", "TENTATIVE"): "[À confirmer] ",
    ("fr", "CANCELLED"): "ANNULÉ – ",
    ("en", "TENTATIVE"): "[To be confirmed] ",
    ("en", "CANCELLED"): "CANCELLED – ",
}
BUSY = {"fr": "Occupé", "en": "Busy"}


@dataclass(frozen=True)
class Feed:
    """A feed that was opened, and where it is read."""

    scope: Literal["site", "room", "network"]
    of: str
    detail: Literal["full", "kind", "busy"]
    language: Literal["fr", "en"]
    url: str

    def __str__(self) -> str:
        return f"{self.scope} {self.of}, {self.detail}, {self.language}"

    def shows(self, session: Mapping[str, Any]) -> bool:
        """Whether a session, as the API describes it, belongs into this feed."""
        parts = session["participations"]
        match self.scope:
            case "network":
                return bool(session["network"] == self.of)
            case "site":
                return any(part["site"] == self.of and part["answer"] != "declined" for part in parts)
            case "room":
                return any(part["room"] == self.of for part in parts)

    def face(self, session: Mapping[str, Any], kinds: Mapping[str, Any]) -> Shown:
        """What a calendar program must show of a session."""
        status = session["status"].upper()
        words = {"full": session["title"], "kind": kinds[session["kind"]][self.language], "busy": BUSY[self.language]}
        return Shown(
            start=int(datetime.fromisoformat(session["start"]).timestamp()),
            end=int(datetime.fromisoformat(session["end"]).timestamp()),
            status=status,
            summary=BEFORE_THE_TITLE.get((self.language, status), "") + words[self.detail],
            uid=session["uid"],
        )


@dataclass
class Office:
    """An administrator's connection to a running service."""

    url: str
    token: str
    log: Path
    connection: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = HTTPConnection(urlsplit(self.url).netloc, timeout=60)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A request that must succeed; the JSON of its answer."""
        headers |= {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        self.connection.request(method, f"/api/v1/{path}", data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (method, path, body, text.decode())
        return json.loads(text) if text else None

    def book(self, start: str, *, confirmed: bool = True, **given: Any) -> dict[str, Any]:
        """A session of Lille's, whatever hours and holidays say; every required site has accepted it if `confirmed`."""
        asked = {"kind": "staff", "network": "perinat", "host_site": "lille", "override_reason": "essai"}
        session: dict[str, Any] = self("POST", "sessions", {**asked, "no_patient_data": True, "start": start, **given})
        if confirmed:
            for part in session["participations"]:
                if part["required"] and part["answer"] == "pending":
                    session = self.answer(session, part["site"], "accepted")
            assert session["status"] == "confirmed", session
        return session

    def answer(self, session: Mapping[str, Any], site: str, answer: str) -> dict[str, Any]:
        path = f"sessions/{session['id']}/participations/{site}/answer"
        answered: dict[str, Any] = self("PUT", path, {"answer": answer})
        return answered

    def change(self, session: Mapping[str, Any], **given: Any) -> dict[str, Any]:
        match = f'"{session["revision"]}"'
        body = {"override_reason": "essai", "no_patient_data": True, **given}
        changed: dict[str, Any] = self("PATCH", f"sessions/{session['id']}", body, **{"If-Match": match})
        return changed

    def cancel(self, session: Mapping[str, Any]) -> dict[str, Any]:
        path = f"sessions/{session['id']}/cancellation"
        cancelled: dict[str, Any] = self("POST", path, {"code": "postponed", "reason": "panne, « grève » ; neige"})
        return cancelled

    def sessions(self) -> list[dict[str, Any]]:
        """Every session, as the database has it."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self("GET", f"sessions?limit=500{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def expected(self, feed: Feed) -> list[Shown]:
        """What a program that reads this feed must show."""
        kinds = {kind["code"]: kind["name"] for kind in self("GET", "kinds")["items"]}
        return sorted(feed.face(session, kinds) for session in self.sessions() if feed.shows(session))

    def open_feed(self, scope: Any, of: str, detail: Any = "full", language: Any = "fr") -> Feed:
        opened = self("POST", "feeds", {"scope": scope, "of": of, "detail": detail, "language": language})
        return Feed(scope, of, detail, language, self.url + urlsplit(opened["url"]).path)

    def feed_answers(self) -> list[int]:
        """The status of each answer that a feed's address has given so far."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line["status"] for line in lines if line["action"] == "request" and line["route"].startswith("/feeds/")]

    def close(self) -> None:
        self.connection.close()
