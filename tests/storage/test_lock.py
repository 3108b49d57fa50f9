"""One owner at a time for an SQLite file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perinat_sched.errors import DatabaseLocked, Unavailable
from perinat_sched.storage.lock import exclusive

OWNER = "import sys, time\nfrom perinat_sched.storage.lock import exclusive\n" + (
    "with exclusive(sys.argv[1]):\n    print('mine', flush=True)\n    time.sleep(60)\n"
)


def test_a_second_owner_is_told_which_file_and_which_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    with exclusive(url), pytest.raises(DatabaseLocked) as caught, exclusive(url):
        pass
    assert caught.value.message.values == {"file": tmp_path / "p.db", "lock": tmp_path / "p.db.lock"}


def test_an_owner_that_leaves_makes_room_for_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(f"sqlite:///{tmp_path}/p.db"):
            pass


def test_the_lock_is_of_the_file_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "var")
    monkeypatch.chdir(tmp_path)
    with exclusive("sqlite:///var/p.db"):
        for name in (f"sqlite:///{tmp_path}/link/p.db", "sqlite:///var/../var/p.db"):
            with pytest.raises(DatabaseLocked), exclusive(name):
                pass


def test_two_files_have_two_owners(tmp_path: Path) -> None:
    with exclusive(f"sqlite:///{tmp_path}/p.db"), exclusive(f"sqlite:///{tmp_path}/q.db"):
        pass


def test_an_owner_that_is_killed_leaves_no_lock_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    with subprocess.Popen([sys.executable, "-c", OWNER, url], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "mine\n"
        with pytest.raises(DatabaseLocked), exclusive(url):
            pass
        owner.kill()
    with exclusive(url):
        pass


def test_postgresql_may_have_many_owners() -> None:
    url = "postgresql://db.example/perinat"
    with exclusive(url), exclusive(url):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable) as caught, exclusive(f"sqlite:///{tmp_path}/file/p.db"):
        pass
    assert caught.value.message.values["name"] == f"{tmp_path}/file/p.db"
