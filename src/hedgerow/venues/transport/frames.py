"""Frames of a websocket, the client's half of RFC 6455, without extensions. Pure.

Written here, since a library's own queue and task between the socket and its reader cost each frame as much as
understanding it does.
"""

from __future__ import annotations

import base64
import hashlib

import msgspec

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_CONTINUATION = 0x0
_IS_CONTROL, _IS_LAST, _RESERVED = 0x8, 0x80, 0x70
_IS_MASKED, _LENGTH = 0x80, 0x7F
_LENGTH_IN_2, _LENGTH_IN_8 = 126, 127
CONTROL_LEN_MAX = 125
# A hundred times a venue's longest frame.
MESSAGE_LEN_MAX = 4 * 1024 * 1024
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _BadFrame(Exception):
    """What came is no websocket any more. The text says why."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One whole message."""

    kind: int
    body: bytes


class FrameReader:
    """Puts messages together from bytes as they come."""

    def __init__(self) -> None:
        self._rest = b""
        "The begin of a frame."
        self._parts: list[bytes] = []
        "Of a message that goes on in further frames."
        self._kind = 0
        self._len = 0
        self.failure = ""
        "Why nothing can be understood any more."

    def take(self, data: bytes) -> list[Message]:
        """Return the messages that these bytes complete, in their order."""
        found: list[Message] = []
        try:
            if not self.failure:
                self._read(self._rest + data if self._rest else data, found)
        except _BadFrame as error:
            self.failure = str(error)
        return found

    def _read(self, data: bytes, found: list[Message]) -> None:
        at, size = 0, len(data)
        while size - at >= 2:
            first, second = data[at], data[at + 1]
            if first & _RESERVED or second & _IS_MASKED:
                raise _BadFrame("a frame with bits that nobody agreed on")
            length, start = second & _LENGTH, at + 2
            if length >= _LENGTH_IN_2:
                start += 2 if length == _LENGTH_IN_2 else 8
                if start > size:
                    break
                length = int.from_bytes(data[at + 2 : start])
            if length > MESSAGE_LEN_MAX:
                raise _BadFrame(f"a frame of {length} bytes")
            if start + length > size:
                break
            at = start + length
            self._frame(first, data[start:at], found)
        self._rest = data[at:]

    def _frame(self, first: int, body: bytes, found: list[Message]) -> None:
        kind, is_last = first & 0x0F, first & _IS_LAST
        if kind & _IS_CONTROL:
            if not is_last or len(body) > CONTROL_LEN_MAX or kind > PONG:
                raise _BadFrame(f"a control frame that cannot be, of kind {kind}")
            found.append(Message(kind, body))
            return
        if (kind == _CONTINUATION) is not bool(self._kind) or kind > BINARY:
            raise _BadFrame(f"a frame of kind {kind} where none can be")
        if is_last and not self._kind:
            found.append(Message(kind, body))
            return
        self._kind = self._kind or kind
        self._parts.append(body)
        self._len += len(body)
        if self._len > MESSAGE_LEN_MAX:
            raise _BadFrame(f"a message of more than {MESSAGE_LEN_MAX} bytes")
        if is_last:
            found.append(Message(self._kind, b"".join(self._parts)))
            self._parts, self._kind, self._len = [], 0, 0


def frame(kind: int, body: bytes, mask: bytes) -> bytes:
    """Return a message in one frame, as a client has to write it.

    Args:
        mask: 4 bytes that nobody can foresee.
    """
    length = len(body)
    head = bytes([_IS_LAST | kind])
    if length < _LENGTH_IN_2:
        head += bytes([_IS_MASKED | length])
    elif length < 1 << 16:
        head += bytes([_IS_MASKED | _LENGTH_IN_2]) + length.to_bytes(2)
    else:
        head += bytes([_IS_MASKED | _LENGTH_IN_8]) + length.to_bytes(8)
    key = (mask * (length // 4 + 1))[:length]
    return head + mask + (int.from_bytes(body) ^ int.from_bytes(key)).to_bytes(length)


def close_code(body: bytes) -> int:
    """Return why a side closes; 0 when it does not say."""
    return int.from_bytes(body[:2]) if len(body) >= 2 else 0


def accepted(key: str) -> str:
    """Return what a server that understood the key of a handshake answers."""
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()
