"""The trading floor: the simulated exchanges, what moves their markets, and what the venue shows of each book.

Spot and margin orders stand in the same books; USD-M has its own.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from hedgerow.emulators.binance.bars import Bars
from hedgerow.emulators.binance.orders import Product
from hedgerow.emulators.clock import NS_PER_MS, NS_PER_S
from hedgerow.market.answers import Report, TradeReport
from hedgerow.market.exchange import SimExchange
from hedgerow.market.rules import SelfTrade, VenueRules
from hedgerow.market.synthetic import MILLION, SyntheticMarket, SyntheticSpec, Walk
from hedgerow.market.tape import BookSnapshot, MarketEvent, Tape, Traded, merge, play
from hedgerow.model.ids import AccountId, InstrumentId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.market import FundingRate, Level, Quote
from hedgerow.model.numbers import BPS, floor_to
from hedgerow.model.order import Side

# Synthetic markets move ten times a second, as often as Binance sends depth.
TICK_NS = 100 * NS_PER_MS
FUNDING_S = 8 * 3600
FUNDING_RATE = Decimal("0.0001")
TRADES_KEPT = 1000
DEPTH_MAX = 1000
# How lively synthetic markets are: a price step of 0.5 bps half of the times, a spread of 1 bps.
STEP_BPS, SPREAD_BPS = Decimal("0.5"), Decimal(1)


class Listing(msgspec.Struct, frozen=True):
    """One base asset against USDT and the filters of its two markets, as Binance had them (recalled, not checked)."""

    base: str
    price: Decimal
    "Where a synthetic market begins."
    spot_tick: Decimal
    spot_step: Decimal
    spot_min_notional: Decimal
    usdm_tick: Decimal
    usdm_step: Decimal
    usdm_min_notional: Decimal
    depth: Decimal
    "Mean qty of a level, base."
    usdm_price_digits: int = 2
    "USD-M writes prices with more decimals than their tick has."

    @property
    def symbol(self) -> str:
        return f"{self.base}USDT"


def _listing(base: str, price: str, *numbers: str) -> Listing:
    tick, step, notional, usdm_tick, usdm_step, usdm_notional, depth = map(Decimal, numbers)
    return Listing(base, Decimal(price), tick, step, notional, usdm_tick, usdm_step, usdm_notional, depth)


LISTINGS = (
    _listing("BTC", "60000", "0.01", "0.00001", "5", "0.1", "0.001", "100", "0.5"),
    _listing("ETH", "3000", "0.01", "0.0001", "5", "0.01", "0.001", "20", "10"),
    _listing("SOL", "150", "0.01", "0.001", "5", "0.01", "0.01", "5", "200"),
)


def instruments(listing: Listing) -> dict[Product, Instrument]:
    """Return the two instruments of a listing."""
    symbol = listing.symbol
    return {
        # Of the kind that may borrow: whether an account may is decided at its desk.
        Product.SPOT: Instrument(
            instrument_id(Product.SPOT, symbol),
            VenueId(Product.SPOT.value),
            InstrumentKind.MARGIN,
            listing.base,
            "USDT",
            listing.spot_tick,
            listing.spot_step,
            listing.spot_step,
            Decimal(9000),
            listing.spot_min_notional,
            band_down=Decimal("0.2"),
            band_up=Decimal(5),
            fee_currency=FeeCurrency.RECEIVED,
            can_reduce_only=False,
        ),
        Product.USDM: Instrument(
            instrument_id(Product.USDM, symbol),
            VenueId(Product.USDM.value),
            InstrumentKind.PERP,
            listing.base,
            "USDT",
            listing.usdm_tick,
            listing.usdm_step,
            listing.usdm_step,
            Decimal(1000),
            listing.usdm_min_notional,
            reduce_only_exempt=True,
        ),
    }


def instrument_id(product: Product, symbol: str) -> InstrumentId:
    """Return what the simulated exchange calls a symbol."""
    return InstrumentId(f"{product.value}:{symbol}")


class Print(msgspec.Struct, frozen=True):
    """One trade as everybody sees it."""

    id: int
    price: Decimal
    qty: Decimal
    ts_ms: int
    buyer_is_maker: bool


class DepthChange(msgspec.Struct, frozen=True):
    """What changed in a book between two update ids."""

    first_id: int
    last_id: int
    previous_id: int
    bids: list[Level]
    asks: list[Level]


class Board:
    """What the venue shows of one instrument. Each change of the book has an update id; none is left out."""

    def __init__(self, product: Product, symbol: str, exchange: SimExchange, rng: random.Random) -> None:
        self.product = product
        self.symbol = symbol
        self.id = instrument_id(product, symbol)
        self.exchange = exchange
        self.price_digits = 8
        "Decimals of a price on the wire."
        self.update_id = rng.randrange(10**9, 10**10)
        self.prints: deque[Print] = deque(maxlen=TRADES_KEPT)
        self.bars = Bars()
        self.is_halted = False
        self.is_changed = True
        "Since the last call of `take_top`."
        self._next_print = rng.randrange(10**8, 10**9)
        self._unseen: list[Decimal] = []
        "Prices of the trades since the last call of `take_prices`."
        self._top: tuple[Level | None, Level | None] = (None, None)

    @property
    def instrument(self) -> Instrument:
        """The instrument with the filters now in force."""
        return self.exchange.instrument(self.id)

    def touch(self) -> None:
        """Note that the book may have changed."""
        self.update_id += 1
        self.is_changed = True

    def print(self, price: Decimal, qty: Decimal, ts_ms: int, aggressor: Side) -> Print:
        """Note a trade, and return it as everybody sees it."""
        found = Print(self._next_print, price, qty, ts_ms, aggressor is Side.SELL)
        self._next_print += 1
        self.prints.append(found)
        self._unseen.append(price)
        self.bars.add(ts_ms, price, qty, found.id, is_buy=aggressor is Side.BUY)
        return found

    def quote(self, depth: int = 1) -> Quote:
        """Return the best levels, now."""
        return self.exchange.quote(self.id, depth)

    def mark(self) -> Decimal:
        """Return the middle, else the last price, else zero."""
        mark = self.quote().mark
        if mark is not None:
            return mark
        return self.prints[-1].price if self.prints else Decimal(0)

    def last_price(self) -> Decimal:
        """Return the price of the last trade, else the middle."""
        return self.prints[-1].price if self.prints else self.mark()

    def take_prices(self) -> list[Decimal]:
        """Return the prices of all trades since the last call, oldest first."""
        prices, self._unseen = self._unseen, []
        return prices

    def take_top(self) -> tuple[Level, Level] | None:
        """Return the best bid and ask if they changed since the last call and both are there."""
        if not self.is_changed:
            return None
        self.is_changed = False
        quote = self.quote()
        top = (quote.bids[0] if quote.bids else None, quote.asks[0] if quote.asks else None)
        if top == self._top:
            return None
        self._top = top
        bid, ask = top
        return None if bid is None or ask is None else (bid, ask)


class Follower:
    """Follows the changes of one book for one sequence of depth frames: none is left out, none comes twice."""

    def __init__(self, board: Board) -> None:
        """Begin now: the first change is told from here."""
        self.board = board
        self._shown = self._sides()
        self._shown_id = board.update_id

    def take_change(self) -> DepthChange | None:
        """Return what changed since the last call, or None. It begins right after the last one's end."""
        board = self.board
        if board.update_id == self._shown_id:
            return None
        sides = self._sides()
        change = DepthChange(
            self._shown_id + 1,
            board.update_id,
            self._shown_id,
            _difference(self._shown[0], sides[0]),
            _difference(self._shown[1], sides[1]),
        )
        self._shown, self._shown_id = sides, board.update_id
        return change

    def _sides(self) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
        quote = self.board.quote(DEPTH_MAX)
        return dict(quote.bids), dict(quote.asks)


def _difference(old: dict[Decimal, Decimal], new: dict[Decimal, Decimal]) -> list[Level]:
    gone = [(price, Decimal(0)) for price in old if price not in new]
    return [(price, qty) for price, qty in new.items() if old.get(price) != qty] + gone


class Floor:
    """The exchanges and their markets. Nothing moves but in `play`, `show` and `trade`."""

    def __init__(
        self,
        seed: int,
        *,
        tapes: Mapping[tuple[Product, str], Path] | None = None,
        speed: Decimal = Decimal(1),
        is_still: bool = False,
        post_only_expires: bool = False,
    ) -> None:
        """Open the floor.

        Args:
            tapes: (product, symbol) -> file; other instruments are synthetic.
            speed: times faster than life the markets move.
            is_still: no market moves by itself; each shows a plain book around its first price.
            post_only_expires: a USD-M post-only order that would take is accepted and expires.

        Raises:
            TapeError: a tape cannot be used.
        """
        rng = random.Random(f"{seed} floor")
        rules = {
            Product.SPOT: VenueRules(self_trade=SelfTrade.EXPIRE_MAKER),
            Product.USDM: VenueRules(self_trade=SelfTrade.EXPIRE_MAKER, post_only_refused=not post_only_expires),
        }
        listed = {product: [instruments(each)[product] for each in LISTINGS] for product in Product}
        self.exchanges = {
            product: SimExchange(VenueId(product.value), listed[product], rules[product], rng.randrange(1 << 32))
            for product in Product
        }
        self.boards = {
            (product, listing.symbol): Board(product, listing.symbol, self.exchanges[product], rng)
            for product in Product
            for listing in LISTINGS
        }
        for listing in LISTINGS:
            self.boards[Product.USDM, listing.symbol].price_digits = listing.usdm_price_digits
        self.on_print: Callable[[Board, Print], None] = lambda board, found: None
        self.ears: dict[AccountId, Callable[[Report], None]] = {}
        "Account -> what takes the exchange's reports of it."
        self._speed = speed
        self._interval_ns = max(NS_PER_MS, int(TICK_NS / speed))
        self._due_ns = 0
        self._synthetic: list[SyntheticMarket] = []
        self._tape: Iterator[MarketEvent] = iter(())
        self._next: MarketEvent | None = None
        self._tape_from_ns = 0
        self._played_from_ns: int | None = None
        if is_still:
            for listing in LISTINGS:
                self._set_plain(listing)
            return
        tapes = tapes or {}
        for listing in LISTINGS:
            specs = [
                _spec(instruments(listing)[product], listing)
                for product in Product
                if (product, listing.symbol) not in tapes
            ]
            if specs:
                exchanges = {VenueId(product.value): exchange for product, exchange in self.exchanges.items()}
                walk = Walk(jump_max=8)
                market = SyntheticMarket(rng.randrange(1 << 32), specs, exchanges, walk)
                self._synthetic.append(market)
                # The first call sets the books.
                market.next(0)
        for (product, _), board_id in ((key, instrument_id(*key)) for key in tapes):
            self.exchanges[product].show_part(board_id)
        self._tape = merge([iter(Tape(path, instrument_id(*key))) for key, path in tapes.items()])
        self._next = next(self._tape, None)
        if self._next is not None:
            self._tape_from_ns = self._next.ts_ns

    @property
    def is_at_end(self) -> bool:
        """Whether there were tapes and all have ended."""
        return self._tape_from_ns > 0 and self._next is None

    def open_funding(self, now_ns: int) -> None:
        """Let every perpetual pay funding from now on, at 0, 8 and 16 o'clock UTC."""
        next_ns = (now_ns // (FUNDING_S * NS_PER_S) + 1) * FUNDING_S * NS_PER_S
        for product, symbol in self.boards:
            if product is Product.USDM:
                rate = FundingRate(instrument_id(product, symbol), now_ns, FUNDING_RATE, FUNDING_S, next_ns)
                self.exchanges[product].set_funding_rate(rate)

    def play(self, now_ns: int) -> int | None:
        """Let all that is due happen, and return when the next is; None when nothing will come any more.

        Raises TapeError where a tape cannot be read on.
        """
        due: list[int] = []
        if self._synthetic:
            if now_ns >= self._due_ns:
                for market in self._synthetic:
                    self._show(market.next(now_ns))
                # What was missed while nobody had time is not made up for: a market does not hurry.
                self._due_ns = now_ns + self._interval_ns
            due.append(self._due_ns)
        while self._next is not None:
            if self._played_from_ns is None:
                self._played_from_ns = now_ns
            due_ns = self._played_from_ns + int((self._next.ts_ns - self._tape_from_ns) / self._speed)
            if due_ns > now_ns:
                due.append(due_ns)
                break
            event = msgspec.structs.replace(self._next, ts_ns=now_ns)
            play(event, self.exchanges[Product(event.instrument_id.partition(":")[0])])
            self._show((event,))
            self._next = next(self._tape, None)
        for exchange in self.exchanges.values():
            exchange.advance(now_ns)
            exchange_due_ns = exchange.next_due_ns()
            if exchange_due_ns is not None:
                due.append(exchange_due_ns)
        return min(due, default=None)

    def settle(self) -> None:
        """Tell accounts what happened to them since the last time, in the venue's order."""
        for product, exchange in self.exchanges.items():
            for account_id, report in exchange.drain():
                if isinstance(report, TradeReport):
                    board = self.boards[product, report.instrument_id.partition(":")[2]]
                    board.touch()
                    if not report.is_maker and not report.venue_made:
                        ts_ms = report.venue_ts_ns // NS_PER_MS
                        self.on_print(board, board.print(report.price, report.qty, ts_ms, report.side))
                self.ears[account_id](report)

    def show(self, now_ns: int, board: Board, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replace all that a market shows."""
        board.exchange.set_book(now_ns, board.id, bids, asks)
        board.touch()

    def trade(self, now_ns: int, board: Board, price: Decimal, qty: Decimal, aggressor: Side) -> None:
        """Let others trade."""
        event = Traded(now_ns, board.id, price, qty, aggressor)
        play(event, board.exchange)
        self._show((event,))

    def _show(self, events: Iterable[MarketEvent]) -> None:
        for event in events:
            product, _, symbol = event.instrument_id.partition(":")
            board = self.boards[Product(product), symbol]
            if isinstance(event, Traded):
                found = board.print(event.price, event.qty, event.ts_ns // NS_PER_MS, event.aggressor)
                self.on_print(board, found)
            board.touch()

    def _set_plain(self, listing: Listing) -> None:
        for product, instrument in instruments(listing).items():
            spread = floor_to(listing.price * BPS, instrument.tick)
            bids = [(listing.price - spread * index, listing.depth) for index in range(1, 11)]
            asks = [(listing.price + spread * index, listing.depth) for index in range(1, 11)]
            board = self.boards[product, listing.symbol]
            event = BookSnapshot(0, board.id, tuple(bids), tuple(asks))
            play(event, board.exchange)
            board.touch()


def _spec(instrument: Instrument, listing: Listing) -> SyntheticSpec:
    largest_tick = max(listing.spot_tick, listing.usdm_tick)
    step = max(largest_tick, floor_to(listing.price * STEP_BPS * BPS, largest_tick))
    spread_ticks = max(1, int(listing.price * SPREAD_BPS * BPS / instrument.tick))
    level_steps = max(2, int(2 * listing.depth / instrument.step))
    return SyntheticSpec(
        instrument,
        floor_to(listing.price, instrument.tick),
        common_ticks=int(step / instrument.tick),
        own_ticks=max(1, spread_ticks // 8),
        spread_ticks=spread_ticks,
        level_gap_ticks=max(1, spread_ticks // 4),
        level_steps=level_steps,
        trade_steps=max(1, level_steps // 4),
        trades_per_million=MILLION // 2,
    )
