"""Calendar files that were made to hang, to fill the memory or to lie: each is refused, and spares the others."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perinat_sched.errors import ConfigurationProblem
from perinat_sched.intervals import Interval
from perinat_sched.sites import quarantine
from perinat_sched.sites.agenda import Agenda
from perinat_sched.sites.inspection import judge

DAILY = b"DTSTART;TZID=Europe/Paris:20270104T080000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY"
NEVER = b"DTSTART;TZID=Europe/Paris:20270104T080000\r\nDURATION:PT1H\r\nRRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"
A_LIFE_LONG = b"DTSTART;TZID=Europe/Paris:20270104T080000\r\nDURATION:P26000D\r\nRRULE:FREQ=WEEKLY"
GOOD = b"DTSTART;VALUE=DATE:20270507\r\nSUMMARY:Pont"
TOO_LONG = "takes more than a second"
TOO_MANY = "has more than 30000 lines and listed values"


def calendar(*events: bytes) -> bytes:
    written = b"".join(b"BEGIN:VEVENT\r\n" + event + b"\r\nEND:VEVENT\r\n" for event in events)
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:bomb\r\n" + written + b"END:VCALENDAR\r\n"


def zone_of_a(offset: bytes) -> bytes:
    return (
        b"BEGIN:VTIMEZONE\r\nTZID:Bureau\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:" + offset +
        b"\r\nTZOFFSETTO:" + offset + b"\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )  # fmt: skip


BOMBS = {
    "every second": (calendar(DAILY.replace(b"DAILY", b"SECONDLY")), "it recurs SECONDLY"),
    "eight megabytes": (b"x" * 8_000_000, "is larger than 1 MB"),
    "nested components": (b"BEGIN:VEVENT\r\n" * 1_900 + b"END:VEVENT\r\n" * 1_900, "does not hold one VCALENDAR"),
    "events in events": (
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 900 + b"END:VEVENT\r\n" * 900 + b"END:VCALENDAR\r\n",
        "No DTSTART given",
    ),
    "more components than one reads": (calendar(*[GOOD] * 2_001), "has more than 2000 components"),
    "a line that never ends": (calendar(b"DTSTART:20270104T080000Z;X=" + b"y" * 900_000), "cannot be read"),
    "hundreds of thousands of lines": (calendar(GOOD + b"\r\nX:y" * 190_000), TOO_MANY),
    "tens of thousands of exceptions": (
        calendar(DAILY + b"\r\nEXDATE:" + b",".join([b"20270104T080000Z"] * 58_000)),
        TOO_MANY,
    ),
    "as many lines of one exception": (calendar(DAILY + b"\r\nEXDATE:20270104T080000Z" * 38_000), TOO_MANY),
    "a rule of a megabyte": (
        calendar(DAILY.replace(b"DAILY", b"YEARLY;BYDAY=" + b",".join([b"MO"] * 300_000))),
        TOO_MANY,
    ),
    "rules that never come": (calendar(*[NEVER] * 500), "here the file has taken too long"),
    "events that overlap for a lifetime": (calendar(*[A_LIFE_LONG] * 900), "here the file has taken too long"),
    "a number of four hundred thousand digits": (
        calendar(DAILY.replace(b"PT1H", b"P" + b"9" * 400_000 + b"D")),
        "its DURATION cannot be read",
    ),
}


def read(folder: Path, **files: bytes) -> tuple[dict[str, Agenda], list[ConfigurationProblem]]:
    for name, data in files.items():
        (folder / f"{name}.ics").write_bytes(data)
    problems: list[ConfigurationProblem] = []
    found = quarantine.agendas(sorted(folder.glob("*.ics")), problems)
    return {agenda.name: agenda for agenda in found}, problems


@pytest.mark.parametrize(("bomb", "reason"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_by_its_file_and_spares_the_one_beside_it(bomb: bytes, reason: str, tmp_path: Path) -> None:
    agendas, problems = read(tmp_path, bomb=bomb, good=calendar(GOOD))
    assert set(agendas) == {"good"}
    assert {Path(problem.file).name for problem in problems} == {"bomb.ics"}
    assert reason in problems[0].reason
    assert problems[0].mend


def test_what_the_service_reads_was_written_anew_with_nothing_in_it_but_closures() -> None:
    more = (
        b"UID:1\r\n"
        + GOOD
        + b"\r\nDESCRIPTION:x\r\nATTACH:file:///etc/passwd\r\nBEGIN:VALARM\r\nREPEAT:999999999\r\nEND:VALARM"
    )
    verdict = judge(calendar(more).replace(b"PRODID:bomb", b"PRODID:bomb\r\nX-EVIL:y"), "x.ics")
    assert verdict.wrong == ()
    assert verdict.calendar.decode().split("\r\n") == [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//perinat-sched//inspected//EN", "BEGIN:VEVENT", "SUMMARY:Pont",
        "DTSTART;VALUE=DATE:20270507", "UID:1", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    assert judge(verdict.calendar, "x.ics") == verdict


def test_two_files_that_define_a_zone_of_one_name_keep_each_their_own(tmp_path: Path) -> None:
    event = b"DTSTART;TZID=Bureau:20270301T080000\r\nDTEND;TZID=Bureau:20270301T090000"
    east, west = (
        calendar(event).replace(b"BEGIN:VEVENT", zone_of_a(offset) + b"BEGIN:VEVENT") for offset in (b"+0200", b"-0500")
    )
    agendas, problems = read(tmp_path, east=east, west=west)
    assert problems == []
    hours = {
        name: [interval.start.hour for interval, _ in agenda.busy("UTC", 2027)] for name, agenda in agendas.items()
    }
    assert hours == {"east": [6], "west": [13]}


def test_what_was_judged_reads_the_same_in_the_service(tmp_path: Path) -> None:
    agendas, _ = read(tmp_path, good=calendar(GOOD))
    [(interval, reason)] = agendas["good"].busy("Europe/Paris", 2027)
    assert (reason, interval.duration.days) == ("Pont", 1)
    assert isinstance(interval, Interval)


def test_no_file_starts_no_worker_and_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    assert read(tmp_path) == ({}, [])
    (tmp_path / "x.ics").mkdir()
    _, [problem] = read(tmp_path)
    assert problem.reason.startswith("cannot be read")


def test_a_worker_that_cannot_even_start_refuses_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    agendas, problems = read(tmp_path, one=calendar(GOOD), other=calendar(GOOD))
    assert agendas == {}
    assert [(Path(each.file).name, TOO_LONG in each.reason) for each in problems] == [
        ("one.ics", True),
        ("other.ics", True),
    ]


@pytest.mark.parametrize(
    ("attempt", "ending"),
    [
        ("while True: int()", "OutOfTime"),
        # The first `int()`: Python 3.11 takes a signal at the jump back to the first step of a `try` for one before it.
        ("try:\n int()\n while True: int()\nexcept BaseException:\n while True: int()", -signal.SIGXCPU),
        ("bytes(300 * 1024 * 1024)", "MemoryError"),
        ("open('/etc/passwd')", "PermissionError"),
        ("open(quarantine.__file__ + '/../../../../../../../../etc/passwd')", "PermissionError"),
        ("open(quarantine.__file__, 'a')", "PermissionError"),
        ("__import__('socket').create_connection(('127.0.0.1', 9))", "PermissionError"),
        ("__import__('subprocess').run(['true'])", "PermissionError"),
        ("__import__('os').fork()", "PermissionError"),
        ("open(quarantine.__file__).read(1); __import__('sys').exit(7)", 7),
    ],
    ids=["to spin", "to spin on", "to fill the memory", "to open a file", "to open it by a detour", "to write code",
         "to connect", "to start a program", "to multiply", "to read code, which it may"],
)  # fmt: skip
def test_a_fork_is_not_able(attempt: str, ending: int | str) -> None:
    forked = "import os\nfrom perinat_sched.sites import quarantine\nif child := os.fork():\n"
    ended = " os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)\n"  # a signal as 256 minus its number
    script = f"{forked}{ended}quarantine.limit()\n{attempt}\n"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
    if isinstance(ending, int):
        assert done.returncode == ending % 256
    else:
        assert done.returncode == 1 and ending in done.stderr


@pytest.mark.parametrize("ending", ["while True: int()", "raise MemoryError", "__import__('os').abort()"])
def test_a_file_whose_fork_comes_to_an_end_is_refused(ending: str) -> None:
    script = (
        f"from perinat_sched.sites import quarantine\ndef judge(data, name):\n {ending}\nquarantine.judge = judge\n"
        "assert quarantine._verdict(quarantine._in_a_fork(b'', 'x.ics')) is quarantine.REFUSED\n"
    )
    subprocess.run([sys.executable, "-I", "-c", script], check=True)
