"""One websocket: what comes is told in the very call that read it, what is said leaves at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from hedgerow.venues.transport.frames import CLOSE, PING, PONG, TEXT, FrameReader, close_code, frame
from hedgerow.venues.transport.line import Line

CODE_OK, CODE_BROKEN = 1_000, 1_002


class Ear(Protocol):
    """Who listens to a websocket."""

    def framed(self, raw: bytes) -> None:
        """Take one message."""
        ...

    def heard(self) -> None:
        """Something came that is no message."""
        ...

    def ended(self, detail: str) -> None:
        """Nothing comes any more. Told once."""
        ...


class Socket:
    """An open websocket."""

    def __init__(self, line: Line, part: Callable[[Line], None]) -> None:
        """Take a connection on which the venue has agreed to speak it.

        Args:
            part: told when it is over.
        """
        self._line = line
        self._part = part
        self._reader = FrameReader()
        self._ear: Ear | None = None

    def listen(self, ear: Ear) -> None:
        """Begin to tell, first of what has come already."""
        self._ear = ear
        self._line.listen(self)
        if not self._line.is_connected:
            # Lost before anybody listened: nobody else says so.
            self._end("the connection was lost")

    def say(self, text: bytes) -> None:
        self._write(TEXT, text)

    def ping(self) -> None:
        self._write(PING, b"")

    def close(self) -> None:
        """End it. Nothing is told any more."""
        if self._ear is not None:
            self._ear = None
            self._write(CLOSE, CODE_OK.to_bytes(2))
        self._part(self._line)

    # Called by the connection.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes; return whether nothing that follows can be understood, and what nobody needs."""
        for message in self._reader.take(data):
            if self._ear is not None:
                self._take(message.kind, message.body)
        failure = self._reader.failure
        if failure:
            self._write(CLOSE, CODE_BROKEN.to_bytes(2))
            self._end(f"the venue sent {failure}")
        return bool(failure), b""

    def feed_eof(self) -> None:
        """The connection was lost."""
        self._end("the connection was lost")

    def _take(self, kind: int, body: bytes) -> None:
        assert self._ear is not None
        if kind == CLOSE:
            self._write(CLOSE, body[:2])
            code = close_code(body)
            self._end(f"closed by the venue ({code})" if code else "closed by the venue")
            return
        if kind == PING:
            self._write(PONG, body)
        if kind in (PING, PONG):
            self._ear.heard()
        else:
            self._ear.framed(body)

    def _end(self, detail: str) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            self._part(self._line)
            ear.ended(detail)

    def _write(self, kind: int, body: bytes) -> None:
        self._line.write(frame(kind, body, os.urandom(4)))
