"""Where requests may go, by how far an account reaches."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from hedgerow.model.reach import Reach
from hedgerow.venues.transport.addresses import BadAddress, addresses_of
from hedgerow.venues.wire.binance.kinds import LIVE_HOSTS, TESTNET_HOSTS

LIVE = {urlsplit(address).hostname for address in LIVE_HOSTS.values()}
HERE = "http://127.0.0.1:8900"


@pytest.mark.parametrize(
    ("reach", "emulator"), [(Reach.TESTNET, None), (Reach.EMULATOR, HERE), (Reach.EMULATOR, "https://[::1]:1")]
)
def test_only_what_is_live_can_name_an_address_where_money_is(reach: Reach, emulator: str | None) -> None:
    """There is no other way to an address than through these."""
    addresses = addresses_of(reach, LIVE_HOSTS, TESTNET_HOSTS, emulator)

    assert not {urlsplit(address).hostname for address in addresses.all} & LIVE


@pytest.mark.parametrize("reach", [Reach.SIM, Reach.PAPER])
def test_simulated_and_paper_money_reach_no_venue_at_all(reach: Reach) -> None:
    """Not even a test exchange: what is simulated stays in this process."""
    with pytest.raises(BadAddress, match="reaches no venue"):
        addresses_of(reach, LIVE_HOSTS, TESTNET_HOSTS)


@pytest.mark.parametrize(
    "address",
    [
        "https://api.binance.com",
        "https://fapi.binance.com/",
        "http://127.0.0.1.nip.io:80",
        "http://10.0.0.1:8900",
        "http://user@127.0.0.1:8900",
        "http://127.0.0.1:8900/api.binance.com",
        "ftp://127.0.0.1",
        "127.0.0.1:8900",
        "http://",
        "http://[",
        "http://localhost:x",
    ],
)
def test_an_emulator_is_on_this_machine(address: str) -> None:
    """Nobody's money is on loopback; an address elsewhere might be a proxy to it."""
    with pytest.raises(BadAddress):
        addresses_of(Reach.EMULATOR, LIVE_HOSTS, TESTNET_HOSTS, address)


def test_an_emulator_serves_each_host_by_its_name_in_the_path() -> None:
    """One port for all: the hosts are told apart as the venue tells them apart."""
    addresses = addresses_of(Reach.EMULATOR, LIVE_HOSTS, TESTNET_HOSTS, HERE)

    assert addresses["fapi"] == "http://127.0.0.1:8900/fapi.binance.com"
    assert addresses["ws-api"] == "ws://127.0.0.1:8900/ws-api.binance.com/ws-api/v3"


def test_a_live_account_takes_no_other_address() -> None:
    """A mistyped address would show signed requests to whoever has it."""
    with pytest.raises(BadAddress, match="belongs to `mode: emulator`"):
        addresses_of(Reach.LIVE, LIVE_HOSTS, TESTNET_HOSTS, HERE)
    assert addresses_of(Reach.LIVE, LIVE_HOSTS, TESTNET_HOSTS)["api"] == LIVE_HOSTS["api"]
