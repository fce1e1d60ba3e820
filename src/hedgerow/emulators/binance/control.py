"""What a test may do to the emulator, and see of it: the endpoints below `/emulator`, on loopback only."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from hedgerow.emulators.binance.calls import PRODUCT_OF
from hedgerow.emulators.binance.customers import Customer, Kind
from hedgerow.emulators.binance.desk import Desk
from hedgerow.emulators.binance.faults import FAULT_TEXTS, Injected
from hedgerow.emulators.binance.floor import Board
from hedgerow.emulators.binance.orders import POSITION_SIDES, SIDES, Product, Row
from hedgerow.emulators.binance.streams import Connection
from hedgerow.emulators.binance.venue import Venue
from hedgerow.emulators.clock import NS_PER_S
from hedgerow.model.market import FundingRate


class BadOrder(Exception):
    """A control request that cannot be done; nothing has changed."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A body that takes no field that it does not know: a typing error is told."""


class Advance(_Strict):
    """Let time pass at once: listen keys expire, funding is paid, connections grow old."""

    seconds: float


class Show(_Strict):
    """Replace what a market shows."""

    product: Product
    symbol: str
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]


class Trade(_Strict):
    """Let others trade; resting orders at that price fill."""

    product: Product
    symbol: str
    price: Decimal
    qty: Decimal
    side: str
    "Of the aggressor."


class Halt(_Strict):
    product: Product
    symbol: str
    is_halted: bool = True


class Filters(_Strict):
    """Change an instrument's filters; what is left out stays."""

    product: Product
    symbol: str
    tick: Decimal | None = None
    step: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    min_notional: Decimal | None = None


class Deposit(_Strict):
    account: str
    kind: Kind
    asset: str
    net_qty: Decimal
    "With a minus, a withdrawal."
    product: Product | None = None


class Foreign(_Strict):
    """Trade for an account without its program: by its owner's hand, or by the venue (auto-deleveraging)."""

    account: str
    kind: Kind
    symbol: str
    side: str
    qty: Decimal
    position_side: str = "BOTH"
    venue_made: bool = False
    product: Product | None = None


class Liquidate(_Strict):
    account: str
    kind: Kind
    symbol: str


class Funding(_Strict):
    """Set a perpetual's rate, and pay it at once."""

    symbol: str
    rate: Decimal


class StreamOrder(_Strict):
    """Do something to an account's open streams, or to all."""

    do: str
    "`cut`, `mute`, `end` or `shutdown`."
    account: str = ""
    seconds: float = 0


class Permissions(_Strict):
    account: str
    can_trade: bool | None = None
    can_withdraw: bool | None = None
    is_revoked: bool | None = None
    trading_ends_ms: int | None = None


class FaultSwitch(_Strict):
    """Whether faults are drawn. Off also forgets those that were ordered and did not strike yet."""

    on: bool


class Control:
    """Does what tests ask for."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._does: dict[tuple[str, str], tuple[type[Any] | None, Callable[[Any], Row]]] = {
            ("GET", ""): (None, lambda _: self.about()),
            ("GET", "truth"): (None, lambda _: venue.truth()),
            ("GET", "faults"): (None, lambda _: self.faults()),
            ("POST", "faults"): (Injected, self.inject),
            ("PUT", "faults"): (FaultSwitch, self.switch_faults),
            ("POST", "advance"): (Advance, self.advance),
            ("POST", "show"): (Show, self.show),
            ("POST", "trade"): (Trade, self.trade),
            ("POST", "halt"): (Halt, self.halt),
            ("POST", "filters"): (Filters, self.set_filters),
            ("POST", "deposit"): (Deposit, self.deposit),
            ("POST", "foreign"): (Foreign, self.trade_foreign),
            ("POST", "liquidate"): (Liquidate, self.liquidate),
            ("POST", "funding"): (Funding, self.pay_funding),
            ("POST", "streams"): (StreamOrder, self.order_streams),
            ("POST", "permissions"): (Permissions, self.set_permissions),
        }

    def answer(self, method: str, name: str, body: bytes) -> Row:
        """Do what a request asks for. Raises BadOrder."""
        found = self._does.get((method, name))
        if found is None:
            known = ", ".join(f"{each[0]} /emulator/{each[1]}" for each in self._does)
            raise BadOrder(f"there is no {method} /emulator/{name}; there are {known}")
        shape, does = found
        if shape is None:
            return does(None)
        try:
            asked = msgspec.json.decode(body or b"{}", type=shape)
        except msgspec.MsgspecError as error:
            raise BadOrder(str(error)) from None
        row = does(asked)
        self._venue.settle()
        return row

    def about(self) -> Row:
        """Say what this is."""
        return {
            "emulator": "binance",
            "accounts": [
                {"name": each.name, "key": each.key, "kinds": [kind.value for kind in each.kinds]}
                for each in self._venue.customers.values()
            ],
            "orders": {
                f"{method} /emulator/{name}": [] if shape is None else list(shape.__struct_fields__)
                for (method, name), (shape, _) in self._does.items()
            },
            "symbols": [f"{product.value}:{symbol}" for product, symbol in self._venue.floor.boards],
            "faults": {kind.value: text for kind, text in FAULT_TEXTS.items()},
        }

    def faults(self) -> Row:
        """Say which faults struck, and which are ordered."""
        plan = self._venue.faults
        return {
            "on": plan.is_on,
            "struck": {kind.value: count for kind, count in plan.counts.items()},
            "ordered": msgspec.to_builtins(plan.injected),
        }

    def inject(self, fault: Injected) -> Row:
        """Let a fault meet the next request or frame that fits."""
        self._venue.faults.injected.append(fault)
        return {}

    def switch_faults(self, switch: FaultSwitch) -> Row:
        """Draw faults, or do not."""
        self._venue.faults.is_on = switch.on
        if not switch.on:
            self._venue.faults.injected.clear()
        return {}

    def advance(self, advance: Advance) -> Row:
        """Let time pass at once."""
        if advance.seconds < 0:
            raise BadOrder("time does not go back")
        self._venue.clock.advance(int(advance.seconds * NS_PER_S))
        self._venue.play()
        return {"ts": self._venue.now_ms()}

    def show(self, show: Show) -> Row:
        """Replace what a market shows."""
        board = self._board(show.product, show.symbol)
        self._venue.floor.show(self._venue.clock.now_ns(), board, show.bids, show.asks)
        return {}

    def trade(self, trade: Trade) -> Row:
        """Let others trade."""
        board = self._board(trade.product, trade.symbol)
        side = SIDES.get(trade.side.upper())
        if side is None or trade.qty <= 0 or trade.price <= 0:
            raise BadOrder("a trade has a side, BUY or SELL, and a price and qty above 0")
        self._venue.floor.trade(self._venue.clock.now_ns(), board, trade.price, trade.qty, side)
        return {}

    def halt(self, halt: Halt) -> Row:
        """Stop or resume trading of a symbol."""
        board = self._board(halt.product, halt.symbol)
        board.is_halted = halt.is_halted
        if halt.is_halted:
            board.exchange.halt(board.id)
        else:
            board.exchange.resume(board.id)
        return {}

    def set_filters(self, filters: Filters) -> Row:
        """Change an instrument's filters."""
        board = self._board(filters.product, filters.symbol)
        changes = {
            name: value
            for name in ("tick", "step", "min_qty", "max_qty", "min_notional")
            if (value := getattr(filters, name)) is not None
        }
        board.exchange.set_instrument(msgspec.structs.replace(board.instrument, **changes))
        return {}

    def deposit(self, deposit: Deposit) -> Row:
        """Let funds come in or go out."""
        self._desk(deposit.account, deposit.kind, deposit.product).deposit(deposit.asset, deposit.net_qty)
        return {}

    def trade_foreign(self, foreign: Foreign) -> Row:
        """Trade for an account without its program."""
        desk = self._desk(foreign.account, foreign.kind, foreign.product)
        board = self._board(desk.product, foreign.symbol)
        side, position_side = SIDES.get(foreign.side.upper()), POSITION_SIDES.get(foreign.position_side.upper())
        if side is None or position_side is None:
            raise BadOrder("a side is BUY or SELL, a position side BOTH, LONG or SHORT")
        answer = desk.exchange.foreign_trade(
            desk.account_id,
            board.id,
            side,
            foreign.qty,
            venue_made=foreign.venue_made,
            position_side=position_side,
        )
        return {"refused": getattr(answer, "text", "")}

    def liquidate(self, liquidate: Liquidate) -> Row:
        """Let the venue close an account's position."""
        desk = self._desk(liquidate.account, liquidate.kind, Product.USDM)
        desk.exchange.force_liquidate(desk.account_id, self._board(Product.USDM, liquidate.symbol).id)
        return {}

    def pay_funding(self, funding: Funding) -> Row:
        """Set a rate and pay it at once."""
        board = self._board(Product.USDM, funding.symbol)
        rate = board.exchange.funding_rate(board.id)
        assert rate is not None, funding.symbol
        now_ns = self._venue.clock.now_ns()
        paid = FundingRate(board.id, now_ns, funding.rate, rate.interval_s, now_ns)
        board.exchange.set_funding_rate(paid)
        board.exchange.advance(now_ns)
        board.exchange.set_funding_rate(msgspec.structs.replace(rate, rate=funding.rate))
        return {}

    def order_streams(self, order: StreamOrder) -> Row:
        """Do something to open streams."""
        does: dict[str, Callable[[Connection], None]] = {
            "cut": lambda each: each.close(),
            "mute": lambda each: each.mute(order.seconds or 60),
            "end": lambda each: each.end_user_streams(),
            "shutdown": lambda each: each.shut_down(),
        }
        if order.do not in does:
            raise BadOrder(f"a stream can be told to {', '.join(does)}")
        met = 0
        for connection in list(self._venue.streams.connections):
            names = {name for name, _ in (*connection.users, *connection.subscriptions.values())}
            if not order.account or order.account in names:
                does[order.do](connection)
                met += 1
        return {"streams": met}

    def set_permissions(self, permissions: Permissions) -> Row:
        """Change what a key may do."""
        customer = self._customer(permissions.account)
        for name in ("can_trade", "can_withdraw", "is_revoked", "trading_ends_ms"):
            value = getattr(permissions, name)
            if value is not None:
                setattr(customer, name, value)
        return {}

    def _board(self, product: Product, symbol: str) -> Board:
        found = self._venue.floor.boards.get((product, symbol))
        if found is None:
            known = ", ".join(each for _, each in self._venue.floor.boards)
            raise BadOrder(f"there is no {product.value}:{symbol}; there are {known}")
        return found

    def _customer(self, name: str) -> Customer:
        found = self._venue.customer_named(name)
        if found is None:
            raise BadOrder(f"there is no account {name}")
        return found

    def _desk(self, name: str, kind: Kind, product: Product | None) -> Desk:
        found = self._venue.desks.get((name, kind, product or PRODUCT_OF[kind]))
        if found is None:
            raise BadOrder(f"account {name} has no {kind.value}")
        return found
