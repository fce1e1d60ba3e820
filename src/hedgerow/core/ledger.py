"""The ledger of one leg: what its fills, fees and funding add up to."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.config import LegConfig
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill
from hedgerow.model.position import Position

# Funding comes a few times a day, and venues repeat it only around a reconnect.
FUNDING_IDS_MAX = 64


class Ledger(msgspec.Struct):
    """What one leg holds and what that cost. Changed by fills, funding and journaled adoptions, by nothing else."""

    leg_id: LegId
    position: Position = Position()
    lots: dict[str, Position] = {}
    "Slot -> what the fills of its orders add up to; a slot that came back to zero is dropped."
    fees: dict[str, Decimal] = {}
    "Currency -> fees paid. A fee in the base asset is valued in quote at its fill's price."
    funding: Decimal = ZERO
    "Funding received less funding paid, quote."
    funding_ids: list[str] = []
    "The latest funding ids, oldest first."
    volume: Decimal = ZERO
    "Notional traded, quote."
    fills: int = 0
    "How many fills were booked."
    last_price: Decimal | None = None
    "Price of the last fill; None before the first."
    booked_ts_ns: int = 0
    "When our latest fill was booked, by our clock."
    trade_cursor: str = ""
    "Where the next read of trades starts; moved by reads only, so that a dropped stream frame is still found."
    trades_ts_ns: int = 0
    "When the read of trades that last brought news was asked."
    foreign_net_qty: Decimal | None = None
    "What the account holds beyond this book; None until its position was read once."
    drift_net_qty: Decimal = ZERO
    "What the venue shows and neither our fills nor `foreign_net_qty` explain."

    def book(self, fill: Fill, slot: str, leg: LegConfig, now_ns: int) -> None:
        """Add one fill that was not booked before."""
        instrument = leg.instrument
        net_qty = fill.net_qty(instrument.base)
        self.position = self.position.moved(net_qty, fill.price, instrument.multiplier)
        if slot:
            lot = self.lots.get(slot, Position()).moved(net_qty, fill.price, instrument.multiplier)
            if lot.net_qty == 0:
                self.lots.pop(slot, None)
            else:
                self.lots[slot] = lot
        self._charge(fill, leg)
        self.volume += fill.price * fill.qty * instrument.multiplier
        self.fills += 1
        self.last_price = fill.price
        self.booked_ts_ns = now_ns

    def correct_fee(self, fill: Fill, slot: str, leg: LegConfig) -> None:
        """Add the fee of a fill that was booked while its fee was unknown."""
        assert fill.fee is not None, fill
        if fill.fee_currency == leg.instrument.base:
            multiplier = leg.instrument.multiplier
            self.position = self.position.moved(-fill.fee, fill.price, multiplier)
            if slot in self.lots:
                self.lots[slot] = self.lots[slot].moved(-fill.fee, fill.price, multiplier)
        self._charge(fill, leg)

    def _charge(self, fill: Fill, leg: LegConfig) -> None:
        if not fill.fee:
            return
        instrument = leg.instrument
        in_base = fill.fee_currency == instrument.base
        currency = instrument.quote if in_base else fill.fee_currency
        fee = fill.fee * fill.price * instrument.multiplier if in_base else fill.fee
        self.fees[currency] = self.fees.get(currency, ZERO) + fee

    def pay_funding(self, funding_id: str, net_quote: Decimal) -> bool:
        """Book one funding payment; return False when it was booked before."""
        if funding_id in self.funding_ids:
            return False
        self.funding += net_quote
        self.funding_ids.append(funding_id)
        del self.funding_ids[:-FUNDING_IDS_MAX]
        return True

    def adopt(self, net_qty: Decimal, price: Decimal, leg: LegConfig) -> None:
        """Take over a position that the book did not trade."""
        self.position = self.position.moved(net_qty, price, leg.instrument.multiplier)
        self.last_price = price
