"""Calendar feeds: whose calendar, how much of it, under which secret address."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from perinat_sched.feeds.subscription import LONGEST_LABEL
from perinat_sched.web.schemas.base import RFC3339, Asked, Code, KindCode, Told
from perinat_sched.web.schemas.directory import Language
from perinat_sched.web.schemas.sessions import Confirmed

Scope = Literal["site", "room", "network"]  # "person" comes with people
Detail = Literal["full", "kind", "busy"]


class FeedRequest(Asked):
    """A feed to be opened."""

    scope: Scope
    of: Annotated[Code, Field(examples=["calais"])]
    detail: Detail = "full"
    label: Annotated[str, Field(max_length=LONGEST_LABEL)] = ""
    language: Language = "fr"
    kinds: Annotated[list[KindCode], Field(max_length=100)] = Field(default_factory=list)
    no_patient_data: Confirmed = False


class FeedOut(Told):
    """A feed; its address is shown once, when it is opened."""

    id: str
    scope: Scope
    of: str
    detail: Detail
    label: str
    language: Language
    kinds: list[str]
    created_at: RFC3339


class FeedOpened(FeedOut):
    """A new feed with its secret address."""

    url: str
    webcal_url: str


class FeedList(Told):
    items: list[FeedOut]
    next: str | None
