"""What the set-up lines of a story describe: a book, its legs, their instruments and its policy."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from hedgerow.core.config import NS_PER_S, BookConfig, HedgeRule, LegConfig, Limits, Timing
from hedgerow.core.target import Strategy
from hedgerow.model.ids import BookId, ClientOrderId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.market import Level
from hedgerow.model.numbers import ONE
from hedgerow.model.order import Side
from hedgerow.model.session import Session, Sessions
from hedgerow.sim.stage import START_NS, Placed, Stage
from hedgerow.sim.story import BadStory, Line, split
from hedgerow.strategies import POLICIES, make
from hedgerow.strategies.params import BadParams

LEAD, HEDGE = LegId("lead"), LegId("hedge")
LONG, SHORT = LegId("long"), LegId("short")
DEFAULT_LEVEL_QTY = Decimal(1000)
# What a policy must be told, where a story does not care.
DEFAULT_PARAMS: dict[str, dict[str, str]] = {
    "mirror": {"qty": "0.5", "max_net_qty": "0.5"},
    "carry": {"entry_qty": "0.5", "max_net_qty": "0.5", "entry_on": "signal"},
}
# Word of a story -> field of the instrument.
FILTER_FIELDS = {
    "tick": "tick",
    "step": "step",
    "min": "min_qty",
    "max": "max_qty",
    "min_notional": "min_notional",
    "multiplier": "multiplier",
}

T = TypeVar("T")


class Names:
    """What the story calls its legs and its orders."""

    def __init__(self, stage: Stage, legs: dict[str, LegId]) -> None:
        self.legs = legs
        "The story's name of an instrument -> its leg."
        self.orders: dict[str, ClientOrderId] = {}
        "Name given by `as` -> order."
        self._stage = stage

    def leg(self, line: Line) -> LegId:
        """Return the leg whose instrument the line names.

        Raises:
            BadStory: the book has no such leg.
        """
        leg_id = self.legs.get(line.text("INSTRUMENT"))
        if leg_id is None:
            known = " or ".join(self.legs)
            raise BadStory(line.number, f"a leg of the book: {known}", f"'{line.text('INSTRUMENT')}'", "check the name")
        return leg_id

    def order(self, line: Line) -> Placed:
        """Return the order that the line names.

        Raises:
            BadStory: no order was given that name.
        """
        order_id = self.orders.get(line.text("ORDER"))
        if order_id is None or order_id not in self._stage.placed:
            raise self.unknown(line)
        return self._stage.placed[order_id]

    def unknown(self, line: Line, name: str = "") -> BadStory:
        """Return what to raise for the name of an order that was never given."""
        known = ", ".join(self.orders) or "none yet"
        got = f"'{name or line.text('ORDER')}'"
        return BadStory(line.number, f"an order named before ({known})", got, "name it with `as` where it is submitted")

    def told(self, order_id: ClientOrderId) -> str:
        """Return the story's name of an order, else its id."""
        for name, named in self.orders.items():
            if named == order_id:
                return name
        return order_id


def configured(setup: list[Line]) -> tuple[BookConfig, dict[str, LegId]]:
    """Return the book that the set-up lines describe, and its legs by the story's names of their instruments.

    Raises:
        BadStory: there is no book, or a line does not fit it.
    """
    first = next((line for line in setup if line.verb in ("hedge", "book")), None)
    if first is None:
        number = setup[0].number if setup else 1
        form = "hedge H1 mirror lead SIM:SPOT hedge SIM:PERP ratio -1"
        raise BadStory(number, "a set-up line `hedge …`", "none", f"begin with e.g. `{form}`")
    again = next((line for line in setup if line.verb in ("hedge", "book") and line is not first), None)
    if again is not None:
        to_do = "give each book its own file"
        raise BadStory(again.number, "one `hedge` line, or one `book` line", "a second one", to_do)
    legs = named_legs(first)
    instruments = {leg_id: default_instrument(name) for name, leg_id in legs.items()}
    params = dict(DEFAULT_PARAMS.get(first.text("POLICY"), {}))
    limits: dict[str, str] = {}
    timing: dict[str, str] = {}
    reaches: dict[LegId, dict[str, int | bool | Decimal]] = {leg_id: {} for leg_id in legs.values()}
    for line in setup:
        if line.has("INSTRUMENT") and line.text("INSTRUMENT") not in legs:
            raise BadStory(line.number, f"one of: {', '.join(legs)}", f"'{line.text('INSTRUMENT')}'", "check the name")
        match line.verb:
            case "instrument":
                leg_id = legs[line.text("INSTRUMENT")]
                kind = InstrumentKind(line.text("KIND"))
                spot = kind in (InstrumentKind.SPOT, InstrumentKind.MARGIN)
                instruments[leg_id] = filtered(replace(instruments[leg_id], kind=kind, can_reduce_only=not spot), line)
            case "param":
                params[line.text("KEY")] = line.text("TEXT").strip('"')
            case "limit":
                limits[checked_key(line, Limits)] = line.text("NUMBER")
            case "timing":
                timing[checked_key(line, Timing)] = line.text("MILLISECONDS")
            case "leg":
                reach = reaches[legs[line.text("INSTRUMENT")]]
                if line.has("LEASE"):
                    reach["lease_ms"] = line.count("LEASE")
                if line.has("VISIBILITY"):
                    reach["visibility_ms"] = line.count("VISIBILITY")
                reach["adopt"] = line.has("adopt")
                if line.has("leverage"):
                    reach["leverage"] = line.amount("leverage")
            case _:
                pass
    name = first.text("BOOK")
    config = BookConfig(
        BookId(name),
        "".join(c for c in name.lower() if c.isalnum())[:8],
        first.text("POLICY"),
        params,
        tuple(
            msgspec.convert(
                {"id": leg_id, "account_id": f"{legs_venue(story_name)}/{leg_id}", "instrument": instruments[leg_id]}
                | reaches[leg_id],
                LegConfig,
            )
            for story_name, leg_id in legs.items()
        ),
        _hedge_rule(first),
        _converted(limits, Limits, setup),
        _converted(timing, Timing, setup),
        _sessions(setup),
    )
    return config, legs


def _hedge_rule(line: Line) -> HedgeRule | None:
    if line.verb != "hedge":
        return None
    return HedgeRule(LONG, SHORT, -ONE) if line.has("LONG") else HedgeRule(LEAD, HEDGE, line.amount("RATIO"))


def named_legs(line: Line) -> dict[str, LegId]:
    """Return the legs of a book by the story's names of their instruments.

    Raises:
        BadStory: there are none, one is there twice, or a name is none.
    """
    if line.verb == "hedge":
        legs = {line.text("LEAD"): LEAD, line.text("HEDGE"): HEDGE}
        if line.has("LONG"):
            legs = {line.text("LONG"): LONG, line.text("SHORT"): SHORT}
        if len(legs) < 2:
            to_do = "give the accounts different venue names"
            raise BadStory(line.number, "two instruments", "the same one twice", to_do)
        return legs
    names = line.text("LEGS").split()
    for name in names:
        if not all(name.partition(":")) or names.count(name) > 1:
            raise BadStory(line.number, "each leg once, as `VENUE:SYMBOL`", f"'{name}'", "give each its own venue name")
    return {name: LegId(f"leg{number}") for number, name in enumerate(names, 1)}


def began_ns(setup: list[Line]) -> int:
    """Return when the story begins.

    Raises:
        BadStory: there is no such day or time.
    """
    line = next((line for line in setup if line.verb == "begins"), None)
    return START_NS if line is None else _moment_ns(line, "CLOCK")


def _sessions(setup: list[Line]) -> dict[VenueId, Sessions]:
    found: dict[VenueId, Sessions] = {}
    for line in setup:
        if line.verb == "session":
            venue_id = VenueId(line.text("VENUE"))
            session = Session(line.text("DAY"), _moment_ns(line, "OPENS"), _moment_ns(line, "CLOSES"))
            found[venue_id] = (*found.get(venue_id, ()), session)
    return found


def _moment_ns(line: Line, slot: str) -> int:
    told = f"{line.text('DAY')}T{line.text(slot)}+00:00"
    try:
        return int(datetime.fromisoformat(told).timestamp()) * NS_PER_S
    except ValueError:
        raise BadStory(line.number, "a day and time that exist", f"'{told}'", "e.g. 2026-01-02 20:50:00") from None


def make_strategy(config: BookConfig, setup: list[Line]) -> Strategy:
    """Return the book's policy.

    Raises:
        BadStory: there is no such policy, or a parameter is wrong.
    """
    line = next(line for line in setup if line.verb in ("hedge", "book"))
    policy = POLICIES.get(config.policy)
    if policy is None:
        raise BadStory(line.number, f"a policy: {', '.join(POLICIES)}", f"'{config.policy}'", "use one of these")
    try:
        return make(config)
    except BadParams as bad:
        error = bad.errors[0]
        at = next((each.number for each in setup if each.text("KEY") == error.key), line.number)
        got = f"{error.key}: {error.problem}"
        raise BadStory(at, f"parameters that {config.policy} takes", got, error.help) from None


def default_instrument(name: str) -> Instrument:
    """Return the instrument of a leg of which the story says nothing more."""
    return Instrument(
        InstrumentId(name),
        VenueId(legs_venue(name)),
        InstrumentKind.PERP,
        "BTC",
        "USDT",
        Decimal("0.01"),
        Decimal("0.001"),
        Decimal("0.001"),
    )


def legs_venue(name: str) -> str:
    return name.partition(":")[0]


def filtered(instrument: Instrument, line: Line) -> Instrument:
    """Return the instrument with the filters that the line gives."""
    changes: dict[str, object] = {}
    for word, field in FILTER_FIELDS.items():
        if line.has(word):
            value = line.amount(word)
            if value <= 0 and field != "min_notional":
                raise BadStory(line.number, f"{word} above 0", str(value), "give the venue's own filter")
            changes[field] = value
    if line.has("LOW"):
        changes["band_down"], changes["band_up"] = line.amount("LOW"), line.amount("HIGH")
    if line.has("TAKEN_IN"):
        changes["fee_currency"] = FeeCurrency(line.text("TAKEN_IN"))
    if line.has("CURRENCY"):
        changes["base"] = line.text("CURRENCY")
    if line.has("QUOTE"):
        changes["quote"] = line.text("QUOTE")
    if line.has("reduce_only_exempt"):
        changes["reduce_only_exempt"] = True
    if line.has("no_reduce_only"):
        changes["can_reduce_only"] = False
    return replace(instrument, **changes)


def checked_key(line: Line, table: type[msgspec.Struct]) -> str:
    """Return the line's key, if the table has it."""
    key = line.text("KEY")
    if key not in table.__struct_fields__:
        raise BadStory(line.number, f"one of: {', '.join(table.__struct_fields__)}", f"'{key}'", "check the name")
    return key


def _converted(values: dict[str, str], table: type[T], setup: list[Line]) -> T:
    try:
        return msgspec.convert(values, table, strict=False)
    except msgspec.ValidationError as error:
        at = next(line.number for line in setup if line.text("KEY") in values)
        raise BadStory(at, "a value of the right kind", str(error), "see the config's own field") from error


def levels(number: int, text: str) -> tuple[Level, ...]:
    """Return one side of a quote, `99.9 x 5, 99.8 x 7`, best first as written; `none` is empty."""
    if text.strip() == "none":
        return ()
    found: list[Level] = []
    for part in text.split(","):
        words = part.split()
        fits = (
            len(words) in (1, 3)
            and is_number(words[0])
            and (len(words) == 1 or (words[1] == "x" and is_number(words[2])))
        )
        if not fits:
            raise BadStory(number, "`PRICE x QTY`", f"'{part.strip()}'", "separate levels by commas, best first")
        found.append((Decimal(words[0]), Decimal(words[2]) if len(words) == 3 else DEFAULT_LEVEL_QTY))
    return tuple(found)


def pairs(number: int, text: str) -> list[tuple[str, str]]:
    """Return `name value name "two words"` as pairs."""
    words = [word.strip('"') for word in split(text)]
    if len(words) % 2:
        raise BadStory(number, "`name value` pairs", f"'{text}'", 'put values of several words in `"`')
    return list(zip(words[::2], words[1::2], strict=True))


def side_of(line: Line) -> Side:
    return Side(line.text("SIDE"))


def is_number(word: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?", word) is not None
