"""Packing anew what changed in a long text, and nothing else."""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping
from itertools import chain

import pytest

from perinat_sched.feeds import packing
from perinat_sched.feeds.packing import Packed, Place, Sheet, pack


def event(dice: random.Random) -> bytes:
    return f"BEGIN:VEVENT\r\nUID:{dice.random()}\r\nSUMMARY:Staff périnatal\r\nEND:VEVENT\r\n".encode()


def whole(sheets: list[Sheet]) -> bytes:
    return b"".join(chain.from_iterable(sheets))


@pytest.mark.parametrize("seed", range(20))
def test_what_was_packed_before_gives_the_bytes_of_packing_all_anew__http_04(seed: int) -> None:
    """Sheets that come, go, change, come twice, are empty or longer than deflate reaches."""
    dice = random.Random(seed)
    sheets: list[Sheet] = [(), (b"x" * 100_000,), (b"a", b"b"), (b"a", b"b"), (b"a", b"b")]
    known: Mapping[Place, Packed] = {}
    for _ in range(30):
        place = dice.randrange(len(sheets) + 1)
        sheets[place : place + dice.randrange(3)] = [tuple(event(dice) for _ in range(dice.randrange(60)))]
        made, anew = pack(sheets, known), pack(sheets, {})
        assert made == anew
        assert made.plain == gzip.decompress(made.packed) == whole(sheets)
        known = made.sheets


def test_one_change_packs_the_sheet_and_the_one_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(1)
    sheets = [tuple(event(dice) for _ in range(32)) for _ in range(40)]
    before = pack(sheets, {})
    made: list[Place] = []
    press = packing._packed

    def noted(*place: Sheet) -> Packed:
        made.append((place[0], place[1]))
        return press(*place)

    monkeypatch.setattr(packing, "_packed", noted)
    sheets[20] = sheets[20][:-1]
    after = pack(sheets, before.sheets)
    assert made == [(sheets[19], sheets[20]), (sheets[20], sheets[21])]
    assert after.digest != before.digest


def test_a_text_that_moves_from_one_sheet_to_the_next_is_another() -> None:
    """Which sheet a piece is in depends on what stands in it: nothing but another text moves it."""
    assert pack([(b"a", b"b"), (b"c",)], {}).digest != pack([(b"a",), (b"b", b"c")], {}).digest


def test_sheets_make_it_hardly_longer_than_packing_in_one_go() -> None:
    dice = random.Random(1)
    sheets = [tuple(event(dice) for _ in range(dice.randrange(64))) for _ in range(40)]
    assert len(pack(sheets, {}).packed) < 1.05 * len(gzip.compress(whole(sheets), compresslevel=1))
