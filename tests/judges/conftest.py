"""What judges need a client of their own is left out where it is not installed: `./hr test --all` brings it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.judges.lab import Lab

JUDGED_BY_CCXT = ["test_requests.py", "test_ccxt_*.py"]
JUDGED_BY_BINANCE = ["test_binance_client.py"]

collect_ignore_glob = [
    *(JUDGED_BY_CCXT if find_spec("ccxt") is None else ()),
    *(JUDGED_BY_BINANCE if find_spec("binance_sdk_spot") is None else ()),
]


@pytest.fixture(scope="session")
def ca_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a certificate for all of Binance's hosts is made, once."""
    return tmp_path_factory.mktemp("ca")


@pytest.fixture
def lab(ca_folder: Path) -> Iterator[Lab]:
    """An emulator that answers to all of Binance's names, on a loop of its own."""
    with asyncio.Runner() as runner:
        made = Lab(runner, ca_folder)
        made.run(made.open())
        yield made
        made.run(made.close())
