"""Numbers and texts of a venue: what can be, and how the rest is told."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from hedgerow.core import sanity
from hedgerow.venues.wire import payload
from hedgerow.venues.wire.payload import BadPayload, amount, decoded, ns_of, positive, printable, shown, unsigned

MS = 1_800_000_000_123


NO_NUMBERS = [
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "1e13",
    "1e999999",
    "",
    " 1",
    "1 ",
    "1_0",
    "+1",
    "1.",
    ".5",
    "0x1",
]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "１", "١", "1,5", "1e", "--1", "1\n", "9" * 41])
def test_a_number_that_cannot_be_is_none(text: str) -> None:
    """One NaN in a ledger breaks every sum after it, and ten must not be read where 1_0 stands."""
    for judge in (amount, unsigned, positive):
        with pytest.raises(BadPayload, match="qty"):
            judge(text, "qty")


def test_signs_are_judged_apart() -> None:
    """A balance may be below zero, a qty may not, a price may not be zero."""
    assert amount("-1", "x") == -1
    assert unsigned("0E-8", "x") == 0
    assert positive("1e-12", "x") == Decimal("1e-12")
    assert positive(3, "x") == 3
    for judge, value in ((unsigned, "-1"), (positive, "0"), (positive, "-1"), (positive, "1e-13")):
        with pytest.raises(BadPayload):
            judge(value, "x")


def test_the_bounds_are_the_cores() -> None:
    """What passes here and is stopped there would be an event that nobody sees."""
    assert (payload.LARGEST, payload.SMALLEST) == (sanity.LARGEST, sanity.SMALLEST)


def test_times_are_told_apart_by_their_size() -> None:
    """A venue that changes its unit must not make every age a thousand times wrong."""
    assert ns_of(MS, "T") == MS * 1_000_000
    assert ns_of(MS * 1_000 + 456, "T") == MS * 1_000_000 + 456_000
    for wrong in (0, -1, MS // 1_000, MS * 1_000_000, 10**30):
        with pytest.raises(BadPayload, match="no time"):
            ns_of(wrong, "T")


def test_texts_of_a_venue_cannot_write_on_a_terminal() -> None:
    """A line break in a message forges a line in a log."""
    assert printable("a\nb\x1b[31mc", 100) == "a·b·[31mc"
    assert printable("abc", 2) == "ab…"
    assert len(shown(b"x" * 10_000)) == payload.SHOWN_LEN + 1
    assert shown(b"\xff\x00") == "\ufffd·"
    assert shown(msgspec.Raw(b"{}")) == "{}"


@pytest.mark.parametrize("raw", [b"", b"{", b"7", b'"\xff"', "\ud800", b"[" * 100_000])
def test_what_is_no_json_of_the_shape_is_one_kind_of_error(raw: bytes | str) -> None:
    """One handler keeps the frame and goes on."""
    with pytest.raises(BadPayload):
        decoded(msgspec.json.Decoder(list[str]), raw)


@pytest.mark.parametrize(
    ("text", "told"),
    [("61829.76000000", "61829.76"), ("100.000", "100"), ("0.00", "0"), ("10", "10"), ("-5.0", "-5")],
)
def test_zeros_at_the_end_are_not_told(text: str, told: str) -> None:
    """Each venue pads its numbers; a person reads every one of them."""
    found = payload.amount(text, "n")

    assert found == Decimal(text)
    assert str(found) == told
    assert payload.amount("1.50e2", "n") == 150
