"""The engine of the demo, as a process of its own: books whose venues are behind a socket, so that it can be killed.

`python -m hedgerow.runtime.engine ORDERS`, where ORDERS is one `Orders` as JSON. Lines go to stdout, notes to stderr.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

import msgspec

from hedgerow.core.commands import Turn
from hedgerow.core.config import BookConfig
from hedgerow.model.ids import LegId
from hedgerow.runtime.clock import Origin
from hedgerow.runtime.config import load
from hedgerow.runtime.node import Node, Work
from hedgerow.runtime.node_config import NodeConfig
from hedgerow.runtime.outlet import Outlet
from hedgerow.runtime.story import Story, told
from hedgerow.venues.gateway import Teller
from hedgerow.venues.sim_gateway import Line, SimGateway
from hedgerow.venues.sim_server import RemoteDesk, connect
from hedgerow.venues.sim_wire import Hello

EXIT_UNREACHABLE = 5
# The note that says that every book knows its orders, trades and positions.
READY = "ready"


class Orders(msgspec.Struct, frozen=True):
    """What the process is told."""

    config: str
    state: str
    socket: str
    origin: Origin


async def run_engine(orders: Orders) -> int:
    """Run the books until a signal, or until the venues go away, and return the exit code."""
    config = load(Path(orders.config), Path(orders.state))
    story = Story()

    outlet = Outlet(sys.stdout, sys.stderr)
    try:
        return await _run(config, orders, story, outlet)
    finally:
        outlet.close()


async def _run(config: NodeConfig, orders: Orders, story: Story, outlet: Outlet) -> int:
    def show(turns: list[tuple[int, Turn]]) -> None:
        for line in story.follow(turns):
            outlet.say(told(line))

    node = Node(
        config.books,
        config.journal,
        orders.origin,
        outlet.note,
        show,
        config.budgets,
        on_ready=lambda: outlet.note(READY),
    )
    story.begin(node.books.values())
    lines: dict[tuple[str, LegId], Line] = {}
    gateways: dict[tuple[str, LegId], Teller] = {}
    tasks: dict[str, Work] = {}
    try:
        for book in config.books:
            for leg in book.legs:
                key = (book.book_id, leg.id)
                gateway = SimGateway(leg.account_id, leg.lease_ms, node.clock, partial(lines.__getitem__, key))
                line: RemoteDesk = await connect(
                    Path(orders.socket), Hello(leg.account_id, leg.instrument.id), gateway.receive
                )
                gateways[key], lines[key] = gateway, line
                tasks[f"line of {book.book_id} {leg.id}"] = line.listen
    except OSError as error:
        node.abandon()
        outlet.note(f"the simulated venues cannot be reached: {error}")
        return EXIT_UNREACHABLE

    def gateway_of(book: BookConfig, leg_id: LegId) -> Teller:
        return gateways[book.book_id, leg_id]

    return await node.run(gateway_of, tasks)


def main() -> None:
    """Run as a process."""
    sys.exit(asyncio.run(run_engine(msgspec.json.decode(sys.argv[1], type=Orders))))


if __name__ == "__main__":
    main()
