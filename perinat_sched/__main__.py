"""The command line: serve, check, tokens, backup and restore.

What goes wrong is one clear line on standard error and exit status 2; a traceback is for developers, not for people.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import perinat_sched
from perinat_sched import logs, settings
from perinat_sched.errors import ConfigurationError, InvalidRequest, PerinatError
from perinat_sched.i18n import say
from perinat_sched.settings import Settings
from perinat_sched.zones import utc_now

if TYPE_CHECKING:  # what a command does not need is not loaded: it takes longer than the command
    from perinat_sched.people.actions import Tokens
    from perinat_sched.series.series import OnConflict

REFUSED = 2
FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; the exit status."""
    logs.set_up("ERROR", sys.stderr)
    try:
        given = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace, Settings], None] = given.command
        command(given, settings.load(os.environ))
    except PerinatError as error:
        print(_told(error), file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return FAILED
    except Exception as error:
        print(f"perinat-sched: unexpected {' '.join(logs.told(error)[:1])}: please report it", file=sys.stderr)
        if os.environ.get("PERINAT_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        return FAILED
    return 0


def _told(error: PerinatError) -> str:
    match error:
        case ConfigurationError():
            return str(error)
        case InvalidRequest():
            return "\n".join(f"perinat-sched: {one.field}: {say(one.message, 'en')}" for one in error.errors)
        case _:
            return f"perinat-sched: {say(error.message, 'en')}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="perinat-sched", description=perinat_sched.__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"perinat-sched {perinat_sched.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("serve", help="run the service", allow_abbrev=False)
    command.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    command.add_argument("--port", type=_port, default=8080, help="the port to listen on (%(default)s)")
    command.set_defaults(command=_serve)

    command = commands.add_parser("check", help="read the configuration and say what was understood")
    command.set_defaults(command=_check)

    command = commands.add_parser("doctor", help="ask the relay and DNS whether other servers will take our mail")
    command.add_argument("--selector", metavar="NAME", help="the DKIM selector that the relay signs with")
    command.add_argument(
        "--nameserver", metavar="ADDRESS[:PORT]", type=_address, help="ask this one: DNS as outsiders see it"
    )
    command.set_defaults(command=_doctor)

    tokens = commands.add_parser("token", help="make, list and revoke API tokens").add_subparsers(
        required=True, metavar="COMMAND"
    )
    command = tokens.add_parser("create", help="print a new token, this once", allow_abbrev=False)
    command.add_argument("--role", required=True, choices=["admin", "coordinator", "clinician"])
    command.add_argument("--site", action="append", default=[], metavar="CODE", help="may be given again")
    command.add_argument("--network", action="append", default=[], metavar="CODE", help="may be given again")
    command.add_argument("--person", metavar="ID")
    command.add_argument("--email", metavar="ADDRESS")
    command.add_argument("--expires", type=_day, metavar="DATE", help="its last day, YYYY-MM-DD (in a year)")
    command.add_argument("--name", required=True, metavar="TEXT", help="whose it is, for the list")
    command.add_argument("--link", action="store_true", help="print a one-time sign-in address instead")
    command.set_defaults(command=_create_token)
    command = tokens.add_parser("list", help="every token, without its secret")
    command.set_defaults(command=_list_tokens)
    command = tokens.add_parser("revoke", help="refuse a token from now on")
    command.add_argument("id", metavar="ID")
    command.set_defaults(command=_revoke_token)

    command = commands.add_parser("import", help="book a year's plan from a CSV file, all of it or none")
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--dry-run", action="store_true", help="say what would become of each line; book nothing")
    command.add_argument("--leave-out", action="store_true", help="book the rest where lines are in conflict")
    command.add_argument("--no-patient-data", action="store_true", help="its texts were read again: no patient in them")
    command.set_defaults(command=_import)

    command = commands.add_parser("backup", help="copy the SQLite database while the service runs")
    command.add_argument("file", type=Path, metavar="FILE")
    command.set_defaults(command=_backup)
    command = commands.add_parser("restore", help="go back to such a copy; the present database is kept beside it")
    command.add_argument("file", type=Path, metavar="FILE")
    command.set_defaults(command=_restore)
    audits = commands.add_parser("audit", help="verify that no line of the audit was changed").add_subparsers(
        required=True, metavar="COMMAND"
    )
    command = audits.add_parser("verify", help="read its seals over again; exits 1 where they are broken")
    command.set_defaults(command=_verify_audit)
    command = commands.add_parser("guards", help="put the database's guards against double booking back")
    command.set_defaults(command=_guards)
    return parser


def _serve(given: argparse.Namespace, configured: Settings) -> None:
    from perinat_sched import app

    logs.set_up(configured.log_level)
    asyncio.run(app.serve(configured, given.host, given.port))


def _check(given: argparse.Namespace, configured: Settings) -> None:
    from perinat_sched import app

    print(settings.describe(configured))
    print("\nFuture sessions that no longer fit")
    for line in asyncio.run(app.misfits(configured)) or ["none"]:
        print(f"  {line}")


def _doctor(given: argparse.Namespace, configured: Settings) -> None:
    from dns.asyncresolver import Resolver

    from perinat_sched.notices.deliverability import Examination

    async def examine() -> bool:
        resolver = Resolver(configure=given.nameserver is None)
        if given.nameserver is not None:
            host, resolver.port = given.nameserver
            resolver.nameservers = [host]
        healthy = True
        examination = Examination(
            mail_from=configured.mail_from,
            smtp_url=configured.smtp_url,
            selector=given.selector,
            resolver=resolver,
        )
        async for found in examination.findings():
            healthy = healthy and found.good
            print(f"{'good' if found.good else 'BAD '}  {found.subject:13} {found.told}")
        return healthy

    if not asyncio.run(examine()):
        sys.exit(FAILED)


def _create_token(given: argparse.Namespace, configured: Settings) -> None:
    from perinat_sched.notices import sign_in
    from perinat_sched.people.sign_in import SignIns

    async def create(tokens: Tokens) -> str:
        token, row = await tokens.create(
            role=given.role,
            sites=given.site,
            networks=given.network,
            person=given.person,
            email=given.email,
            expires=given.expires,
            name=given.name,
        )
        if not given.link:
            return token
        [secret] = await SignIns(tokens.database, tokens.clock).links([row])
        return sign_in.link(configured.public_url, secret)

    print(_with_tokens(configured, create))


def _list_tokens(given: argparse.Namespace, configured: Settings) -> None:
    async def listed(tokens: Tokens) -> None:
        for row in await tokens.list_all():
            state = "revoked" if row.revoked_at else "valid" if row.valid(utc_now()) else "expired"
            places = ",".join((*row.sites, *row.networks)) or "-"
            print(f"{row.id}  {state:7}  until {row.last_day}  {row.role:11}  {places}  {row.name}")

    _with_tokens(configured, listed)


def _revoke_token(given: argparse.Namespace, configured: Settings) -> None:
    _with_tokens(configured, lambda tokens: tokens.revoke(given.id))


def _import(given: argparse.Namespace, configured: Settings) -> None:
    """As an administrator; a running service tells the sites of what was booked."""
    from perinat_sched import app
    from perinat_sched.people.access import Actor
    from perinat_sched.series import planning_report, sheet
    from perinat_sched.series.importing import Imported, ImportRefused

    async def run() -> Imported:
        async with app.opened(configured) as database:
            importing = app.series_import_of(configured, app.enquiries_of(configured, database, utc_now))
            work = importing.try_out if given.dry_run else importing.book
            way: OnConflict = "leave_out" if given.leave_out else "refuse"
            operator = Actor(token="system", role="admin")  # noqa: S106 - whom the audit names
            return await work(operator, sheet.opened(given.file), way, sure=given.no_patient_data)

    try:
        imported = asyncio.run(run())
    except ImportRefused as refused:
        print("\n".join(planning_report.told(refused.imported)))
        raise
    print("\n".join(planning_report.told(imported)))


def _backup(given: argparse.Namespace, configured: Settings) -> None:
    from perinat_sched.storage import backup

    backup.backup(configured.database_url, given.file)
    print(f"Copied to {given.file}")


def _restore(given: argparse.Namespace, configured: Settings) -> None:
    from perinat_sched.storage import backup

    kept = backup.restore(configured.database_url, given.file)
    print(f"Restored from {given.file}" + (f"; the database before is kept as {kept}" if kept else ""))


def _guards(given: argparse.Namespace, configured: Settings) -> None:
    from perinat_sched import app

    asyncio.run(app.mend_guards(configured))
    print("The guards are in place")


def _verify_audit(given: argparse.Namespace, configured: Settings) -> None:
    from perinat_sched import app

    verdict = asyncio.run(app.verified_audit(configured))
    if verdict.broken:
        places = ", ".join(map(str, verdict.broken))
        sys.exit(f"The audit is not what was written, at these places of its chain: {places}")
    print(f"{verdict.sealed} lines, none changed, none missing; last seal {verdict.head}")


T = TypeVar("T")


def _with_tokens(configured: Settings, work: Callable[[Tokens], Coroutine[Any, Any, T]]) -> T:
    """Works beside a running service, and before the first one."""
    from perinat_sched import app
    from perinat_sched.people.actions import Tokens

    async def run() -> T:
        async with app.opened(configured) as database:
            return await work(Tokens(database, configured.directory, utc_now))

    return asyncio.run(run())


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError("write a port from 0 to 65535")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, ":", "53")
    try:
        return str(ipaddress.ip_address(host)), _port(port)
    except ValueError:
        raise argparse.ArgumentTypeError("write an address such as 9.9.9.9 or 9.9.9.9:53") from None


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, of no zone
    except ValueError:
        raise argparse.ArgumentTypeError("write a date as YYYY-MM-DD") from None


if __name__ == "__main__":
    sys.exit(main())
