"""Requests as bytes, before anybody sends them, and answers as bytes, before anybody understands them."""

from __future__ import annotations

from typing import Protocol

import msgspec

from hedgerow.model.words import Word


class Lane(Word):
    """How urgent a request is, most urgent first."""

    CANCEL = "cancel"
    HEDGE = "hedge"
    EXIT = "exit"
    ENTRY = "entry"
    QUERY = "query"


class Weight(msgspec.Struct, frozen=True):
    """What a request takes out of one of the venue's budgets."""

    pool: str
    "Whose budget, e.g. `api/ip`."
    units: int


class HttpRequest(msgspec.Struct, frozen=True):
    """One request, complete: to be sent as it is, once."""

    method: str
    host: str
    "The name of the host, e.g. `fapi`; its address is the gateway's to choose."
    path: str
    query: str
    "Encoded and signed; not to be encoded again."
    body: str
    "Form fields, encoded and signed; empty when there are none."
    headers: tuple[tuple[str, str], ...]
    weights: tuple[Weight, ...]
    lane: Lane
    is_signed: bool
    "Whether it is good for one recvWindow only."

    @property
    def target(self) -> str:
        """Return path and query, as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


class HttpAnswer(msgspec.Struct, frozen=True):
    """One whole answer. What was cut on the way is none."""

    status: int
    body: bytes
    retry_after_s: int = 0
    "The venue's own waiting time; 0 when it named none."


class Stamp(msgspec.Struct, frozen=True):
    """When a request is signed, and for how long the venue may take it: the lease that makes *unknown* known."""

    now_ms: int
    "The venue's time, as well as we know it."
    recv_window_ms: int


class Signer(Protocol):
    """One API key. What it keeps secret never leaves it."""

    @property
    def api_key(self) -> str: ...

    def sign(self, payload: str) -> str:
        """Return the signature of a payload, as text that is not encoded for a URL yet."""
        ...
