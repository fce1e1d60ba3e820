"""Words: closed lists whose members cost nothing to name."""

from __future__ import annotations

import http
import re
import signal
import socket
from enum import Enum, EnumType

import pytest

from hedgerow.model.order import OrderStatus, Side
from hedgerow.model.words import Word


@pytest.mark.parametrize(
    "words", [Side, OrderStatus, http.HTTPStatus, re.RegexFlag, signal.Signals, socket.AddressFamily]
)
def test_every_member_is_an_attribute_of_its_class(words: type[Enum]) -> None:
    """Ours and the standard library's: none of them is found only through a hook of the metaclass."""
    assert not hasattr(EnumType, "__getattr__")
    assert all(getattr(words, name) is member for name, member in words.__members__.items())


def test_what_is_no_member_is_refused() -> None:
    """A misspelled word is an error where it stands."""
    with pytest.raises(AttributeError, match="HODL"):
        _ = Side.HODL  # type: ignore[attr-defined]


def test_a_word_is_itself_in_sets_and_after_a_lookup() -> None:
    """The hash is by identity, and a value leads to the one member that has it."""
    assert {Side.BUY, Side("buy")} == {Side.BUY}
    assert issubclass(Side, Word)
