"""What of an account a book watches, and what of that it may close: the words of the config against what is found."""

from __future__ import annotations

import re

import msgspec

from hedgerow.core.config import LegConfig
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId
from hedgerow.model.instrument import Instrument, InstrumentKind
from hedgerow.model.occ import parse_occ

ALL = "all"
KINDS = (InstrumentKind.STOCK, InstrumentKind.OPTION)
WORDS = (ALL, *(kind.value for kind in KINDS))


class Watch(msgspec.Struct, frozen=True):
    """One account that a book watches, and what of it the book may close."""

    book_id: BookId
    account_id: AccountId
    watched: frozenset[str]
    "`all`, kinds, symbols; an underlying means its options too. Looked up, never iterated."
    adopted: frozenset[str]
    manual: frozenset[str]
    "Never touched, whatever is adopted."
    others: frozenset[InstrumentId]
    "What other books trade in this account: theirs."
    lease_ms: int
    visibility_ms: int

    def leg(self, instrument: Instrument) -> LegConfig | None:
        """Return the leg of a position that was found; None when it is not watched."""
        if instrument.kind not in KINDS or instrument.id in self.others:
            return None
        names = names_of(instrument)
        if names.isdisjoint(self.watched):
            return None
        manual = not names.isdisjoint(self.manual)
        adopt = not manual and not names.isdisjoint(self.adopted)
        symbol = instrument.id.partition(":")[2]
        return LegConfig(
            LegId(re.sub("[^a-z0-9]", "_", symbol.lower())),
            self.account_id,
            instrument,
            adopt,
            lease_ms=self.lease_ms,
            visibility_ms=self.visibility_ms,
            adopt_later=adopt,
            found=True,
            manual=manual,
        )


def names_of(instrument: Instrument) -> frozenset[str]:
    """Return every word that means this instrument in a config's `watch`, `adopt` and `manual`."""
    symbol = instrument.id.partition(":")[2]
    contract = parse_occ(symbol)
    underlying = symbol if contract is None else contract.underlying
    return frozenset((ALL, instrument.kind.value, symbol, underlying))
