"""Names: of venues, accounts, instruments, books, legs, orders and trades, and the codecs of client order ids.

A client order id is made from (book, epoch, sequence) and from nothing else, so it is never used twice, and whose
order it is can be read off the id itself.
"""

from __future__ import annotations

from typing import NewType

import msgspec

VenueId = NewType("VenueId", str)
AccountId = NewType("AccountId", str)
"`VENUE/NAME`, e.g. `simA/main`."
InstrumentId = NewType("InstrumentId", str)
"`VENUE:SYMBOL`, e.g. `simA:BTC-USD`."
BookId = NewType("BookId", str)
LegId = NewType("LegId", str)
"The leg's name inside its book, e.g. `lead` or `hedge`."
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)
TradeId = NewType("TradeId", str)
"The venue's own id of one execution; unique per (account, instrument)."

# `hr` marks every order of this program at a venue; ids without it are foreign and are never touched.
ID_PREFIX = "hr"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class IdExhausted(ValueError):
    """The venue's id space has no room for this (book, epoch, sequence). Nothing was sent."""


class OrderKey(msgspec.Struct, frozen=True):
    """What a client order id says: whose order, of which run of the engine, and which one of it."""

    book_tag: str
    "Short lower-case name of the book at venues: 1 to 8 characters of a-z and 0-9, unique per state folder."
    epoch: int
    "Which run of the engine sent it, from 1."
    order_seq: int
    "Which order of that run, from 1."


def base36(number: int) -> str:
    """Return `number` >= 0 in base 36, lower case, without padding."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits


def encode_order_id(key: OrderKey) -> ClientOrderId:
    """Return the text form, `hr-TAG-EPOCH-SEQ` with base-36 numbers: at most 32 characters of a-z, 0-9 and `-`.

    Legal at every venue that takes text ids (Binance and Aster: 36 characters, Bitget 32, Alpaca 128).
    """
    return ClientOrderId(f"{ID_PREFIX}-{key.book_tag}-{base36(key.epoch)}-{base36(key.order_seq)}")


def decode_order_id(text: str) -> OrderKey | None:
    """Return what the id says, or None when it is not one of ours."""
    parts = text.split("-")
    if len(parts) != 4 or parts[0] != ID_PREFIX or not parts[1]:
        return None
    try:
        return OrderKey(parts[1], int(parts[2], 36), int(parts[3], 36))
    except ValueError:
        return None


class IntIdCodec(msgspec.Struct, frozen=True):
    """Packs an order key into the integer ids of venues without text ids, high bits first: book, epoch, sequence.

    Backpack takes a uint32 (4 + 10 + 18 bits), Lighter 1 to 2^48 - 1 (8 + 16 + 24 bits). Reversible with the
    book's number.
    """

    book_bits: int
    epoch_bits: int
    seq_bits: int

    def encode(self, book_number: int, key: OrderKey) -> int:
        """Return the integer id, always > 0.

        Raises:
            IdExhausted: a part does not fit; wrapping around would use an id twice.
        """
        for name, value, bits in (
            ("book number", book_number, self.book_bits),
            ("epoch", key.epoch, self.epoch_bits),
            ("order sequence", key.order_seq, self.seq_bits),
        ):
            if not 0 <= value < 1 << bits:
                raise IdExhausted(f"{name} {value} does not fit in {bits} bits")
        return (book_number << self.epoch_bits | key.epoch) << self.seq_bits | key.order_seq

    def decode(self, number: int) -> tuple[int, int, int]:
        """Return (book number, epoch, order sequence)."""
        epoch_and_book, order_seq = divmod(number, 1 << self.seq_bits)
        book_number, epoch = divmod(epoch_and_book, 1 << self.epoch_bits)
        return book_number, epoch, order_seq
