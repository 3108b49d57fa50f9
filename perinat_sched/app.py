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
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from aiohttp import web

import perinat_sched
from perinat_sched.booking.actions import Bookings
from perinat_sched.booking.closures import Closures
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.history import History
from perinat_sched.booking.recalculation import Outcome, Recalculation
from perinat_sched.errors import ConfigurationError, ConfigurationProblem, Unavailable
from perinat_sched.example.actions import Example
from perinat_sched.feeds.publication import Publisher
from perinat_sched.feeds.readings import Readings
from perinat_sched.feeds.shelf import Shelf
from perinat_sched.feeds.subscription import Feeds
from perinat_sched.feeds.window import Window
from perinat_sched.figures.actions import Reports
from perinat_sched.i18n import Message, say
from perinat_sched.jobs import Chore, Jobs
from perinat_sched.notices.actions import Notices
from perinat_sched.notices.delivery import Delivery
from perinat_sched.notices.mailer import mailer_of
from perinat_sched.notices.sign_in import SignInMail
from perinat_sched.notices.unsubscribing import Unsubscribing
from perinat_sched.people.actions import Tokens
from perinat_sched.people.sign_in import SignIns
from perinat_sched.series.actions import SeriesBookings
from perinat_sched.series.changes import SeriesChanges
from perinat_sched.series.importing import SeriesImport
from perinat_sched.series.upkeep import SeriesUpkeep
from perinat_sched.settings import Settings
from perinat_sched.signing import Signer
from perinat_sched.storage import lock
from perinat_sched.storage.database import Database
from perinat_sched.storage.engines import Address
from perinat_sched.storage.seals import Seals, Verdict
from perinat_sched.web.cursors import Cursors
from perinat_sched.web.limits import Limit
from perinat_sched.web.metrics import Metrics
from perinat_sched.web.server import application
from perinat_sched.web.services import Course, Services
from perinat_sched.zones import TZDATA_VERSION, Clock, seconds_of, utc_now

MAIL_FOLDER = Path("var/mail")
KEY_BYTES = 32
KEEP_ALIVE = 75  # seconds; aiohttp's default is an hour
DRAIN = 30  # seconds
WRITE_READINGS = timedelta(minutes=1)
SIGN_IN_REQUESTS_PER_MINUTE = 600  # of everybody together: a flood must not fill the disk
HANDLERS_FINISH = 14  # seconds; aiohttp waits twice that long: for a handler to end, then for it to be cancelled

log = logging.getLogger(__name__)


async def serve(settings: Settings, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT, then drain. Raises what forbids to start."""
    stop = _asked_to_stop()
    with lock.exclusive(settings.database_url):
        async with opened(settings) as database, database.watching():
            services = assemble(settings, database, utc_now)
            await where_the_ground_moved(settings, services)
            jobs = Jobs(delivery=services.delivery, chores=chores(services))
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
                        await services.readings.write_down()
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
    series = SeriesBookings(
        database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries
    )
    upkeep = SeriesUpkeep(database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries)
    shelf = Shelf()
    key = secret_key(settings.secret_key_file)
    signer = Signer(key)
    feeds = Feeds(
        database=database,
        directory=directory,
        clock=clock,
        public_url=settings.public_url,
        shelf=shelf,
        signer=signer,
    )
    publisher = Publisher(
        database=database,
        directory=directory,
        calendars=calendars,
        clock=clock,
        organizer=settings.mail_from,
        shelf=shelf,
        window=Window(
            past_days=settings.feed_past_days,
            future_days=settings.feed_future_days,
            cancelled_days=settings.feed_cancelled_days,
        ),
    )
    unsubscribing = Unsubscribing(database=database, clock=clock, signer=signer, public_url=settings.public_url)
    mailer = mailer_of(settings.smtp_url, MAIL_FOLDER, sender=settings.mail_from)
    delivery = Delivery(
        database=database,
        directory=directory,
        mailer=mailer,
        clock=clock,
        mail_from=settings.mail_from,
        settle=timedelta(seconds=settings.settle_seconds),
        stop_url=unsubscribing.url,
    )
    sign_ins = SignIns(database, clock)
    return Services(
        settings=settings,
        database=database,
        tokens=Tokens(database, directory, clock),
        bookings=bookings,
        enquiries=enquiries,
        series=series,
        series_changes=SeriesChanges(
            database=database, directory=directory, calendars=calendars, clock=clock, enquiries=enquiries
        ),
        series_upkeep=upkeep,
        series_import=series_import_of(settings, enquiries),
        history=History(database=database, directory=directory, clock=clock, enquiries=enquiries),
        closures=closures,
        feeds=feeds,
        publisher=publisher,
        readings=Readings(database=database),
        delivery=delivery,
        notices=Notices(database=database, directory=directory, clock=clock),
        example=Example(database=database, directory=directory, clock=clock, series=series, upkeep=upkeep),
        reports=Reports(database=database, directory=directory, calendars=calendars, clock=clock),
        unsubscribing=unsubscribing,
        seals=Seals(database, key, clock),
        sign_ins=sign_ins,
        sign_in_mail=SignInMail(
            sign_ins=sign_ins, mailer=mailer, mail_from=settings.mail_from, public_url=settings.public_url
        ),
        cursors=Cursors(signer),
        writes=Limit(settings.writes_per_minute, time.monotonic),
        feed_reads=Limit(settings.feed_reads_per_minute, time.monotonic),
        sign_in_requests=Limit(SIGN_IN_REQUESTS_PER_MINUTE, time.monotonic),
        metrics=Metrics(perinat_sched.__version__, TZDATA_VERSION, delivery.tally, enquiries.refusals),
        clock=clock,
        seconds=seconds_of(clock),
        course=Course(),
    )


def chores(services: Services) -> list[Chore]:
    """What is done again and again besides delivery."""
    return [
        Chore(name="feed readings", every=WRITE_READINGS, work=services.readings.write_down),
        Chore(name="sign-in mails", every=timedelta(seconds=2), work=services.sign_in_mail.run_once),
        Chore(name="seals of the audit", every=timedelta(seconds=1), work=services.seals.seal),
        Chore(name="the audit's last seal", every=timedelta(days=1), work=services.seals.tell_head),
        Chore(name="old sign-ins", every=timedelta(hours=1), work=services.sign_ins.forget),
    ]


def enquiries_of(settings: Settings, database: Database, clock: Clock) -> Enquiries:
    """What only reads."""
    return Enquiries(database=database, directory=settings.directory, calendars=settings.calendars, clock=clock)


def series_import_of(settings: Settings, enquiries: Enquiries) -> SeriesImport:
    """What makes sessions of a spreadsheet."""
    return SeriesImport(
        database=enquiries.database,
        directory=settings.directory,
        calendars=settings.calendars,
        clock=enquiries.clock,
        enquiries=enquiries,
    )


def recalculation_of(settings: Settings, database: Database, clock: Clock) -> Recalculation:
    """What puts sessions upon the ground as it is now."""
    return Recalculation(database=database, directory=settings.directory, calendars=settings.calendars, clock=clock)


async def where_the_ground_moved(settings: Settings, services: Services) -> None:
    """Put booked sessions upon a new ground, before anybody books or is told; whatever comes of it, the service starts.

    What fails is tried again at the next start.
    """
    try:
        outcome = await recalculation_of(settings, services.database, services.clock).where_the_ground_moved()
    except Exception:
        log.exception("booked sessions could not be put upon the new ground", extra={"action": "ground_not_settled"})
        return
    services.metrics.ground_moved(outcome)
    if outcome != Outcome():
        log.warning("the ground moved under booked sessions", extra={"action": "ground_moved", **asdict(outcome)})


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


async def verified_audit(settings: Settings) -> Verdict:
    """The audit's chain read over again, after what has no seal yet got one: the service may not have run since."""
    async with opened(settings) as database:
        seals = Seals(database, secret_key(settings.secret_key_file), utc_now)
        await seals.seal()
        return await seals.verify()


async def misfits(settings: Settings) -> list[str]:
    """Future sessions of which this configuration would cost a place, a line each; none where nothing was ever booked.

    Only reads: a configuration that is being tried out must not reach the database of the running service.
    """
    file = Address.of(settings.database_url).file
    if file is not None and not file.exists():
        return []
    database = await Database.open(settings.database_url)
    try:
        if not await database.is_current():
            return ["not known: the database is of an earlier version, which the next serve brings up to date"]
        return [
            f"{session.wall_start:%Y-%m-%d %H:%M} {session.timezone}, {session.kind} of {session.host_site} "
            f"({session.id}): {'; '.join(say(conflict.message, 'en') for conflict in misfit.conflicts)}"
            async for misfit in recalculation_of(settings, database, utc_now).misfits()
            for session in [misfit.before]
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
