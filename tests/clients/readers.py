"""Other people's programs that read feeds over HTTP: what each of them shows, as plain values that can be compared.

Each is started as its users start it, with the addresses of some feeds. What it knows of time zones, it knows itself
or reads in the feed. `make .venv/.clients` installs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from configparser import RawConfigParser
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import recurring_ical_events
from icalendar import Calendar

HERE = Path(__file__).parent
INSTALLED = HERE.parents[1] / ".venv" / "clients"
PROGRAMS = HERE / "programs"
SYSTEM_PYTHON = "/usr/bin/python3"  # for which Debian builds Evolution's bindings


@dataclass(frozen=True, order=True)
class Shown:
    """A session as a calendar program shows it: instants in seconds, no UID where the program has one of its own."""

    start: int
    end: int
    status: str
    summary: str
    uid: str | None


@dataclass(frozen=True)
class Window:
    """The time that a program is asked to show."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> tuple[str, str]:
        return str(int(self.start.timestamp())), str(int(self.end.timestamp()))


class Read(Protocol):
    """Starts a program that keeps what it needs in a folder: what it shows of each feed, by start."""

    def __call__(self, urls: Sequence[str], window: Window, folder: Path) -> list[list[Shown]]: ...


@dataclass(frozen=True)
class Reader:
    """A calendar program, what it does to any event whatever the feed (a fault or a choice of its own), its pace."""

    read: Read
    makes: Callable[[Shown], Shown] = lambda shown: shown
    slow: bool = False  # takes tens of milliseconds an event

    def shows(self, expected: Sequence[Shown]) -> list[Shown]:
        """What it must show of the sessions that a feed must show."""
        return sorted({self.makes(shown) for shown in expected})


def run(*command: str | Path, variables: Mapping[str, str] | None = None, given: bytes | None = None) -> str:
    """What a program prints; an error, with all it said, where it does not end well."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PERINAT_", "PYTHON"))}
    done = subprocess.run(
        command, input=given, env=clean | dict(variables or {}), capture_output=True, timeout=300, check=False
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0 and "Traceback" not in said, f"{command} ended with {done.returncode}:\n{said[-4000:]}"
    return done.stdout.decode()


def fetched(url: str) -> bytes:
    """A feed's bytes, asked for without a header of ours."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        body: bytes = answer.read()
    return body


def _listed(printed: str) -> list[list[Shown]]:
    """What the programs under `programs/` print."""
    return [
        sorted(Shown(int(start), int(end), status, summary, uid) for uid, start, end, status, summary in feed)
        for feed in json.loads(printed)
    ]


def icalendar_strict(urls: Sequence[str], window: Window, folder: Path) -> list[list[Shown]]:
    """icalendar, and recurring-ical-events for what repeats; any line that it does not understand is an error."""
    return [_expanded(fetched(url), window) for url in urls]


def _expanded(ics: bytes, window: Window) -> list[Shown]:
    calendar = Calendar.from_ical(ics)
    assert not [component.errors for component in calendar.walk() if component.errors]
    return sorted(
        Shown(
            int(event.start.timestamp()),
            int(event.end.timestamp()),
            str(event.get("STATUS")),
            str(event["SUMMARY"]),
            str(event["UID"]),
        )
        for event in recurring_ical_events.of(calendar).between(window.start, window.end)
    )


def icaljs(urls: Sequence[str], window: Window, folder: Path) -> list[list[Shown]]:
    return _listed(_node("icaljs.cjs", *window.seconds, *urls))


def nodeical(urls: Sequence[str], window: Window, folder: Path) -> list[list[Shown]]:
    return _listed(_node("nodeical.cjs", *window.seconds, *urls))


def _node(program: str, *arguments: str) -> str:
    return run("node", PROGRAMS / program, *arguments, variables={"NODE_PATH": str(INSTALLED / "node_modules")})


def allenporter(urls: Sequence[str], window: Window, folder: Path) -> list[list[Shown]]:
    return _listed(run(INSTALLED / "bin/python", PROGRAMS / "allenporter.py", *window.seconds, *urls))


def khal(urls: Sequence[str], window: Window, folder: Path) -> list[list[Shown]]:
    """khal, over the files that vdirsyncer fetches; it shows no UIDs."""
    names = [f"feed{number}" for number in range(len(urls))]
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    config, calendars = folder / "vdirsyncer.conf", folder / "khal.conf"
    config.write_text(_vdirsyncer_config(dict(zip(names, urls, strict=True)), folder))
    calendars.write_text(_khal_config(names, folder))
    vdirsyncer = (INSTALLED / "bin/vdirsyncer", "-v", "WARNING", "-c", config)
    run(*vdirsyncer, "discover")
    run(*vdirsyncer, "sync")
    printed = run(
        INSTALLED / "bin/khal", "-c", calendars, "list",
        "--day-format", "", "--format", "{calendar}\t{start-long-full}\t{end-long-full}\t{status}\t{title}",
        f"{window.start:%Y-%m-%d %H:%M:%S}", f"{window.end:%Y-%m-%d %H:%M:%S}",
        variables={"XDG_CACHE_HOME": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    found: dict[str, set[Shown]] = {name: set() for name in names}
    for line in printed.splitlines():
        if line:  # one a day on which it is shown
            calendar, start, end, status, title = line.split("\t")
            found[calendar].add(Shown(_utc(start), _utc(end), status.strip(), title, None))
    return [sorted(found[name]) for name in names]


def _utc(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


def _vdirsyncer_config(feeds: Mapping[str, str], folder: Path) -> str:
    parts = [f'[general]\nstatus_path = "{folder}/status"\n']
    for name, url in feeds.items():
        parts.append(
            f'[pair {name}]\na = "{name}_here"\nb = "{name}_there"\ncollections = null\n'
            f'[storage {name}_here]\ntype = "filesystem"\npath = "{folder}/{name}"\nfileext = ".ics"\n'
            f'[storage {name}_there]\ntype = "http"\nurl = "{url}"\n'
        )
    return "".join(parts)


def _khal_config(names: Sequence[str], folder: Path) -> str:
    calendars = "".join(f"[[{name}]]\npath = {folder}/{name}\nreadonly = True\n" for name in names)
    return (
        f"[calendars]\n{calendars}[sqlite]\npath = {folder}/khal.db\n"
        "[locale]\nlocal_timezone = UTC\ndefault_timezone = UTC\ntimeformat = %H:%M:%S\ndateformat = %Y-%m-%d\n"
        "longdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M:%S\nlongdatetimeformat = %Y-%m-%d %H:%M:%S\n"
    )


def evolution(urls: Sequence[str], window: Window, folder: Path) -> list[list[Shown]]:
    """Evolution Data Server, without a screen: each feed is one of its subscriptions, kept between two runs."""
    sources = folder / "config/evolution/sources"
    sources.mkdir(parents=True, exist_ok=True)
    for name in ("run", "data", "cache"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    names = [f"feed{number}" for number in range(len(urls))]
    for name, url in zip(names, urls, strict=True):
        with (sources / f"{name}.source").open("w") as file:
            _evolution_source(name, url).write(file, space_around_delimiters=False)
    variables = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "GIO_USE_NETWORK_MONITOR": "base",  # the sandbox's network looks like none
        "GIO_USE_VFS": "local",
        "GSETTINGS_BACKEND": "memory",
    }
    program = PROGRAMS / "evolution.py"
    return _listed(run("dbus-run-session", "--", SYSTEM_PYTHON, program, *window.seconds, *names, variables=variables))


def _evolution_source(name: str, url: str) -> RawConfigParser:
    """What Evolution writes when one subscribes to a calendar on the web."""
    address = urlsplit(url)
    source = RawConfigParser()
    source.optionxform = str  # type: ignore[assignment,method-assign]  # names are written as they are
    source.read_dict(
        {
            "Data Source": {"DisplayName": name, "Enabled": "true", "Parent": "webcal-stub"},
            "Calendar": {"BackendName": "webcal", "Selected": "true"},
            "Authentication": {"Host": address.hostname, "Port": address.port, "Method": "none"},
            "Security": {"Method": "none"},
            "WebDAV Backend": {"ResourcePath": address.path},
            "Refresh": {"Enabled": "false"},
        }
    )
    return source


def libical_errors(ics: bytes) -> str:
    """What libical's restriction check says of a calendar, which it must not mind."""
    return run(INSTALLED / "bin/libical_lint", given=ics)


READERS: Mapping[str, Reader] = {
    "icalendar and recurring-ical-events": Reader(icalendar_strict),
    "ical.js": Reader(icaljs),
    # Reads an escaped backslash and a letter n as the end of a line.
    "node-ical": Reader(nodeical, lambda shown: replace(shown, summary=shown.summary.replace("\\n", "\\\n"))),
    "allenporter/ical": Reader(allenporter),
    # vdirsyncer makes a UID of its own of what an event says, so two that say the same at the same hour are one.
    "khal through vdirsyncer": Reader(khal, lambda shown: replace(shown, uid=None), slow=True),
    "Evolution Data Server": Reader(evolution),
}
