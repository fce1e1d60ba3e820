"""The accounts that ccxt is run with, one for each way of trading at Binance, and how ccxt is told which is meant."""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct, frozen=True):
    """One way of trading."""

    kind: str
    "The emulator's word for the account."
    product: str
    "Which of its two markets."
    client: str
    "ccxt's class."
    symbol: str
    params: dict[str, object]
    "What goes with every call."

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.product}"

    @property
    def is_portfolio(self) -> bool:
        return self.kind == "portfolio"

    @property
    def is_futures(self) -> bool:
        return self.product == "usdm"


_CROSS: dict[str, object] = {"marginMode": "cross"}
_PM: dict[str, object] = {"portfolioMargin": True}

SPOT = Account("spot", "spot", "binance", "BTC/USDT", {})
MARGIN = Account("margin", "spot", "binance", "BTC/USDT", _CROSS)
USDM = Account("usdm", "usdm", "binanceusdm", "BTC/USDT:USDT", {})
PORTFOLIO_UM = Account("portfolio", "usdm", "binance", "BTC/USDT:USDT", _PM)
PORTFOLIO_MARGIN = Account("portfolio", "spot", "binance", "BTC/USDT", _CROSS | _PM)
ACCOUNTS = (SPOT, MARGIN, USDM, PORTFOLIO_UM, PORTFOLIO_MARGIN)
