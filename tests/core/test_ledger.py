"""The ledger of one leg: lots, interest, and how far trades were read."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core.config import LegConfig
from hedgerow.core.ledger import YOUNG_CURSORS_MAX, Ledger
from hedgerow.model.ids import AccountId, TradeId
from hedgerow.model.order import Fill, Side
from hedgerow.model.position import Position
from tests.core.books import LEAD, S, instrument

LEG = LegConfig(LEAD, AccountId("sim/lead"), instrument("lead"))


def test_interest_is_booked_once() -> None:
    """Venues repeat what they booked around a reconnect."""
    ledger = Ledger(LEAD)

    assert ledger.charge_interest("i1", "USD", Decimal("0.5"), LEG)
    assert not ledger.charge_interest("i1", "USD", Decimal("0.5"), LEG)
    assert ledger.charge_interest("i2", "USD", Decimal("0.25"), LEG)

    assert ledger.interest == {"USD": Decimal("0.75")}


def test_interest_in_the_base_asset_is_less_position_and_the_same_money() -> None:
    """A borrowed coin is owed with its interest, so the position shrinks; P&L loses what that is worth."""
    ledger = Ledger(LEAD, position=Position(Decimal(2), Decimal(200)), last_price=Decimal(110))

    ledger.charge_interest("i1", "BTC", Decimal("0.1"), LEG)

    assert ledger.position.net_qty == Decimal("1.9")
    gain = ledger.position.realized + ledger.position.unrealized(Decimal(110)) - ledger.interest["USD"]
    assert gain == 2 * 110 - 200 - Decimal("0.1") * 110


def test_interest_of_a_loan_of_other_hands_is_theirs() -> None:
    """Booked as ours, it would be hedged; left out, it would be drift."""
    ledger = Ledger(LEAD, position=Position(Decimal(2), Decimal(200)), foreign_net_qty=Decimal(-5))

    assert ledger.charge_interest("i1", "BTC", Decimal("0.1"), LEG)

    assert (ledger.position.net_qty, ledger.foreign_net_qty) == (2, Decimal("-5.1"))
    assert not ledger.interest


def test_the_cursor_follows_a_visibility_time_behind() -> None:
    """What a read of now started from, it has shown in full as of that long ago."""
    ledger = Ledger(LEAD)
    for second in range(1, 61):
        ledger.read_trades(second * S, str(second), 30 * S)
        assert not ledger.trade_cursor or int(ledger.trade_cursor) <= second - 30
        assert len(ledger.young_cursors) <= YOUNG_CURSORS_MAX + 1

    assert int(ledger.trade_cursor) >= 60 - 30 - 30 // YOUNG_CURSORS_MAX - 1
    assert ledger.trades_ts_ns == int(ledger.trade_cursor) * S


def booked(ledger: Ledger, slot: str, side: Side, qty: str, price: str) -> None:
    number = TradeId(str(ledger.fills))
    fill = Fill(number, LEG.account_id, LEG.instrument.id, side, Decimal(qty), Decimal(price), S, None, fee=Decimal(0))
    ledger.book(fill, slot, LEG, S)


def test_a_lot_closes_in_its_own_pairing() -> None:
    """G13: what level 7 bought, level 7 sells; its P&L is its own, not that of the average cost."""
    ledger = Ledger(LEAD)
    booked(ledger, "7:buy", Side.BUY, "1", "100")
    booked(ledger, "3:buy", Side.BUY, "1", "90")
    booked(ledger, "3:sell:2", Side.SELL, "1", "91")

    assert ledger.lots["7"] == Position(Decimal(1), Decimal(100))
    assert ledger.lots["3"] == Position(Decimal(0), Decimal(0), Decimal(1))
    assert ledger.position.net_qty == 1


def test_a_fill_of_no_slot_closes_the_oldest_lots() -> None:
    """A flatten or a liquidation leaves no lot that an exit would sell a second time."""
    ledger = Ledger(LEAD)
    booked(ledger, "7:buy", Side.BUY, "1", "100")
    booked(ledger, "3:buy", Side.BUY, "1", "90")
    booked(ledger, "", Side.SELL, "1.5", "80")

    assert [lot.net_qty for lot in ledger.lots.values()] == [0, Decimal("0.5")]
    assert sum(lot.realized for lot in ledger.lots.values()) == -20 - 5
    booked(ledger, "", Side.SELL, "0.5", "80")
    assert all(lot.net_qty == 0 for lot in ledger.lots.values())
