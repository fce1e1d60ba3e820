"""One websocket: what comes is told in the very call that read it, what is said leaves at once.

The library `websockets` understands frames and makes them, without any I/O of its own: its own connections have a queue
and a task between the socket and its reader, which cost each frame as much as understanding it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from hedgerow.venues.transport.line import Line

if TYPE_CHECKING:
    from websockets.protocol import Event

# A hundred times a venue's longest frame.
MESSAGE_LEN_MAX = 4 * 1024 * 1024


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
        from websockets.protocol import CLIENT, Protocol

        self._line = line
        self._part = part
        self._protocol = Protocol(CLIENT, max_size=MESSAGE_LEN_MAX)
        self._begun = bytearray()
        "Of a message that goes on in further frames."
        self._ear: Ear | None = None

    def listen(self, ear: Ear) -> None:
        """Begin to tell, first of what has come already."""
        self._ear = ear
        self._line.listen(self)
        if not self._line.is_connected:
            # Lost before anybody listened: nobody else says so.
            self._end("the connection was lost")

    def say(self, text: bytes) -> None:
        if self._is_open():
            self._protocol.send_text(text)
            self._write()

    def ping(self) -> None:
        if self._is_open():
            self._protocol.send_ping(b"")
            self._write()

    def close(self) -> None:
        """End it. Nothing is told any more."""
        from websockets.frames import CloseCode

        self._ear = None
        if self._is_open():
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._write()
        self._part(self._line)

    # Called by the connection.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes; return whether nothing that follows is wanted, and what nobody needs."""
        if self._ear is None:
            return True, b""
        self._protocol.receive_data(data)
        # Answers to pings and to a close, before anybody takes time over a message.
        self._write()
        for event in self._protocol.events_received():
            self._take(event)
        is_over = self._protocol.close_expected()
        if is_over:
            self._end(self._reason())
        return is_over, b""

    def feed_eof(self) -> None:
        """The connection was lost."""
        self._end("the connection was lost")

    def _take(self, frame: Event) -> None:
        from websockets.frames import Frame, Opcode

        assert isinstance(frame, Frame), frame
        # Whoever listens may have ended it over the frame before.
        if self._ear is None or frame.opcode is Opcode.CLOSE:
            return
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            self._ear.heard()
        elif frame.fin and not self._begun:
            self._ear.framed(bytes(frame.data))
        else:
            self._begun += frame.data
            if frame.fin:
                whole = bytes(self._begun)
                self._begun.clear()
                self._ear.framed(whole)

    def _reason(self) -> str:
        """Return why it is over, once it is."""
        from websockets.frames import CloseCode

        self._protocol.receive_eof()
        error = self._protocol.close_exc
        if error.rcvd is not None:
            has_code = error.rcvd.code != CloseCode.NO_STATUS_RCVD
            return f"closed by the venue ({error.rcvd.code:d})" if has_code else "closed by the venue"
        return f"the venue sent what is no websocket: {error.sent}"

    def _end(self, detail: str) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            self._part(self._line)
            ear.ended(detail)

    def _is_open(self) -> bool:
        from websockets.protocol import OPEN

        return self._protocol.state is OPEN

    def _write(self) -> None:
        for raw in self._protocol.data_to_send():
            self._line.write(raw)
