"""What a notice is about ↔ JSON, which a row keeps beside it. Rows of earlier releases are read as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from perinat_sched.notices.notice import About, Concern, Facts, OddPeriod, Reminded


def as_json(about: About | None) -> dict[str, Any]:
    """What a notice is about, as JSON keeps it."""
    match about:
        case Facts():
            told = {name: _text(getattr(about, name)) for name in _FACTS}
            return told | {"duration": about.duration // timedelta(minutes=1), "sites": list(about.sites)}
        case Reminded():
            return {"code": about.code}
        case Concern():
            return {"concerns": about.site, "over": about.over}
        case OddPeriod():
            return {name: _text(value) for name, value in asdict(about).items()}
        case None:
            return {}


_FACTS = [field.name for field in fields(Facts)]


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def about_of(stored: Mapping[str, Any]) -> About | None:
    """And back."""
    if not stored:
        return None
    if "other" in stored:
        span = {name: datetime.fromisoformat(stored[name]) for name in ("start", "end")}
        return OddPeriod(zone=stored["zone"], other=stored["other"], **span)
    if "over" in stored:  # "declined": as rows of the first release say it
        return Concern(site=stored["concerns" if "concerns" in stored else "declined"], over=stored["over"])
    if "site" not in stored:
        return Reminded(code=stored["code"])
    told = {name: datetime.fromisoformat(stored[name]) for name in ("wall", "local") if stored.get(name)}
    return Facts(
        site=stored["site"],
        start=datetime.fromisoformat(stored["start"]),
        duration=timedelta(minutes=stored["duration"]),
        timezone=stored["timezone"],
        join_url=stored["join_url"],
        room=stored["room"],
        sites=tuple(stored["sites"]),
        host=stored["host"],
        lost=stored.get("lost", False),
        zone=stored.get("zone"),
        code=stored.get("code"),
        uid=stored.get("uid"),
        **told,
    )
