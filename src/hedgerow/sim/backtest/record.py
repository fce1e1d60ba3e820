"""What a backtest writes down while it runs: each book's orders, fills, funding, holds and alarms."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hedgerow.core.book import Book
from hedgerow.core.commands import (
    AlarmRaised,
    CancelOrder,
    HoldChanged,
    HoldEnded,
    HoldStarted,
    ModeChanged,
    SubmitOrder,
    Turn,
)
from hedgerow.core.events import FillReceived, OrderRejected, TradesRead
from hedgerow.market.answers import FundingReport, InterestReport, Report, TradeReport
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId, TradeId
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Fill, Role
from hedgerow.sim.result import AlarmRow, HoldSpan

HoldKey = str


class Asked(msgspec.Struct, frozen=True):
    """An order, as it was decided."""

    leg_id: LegId
    role: Role
    slot: str
    mark: Decimal | None
    "Middle of the book that the decision looked at."


class Filled(msgspec.Struct, frozen=True):
    """A fill at its venue."""

    ts_ns: int
    leg_id: LegId
    asked: Asked
    report: TradeReport


class Funded(msgspec.Struct, frozen=True):
    """Funding or interest that a venue booked."""

    ts_ns: int
    leg_id: LegId
    net_quote: Decimal


class BookRecord:
    """What happened to one book."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.fills: list[Filled] = []
        self.funding: list[Funded] = []
        self.hold_spans: list[HoldSpan] = []
        self.open_holds: dict[HoldKey, tuple[str, LegId, int]] = {}
        "Key -> (reason, leg, since when)."
        self.alarms: list[AlarmRow] = []
        self.modes: list[tuple[int, str, str]] = []
        "(when, mode, reason)."
        self.orders = 0
        self.cancels = 0
        self.refused = 0

    def end_hold(self, key: HoldKey, ts_ns: int) -> None:
        """Note the end of a hold, if it stands."""
        standing = self.open_holds.pop(key, None)
        if standing is not None:
            reason, leg_id, since_ns = standing
            self.hold_spans.append(HoldSpan(reason, leg_id, since_ns, ts_ns))


class Recorder:
    """Follows every book of a run."""

    def __init__(self) -> None:
        self.books: dict[BookId, BookRecord] = {}
        self._asked: dict[str, tuple[BookRecord, Asked]] = {}
        "Client order id -> whose it is."
        self._booked: set[tuple[AccountId, InstrumentId, TradeId]] = set()

    def begins(self, book: Book) -> None:
        """Take one more book."""
        self.books[book.config.book_id] = BookRecord(book)

    def is_booked(self, fill: Fill) -> bool:
        """Return whether a book heard of this trade before."""
        return (fill.account_id, fill.instrument_id, fill.trade_id) in self._booked

    def reported(self, ts_ns: int, account_id: AccountId, report: Report) -> None:
        """Take what a venue did to an account."""
        if isinstance(report, FundingReport):
            for record, leg_id in self._legs(account_id, report.instrument_id):
                record.funding.append(Funded(ts_ns, leg_id, report.net_quote))
                break
        elif isinstance(report, InterestReport):
            self._interest(ts_ns, account_id, report)
        elif isinstance(report, TradeReport):
            found = self._asked.get(report.client_order_id)
            if found is not None:
                found[0].fills.append(Filled(ts_ns, found[1].leg_id, found[1], report))
                return
            # The venue's own: nobody asked for it, and it is the first book's that trades there.
            for record, leg_id in self._legs(account_id, report.instrument_id):
                record.fills.append(Filled(ts_ns, leg_id, Asked(leg_id, Role.EXIT, "", None), report))
                break

    def turned(self, turn: Turn, book: Book) -> None:
        """Take one turn, as soon as it was decided."""
        record, ts_ns = self.books[turn.book_id], turn.ts_ns
        event = turn.event
        if isinstance(event, FillReceived):
            self._book(event.fill)
        elif isinstance(event, TradesRead):
            for fill in event.fills:
                self._book(fill)
        elif isinstance(event, OrderRejected):
            record.refused += 1
        for command in turn.commands:
            match command:
                case SubmitOrder():
                    record.orders += 1
                    asked = Asked(command.leg_id, command.role, command.slot, book.mark(command.leg_id))
                    self._asked[command.order_id] = (record, asked)
                case CancelOrder():
                    record.cancels += 1
                case HoldStarted() | HoldChanged():
                    key, reason = command.hold.key, command.hold.reason.value
                    standing = record.open_holds.get(key)
                    if standing is None or standing[0] != reason:
                        record.end_hold(key, ts_ns)
                        record.open_holds[key] = (reason, command.hold.leg_id, ts_ns)
                case HoldEnded():
                    record.end_hold(command.key, ts_ns)
                case AlarmRaised():
                    record.alarms.append(AlarmRow(ts_ns, command.alarm.kind.value, command.alarm.text))
                case ModeChanged():
                    record.modes.append((ts_ns, command.mode.value, command.reason))
                case _:
                    # Requests and notes are no part of a result: what came of them is told by the exchange.
                    pass

    def _interest(self, ts_ns: int, account_id: AccountId, report: InterestReport) -> None:
        """Charge interest to the first book that trades the currency in the account; a loan in base is valued now."""
        for record in self.books.values():
            for leg in record.book.config.legs:
                if leg.account_id != account_id or report.currency not in (leg.instrument.base, leg.instrument.quote):
                    continue
                price = ONE if report.currency == leg.instrument.quote else record.book.mark(leg.id)
                record.funding.append(Funded(ts_ns, leg.id, -report.amount * (price or ZERO)))
                return

    def _book(self, fill: Fill) -> None:
        self._booked.add((fill.account_id, fill.instrument_id, fill.trade_id))

    def _legs(self, account_id: AccountId, instrument_id: InstrumentId) -> list[tuple[BookRecord, LegId]]:
        return [
            (record, leg_id)
            for record in self.books.values()
            if (leg_id := record.book.leg_of(account_id, instrument_id)) is not None
        ]
