"""What is shown of books: plain frozen values, the same from a running node and from a journal at rest.

Numbers of money are exact text in JSON; times are RFC 3339 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec import structs

from hedgerow.core.book import Book
from hedgerow.core.commands import Mode
from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig
from hedgerow.core.explain import Explanation
from hedgerow.core.holds import HOLD_TEXTS
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import ZERO
from hedgerow.model.order import Order
from hedgerow.model.reach import Reach
from hedgerow.runtime import portfolio
from hedgerow.runtime.node import stopped_from
from hedgerow.runtime.recovery import holds_something

RUNNING, AT_REST = "running", "journal"
NOT_RUNNING, STOPPED, REMOVED = "not running", "stopped", "removed"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer has."""

    schema: str
    "`hedgerow.NAME/1`; the number changes when a field changes its meaning or goes."
    source: str
    "`running`: from a node; `journal`: folded from a journal at rest."
    ts: str
    "As of when."


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of a book, as its fills have it."""

    book: str
    leg: str
    account: str
    instrument: str
    net_qty: Decimal
    avg_price: Decimal | None
    mark: Decimal | None
    "Middle of the latest quote; None before the first."
    net_working: Decimal
    "What live orders may still add, signed."
    realized: Decimal
    unrealized: Decimal | None
    "At the mark; None without one."
    fees: dict[str, Decimal]
    "Currency -> paid."
    funding: Decimal
    interest: dict[str, Decimal]
    "Currency -> charged for loans."
    foreign_net_qty: Decimal | None
    "Held by the account beyond this book; None while unread."
    drift_net_qty: Decimal
    "What the venue shows and nothing explains."


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """Something wanted and not done."""

    book: str
    key: str
    reason: str
    sentence: str
    next_step: str
    numbers: dict[str, str]


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person must look at."""

    book: str
    kind: str
    subject: str
    text: str


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """One order, as far as it is known."""

    book: str
    id: str
    venue_order_id: str | None
    leg: str
    instrument: str
    side: str
    qty: Decimal
    filled_qty: Decimal
    limit_price: Decimal | None
    "None for a market order."
    type: str
    role: str
    slot: str
    status: str
    submitted: str


class PnlView(msgspec.Struct, frozen=True, kw_only=True):
    """total = realized + unrealized + funding - fees - interest, quote."""

    total: Decimal
    realized: Decimal
    unrealized: Decimal
    funding: Decimal
    fees: Decimal
    interest: Decimal
    is_complete: bool
    "False when a leg has no price, or a fee or interest was paid in a third currency, which is left out."


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """One book at a glance."""

    name: str
    policy: str
    state: str
    """`hedged`, `hedging`, `frozen`, `flattening`, `halted`. At rest what an operator or a fault set stays, else it is
    `stopped` (in order, with its node; the next start goes on) or `not running` (the node ended without a word).
    `removed`: the config that runs, or ran last, has no such book."""
    mode_reason: str
    mode_since: str
    "When the mode last changed; empty while it never did."
    hedged: bool
    residual: Decimal
    "Held and not offset, units of the hedge leg, signed."
    unhedged_ms: int
    "For how long the residual has been above the smallest order; 0 while hedged."
    fills: int
    pnl: PnlView
    legs: tuple[LegView, ...]
    holds: tuple[HoldView, ...]
    alarms: tuple[AlarmView, ...]


class ExposureView(msgspec.Struct, frozen=True, kw_only=True):
    """What all books hold of one underlying, quote."""

    underlying: str
    net: Decimal
    "Signed: what is not offset."
    worst: Decimal
    "The largest it can come to, >= 0, if working entries of one side fill and nothing hedges."


class PortfolioView(msgspec.Struct, frozen=True, kw_only=True):
    """What all books have together, quote. What is unknown is named and never zero."""

    exposures: tuple[ExposureView, ...]
    net: Decimal
    "Signed, of all underlyings."
    gross: Decimal
    "Without signs, of positions."
    gross_worst: Decimal
    "The same if working entries fill and are hedged."
    orders: int
    equity: Decimal | None
    "Of all accounts; None while some part of it is unknown."
    unknown: tuple[str, ...]
    "What has no balance or no price."


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """What an account owns and owes of one currency, as it was last read."""

    account: str
    currency: str
    total: Decimal
    available: Decimal | None
    borrowed: Decimal | None
    interest: Decimal | None
    "Accrued and not yet paid. None, as above: the venue did not say."
    asked: str


class StatusView(View, frozen=True, kw_only=True):
    mode: str
    "What orders can move: `SIM`, `PAPER`, `EMULATOR`, `TESTNET` or `LIVE`."
    running: bool
    "A node answered. Without one nothing is hedged from now on, and what the venues did since is not known."
    up_s: int | None
    "How long the node has run; None at rest."
    hedged: bool
    "Every book is, removed ones too, by the fills on record."
    portfolio: PortfolioView
    books: tuple[BookView, ...]
    removed: tuple[BookView, ...]
    "Books that the config no longer has and that still hold something: nobody hedges them."


class PositionsView(View, frozen=True, kw_only=True):
    positions: tuple[LegView, ...]
    balances: tuple[BalanceView, ...]
    "Empty at rest: they are read from the venues and not kept."


class OrdersView(View, frozen=True, kw_only=True):
    orders: tuple[OrderView, ...]
    "Live ones, and the latest closed ones where asked for; oldest first."


class HoldsView(View, frozen=True, kw_only=True):
    holds: tuple[HoldView, ...]


class AlarmsView(View, frozen=True, kw_only=True):
    alarms: tuple[AlarmView, ...]


class ConfigView(View, frozen=True, kw_only=True):
    books: tuple[BookConfig, ...]
    "As each book last started."


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a chain."""

    seq: int
    ts: str
    offset_ms: Decimal
    "Since the first row."
    what: str
    text: str


class ExplainView(View, frozen=True, kw_only=True):
    subject: str
    mode: str
    "As in the status."
    book: str
    rows: tuple[StepView, ...]
    result: str
    seq_first: int
    seq_last: int


def told_apart(books: Iterable[Book]) -> tuple[list[Book], list[Book]]:
    """Return the books of a journal at rest: those that ran last, and removed ones that still hold something."""
    found = list(books)
    last = max((book.state.epoch for book in found), default=0)
    removed = [book for book in found if book.state.epoch < last and holds_something(book)]
    return [book for book in found if book.state.epoch == last], removed


def status(
    books: Iterable[Book], source: str, now_ns: int, up_s: int | None = None, *, removed: Iterable[Book] = ()
) -> StatusView:
    """Return all books at a glance."""
    books, removed = tuple(books), tuple(removed)
    shown = tuple(book_view(book, now_ns, source) for book in books)
    gone = tuple(structs.replace(book_view(book, now_ns, AT_REST), state=REMOVED) for book in removed)
    return StatusView(
        schema="hedgerow.status/1",
        source=source,
        ts=rfc3339(now_ns),
        mode=mode_of((*books, *removed)),
        running=source == RUNNING,
        up_s=up_s,
        hedged=all(book.hedged for book in (*shown, *gone)),
        portfolio=portfolio_view((*books, *removed), now_ns),
        books=shown,
        removed=gone,
    )


def mode_of(books: Iterable[Book]) -> str:
    """Return what the orders of a journal's books can move, which is the same for all."""
    return next((book.config.reach for book in books), Reach.SIM).value.upper()


def portfolio_view(books: Iterable[Book], now_ns: int) -> PortfolioView:
    """Return what all books have together, and what their accounts are worth."""
    books = tuple(books)
    found, worth = portfolio.all_totals(books), portfolio.equity(books, now_ns)
    return PortfolioView(
        exposures=tuple(
            ExposureView(underlying=each.underlying, net=each.net, worst=found.worst(each.underlying))
            for each in found.exposures
        ),
        net=found.net,
        gross=found.held,
        gross_worst=found.gross,
        orders=found.orders,
        equity=worth.value,
        unknown=(*worth.problems, *found.problems),
    )


def balance_views(books: Iterable[Book]) -> tuple[BalanceView, ...]:
    """Return every balance that was read, by account."""
    return tuple(
        BalanceView(
            account=account_id,
            currency=row.currency,
            total=row.total,
            available=row.available,
            borrowed=row.borrowed,
            interest=row.interest,
            asked=rfc3339(read.asked_ts_ns),
        )
        for account_id, read in portfolio.latest_balances(books).items()
        if read is not None
        for row in read.rows
    )


def positions(books: Iterable[Book], source: str, now_ns: int, *, removed: Iterable[Book] = ()) -> PositionsView:
    """Return every leg of every book, removed ones that still hold something included."""
    books = tuple(books)
    legs = tuple(leg_view(book, leg_id) for book in (*books, *removed) for leg_id in book.legs)
    return PositionsView(
        schema="hedgerow.positions/1",
        source=source,
        ts=rfc3339(now_ns),
        positions=legs,
        balances=balance_views(books),
    )


def orders(
    books: Iterable[Book], source: str, now_ns: int, *, closed: bool = False, removed: Iterable[Book] = ()
) -> OrdersView:
    """Return the live orders of every book, with the latest closed ones if asked for."""
    shown: list[OrderView] = []
    for book in (*books, *removed):
        live = (order for orders in book.live.values() for order in orders.values())
        found = book.state.orders.values() if closed else live
        by_time = sorted(found, key=lambda order: (order.submitted_ts_ns, order.id))
        shown += [order_view(book, order) for order in by_time]
    return OrdersView(schema="hedgerow.orders/1", source=source, ts=rfc3339(now_ns), orders=tuple(shown))


def holds(books: Iterable[Book], source: str, now_ns: int) -> HoldsView:
    """Return everything that is wanted and not done."""
    found = tuple(hold for book in books for hold in hold_views(book))
    return HoldsView(schema="hedgerow.holds/1", source=source, ts=rfc3339(now_ns), holds=found)


def alarms(books: Iterable[Book], source: str, now_ns: int) -> AlarmsView:
    """Return everything that a person must look at."""
    found = tuple(alarm for book in books for alarm in alarm_views(book))
    return AlarmsView(schema="hedgerow.alarms/1", source=source, ts=rfc3339(now_ns), alarms=found)


def configs(books: Iterable[Book], source: str, now_ns: int) -> ConfigView:
    """Return the config of every book."""
    found = tuple(book.config for book in books)
    return ConfigView(schema="hedgerow.config/1", source=source, ts=rfc3339(now_ns), books=found)


def explained(explanation: Explanation, source: str, now_ns: int) -> ExplainView:
    """Return a chain for showing."""
    first_ns = explanation.rows[0].ts_ns
    rows = tuple(
        StepView(
            seq=row.seq,
            ts=rfc3339(row.ts_ns),
            offset_ms=(Decimal(row.ts_ns - first_ns) / NS_PER_MS).quantize(Decimal("0.1")),
            what=row.what,
            text=row.text,
        )
        for row in explanation.rows
    )
    return ExplainView(
        schema="hedgerow.explain/1",
        source=source,
        ts=rfc3339(now_ns),
        subject=explanation.subject,
        mode=explanation.reach.value.upper(),
        book=explanation.book_id,
        rows=rows,
        result=explanation.result,
        seq_first=rows[0].seq,
        seq_last=rows[-1].seq,
    )


def book_view(book: Book, now_ns: int, source: str = RUNNING) -> BookView:
    """Return one book at a glance, as of now or of the book's own time, whichever is later."""
    since_ns = book.state.residual_since_ns
    unhedged_ns = max(now_ns, book.now_ns) - since_ns if since_ns else 0
    legs = tuple(leg_view(book, leg_id) for leg_id in book.legs)
    hedged = book.is_hedged
    mode, mode_reason = stopped_from(book) or (book.mode, book.state.mode_reason)
    state = mode.value
    if book.mode is Mode.RUNNING:
        state = NOT_RUNNING if source == AT_REST else "hedged" if hedged else "hedging"
    elif mode is Mode.RUNNING or (mode is not book.mode and source == RUNNING):
        state = STOPPED
    return BookView(
        name=book.config.book_id,
        policy=book.config.policy,
        state=state,
        mode_reason=mode_reason,
        mode_since=rfc3339(book.state.mode_ts_ns) if book.state.mode_ts_ns else "",
        hedged=hedged,
        residual=book.residual,
        unhedged_ms=unhedged_ns // NS_PER_MS,
        fills=sum(ledger.fills for ledger in book.state.ledgers.values()),
        pnl=_pnl(book, legs),
        legs=legs,
        holds=hold_views(book),
        alarms=alarm_views(book),
    )


def leg_view(book: Book, leg_id: LegId) -> LegView:
    """Return one leg of a book."""
    leg, ledger = book.legs[leg_id], book.ledger(leg_id)
    position, multiplier = ledger.position, leg.instrument.multiplier
    mark = book.mark(leg_id) or ledger.last_price
    unrealized = ZERO if position.net_qty == 0 else None
    if mark is not None:
        unrealized = position.unrealized(mark, multiplier)
    return LegView(
        book=book.config.book_id,
        leg=leg_id,
        account=leg.account_id,
        instrument=leg.instrument.id,
        net_qty=position.net_qty,
        avg_price=position.avg_price(multiplier),
        mark=mark,
        net_working=sum((order.net_leaves for order in book.working(leg_id)), ZERO),
        realized=position.realized,
        unrealized=unrealized,
        fees=dict(ledger.fees),
        funding=ledger.funding,
        interest=dict(ledger.interest),
        foreign_net_qty=ledger.foreign_net_qty,
        drift_net_qty=ledger.drift_net_qty,
    )


def hold_views(book: Book) -> tuple[HoldView, ...]:
    """Return what the book holds, with the sentences for people."""
    return tuple(
        HoldView(
            book=book.config.book_id,
            key=hold.key,
            reason=hold.reason.value,
            sentence=HOLD_TEXTS[hold.reason].sentence,
            next_step=HOLD_TEXTS[hold.reason].next_step,
            numbers=dict(hold.numbers),
        )
        for hold in book.state.holds.values()
    )


def alarm_views(book: Book) -> tuple[AlarmView, ...]:
    """Return the book's standing alarms."""
    return tuple(
        AlarmView(book=book.config.book_id, kind=alarm.kind.value, subject=alarm.subject, text=alarm.text)
        for alarm in book.state.alarms.values()
    )


def order_view(book: Book, order: Order) -> OrderView:
    """Return one order for showing."""
    return OrderView(
        book=book.config.book_id,
        id=order.id,
        venue_order_id=order.venue_order_id,
        leg=order.leg_id,
        instrument=order.instrument_id,
        side=order.side.value,
        qty=order.qty,
        filled_qty=order.filled_qty,
        limit_price=order.limit_price,
        type=order.type.value,
        role=order.role.value,
        slot=order.slot,
        status=order.status.value,
        submitted=rfc3339(order.submitted_ts_ns),
    )


def _pnl(book: Book, legs: Iterable[LegView]) -> PnlView:
    realized = unrealized = funding = fees = interest = ZERO
    is_complete = True
    for leg in legs:
        quote = book.legs[LegId(leg.leg)].instrument.quote
        realized += leg.realized
        funding += leg.funding
        fees += leg.fees.get(quote, ZERO)
        interest += leg.interest.get(quote, ZERO)
        is_complete = is_complete and leg.unrealized is not None and not {*leg.fees, *leg.interest} - {quote}
        unrealized += leg.unrealized or ZERO
    return PnlView(
        total=realized + unrealized + funding - fees - interest,
        realized=realized,
        unrealized=unrealized,
        funding=funding,
        fees=fees,
        interest=interest,
        is_complete=is_complete,
    )


def rfc3339(ts_ns: int) -> str:
    """Return a time in UTC to the millisecond, e.g. `2026-11-21T10:55:49.944Z`."""
    whole, rest = divmod(ts_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // NS_PER_MS:03d}Z"
