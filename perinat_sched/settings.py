"""Settings: `config/service.toml`, `config/network.toml`, `calendars/*.ics` and the environment, which wins.

Read once at start, all of it checked, every complaint at once: file, key, reason, mend. What comes out is frozen.
Nothing secret is ever put into a complaint or a description: passwords in addresses are masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from perinat_sched.errors import ConfigurationError, ConfigurationProblem
from perinat_sched.intervals import Interval
from perinat_sched.reading import Table, Wrong, nearest, one_line, read_toml
from perinat_sched.sites import values
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.configuration import read_directory, read_lead_times, read_quiet_hours
from perinat_sched.sites.description import describe_directory
from perinat_sched.sites.network import Directory, QuietHours, Reminder
from perinat_sched.zones import TZDATA_VERSION, Clock, utc_now

T = TypeVar("T")

PREFIX = "PERINAT_"
DEFAULT_DATABASE_URL = "sqlite:///var/perinat.db"
DEFAULT_PUBLIC_URL = "http://127.0.0.1:8080"
DEFAULT_MAIL_FROM = "perinat@localhost"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
AN_HOUR = 3600
MOST_A_MINUTE = 1_000_000
MOST_DAYS = 3660


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the service is told. Paths are relative to the folder it is started in."""

    config_dir: Path
    calendars_dir: Path
    database_url: str  # sqlite:///relative, sqlite:////absolute, postgresql://…
    public_url: str  # every link is built from it; no slash at its end
    smtp_url: str | None  # None: each mail is written to a file
    mail_from: str  # one address, alone or as `Name <address>`
    settle_seconds: int  # changes are gathered so long; then their mail is due
    lead_times: tuple[Reminder, ...]  # of kinds that name none
    writes_per_minute: int  # a token; 0: no limit
    feed_reads_per_minute: int  # a feed address; 0: no limit
    feed_past_days: int  # how far back, and ahead, feeds look from today
    feed_future_days: int
    feed_cancelled_days: int  # how long after its end a cancelled session stays in feeds
    secret_key_file: Path
    log_level: str  # DEBUG, INFO, WARNING, ERROR
    directory: Directory
    calendars: Calendars


def load(environ: Mapping[str, str]) -> Settings:
    """Read and check everything. Raises ConfigurationError with all that is wrong."""
    problems: list[ConfigurationProblem] = []
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    environment = Table("environment", ours, problems)
    config_dir = environment.value("PERINAT_CONFIG_DIR", file_path, Path("config"))
    calendars_dir = environment.value("PERINAT_CALENDARS_DIR", folder, Path("calendars"))

    service = read_toml(config_dir / "service.toml", problems, required=False)
    mail, limits, reminders, feeds = (service.table(key) for key in ("mail", "limits", "reminders", "feeds"))
    service.table("retention")  # nothing to set yet
    lead_times = read_lead_times(reminders, "lead_times", (values.lead_time("P1D"),))

    network = read_toml(config_dir / "network.toml", problems, required=True)
    directory = read_directory(network, lead_times, {path.stem for path in calendars_dir.glob("*.ics")})
    directory = replace(directory, quiet_hours=read_quiet_hours(reminders, "quiet_hours"))

    def setting(variable: str, convert: Callable[[str], T], default: T, table: Table, key: str) -> T:
        return environment.value(variable, convert, table.value(key, convert, default))

    settings = Settings(
        config_dir=config_dir,
        calendars_dir=calendars_dir,
        database_url=setting("PERINAT_DATABASE_URL", database_url, DEFAULT_DATABASE_URL, service, "database_url"),
        public_url=setting("PERINAT_PUBLIC_URL", public_url, DEFAULT_PUBLIC_URL, service, "public_url"),
        smtp_url=setting("PERINAT_SMTP_URL", smtp_url, None, mail, "smtp_url"),
        mail_from=setting("PERINAT_MAIL_FROM", values.mailbox, DEFAULT_MAIL_FROM, mail, "from"),
        settle_seconds=mail.whole("settle_seconds", 5, 0, AN_HOUR),
        lead_times=lead_times,
        writes_per_minute=limits.whole("writes_per_minute", 600, 0, MOST_A_MINUTE),
        feed_reads_per_minute=limits.whole("feed_reads_per_minute", 60, 0, MOST_A_MINUTE),
        feed_past_days=feeds.whole("past_days", 60, 0, MOST_DAYS),
        feed_future_days=feeds.whole("future_days", 400, 1, MOST_DAYS),
        feed_cancelled_days=feeds.whole("cancelled_days", 30, 0, MOST_DAYS),
        secret_key_file=environment.value("PERINAT_SECRET_KEY_FILE", file_path, Path("var/secret.key")),
        log_level=environment.value("PERINAT_LOG_LEVEL", log_level, "INFO"),
        directory=directory,
        calendars=Calendars.read(calendars_dir, directory, problems),
    )
    service.finish()
    environment.finish()
    if problems:
        raise ConfigurationError(problems)
    return settings


def file_path(text: str) -> Path:
    """A path as it is written."""
    return Path(one_line(text))


def folder(text: str) -> Path:
    """The path of a folder that is there."""
    path = file_path(text)
    if not path.is_dir():
        raise Wrong(f"there is no folder {text!r}", "create it, or correct the path")
    return path


def database_url(text: str) -> str:
    """sqlite:///relative, sqlite:////absolute or postgresql://…"""
    mend = 'write "sqlite:///var/perinat.db", "sqlite:////absolute/path" or "postgresql://user:password@host/database"'
    parts = _split(text, mend)
    path = parts.path.removeprefix("/")
    if parts.scheme not in ("sqlite", "postgresql"):
        raise Wrong("is no SQLite or PostgreSQL address", mend)
    if not path or (parts.scheme == "sqlite" and (parts.netloc or parts.query or path == ":memory:")):
        raise Wrong("names no database", mend)
    if parts.scheme == "sqlite" and Path(path).is_dir():
        raise Wrong("names a folder, not a file", mend)
    return text


def public_url(text: str) -> str:
    """Where people reach the service: http or https, no query; the slash at its end is dropped."""
    mend = 'write the address people open: "https://visio.hospital.example"'
    parts = _split(text, mend)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Wrong("is no http or https address", mend)
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise Wrong("holds more than scheme, host, port and path", mend)
    return text.rstrip("/")


def smtp_url(text: str) -> str | None:
    """The mail relay: smtp://host:port, smtps://user:password@host; empty: mails are written to files."""
    if not text:
        return None
    mend = (
        'write "smtp://relay.hospital.example:25" or "smtps://user:password@relay.hospital.example", or leave it empty'
    )
    parts = _split(text, mend)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise Wrong("is no smtp or smtps address", mend)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise Wrong("holds more than scheme, user, password, host and port", mend)
    return text


def log_level(text: str) -> str:
    """DEBUG, INFO, WARNING or ERROR, in any case."""
    level = text.upper()
    if level not in LOG_LEVELS:
        raise Wrong(f"{text[:20]!r} is no log level", nearest(level, LOG_LEVELS))
    return level


def _split(text: str, mend: str) -> SplitResult:
    """The parts of an address. What is wrong is said without the address: it may hold a password."""
    if " " in one_line(text):
        raise Wrong("has a space in it", mend)
    try:
        parts = urlsplit(text)
        if parts.port == 0:
            raise ValueError("port 0")
    except ValueError:
        raise Wrong("is not an address, or its port is none", mend) from None
    return parts


def mask(url: str) -> str:
    """An address without its password, to be shown."""
    shown = re.sub(r"(//[^/:@]*:).*@", r"\1***@", url)
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", shown)


def describe(settings: Settings, now: Clock = utc_now) -> str:
    """What was understood, defaults included, for `check`; closures over the coming year. No password in it."""
    s = settings
    lines = [
        f"configuration   {s.config_dir}/, calendars in {s.calendars_dir}/, environment",
        f"database        {mask(s.database_url)}",
        f"public address  {s.public_url}",
        f"mail            {mask(s.smtp_url) if s.smtp_url else 'to files'}, from {s.mail_from},"
        f" {s.settle_seconds} s after a change",
        f"reminders       {', '.join(lead.text for lead in s.lead_times) or 'none'} before the start,"
        f" {_quiet(s.directory.quiet_hours)}",
        f"limits          {s.writes_per_minute} writes a minute and token,"
        f" {s.feed_reads_per_minute} readings a minute and feed (0: no limit)",
        f"feeds           {s.feed_past_days} days back, {s.feed_future_days} ahead,"
        f" cancelled sessions for {s.feed_cancelled_days} days",
        f"secret key      {s.secret_key_file}",
        f"log level       {s.log_level}",
        f"time zones      tzdata {TZDATA_VERSION}",
    ]
    start = now()
    year = Interval(start, start + timedelta(days=365))
    return "\n".join([*lines, "", *describe_directory(s.directory, s.calendars, year)])


def _quiet(night: QuietHours | None) -> str:
    if night is None:
        return "at any hour"
    begins, ends = (f"{minute // 60:02}:{minute % 60:02}" for minute in (night.begins, night.ends))
    return f"never from {begins} to {ends} by the reader's clock, but the evening before"
