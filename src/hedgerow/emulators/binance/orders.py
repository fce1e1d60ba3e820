"""Orders as Binance's wire tells them, and the frozen words in which it does."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum

import msgspec

from hedgerow.emulators.binance.conditions import Condition
from hedgerow.market.answers import OrderRequest, PositionSide, TradeReport
from hedgerow.model.ids import InstrumentId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import OrderType, Side, TimeInForce

Row = dict[str, object]
"One JSON object of the wire."

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
CLIENT_ID_LEGAL = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
NUMBER_LEGAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
# Quotients such as average prices and costs of walks through the book are kept to what the wire shows of them.
EIGHTH = Decimal("1e-8")


class Product(Enum):
    """Where an order trades: margin orders stand in the spot books."""

    SPOT = "spot"
    USDM = "usdm"


class Status(Enum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
    REJECTED = "REJECTED"
    "Of a conditional order that the matching did not take when it woke."


LIVE = frozenset({Status.NEW, Status.PARTIALLY_FILLED})

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
POSITION_SIDES = {"BOTH": PositionSide.BOTH, "LONG": PositionSide.LONG, "SHORT": PositionSide.SHORT}
TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
SIDE_WORDS = {side: word for word, side in SIDES.items()}
# Those of spot and margin that take whatever there is; USD-M's conditional orders are placed as one of its two types.
AT_MARKET = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT"})


class WireOrder(msgspec.Struct, eq=False):
    """One order of a customer, as every answer and frame tells it."""

    id: int
    client_order_id: str
    symbol: str
    side: Side
    type: str
    "In the venue's word: `LIMIT`, `MARKET`, `LIMIT_MAKER`, `LIQUIDATION`, `STOP_LOSS_LIMIT` …"
    time_in_force: str
    qty: Decimal
    price: Decimal
    "Zero for a market order."
    created_ms: int
    exchange_id: str
    "What the simulated exchange calls it now; an amended order is a new one there. Empty: it waits for its condition."
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    side_effect: str = ""
    "Margin: `NO_SIDE_EFFECT`, `MARGIN_BUY`, `AUTO_REPAY` or `AUTO_BORROW_REPAY`."
    borrowed: Decimal = ZERO
    "Margin: what was borrowed for it when it was placed."
    borrowed_asset: str = ""
    quote_qty: Decimal = ZERO
    "Spot: `quoteOrderQty`, when it was named by what it may cost."
    status: Status = Status.NEW
    updated_ms: int = 0
    cum_qty: Decimal = ZERO
    cum_quote: Decimal = ZERO
    fills: list[TradeReport] = msgspec.field(default_factory=list)
    executions: int = 0
    "Execution reports that were told of it."
    is_told: bool = False
    "The stream has told that it is NEW."
    is_overdue: bool = False
    "It ends because its time is over."
    is_being_amended: bool = False
    "Its end at the exchange is not its own."
    cancel_id: str = ""
    "Spot: the client order id of the cancel that ended it."
    expiry: str = ""
    "Why it expired, or was rejected, in the venue's word."
    condition: Condition | None = None
    "Spot and margin: what it waits, or waited, for."
    good_till_ms: int = 0
    "USD-M: when it expires (GTD); zero: never by itself."
    working_ms: int = 0
    "When it came to the matching; zero while it waits."

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_waiting(self) -> bool:
        """Whether the matching does not have it yet."""
        return self.condition is not None and not self.working_ms

    @property
    def is_at_market(self) -> bool:
        return self.type in AT_MARKET

    @property
    def avg_price(self) -> Decimal:
        """Average price of what is filled; zero while nothing is."""
        return (self.cum_quote / self.cum_qty).quantize(EIGHTH) if self.cum_qty else ZERO

    def fill(self, report: TradeReport) -> None:
        """Book one trade."""
        self.fills.append(report)
        self.cum_qty += report.qty
        self.cum_quote += report.qty * report.price
        self.status = Status.FILLED if self.cum_qty >= self.qty else Status.PARTIALLY_FILLED
        self.updated_ms = report.venue_ts_ns // 1_000_000

    def request(self, instrument_id: InstrumentId, *, post_only: bool) -> OrderRequest:
        """Return what the simulated exchange is asked for: what is not filled yet."""
        return OrderRequest(
            self.client_order_id,
            instrument_id,
            self.side,
            self.qty - self.cum_qty,
            OrderType.MARKET if self.is_at_market else OrderType.LIMIT,
            None if self.is_at_market else self.price,
            TIMES_IN_FORCE.get(self.time_in_force, TimeInForce.GTC),
            post_only,
            self.reduce_only,
            self.position_side,
        )


def plain(number: Decimal) -> str:
    """Return a number without an exponent and without padding."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def padded(number: Decimal) -> str:
    """Return a number as spot and margin write all of theirs: with eight decimals."""
    return f"{number:.8f}"


def on_grid(number: Decimal, grid: Decimal) -> str:
    """Return a number with as many decimals as its grid has, as USD-M writes prices and quantities."""
    exponent = grid.normalize().as_tuple().exponent
    assert isinstance(exponent, int), grid
    return f"{number:.{max(0, -exponent)}f}"
