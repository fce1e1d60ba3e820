"""The ledger of one leg: what its fills, fees and funding add up to."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.config import LegConfig
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Fill
from hedgerow.model.position import Position

# Funding comes a few times a day; venues repeat it around a reconnect, and a page of their history is a hundred rows.
FUNDING_IDS_MAX = 256
# Interest comes once an hour for each of two currencies, and a venue repeats it as funding.
INTEREST_IDS_MAX = 256
# Reads that come faster than the cursor needs are not noted one by one.
YOUNG_CURSORS_MAX = 8
NO_POSITION = Position()


def lot_of(slot: str) -> str:
    """Return the lot that fills of a slot's orders move: `7:buy` and `7:sell` enter and exit lot `7`."""
    return slot.partition(":")[0]


class Ledger(msgspec.Struct):
    """What one leg holds and what that cost. Changed by fills, funding and journaled adoptions, by nothing else."""

    leg_id: LegId
    position: Position = Position()
    lots: dict[str, Position] = {}
    "Lot -> what the fills of its slots add up to; see `lot_of`. One that came back to zero keeps its realized P&L."
    fees: dict[str, Decimal] = {}
    "Currency -> fees paid. A fee in the base asset is valued in quote at its fill's price."
    funding: Decimal = ZERO
    "Funding received less funding paid, quote."
    funding_ids: list[str] = []
    "The latest funding ids, oldest first."
    interest: dict[str, Decimal] = {}
    "Currency -> interest charged for loans. In the base asset it is valued in quote at the last fill's price."
    interest_ids: list[str] = []
    "The latest ids of interest, oldest first."
    volume: Decimal = ZERO
    "Notional traded, quote."
    fills: int = 0
    "How many fills were booked."
    last_price: Decimal | None = None
    "Price of the last fill; None before the first."
    booked_ts_ns: int = 0
    "When our latest fill was booked, by our clock."
    trade_cursor: str = ""
    """Where the next read of trades starts; moved by reads only, so that a dropped stream frame is still found, and
    only as far as one went that is older than the venue's visibility, so that a trade that it hid is found too."""
    young_cursors: list[tuple[int, str]] = []
    "(when it was asked, where it ended) of reads of trades that are not old enough, oldest first."
    trades_ts_ns: int = 0
    "When the read of trades that `trade_cursor` comes from was asked: trades shown then are not read again."
    foreign_net_qty: Decimal | None = None
    "What the account holds beyond this book; None until its position was read once."
    drift_net_qty: Decimal = ZERO
    "What the venue shows and neither our fills nor `foreign_net_qty` explain."
    told_apart_ts_ns: int = 0
    "When `foreign_net_qty` was found: the position that said so had no trade of after that."

    def book(self, fill: Fill, slot: str, leg: LegConfig, now_ns: int) -> Decimal:
        """Add one fill that was not booked before; return by how much it moved the position."""
        instrument = leg.instrument
        net_qty = fill.net_qty(instrument.base)
        self.position = self.position.moved(net_qty, fill.price, instrument.multiplier)
        if slot:
            name = lot_of(slot)
            self.lots[name] = self.lots.get(name, NO_POSITION).moved(net_qty, fill.price, instrument.multiplier)
        elif self.lots:
            self._close_lots(net_qty, fill.price, instrument.multiplier)
        self._charge(fill, leg)
        self.volume += fill.price * fill.qty * instrument.multiplier
        self.fills += 1
        self.last_price = fill.price
        self.booked_ts_ns = now_ns
        return net_qty

    def correct_fee(self, fill: Fill, slot: str, leg: LegConfig) -> None:
        """Add the fee of a fill that was booked while its fee was unknown."""
        assert fill.fee is not None, fill
        if fill.fee_currency == leg.instrument.base:
            multiplier = leg.instrument.multiplier
            self.position = self.position.moved(-fill.fee, fill.price, multiplier)
            name = lot_of(slot)
            if name in self.lots:
                self.lots[name] = self.lots[name].moved(-fill.fee, fill.price, multiplier)
        self._charge(fill, leg)

    def _close_lots(self, net_qty: Decimal, price: Decimal, multiplier: Decimal) -> None:
        """A fill of no slot, e.g. of a flatten or a liquidation, closes the lots that it offsets, oldest first."""
        for name, lot in self.lots.items():
            if lot.net_qty * net_qty < ZERO:
                closing = -lot.net_qty if abs(lot.net_qty) <= abs(net_qty) else net_qty
                self.lots[name] = lot.moved(closing, price, multiplier)
                net_qty -= closing
                if net_qty == ZERO:
                    return

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

    def charge_interest(self, interest_id: str, currency: str, amount: Decimal, leg: LegConfig) -> bool:
        """Book one charge of interest; return False when it was booked before."""
        if interest_id in self.interest_ids:
            return False
        self.interest_ids.append(interest_id)
        del self.interest_ids[:-INTEREST_IDS_MAX]
        instrument = leg.instrument
        if currency == instrument.base:
            foreign = self.foreign_net_qty or ZERO
            if foreign < min(self.position.net_qty, ZERO):
                # Somebody else owes more of it than we do.
                self.foreign_net_qty = foreign - amount
                return True
            price = self.last_price or ZERO
            self.position = self.position.moved(-amount, price, instrument.multiplier)
            currency, amount = instrument.quote, amount * price * instrument.multiplier
        self.interest[currency] = self.interest.get(currency, ZERO) + amount
        return True

    def read_trades(self, asked_ts_ns: int, cursor: str, lag_ns: int) -> bool:
        """Note how far a read of trades went; return whether anything changed.

        Args:
            asked_ts_ns: when the read was asked.
            cursor: where it ended.
            lag_ns: how long the venue may hide a trade that is older than one it shows. What a read of this moment
                starts from, it has shown in full as of so long ago.
        """
        young = self.young_cursors
        noted_ns, noted = young[-1] if young else (0, self.trade_cursor)
        changed = cursor != noted and asked_ts_ns >= noted_ns + lag_ns // YOUNG_CURSORS_MAX
        if changed:
            young.append((asked_ts_ns, cursor))
        old = 0
        while old < len(young) and young[old][0] + lag_ns <= asked_ts_ns:
            old += 1
        if old:
            self.trades_ts_ns, self.trade_cursor = young[old - 1]
            del young[:old]
        return changed or old > 0

    def adopt(self, net_qty: Decimal, price: Decimal, leg: LegConfig) -> None:
        """Take over a position that the book did not trade, or let go of what other hands took of it: signed."""
        self._close_lots(net_qty, price, leg.instrument.multiplier)
        self.position = self.position.moved(net_qty, price, leg.instrument.multiplier)
        self.last_price = price

    def release(self) -> None:
        """Give back what was adopted: from now on it is foreign, at no profit and no loss."""
        self.foreign_net_qty = (self.foreign_net_qty or ZERO) + self.position.net_qty
        self.position = Position(realized=self.position.realized)
        self.lots = {}

    def leave(self) -> None:
        """Its leg is gone, flat: what it came to stays, and what else the account holds concerns the book no more."""
        self.foreign_net_qty = self.drift_net_qty = ZERO

    def come_anew(self) -> None:
        """Its leg is new, or trades something else than before: nothing of where it was, flat, is true there."""
        self.tell_apart_anew()
        self.trade_cursor, self.young_cursors, self.trades_ts_ns = "", [], 0
        self.last_price = None

    def tell_apart_anew(self) -> None:
        """Forget what was foreign: the next read of the position decides it again."""
        self.foreign_net_qty = None
        self.drift_net_qty = ZERO
