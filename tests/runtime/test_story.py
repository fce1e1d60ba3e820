"""The live lines: what people are told of a hedge, from durable turns alone."""

from __future__ import annotations

from hedgerow.core.config import NS_PER_MS, NS_PER_S
from hedgerow.model.ids import VenueId
from hedgerow.runtime.story import Line, Story, duration, told
from tests.runtime.worlds import CONFIG, HEDGE, World
from tests.venues.clockwork import START_NS, S


def lines_of(world: World) -> list[Line]:
    story = Story()
    return story.follow((record.seq, record.turn) for record in world.disk.store.turns())


def test_a_fill_and_its_hedge_are_told_with_the_time_between_them() -> None:
    """By the venues' clocks: what counts is how long the position was naked."""
    world = World()
    world.run(S)
    world.hit()
    world.run(S)

    fill, hedge = [line for line in lines_of(world) if line.what in ("fill", "hedge")]

    assert fill.text.split() == ["hr-btc-1-1", "BUY", "0.050", "BTC-PERP", "60000.0", "simA/main"]
    assert hedge.text.split()[:6] == ["hr-btc-1-2", "SELL", "0.050", "BTC-PERP", "60000", "simB/hedge"]
    assert hedge.text.endswith("10.2 ms")


def test_a_dead_venue_is_told_as_a_wait_with_its_reason_and_then_as_recovered() -> None:
    """A hedge that does not fire always says why."""
    world = World()
    world.run(S)
    world.venues.go_dark(VenueId("simB"), 4 * S)
    world.hit()
    world.run(90 * S)

    lines = lines_of(world)

    waits = [line.text for line in lines if line.what == "WAIT"]
    assert waits[0].startswith("residual +0.050 BTC ($3,000), simB/hedge: ")
    assert any("outcome is unknown" in text for text in waits)
    (hedge,) = [line.text for line in lines if line.what == "hedge"]
    assert hedge.endswith("recovered")
    assert [line.what for line in lines if line.what in ("link", "ALARM")][:2] == ["link", "ALARM"]


def test_a_remainder_is_no_wait_while_the_rest_is_hedged() -> None:
    """A fee in base leaves less than a step at every fill; told as a wait, it would hide the waits that matter."""
    spot = CONFIG.replace("simA/main, symbol: BTC-PERP", "simA/main, symbol: BTC-USD")
    world = World(config=f"{spot}venues: {{simA: {{instruments: {{BTC-USD: {{fee_currency: received}}}}}}}}\n")
    world.run(S)
    world.hit()
    world.run(S)

    fill, hedge = lines_of(world)

    assert (fill.what, hedge.what) == ("fill", "hedge")
    assert hedge.text.endswith("10.2 ms")
    assert [hold.reason.value for hold in world.book.state.holds.values() if hold.leg_id == HEDGE] == ["below_minimum"]


def test_a_lost_fill_is_told_as_found() -> None:
    """The reader sees that the stream was not what brought it."""
    world = World()
    world.run(S)
    world.venues.drop_next_fill(world.account(HEDGE))
    world.hit()
    world.run(20 * S)

    (hedge,) = [line.text for line in lines_of(world) if line.what == "hedge"]

    assert hedge.endswith("found in the venue's trades")


def test_a_story_that_begins_in_the_middle_tells_only_what_is_new() -> None:
    """A restarted node must not tell the past again."""
    world = World()
    world.run(S)
    world.hit()
    world.run(S)
    story = Story()
    story.begin([world.book])
    before = world.disk.store.last_seq

    world.hit()
    world.run(S)
    lines = story.follow((record.seq, record.turn) for record in world.disk.store.turns(before))

    assert [line.what for line in lines] == ["fill", "hedge"]
    assert story.fills == 1


def test_what_a_restart_still_waits_for_is_told() -> None:
    """The hold may start in the very turn that starts the book."""
    world = World()
    world.run(S)
    world.venues.go_dark(VenueId("simB"), 90 * S)
    world.hit()
    world.run(S)
    story = Story()
    story.begin([world.book])
    before = world.disk.store.last_seq
    world.restart()
    world.run(S)

    lines = story.follow((record.seq, record.turn) for record in world.disk.store.turns(before))

    assert [line.what for line in lines][:2] == ["start", "WAIT"]


def test_times_and_durations_are_for_people() -> None:
    """Milliseconds below a second, hundredths above."""
    assert told(Line(START_NS + 7 * NS_PER_MS, "fill", "x")) == "22:13:20.007  fill    x"
    assert duration(21_200_000) == "21.2 ms"
    assert duration(1_830_000_000 + NS_PER_S) == "2.83 s"
