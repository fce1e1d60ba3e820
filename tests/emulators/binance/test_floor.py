"""The floor: synthetic markets, tapes, and what a board shows of them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.emulators.binance.floor import Floor, Follower
from hedgerow.emulators.binance.orders import Product
from hedgerow.market.tape import TapeError

S, MS = 10**9, 10**6
D = Decimal
T0 = 1_723_161_254_000_000_000


def tape(path: Path, *frames: tuple[int, dict[str, object]]) -> Path:
    """Write a tape: (ms after its beginning, frame)."""
    path.write_text("".join(f"{T0 + ms * MS} {json.dumps(frame)}\n" for ms, frame in frames))
    return path


def top(update_id: int, bid: str, ask: str) -> dict[str, object]:
    return {"u": update_id, "s": "BTCUSDT", "b": bid, "B": "1.0", "a": ask, "A": "1.0"}


def test_synthetic_markets_move_and_are_the_same_for_a_seed() -> None:
    """Spot and futures of one coin stay near each other."""

    def prices(seed: int) -> list[Decimal]:
        floor = Floor(seed)
        found = []
        for number in range(1, 60):
            floor.play(number * 100 * MS)
            found.append(floor.boards[Product.SPOT, "BTCUSDT"].mark())
            gap = found[-1] - floor.boards[Product.USDM, "BTCUSDT"].mark()
            assert abs(gap) < found[-1] * D("0.002"), gap
        return found

    first = prices(1)
    assert first == prices(1) != prices(2)
    assert len(set(first)) > 15


def test_a_tape_plays_at_its_pace_times_the_speed(tmp_path: Path) -> None:
    """The first frame comes at once, a frame a second later after a tenth of it."""
    file = tape(tmp_path / "t", (0, top(1, "100.0", "101.0")), (1000, top(2, "102.0", "103.0")))
    floor = Floor(1, tapes={(Product.SPOT, "BTCUSDT"): file}, speed=D(10))
    board = floor.boards[Product.SPOT, "BTCUSDT"]

    floor.play(5 * S)
    first = board.quote().bid
    floor.play(5 * S + 99 * MS)
    second = board.quote().bid
    assert not floor.is_at_end
    floor.play(5 * S + 100 * MS)

    assert (first, second, board.quote().bid) == (D(100), D(100), D(102))
    assert floor.is_at_end


def test_recorded_trades_are_printed(tmp_path: Path) -> None:
    """Everybody sees them."""
    trade = {"e": "trade", "s": "BTCUSDT", "p": "100.5", "q": "0.2", "m": True}
    file = tape(tmp_path / "t", (0, top(1, "100.0", "101.0")), (10, trade))
    floor = Floor(1, tapes={(Product.SPOT, "BTCUSDT"): file})
    floor.play(S)
    floor.play(S + 10 * MS)

    (found,) = floor.boards[Product.SPOT, "BTCUSDT"].prints

    assert (found.price, found.qty, found.buyer_is_maker) == (D("100.5"), D("0.2"), True)


def test_a_bad_tape_is_told_at_once(tmp_path: Path) -> None:
    """Before anything listens."""
    file = tmp_path / "t"
    file.write_text("nonsense\n")

    with pytest.raises(TapeError, match="is not a frames file"):
        Floor(1, tapes={(Product.SPOT, "BTCUSDT"): file})


def test_every_change_follows_the_one_before() -> None:
    """A follower misses none, and its levels add up to the book."""
    floor = Floor(3)
    board = floor.boards[Product.USDM, "BTCUSDT"]
    follower = Follower(board)
    bids = dict(board.quote(1000).bids)
    last_id = board.update_id
    for number in range(1, 100):
        floor.play(number * 100 * MS)
        change = follower.take_change()
        if change is None:
            continue
        assert (change.first_id, change.previous_id) == (last_id + 1, last_id)
        last_id = change.last_id
        for price, qty in change.bids:
            bids.pop(price, None)
            if qty:
                bids[price] = qty

    assert bids == dict(board.quote(1000).bids)
