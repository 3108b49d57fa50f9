"""The README says what there is: every setting, command, log action and figure's name, and nothing that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SOURCES = {path: path.read_text() for path in sorted((ROOT / "perinat_sched").rglob("*.py"))}
CODE = "\n".join(SOURCES.values())


def documented(pattern: str) -> set[str]:
    return set(re.findall(pattern, README))


def test_every_environment_variable_is_in_the_table_and_no_other() -> None:
    used = set(re.findall(r'"(PERINAT_[A-Z_]+)"', CODE))
    assert used
    assert documented(r"(?<![A-Z_])(PERINAT_[A-Z_]+)") == used


def test_every_key_of_service_toml_is_in_the_table() -> None:
    service = (ROOT / "config" / "service.toml").read_text()
    keys = re.findall(r"^# ([a-z_]+) = ", service, re.MULTILINE)
    assert len(keys) >= 6
    assert [key for key in keys if not re.search(rf"`[^`]*\b{key}`", README)] == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("log actions", r'"action": "([a-z_]+)"'),
        ("audited actions", r'"((?:session|closure|feed|token|notice|sign_in_link|example)_[a-z]+ed|signed_[a-z_]+)"'),
    ],
)
def test_every_action_is_named(what: str, pattern: str) -> None:
    used = set(re.findall(pattern, CODE))
    assert used, what
    assert used - documented(r"`([a-z_]+)`") == set()


def test_every_command_is_named() -> None:
    commands = set(re.findall(r'add_parser\(\s*"([a-z]+)"', SOURCES[ROOT / "perinat_sched" / "__main__.py"]))
    assert {"serve", "check", "token", "backup", "restore"} <= commands
    assert [command for command in commands if not re.search(rf"`[^`]*\b{command}\b", README)] == []


def test_every_metric_is_named() -> None:
    names = set(re.findall(r'"(perinat_[a-z_]+)"', SOURCES[ROOT / "perinat_sched" / "web" / "metrics.py"]))
    assert len(names) >= 5
    assert {name for name in names if name not in README} == set()


def test_every_folder_of_the_package_stands_in_the_architecture() -> None:
    architecture = README.split("## Architecture")[1]
    folders = {path.parent.name for path in SOURCES if path.parent.parent == ROOT / "perinat_sched"} - {"perinat_sched"}
    modules = {path.name for path in SOURCES if path.parent == ROOT / "perinat_sched"} - {"__init__.py"}
    assert [name for name in sorted(folders) if f"{name}/" not in architecture] == []
    assert [name for name in sorted(modules) if name not in architecture] == []


def test_every_link_into_the_repository_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
