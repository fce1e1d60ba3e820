"""The way from a book's gateway to the exchange of a backtest, and back: each message travels for as long as it does.

Orders and reads draw their delays from chances of their own, so that nothing that is asked besides moves an order.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from hedgerow.market.answers import FundingReport, InterestReport, OrderReport, Report, TradeReport
from hedgerow.market.exchange import SimExchange
from hedgerow.market.latency import Delay, Latency
from hedgerow.model.ids import VenueId
from hedgerow.model.instrument import Instrument
from hedgerow.sim.backtest.clock import VirtualClock
from hedgerow.venues.sim_venues import BEAT_NS, Push, answer_of
from hedgerow.venues.sim_wire import AskOrder, Beat, FromVenue, Hello, Place, Streamed, ToVenue, Withdraw


class Ways:
    """The ways to one venue."""

    def __init__(self, seed: int, venue_id: VenueId, delay: Delay) -> None:
        self.orders = Latency(random.Random(f"{seed} orders {venue_id}"), delay, delay)
        self.reads = Latency(random.Random(f"{seed} reads {venue_id}"), delay, delay)


class Line:
    """One account's connection for one instrument. It is never cut."""

    def __init__(
        self,
        hello: Hello,
        instrument: Instrument,
        exchange: SimExchange,
        ways: Ways,
        clock: VirtualClock,
        push: Push,
        sees: Callable[[SimExchange], None],
        happened: Callable[[SimExchange, int], None],
    ) -> None:
        """Open it.

        Args:
            push: takes what the venue says.
            sees: called before a request does anything at the exchange.
            happened: told that a request did something at the exchange, and when.
        """
        self.hello = hello
        self.push = push
        self._currencies = instrument.base, instrument.quote
        self._exchange = exchange
        self._ways = ways
        self._clock = clock
        self._sees = sees
        self._happened = happened
        self._stream_ns = 0
        "When the last report arrives: a stream keeps its order."
        self.beat_ns = clock.now_ns()
        "When the last sign of life arrived."

    def take(self, request: ToVenue) -> None:
        """Take one request on its way."""
        way = self._ways.orders if isinstance(request, Place | Withdraw | AskOrder) else self._ways.reads
        self._clock.call_at(self._clock.now_ns() + way.request_ns(), lambda: self._arrive(request, way))

    def close(self) -> None:
        """Nothing is left to do."""

    def hear(self, report: Report, ts_ns: int) -> None:
        """Put one report of the account on the stream, if it is about this instrument."""
        if isinstance(report, InterestReport):
            if report.currency not in self._currencies:
                return
            frame = Streamed(interest=report)
        elif report.instrument_id != self.hello.instrument_id:
            return
        elif isinstance(report, TradeReport):
            frame = Streamed(trade=report)
        elif isinstance(report, OrderReport):
            frame = Streamed(order=report)
        elif isinstance(report, FundingReport):
            frame = Streamed(funding=report)
        else:
            return
        self._stream_ns = max(self._stream_ns, ts_ns + self._ways.orders.report_ns())
        self._say(self._stream_ns, frame)

    def next_beat_ns(self, ts_ns: int) -> int:
        """Return when the first sign of life after a time comes."""
        return ts_ns + BEAT_NS - (ts_ns - self.beat_ns) % BEAT_NS

    def beat(self, ts_ns: int) -> None:
        """Give a sign of life now."""
        self.beat_ns = ts_ns
        self.push(Beat())

    def _arrive(self, request: ToVenue, way: Latency) -> None:
        now_ns = self._clock.now_ns()
        self._sees(self._exchange)
        answer = answer_of(self._exchange, self.hello, request, now_ns)
        if way is self._ways.orders:
            self._happened(self._exchange, now_ns)
        self._say(now_ns + way.report_ns(), answer)

    def _say(self, arrives_ns: int, message: FromVenue) -> None:
        self._clock.call_at(arrives_ns, lambda: self.push(message))
