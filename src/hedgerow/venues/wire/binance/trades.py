"""Reading trades to the end: page after page from a cursor, and one event with all of them, or none.

The cursor is a trade's id, or a time where no trade is known yet: `t` and milliseconds.
"""

from __future__ import annotations

import msgspec

from hedgerow.core.events import ReadFailed, ReadKind, TradesRead
from hedgerow.model.ids import VenueOrderId
from hedgerow.model.order import Fill, Side
from hedgerow.venues.wire.binance import shapes
from hedgerow.venues.wire.binance.answers import Refused, body_of, fee_of, trade_id_of
from hedgerow.venues.wire.binance.build import PAGE_MAX, Requests
from hedgerow.venues.wire.binance.kinds import Watch
from hedgerow.venues.wire.payload import EARLIEST_MS, NS_PER_MS, BadPayload, ns_of, positive
from hedgerow.venues.wire.request import HttpAnswer, HttpRequest, Stamp

# A time of trades may not be longer than 24 h on spot and margin, and 7 days on futures.
# Source: Binance docs, "Account Trade List" of each product (checked 2026-07).
SPAN_MS = 24 * 3_600_000 - 1
# How far a cursor in time stays behind: what the venue shows late must not be passed by.
BEHIND_MS = 5 * 60_000
# A million trades. Whoever has more since the last read has another problem.
PAGES_MAX = 1_000
_TIME_MARK = "t"

_TRADES = msgspec.json.Decoder(tuple[shapes.TradeRow, ...])


class TradesReading:
    """One read of trades that is under way."""

    def __init__(self, requests: Requests, watch: Watch, cursor: str, asked_ts_ns: int, venue_now_ms: int) -> None:
        """Begin at a cursor.

        Args:
            cursor: where the last read ended; empty for the latest page, which is where a new book begins.
            asked_ts_ns: when the first question leaves.
            venue_now_ms: the venue's time then; a reading in time ends there.
        """
        self._requests = requests
        self._watch = watch
        self._asked_ts_ns = asked_ts_ns
        self._until_ms = venue_now_ms
        self._fills: list[Fill] = []
        self._pages = 0
        self._is_latest = not cursor
        self._from_ms, self._from_id = _read_cursor(cursor)
        self._cursor = cursor

    def request(self, stamp: Stamp) -> HttpRequest:
        """Return the question for the next page."""
        if self._from_id is not None:
            return self._requests.trades_from(self._from_id, stamp)
        if self._is_latest:
            return self._requests.latest_trades(stamp)
        assert self._from_ms is not None, self._cursor
        return self._requests.trades_between(self._from_ms, self._from_ms + SPAN_MS, stamp)

    def take(self, answer: HttpAnswer, now_ns: int) -> TradesRead | ReadFailed | None:
        """Take one page; return the event when it was the last, None when the next one is to be asked for."""
        try:
            rows = body_of(_TRADES, answer)
            fills = [self._fill(row) for row in rows if row.symbol == self._watch.symbol]
            is_end = self._move_on(rows)
        except (Refused, BadPayload) as error:
            return self._failed(str(error), now_ns)
        self._fills += fills
        self._pages += 1
        if is_end:
            return self._read(now_ns)
        if self._pages < PAGES_MAX:
            return None
        return self._failed(f"more than {PAGES_MAX * PAGE_MAX} trades", now_ns)

    def _move_on(self, rows: tuple[shapes.TradeRow, ...]) -> bool:
        """Let the next page begin behind this one; return whether there is none."""
        was_latest, stretch_ms = self._is_latest, self._from_ms
        if rows:
            last = max(row.id for row in rows)
            if self._from_id is not None and last < self._from_id:
                raise BadPayload(f"asked for trades from {self._from_id}, told of {last}")
            self._from_id, self._from_ms, self._cursor = last + 1, None, str(last + 1)
        elif stretch_ms is not None:
            self._from_ms = stretch_ms + SPAN_MS
        if was_latest:
            return True
        # A page that is not full ends a reading by ids; one in time ends only when its stretch reaches the present.
        is_present = stretch_ms is None or stretch_ms + SPAN_MS >= self._until_ms
        return len(rows) < PAGE_MAX and is_present

    def _read(self, now_ns: int) -> TradesRead:
        cursor = self._cursor
        if self._from_id is None:
            # No trade to hold on to: a time is the cursor.
            started_ms = int(cursor[len(_TIME_MARK) :]) if cursor else 0
            cursor = f"{_TIME_MARK}{max(started_ms, self._until_ms - BEHIND_MS)}"
        fills = tuple(sorted(self._fills, key=lambda fill: int(fill.trade_id)))
        return TradesRead(now_ns, self._watch.leg_id, self._asked_ts_ns, fills, cursor)

    def _failed(self, detail: str, now_ns: int) -> ReadFailed:
        return ReadFailed(now_ns, self._watch.leg_id, ReadKind.TRADES, detail)

    def _fill(self, row: shapes.TradeRow) -> Fill:
        if row.side is not None:
            side = shapes.side_of(row.side)
        elif row.is_buyer is not None:
            side = Side.BUY if row.is_buyer else Side.SELL
        else:
            raise BadPayload(f"trade {row.id} has no side")
        # The record bears no client order id: the core knows the order by the venue's, or asks whose it is.
        return Fill(
            trade_id_of(row.id),
            self._watch.account_id,
            self._watch.instrument.id,
            side,
            positive(row.qty, "trade qty"),
            positive(row.price, "trade price"),
            ns_of(row.time, "trade time"),
            None,
            VenueOrderId(str(row.order_id)),
            *fee_of(row.commission, row.commission_asset),
            is_maker=bool(row.maker if row.is_maker is None else row.is_maker),
        )


def _read_cursor(cursor: str) -> tuple[int | None, int | None]:
    """Return (time in ms, None) or (None, trade id); both None without a cursor.

    Raises:
        ValueError: it is no cursor of ours. The journal holds it, so that is our mistake.
    """
    if not cursor:
        return None, None
    if not cursor.startswith(_TIME_MARK):
        return None, int(cursor)
    started_ms = int(cursor[len(_TIME_MARK) :])
    assert ns_of(started_ms, "cursor") >= EARLIEST_MS * NS_PER_MS, cursor
    return started_ms, None
