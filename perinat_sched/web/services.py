"""What the handlers work with: the actions of the domain, and what the edge itself keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from perinat_sched.booking.actions import Bookings
from perinat_sched.booking.closures import Closures
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.history import History
from perinat_sched.example.actions import Example
from perinat_sched.feeds.publication import Publisher
from perinat_sched.feeds.readings import Readings
from perinat_sched.feeds.subscription import Feeds
from perinat_sched.figures.actions import Reports
from perinat_sched.notices.actions import Notices
from perinat_sched.notices.delivery import Delivery
from perinat_sched.notices.sign_in import SignInMail
from perinat_sched.notices.unsubscribing import Unsubscribing
from perinat_sched.people.actions import Tokens
from perinat_sched.people.sign_in import SignIns
from perinat_sched.series.actions import SeriesBookings
from perinat_sched.series.changes import SeriesChanges
from perinat_sched.series.importing import SeriesImport
from perinat_sched.series.upkeep import SeriesUpkeep
from perinat_sched.settings import Settings
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database
from perinat_sched.storage.seals import Seals
from perinat_sched.web.cursors import Cursors
from perinat_sched.web.limits import Limit
from perinat_sched.web.metrics import Metrics
from perinat_sched.zones import Clock


@dataclass
class Course:
    """Whether the service is running or on its way out, as the load balancer and the answers must know."""

    draining: bool = False


@dataclass(frozen=True, kw_only=True)
class Services:
    """One running service."""

    settings: Settings
    database: Database
    tokens: Tokens
    bookings: Bookings
    enquiries: Enquiries
    series: SeriesBookings
    series_changes: SeriesChanges
    series_upkeep: SeriesUpkeep
    series_import: SeriesImport
    history: History
    closures: Closures
    feeds: Feeds
    publisher: Publisher
    readings: Readings
    delivery: Delivery
    notices: Notices
    reports: Reports
    example: Example
    unsubscribing: Unsubscribing
    seals: Seals
    sign_ins: SignIns
    sign_in_mail: SignInMail
    cursors: Cursors
    writes: Limit  # by token
    feed_reads: Limit  # by feed address
    sign_in_requests: Limit  # of everybody together
    metrics: Metrics
    clock: Clock
    seconds: Callable[[], float]  # the same, since 1970
    course: Course

    @property
    def directory(self) -> Directory:
        return self.settings.directory


SERVICES = web.AppKey("services", Services)
