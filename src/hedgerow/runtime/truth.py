"""What really happened, from the venues' side alone; and whether the journal says the same."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.config import BookConfig
from hedgerow.market.answers import TradeReport
from hedgerow.market.exchange import SimExchange
from hedgerow.model.ids import AccountId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Side
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.story import Story

TRADES_MAX = 1_000_000
# Both sides round costs to 10^-12; their sums may differ by a few of those.
MONEY_TOLERANCE = Decimal("1e-6")


class Unhedged(msgspec.Struct):
    """The times at which a book was not hedged, by the venues' clocks."""

    fills: int = 0
    "Fills of the lead leg."
    hedged: int = 0
    "Those of them that were offset in the end."
    residual: Decimal = ZERO
    "At the end, hedge units, signed."
    worst_qty: Decimal = ZERO
    "The largest residual, >= 0."
    worst_notional: Decimal = ZERO
    "The residual that was worth most, quote, >= 0."
    longest_ns: int = 0
    "The longest time in one piece."


def unhedged(book: BookConfig, lead: tuple[TradeReport, ...], hedge: tuple[TradeReport, ...], end_ns: int) -> Unhedged:
    """Return how well a book was hedged, from the trades of its two accounts, oldest first each."""
    rule = book.hedge
    assert rule is not None, book.book_id
    instrument = book.leg(rule.hedge).instrument
    found = Unhedged()
    residual, since_ns, waiting = ZERO, 0, 0
    # A hedge never comes before its cause, so of trades at the same moment the lead's count first.
    merged = sorted(
        [(trade.venue_ts_ns, 0, trade) for trade in lead] + [(trade.venue_ts_ns, 1, trade) for trade in hedge],
        key=lambda row: row[:2],
    )
    for ts_ns, is_hedge, trade in merged:
        net_qty = trade.qty if trade.side is Side.BUY else -trade.qty
        if is_hedge:
            residual += net_qty
        else:
            residual -= rule.ratio * net_qty
            found.fills += 1
            waiting += 1
        if abs(residual) < instrument.smallest_qty(trade.price):
            found.hedged += waiting
            waiting = 0
            found.longest_ns = max(found.longest_ns, ts_ns - since_ns if since_ns else 0)
            since_ns = 0
            continue
        since_ns = since_ns or ts_ns
        found.worst_notional = max(found.worst_notional, instrument.notional(abs(residual), trade.price))
        found.worst_qty = max(found.worst_qty, abs(residual))
    found.longest_ns = max(found.longest_ns, end_ns - since_ns if since_ns else 0)
    found.residual = residual
    return found


class Venues:
    """The venues' own records of the accounts, since the accounts were opened."""

    def __init__(self, config: NodeConfig, exchanges: dict[VenueId, SimExchange]) -> None:
        self._config = config
        self._exchanges = exchanges

    def trades(self, account_id: AccountId, instrument: Instrument) -> tuple[TradeReport, ...]:
        """Return every trade of an account, oldest first."""
        return self._exchanges[instrument.venue_id].trades(account_id, instrument.id, 0, TRADES_MAX)

    def unhedged(self, book: BookConfig, end_ns: int) -> Unhedged:
        """Return how well a book was hedged."""
        rule = book.hedge
        assert rule is not None, book.book_id
        lead, hedge = book.leg(rule.lead), book.leg(rule.hedge)
        return unhedged(
            book,
            self.trades(lead.account_id, lead.instrument),
            self.trades(hedge.account_id, hedge.instrument),
            end_ns,
        )

    def mark(self, instrument_id: InstrumentId) -> Decimal:
        """Return the middle of an instrument's book."""
        mark = self._exchanges[VenueId(instrument_id.partition(":")[0])].quote(instrument_id).mark
        assert mark is not None, instrument_id
        return mark

    def pnl(self, book: BookConfig) -> Decimal:
        """Return what the book's accounts are worth more than before its first order, quote, at the marks.

        Each leg's account is the leg's alone, and what it owned of the base before is valued as it is now.
        """
        return sum((self._gain(book, leg.id) for leg in book.legs), ZERO)

    def _gain(self, book: BookConfig, leg_id: LegId) -> Decimal:
        leg = book.leg(leg_id)
        instrument, exchange = leg.instrument, self._exchanges[leg.instrument.venue_id]
        before, now = self._config.account(leg.account_id).balances, exchange.balances(leg.account_id)
        mark = self.mark(instrument.id)
        gain = now[instrument.quote] - before.get(instrument.quote, ZERO)
        if instrument.kind is not InstrumentKind.PERP:
            base_gain = now[instrument.base] - before.get(instrument.base, ZERO)
            return gain + instrument.notional(base_gain, mark)
        held = exchange.positions(leg.account_id)[instrument.id]
        price = exchange.avg_price(leg.account_id, instrument.id)
        return gain if price is None else gain + held * (mark - price) * instrument.multiplier

    def disagreements(self, story: Story) -> list[str]:
        """Return where the journal and the venues tell different stories; empty when they agree."""
        found: list[str] = []
        for book in self._config.books:
            ledgers = story.books[book.book_id]
            for leg in book.legs:
                name = f"{book.book_id} {leg.id}"
                trades = self.trades(leg.account_id, leg.instrument)
                theirs = sorted(str(trade.trade_id) for trade in trades)
                ours = sorted(story.trade_ids.get((book.book_id, leg.id), []))
                if theirs != ours:
                    found.append(f"{name}: the venue has {len(theirs)} trades, the journal {len(ours)}")
                moved = sum((trade.qty if trade.side is Side.BUY else -trade.qty for trade in trades), ZERO)
                if moved != ledgers.net_qty(leg.id):
                    found.append(f"{name}: the venue says {moved}, the journal {ledgers.net_qty(leg.id)}")
            theirs_pnl, ours_pnl = self.pnl(book), self.ledger_pnl(ledgers)
            if abs(theirs_pnl - ours_pnl) > MONEY_TOLERANCE:
                found.append(f"{book.book_id}: the accounts gained {theirs_pnl}, the journal says {ours_pnl}")
        return found

    def ledger_pnl(self, book: Book) -> Decimal:
        """Return realized + unrealized + funding - fees - interest by the journal, at the venues' marks."""
        total = ZERO
        for leg in book.config.legs:
            ledger, instrument = book.ledger(leg.id), leg.instrument
            unrealized = ledger.position.unrealized(self.mark(instrument.id), instrument.multiplier)
            costs = ledger.fees.get(instrument.quote, ZERO) + ledger.interest.get(instrument.quote, ZERO)
            total += ledger.position.realized + unrealized + ledger.funding - costs
        return total
