"""The whole service, put together in one place: from settings to a listening socket, and back down in order.

Up: own the database, bring it up to date, refuse to start without its guards; then deliver mail; then listen. Down,
on SIGTERM: say "not ready", accept nothing more, claim no more mail, finish what is in flight, close the database.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

import perinat_sched
from perinat_sched.booking.actions import Bookings
from perinat_sched.booking.closures import Closures
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.misfits import misfits as booking_misfits
from perinat_sched.errors import ConfigurationError, ConfigurationProblem, Unavailable
from perinat_sched.feeds.subscription import Feeds
from perinat_sched.i18n import Message, say
from perinat_sched.jobs import Jobs
from perinat_sched.notices.delivery import Delivery
from perinat_sched.notices.mailer import mailer_of
from perinat_sched.people.actions import Tokens
from perinat_sched.series.actions import SeriesBookings
from perinat_sched.series.changes import SeriesChanges
from perinat_sched.series.importing import SeriesImport
from perinat_sched.series.upkeep import SeriesUpkeep
from perinat_sched.settings import Settings
from perinat_sched.storage import lock
from perinat_sched.storage.database import Database
from perinat_sched.storage.engines import Address
from perinat_sched.web.cursors import Cursors
from perinat_sched.web.limits import Limit
from perinat_sched.web.metrics import Metrics
from perinat_sched.web.server import application
from perinat_sched.web.services import Course, Services
from perinat_sched.zones import TZDATA_VERSION, Clock, utc_now

MAIL_FOLDER = Path("var/mail")
KEY_BYTES = 32
KEEP_ALIVE = 75  # seconds; aiohttp's default is an hour
DRAIN = 30  # seconds
HANDLERS_FINISH = 14  # seconds; aiohttp waits twice that long: for a handler to end, then for it to be cancelled

log = logging.getLogger(__name__)


async def serve(settings: Settings, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT, then drain. Raises what forbids to start."""
    stop = _asked_to_stop()
    with lock.exclusive(settings.database_url):
        async with opened(settings) as database:
            services = assemble(settings, database, utc_now)
            jobs = Jobs(delivery=services.delivery)
            jobs.start()
            runner = web.AppRunner(
                application(services),
                access_log=None,  # ours knows what must not be logged
                auto_decompress=False,  # bodies come as they are: no bombs
                keepalive_timeout=KEEP_ALIVE,
                shutdown_timeout=HANDLERS_FINISH,
            )
            try:
                await _listen(runner, host, port)
                log.info(
                    "serving",
                    extra={
                        "action": "started",
                        "address": runner.addresses,
                        "version": perinat_sched.__version__,
                        "tzdata": TZDATA_VERSION,
                    },
                )
                await stop.wait()
            finally:
                services.course.draining = True
                log.info("draining", extra={"action": "draining"})
                with suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN):
                        await asyncio.gather(runner.cleanup(), jobs.stop())
    log.info("stopped", extra={"action": "stopped"})


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database, up to date, guarded, and knowing the configured rooms and bridges."""
    database = await Database.open(settings.database_url)
    try:
        await database.migrate()
        await database.check_guards()
        await database.sync_resources(settings.directory)
        yield database
    finally:
        await database.close()


def assemble(settings: Settings, database: Database, clock: Clock) -> Services:
    """Everything that works on a database, built once."""
    directory, calendars = settings.directory, settings.calendars
    enquiries = enquiries_of(settings, database, clock)
    bookings = Bookings(database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries)
    closures = Closures(database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries)
    feeds = Feeds(
        database=database,
        directory=directory,
        clock=clock,
        public_url=settings.public_url,
        organizer=settings.mail_from,
    )
    delivery = Delivery(
        database=database,
        directory=directory,
        mailer=mailer_of(settings.smtp_url, MAIL_FOLDER, sender=settings.mail_from),
        clock=clock,
        mail_from=settings.mail_from,
    )
    return Services(
        settings=settings,
        database=database,
        tokens=Tokens(database, directory, clock),
        bookings=bookings,
        enquiries=enquiries,
        series=SeriesBookings(
            database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries
        ),
        series_changes=SeriesChanges(
            database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries
        ),
        series_upkeep=SeriesUpkeep(
            database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries
        ),
        series_import=SeriesImport(
            database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries
        ),
        closures=closures,
        feeds=feeds,
        delivery=delivery,
        cursors=Cursors(secret_key(settings.secret_key_file)),
        writes=Limit(settings.writes_per_minute, time.monotonic),
        feed_reads=Limit(settings.feed_reads_per_minute, time.monotonic),
        metrics=Metrics(perinat_sched.__version__, TZDATA_VERSION, delivery.tally),
        clock=clock,
        course=Course(),
    )


def enquiries_of(settings: Settings, database: Database, clock: Clock) -> Enquiries:
    """What only reads."""
    return Enquiries(database=database, directory=settings.directory, calendars=settings.calendars, clock=clock)


def secret_key(path: Path) -> bytes:
    """The installation's key, made at the first start, readable by its owner only. Raises ConfigurationError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_hex(KEY_BYTES).encode())
        key = path.read_bytes().strip()
    except OSError as error:
        reason = f"cannot be read or made ({error.strerror})"
        raise _key_problem(path, reason, "let the service's user read it and write its folder") from error
    if len(key) < KEY_BYTES:
        raise _key_problem(path, "is too short for a key", "copy it from another node, or remove it")
    return key


async def mend_guards(settings: Settings) -> None:
    """Put the guards against double booking back."""
    database = await Database.open(settings.database_url)
    try:
        await database.mend_guards()
    finally:
        await database.close()


async def misfits(settings: Settings) -> list[str]:
    """Future sessions that no longer fit this configuration, a line each; none where nothing was ever booked.

    Only reads: a configuration that is being tried out must not reach the database of the running service.
    """
    file = Address.of(settings.database_url).file
    if file is not None and not file.exists():
        return []
    database = await Database.open(settings.database_url)
    try:
        return [
            f"{session.wall_start:%Y-%m-%d %H:%M} {session.timezone}, {session.kind} of {session.host_site} "
            f"({session.id}): {'; '.join(say(conflict.message, 'en') for conflict in conflicts)}"
            async for session, conflicts in booking_misfits(enquiries_of(settings, database, utc_now))
        ]
    finally:
        await database.close()


def _key_problem(path: Path, reason: str, mend: str) -> ConfigurationError:
    return ConfigurationError([ConfigurationProblem(str(path), "PERINAT_SECRET_KEY_FILE", reason, mend)])


def _asked_to_stop() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unavailable(
            Message("{host}:{port} cannot be listened on: {reason}.", host=host, port=port, reason=reason)
        ) from error
