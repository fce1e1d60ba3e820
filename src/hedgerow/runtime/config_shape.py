"""The shape of a config file: every key with its type, range, default and one sentence. Meaning is judged elsewhere."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.runtime.dispatch import PER_S
from hedgerow.strategies.params import BEYOND, is_beyond

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise PydanticCustomError("number", "this must be a plain number")
    number = Decimal(value)
    if is_beyond(number):
        raise PydanticCustomError("beyond", f"this is {BEYOND}")
    return number


def _integer(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise PydanticCustomError("integer", "this must be a whole number")
    return int(value)


Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema({"type": ["number", "string"]})]
Integer = Annotated[int, BeforeValidator(_integer), WithJsonSchema({"type": "integer"})]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Count = Annotated[Integer, Field(gt=0)]
Milliseconds = Annotated[Integer, Field(gt=0, le=86_400_000)]
AccountName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+$")]
VenueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
BookName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
LegName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,15}$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,8}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,31}$")]
# An option's own name is what is bought with it.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9.]{1,21}$")]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Symbols = Annotated[list[Symbol], BeforeValidator(_listed)]
"One word, or a list of them."


class Shape(BaseModel):
    """Every part of the file: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FeesShape(Shape):
    """What the venue takes of each trade."""

    maker_bps: Number = Field(
        default=Decimal(0), description="Fee of a resting order, basis points; negative is a rebate."
    )
    taker_bps: Number = Field(default=Decimal(0), description="Fee of an order that takes, basis points.")


class PositionShape(Shape):
    """What an account of a simulated venue brings along."""

    qty: Number = Field(description="Signed: + long, - short.")
    price: Positive = Field(description="What one unit cost, or brought, on average.")


class AccountShape(Shape):
    """One account, under its id `VENUE/NAME`."""

    venue: Literal["sim", "binance", "ccxt"] = Field(
        description="What kind of venue is behind it; `sim` is the simulated exchange, `ccxt` any exchange of that "
        "library (docs/guides/ccxt.md)."
    )
    mode: Literal["sim", "live", "testnet", "emulator"] = Field(
        default="sim",
        description="`sim`: no money, no network. A real venue: `live` is real money, `testnet` the venue's own test "
        "exchange, `emulator` one on this machine.",
    )
    kind: Literal["spot", "margin", "usdm", "portfolio", "swap"] | None = Field(
        default=None,
        description="At Binance: spot, cross margin, USD-M futures, or portfolio margin. With ccxt: spot, or swap for "
        "linear perpetuals.",
    )
    exchange: str | None = Field(default=None, description="With ccxt: which exchange, as ccxt names it.")
    balance: dict[Currency, NotNegative] = Field(default_factory=dict, description="Currency: what it owns at first.")
    positions: dict[Symbol, PositionShape] = Field(
        default_factory=dict, description="Symbol: what it holds at first, beside its balance."
    )
    fees: FeesShape = Field(default=FeesShape(), description="Fee rates of the account.")
    leverage: Positive = Field(default=Decimal(1), description="Notional of perpetuals per unit of collateral.")
    key: str | None = Field(default=None, description="The key, by reference: env:NAME, file:PATH or cmd:COMMAND.")
    secret: str | None = Field(default=None, description="Its secret, by reference as well.")
    passphrase: str | None = Field(
        default=None, description="With ccxt, where the exchange gives a third secret: by reference as well."
    )


class InstrumentShape(Shape):
    """One instrument's rules; what a preset knows (BTC-USD, ETH-PERP, BTCUSDT, SPY …) may be left out."""

    kind: InstrumentKind | None = Field(default=None, description="What it is.")
    base: Currency | None = Field(default=None, description="What is bought.")
    quote: Currency | None = Field(default=None, description="What it is priced in.")
    tick: Positive | None = Field(default=None, description="Price grid, quote per base unit.")
    step: Positive | None = Field(default=None, description="Qty grid, base units.")
    min_qty: Positive | None = Field(default=None, description="Smallest qty of one order; the step when left out.")
    max_qty: Positive | None = Field(default=None, description="Largest qty of one order.")
    min_notional: NotNegative | None = Field(default=None, description="Smallest notional of one order, quote.")
    reduce_only_exempt: bool | None = Field(default=None, description="Reduce-only orders may be below min_notional.")
    multiplier: Positive | None = Field(default=None, description="Units of the underlying per unit of qty.")
    band_down: Positive | None = Field(default=None, description="Lowest limit price as a ratio of the mark.")
    band_up: Positive | None = Field(default=None, description="Highest limit price as a ratio of the mark.")
    fee_currency: FeeCurrency | None = Field(default=None, description="In what the venue takes its fee.")


class VenueShape(Shape):
    """One simulated venue. All of it may be left out."""

    instruments: dict[Symbol, InstrumentShape] = Field(default_factory=dict, description="Symbol: its rules.")
    tape: str | None = Field(
        default=None, description="File of recorded frames that feeds it; else a synthetic market does."
    )
    calendar: str | None = Field(
        default=None,
        description="Its exchange's calendar, e.g. XNYS for US stocks and options; 24/7, or left out, never closes.",
    )
    latency_ms: NotNegative = Field(default=Decimal(5), description="Mean way of a request or report, one way.")
    funding_bps: Number | None = Field(
        default=None, description="What longs of its perpetuals pay shorts every 8 hours; none when left out."
    )
    loan_bps_per_day: dict[Currency, NotNegative] = Field(
        default_factory=dict, description="Currency: interest of what margin accounts borrow, charged every hour."
    )
    requests_per_s: Annotated[Integer, Field(gt=0, le=10_000)] = Field(
        default=PER_S, description="Requests per second of each of its accounts; so many at once after a rest."
    )
    reserve: Annotated[Integer, Field(ge=0, le=10_000)] | None = Field(
        default=None,
        description="Of those at once, kept from entries for hedges, exits and cancels, half of it from questions too; "
        "40 % when left out.",
    )
    lease_ms: Milliseconds | None = Field(
        default=None,
        description="After this long it can no longer take a submit; 2000 when simulated, 26000 at Binance.",
    )
    visibility_ms: Milliseconds | None = Field(
        default=None,
        description="How long it may fail to show an order or trade; 2000 when simulated, 30000 at Binance.",
    )
    address: str | None = Field(
        default=None, description="With `mode: emulator`: where it listens, e.g. http://127.0.0.1:8900."
    )
    ca: str | None = Field(
        default=None, description="PEM file of the authorities to trust instead of the system's, for a real venue."
    )
    proxy: str | None = Field(default=None, description="Address of an HTTP proxy to a real venue.")


class LegShape(Shape):
    """One account's instrument in a book."""

    account: AccountName = Field(description="Id of one of the accounts.")
    symbol: Symbol = Field(description="Symbol at the account's venue.")
    adopt: bool = Field(default=False, description="Take over, at the first start, what the account already holds.")
    leverage: Positive | None = Field(
        default=None, description="Set at the venue and read back before anything is entered; left out: as it is."
    )


class RiskShape(Shape):
    """What entries may not exceed; hedges and exits pass. For all books, or in one book for that book."""

    max_notional: Positive | None = Field(default=None, description="Largest gross notional of one leg, quote.")
    max_residual: Positive | None = Field(default=None, description="Largest residual if all entries filled, quote.")
    max_order_notional: Positive | None = Field(
        default=None, description="Largest notional of one entry, quote: a few times the usual one catches wrong units."
    )
    symbol_exposure_ratio_max: Positive | None = Field(
        default=None, description="Net notional of one underlying over all books, to the equity of all accounts."
    )
    total_exposure_ratio_max: Positive | None = Field(
        default=None, description="The same added up over all underlyings, each without its sign."
    )
    leverage_max: Positive | None = Field(
        default=None, description="Gross notional of all books, to the equity of all accounts."
    )
    pending_orders_max: Count | None = Field(default=None, description="Live orders of all books.")
    max_open_orders: Count | None = Field(default=None, description="Live orders of one book.")
    orders_per_s: Count | None = Field(default=None, description="Entries per second.")
    price_distance_bps_max: Positive | None = Field(
        default=None, description="Distance of an entry's price from the mark."
    )
    stale_ms: Milliseconds | None = Field(default=None, description="A price older than this is not entered on.")
    residual_alarm_ms: Milliseconds | None = Field(
        default=None, description="A residual for this long raises an alarm."
    )


class TimingShape(Shape):
    """How long a book waits for what. For all books, or in one book for that book."""

    ack_timeout_ms: Milliseconds | None = Field(
        default=None, description="A submit unanswered for this long is unknown."
    )
    ask_first_ms: Milliseconds | None = Field(default=None, description="First question about an unclear order.")
    ask_spacing_ms_max: Milliseconds | None = Field(default=None, description="Longest wait between two questions.")
    retry_first_ms: Milliseconds | None = Field(default=None, description="First new try after a refusal.")
    retry_spacing_ms_max: Milliseconds | None = Field(default=None, description="Longest wait between two tries.")
    negatives_min: Annotated[Integer, Field(ge=2, le=100)] | None = Field(
        default=None, description="Negative answers before an unknown order is proven never taken."
    )
    trades_read_ms: Milliseconds | None = Field(default=None, description="How often trades are read.")
    full_read_ms: Milliseconds | None = Field(default=None, description="How often open orders and positions are read.")
    read_timeout_ms: Milliseconds | None = Field(
        default=None, description="A read unanswered for this long is asked again."
    )
    unknown_alarm_ms: Milliseconds | None = Field(
        default=None, description="An order unknown for this long raises an alarm."
    )
    hold_after_ms: Milliseconds | None = Field(
        default=None, description="A shortfall covered for this long is told as a hold."
    )


class BookShape(Shape):
    """One hedge being kept. Every other key is a parameter of its policy."""

    # The policy knows its own parameters; they are checked apart from here.
    model_config = ConfigDict(extra="allow", frozen=True)

    policy: str = Field(description="How it trades.")
    legs: dict[LegName, LegShape] = Field(
        default_factory=dict, description="`lead` moves first, `hedge` offsets; `pair`: `long` and `short`."
    )
    accounts: list[AccountName] = Field(
        default_factory=list, description="`exits`, instead of `legs`: accounts to watch, each a book of its own."
    )
    watch: Symbols = Field(
        default=["all"], description="With `accounts`: what is watched: `all`, `stock`, `option`, or symbols."
    )
    adopt: Symbols = Field(
        default=[], description="With `accounts`: what may be closed, in the same words; nothing when left out."
    )
    manual: Symbols = Field(
        default=[], description="With `accounts`: what is never touched, whatever `adopt` says, in the same words."
    )
    ratio: Number = Field(
        default=Decimal(-1), description="Base units of hedge per base unit of lead; -1 offsets in full."
    )
    tag: Tag | None = Field(
        default=None, description="Short name inside order ids, 1 to 8 of a-z and 0-9; from the name."
    )
    risk: RiskShape = Field(default=RiskShape(), description="What this book sets otherwise than `risk`.")
    timing: TimingShape = Field(default=TimingShape(), description="What it sets otherwise than `timing`.")


class MarketShape(Shape):
    """The synthetic market of one base currency, the same at every venue that trades it."""

    price: Positive = Field(description="First price, quote.")
    volatility_bps: NotNegative = Field(default=Decimal(2), description="Standard deviation of one second's move.")
    spread_bps: Positive = Field(default=Decimal(1), description="Distance of best ask and best bid.")
    depth: Positive | None = Field(default=None, description="Qty at each price level; from the price when left out.")


class SimShape(Shape):
    """The simulated world."""

    seed: Integer = Field(default=42, description="The same seed, the same world.")
    markets: dict[Currency, MarketShape] = Field(default_factory=dict, description="Base currency: its market.")


class FileShape(Shape):
    """A whole config file."""

    accounts: dict[AccountName, AccountShape] = Field(min_length=1, description="Accounts by id, `VENUE/NAME`.")
    books: dict[BookName, BookShape] = Field(min_length=1, description="Books by name.")
    venues: dict[VenueName, VenueShape] = Field(default_factory=dict, description="What is special about a venue.")
    risk: RiskShape = Field(default=RiskShape(), description="Limits of every book.")
    timing: TimingShape = Field(default=TimingShape(), description="Timing of every book.")
    sim: SimShape = Field(default=SimShape(), description="The simulated world.")
    state: str | None = Field(default=None, description="State folder; `.hedgerow` beside the file when left out.")


BOOK_KEYS = frozenset(BookShape.model_fields)
