"""Calendar feeds: whose calendar, how much of it, under which secret address."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from perinat_sched.feeds.edition import Options
from perinat_sched.feeds.subscription import LONGEST_LABEL
from perinat_sched.web.schemas.base import RFC3339, Asked, Code, KindCode, QueryInt, Told
from perinat_sched.web.schemas.directory import Language
from perinat_sched.web.schemas.sessions import Confirmed

LONGEST_ALARM = 1440  # minutes

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


class FeedQuery(Asked):
    """A variant of a feed. What else stands in an address is some program's own business."""

    model_config = ConfigDict(extra="ignore")

    alarm: Annotated[QueryInt, Field(ge=1, le=LONGEST_ALARM)] | None = None
    cancelled: Literal["yes", "no"] = "yes"
    format: Literal["ics", "ifb"] = "ics"  # ifb: only when the site or room is taken (VFREEBUSY)

    @cached_property
    def options(self) -> Options:
        """The variant that is asked for."""
        return Options(alarm=self.alarm, cancelled=self.cancelled == "yes", free_busy=self.format == "ifb")


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
    last_read_at: RFC3339 | None
    last_read_by: str  # the calendar program; empty where it did not say


class FeedOpened(FeedOut):
    """A new feed with its secret address."""

    url: str
    webcal_url: str
    page_url: str  # how to subscribe, for people


class FeedList(Told):
    items: list[FeedOut]
    next: str | None
