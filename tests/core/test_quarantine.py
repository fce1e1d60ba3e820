"""A frame that nobody could read: kept, and what it may have told is read by other ways."""

from hedgerow.core.commands import Read
from hedgerow.core.events import FrameQuarantined, ReadKind
from tests.core.books import LEAD, Desk, Quoting, S, entry


def test_an_unreadable_frame_is_kept_and_trades_and_orders_are_read_at_once() -> None:
    """It may have been a fill: the next hedge must not wait for the usual read."""
    desk = Desk(Quoting(entry()))
    desk.wait(2 * S)
    frame = FrameQuarantined(desk.now_ns, LEAD, "an event of the unknown kind X", '{"e":"X"}')

    commands = desk.tell(frame)

    read = [(command.leg_id, command.kind) for command in commands if isinstance(command, Read)]
    assert sorted(read, key=str) == [(LEAD, ReadKind.OPEN_ORDERS), (LEAD, ReadKind.TRADES)]
