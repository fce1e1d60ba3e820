"""One run of a seeded market with two random customers, as a digest. Run as a program with a seed, it prints it."""

from __future__ import annotations

import hashlib
import random
import sys

from hedgerow.market.answers import OrderRequest
from hedgerow.market.exchange import SimExchange
from hedgerow.market.fees import Fees
from hedgerow.market.rules import VenueRules
from hedgerow.market.synthetic import SyntheticMarket, SyntheticSpec
from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.model.order import OrderType
from tests.market.desk import BUY, PERP, SELL, SPOT, VENUE, A, B, D, instrument


def run_digest(seed: int) -> str:
    """Return the digest of all that a seeded market and two random customers do to each other."""
    specs = [
        SyntheticSpec(instrument(SPOT, InstrumentKind.SPOT, fee_currency=FeeCurrency.RECEIVED), D(100)),
        SyntheticSpec(instrument(PERP, InstrumentKind.PERP), D("99.90"), own_ticks=3),
    ]
    exchange = SimExchange(VENUE, [spec.instrument for spec in specs], VenueRules(history_max=50), seed)
    for account_id in (A, B):
        exchange.open_account(
            account_id, {"USDT": D(100_000), "BTC": D(50)}, Fees(D("0.0002"), D("0.0005")), leverage=D(3)
        )
    market = SyntheticMarket(seed, specs, {VENUE: exchange})
    rng = random.Random(seed)
    digest = hashlib.sha256()
    for turn in range(200):
        now_ns = turn * 100_000_000
        events = market.next(now_ns)
        account_id = (A, B)[rng.randrange(2)]
        instrument_id = (SPOT, PERP)[rng.randrange(2)]
        mark = exchange.quote(instrument_id).mark or D(100)
        price = (mark + D(rng.randrange(-5, 6)) / 100).quantize(D("0.01"))
        is_market = rng.randrange(3) == 0
        request = OrderRequest(
            f"c{turn}",
            instrument_id,
            BUY if rng.randrange(2) else SELL,
            D(1 + rng.randrange(900)) / 1000,
            OrderType.MARKET if is_market else OrderType.LIMIT,
            None if is_market else price,
        )
        answer = exchange.submit(now_ns, account_id, request)
        exchange.cancel(now_ns, account_id, instrument_id, f"c{turn - 20}")
        exchange.advance(now_ns)
        digest.update(repr((events, answer, exchange.drain())).encode())
    digest.update(repr((exchange.balances(A), exchange.balances(B), exchange.positions(A))).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    print(run_digest(int(sys.argv[1])))
