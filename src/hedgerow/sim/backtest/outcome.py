"""What a run came to: its record and its markets turned into a result, exact in Decimal."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from hedgerow.core.book import Book
from hedgerow.market.ticks import NO_ASK, NO_BID
from hedgerow.model.ids import InstrumentId, LegId
from hedgerow.model.instrument import Instrument
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Role
from hedgerow.model.position import Position
from hedgerow.sim.backtest.lots import Lots
from hedgerow.sim.backtest.marks import Marks, swing
from hedgerow.sim.backtest.record import BookRecord, Filled
from hedgerow.sim.backtest.track import Data
from hedgerow.sim.result import (
    BookResult,
    Equity,
    Exposure,
    FillRow,
    HoldRow,
    HoldSpan,
    Interval,
    LegResult,
    LevelRow,
    Line,
    Pnl,
    Price,
    PriceSeries,
    RoundRow,
    thinned,
)

SAMPLES = 2_000
"Times at which the equity is looked at, besides every fill."
EQUITY_MAX, PRICES_MAX, SPANS_MAX, EXPOSURE_MAX = 4_000, 3_000, 5_000, 20_000
# Shares and averages come from divisions; so many digits are far below any tick.
CENT_QUANTUM = Decimal("1e-8")


def book_result(record: BookRecord, data: Mapping[InstrumentId, Data], start_ns: int, end_ns: int) -> BookResult:
    """Return what one book came to."""
    return _Outcome(record, data, start_ns, end_ns).result()


class _Outcome:
    """One book's fills, told in all the ways that a result has."""

    def __init__(self, record: BookRecord, data: Mapping[InstrumentId, Data], start_ns: int, end_ns: int) -> None:
        self._record = record
        self._book: Book = record.book
        self._start_ns, self._end_ns = start_ns, end_ns
        self._legs = list(self._book.config.legs)
        self._place = {leg.id: at for at, leg in enumerate(self._legs)}
        self._data = {leg.id: data[leg.instrument.id] for leg in self._legs}
        self._marks = {leg.id: Marks(data[leg.instrument.id]) for leg in self._legs}
        self._instruments: dict[LegId, Instrument] = {leg.id: leg.instrument for leg in self._legs}
        self._begun = {leg.id: self._begun_net(leg.id) for leg in self._legs}
        "What each leg held before its first fill: adopted holdings."

    def result(self) -> BookResult:
        record, config = self._record, self._book.config
        for key in list(record.open_holds):
            record.end_hold(key, self._end_ns)
        rows = self._fill_rows()
        exposure = self._exposure()
        equity, drawdown = self._equity()
        unhedged = self._unhedged(exposure)
        lead = self._legs[0].instrument
        mode = record.modes[-1] if record.modes else (0, self._book.mode.value, self._book.state.mode_reason)
        return BookResult(
            config.book_id,
            config.policy,
            lead.quote,
            lead.base,
            tuple(self._leg_result(leg.id, rows) for leg in self._legs),
            self._pnl(rows),
            params=dict(config.params),
            equity=equity,
            drawdown=drawdown,
            exposure=thinned(exposure, EXPOSURE_MAX, lambda each: each.residual),
            fills=tuple(rows),
            unhedged=tuple(unhedged),
            unhedged_ns=sum(each.to_ts_ns - each.from_ts_ns for each in unhedged),
            holds=self._holds(),
            hold_spans=self._spans(),
            levels=self._levels(rows),
            rounds=self._rounds(rows),
            prices=tuple(self._prices(leg.id) for leg in self._legs),
            lines=self._lines(rows),
            alarms=tuple(record.alarms),
            orders=record.orders,
            cancels=record.cancels,
            refused=record.refused,
            mode=mode[1],
            mode_reason=mode[2],
            stands_apart=config.hedge is None and len(self._legs) > 1,
        )

    # Positions and money.

    def _begun_net(self, leg_id: LegId) -> Decimal:
        traded = sum((self._net(fill) for fill in self._record.fills if fill.leg_id == leg_id), ZERO)
        return self._book.net_qty(leg_id) - traded if self._book.ledger(leg_id).foreign_net_qty is not None else ZERO

    def _net(self, fill: Filled) -> Decimal:
        """What a fill added to its leg, base fees taken off."""
        report = fill.report
        in_base = report.fee_currency == self._instruments[fill.leg_id].base
        return report.side.sign * report.qty - (report.fee if in_base else ZERO)

    def _fee(self, fill: Filled) -> Decimal:
        """The fee of a fill in quote: one in base is valued at the fill's price."""
        report, instrument = fill.report, self._instruments[fill.leg_id]
        if report.fee_currency == instrument.base:
            return report.fee * report.price * instrument.multiplier
        return report.fee

    def _cash(self, fill: Filled) -> Decimal:
        """What a fill brought in, quote, less a fee paid in quote."""
        report, instrument = fill.report, self._instruments[fill.leg_id]
        fee = ZERO if report.fee_currency == instrument.base else report.fee
        return -report.side.sign * report.qty * report.price * instrument.multiplier - fee

    def _slippage(self, fill: Filled) -> Decimal:
        report, mark = fill.report, fill.asked.mark
        if report.is_maker or mark is None:
            return ZERO
        return (report.price - mark) * self._net(fill) * self._instruments[fill.leg_id].multiplier

    def _price_there(self, fill: Filled) -> Decimal:
        """The price of a fill without its slippage: what was there when it was decided."""
        is_slipped = not fill.report.is_maker and fill.asked.mark is not None
        return fill.asked.mark if is_slipped and fill.asked.mark is not None else fill.report.price

    def _value(self, nets: list[Decimal], ts_ns: int) -> Decimal:
        value = ZERO
        for leg, net_qty in zip(self._legs, nets, strict=True):
            mark = self._marks[leg.id].at(ts_ns) if net_qty else None
            if mark is not None:
                value += net_qty * mark * leg.instrument.multiplier
        return value

    def _begin(self) -> tuple[Decimal, list[Decimal]]:
        """Return (cash, nets) at the start: what was adopted is paid for at the first marks."""
        nets = [self._begun[leg.id] for leg in self._legs]
        return -self._value(nets, self._first_ns()), nets

    def _first_ns(self) -> int:
        """When every leg has a market."""
        return max(int(self._data[leg.id].quotes.ts_ns[0]) for leg in self._legs)

    def _changes(self) -> list[tuple[int, int, Decimal, Decimal]]:
        """Return (when, leg's place, cash, net qty) of every fill and funding, by time."""
        changes = [
            (fill.ts_ns, self._place[fill.leg_id], self._cash(fill), self._net(fill)) for fill in self._record.fills
        ]
        changes += [(each.ts_ns, self._place[each.leg_id], each.net_quote, ZERO) for each in self._record.funding]
        changes.sort(key=lambda change: change[0])
        return changes

    def _pnl(self, rows: list[FillRow]) -> Pnl:
        """The parts, each found by itself: that they add up to the accounts' gain is for a test to say."""
        lots, residual = self._lots(), ZERO
        gains = lots.gained
        for lot in lots.open:
            gains += self._open_gain(lot.leg_id, lot.net_qty, lot.price)
        for leg_id, net_qty, price in self._unoffset(lots):
            residual += self._open_gain(leg_id, net_qty, price)
        residual = residual.quantize(CENT_QUANTUM)
        funding = sum((each.net_quote for each in self._record.funding), ZERO)
        fees = sum((row.fee for row in rows), ZERO)
        slippage = sum((row.slippage for row in rows), ZERO)
        return Pnl(_plain(gains - residual), _plain(funding), _plain(residual), _plain(fees), _plain(slippage))

    def _lots(self) -> Lots:
        """The lots of every fill, at the prices that were there; what was adopted came at the first marks."""
        lots = Lots()
        first_ns = self._first_ns()
        for leg in self._legs:
            mark = self._marks[leg.id].at(first_ns)
            if self._begun[leg.id] and mark is not None:
                lots.take(leg.id, "", self._begun[leg.id], mark, leg.instrument.multiplier, is_entry=True)
        for fill in self._record.fills:
            asked = fill.asked
            multiplier = self._instruments[fill.leg_id].multiplier
            price = self._price_there(fill)
            is_entry = asked.role is Role.ENTRY
            lots.take(fill.leg_id, _level(asked.slot), self._net(fill), price, multiplier, is_entry=is_entry)
        return lots

    def _open_gain(self, leg_id: LegId, net_qty: Decimal, price: Decimal) -> Decimal:
        mark = self._marks[leg_id].at(self._end_ns)
        return ZERO if mark is None else net_qty * (mark - price) * self._instruments[leg_id].multiplier

    def _unoffset(self, lots: Lots) -> list[tuple[LegId, Decimal, Decimal]]:
        """(leg, net qty, price) of the newest lots of which no other leg, and no other lot, holds the other side."""
        rule = self._book.config.hedge
        weights = {leg.id: leg.instrument.multiplier for leg in self._legs}
        if rule is not None:
            weights[rule.lead] *= -rule.ratio
        left: dict[str, Decimal] = {}
        for lot in lots.open:
            base = self._group(lot.leg_id)
            left[base] = left.get(base, ZERO) + lot.net_qty * weights[lot.leg_id]
        found: list[tuple[LegId, Decimal, Decimal]] = []
        for lot in reversed(lots.open):
            base, weight = self._group(lot.leg_id), weights[lot.leg_id]
            weighed = lot.net_qty * weight
            if left[base] == 0 or (weighed > 0) != (left[base] > 0):
                continue
            is_whole = abs(weighed) <= abs(left[base])
            part = lot.net_qty if is_whole else left[base] / weight
            left[base] -= weighed if is_whole else left[base]
            found.append((lot.leg_id, part, lot.price))
        return found

    def _group(self, leg_id: LegId) -> str:
        """What a leg's exposure is to: the legs of a hedge rule are one."""
        return "" if self._book.config.hedge is not None else self._instruments[leg_id].base

    def _position(self, leg_id: LegId) -> Position:
        multiplier = self._instruments[leg_id].multiplier
        mark = self._marks[leg_id].at(int(self._data[leg_id].quotes.ts_ns[0]))
        position = Position()
        if self._begun[leg_id] and mark is not None:
            position = position.moved(self._begun[leg_id], mark, multiplier)
        for fill in self._record.fills:
            if fill.leg_id == leg_id:
                position = position.moved(self._net(fill), fill.report.price, multiplier)
        return position

    def _leg_result(self, leg_id: LegId, rows: list[FillRow]) -> LegResult:
        leg = self._book.legs[leg_id]
        instrument, position = leg.instrument, self._position(leg_id)
        mark = self._marks[leg_id].at(self._end_ns)
        average = position.avg_price(instrument.multiplier)
        own = [row for row in rows if row.leg_id == leg_id]
        return LegResult(
            leg_id,
            leg.account_id,
            instrument.id,
            instrument.base,
            instrument.quote,
            position.net_qty,
            None if average is None else _short(average.quantize(CENT_QUANTUM)),
            mark,
            position.realized,
            ZERO if mark is None else position.unrealized(mark, instrument.multiplier),
            sum((row.fee for row in own), ZERO),
            sum((each.net_quote for each in self._record.funding if each.leg_id == leg_id), ZERO),
            sum((row.price * row.qty * instrument.multiplier for row in own), ZERO),
            len(own),
            sum(row.is_maker for row in own),
        )

    # What happened, one by one.

    def _fill_rows(self) -> list[FillRow]:
        rule = self._book.config.hedge
        owed = _Owed()
        entered: dict[str, deque[list[Decimal | int]]] = {}
        "Leg and level -> [fill id, when, qty that is not sold again] of its entries."
        rows: list[FillRow] = []
        for number, fill in enumerate(self._record.fills, 1):
            report, asked = fill.report, fill.asked
            cause, latency_ns, carried_ns = 0, None, 0
            level = f"{fill.leg_id}/{_level(asked.slot)}"
            if rule is not None and fill.leg_id == rule.hedge:
                found = owed.moved(number, fill.ts_ns, -self._net(fill))
                # An exit at a price of its own, e.g. of a leg that runs on alone, hedges nothing late.
                if found is not None and not (asked.role is Role.EXIT and asked.slot):
                    cause, since_ns = found
                    carried_ns = max(0, owed.open_ns - since_ns)
                    latency_ns = fill.ts_ns - since_ns - carried_ns
            elif asked.role is Role.EXIT:
                cause = _settled(entered.get(level, deque()), report.qty)
            else:
                entered.setdefault(level, deque()).append([number, fill.ts_ns, report.qty])
            if rule is not None:
                lead, hedge = self._instruments[rule.lead], self._instruments[rule.hedge]
                if fill.leg_id == rule.lead:
                    wanted = rule.ratio * self._net(fill) * lead.multiplier / hedge.multiplier
                    owed.moved(number, fill.ts_ns, wanted)
                owed.judge(fill.ts_ns, hedge, self._marks[rule.hedge].at(fill.ts_ns))
            rows.append(
                FillRow(
                    number,
                    fill.ts_ns,
                    fill.leg_id,
                    report.side,
                    report.qty,
                    report.price,
                    asked.role,
                    report.client_order_id,
                    asked.slot,
                    _plain(self._fee(fill)),
                    _plain(self._slippage(fill)),
                    report.is_maker,
                    report.venue_made,
                    cause,
                    latency_ns,
                    carried_ns,
                )
            )
        return rows

    def _exposure(self) -> list[Exposure]:
        rule = self._book.config.hedge
        nets = [self._begun[leg.id] for leg in self._legs]
        rows = [Exposure(self._start_ns, tuple(nets), self._residual(nets))]
        for fill in self._record.fills:
            nets[self._place[fill.leg_id]] += self._net(fill)
            residual = self._residual(nets) if rule is not None else sum(nets, ZERO)
            rows.append(Exposure(fill.ts_ns, tuple(nets), residual))
        return rows

    def _residual(self, nets: list[Decimal]) -> Decimal:
        rule = self._book.config.hedge
        if rule is None:
            return sum(nets, ZERO)
        lead, hedge = self._instruments[rule.lead], self._instruments[rule.hedge]
        wanted = rule.ratio * nets[self._place[rule.lead]] * lead.multiplier / hedge.multiplier
        return nets[self._place[rule.hedge]] - wanted

    def _unhedged(self, exposure: list[Exposure]) -> list[Interval]:
        """The times at which a legal order of the hedge leg would have shrunk the residual."""
        rule = self._book.config.hedge
        if rule is None:
            return []
        hedge, marks = self._instruments[rule.hedge], self._marks[rule.hedge]
        found: list[Interval] = []
        since_ns, worst = 0, ZERO
        for row in exposure:
            is_open = bool(row.residual) and hedge.is_orderable(abs(row.residual), marks.at(row.ts_ns))
            if is_open and not since_ns:
                since_ns, worst = row.ts_ns, row.residual
            elif is_open and abs(row.residual) > abs(worst):
                worst = row.residual
            elif not is_open and since_ns:
                if row.ts_ns > since_ns:
                    found.append(self._interval(since_ns, row.ts_ns, worst, rule.hedge))
                since_ns = 0
        if since_ns and since_ns < self._end_ns:
            found.append(self._interval(since_ns, self._end_ns, worst, rule.hedge))
        return found

    def _interval(self, from_ns: int, to_ns: int, worst: Decimal, hedge: LegId) -> Interval:
        mark = self._marks[hedge].at(from_ns) or ZERO
        longest: dict[str, int] = {}
        for span in self._record.hold_spans:
            held_ns = min(span.to_ts_ns, to_ns) - max(span.from_ts_ns, from_ns)
            if span.leg_id == hedge and held_ns > 0:
                longest[span.reason] = longest.get(span.reason, 0) + held_ns
        reason = max(longest, key=lambda each: longest[each], default="")
        return Interval(from_ns, to_ns, worst, self._instruments[hedge].notional(abs(worst), mark), reason)

    # Curves.

    def _equity(self) -> tuple[tuple[Equity, ...], Decimal]:
        cash, nets = self._begin()
        changes = self._changes()
        span_ns = self._end_ns - self._start_ns
        times = {self._start_ns + span_ns * at // SAMPLES for at in range(SAMPLES + 1)}
        times |= {change[0] for change in changes}
        points: list[Equity] = []
        peak = drawdown = ZERO
        at, since_ns = 0, self._first_ns()
        for ts_ns in sorted(times):
            if at < len(changes) and changes[at][0] <= ts_ns:
                peak, drawdown = self._sunk(peak, drawdown, cash, nets, since_ns, changes[at][0])
                since_ns = changes[at][0]
            while at < len(changes) and changes[at][0] <= ts_ns:
                cash += changes[at][2]
                nets[changes[at][1]] += changes[at][3]
                at += 1
            points.append(Equity(ts_ns, cash + self._value(nets, ts_ns)))
        _, drawdown = self._sunk(peak, drawdown, cash, nets, since_ns, self._end_ns + 1)
        return thinned(points, EQUITY_MAX, lambda each: each.gain), drawdown

    def _sunk(
        self, peak: Decimal, drawdown: Decimal, cash: Decimal, nets: list[Decimal], from_ns: int, to_ns: int
    ) -> tuple[Decimal, Decimal]:
        """Return (peak, drawdown) after a time in which nothing was traded: each row of the markets counts."""
        held = [
            (self._marks[leg.id], net_qty * leg.instrument.multiplier)
            for leg, net_qty in zip(self._legs, nets, strict=True)
            if net_qty
        ]
        if not held:
            return max(peak, cash), max(drawdown, peak - cash)
        moved = swing(held, from_ns, to_ns)
        return max(peak, cash + moved.high), max(drawdown, peak - cash - moved.low, moved.fall)

    def _prices(self, leg_id: LegId) -> PriceSeries:
        data = self._data[leg_id]
        quotes = data.quotes
        rows = len(quotes.ts_ns)
        edges = np.searchsorted(quotes.ts_ns, np.linspace(quotes.ts_ns[0], quotes.ts_ns[-1], PRICES_MAX + 1)[:-1])
        starts = np.unique(np.clip(edges, 0, rows - 1))
        ends = np.append(starts[1:], rows) - 1
        bids, asks = np.asarray(quotes.bid), np.asarray(quotes.ask)
        lows, highs = np.minimum.reduceat(bids, starts), np.maximum.reduceat(asks, starts)
        points = [
            Price(
                int(quotes.ts_ns[end]),
                data.price(int(bids[end])),
                data.price(int(asks[end])),
                data.price(int(low)),
                data.price(int(high)),
            )
            for end, low, high in zip(ends.tolist(), lows.tolist(), highs.tolist(), strict=True)
            if low != NO_BID and high != NO_ASK
        ]
        return PriceSeries(leg_id, tuple(points))

    # Tables.

    def _holds(self) -> tuple[HoldRow, ...]:
        rows: dict[tuple[str, str], HoldRow] = {}
        for span in self._record.hold_spans:
            key = span.reason, span.leg_id
            before = rows.get(key, HoldRow(span.reason, span.leg_id, 0, 0))
            held_ns = span.to_ts_ns - span.from_ts_ns
            rows[key] = HoldRow(*key, before.count + 1, before.held_ns + held_ns, max(before.longest_ns, held_ns))
        return tuple(sorted(rows.values(), key=lambda row: (-row.held_ns, row.reason, row.leg_id)))

    def _spans(self) -> tuple[HoldSpan, ...]:
        spans = sorted(self._record.hold_spans, key=lambda span: span.from_ts_ns - span.to_ts_ns)[:SPANS_MAX]
        return tuple(sorted(spans, key=lambda span: (span.from_ts_ns, span.reason, span.leg_id)))

    def _levels(self, rows: list[FillRow]) -> tuple[LevelRow, ...]:
        """One row for each level that slots name."""
        found: dict[tuple[str, str], list[FillRow]] = {}
        for row in rows:
            level = _level(row.slot)
            if level:
                found.setdefault((row.leg_id, level), []).append(row)
        levels = []
        for (leg_id, _), own in found.items():
            entries = [row for row in own if row.role is Role.ENTRY]
            exits = [row for row in own if row.role is Role.EXIT]
            if not entries:
                continue
            position, fees = Position(), ZERO
            for row in own:
                position = position.moved(
                    row.side.sign * row.qty, row.price, self._instruments[LegId(leg_id)].multiplier
                )
                fees += row.fee
            levels.append(
                LevelRow(
                    entries[-1].slot,
                    entries[-1].side,
                    entries[-1].price,
                    exits[-1].price if exits else None,
                    len({row.order_id for row in entries}),
                    len({row.order_id for row in exits}),
                    position.net_qty,
                    position.realized - fees,
                )
            )
        return tuple(sorted(levels, key=lambda level: (level.price, level.slot)))

    def _lines(self, rows: list[FillRow]) -> tuple[Line, ...]:
        return tuple(Line(self._legs[0].id, level.price, level.slot, level.side) for level in self._levels(rows))

    def _rounds(self, rows: list[FillRow]) -> tuple[RoundRow, ...]:
        """From flat to flat; what is left that no order could close counts as flat."""
        if any(_level(row.slot) for row in rows):
            return ()
        nets = [self._begun[leg.id] for leg in self._legs]
        found: list[RoundRow] = []
        own: list[int] = []
        for at, fill in enumerate(self._record.fills):
            own.append(at)
            nets[self._place[fill.leg_id]] += self._net(fill)
            if all(abs(net) < leg.instrument.min_qty for net, leg in zip(nets, self._legs, strict=True)):
                found.append(self._round(len(found) + 1, own, rows, fill.ts_ns))
                own = []
        if own:
            found.append(self._round(len(found) + 1, own, rows, None))
        return tuple(found)

    def _round(self, number: int, own: list[int], rows: list[FillRow], closed_ns: int | None) -> RoundRow:
        fills, told = [self._record.fills[at] for at in own], [rows[at] for at in own]
        opened_ns = fills[0].ts_ns
        lead = fills[0].leg_id
        way_in = [row for row in told if row.leg_id == lead and row.side is told[0].side]
        way_out = [row for row in told if row.leg_id == lead and row.side is not told[0].side]
        nets, largest = [ZERO] * len(self._legs), ZERO
        for fill in fills:
            nets[self._place[fill.leg_id]] += self._net(fill)
            largest = max(largest, *(abs(net) for net in nets))
        until_ns = self._end_ns if closed_ns is None else closed_ns
        paid = [each.net_quote for each in self._record.funding if opened_ns <= each.ts_ns <= until_ns]
        funding, fees = sum(paid, ZERO), sum((row.fee for row in told), ZERO)
        slippage = sum((row.slippage for row in told), ZERO)
        spread = self._value(nets, until_ns)
        for fill in fills:
            spread -= self._net(fill) * self._price_there(fill) * self._instruments[fill.leg_id].multiplier
        pnl = Pnl(_plain(spread), _plain(funding), ZERO, _plain(fees), _plain(slippage))
        return RoundRow(number, opened_ns, closed_ns, largest, _average(way_in), _average(way_out), pnl)


def _level(slot: str) -> str:
    """Return the level that a slot belongs to, as in `7:buy` and `7:sell`; empty for a slot without one."""
    level, colon, _ = slot.partition(":")
    return level if colon else ""


class _Owed:
    """What the hedge leg is to trade, fill by fill: fills of the other side offset it, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int, Decimal]] = deque()
        "(fill id, when, net qty in hedge units), all on one side."
        self._is_open = False
        self.open_ns = 0
        "Since when, or last when, an order of the hedge leg was possible for it."

    def moved(self, number: int, ts_ns: int, net: Decimal) -> tuple[int, int] | None:
        """Take what a fill adds to it; return the first fill that it offsets, and when that was."""
        first = None
        while net and self._waiting and self._waiting[0][2] * net < 0:
            cause, since_ns, left = self._waiting.popleft()
            first = first or (cause, since_ns)
            net += left
            if net * left > 0:
                self._waiting.appendleft((cause, since_ns, net))
                return first
        if net:
            self._waiting.append((number, ts_ns, net))
        return first

    def judge(self, ts_ns: int, hedge: Instrument, mark: Decimal | None) -> None:
        """See whether the venue would take an order for it now."""
        was_open = self._is_open
        qty = abs(sum((each[2] for each in self._waiting), ZERO))
        self._is_open = hedge.is_orderable(qty, mark)
        if self._is_open and not was_open:
            self.open_ns = ts_ns


def _settled(waiting: deque[list[Decimal | int]], qty: Decimal) -> int:
    """Take `qty` from what waits, oldest first; return the first fill that it was for, or 0."""
    if not waiting:
        return 0
    cause = int(waiting[0][0])
    while waiting and qty > 0:
        part = min(qty, Decimal(waiting[0][2]))
        waiting[0][2] = Decimal(waiting[0][2]) - part
        qty -= part
        if waiting[0][2] == 0:
            waiting.popleft()
    return cause


def _average(rows: list[FillRow]) -> Decimal | None:
    qty = sum((row.qty for row in rows), ZERO)
    if not qty:
        return None
    return _short((sum((row.qty * row.price for row in rows), ZERO) / qty).quantize(CENT_QUANTUM))


def _short(value: Decimal) -> Decimal:
    """Return a number without the zeros at its end."""
    return value.quantize(ONE) if value == value.to_integral_value() else value.normalize()


def _plain(value: Decimal) -> Decimal:
    """Return a number, a zero without digits behind its point."""
    return value if value else ZERO
