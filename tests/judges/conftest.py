"""What judges need a client of their own is left out where it is not installed: `./hr test --all` brings it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.judges.lab import Lab, certificate

JUDGED_BY_CCXT = ["test_requests.py", "test_ccxt_parsers.py", "test_ccxt_rest.py", "test_ccxt_streams.py"]
JUDGED_BY_BINANCE = ["test_binance_client.py"]

collect_ignore = [
    *(JUDGED_BY_CCXT if find_spec("ccxt") is None else ()),
    *(JUDGED_BY_BINANCE if find_spec("binance_sdk_spot") is None else ()),
]


@pytest.fixture(scope="session")
def certificate_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for all of Binance's hosts, and its key."""
    return certificate(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def lab(certificate_files: tuple[Path, Path]) -> Iterator[Lab]:
    """An emulator that answers to all of Binance's names, on a loop of its own."""
    with asyncio.Runner() as runner:
        made = Lab(runner, certificate_files)
        made.run(made.open())
        yield made
        made.run(made.close())
