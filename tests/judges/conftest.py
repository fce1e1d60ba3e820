"""What judges need a client of their own is left out where it is not installed: `./hr test --all` brings it."""

from __future__ import annotations

from importlib.util import find_spec

JUDGED_BY_CCXT = ["test_requests.py", "test_ccxt_parsers.py", "test_ccxt_rest.py", "test_ccxt_streams.py"]
JUDGED_BY_BINANCE = ["test_binance_client.py"]

collect_ignore = [
    *(JUDGED_BY_CCXT if find_spec("ccxt") is None else ()),
    *(JUDGED_BY_BINANCE if find_spec("binance_sdk_spot") is None else ()),
]
