"""Streams: who listens to what, listen keys and tokens, and one connection's frames on their way out.

Without sockets: a connection is given what sends a text and what closes it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from hedgerow.emulators.binance import frames
from hedgerow.emulators.binance.bars import INTERVALS
from hedgerow.emulators.binance.customers import Customer, Kind
from hedgerow.emulators.binance.faults import Fault, FaultPlan, Struck
from hedgerow.emulators.binance.floor import Board, Floor, Follower, Print
from hedgerow.emulators.binance.orders import Product, Row
from hedgerow.emulators.clock import NS_PER_MS, NS_PER_S, EmulatorClock

LISTEN_KEY_MS = 60 * 60_000
TOKEN_MS = 24 * 3600_000
LIFE_NS = 24 * 3600 * NS_PER_S
SHUTDOWN_S = 1.0
STREAMS_MAX = 1024
MESSAGES_PER_S = {Product.SPOT: 5, Product.USDM: 10}
OLD_FRAMES = 50
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Stream name after the `@` -> how often its frames come; the book's changes of that time are one frame.
DEPTH_NS = {
    Product.SPOT: {"": NS_PER_S, "@100ms": 100 * NS_PER_MS, "@1000ms": NS_PER_S},
    Product.USDM: {"": 250 * NS_PER_MS, "@500ms": 500 * NS_PER_MS, "@100ms": 100 * NS_PER_MS, "@0ms": 0},
}

Later = Callable[[float, Callable[[], None]], None]
"Makes a call after some seconds."


class ListenKey(msgspec.Struct):
    """What opens a user stream without a signature."""

    text: str
    customer: Customer
    kind: Kind
    expires_ms: int


class Connection:
    """One websocket: what it listens to, and its frames with what befalls them on the way."""

    def __init__(
        self,
        product: Product,
        send: Callable[[bytes], None],
        close: Callable[[], None],
        later: Later,
        faults: FaultPlan,
        clock: EmulatorClock,
        *,
        is_combined: bool = False,
    ) -> None:
        self.product = product
        self.close = close
        self.opened_ns = clock.now_ns()
        self.heard_ns = self.opened_ns
        "When its last pong came."
        self.is_combined = is_combined
        self.streams: dict[str, None] = {}
        "Market streams, by name."
        self.users: dict[tuple[str, Kind], str] = {}
        "User streams: (customer, kind) -> what a combined stream calls it."
        self.subscriptions: dict[int, tuple[str, Kind]] = {}
        "User streams of the websocket API, by subscription id."
        self.session: Customer | None = None
        "Who has logged on, on the websocket API."
        self.next_subscription = 0
        self._send = send
        self._later = later
        self._faults = faults
        self._clock = clock
        self._heard: deque[int] = deque(maxlen=MESSAGES_PER_S[product] + 1)
        self._mute_depth = 0
        self._held: bytes | None = None
        self._old: deque[bytes] = deque(maxlen=OLD_FRAMES)

    def tell(self, row: Row) -> None:
        """Send what no fault meets: answers to the connection's own requests."""
        if not self._mute_depth:
            self._send(msgspec.json.encode(row))

    def tell_later(self, seconds: float, row: Row) -> None:
        """Send an answer after a while."""
        self._later(seconds, lambda: self.tell(row))

    def is_too_often(self, now_ns: int) -> bool:
        """Count a message of the customer's; return whether there were more in a second than the venue takes."""
        self._heard.append(now_ns)
        first_ns = self._heard[0]
        return len(self._heard) > MESSAGES_PER_S[self.product] and now_ns - first_ns < NS_PER_S

    def push_market(self, stream: str, row: Row | list[Row]) -> None:
        """Send a frame of a market stream."""
        body = {"stream": stream, "data": row} if self.is_combined else row
        self._push(msgspec.json.encode(body), "", stream, is_user=False)

    def push_user(self, customer: str, kind: Kind, row: Row) -> None:
        """Send a frame of a user stream, wherever this connection has it."""
        name = self.users.get((customer, kind))
        if name is not None:
            body: Row = {"stream": name, "data": row} if self.is_combined else row
            self._push(msgspec.json.encode(body), customer, str(row["e"]), is_user=True)
        # A connection that cannot take more ends, and its subscriptions with it.
        for number, user in list(self.subscriptions.items()):
            if user == (customer, kind):
                wrapped: Row = {"subscriptionId": number, "event": row}
                self._push(msgspec.json.encode(wrapped), customer, str(row["e"]), is_user=True)

    def mute(self, seconds: float) -> None:
        """Say nothing for a while."""
        self._mute_depth += 1
        self._later(seconds, self._unmute)

    def _unmute(self) -> None:
        self._mute_depth -= 1

    def _push(self, body: bytes, customer: str, frame: str, *, is_user: bool) -> None:
        struck = self._faults.for_frame(customer, frame, is_user=is_user)
        if self._mute_depth:
            return
        held, self._held = self._held, None
        if struck is None:
            self._send(body)
        else:
            self._strike(struck, body)
        if held is not None:
            self._send(held)
        if is_user:
            self._old.append(body)

    def _strike(self, struck: Struck, body: bytes) -> None:
        match struck.kind:
            case Fault.LOST_FRAME:
                # It is not sent: that is the fault.
                pass
            case Fault.LATE_FRAME:
                self._later(struck.seconds, lambda: self._send_late(body))
            case Fault.REPEATED_FRAME:
                self._send(body)
                self._send(body)
            case Fault.SWAPPED_FRAMES:
                self._held = body
                # Where nothing follows soon, it comes all the same.
                self._later(struck.seconds, lambda: self._release(body))
            case Fault.OLD_FRAME:
                self._send(body)
                if self._old:
                    self._send(self._old[int(struck.part * len(self._old))])
            case Fault.CUT_FRAME:
                self._send(body[: int(struck.part * len(body))])
            case Fault.GARBLED_FRAME:
                self._send(_garbled(body, struck.part))
            case Fault.UNKNOWN_WORD:
                self._send(_unknown_word(body))
            case Fault.MUTE:
                self.mute(struck.seconds)
            case Fault.CUT_STREAM:
                self.close()
            case Fault.SHUTDOWN:
                self._send(body)
                self.shut_down()
            case _:
                assert struck.kind is Fault.ENDED_STREAM, struck
                self._send(body)
                self.end_user_streams()

    def shut_down(self) -> None:
        """Say that the server goes, and go soon."""
        row: Row = {"e": "serverShutdown", "E": self._clock.now_ms()}
        self._send(msgspec.json.encode({"event": row} if self.subscriptions else row))
        self._later(SHUTDOWN_S, self.close)

    def end_user_streams(self) -> None:
        """End the user streams with the venue's word; the socket stays open and says nothing of them any more."""
        now_ms = self._clock.now_ms()
        for (_, kind), name in self.users.items():
            expired: Row = {"e": "listenKeyExpired", "E": now_ms, "listenKey": name}
            row = {"stream": name, "data": expired} if self.is_combined else expired
            assert kind is not Kind.SPOT, name
            self._send(msgspec.json.encode(row))
        for number in self.subscriptions:
            event: Row = {"e": "eventStreamTerminated", "E": now_ms}
            self._send(msgspec.json.encode({"subscriptionId": number, "event": event}))
        self.users.clear()
        self.subscriptions.clear()

    def _send_late(self, body: bytes) -> None:
        if not self._mute_depth:
            self._send(body)

    def _release(self, body: bytes) -> None:
        if self._held is body:
            self._held = None
            self._send_late(body)


def _garbled(body: bytes, part: float) -> bytes:
    index = int(part * len(body))
    # Still text, as a websocket's text frames must be.
    return body[:index] + b"?" * min(7, len(body) - index) + body[index + 7 :]


def _unknown_word(body: bytes) -> bytes:
    for name in (b'"X":"', b'"x":"', b'"m":"'):
        head, found, tail = body.partition(name)
        if found:
            body = head + found + b"EMULATED_" + tail
    return body


class Streams:
    """All connections, and who listens to what."""

    def __init__(self, floor: Floor, clock: EmulatorClock, rng: random.Random) -> None:
        self.connections: list[Connection] = []
        self.keys: dict[tuple[str, Kind], ListenKey] = {}
        self.tokens: dict[str, ListenKey] = {}
        self._floor = floor
        self._clock = clock
        self._rng = rng
        self._depth_ns: dict[tuple[Product, str], int] = {}
        "Depth stream -> when its last frame left."
        self._followed: dict[tuple[Product, str], Follower] = {}
        self._partial_ids: dict[tuple[Product, str], int] = {}
        self._second_ns = 0

    # Listen keys and tokens

    def open_key(self, customer: Customer, kind: Kind) -> str:
        """Return the customer's listen key; one that lives is prolonged."""
        now_ms = self._clock.now_ms()
        found = self.keys.get((customer.name, kind))
        if found is None or found.expires_ms <= now_ms:
            found = self.keys[customer.name, kind] = ListenKey(self._text(64), customer, kind, 0)
        found.expires_ms = now_ms + LISTEN_KEY_MS
        return found.text

    def prolong_key(self, customer: Customer, kind: Kind) -> str | None:
        """Return the customer's listen key, prolonged; None when there is none."""
        found = self.keys.get((customer.name, kind))
        if found is None or found.expires_ms <= self._clock.now_ms():
            return None
        found.expires_ms = self._clock.now_ms() + LISTEN_KEY_MS
        return found.text

    def close_key(self, customer: Customer, kind: Kind) -> None:
        """Forget the customer's listen key; its streams end."""
        if self.keys.pop((customer.name, kind), None) is not None:
            self._end_users(customer.name, kind)

    def key_named(self, text: str) -> ListenKey | None:
        """Return the listen key that lives under this text."""
        now_ms = self._clock.now_ms()
        return next((key for key in self.keys.values() if key.text == text and key.expires_ms > now_ms), None)

    def open_token(self, customer: Customer, kind: Kind) -> tuple[str, int]:
        """Return a new listen token and when it expires, ms."""
        token = ListenKey(self._text(40), customer, kind, self._clock.now_ms() + TOKEN_MS)
        self.tokens[token.text] = token
        return token.text, token.expires_ms

    def token_named(self, text: str) -> ListenKey | None:
        """Return the listen token that lives under this text."""
        found = self.tokens.get(text)
        return found if found is not None and found.expires_ms > self._clock.now_ms() else None

    def expire(self, customer: str, kind: Kind) -> None:
        """Let a listen key expire now, and tokens as well: the streams say so."""
        self.keys.pop((customer, kind), None)
        self.tokens = {
            text: token for text, token in self.tokens.items() if (token.customer.name, token.kind) != (customer, kind)
        }
        self._end_users(customer, kind)

    # Frames

    def publish(self, customer: str, kind: Kind, rows: Iterable[Row]) -> None:
        """Send frames to whoever listens to a customer's account of a kind."""
        for row in rows:
            for connection in list(self.connections):
                connection.push_user(customer, kind, row)

    def publish_print(self, board: Board, found: Print) -> None:
        """Send a trade."""
        if not self.connections:
            return
        now_ms = self._clock.now_ms()
        name = board.symbol.lower()
        self._push(board.product, f"{name}@trade", frames.trade(board, found, now_ms))
        self._push(board.product, f"{name}@aggTrade", frames.agg_trade(board, found, now_ms))

    def publish_markets(self, now_ns: int) -> None:
        """Send what changed in the markets, each stream at its pace."""
        now_ms = now_ns // NS_PER_MS
        wanted = self._wanted()
        self._followed = {key: each for key, each in self._followed.items() if key in wanted}
        if not wanted:
            return
        for board in self._floor.boards.values():
            self._publish_top(board, wanted, now_ms)
        for product, name in wanted:
            symbol, _, kind = name.partition("@")
            shown = self._floor.boards.get((product, symbol.upper()))
            if shown is not None and kind.startswith("depth"):
                self._publish_depth(shown, name, kind, now_ns)
        is_new_second = now_ns - self._second_ns >= NS_PER_S
        if is_new_second:
            self._second_ns = now_ns
            self._publish_by_second(wanted, now_ms)

    def keep_house(self, now_ns: int) -> None:
        """End what has lived its time: listen keys after an hour, connections after a day."""
        now_ms = now_ns // NS_PER_MS
        for (name, kind), key in list(self.keys.items()):
            if key.expires_ms <= now_ms:
                self.expire(name, kind)
        for text, token in list(self.tokens.items()):
            if token.expires_ms <= now_ms:
                del self.tokens[text]
                self._end_users(token.customer.name, token.kind)
        for connection in list(self.connections):
            if now_ns - connection.opened_ns >= LIFE_NS:
                connection.close()

    def _end_users(self, customer: str, kind: Kind) -> None:
        now_ms = self._clock.now_ms()
        for connection in list(self.connections):
            name = connection.users.pop((customer, kind), None)
            if name is not None:
                row: Row = {"e": "listenKeyExpired", "E": now_ms, "listenKey": name}
                connection.tell({"stream": name, "data": row} if connection.is_combined else row)
            ended = [number for number, user in connection.subscriptions.items() if user == (customer, kind)]
            for number in ended:
                del connection.subscriptions[number]
                connection.tell({"subscriptionId": number, "event": {"e": "eventStreamTerminated", "E": now_ms}})

    def _wanted(self) -> dict[tuple[Product, str], None]:
        return {(each.product, name): None for each in self.connections for name in each.streams}

    def _push(self, product: Product, stream: str, row: Row | list[Row]) -> None:
        for connection in list(self.connections):
            if connection.product is product and stream in connection.streams:
                connection.push_market(stream, row)

    def _publish_top(self, board: Board, wanted: dict[tuple[Product, str], None], now_ms: int) -> None:
        name = f"{board.symbol.lower()}@bookTicker"
        if (board.product, name) not in wanted and (board.product, "!bookTicker") not in wanted:
            return
        top = board.take_top()
        if top is None:
            return
        row = frames.book_ticker(board, *top, now_ms)
        self._push(board.product, name, row)
        self._push(board.product, "!bookTicker", row)

    def _publish_depth(self, board: Board, name: str, kind: str, now_ns: int) -> None:
        levels, _, pace = kind.removeprefix("depth").partition("@")
        every_ns = DEPTH_NS[board.product].get(f"@{pace}" if pace else "", 100 * NS_PER_MS)
        key = (board.product, name)
        if now_ns - self._depth_ns.get(key, 0) < every_ns:
            return
        if levels:
            previous_id = self._partial_ids.get(key, 0)
            if previous_id == board.update_id:
                return
            self._partial_ids[key] = board.update_id
            row = frames.partial_depth(board, int(levels), previous_id, now_ns // NS_PER_MS)
        else:
            # Each pace of a symbol is a sequence of its own.
            if key not in self._followed:
                self._followed[key] = Follower(board)
                self._depth_ns[key] = now_ns
                return
            change = self._followed[key].take_change()
            if change is None:
                return
            row = frames.depth_update(board, change, now_ns // NS_PER_MS)
        self._depth_ns[key] = now_ns
        self._push(board.product, name, row)

    def _publish_by_second(self, wanted: dict[tuple[Product, str], None], now_ms: int) -> None:
        for product, name in wanted:
            symbol, _, kind = name.partition("@")
            board = self._floor.boards.get((product, symbol.upper()))
            if name.startswith("!markPrice@arr") and product is Product.USDM:
                marks = [each for each in self._floor.boards.values() if each.product is Product.USDM]
                self._push(product, name, [frames.mark_price(each, now_ms) for each in marks])
            elif board is None:
                # A stream of a symbol that is not there may be subscribed to, and never says anything.
                pass
            elif kind in ("markPrice", "markPrice@1s") and product is Product.USDM:
                self._push(product, name, frames.mark_price(board, now_ms))
            elif kind == "ticker":
                self._push(product, name, frames.ticker(board, now_ms))
            elif kind == "miniTicker":
                self._push(product, name, frames.mini_ticker(board, now_ms))
            elif kind.removeprefix("kline_") in INTERVALS:
                bar = frames.kline(board, kind.removeprefix("kline_"), now_ms)
                if bar is not None:
                    self._push(product, name, bar)

    def _text(self, length: int) -> str:
        return "".join(self._rng.choice(_LETTERS) for _ in range(length))
