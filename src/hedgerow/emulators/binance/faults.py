"""What may go wrong between the venue and its customers, drawn from a seed or ordered by a test.

The exchange itself never lies: a fault bends what is carried to it or from it, and the truth stays readable.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec

from hedgerow.emulators.binance.errors import (
    BACKEND_TIMEOUT,
    BANNED,
    OVERLOADED,
    TOO_MANY_REQUESTS,
    UNEXPECTED_RESPONSE,
    UNKNOWN_ERROR,
)
from hedgerow.market.answers import Refused

MILLION = 1_000_000


class Fault(Enum):
    """Kinds of faults, in the order in which they are drawn."""

    LOST_REQUEST = "lost_request"
    LATE_REQUEST = "late_request"
    REPEATED_REQUEST = "repeated_request"
    OVERLOADED = "overloaded"
    THROTTLED = "throttled"
    BANNED = "banned"
    FORBIDDEN = "forbidden"
    LATE_ANSWER = "late_answer"
    LOST_ANSWER = "lost_answer"
    SILENCE = "silence"
    CUT_ANSWER = "cut_answer"
    HALF_ANSWER = "half_answer"
    EMPTY_ANSWER = "empty_answer"
    HTML_ANSWER = "html_answer"
    BAD_GATEWAY = "bad_gateway"
    UNKNOWN_ERROR = "unknown_error"
    UNEXPECTED_RESPONSE = "unexpected_response"
    BACKEND_TIMEOUT = "backend_timeout"
    WRONG_CODE = "wrong_code"
    FALSE_NOT_FOUND = "false_not_found"
    STALE_READ = "stale_read"
    LOST_FRAME = "lost_frame"
    LATE_FRAME = "late_frame"
    REPEATED_FRAME = "repeated_frame"
    SWAPPED_FRAMES = "swapped_frames"
    OLD_FRAME = "old_frame"
    CUT_FRAME = "cut_frame"
    GARBLED_FRAME = "garbled_frame"
    UNKNOWN_WORD = "unknown_word"
    MUTE = "mute"
    CUT_STREAM = "cut_stream"
    ENDED_STREAM = "ended_stream"
    SHUTDOWN = "shutdown"
    REFUSED_STREAM = "refused_stream"


FAULT_TEXTS = {
    Fault.LOST_REQUEST: "The connection is reset before the venue reads the request.",
    Fault.LATE_REQUEST: "The request reaches the venue seconds later, maybe after its `recvWindow`.",
    Fault.REPEATED_REQUEST: "Something on the way sends the request twice; the second answer comes back.",
    Fault.OVERLOADED: "503 with -1008; not done.",
    Fault.THROTTLED: "429 with `Retry-After`; not done.",
    Fault.BANNED: "418 with `Retry-After`; not done.",
    Fault.FORBIDDEN: "403 with an HTML page of a firewall; not done.",
    Fault.LATE_ANSWER: "Done at once, answered seconds later.",
    Fault.LOST_ANSWER: "Done, then the connection is reset.",
    Fault.SILENCE: "Done, never answered; the connection stays open.",
    Fault.CUT_ANSWER: "Done; the answer breaks off at any byte.",
    Fault.HALF_ANSWER: "Done; the answer is complete by its length, and its JSON is not.",
    Fault.EMPTY_ANSWER: "Done; 200 with nothing in it.",
    Fault.HTML_ANSWER: "Done; 200 with an HTML page.",
    Fault.BAD_GATEWAY: "Done; 502 with an HTML page.",
    Fault.UNKNOWN_ERROR: "Done; 503 with -1000.",
    Fault.UNEXPECTED_RESPONSE: "Done; 500 with -1006.",
    Fault.BACKEND_TIMEOUT: "Done or not; 408 with -1007.",
    Fault.WRONG_CODE: "Done; 400 with a code that no list has.",
    Fault.FALSE_NOT_FOUND: "Done; answered as if there were no such order, with -2013 or -2011.",
    Fault.STALE_READ: "A read answers what it answered before.",
    Fault.LOST_FRAME: "A frame never comes.",
    Fault.LATE_FRAME: "A frame comes up to three seconds later, after newer ones.",
    Fault.REPEATED_FRAME: "A frame comes twice.",
    Fault.SWAPPED_FRAMES: "Two frames change places.",
    Fault.OLD_FRAME: "A frame from earlier comes again.",
    Fault.CUT_FRAME: "A frame breaks off at any byte.",
    Fault.GARBLED_FRAME: "Bytes of a frame are others.",
    Fault.UNKNOWN_WORD: "A frame has a status and an execution type that no list has.",
    Fault.MUTE: "The stream stays open, answers pings, and says nothing for a while.",
    Fault.CUT_STREAM: "The connection of a stream ends without a word.",
    Fault.ENDED_STREAM: "The user stream ends with `listenKeyExpired` or `eventStreamTerminated`; the socket stays.",
    Fault.SHUTDOWN: "The stream says `serverShutdown`, and is cut soon.",
    Fault.REFUSED_STREAM: "The handshake of a stream is answered with 503.",
}
STREAM_FAULTS = frozenset(
    {
        Fault.LOST_FRAME,
        Fault.LATE_FRAME,
        Fault.REPEATED_FRAME,
        Fault.SWAPPED_FRAMES,
        Fault.OLD_FRAME,
        Fault.CUT_FRAME,
        Fault.GARBLED_FRAME,
        Fault.UNKNOWN_WORD,
        Fault.MUTE,
        Fault.CUT_STREAM,
        Fault.ENDED_STREAM,
        Fault.SHUTDOWN,
    }
)
# Not done, and what is answered on the websocket API; None where nothing is.
NOT_DONE = {
    Fault.OVERLOADED: OVERLOADED,
    Fault.THROTTLED: TOO_MANY_REQUESTS,
    Fault.BANNED: BANNED,
    Fault.LOST_REQUEST: None,
    Fault.FORBIDDEN: None,
}
# Done, then answered with something else.
LIES = {
    Fault.UNKNOWN_ERROR: UNKNOWN_ERROR,
    Fault.UNEXPECTED_RESPONSE: UNEXPECTED_RESPONSE,
    Fault.BACKEND_TIMEOUT: BACKEND_TIMEOUT,
    Fault.WRONG_CODE: Refused(400, -9999, "Emulated error."),
}
# Done, and on the websocket API not answered.
SILENT = frozenset(
    {
        Fault.LOST_ANSWER,
        Fault.SILENCE,
        Fault.CUT_ANSWER,
        Fault.HALF_ANSWER,
        Fault.EMPTY_ANSWER,
        Fault.HTML_ANSWER,
        Fault.BAD_GATEWAY,
    }
)
HTTP_FAULTS = frozenset(Fault) - STREAM_FAULTS - {Fault.REFUSED_STREAM}
# Faults that stop everything for a while are rarer than those of one message.
_RARE = frozenset({Fault.BANNED, Fault.MUTE, Fault.CUT_STREAM, Fault.ENDED_STREAM, Fault.SHUTDOWN, Fault.SILENCE})
_USER_ONLY = frozenset({Fault.ENDED_STREAM, Fault.UNKNOWN_WORD})
# Chance of each kind per request or frame, in a million; rare kinds have a tenth of it.
LIGHT, HEAVY = 1_000, 8_000
PROFILES = {"none": 0, "light": LIGHT, "heavy": HEAVY}

# Reads that a venue serves from places which lag behind its matching.
_STALE = ("openOrders", "account", "balance", "positionRisk", "order")


class Injected(msgspec.Struct, forbid_unknown_fields=True):
    """One fault that was ordered: it meets the next request or frame that fits."""

    kind: Fault
    account: str = ""
    "Name of the customer; empty fits all."
    method: str = ""
    path: str = ""
    "Part of the path, for requests."
    frame: str = ""
    "Type of the frame, e.g. `executionReport`; empty fits all frames of user streams."
    count: int = 1
    seconds: float = 0
    "How long, for those that last; 0 draws it."


class Struck(msgspec.Struct, frozen=True):
    """A fault that meets a request or frame now."""

    kind: Fault
    seconds: float
    part: float
    "Where to cut, 0 to 1."


class FaultPlan:
    """Decides what meets which message. The same messages in the same order meet the same faults."""

    def __init__(self, seed: int, rates: dict[Fault, int]) -> None:
        """Begin.

        Args:
            rates: kind -> chance per request or frame, in a million.
        """
        self._requests = random.Random(f"{seed} requests")
        self._frames = random.Random(f"{seed} frames")
        rates = {kind: rate // 10 if kind in _RARE else rate for kind, rate in rates.items()}
        self._of_requests = {kind: rate for kind, rate in rates.items() if kind in HTTP_FAULTS}
        self._of_users = {kind: rate for kind, rate in rates.items() if kind in STREAM_FAULTS}
        # Market streams have hundreds of frames for each of a user stream.
        self._of_markets = {kind: rate // 50 for kind, rate in self._of_users.items() if kind not in _USER_ONLY}
        self._of_handshakes = 10 * rates.get(Fault.REFUSED_STREAM, 0)
        self.injected: list[Injected] = []
        self.counts: dict[Fault, int] = {}
        "How often each kind has struck."
        self.is_on = True
        "Whether faults are drawn; those that are ordered strike in any case."

    def for_request(self, account: str, method: str, path: str) -> Struck | None:
        """Return what meets this request."""
        bits = self._requests.getrandbits(64)
        found = self._take(account, method, path, "")
        if found is not None:
            return self._struck(found.kind, bits, found.seconds)
        kind = self._drawn(bits, self._of_requests)
        is_read = method == "GET"
        if kind is None or (kind is Fault.STALE_READ and not (is_read and path.endswith(_STALE))):
            return None
        if (kind is Fault.FALSE_NOT_FOUND and not path.endswith("/order")) or (
            kind is Fault.REPEATED_REQUEST and is_read
        ):
            return None
        return self._struck(kind, bits)

    def for_frame(self, account: str, frame: str, *, is_user: bool) -> Struck | None:
        """Return what meets this frame."""
        if not is_user and not self._of_markets:
            return None
        bits = self._frames.getrandbits(64)
        found = self._take(account, "", "", frame) if is_user else None
        if found is not None:
            return self._struck(found.kind, bits, found.seconds)
        kind = self._drawn(bits, self._of_users if is_user else self._of_markets)
        return None if kind is None else self._struck(kind, bits)

    def for_handshake(self) -> bool:
        """Return whether the handshake of a stream is refused now."""
        bits = self._requests.getrandbits(64)
        found = next((each for each in self.injected if each.kind is Fault.REFUSED_STREAM), None)
        if found is not None:
            self._use(found)
        elif self._drawn(bits, {Fault.REFUSED_STREAM: self._of_handshakes}) is None:
            return False
        self._struck(Fault.REFUSED_STREAM, bits)
        return True

    def _take(self, account: str, method: str, path: str, frame: str) -> Injected | None:
        for each in self.injected:
            if each.account not in ("", account) or each.kind is Fault.REFUSED_STREAM:
                continue
            if path:
                fits = each.kind in HTTP_FAULTS and each.method in ("", method) and each.path in path
            else:
                fits = each.kind in STREAM_FAULTS and each.frame in ("", frame)
            if fits:
                self._use(each)
                return each
        return None

    def _use(self, each: Injected) -> None:
        each.count -= 1
        if each.count <= 0:
            self.injected.remove(each)

    def _drawn(self, bits: int, rates: Mapping[Fault, int]) -> Fault | None:
        """Return the kind that these bits choose. Bits are drawn while off too, so that no later fault moves."""
        if not self.is_on:
            return None
        left = bits % MILLION
        for kind, rate in rates.items():
            left -= rate
            if left < 0:
                return kind
        return None

    def _struck(self, kind: Fault, bits: int, seconds: float = 0) -> Struck:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        rng = random.Random(bits)
        drawn_s, part = rng.randrange(100, 3000) / 1000, rng.random()
        if kind in (Fault.MUTE, Fault.SILENCE):
            drawn_s *= 10
        return Struck(kind, seconds or drawn_s, part)


def rates_of(words: Iterable[str]) -> dict[Fault, int]:
    """Return the chances that words stand for: a profile, or kinds of faults. Raises ValueError with the wrong word."""
    rates: dict[Fault, int] = {}
    kinds = {kind.value: kind for kind in Fault}
    for word in words:
        if word in PROFILES:
            rates |= dict.fromkeys(Fault, PROFILES[word]) if PROFILES[word] else {}
        elif word in kinds:
            rates[kinds[word]] = HEAVY
        else:
            raise ValueError(word)
    return {kind: rates[kind] for kind in Fault if kind in rates}
