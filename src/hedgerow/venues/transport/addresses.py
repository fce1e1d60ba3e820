"""Where requests may go. Only an account that is live may ever name an address where money is."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from hedgerow.model.reach import Reach

_SOCKETS = {"http": "ws", "https": "wss"}


class BadAddress(ValueError):
    """An address that may not be used. The text is for the operator."""


class Addresses:
    """Name of a host -> its base address: all that one account can reach, fixed when it is made."""

    def __init__(self, reach: Reach, by_name: Mapping[str, str]) -> None:
        self.reach = reach
        self._by_name = dict(by_name)

    def __getitem__(self, name: str) -> str:
        assert name in self._by_name, f"{self.reach.value} has no host {name}"
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._by_name.values())


def addresses_of(
    reach: Reach, live: Mapping[str, str], testnet: Mapping[str, str], emulator: str | None = None
) -> Addresses:
    """Return what an account may reach.

    Args:
        live: name -> address where money is.
        testnet: the same of the venue's test exchange.
        emulator: base address of the emulator.

    Raises:
        BadAddress: this reach has no venue, or the emulator's address is missing, not needed, or not on this machine.
    """
    if reach in (Reach.SIM, Reach.PAPER):
        raise BadAddress(f"what is {reach.value} reaches no venue")
    assert reach in (Reach.LIVE, Reach.TESTNET, Reach.EMULATOR), reach
    if reach is not Reach.EMULATOR:
        if emulator is not None:
            raise BadAddress(f"an address of an emulator belongs to `mode: emulator`, not to {reach.value}")
        return Addresses(reach, live if reach is Reach.LIVE else testnet)
    if emulator is None:
        raise BadAddress("`mode: emulator` needs the emulator's address, e.g. http://127.0.0.1:8900")
    base = _checked(emulator)
    return Addresses(reach, {name: _at_emulator(base, address) for name, address in live.items()})


def _at_emulator(base: str, address: str) -> str:
    """Return where an emulator serves what the venue has at an address: all hosts are on one port, first in paths."""
    real, here = urlsplit(address), urlsplit(base)
    scheme = here.scheme if real.scheme == "https" else _SOCKETS[here.scheme]
    return f"{scheme}://{here.netloc}/{real.hostname}{real.path}"


def _checked(address: str) -> str:
    """Return an address without its last slash; it is one on this machine, so that no money can be behind it."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadAddress(f"{address} is no address: {error}") from error
    if parts.scheme not in _SOCKETS or not host or parts.path.strip("/") or parts.query or parts.username:
        raise BadAddress(f"{address} is no address of an emulator; use e.g. http://127.0.0.1:8900")
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise BadAddress(f"{host} is not on this machine: an emulator is reached at 127.0.0.1, ::1 or localhost")
    return address.rstrip("/")
