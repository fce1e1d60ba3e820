"""What a policy may say beyond orders: its own alarms, a residual by choice, and prices that cannot matter."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core.book import Book
from hedgerow.core.commands import AlarmCleared, AlarmRaised
from hedgerow.core.events import Action, OperatorCommanded, TimeReached
from hedgerow.core.holds import Alarm, AlarmKind, HoldReason
from hedgerow.core.target import NetTarget, Taking, Target, WakePrice
from hedgerow.model.market import Quote
from hedgerow.model.order import Role
from tests.core.books import LEAD, Desk, Quoting, S, entry, submits

LEFT = Alarm(AlarmKind.OUT_OF_RANGE, "lead", "the market is 3 % above the range")


class Telling(Quoting):
    """A policy that says what a test tells it to."""

    alarms: tuple[Alarm, ...] = ()
    unhedged_reason = ""

    def target(self, book: Book) -> Target:
        wanted = super().target(book)
        if self.unhedged_reason:
            wanted = replace(wanted, nets=())
        return replace(wanted, alarms=self.alarms, unhedged_reason=self.unhedged_reason)


def test_an_alarm_of_the_policy_stands_as_long_as_its_target_names_it() -> None:
    """What a person must look at is told once, and taken back by itself."""
    policy = Telling()
    desk = Desk(policy)

    policy.alarms = (LEFT,)
    raised = desk.tell(OperatorCommanded(desk.now_ns, Action.SIGNAL, detail="look"))
    desk.wait(3 * S)
    policy.alarms = ()
    cleared = desk.tell(OperatorCommanded(desk.now_ns, Action.SIGNAL, detail="look"))

    assert [command.alarm for command in raised if isinstance(command, AlarmRaised)] == [LEFT]
    assert [command.alarm for command in desk.log if isinstance(command, AlarmRaised)] == [LEFT]
    assert [command.key for command in cleared if isinstance(command, AlarmCleared)] == [LEFT.key]


def test_a_residual_by_choice_raises_no_alarm_by_its_age() -> None:
    """A winner that runs on alone is wanted so; the alarm is for what is not."""
    policy = Telling(entry())
    desk = Desk(policy)
    policy.unhedged_reason = "the winner runs"

    desk.fills(desk.standing(), "0.4")
    desk.wait(30 * S)
    by_choice = [alarm.kind for alarm in desk.book.state.alarms.values()]
    policy.unhedged_reason = ""
    desk.tell(TimeReached(desk.now_ns))
    desk.tell(TimeReached(desk.now_ns))

    assert desk.book.residual == Decimal("0.4")
    assert by_choice == []
    assert AlarmKind.RESIDUAL_AGED in [alarm.kind for alarm in desk.book.state.alarms.values()]


def test_a_quote_lies_inside_wake_prices_only_with_both_sides() -> None:
    """A side that is missing may change what a policy wants."""
    inside = WakePrice(LEAD, Decimal(99), Decimal(101))
    bids, asks = ((Decimal(99), Decimal(1)),), ((Decimal(101), Decimal(1)),)
    quote = Quote(Desk(Quoting()).config.legs[0].instrument.id, 1, bids, asks)

    assert inside.spans(quote)
    assert WakePrice(LEAD).spans(quote)
    assert not inside.spans(replace(quote, bids=((Decimal("98.9"), Decimal(1)),)))
    assert not inside.spans(replace(quote, asks=((Decimal("101.1"), Decimal(1)),)))
    assert not WakePrice(LEAD).spans(replace(quote, asks=()))


class Closing(Quoting):
    """A policy that holds an entry until it is told to close the lead leg."""

    closes = False

    def target(self, book: Book) -> Target:
        if not self.closes:
            return super().target(book)
        return Target(nets=(NetTarget(LEAD, Decimal(0), Taking(), Role.EXIT),))


def test_a_small_exit_waits_for_a_price_after_a_restart() -> None:
    """Before the first quote nobody can say whether 6 of notional is still above a minimum of 5; 40 surely is."""
    told = []
    for qty in ("0.06", "0.4"):
        policy = Closing(entry())
        desk = Desk(policy)
        (hedge,) = submits(desk.fills(desk.standing(), qty))
        desk.fills(hedge, qty)
        policy.closes = True
        again = desk.restarted()
        orders = [order for order in submits(again.log) if order.leg_id == LEAD]
        reasons = [hold.reason for key, hold in again.book.state.holds.items() if key == f"{LEAD}/"]
        told.append((len(orders), reasons))

    assert told == [(0, [HoldReason.NO_MARK_PRICE]), (1, [])]
