"""The synthetic market."""

from __future__ import annotations

from decimal import Decimal

from hedgerow.market.answers import OrderRequest
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import VenueRules
from hedgerow.market.synthetic import SyntheticMarket, SyntheticSpec, Walk
from hedgerow.market.tape import MarketEvent, Traded
from hedgerow.model.ids import InstrumentId, VenueId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.order import OrderType, Side

D = Decimal
SPOT, PERP = InstrumentId("x:BTC"), InstrumentId("y:BTC-PERP")


def specs() -> tuple[SyntheticSpec, SyntheticSpec]:
    spot = Instrument(SPOT, VenueId("x"), InstrumentKind.SPOT, "BTC", "USD", D("0.1"), D("0.001"), D("0.001"))
    perp = Instrument(PERP, VenueId("y"), InstrumentKind.PERP, "BTC", "USD", D("0.01"), D("0.001"), D("0.001"))
    return (
        SyntheticSpec(spot, D(1000), common_ticks=1, own_ticks=2, spread_ticks=1),
        SyntheticSpec(perp, D(1001), common_ticks=10, own_ticks=20, spread_ticks=10, level_gap_ticks=5),
    )


def world(seed: int) -> tuple[SyntheticMarket, SimExchange, SimExchange]:
    spot, perp = specs()
    x = SimExchange(VenueId("x"), [spot.instrument], VenueRules(), seed)
    y = SimExchange(VenueId("y"), [perp.instrument], VenueRules(), seed)
    return SyntheticMarket(seed, [spot, perp], {VenueId("x"): x, VenueId("y"): y}), x, y


def run(seed: int, turns: int) -> list[tuple[MarketEvent, ...]]:
    market, _, _ = world(seed)
    return [market.next(turn) for turn in range(turns)]


def test_the_same_seed_gives_the_same_events() -> None:
    """And another seed another market."""
    assert run(5, 50) == run(5, 50)
    assert run(5, 50) != run(6, 50)


def test_a_book_is_never_crossed_and_never_empty() -> None:
    """Thin books have two levels, at least one tick apart; prices lie on the tick."""
    market, x, y = world(2)
    for turn in range(500):
        market.next(turn)
        for exchange, instrument_id in ((x, SPOT), (y, PERP)):
            quote = exchange.quote(instrument_id, 50)
            assert len(quote.bids) >= 2 and len(quote.asks) >= 2
            assert quote.bid is not None and quote.ask is not None
            assert quote.bid < quote.ask
            assert quote.bid % exchange.instrument(instrument_id).tick == 0
            assert list(quote.asks) == sorted(quote.asks)


def test_venues_move_together() -> None:
    """What they share moves far, what parts them stays small."""
    market, x, y = world(11)
    gaps, marks = [], []
    for turn in range(1000):
        market.next(turn)
        spot, perp = x.quote(SPOT).mark, y.quote(PERP).mark
        assert spot is not None and perp is not None
        gaps.append(perp - spot)
        marks.append(spot)
    assert max(marks) - min(marks) > 5
    assert max(gaps) - min(gaps) < 4


def test_trades_hit_resting_orders() -> None:
    """An order at the best bid is filled by the market's own trades before long."""
    market, x, _ = world(3)
    x.open_account("x/a", {"USD": D(10**6)}, Fees())  # type: ignore[arg-type]
    market.next(0)
    bid = x.quote(SPOT).bid
    request = OrderRequest("o", SPOT, Side.BUY, D("0.01"), OrderType.LIMIT, bid)
    x.submit(1, "x/a", request)  # type: ignore[arg-type]
    for turn in range(2, 200):
        market.next(turn)
    assert [each.client_order_id for each in x.trades("x/a", SPOT)] == ["o"]  # type: ignore[arg-type]


def test_rates_of_zero_and_a_million_mean_never_and_always() -> None:
    """A quiet market for one test, a busy one for another."""
    spot, _ = specs()
    for rate, expected in ((0, 0), (1_000_000, 19)):
        spec = SyntheticSpec(spot.instrument, D(1000), trades_per_million=rate)
        exchange = SimExchange(VenueId("x"), [spot.instrument], VenueRules(), 1)
        market = SyntheticMarket(1, [spec], {VenueId("x"): exchange}, Walk(jumps_per_million=0))
        events = [event for turn in range(20) for event in market.next(turn)]
        assert len([event for event in events if isinstance(event, Traded)]) == expected
