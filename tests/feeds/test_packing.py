"""Packing anew what changed in a long text, and nothing else."""

from __future__ import annotations

import gzip
import random
from itertools import chain

import pytest

from perinat_sched.feeds import packing
from perinat_sched.feeds.packing import Sheet, pack


def event(dice: random.Random) -> bytes:
    return f"BEGIN:VEVENT\r\nUID:{dice.random()}\r\nSUMMARY:Staff périnatal\r\nEND:VEVENT\r\n".encode()


def whole(sheets: list[Sheet]) -> bytes:
    return b"".join(chain.from_iterable(sheets))


@pytest.mark.parametrize("seed", range(20))
def test_what_was_packed_before_gives_the_bytes_of_packing_all_anew__http_04(seed: int) -> None:
    """Sheets that come, go, change, come twice, are empty or longer than deflate reaches."""
    dice = random.Random(seed)
    sheets: list[Sheet] = [(), (b"x" * 100_000,), (b"a", b"b"), (b"a", b"b"), (b"a", b"b")]
    known: dict[packing.Place, bytes] = {}
    for _ in range(30):
        place = dice.randrange(len(sheets) + 1)
        sheets[place : place + dice.randrange(3)] = [tuple(event(dice) for _ in range(dice.randrange(60)))]
        plain, packed, known = pack(sheets, known)
        assert plain == gzip.decompress(packed) == whole(sheets)
        assert packed == pack(sheets, {})[1]


def test_one_change_packs_the_sheet_and_the_one_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(1)
    sheets = [tuple(event(dice) for _ in range(32)) for _ in range(40)]
    _, _, known = pack(sheets, {})
    made: list[packing.Place] = []
    press = packing._deflated

    def noted(*place: Sheet) -> bytes:
        made.append((place[0], place[1]))
        return press(*place)

    monkeypatch.setattr(packing, "_deflated", noted)
    sheets[20] = sheets[20][:-1]
    pack(sheets, known)
    assert made == [(sheets[19], sheets[20]), (sheets[20], sheets[21])]


def test_sheets_make_it_hardly_longer_than_packing_in_one_go() -> None:
    dice = random.Random(1)
    sheets = [tuple(event(dice) for _ in range(dice.randrange(64))) for _ in range(40)]
    assert len(pack(sheets, {})[1]) < 1.05 * len(gzip.compress(whole(sheets), compresslevel=1))
