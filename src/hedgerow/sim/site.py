"""One venue of a simulated world: its exchange, and the lines by which books reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.market.answers import OrderReport, TradeReport
from hedgerow.market.exchange import SimExchange

if TYPE_CHECKING:
    from hedgerow.sim.line import Line


class Site:
    """What happens to an account is told on every line that leads to it: two books may share one."""

    def __init__(self, exchange: SimExchange) -> None:
        self.exchange = exchange
        self.lines: list[Line] = []

    def collect(self) -> None:
        """Take what happened at the exchange, and tell it to each line of that account and instrument."""
        reports = self.exchange.drain()
        if not reports:
            return
        touched: dict[int, Line] = {}
        for account_id, report in reports:
            if not isinstance(report, OrderReport | TradeReport):
                continue
            for index, line in enumerate(self.lines):
                if line.account_id == account_id and line.instrument.id == report.instrument_id:
                    touched[index] = line
                    line.take(report)
        for line in touched.values():
            line.note_position()

    def beside(self, line: Line) -> list[Line]:
        """Return the lines that trade the same instrument, whatever the account; `line` is one of them."""
        return [each for each in self.lines if each.instrument.id == line.instrument.id]
