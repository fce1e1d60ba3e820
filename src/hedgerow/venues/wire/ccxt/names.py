"""Our names of orders as an exchange behind ccxt takes them, and back."""

from __future__ import annotations

import msgspec

from hedgerow.model.ids import ID_PREFIX, ClientOrderId

_DASH = "-"


class Naming(msgspec.Struct, frozen=True):
    """How an exchange writes names: ours have characters of a-z, 0-9 and the dash."""

    dash: str = _DASH
    "What stands for the dash; never a character of ours."
    prefix: str = ""
    "What every name must begin with."
    len_max: int = 32


class NameTooLong(ValueError):
    """The exchange takes no name of this length. Nothing was sent."""


PLAIN = Naming()
# Source: the exchanges' docs of new orders (recalled, not checked): OKX letters and digits alone, Gate a prefix,
# Kraken 18 characters of free text.
NAMINGS: dict[str, Naming] = {
    "gate": Naming(prefix="t-", len_max=30),
    "gateio": Naming(prefix="t-", len_max=30),
    "kraken": Naming(len_max=18),
    "myokx": Naming(dash="X"),
    "okx": Naming(dash="X"),
    "okxus": Naming(dash="X"),
}
# Without a name that comes back, an order whose answer was lost could never be found again.
# Source: the exchanges' docs and ccxt 4.5.90 (Backpack and Lighter checked, the others recalled).
NAMELESS: dict[str, str] = {
    "backpack": "its orders are named by numbers",
    "bitfinex": "its orders are named by numbers",
    "deribit": "an order is not found by its label",
    "hyperliquid": "its orders are named by 128-bit numbers",
    "lighter": "its orders are named by numbers",
}


def naming_of(exchange: str) -> Naming:
    """Return how an exchange writes names."""
    return NAMINGS.get(exchange, PLAIN)


def written(naming: Naming, order_id: ClientOrderId) -> str:
    """Return our name as the exchange takes it.

    Raises:
        NameTooLong: it takes none of this length.
    """
    name = naming.prefix + order_id.replace(_DASH, naming.dash)
    if len(name) > naming.len_max:
        raise NameTooLong(f"{name} has {len(name)} characters, and the exchange takes {naming.len_max}")
    return name


def read(naming: Naming, name: str) -> ClientOrderId:
    """Return our name out of what the exchange shows; a name that is not ours stays as it is."""
    bare = name.removeprefix(naming.prefix)
    if bare.startswith(ID_PREFIX + naming.dash):
        return ClientOrderId(bare.replace(naming.dash, _DASH))
    return ClientOrderId(name)
