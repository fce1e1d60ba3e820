"""One request as an endpoint reads it: parameters checked as they are taken, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from hedgerow.emulators.binance.customers import Customer, Kind
from hedgerow.emulators.binance.errors import BAD_KEY, BAD_SYMBOL, Refusal, illegal, missing
from hedgerow.emulators.binance.floor import Board
from hedgerow.emulators.binance.orders import NUMBER, NUMBER_LEGAL, Product

if TYPE_CHECKING:
    from hedgerow.emulators.binance.desk import Desk
    from hedgerow.emulators.binance.venue import Venue

INTEGER_LEGAL = r"^[0-9]{1,20}$"


class Security(Enum):
    """What a request must carry."""

    NONE = "none"
    KEY = "key"
    "The API key alone."
    SIGNED = "signed"


class Call:
    """One request. Reading a parameter that is missing or malformed raises Refusal, as the venue words it."""

    def __init__(self, venue: Venue, params: Mapping[str, str], customer: Customer | None) -> None:
        self.venue = venue
        self.params = params
        self._customer = customer

    @property
    def customer(self) -> Customer:
        """Who asks; there is one wherever a key is needed."""
        assert self._customer is not None, self.params
        return self._customer

    def desk(self, kind: Kind, product: Product | None = None) -> Desk:
        """Return the customer's account of a kind. Raises Refusal where it has none."""
        found = self.venue.desks.get((self.customer.name, kind, product or PRODUCT_OF[kind]))
        if found is None:
            raise Refusal(BAD_KEY)
        return found

    def maybe(self, name: str) -> str:
        """Return a text; empty when it was not sent."""
        return self.params.get(name, "")

    def text(self, name: str) -> str:
        found = self.params.get(name, "")
        if not found:
            raise missing(name)
        return found

    def number(self, name: str) -> Decimal | None:
        """Return a number >= 0; None when it was not sent."""
        found = self.params.get(name, "")
        if not found:
            return None
        if NUMBER.fullmatch(found) is None:
            raise illegal(name, NUMBER_LEGAL)
        return Decimal(found)

    def needed_number(self, name: str) -> Decimal:
        found = self.number(name)
        if found is None:
            raise missing(name)
        return found

    def whole(self, name: str, otherwise: int) -> int:
        """Return a whole number >= 0."""
        found = self.maybe_whole(name)
        return otherwise if found is None else found

    def maybe_whole(self, name: str) -> int | None:
        """Return a whole number >= 0; None when it was not sent."""
        found = self.params.get(name, "")
        if not found:
            return None
        if not found.isdigit() or len(found) > 20:
            raise illegal(name, INTEGER_LEGAL)
        return int(found)

    def flag(self, name: str) -> bool:
        """Return a boolean; false when it was not sent. Only `true` and `false` are any."""
        found = self.params.get(name, "").lower()
        if found not in ("", "true", "false"):
            raise illegal(name, "true|false")
        return found == "true"

    def symbol(self, product: Product) -> Board:
        """Return the board of the symbol that is asked for."""
        return self.board(product, self.text("symbol"))

    def board(self, product: Product, symbol: str) -> Board:
        """Return the board of a symbol."""
        found = self.venue.floor.boards.get((product, symbol))
        if found is None:
            raise Refusal(BAD_SYMBOL)
        return found

    def boards(self, product: Product) -> list[Board]:
        """Return all boards of a product."""
        return [board for (each, _), board in self.venue.floor.boards.items() if each is product]


# Of portfolio margin, its futures side; the margin side is named.
PRODUCT_OF = {
    Kind.SPOT: Product.SPOT,
    Kind.MARGIN: Product.SPOT,
    Kind.USDM: Product.USDM,
    Kind.PORTFOLIO: Product.USDM,
}


class Endpoint(NamedTuple):
    """What answers one method and path."""

    answer: Callable[[Call], object]
    security: Security = Security.NONE
    weight: int = 1
    orders: int = 0
    "New orders that it counts as."
    takes: frozenset[str] | None = None
    "All parameters that it knows; None where the venue does not mind others."


Endpoints = dict[tuple[str, str], Endpoint]
"(method, path) -> what answers."
