"""The page of a sweep: a heat map and a table in one HTML file that opens from disk, without a network."""

from __future__ import annotations

import html
import re
from importlib.resources import files

import msgspec

from hedgerow.sim.backtest.sweep import Sweep

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def page(sweep: Sweep) -> str:
    """Return the whole page; its data, style and script are inside."""
    parts = {
        "title": html.escape(f"{sweep.config} · sweep · hedgerow"),
        "style": _asset("report.css"),
        # The page's own end mark must not occur inside its data.
        "data": encoded(sweep).decode().replace("<", "\\u003c"),
    }
    return _PLACE.sub(lambda place: parts[place[1]], _asset("sweep.html"))


def encoded(sweep: Sweep) -> bytes:
    """Return a sweep as JSON, the same bytes for the same sweep."""
    return msgspec.json.encode(sweep)


def _asset(name: str) -> str:
    return (files("hedgerow.sim") / "web" / name).read_text(encoding="utf-8")
