"""One account at Binance: its key, and its private stream, which all its legs listen to."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from functools import partial
from typing import Protocol

from hedgerow.model.ids import AccountId
from hedgerow.venues.binance_venue import FAILURES, NS_PER_S, BinanceVenue
from hedgerow.venues.transport.errands import Errands
from hedgerow.venues.transport.http import NotSent, Unanswered
from hedgerow.venues.transport.stream import Pace, Said, Stream, StreamFailed
from hedgerow.venues.wire.binance.answers import Refused, acknowledged, listen_key_of, listen_token_of
from hedgerow.venues.wire.binance.build import ListenKeys, Requests
from hedgerow.venues.wire.binance.frames import Frame, StreamEnded, Subscribed, SubscriptionRefused, private_frame
from hedgerow.venues.wire.binance.kinds import AccountKind, Product
from hedgerow.venues.wire.binance.streams import (
    ACCESS,
    KEEPALIVE_EVERY_S,
    ROTATE_AFTER_S,
    Access,
    private_address,
    renew_token_at_ms,
    subscribe_by_signature,
    subscribe_by_token,
)
from hedgerow.venues.wire.payload import BadPayload
from hedgerow.venues.wire.request import Signer

# One product of each kind of account, to ask what concerns the account as a whole.
PRODUCT_OF = {
    AccountKind.SPOT: Product.SPOT,
    AccountKind.MARGIN: Product.MARGIN,
    AccountKind.USDM: Product.UM,
    AccountKind.PORTFOLIO: Product.PM_UM,
}
# A key that could not be renewed is tried again soon: there is time for many tries.
KEEP_AGAIN_S = 60
# So many frames that cannot be read, within a minute, are no accident: the stream is not to be trusted.
BAD_FRAMES_MAX = 20
BAD_FRAMES_NS = 60 * NS_PER_S
PACE = Pace(rotate_s=ROTATE_AFTER_S)
# A venue that refuses a stream now and then is no reason not to start.
OPEN_TRIES = 4


class Listener(Protocol):
    """A leg that wants to know what its account's private stream tells."""

    def take_frame(self, frame: Frame, raw: bytes) -> None:
        """Take one frame. Raises BadPayload when its numbers cannot be."""
        ...

    def take_bad_frame(self, raw: bytes, detail: str) -> None: ...

    def heard(self) -> None: ...

    def up(self) -> None: ...

    def down(self, detail: str) -> None: ...


class BinanceAccount:
    """One account, with one private stream."""

    def __init__(
        self, account_id: AccountId, kind: AccountKind, signer: Signer, venue: BinanceVenue, pace: Pace = PACE
    ) -> None:
        self.account_id = account_id
        self.kind = kind
        self.signer = signer
        self.venue = venue
        self._product = PRODUCT_OF[kind]
        self._requests = Requests(self._product, "", signer, "")
        self._keys = ListenKeys(kind, signer.api_key) if ACCESS[kind] is Access.LISTEN_KEY else None
        self._listen_key = ""
        self._greetings = 0
        self._listeners: list[Listener] = []
        self._bad_ns: deque[int] = deque(maxlen=BAD_FRAMES_MAX)
        self._errands = Errands(venue.clock)
        self._is_opened = False
        self._stream = Stream(venue.http, self, venue.clock, pace)
        self._first = asyncio.Event()
        "Set once the stream was live, or could not be opened after some tries."
        self._failures = 0
        self._detail = "its private stream is being opened"
        self.live_since_ns = 0
        "Since when the stream tells everything."

    @property
    def is_live(self) -> bool:
        return self._stream.is_live

    @property
    def detail(self) -> str:
        """Why the stream is not live."""
        return self._detail

    # Its life.

    async def open(self) -> None:
        """Open the private stream and keep it open; return once it is live. Raises StreamFailed."""
        if not self._is_opened:
            self._is_opened = True
            # What subscribes bears a time; without an answer, our own must do.
            with contextlib.suppress(*FAILURES):
                await self.venue.read_time(self._product)
            self._errands.begin(self._stream.run(), f"private stream of {self.account_id}")
            if self._keys is not None:
                self._errands.begin(self._keep_key(), f"listen key of {self.account_id}")
            self.venue.keep_time(self._product)
        await self._first.wait()
        if not self.is_live:
            raise StreamFailed(self._detail)

    async def close(self) -> None:
        """End the stream."""
        await self._errands.end()

    def join(self, listener: Listener) -> None:
        """Let a leg listen."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Let it listen no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def reopen(self, detail: str) -> None:
        """Give the stream up: it was found to tell less than it should."""
        self._stream.reopen(detail)

    # What the stream asks for.

    async def address(self) -> str:
        """Return where the private stream is. Raises StreamFailed."""
        if self._keys is not None:
            try:
                self._listen_key = listen_key_of(await self.venue.ask(self._keys.open))
            except FAILURES as error:
                raise StreamFailed(f"no listen key: {error}") from error
        where = private_address(self.kind, self._listen_key)
        return self.venue.http.addresses[where.host] + where.path

    async def greeting(self) -> bytes | None:
        """Return what subscribes. Raises StreamFailed."""
        self._greetings += 1
        name = str(self._greetings)
        match ACCESS[self.kind]:
            case Access.LISTEN_KEY:
                return None
            case Access.SIGNATURE:
                return subscribe_by_signature(name, self.venue.stamp(self._product), self.signer).encode()
            case Access.LISTEN_TOKEN:
                try:
                    token, expires_ms = listen_token_of(await self.venue.ask(self._requests.listen_token))
                except FAILURES as error:
                    raise StreamFailed(f"no listen token: {error}") from error
                self._rotate_before(expires_ms)
                return subscribe_by_token(name, token).encode()

    def _rotate_before(self, expires_ms: int) -> None:
        left_ms = renew_token_at_ms(expires_ms) - self.venue.stamp(self._product).now_ms
        self._stream.rotate_before(self.venue.clock.now_ns() + max(left_ms, KEEP_AGAIN_S * 1_000) * 1_000_000)

    async def _keep_key(self) -> None:
        """Renew the listen key in time; one that the venue does not know any more is replaced."""
        assert self._keys is not None, self.kind
        while True:
            wait_s = KEEPALIVE_EVERY_S
            if self._listen_key and self.is_live:
                try:
                    acknowledged(await self.venue.ask(partial(self._keys.keep, self._listen_key)))
                except Refused as refused:
                    self._stream.reopen(f"the listen key cannot be renewed: {refused}")
                except (NotSent, Unanswered, BadPayload):
                    wait_s = KEEP_AGAIN_S
            await asyncio.sleep(wait_s)

    # What the stream tells.

    def take(self, raw: bytes) -> Said:
        """Take one frame: to every leg, or into quarantine."""
        try:
            frame = private_frame(raw)
            match frame:
                case Subscribed():
                    if frame.expires_ms is not None:
                        self._rotate_before(frame.expires_ms)
                    return Said.LIVE
                case SubscriptionRefused():
                    self._stream.reopen(f"the subscription was refused: {frame.status} {frame.code} {frame.text}")
                    return Said.REOPEN
                case StreamEnded():
                    self._stream.reopen(f"the venue ended it: {frame.reason}")
                    return Said.REOPEN
            for listener in tuple(self._listeners):
                listener.take_frame(frame, raw)
        except BadPayload as error:
            self._quarantine(raw, str(error))
        return Said.NOTHING

    def _quarantine(self, raw: bytes, detail: str) -> None:
        now_ns = self.venue.clock.now_ns()
        self._bad_ns.append(now_ns)
        if len(self._bad_ns) == BAD_FRAMES_MAX and now_ns - self._bad_ns[0] < BAD_FRAMES_NS:
            self._bad_ns.clear()
            self._stream.reopen(f"{BAD_FRAMES_MAX} frames within a minute could not be read, the last: {detail}")
        for listener in tuple(self._listeners):
            listener.take_bad_frame(raw, detail)

    def heard(self) -> None:
        """Pass on a sign of life."""
        for listener in tuple(self._listeners):
            listener.heard()

    def up(self) -> None:
        """The stream tells everything from here on."""
        self.live_since_ns = self.venue.clock.now_ns()
        self._detail = ""
        self._first.set()
        for listener in tuple(self._listeners):
            listener.up()

    def down(self, detail: str) -> None:
        """The stream tells nothing."""
        self._detail = detail
        self._failures += 1
        if self._failures >= OPEN_TRIES:
            self._first.set()
        for listener in tuple(self._listeners):
            listener.down(detail)
