"""Client order ids: from (book, epoch, sequence), reversible, never twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.model.ids import IdExhausted, IntIdCodec, OrderKey, decode_order_id, encode_order_id

KEYS = st.builds(
    OrderKey, st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), st.integers(1, 36**5), st.integers(1, 36**8)
)


@given(KEYS)
def test_text_ids_are_reversible_and_legal_at_every_venue(key: OrderKey) -> None:
    """At most 32 characters that Binance, Bitget and Alpaca all take."""
    text = encode_order_id(key)

    assert decode_order_id(text) == key
    assert len(text) <= 32
    assert re.fullmatch(r"[a-z0-9-]+", text)


@pytest.mark.parametrize("text", ["", "web_1", "hr-b1-1", "hr--1-1", "hr-b1-1-?", "x-TKT5PX2F0001", "hr-b1-1-1-1"])
def test_foreign_ids_are_not_ours(text: str) -> None:
    """What does not parse is somebody else's order and is never touched."""
    assert decode_order_id(text) is None


@given(st.integers(1, 15), st.integers(1, 1023), st.integers(1, 2**18 - 1))
def test_integer_ids_are_reversible(book_number: int, epoch: int, order_seq: int) -> None:
    """Backpack's uint32 holds book, epoch and sequence side by side."""
    codec = IntIdCodec(4, 10, 18)

    number = codec.encode(book_number, OrderKey("b", epoch, order_seq))

    assert 0 < number < 2**32
    assert codec.decode(number) == (book_number, epoch, order_seq)


@pytest.mark.parametrize(("book_number", "epoch", "order_seq"), [(16, 1, 1), (1, 1024, 1), (1, 1, 2**18)])
def test_a_full_id_space_refuses_instead_of_wrapping(book_number: int, epoch: int, order_seq: int) -> None:
    """Wrapping around would use an id twice."""
    with pytest.raises(IdExhausted):
        IntIdCodec(4, 10, 18).encode(book_number, OrderKey("b", epoch, order_seq))
