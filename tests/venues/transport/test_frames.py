"""Frames of a websocket: whole messages whatever the pieces, and nothing after what cannot be one."""

from __future__ import annotations

import random

import pytest

from hedgerow.venues.transport import frames
from hedgerow.venues.transport.frames import (
    BINARY,
    CLOSE,
    MESSAGE_LEN_MAX,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    accepted,
    close_code,
    frame,
)

CONTINUATION = 0


def served(kind: int, body: bytes, is_last: bool = True, bits: int = 0) -> bytes:
    """Return a frame as a server writes it: without a mask."""
    head = bytes([(0x80 if is_last else 0) | bits | kind])
    if len(body) < 126:
        return head + bytes([len(body)]) + body
    if len(body) < 1 << 16:
        return head + b"\x7e" + len(body).to_bytes(2) + body
    return head + b"\x7f" + len(body).to_bytes(8) + body


def read(*parts: bytes) -> tuple[list[Message], str]:
    """Return the messages in these pieces, and why nothing more can be read."""
    reader = FrameReader()
    return [message for part in parts for message in reader.take(part)], reader.failure


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_message_of_any_length_is_read_whole(length: int) -> None:
    """The length is written in three ways, each with its own limits."""
    body = bytes(number % 251 for number in range(length))

    assert read(served(TEXT, body)) == ([Message(TEXT, body)], "")


@pytest.mark.parametrize("seed", range(20))
def test_it_does_not_matter_where_the_pieces_end(seed: int) -> None:
    """A socket gives what is there, be it half a header or three messages."""
    chance = random.Random(seed)
    bodies = [chance.randbytes(chance.choice([0, 3, 130, 70_000])) for _ in range(12)]
    kinds = [chance.choice([TEXT, BINARY]) for _ in bodies]
    whole = b"".join(served(kind, body) for kind, body in zip(kinds, bodies, strict=True))
    cuts = sorted(chance.sample(range(len(whole)), 40))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    assert read(*pieces) == ([Message(kind, body) for kind, body in zip(kinds, bodies, strict=True)], "")


def test_a_message_in_fragments_is_put_together_and_a_ping_may_come_in_between() -> None:
    """The control frame is told first: it was whole first."""
    pieces = (
        served(TEXT, b"one ", is_last=False),
        served(PING, b"?"),
        served(CONTINUATION, b"two ", is_last=False),
        served(CONTINUATION, b"three"),
        served(BINARY, b"next"),
    )

    assert read(b"".join(pieces)) == (
        [Message(PING, b"?"), Message(TEXT, b"one two three"), Message(BINARY, b"next")],
        "",
    )


@pytest.mark.parametrize(
    "bad",
    [
        served(TEXT, b"x", bits=0x40),
        served(TEXT, b"x", bits=0x10),
        frame(TEXT, b"x", b"mask"),
        served(3, b"x"),
        served(11, b""),
        served(CONTINUATION, b"x"),
        served(TEXT, b"x", is_last=False) + served(TEXT, b"y"),
        served(PING, b"x", is_last=False),
        served(CLOSE, b"x" * 126),
        b"\x81\x7f" + (MESSAGE_LEN_MAX + 1).to_bytes(8),
        b"\x81\x7f" + b"\xff" * 8,
    ],
    ids=[
        "compressed",
        "reserved",
        "masked",
        "unknown",
        "unknown_control",
        "continues_nothing",
        "not_continued",
        "control_in_fragments",
        "long_control",
        "too_long",
        "absurdly_long",
    ],
)
def test_what_cannot_be_a_frame_ends_it_and_costs_nothing_before_it(bad: bytes) -> None:
    """Where one frame is lost, nobody knows where the next one begins; what was whole before it still counts."""
    reader = FrameReader()

    found = reader.take(served(TEXT, b"a fill") + bad + served(TEXT, b"never"))

    assert found == [Message(TEXT, b"a fill")]
    assert reader.failure
    assert reader.take(served(TEXT, b"never")) == []


def test_fragments_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that never ends would take all memory there is."""
    monkeypatch.setattr(frames, "MESSAGE_LEN_MAX", 100)
    reader = FrameReader()

    assert reader.take(served(TEXT, b"x" * 60, is_last=False) + served(CONTINUATION, b"x" * 60, is_last=False)) == []
    assert "more than 100 bytes" in reader.failure


def test_no_bytes_break_the_reader() -> None:
    """Whatever comes, it is messages or it is not; nothing is raised."""
    chance = random.Random(7)
    for _ in range(3_000):
        reader = FrameReader()
        for _ in range(4):
            reader.take(bytes([chance.choice([0x81, 0x01, 0x80, 0x89, chance.randrange(256)])]) + chance.randbytes(9))


def test_what_we_say_is_as_the_standard_shows_it() -> None:
    """RFC 6455, 5.7: a masked text message that contains 'Hello'."""
    assert frame(TEXT, b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex("818537fa213d7f9f4d5158")


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_what_we_say_can_be_unmasked(length: int) -> None:
    """The mask changes how it looks on the way, and nothing else."""
    body, mask = bytes(number % 251 for number in range(length)), b"\x01\xff\x00\x80"
    raw = frame(PONG, body, mask)
    masked = raw[len(raw) - length :]

    assert raw[len(raw) - length - 4 : len(raw) - length] == mask
    assert bytes(byte ^ mask[number % 4] for number, byte in enumerate(masked)) == body


def test_a_handshake_is_answered_as_the_standard_shows_it() -> None:
    """RFC 6455, 1.3: only who has read the key can give this answer."""
    assert accepted("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(("body", "code"), [(b"\x03\xe8bye", 1_000), (b"", 0), (b"\x03", 0)])
def test_a_close_says_why_or_does_not(body: bytes, code: int) -> None:
    """Its first two bytes, where there are any."""
    assert close_code(body) == code
