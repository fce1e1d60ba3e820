"""How a pair opens: whether the market is one to open in, how large, which leg first, and by which order."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.core import guard
from hedgerow.core.book import Book
from hedgerow.core.holds import Hold, HoldReason
from hedgerow.core.planner import refusal_hold
from hedgerow.core.target import Resting
from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.model.numbers import BPS, ONE, ZERO, ceil_to, floor_to
from hedgerow.model.order import Order, Role, Side, TimeInForce
from hedgerow.strategies.pair.leg import PairLeg
from hedgerow.strategies.pair.params import BelowMinimum, First, PairParams, common_lot
from hedgerow.strategies.quoting import Reason

OPEN = "open"
"Slot of the order that opens the first leg."
SHOWN_BPS = Decimal("0.01")
DAY_S = 86_400
# What is opened must still be large enough to be closed after its price fell by so much.
CLOSING_PART = Decimal("0.95")


class Opening:
    """The way into a round."""

    def __init__(self, params: PairParams, long: PairLeg, short: PairLeg) -> None:
        self._params = params
        self._long = long
        self._short = short
        self._legs = (long, short)

    def unmet(self, book: Book) -> Reason | None:
        """Why the market is not one to open in, with the numbers. Both legs have a fresh price."""
        long, short = book.quote(self._long.id), book.quote(self._short.id)
        assert long is not None, book.quotes
        assert short is not None, book.quotes
        cost_bps = ZERO
        for leg, quote in ((self._long, long), (self._short, short)):
            if quote.bid is None or quote.ask is None:
                return Reason(HoldReason.NO_MARK_PRICE, (("leg", leg.id),))
            most = self._params.entry_spread_bps_max
            if most is not None and quote.ask - quote.bid > quote.bid * most * BPS:
                spread_bps = ((quote.ask - quote.bid) / (quote.bid * BPS)).quantize(SHOWN_BPS)
                shown = (("leg", str(leg.id)), ("spread_bps", str(spread_bps)), ("spread_bps_max", str(most)))
                return Reason(HoldReason.NO_SIGNAL, shown)
            paid, closing = (quote.ask, quote.bid) if leg.side is Side.BUY else (quote.bid, quote.ask)
            cost_bps += (quote.ask - quote.bid) / (paid * BPS)
            if leg.is_stopped_by(paid, closing):
                # Round after round would be stopped as soon as it stands.
                spread_bps = ((quote.ask - quote.bid) / (quote.bid * BPS)).quantize(SHOWN_BPS)
                limit = ("stop_loss_bps", str(self._params.stop_loss_bps))
                return Reason(HoldReason.NO_SIGNAL, (("leg", str(leg.id)), ("spread_bps", str(spread_bps)), limit))
        net_stop = self._params.net_stop_loss_bps
        if net_stop is not None and cost_bps >= net_stop:
            numbers = (("spreads_bps", str(cost_bps.quantize(SHOWN_BPS))), ("net_stop_loss_bps", str(net_stop)))
            return Reason(HoldReason.NO_SIGNAL, numbers)
        assert long.ask is not None, long
        assert short.bid is not None, short
        basis_min = self._params.entry_basis_bps_min
        if basis_min is not None and short.bid - long.ask < long.ask * basis_min * BPS:
            basis_bps = ((short.bid - long.ask) / (long.ask * BPS)).quantize(SHOWN_BPS)
            return Reason(HoldReason.NO_SIGNAL, (("basis_bps", str(basis_bps)), ("basis_bps_min", str(basis_min))))
        funding_min = self._params.entry_funding_bps_per_day_min
        if funding_min is not None:
            won_bps = self._funding_bps_per_day(book)
            if won_bps is None or won_bps < funding_min:
                told_bps = "unknown" if won_bps is None else str(won_bps.quantize(SHOWN_BPS))
                numbers = (("funding_bps_per_day", told_bps), ("funding_bps_per_day_min", str(funding_min)))
                return Reason(HoldReason.NO_SIGNAL, numbers)
        return None

    def _funding_bps_per_day(self, book: Book) -> Decimal | None:
        """What both legs together receive; only perpetuals pay or receive. None while a rate is unknown."""
        won_bps = ZERO
        for leg in self._legs:
            if leg.instrument(book).kind is not InstrumentKind.PERP:
                continue
            rate = book.funding_rate(leg.id)
            if rate is None:
                return None
            won_bps -= leg.side.sign * rate.rate * DAY_S / (rate.interval_s * BPS)
        return won_bps

    def first(self, book: Book) -> PairLeg:
        """The leg that opens first."""
        if self._params.first is First.THINNER:
            thinner = self._takeable(book, self._short) < self._takeable(book, self._long)
            return self._short if thinner else self._long
        return self._long if self._params.first is First.LONG else self._short

    def _takeable(self, book: Book, leg: PairLeg) -> Decimal:
        """What the leg's book offers inside the slippage, base units."""
        quote = book.quote(leg.id)
        assert quote is not None, leg.id
        levels = quote.asks if leg.side is Side.BUY else quote.bids
        worst = self._worst_price(book, leg, levels[0][0])
        sign = leg.side.sign
        takeable = sum((qty for price, qty in levels if worst is None or (worst - price) * sign >= 0), ZERO)
        return takeable * leg.instrument(book).multiplier

    def _worst_price(self, book: Book, leg: PairLeg, far: Decimal) -> Decimal | None:
        slippage = self._params.slippage_bps_max
        if slippage is None:
            return None
        return leg.instrument(book).capped_price(far * (ONE + leg.side.sign * slippage * BPS), leg.side)

    def _lot(self, book: Book) -> Decimal:
        return common_lot(self._long.instrument(book), self._short.instrument(book))

    def base_qty(self, book: Book) -> Decimal | None:
        """The size of a round, base units, on the lot that both venues take; None when it is below a minimum."""
        marks = [book.mark(leg.id) for leg in self._legs]
        prices = [mark for mark in marks if mark is not None]
        assert len(prices) == len(self._legs), marks
        smallest = self.smallest(book)
        if self._params.qty is not None:
            return self._params.qty if self._params.qty >= smallest else None
        assert self._params.notional is not None, self._params
        base_qty = floor_to(self._params.notional / max(prices), self._lot(book))
        if base_qty >= smallest:
            return base_qty
        return smallest if self._params.below_minimum is BelowMinimum.RAISE else None

    def smallest(self, book: Book) -> Decimal:
        """The smallest round that both venues let open, and let close again after its price fell."""
        smallest = ZERO
        for leg in self._legs:
            instrument, mark = leg.instrument(book), book.mark(leg.id)
            if mark is not None and not instrument.reduce_only_exempt:
                mark *= CLOSING_PART
            qty = instrument.smallest_qty(mark)
            if leg.side is Side.BUY and instrument.fee_currency is not FeeCurrency.QUOTE:
                # Its fee leaves less than was bought, and a step less is what can be sold.
                qty += instrument.step
            smallest = max(smallest, qty * instrument.multiplier)
        return ceil_to(smallest, self._lot(book))

    def limited(self, book: Book, first: PairLeg, base_qty: Decimal) -> Hold | None:
        """The limit that the first order would break, so that no round begins in vain."""
        refusal = book.refusal(first.id, OPEN)
        if refusal is not None and refusal.side is first.side and book.now_ns < refusal.retry_ts_ns:
            return refusal_hold(first.id, OPEN, refusal)
        for leg in self._legs:
            qty = base_qty / leg.instrument(book).multiplier
            want = self.entry(book, leg, qty, None)
            if limited := guard.refusal_of_new_entry(book, want, qty):
                return limited
        return None

    def entry(self, book: Book, leg: PairLeg, qty: Decimal, standing: Order | None) -> Resting:
        price = None if standing is None else standing.limit_price
        if standing is None:
            quote = book.quote(leg.id)
            far = None if quote is None else quote.ask if leg.side is Side.BUY else quote.bid
            price = None if far is None else self._worst_price(book, leg, far)
        waiting = TimeInForce.GTC if price is None else TimeInForce.IOC
        return Resting(OPEN, leg.id, leg.side, qty, price, Role.ENTRY, time_in_force=waiting)
