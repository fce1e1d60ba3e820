"""One instrument's recorded market as it goes by: played row by row, or skipped in bulk where nothing can come of it.

Skipping is exact. A row can matter in three ways only: it trades with an order of ours at the exchange, it lies outside
the prices inside which the policies promised to want the same, or it comes near a liquidation. All that a skipped row
leaves behind is what the market shows now, and how far our orders have come in their queues; both are caught up.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Protocol

import msgspec
import numpy as np
from msgspec.structs import replace

from hedgerow.core.config import NS_PER_S
from hedgerow.market.exchange import SimExchange
from hedgerow.market.matching import UNKNOWN_QTY
from hedgerow.market.state import VenueOrder
from hedgerow.market.ticks import NO_ASK, NO_BID, Funding, Gap, Ints, Quotes, Trades
from hedgerow.model.ids import InstrumentId
from hedgerow.model.market import Level, Quote
from hedgerow.model.order import Side

# As at the live simulated venues: how deep they show, and how often they show a book that stands still.
DEPTH_SHOWN = 20
RESHOW_NS = NS_PER_S
# Rows looked at in one go: large enough for numpy, small enough to stay in the cache and not to look too far.
LOOK_ROWS_MIN, LOOK_ROWS_MAX = 1_024, 32_768
UNKNOWN = 1 << 61
"A queue of unknown length, in steps: longer than any, and small enough to add to."
NEVER = 1 << 62


class Data(Protocol):
    """The market data of one instrument, as a tick file has it."""

    @property
    def quotes(self) -> Quotes: ...

    @property
    def trades(self) -> Trades: ...

    @property
    def funding(self) -> Funding: ...

    @property
    def gaps(self) -> tuple[Gap, ...]: ...

    @property
    def first_ts_ns(self) -> int: ...

    @property
    def step(self) -> Decimal: ...

    def price(self, ticks: int) -> Decimal: ...

    def qty(self, steps: int) -> Decimal: ...

    def ticks_below(self, price: Decimal) -> int: ...

    def ticks_above(self, price: Decimal) -> int: ...

    def levels(self, row: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]: ...


class Bounds(msgspec.Struct, frozen=True):
    """Prices inside which a row cannot matter, in ticks. A row outside is played."""

    low: int
    "A bid below matters: 1 when only a market without bids does, 0 when none does."
    high: int
    "An ask above matters: NO_ASK when none does."
    buy: int = NO_BID
    "The best price at which we bid, rounded down: an ask at or below it trades. NO_BID without such an order."
    sell: int = NO_ASK
    "The best price at which we ask, rounded up: a bid at or above it trades. NO_ASK without such an order."
    buy_above: int = NO_BID
    "Our best bid, rounded up: whoever sells below it has traded with us before."
    sell_below: int = NO_ASK
    "Our best ask, rounded down."

    def spans(self, bid: int, ask: int) -> bool:
        """Return whether a bid and an ask, in ticks, lie inside `low` and `high`."""
        return self.low <= bid <= ask <= self.high


class Shown(msgspec.Struct, frozen=True):
    """A quote on its way to the books."""

    arrives_ns: int
    quote: Quote
    bid: int
    "Of the market alone, in ticks; with our own orders the quote can only be narrower."
    ask: int


class Queue(msgspec.Struct):
    """One of our orders' place in its queue, in whole steps, as far as rows were looked at."""

    price: int
    ahead: int
    is_buy: bool


class Track:
    """One instrument's market: how far the exchange has seen it, and what of it is on its way to the books."""

    def __init__(self, data: Data, instrument_id: InstrumentId, exchange: SimExchange, delay_ns: int) -> None:
        """Begin before the first row.

        Args:
            delay_ns: how long a quote travels to the books.
        """
        self.data = data
        self.instrument_id = instrument_id
        self.exchange = exchange
        self.delay_ns = delay_ns
        exchange.show_part(instrument_id)
        quotes, trades = data.quotes, data.trades
        self._ts: Ints = np.asarray(quotes.ts_ns)
        self._bid: Ints = np.asarray(quotes.bid)
        self._ask: Ints = np.asarray(quotes.ask)
        self._trade_ts: Ints = np.asarray(trades.ts_ns)
        self._trade_row: Ints = np.asarray(trades.row)
        self._worst_bid, self._worst_ask = _worst(data)
        self._rows, self._trades = len(self._ts), len(self._trade_ts)
        self._silences = {gap.row - 1 for gap in data.gaps}
        "Rows that come after a gap: before them the last book was not shown again."
        self._after_gaps: Ints = np.array(sorted(self._silences), np.int64)
        self._row = self._trade = 0
        "The next ones that the exchange has not seen."
        self.next_ts_ns = self._ts_at(0, 0)
        "When the next row or trade is; NEVER after the last."
        self.is_eager = True
        "Every quote matters to a book."
        self.stop_ns = 0
        "When something comes that must be played, as far as was looked ahead."
        self.is_changed = True
        "An order of ours came, went or traded since the last row: the next one shows it."
        self.in_flight: deque[Shown] = deque()
        self._prices = NO_BID, NO_ASK
        "Bid and ask of the last row that the exchange has seen."
        self._shown_ns = 0
        self._look_key: Bounds | None = None
        self._looked_row = self._looked_trade = 0
        self._found: tuple[int, int] | None = None
        "(row, trade) as positions of what matters next, among what was looked at."
        self._queues: list[Queue] = []

    # What comes next.

    @property
    def rows_seen(self) -> int:
        """Quotes and trades that went by."""
        return self._row + self._trade

    @property
    def rows_in_all(self) -> int:
        """Quotes and trades of the whole data."""
        return self._rows + self._trades

    @property
    def last_ts_ns(self) -> int:
        last = int(self._ts[-1])
        return max(last, int(self._trade_ts[-1])) if self._trades else last

    def next_show_ns(self) -> int:
        """Return when a book is shown next: at the next row, or again because nothing happened; NEVER at the end."""
        if self._row >= self._rows:
            return NEVER
        row_ns = int(self._ts[self._row])
        if self._row == 0 or self._row in self._silences:
            return row_ns
        return min(row_ns, self._shown_ns + RESHOW_NS)

    def far_ns(self) -> int:
        """Return until when it is worth to look ahead: beyond, many looks are needed, or the market falls silent."""
        row = min(self._row + LOOK_ROWS_MAX, self._rows)
        gap = int(np.searchsorted(self._after_gaps, self._row))
        if gap < len(self._after_gaps):
            row = min(row, int(self._after_gaps[gap]))
        return int(self._ts[row - 1]) + self.delay_ns + 1 if row else 0

    def matters_ns(self, bounds: Bounds, until_ns: int) -> int:
        """Return when the next row or trade that can matter is, as far as `until_ns`; NEVER when none is until then."""
        if bounds != self._look_key or self._looked_row < self._row or self._looked_trade < self._trade:
            self._look_key = bounds
            self._found = None
            self._looked_row, self._looked_trade = self._row, self._trade
            self._queues = self._first_queues(bounds)
        while self._found is None:
            if self._looked_row >= self._rows and self._looked_trade >= self._trades:
                return NEVER
            if self._looked_row and int(self._ts[self._looked_row - 1]) >= until_ns:
                return NEVER
            self._look(bounds, until_ns)
        return self._ts_at(*self._found)

    def is_inside(self, bounds: Bounds) -> bool:
        """Return whether the last row lies inside `low` and `high` of the bounds."""
        return bounds.spans(*self._prices)

    def forget_look(self) -> None:
        """Look anew: an order of ours, or its place in the queue, changed."""
        self._look_key = None

    # Going on.

    def play_next(self) -> int:
        """Let the exchange see the next row or trade, and return its time."""
        trade = self._trade
        ts_ns = self.next_ts_ns
        if self._found is not None and self._found[0] <= self._row and self._found[1] <= trade:
            self._look_key = None
        if trade < self._trades and self._trade_row[trade] <= self._row:
            trades = self.data.trades
            price, qty = self.data.price(int(trades.price[trade])), self.data.qty(int(trades.qty[trade]))
            aggressor = Side.BUY if trades.side[trade] > 0 else Side.SELL
            self.exchange.trade(ts_ns, self.instrument_id, price, qty, aggressor)
            self._trade += 1
            self.next_ts_ns = self._ts_at(self._row, self._trade)
            if self.is_changed:
                self._show(ts_ns)
        else:
            self.exchange.set_book(ts_ns, self.instrument_id, *self.data.levels(self._row))
            self._prices = int(self._bid[self._row]), int(self._ask[self._row])
            self._row += 1
            self.next_ts_ns = self._ts_at(self._row, self._trade)
            self._show(ts_ns)
        return ts_ns

    def show_again(self, ts_ns: int) -> None:
        """Show the book of the last row once more."""
        self._show(ts_ns)

    def skip_to(self, ts_ns: int) -> None:
        """Let the exchange see everything up to and at `ts_ns` in bulk. Nothing of it matters: `matters_ns` said so."""
        if self.next_ts_ns <= ts_ns:
            row = int(np.searchsorted(self._ts, ts_ns, "right"))
            trade = int(np.searchsorted(self._trade_ts, ts_ns, "right")) if self._trades else 0
            self._catch_up(row, trade)
        elif ts_ns < self._shown_ns + RESHOW_NS:
            return
        if not self._row:
            return
        shown_ns = max(int(self._ts[self._row - 1]), self._shown_ns)
        if self._row < self._rows and self._row not in self._silences:
            shown_ns += (ts_ns - shown_ns) // RESHOW_NS * RESHOW_NS
        if shown_ns > self._shown_ns:
            # What was shown before is inside the same prices, or was delivered: only the latest is of interest.
            self.in_flight.clear()
            self._show(shown_ns)

    def _show(self, ts_ns: int) -> None:
        quote = self.exchange.quote(self.instrument_id, DEPTH_SHOWN)
        self.is_changed = False
        self._shown_ns = ts_ns
        self.in_flight.append(Shown(ts_ns + self.delay_ns, quote, *self._prices))

    def _catch_up(self, row: int, trade: int) -> None:
        """Bring queues and book to the position before (row, trade)."""
        orders = self.exchange.resting(self.instrument_id)
        if orders:
            bounds = best_prices(orders, self.data, 0, NO_ASK)
            best = self.data.price(bounds.buy), self.data.price(bounds.sell)
            seen = slice(self._row, row)
            lowest = self.data.price(int(self._worst_bid[seen].min()) if row > self._row else NEVER)
            highest = self.data.price(int(self._worst_ask[seen].max()) if row > self._row else NO_BID)
            for order in orders:
                # Behind our best order nobody traded, or that one would be filled; and of what was not shown nothing is
                # known.
                is_shown = order.price >= lowest if order.request.side is Side.BUY else order.price <= highest
                if is_shown or order.price in best:
                    self._advance(order, row, trade)
        if trade > self._trade:
            self.exchange.note_price(self.instrument_id, self.data.price(int(self.data.trades.price[trade - 1])))
        if row > self._row:
            self._prices = int(self._bid[row - 1]), int(self._ask[row - 1])
            self.exchange.set_book(int(self._ts[row - 1]), self.instrument_id, *self.data.levels(row - 1))
        self._row, self._trade = row, trade
        self.next_ts_ns = self._ts_at(row, trade)

    def _advance(self, order: VenueOrder, row: int, trade: int) -> None:
        queue = self._queue_of(order)
        if queue is None or not queue.ahead:
            return
        before = queue.ahead
        fills = self._queue_end(queue, self._row, row, self._trade, trade)
        assert fills is None, (order.id, order.request)
        if queue.ahead != before:
            order.ahead_qty = self.data.qty(queue.ahead)

    def _queue_of(self, order: VenueOrder) -> Queue | None:
        """Return an order's place; None at a price between the data's ticks, where nobody else stands."""
        price = self.data.ticks_below(order.price)
        if self.data.price(price) != order.price:
            return None
        ahead = UNKNOWN if order.ahead_qty == UNKNOWN_QTY else int(order.ahead_qty / self.data.step)
        return Queue(price, ahead, order.request.side is Side.BUY)

    # Looking ahead.

    def _first_queues(self, bounds: Bounds) -> list[Queue]:
        """Return the places of the first orders at our best prices: no other can be filled before them."""
        best = self.data.price(bounds.buy), self.data.price(bounds.sell)
        queues: dict[bool, Queue] = {}
        for order in self.exchange.resting(self.instrument_id):
            is_buy = order.request.side is Side.BUY
            if is_buy not in queues and order.price == best[not is_buy]:
                queue = self._queue_of(order)
                if queue is not None:
                    queues[is_buy] = queue
        return list(queues.values())

    def _look(self, bounds: Bounds, until_ns: int) -> None:
        """Look at the next rows, and the trades before each of them."""
        start, first = self._looked_row, self._looked_trade
        wanted = int(np.searchsorted(self._ts[start : start + LOOK_ROWS_MAX], until_ns, "right")) + 1
        end = min(start + max(wanted, LOOK_ROWS_MIN), start + LOOK_ROWS_MAX, self._rows)
        stop = self._trades if end == self._rows else int(np.searchsorted(self._trade_row, end, "left"))
        bid, ask = self._bid[start:end], self._ask[start:end]
        outside = (bid < bounds.low) | (ask > bounds.high) | (bid > ask)
        if bounds.buy != NO_BID:
            outside |= ask <= bounds.buy
        if bounds.sell != NO_ASK:
            outside |= bid >= bounds.sell
        found: list[tuple[int, int]] = []
        at = int(outside.argmax()) if len(outside) else 0
        if len(outside) and outside[at]:
            row = start + at
            found.append((row, int(np.searchsorted(self._trade_row, row, "right"))))
        if stop > first and (bounds.buy != NO_BID or bounds.sell != NO_ASK):
            trades = self.data.trades
            price, side = trades.price[first:stop], trades.side[first:stop]
            through = ((side < 0) & (price < bounds.buy_above)) | ((side > 0) & (price > bounds.sell_below))
            at = int(through.argmax())
            if through[at]:
                found.append((int(self._trade_row[first + at]), first + at))
        for queue in self._queues:
            filled = self._queue_end(queue, start, end, first, stop)
            if filled is not None:
                found.append((int(self._trade_row[filled]), filled))
        if found:
            # A row's position counts the trades before it; so the smaller trade is first, and a trade before its row.
            self._found = min(found, key=lambda position: (position[1], position[0]))
        self._looked_row, self._looked_trade = end, stop

    def _queue_end(self, queue: Queue, start: int, end: int, first: int, stop: int) -> int | None:
        """Move a place over rows and trades; return the first trade that would fill the order, if there is one."""
        price = queue.price
        rows, lengths = self._lengths(queue, start, end)
        trades = self.data.trades
        side = -1 if queue.is_buy else 1
        hits = np.flatnonzero((trades.price[first:stop] == price) & (trades.side[first:stop] == side))
        if not len(hits):
            if len(lengths):
                queue.ahead = min(queue.ahead, int(lengths.min()))
            return None
        qtys = trades.qty[first:stop][hits]
        traded = np.cumsum(qtys)
        before = traded - qtys
        # The place before trade k: what stood ahead at first, or was shown at any row since, less what traded after.
        shown = np.full(len(hits) + 1, queue.ahead, np.int64)
        if len(rows):
            # Row r is seen by the trades that have more than r rows before them.
            seen_by = np.searchsorted(self._trade_row[first:stop][hits], rows, "right")
            longest = np.full(len(hits) + 1, UNKNOWN, np.int64)
            np.minimum.at(longest, seen_by, lengths + np.append(before, traded[-1])[seen_by])
            shown = np.minimum(shown, np.minimum.accumulate(longest))
        ahead = shown[:-1] - before
        filled = np.flatnonzero(ahead < qtys)
        if len(filled):
            return first + int(hits[filled[0]])
        if queue.ahead < UNKNOWN or shown[-1] < UNKNOWN:
            queue.ahead = int(shown[-1] - traded[-1])
        return None

    def _lengths(self, queue: Queue, start: int, end: int) -> tuple[Ints, Ints]:
        """Return the rows that say how long the queue at a price is, and what they say."""
        price, quotes = queue.price, self.data.quotes
        if queue.is_buy:
            best, worst = self._bid[start:end], self._worst_bid[start:end]
            known = np.flatnonzero((worst <= price) & (best != NO_BID))
            columns = (quotes.bid, quotes.bid_qty, quotes.bids, quotes.bid_qtys)
        else:
            best, worst = self._ask[start:end], self._worst_ask[start:end]
            known = np.flatnonzero((worst >= price) & (best != NO_ASK))
            columns = (quotes.ask, quotes.ask_qty, quotes.asks, quotes.ask_qtys)
        rows = known + start
        if not len(rows):
            return rows, rows
        top_price, top_qty, prices, qtys = columns
        lengths = np.where(top_price[rows] == price, top_qty[rows], 0)
        if prices.shape[1]:
            lengths += (qtys[rows] * (prices[rows] == price)).sum(axis=1)
        return rows, lengths

    def _ts_at(self, row: int, trade: int) -> int:
        """Return the time of what is next at a position; NEVER behind the end."""
        if trade < self._trades and self._trade_row[trade] <= row:
            return int(self._trade_ts[trade])
        return int(self._ts[row]) if row < self._rows else NEVER


def _worst(data: Data) -> tuple[Ints, Ints]:
    """Return the worst bid and ask that each row shows."""
    quotes = data.quotes
    worst_bid, worst_ask = np.asarray(quotes.bid), np.asarray(quotes.ask)
    for level in range(quotes.bids.shape[1]):
        worst_bid = np.where(quotes.bid_qtys[:, level] > 0, quotes.bids[:, level], worst_bid)
        worst_ask = np.where(quotes.ask_qtys[:, level] > 0, quotes.asks[:, level], worst_ask)
    return worst_bid, worst_ask


def best_prices(orders: list[VenueOrder], data: Data, low: int, high: int) -> Bounds:
    """Return the bounds that our resting orders set, with the given ones of the market."""
    buys = [order.price for order in orders if order.request.side is Side.BUY]
    sells = [order.price for order in orders if order.request.side is Side.SELL]
    bounds = Bounds(low, high)
    if buys:
        bounds = replace(bounds, buy=data.ticks_below(max(buys)), buy_above=data.ticks_above(max(buys)))
    if sells:
        bounds = replace(bounds, sell=data.ticks_above(min(sells)), sell_below=data.ticks_below(min(sells)))
    return bounds
