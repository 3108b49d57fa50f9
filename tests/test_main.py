"""The command line: mistakes and wrong configurations, each one clear line and exit status 2."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from perinat_sched import __version__
from perinat_sched.__main__ import main
from tests.notices.names import running_names

ROOT = Path(__file__).parent.parent
COORDINATOR = ["token", "create", "--role", "coordinator"]
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example configuration and a folder without a database; the log as it was, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # or setting up the log would close them
    for name in [name for name in os.environ if name.startswith("PERINAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PERINAT_CONFIG_DIR", str(ROOT / "config"))
    monkeypatch.setenv("PERINAT_CALENDARS_DIR", str(ROOT / "calendars"))
    monkeypatch.setenv("PERINAT_DATABASE_URL", f"sqlite:///{tmp_path}/data/perinat.db")
    monkeypatch.setenv("PERINAT_SECRET_KEY_FILE", f"{tmp_path}/secret.key")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("argument", "told"), [("--version", f"perinat-sched {__version__}"), ("--help", "serve")], ids=["version", "help"]
)
def test_version_and_help_need_no_configuration(
    argument: str, told: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERINAT_CONFIG_DIR", "/nowhere")

    with pytest.raises(SystemExit) as ended:
        main([argument])

    assert ended.value.code == 0
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "named"),
    [
        pytest.param("", "COMMAND", id="no command"),
        pytest.param("serv", "serv", id="an unknown command"),
        pytest.param("serve --port http", "--port", id="a port that is none"),
        pytest.param("serve --port 70000", "--port", id="a port too high"),
        pytest.param("token", "COMMAND", id="half a command"),
        pytest.param("token create --role king --name x", "--role", id="an unknown role"),
        pytest.param("token create --role admin", "--name", id="no name"),
        pytest.param("token create --role admin --name x --expires soon", "--expires", id="soon"),
        pytest.param("token create --role admin --name x --expires 20270101", "--expires", id="a date without dashes"),
        pytest.param("backup", "FILE", id="no file"),
    ],
)
def test_what_is_no_command_is_one_line(line: str, named: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())

    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.count("\n") == 1 and named in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["token", "create", "--role", "admin", "--name", " "], "name", id="a blank name"),
        pytest.param(
            ["token", "create", "--role", "coordinator", "--site", "calai", "--name", "x"],
            "calais",
            id="a site misspelt",
        ),
        pytest.param(
            ["token", "create", "--role", "coordinator", "--name", "x"], "site", id="a coordinator of nothing"
        ),
        pytest.param(["token", "revoke", "nothing"], "nothing", id="a token nobody knows"),
        pytest.param(["backup", "copy.db"], "perinat.db", id="a backup of nothing"),
        pytest.param(["restore", "copy.db"], "copy.db", id="a restore from nothing"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], named: str, capsys: Output) -> None:
    assert main(arguments) == 2

    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and named in err


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        pytest.param("PERINAT_SMTP_ULR", "", "PERINAT_SMTP_URL", id="a variable misspelt"),
        pytest.param("PERINAT_CONFIG_DIR", "/nowhere", "/nowhere", id="no configuration"),
        pytest.param("PERINAT_LOG_LEVEL", "loud", "PERINAT_LOG_LEVEL", id="a level nobody knows"),
        pytest.param("PERINAT_DATABASE_URL", "mysql://u:c4nary@h/d", "PERINAT_DATABASE_URL", id="another database"),
        pytest.param(
            "PERINAT_DATABASE_URL", "postgresql://u:c4nary@127.0.0.1:1/d", "127.0.0.1", id="a database out of reach"
        ),
    ],
)
def test_a_wrong_configuration_is_named_without_a_secret(
    command: str, variable: str, value: str, named: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    assert main([command]) == 2

    out, err = capsys.readouterr()
    assert named in err and "c4nary" not in out + err and "Traceback" not in out + err


def test_check_says_what_it_understood_and_makes_no_database(configured: Path, capsys: Output) -> None:
    assert main(["check"]) == 0

    out = capsys.readouterr().out
    assert "sainte-justine" in out and out.endswith("Future sessions that no longer fit\n  none\n")
    assert not (configured / "data").exists()


def test_tokens_are_listed_without_their_secret(capsys: Output) -> None:
    assert main(["token", "create", "--role", "coordinator", "--site", "calais", "--name", "Réseau"]) == 0
    token = capsys.readouterr().out
    assert main(["token", "list"]) == 0
    listed = capsys.readouterr().out

    assert re.fullmatch(r"ps_[A-Za-z0-9_-]{43}\n", token)
    assert token.strip() not in listed and re.search("valid +until .* coordinator +calais +Réseau", listed)
    assert main(["token", "revoke", listed.split()[0]]) == 0
    assert main(["token", "list"]) == 0
    assert " revoked " in capsys.readouterr().out


async def test_doctor_says_each_finding_on_a_line_and_fails_where_one_is_bad(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MAIL-05"""
    monkeypatch.setenv("PERINAT_MAIL_FROM", "visio@perinat.example")
    async with running_names() as names:
        names.records["perinat.example", "TXT"] = ['"v=spf1 mx -all"']
        host, port = names.address
        asked = ["doctor", "--selector", "visio", "--nameserver", f"{host}:{port}"]
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main, asked)
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("BAD   relay         none is set")
    assert "good  SPF           perinat.example: v=spf1 mx -all" in lines
    assert len(lines) == 6


@pytest.mark.parametrize("address", ["ns.example", "9.9.9.9:http", "9.9.9.9:70000"])
def test_a_name_server_is_an_address(address: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--nameserver", address])
    assert ended.value.code == 2
    assert "--nameserver" in capsys.readouterr().err
