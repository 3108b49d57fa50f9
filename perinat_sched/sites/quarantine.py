"""Where the files of `calendars/` are read: in processes that may do nothing else, and not for long.

A file from outside may be made to hang, to fill the memory or to find a fault in a parser. So one worker process
starts for a folder (`python -I -m perinat_sched.sites.quarantine`), forks for each file, and each fork has a second of
processor time, 256 MB, and no file to open or write; what exceeds that ends, and the file is refused. In and out goes
JSON: bytes in, and out the verdict of `inspection`, a calendar written anew by our own hand.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from perinat_sched.errors import ConfigurationProblem
from perinat_sched.reading import Wrong
from perinat_sched.sites.agenda import Agenda
from perinat_sched.sites.inspection import OutOfTime, Verdict, judge

LARGEST_FILE = 1_000_000  # bytes
PROCESSOR = 0.8  # seconds of it for a file, which is then told where it stands; after a whole one it is ended
PATIENCE = 20.0  # seconds for a file by the clock: a machine may be busy
MEMORY = 256 * 1024 * 1024  # bytes for a file
OUTSIDE = ("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.system", "os.remove", "os.rename")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CODE = tuple(
    f"{os.path.realpath(folder)}/"
    for folder in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), Path(__file__).parents[1])
)
REFUSED = Verdict(
    wrong=(
        (
            "the file",
            "takes more than a second, or 256 MB of memory, to work out",
            "remove past events from it, or write fewer or simpler rules",
        ),
    )
)


def agendas(paths: Iterable[Path], problems: list[ConfigurationProblem]) -> Iterator[Agenda]:
    """The agendas of the files that can be trusted; what is wrong with the others is noted in `problems`."""
    files: dict[Path, bytes] = {}
    for path in paths:
        try:
            files[path] = _bytes(path)
        except Wrong as wrong:
            problems.append(ConfigurationProblem(str(path), "the file", wrong.reason, wrong.mend))
    for path, verdict in zip(files, _verdicts({path.name: data for path, data in files.items()}), strict=True):
        problems += (ConfigurationProblem(str(path), *wrong) for wrong in verdict.wrong)
        if not verdict.wrong:
            yield Agenda.of(path.stem, verdict.calendar)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Wrong(f"cannot be read ({error.strerror})", "let the service's user read it") from None
    if len(data) > LARGEST_FILE:
        raise Wrong("is larger than 1 MB", "remove past events from it")
    return data


def _verdicts(files: dict[str, bytes]) -> list[Verdict]:
    """One a file, by its name, in order."""
    if not files:
        return []
    asked = json.dumps([[name, data.decode("latin-1")] for name, data in files.items()])  # latin-1: byte by byte
    command = [sys.executable, "-I", "-m", __name__]
    told = subprocess.run(command, input=asked.encode(), stdout=subprocess.PIPE)  # noqa: S603 - our own
    if told.returncode != 0:
        return [REFUSED] * len(files)
    return [_verdict(each) for each in json.loads(told.stdout)]


def _verdict(told: str) -> Verdict:
    """From what a fork said, which is nothing when it came to an end."""
    if not told:
        return REFUSED
    calendar, wrong = json.loads(told)
    return Verdict(calendar=calendar.encode("latin-1"), wrong=tuple((key, why, mend) for key, why, mend in wrong))


# --- In the worker -----------------------------------------------------------------------------------------------


def main() -> None:
    """Judge the files on standard input, each in a fork with limits; say on standard output what each fork said."""
    asked = json.loads(sys.stdin.buffer.read())
    told = [_in_a_fork(data.encode("latin-1"), name) for name, data in asked]
    sys.stdout.write(json.dumps(told))


def _in_a_fork(data: bytes, name: str) -> str:
    """What a fork says of a file: its verdict as JSON, or nothing."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            limit()
            verdict = judge(data, name)
            signal.setitimer(signal.ITIMER_PROF, 0)
            with os.fdopen(theirs, "w") as out:
                out.write(json.dumps([verdict.calendar.decode("latin-1"), verdict.wrong]))
            status = 0
        finally:  # whatever it was: no time, no memory
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        said = answer.read()
    _, ending = os.waitpid(child, 0)
    return said if ending == 0 else ""


def limit() -> None:
    """From here on: a second, so much memory, no file or program. What does not listen is ended by a signal."""
    signal.signal(signal.SIGPROF, _out_of_time)
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for nothing in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(nothing, (0, 0))
    sys.addaudithook(_forbid)


def _out_of_time(_signal: int, _frame: object) -> None:
    raise OutOfTime


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse all that leads outside, and every file but code and time zones, which libraries read at first use."""
    if event.startswith(OUTSIDE):
        raise PermissionError(event)
    if event == "open" and isinstance(arguments[0], str | bytes):
        path, flags = os.path.realpath(os.fsdecode(arguments[0])), arguments[2]
        if not path.startswith(CODE) or not isinstance(flags, int) or flags & WRITING:
            raise PermissionError(event)


if __name__ == "__main__":
    main()
