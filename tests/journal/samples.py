"""Turns to write: one of each event and command for the golden file, and plain ones in any number.

`python -m tests.journal.samples` records the golden files anew; only before a release, or with a new codec version.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from hedgerow.core import commands as c
from hedgerow.core import events as e
from hedgerow.core.commands import Turn
from hedgerow.core.config import BookConfig, HedgeRule, LegConfig
from hedgerow.core.holds import Alarm, AlarmKind, Hold, HoldReason
from hedgerow.journal.codec import CODEC_VERSION, GENESIS, Chain, encode
from hedgerow.journal.replay import Exported
from hedgerow.model.ids import AccountId, BookId, ClientOrderId, InstrumentId, LegId, TradeId, VenueId, VenueOrderId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.market import BorrowRate, FundingRate, Quote
from hedgerow.model.order import Fill, OrderStatus, OrderType, Role, Side, TimeInForce
from hedgerow.model.session import Session

GOLDEN = Path(__file__).parent / "golden"

BOOK = BookId("mirror-1")
LEAD, HEDGE = LegId("lead"), LegId("hedge")
ACCOUNT = AccountId("simA/main")
BTC = InstrumentId("simA:BTC-USD")
ORDER = ClientOrderId("hr-m-1-1")
TS = 1_700_000_000_000_000_000

INSTRUMENT = Instrument(
    id=BTC,
    venue_id=VenueId("simA"),
    kind=InstrumentKind.PERP,
    base="BTC",
    quote="USD",
    tick=Decimal("0.1"),
    step=Decimal("0.001"),
    min_qty=Decimal("0.001"),
    max_qty=Decimal("1E+3"),
    min_notional=Decimal(5),
    fee_currency=FeeCurrency.RECEIVED,
)
CONFIG = BookConfig(
    book_id=BOOK,
    tag="m",
    policy="mirror",
    params={"depth": "2", "note": "ключ “x”"},
    legs=(LegConfig(LEAD, ACCOUNT, INSTRUMENT), LegConfig(HEDGE, AccountId("simB/main"), INSTRUMENT, adopt=True)),
    hedge=HedgeRule(LEAD, HEDGE, Decimal(-1)),
)


def fill(trade: int, book_order: ClientOrderId | None = ORDER) -> Fill:
    return Fill(
        trade_id=TradeId(f"t{trade}"),
        account_id=ACCOUNT,
        instrument_id=BTC,
        side=Side.BUY,
        qty=Decimal("0.500"),
        price=Decimal("100.25"),
        venue_ts_ns=TS + trade,
        order_id=book_order,
        fee=Decimal("-0.0125"),
        fee_currency="USD",
        is_maker=True,
    )


def plain_turn(number: int, book_id: BookId = BOOK) -> Turn:
    """Return the commonest turn: a fill, and the hedge that it led to."""
    hedge = c.SubmitOrder(
        ClientOrderId(f"hr-m-1-{number}"), HEDGE, BTC, Side.SELL, Decimal("0.5"), OrderType.MARKET, Role.HEDGE
    )
    return Turn(book_id, TS + number, e.FillReceived(TS + number, fill(number)), (hedge,))


def plain_turns(count: int, first: int = 1) -> list[Turn]:
    return [plain_turn(number) for number in range(first, first + count)]


QUOTE = Quote(
    BTC, TS, ((Decimal("100.1"), Decimal(3)), (Decimal("100.0"), Decimal("1E-8"))), ((Decimal("100.2"), Decimal(1)),)
)
VENUE_ORDER = VenueOrderId("9007199254740993")

PORTFOLIO_PART = e.Exposure("BTC", Decimal("-1.5"), Decimal("0.5"), Decimal(0))
EVENTS: tuple[e.Event, ...] = (
    e.BookStarted(TS, 1, CONFIG),
    e.QuoteReceived(TS, QUOTE),
    e.FundingRateReceived(TS, FundingRate(BTC, TS, Decimal("0.0001"), 28_800, TS + 1)),
    e.Heartbeat(TS, LEAD),
    e.TimeReached(TS),
    e.OrderAccepted(TS, ORDER, VENUE_ORDER),
    e.OrderRejected(TS, ORDER, e.RejectClass.RATE_LIMITED, "-1003", 'Too many requests; "wait"\n', 250_000_000),
    e.OrderUnknown(TS, ORDER, "504"),
    e.OrderReported(TS, ORDER, OrderStatus.EXPIRED, Decimal("0.25"), VENUE_ORDER, "self-trade", "x"),
    e.OrderNotFound(TS, ORDER, TS - 5),
    e.OrderQueryFailed(TS, ORDER, "timeout"),
    e.CancelAnswered(TS, ORDER, e.CancelOutcome.GONE, "-2011", "Unknown order sent."),
    e.FillReceived(TS, fill(1)),
    e.FillLookedUp(TS, fill(2), False),
    e.OpenOrdersRead(TS, LEAD, TS - 9, (e.OpenOrder(VENUE_ORDER, Side.SELL, Decimal(1), Decimal("0.1"), ORDER),)),
    e.TradesRead(TS, LEAD, TS - 9, (fill(3), fill(4, None)), "cursor-4"),
    e.PositionRead(TS, HEDGE, TS - 9, Decimal("-0.5"), Decimal("100.3"), Decimal("0.4")),
    e.ReadFailed(TS, HEDGE, e.ReadKind.POSITION, "500"),
    e.FundingPaid(TS, HEDGE, "f-1", Decimal("-0.00031")),
    e.BalancesRead(TS, HEDGE, TS - 9, (e.Balance("USD", Decimal(5), Decimal(4), Decimal("0.1"), Decimal("0.001")),)),
    e.BorrowRateReceived(TS, LEAD, BorrowRate("USD", TS, Decimal("0.00001"), 3_600)),
    e.InterestCharged(TS, LEAD, "i-1", "USD", Decimal("0.0004")),
    e.PortfolioSeen(TS, Decimal(1000), ("BTC of simA/main",), (PORTFOLIO_PART,), Decimal("2.5"), 3),
    e.LinkDown(TS, HEDGE, "mute for 20 s"),
    e.LinkUp(TS, HEDGE),
    e.InstrumentChanged(TS, INSTRUMENT),
    e.SessionsRead(TS, VenueId("simA"), (Session("2026-11-27", TS, TS + 12_600_000_000_000),)),
    e.LegAdded(TS, LegConfig(LegId("spy"), AccountId("simA/main"), INSTRUMENT, adopt=True, found=True)),
    e.PositionsListed(TS, AccountId("simA/main"), "503 Service Unavailable"),
    e.PositionModeRead(TS, HEDGE, False, "hedge mode"),
    e.FrameQuarantined(TS, HEDGE, "an event of the unknown kind X", '{"e":"X"}'),
    e.LeverageAnswered(TS, HEDGE, "-4028 Leverage is not valid."),
    e.OperatorCommanded(TS, e.Action.RESUME, "anna", "r-1", accept_drift=True),
    e.JournalFailed(TS, "disk full"),
    e.Faulted(TS, "residual 0.1 after flat"),
)
PORTFOLIO = e.PortfolioSeen(TS, None, ("equity",))
HOLD = Hold(HoldReason.BELOW_MINIMUM, HEDGE, "", (("qty", "0.0004"), ("min_qty", "0.001")))
COMMANDS: tuple[c.Command, ...] = (
    c.SubmitOrder(
        ORDER,
        LEAD,
        BTC,
        Side.BUY,
        Decimal("0.5"),
        OrderType.LIMIT,
        Role.ENTRY,
        Decimal("100.1"),
        TimeInForce.IOC,
        post_only=True,
        reduce_only=True,
        slot="entry",
    ),
    c.CancelOrder(ORDER, LEAD, "replace"),
    c.CancelOrphan(LEAD, VENUE_ORDER, ORDER),
    c.QueryOrder(ORDER, LEAD),
    c.Read(LEAD, e.ReadKind.TRADES, "cursor-4"),
    c.SetLeverage(LEAD, Decimal(5)),
    c.LookUpFill(fill(2)),
    c.FillParked(fill(2)),
    c.FillBooked(fill(2)),
    c.OrderGivenUp(ORDER, 3, 2, 2),
    c.HoldStarted(HOLD),
    c.HoldChanged(HOLD),
    c.HoldEnded(HOLD.key),
    c.AlarmRaised(Alarm(AlarmKind.DRIFT, "lead", "0.1 more than our fills")),
    c.AlarmCleared("drift/lead"),
    c.ModeChanged(c.Mode.FROZEN, "operator"),
    c.PolicyNoted('{"round":1}'),
    c.PositionAdopted(HEDGE, Decimal("1.5"), Decimal("99.9")),
    c.ForeignNoted(LEAD, Decimal("0.2")),
    c.DriftNoted(LEAD, Decimal(0)),
)
TURNS: tuple[Turn, ...] = (
    *(Turn(BOOK, TS + number, event) for number, event in enumerate(EVENTS)),
    Turn(BOOK, TS + len(EVENTS), e.TimeReached(TS), COMMANDS, (QUOTE,), PORTFOLIO),
)


def golden_lines(turns: tuple[Turn, ...]) -> list[bytes]:
    """Return the lines that an export of a journal of these turns has."""
    chain = Chain(epoch=1, seq=0, head=GENESIS)
    lines = []
    for turn in turns:
        seq, epoch, version, _, head, body = chain.add(turn.book_id, encode(turn))
        lines.append(msgspec.json.encode(Exported(seq, epoch, version, head.hex(), msgspec.Raw(body))))
    return lines


def record() -> None:
    """Write the golden files of the version of today."""
    (GOLDEN / f"v{CODEC_VERSION}.jsonl").write_bytes(b"\n".join(golden_lines(TURNS)) + b"\n")
    (GOLDEN / f"v{CODEC_VERSION}.means.txt").write_text("".join(f"{turn!r}\n" for turn in TURNS), "utf-8")


if __name__ == "__main__":
    record()
