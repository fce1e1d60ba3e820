"""The grammar of stories: lines of a `.txt` file into words that are known to be well formed.

`>` told, `<` commanded, `=` must hold, `#` comment, no mark: set-up. The forms below are all of it: they check the
lines, and they are the reference (docs/reference/scenarios.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches

import msgspec

from hedgerow.core.commands import Mode
from hedgerow.core.config import NS_PER_MS, NS_PER_S
from hedgerow.core.events import Action, CancelOutcome, ReadKind, RejectClass
from hedgerow.core.holds import AlarmKind, HoldReason
from hedgerow.model.instrument import FeeCurrency, InstrumentKind
from hedgerow.model.order import OrderStatus, Side

SETUP, TOLD, COMMANDED, HOLDS = "", ">", "<", "="


class BadStory(Exception):
    """A story that cannot be read. Nothing of it was run."""

    def __init__(self, line: int, expected: str, got: str, to_do: str) -> None:
        super().__init__(f"expected {expected}, got {got}; {to_do}")
        self.line = line
        self.expected = expected
        self.got = got
        self.to_do = to_do


class Unmet(Exception):
    """Something that a story demands is not so."""

    def __init__(self, line: int, expected: str, got: str, to_do: str) -> None:
        super().__init__(f"expected {expected}, got {got}; {to_do}")
        self.line = line
        self.expected = expected
        self.got = got
        self.to_do = to_do


class Slot(msgspec.Struct, frozen=True):
    """A place in a form that a word of the story fills."""

    means: str
    pattern: str = ""
    "What the word must look like; empty: `choices` decide, or anything goes."
    choices: tuple[str, ...] = ()
    words: int = 1
    "How many words it takes; 0 takes the rest of the line."


class Verb(msgspec.Struct, frozen=True):
    """One thing that a line can say."""

    mark: str
    name: str
    forms: tuple[str, ...]
    "Lower case stands for itself, capitals are slots, brackets may be left out and come in any order."
    means: str


_NUMBER = r"\d+(\.\d+)?"
_POSITIVE = rf"(?=[0-9.]*[1-9]){_NUMBER}"
_SIGNED = rf"[+-]?{_NUMBER}"
_INSTRUMENT = r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+"
_NAME = r"[a-z][a-z0-9_]*"


def _words(choices: object) -> tuple[str, ...]:
    return tuple(choice.value for choice in choices)  # type: ignore[attr-defined]


SLOTS: dict[str, Slot] = {
    "BOOK": Slot("name of the book", r"[A-Za-z][A-Za-z0-9_-]*"),
    "POLICY": Slot("a policy: `mirror`, `carry`, …", _NAME),
    "INSTRUMENT": Slot("`VENUE:SYMBOL` of a leg", _INSTRUMENT),
    "LEGS": Slot("`VENUE:SYMBOL` of each leg", words=0),
    "VENUE": Slot("a venue: what stands before the `:` of an instrument", r"[A-Za-z0-9_.-]+"),
    "DAY": Slot("a day, `YYYY-MM-DD`", r"\d{4}-\d{2}-\d{2}"),
    "CLOCK": Slot("a time of day, `HH:MM:SS`", r"\d{2}:\d{2}:\d{2}"),
    "OPENS": Slot("a time of day, `HH:MM:SS`", r"\d{2}:\d{2}:\d{2}"),
    "CLOSES": Slot("a time of day, `HH:MM:SS`", r"\d{2}:\d{2}:\d{2}"),
    "LEAD": Slot("the lead leg's instrument", _INSTRUMENT),
    "HEDGE": Slot("the hedge leg's instrument", _INSTRUMENT),
    "LONG": Slot("the long leg's instrument", _INSTRUMENT),
    "SHORT": Slot("the short leg's instrument", _INSTRUMENT),
    "RATIO": Slot("hedge units per lead unit, signed", _SIGNED),
    "KIND": Slot("kind of instrument", choices=_words(InstrumentKind)),
    "NUMBER": Slot("an exact number, > 0 or 0", _NUMBER),
    "LOW": Slot("ratio of the mark, e.g. 0.9", _NUMBER),
    "HIGH": Slot("ratio of the mark, e.g. 1.1", _NUMBER),
    "TAKEN_IN": Slot("what fees are taken in", choices=_words(FeeCurrency)),
    "CURRENCY": Slot("a currency, e.g. USDT", r"[A-Z0-9]+"),
    "QUOTE": Slot("a currency, e.g. USDT", r"[A-Z0-9]+"),
    "NAME": Slot("a name: small letters, digits, `_`", _NAME),
    "KEY": Slot("name of a parameter, limit or time", _NAME),
    "MILLISECONDS": Slot("whole milliseconds", r"\d+"),
    "LEASE": Slot("whole milliseconds", r"\d+"),
    "VISIBILITY": Slot("whole milliseconds", r"\d+"),
    "ORDER": Slot("an order named by an earlier `as`", _NAME),
    "ORDERS": Slot("names of orders, or `none`", words=0),
    "SIDE": Slot("side", choices=_words(Side)),
    "QTY": Slot("base units, > 0", _POSITIVE),
    "PRICE": Slot("quote per base unit, > 0", _POSITIVE),
    "NET": Slot("signed base units", _SIGNED),
    "FEE": Slot("fee paid; negative is a rebate", _SIGNED),
    "CUM": Slot("cumulative filled qty, or `?`: not said", rf"{_NUMBER}|\?"),
    "TAKER": Slot("fee of taking, a ratio", _SIGNED),
    "HTTP": Slot("HTTP status", r"\d{3}"),
    "TRADE": Slot("the venue's id of the trade", r"\S+"),
    "CLASS": Slot("class of refusal", choices=_words(RejectClass)),
    "CODE": Slot("the venue's code", r"-?\w+"),
    "TEXT": Slot("the rest of the line", words=0),
    "OUTCOME": Slot("how the cancel ended", choices=_words(CancelOutcome)),
    "READ": Slot("kind of read", choices=_words(ReadKind)),
    "HOW": Slot("how reads are answered from now on", choices=("answer", "silent", "fail", "empty")),
    "DURATION": Slot("a number and `ms`, `s`, `min` or `h`", rf"{_NUMBER} (ms|s|min|h)", words=2),
    "TIMES": Slot("how often", r"\d+"),
    "LEVELS": Slot("`BID x QTY, … / ASK x QTY, …`; `x QTY` may be left out; `none` for an empty side", words=0),
    "RATE": Slot("ratio of notional, signed", _SIGNED),
    "ACTION": Slot("what the operator does", choices=tuple(a.value for a in Action if a is not Action.SIGNAL)),
    "WHO": Slot("who", r"\S+"),
    "REQUEST": Slot("request id", r"\S+"),
    "AGREES": Slot("`agrees` or `differs`", choices=("agrees", "differs")),
    "WHEN": Slot("at which point of the turn", choices=("before", "after", "between")),
    "WHAT": Slot("which step of the turn", choices=("append", "send", "sends")),
    "MESSAGE": Slot("any message of a venue: a told line without its `>`", words=0),
    "REASON": Slot("hold reason", choices=_words(HoldReason)),
    "NUMBERS": Slot('`name value …` of the hold; a value of several words in `"`', words=0),
    "SLOT": Slot("slot of the target", r"\S+"),
    "ALARM": Slot("kind of alarm", choices=_words(AlarmKind)),
    "MODE": Slot("mode of the book", choices=_words(Mode)),
    "STATUS": Slot("order status", choices=_words(OrderStatus)),
    "FILLED": Slot("booked filled qty", _NUMBER),
    "COUNT": Slot("how many", r"\d+"),
    "WHY": Slot("word the cancel gives", r"\S+"),
}

_FILL = "[fee FEE CURRENCY] [maker] [nameless] [trade TRADE]"
_FILTERS = (
    "[tick NUMBER] [step NUMBER] [min NUMBER] [max NUMBER] [min_notional NUMBER] [multiplier NUMBER] [band LOW HIGH]"
    " [fee TAKEN_IN] [base CURRENCY] [quote QUOTE] [reduce_only_exempt] [no_reduce_only]"
)

VERBS: tuple[Verb, ...] = (
    Verb(
        SETUP,
        "hedge",
        ("hedge BOOK POLICY lead LEAD hedge HEDGE ratio RATIO", "hedge BOOK POLICY long LONG short SHORT"),
        "The book. Each story has one. The second form is for `pair`.",
    ),
    Verb(
        SETUP,
        "book",
        ("book BOOK POLICY LEGS",),
        "A book whose legs do not hedge one another, instead of `hedge`. Each leg is in an account of its own.",
    ),
    Verb(SETUP, "begins", ("begins DAY CLOCK",), "When the story begins, UTC; 2026-01-01 00:00:00 when left out."),
    Verb(
        SETUP,
        "session",
        ("session VENUE DAY OPENS CLOSES",),
        "A session of a venue with trading hours, UTC; a venue without one never closes. Oldest first.",
    ),
    Verb(
        SETUP,
        "instrument",
        (f"instrument INSTRUMENT KIND {_FILTERS}",),
        "A leg's instrument. Left out: a perp, tick 0.01, step and minimum 0.001, no minimum notional, fees in quote.",
    ),
    Verb(SETUP, "param", ("param KEY TEXT",), "A parameter of the policy."),
    Verb(SETUP, "limit", ("limit KEY NUMBER",), "A limit on entries, by its name in the config."),
    Verb(SETUP, "timing", ("timing KEY MILLISECONDS",), "A waiting time of the book, by its name in the config."),
    Verb(
        SETUP,
        "leg",
        ("leg INSTRUMENT [lease LEASE] [visibility VISIBILITY] [adopt] [leverage NUMBER]",),
        "How long the venue may still take a submit, and hide one that it took; whether the book adopts what is held; "
        "with which leverage it trades, where the venue has 1.",
    ),
    Verb(
        SETUP,
        "account",
        ("account INSTRUMENT NET [@ PRICE]",),
        "What the account holds before the book trades. Foreign, unless its leg says `adopt`.",
    ),
    Verb(
        SETUP,
        "exchange",
        ("exchange INSTRUMENT [balance NUMBER] [fees FEE TAKER]",),
        "The leg's venue is a simulated exchange: it answers and fills by itself, and only its market is told (`quote`,"
        " `trade`). With its quote balance, and its maker and taker fees as ratios.",
    ),
    # Messages of venues.
    Verb(
        TOLD,
        "accepted",
        ("accepted ORDER",),
        "The venue acknowledged the submit.",
    ),
    Verb(
        TOLD,
        "rejected",
        ("rejected ORDER CLASS [retry_after DURATION] [CODE] [TEXT]",),
        "The venue definitely did not take it: the class, the venue's code and words.",
    ),
    Verb(
        TOLD,
        "answered",
        ("answered ORDER HTTP CODE [TEXT]",),
        "The venue's raw answer to the submit, in Binance's codes; the table of outcomes says what it proves.",
    ),
    Verb(
        TOLD,
        "unknown",
        ("unknown ORDER [TEXT]",),
        "The submit ended without proof either way: what was seen instead of an answer.",
    ),
    Verb(
        TOLD,
        "not_found",
        ("not_found ORDER",),
        "A query by id answered 'no such order'.",
    ),
    Verb(TOLD, "query_failed", ("query_failed ORDER [TEXT]",), "A query by id got no usable answer."),
    Verb(TOLD, "working", ("working ORDER [cum CUM]",), "A report or query shows the order as working."),
    Verb(
        TOLD,
        "canceled",
        ("canceled ORDER [cum CUM] [TEXT]",),
        "The order ended as canceled. Without `cum`: what the venue filled so far.",
    ),
    Verb(TOLD, "expired", ("expired ORDER [cum CUM] [code CODE] [TEXT]",), "The order ended as expired, and why."),
    Verb(TOLD, "done", ("done ORDER [cum CUM]",), "A report says filled; the trades may come later."),
    Verb(TOLD, "cancel", ("cancel ORDER OUTCOME [CODE] [TEXT]",), "The cancel request ended."),
    Verb(
        TOLD,
        "filled",
        (f"filled ORDER QTY @ PRICE {_FILL}", f"filled INSTRUMENT SIDE QTY @ PRICE {_FILL}"),
        "The venue traded: a named order, or the resting order of that side; when none rests, one that an earlier"
        " turn of the journal sent. `nameless`: the record carries only the venue's order id.",
    ),
    Verb(TOLD, "foreign", ("foreign INSTRUMENT SIDE QTY @ PRICE",), "Somebody else's trade on this account."),
    Verb(TOLD, "liquidated", ("liquidated INSTRUMENT SIDE QTY @ PRICE",), "The venue itself traded our position."),
    Verb(TOLD, "open_orders", ("open_orders INSTRUMENT ORDERS",), "A read of open orders answers exactly this."),
    Verb(TOLD, "trades", ("trades INSTRUMENT [none]",), "A read of trades answers all of them, or none."),
    Verb(TOLD, "position", ("position INSTRUMENT NET",), "A read of the position answers this."),
    Verb(TOLD, "read_failed", ("read_failed INSTRUMENT READ [TEXT]",), "A read got no usable answer."),
    Verb(
        TOLD, "quote", ("quote INSTRUMENT LEVELS",), "The visible book. It stands, heard each second, until the next."
    ),
    Verb(
        TOLD, "trade", ("trade INSTRUMENT SIDE QTY @ PRICE",), "At a simulated exchange: somebody takes, on this side."
    ),
    Verb(TOLD, "funding_rate", ("funding_rate INSTRUMENT RATE [in DURATION]",), "The coming funding of 8 hours."),
    Verb(TOLD, "funding_paid", ("funding_paid INSTRUMENT NET [trade TRADE]",), "Funding in quote: + received."),
    Verb(TOLD, "borrow_rate", ("borrow_rate INSTRUMENT CURRENCY RATE",), "What a loan costs in an hour, as a ratio."),
    Verb(TOLD, "interest", ("interest INSTRUMENT CURRENCY FEE [trade TRADE]",), "Interest that the venue charged."),
    Verb(TOLD, "link_down", ("link_down INSTRUMENT [TEXT]",), "The leg's private stream is lost."),
    Verb(TOLD, "link_up", ("link_up INSTRUMENT",), "The stream is back."),
    Verb(TOLD, "heartbeat", ("heartbeat INSTRUMENT",), "The venue gave a sign of life."),
    Verb(TOLD, "position_mode", ("position_mode INSTRUMENT AGREES [TEXT]",), "The account's position mode."),
    Verb(TOLD, "filters", (f"filters INSTRUMENT {_FILTERS}",), "The venue changed its filters; others stay."),
    # What happens to messages.
    Verb(TOLD, "lost", ("lost MESSAGE",), "It happened at the venue; the message never comes."),
    Verb(TOLD, "late", ("late DURATION MESSAGE",), "It happened now; the message comes that much later."),
    Verb(TOLD, "repeat", ("repeat [TIMES]",), "The previous message comes again."),
    # Standing behaviour.
    Verb(
        TOLD,
        "reads",
        ("reads INSTRUMENT HOW", "reads INSTRUMENT READ HOW"),
        "From now on, at the top of a story from the start: `answer` what was told so far (the default), `silent`,"
        " `fail`, or `empty`: nothing and zero, whatever is true.",
    ),
    Verb(
        TOLD,
        "leverage",
        ("leverage INSTRUMENT NUMBER [fixed TEXT]",),
        "The venue shows this leverage from now on; `fixed`: and refuses to change it, with this code and text.",
    ),
    Verb(
        TOLD,
        "silent",
        ("silent INSTRUMENT",),
        "No sign of life, quote or answer comes by itself from this leg's venue any more.",
    ),
    Verb(TOLD, "alive", ("alive INSTRUMENT",), "The silence is over."),
    Verb(
        TOLD,
        "orphan",
        ("orphan INSTRUMENT SIDE QTY @ PRICE as NAME",),
        "An open order bears an id of ours that we never sent.",
    ),
    # Time.
    Verb(TOLD, "after", ("after DURATION",), "Time passes, at most an hour a line; whatever falls due happens."),
    Verb(TOLD, "retry_due", ("retry_due",), "Time passes up to the next try after a refusal."),
    # People and machines.
    Verb(
        TOLD,
        "operator",
        (
            "operator ACTION [by WHO] [request REQUEST] [accept_drift]",
            "operator signal NAME [ago DURATION] [request REQUEST]",
        ),
        "A person or program commands the book.",
    ),
    Verb(
        TOLD,
        "crash",
        ("crash WHEN WHAT", "crash"),
        "The engine dies: at once, or in the next turn that submits or cancels: `before append`, `after append`"
        " (durable, nothing sent), `between sends` (one sent), `after send`.",
    ),
    Verb(TOLD, "restart", ("restart [halted]",), "The engine starts again from the journal."),
    Verb(TOLD, "config", ("config KEY TEXT",), "From the next restart on, a parameter of the policy is another one."),
    Verb(
        TOLD, "second_engine", ("second_engine",), "Another engine takes the journal; the first still hears everything."
    ),
    Verb(
        TOLD,
        "portfolio",
        ("portfolio equity NUMBER [others CURRENCY NET]", "portfolio unknown TEXT"),
        "The node tells what all accounts are worth, and what other books hold of an underlying; or what is unknown.",
    ),
    Verb(TOLD, "journal_failed", ("journal_failed [TEXT]",), "The journal reports that it is about to fail."),
    # What the book must have asked for.
    Verb(
        COMMANDED,
        "submit",
        (
            "submit INSTRUMENT SIDE QTY [@ PRICE] [entry] [hedge] [exit] [market] [limit] [ioc] [post_only]"
            " [reduce_only] [plain] [slot SLOT] [as NAME]",
        ),
        "An order left for the venue. Words that are left out are not checked; `plain` is neither post-only nor"
        " reduce-only.",
    ),
    Verb(COMMANDED, "cancel", ("cancel ORDER [because WHY]",), "A cancel left for the venue."),
    Verb(COMMANDED, "query", ("query ORDER",), "The venue was asked about the order since the last told line."),
    Verb(COMMANDED, "read", ("read INSTRUMENT READ",), "That read was asked since the last told line."),
    Verb(
        COMMANDED,
        "set_leverage",
        ("set_leverage INSTRUMENT NUMBER",),
        "The venue was asked to set this leverage since the last told line.",
    ),
    Verb(COMMANDED, "nothing", ("nothing",), "No submit and no cancel left."),
    # What must hold.
    Verb(HOLDS, "residual", ("residual BOOK NET",), "Held and not offset, in units of the hedge leg."),
    Verb(HOLDS, "hedged", ("hedged",), "No legal order could shrink the residual."),
    Verb(HOLDS, "unhedged", ("unhedged",), "A legal order could."),
    Verb(HOLDS, "position", ("position INSTRUMENT NET",), "What the leg holds by its booked fills."),
    Verb(
        HOLDS,
        "hold",
        ("hold INSTRUMENT REASON [slot SLOT] [NUMBERS]",),
        "Something is held, for this reason, with these numbers (others are not checked).",
    ),
    Verb(HOLDS, "alarm", ("alarm ALARM [TEXT]",), "An alarm stands; its text contains these words."),
    Verb(
        HOLDS,
        "no",
        ("no hold [INSTRUMENT] [REASON]", "no alarm [ALARM]"),
        "No such hold, or no such alarm, stands.",
    ),
    Verb(HOLDS, "mode", ("mode MODE [TEXT]",), "The book's mode; its reason contains these words."),
    Verb(HOLDS, "order", ("order ORDER STATUS [filled FILLED]",), "What is known of the order."),
    Verb(HOLDS, "working", ("working INSTRUMENT COUNT",), "How many orders of the leg may still fill."),
    Verb(HOLDS, "sent", ("sent INSTRUMENT COUNT",), "How many submits have left for this instrument in all."),
    Verb(HOLDS, "durable", ("durable ORDER",), "The journal has the order's submit."),
    Verb(
        HOLDS,
        "unsent",
        ("unsent INSTRUMENT SIDE QTY as NAME",),
        "The journal has this submit, and it never left: the engine died before.",
    ),
    Verb(HOLDS, "parked", ("parked COUNT",), "How many fills wait for their order."),
    Verb(HOLDS, "fenced", ("fenced",), "An engine was fenced off by a later one, and sent nothing since."),
    Verb(HOLDS, "epoch", ("epoch COUNT",), "Which run of the engine has the book."),
    Verb(HOLDS, "funding", ("funding INSTRUMENT NET",), "Funding received less paid, quote."),
    Verb(HOLDS, "interest", ("interest INSTRUMENT CURRENCY FEE",), "Interest charged for loans, in a currency."),
    Verb(HOLDS, "fees", ("fees INSTRUMENT CURRENCY FEE",), "Fees paid in a currency."),
)

_BY_NAME = {(verb.mark, verb.name): verb for verb in VERBS}
_MARK_NAMES = {SETUP: "set-up", TOLD: "told", COMMANDED: "commanded", HOLDS: "must hold"}
_UNIT_NS = {"ms": NS_PER_MS, "s": NS_PER_S, "min": 60 * NS_PER_S, "h": 3_600 * NS_PER_S}


class Line(msgspec.Struct, frozen=True):
    """One line of a story, checked against its form."""

    number: int
    mark: str
    verb: str
    values: dict[str, str]
    "Slot -> its words; a bracketed literal that was written -> itself."
    form: str
    message: Line | None = None
    "With `lost` and `late`: the message."

    def has(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str:
        """Return a slot's words; empty when it was left out."""
        return self.values.get(name, "")

    def amount(self, name: str) -> Decimal:
        return Decimal(self.values[name])

    def count(self, name: str) -> int:
        return int(self.values[name])

    def duration_ns(self, name: str = "DURATION") -> int:
        return duration_ns(self.values[name])


def duration_ns(text: str) -> int:
    """Return `2 s` in nanoseconds."""
    number, unit = text.split()
    return int(Decimal(number) * _UNIT_NS[unit])


def parse(text: str) -> tuple[Line, ...]:
    """Return the lines of a story, without comments and empty ones.

    Raises:
        BadStory: a line has an unknown verb or does not fit its form; the first such line.
    """
    lines: list[Line] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        words = split(raw)
        if not words:
            continue
        mark = words[0] if words[0] in (TOLD, COMMANDED, HOLDS) else SETUP
        line = _parse_line(number, mark, words[1:] if mark else words)
        if mark == SETUP and lines and lines[-1].mark != SETUP:
            raise BadStory(number, "a line with `>`, `<` or `=`", f"the set-up line '{line.verb}'", "set up at the top")
        lines.append(line)
    return tuple(lines)


def split(raw: str) -> list[str]:
    """Return the words of a line; a quoted part is one word, with its quotes; `#` begins a comment."""
    words: list[str] = []
    for word in re.findall(r'"[^"]*"|\S+', raw):
        if word.startswith("#"):
            break
        words.append(word)
    return words


def render_verbs() -> str:
    """Return the tables of all verbs and all slots, in Markdown."""
    rows: list[str] = []
    for mark, name in _MARK_NAMES.items():
        rows += [f"### {name}{f' (`{mark}`)' if mark else ''}", "", "| form | what it says |", "|---|---|"]
        for verb in VERBS:
            if verb.mark == mark:
                forms = "<br>".join(f"`{f'{mark} {form}'.strip()}`" for form in verb.forms)
                rows.append(f"| {forms} | {verb.means} |")
        rows.append("")
    rows += ["### slots", "", "| slot | what it is |", "|---|---|"]
    for name, slot in SLOTS.items():
        choices = f": {', '.join(f'`{choice}`' for choice in slot.choices)}" if slot.choices else ""
        rows.append(f"| `{name}` | {slot.means}{choices} |")
    return "\n".join(rows) + "\n"


class _Misfit(msgspec.Struct, frozen=True):
    """How far a line fitted a form, and what was missing there."""

    at: int
    expected: str
    got: str
    to_do: str


def _parse_line(number: int, mark: str, words: list[str]) -> Line:
    if not words:
        raise BadStory(number, f"a verb after '{mark}'", "the end of the line", "say what happens, or delete the line")
    verb = _BY_NAME.get((mark, words[0]))
    if verb is None:
        raise BadStory(number, f"a known verb ({_MARK_NAMES[mark]})", f"'{words[0]}'", _advice(mark, words[0]))
    worst: _Misfit | None = None
    for form in verb.forms:
        fitted = _fit(form, words)
        if isinstance(fitted, dict):
            message = None
            if "MESSAGE" in fitted:
                message = _parse_line(number, TOLD, split(fitted["MESSAGE"]))
                if message.verb not in MESSAGES:
                    raise BadStory(
                        number,
                        "a message of a venue",
                        f"'{message.verb}'",
                        f"use one of: {', '.join(sorted(MESSAGES))}",
                    )
            return Line(number, mark, verb.name, fitted, form, message)
        if worst is None or fitted.at > worst.at:
            worst = fitted
    assert worst is not None, verb
    raise BadStory(number, worst.expected, worst.got, worst.to_do)


def _advice(mark: str, word: str) -> str:
    near = get_close_matches(word, [verb.name for verb in VERBS if verb.mark == mark], 1)
    if near:
        return f"did you mean '{near[0]}'?"
    elsewhere = [verb.mark for verb in VERBS if verb.name == word]
    if elsewhere:
        return f"'{word}' goes {f'after {elsewhere[0]!r}' if elsewhere[0] else 'without a mark'}"
    return f"use one of: {', '.join(verb.name for verb in VERBS if verb.mark == mark)}"


def _fit(form: str, words: list[str]) -> dict[str, str] | _Misfit:
    """Return the values of a line that fits the form, or where it stops to fit."""
    required, _, _ = form.partition(" [")
    groups = [group.split() for group in re.findall(r"\[([^]]*)\]", form)]
    values: dict[str, str] = {}
    usage = f"write: {form}"
    at = _take(required.split(), words, 0, values, usage)
    while not isinstance(at, _Misfit) and at < len(words):
        group = _next_group(groups, words, at)
        if group is None:
            return _Misfit(
                at, "the end of the line" if not groups else "one of the optional words", f"'{words[at]}'", usage
            )
        groups.remove(group)
        at = _take(group, words, at, values, usage)
    return at if isinstance(at, _Misfit) else values


def _next_group(groups: list[list[str]], words: list[str], at: int) -> list[str] | None:
    """Return the group that the word at hand begins: by its own literal first, else by a slot that it fits."""
    for group in groups:
        if group[0] == words[at]:
            return group
    for group in groups:
        slot = SLOTS.get(group[0])
        if slot is not None and _reads(slot, words[at : at + slot.words] if slot.words else words[at:]):
            return group
    return None


def _take(elements: list[str], words: list[str], at: int, values: dict[str, str], usage: str) -> int | _Misfit:
    """Read `elements` from the words at `at` into `values`; return where they end."""
    for element in elements:
        slot = SLOTS.get(element)
        if at >= len(words) and not (slot is not None and slot.words == 0):
            return _Misfit(at, f"'{element}'" if slot is None else _told(element, slot), "the end of the line", usage)
        if slot is None:
            if words[at] != element:
                return _Misfit(at, f"'{element}'", f"'{words[at]}'", usage)
            values[element] = element
            at += 1
            continue
        taken = words[at : at + slot.words] if slot.words else words[at:]
        if not _reads(slot, taken):
            near = get_close_matches(taken[0], slot.choices, 1) if taken and slot.choices else []
            advice = f"did you mean '{near[0]}'?" if near else usage
            return _Misfit(at, _told(element, slot), f"'{' '.join(taken)}'" if taken else "the end of the line", advice)
        # `tick NUMBER` and `step NUMBER` fill the same kind of slot: the word before it tells them apart.
        values[elements[0] if element == "NUMBER" and len(elements) == 2 else element] = " ".join(taken)
        at += len(taken)
    return at


def _reads(slot: Slot, words: list[str]) -> bool:
    if slot.words == 0:
        return bool(words)
    if len(words) < slot.words:
        return False
    if slot.choices:
        return words[0] in slot.choices
    return re.fullmatch(slot.pattern, " ".join(words)) is not None


def _told(name: str, slot: Slot) -> str:
    choices = f": {', '.join(slot.choices)}" if slot.choices else ""
    return f"{name} ({slot.means}{choices})"


def _message_names() -> Iterator[str]:
    """Yield the verbs that stand for one message of a venue: the told ones up to `lost`."""
    for verb in VERBS:
        if verb.mark == TOLD:
            if verb.name == "lost":
                return
            yield verb.name


MESSAGES = frozenset(_message_names())
"Told verbs that stand for a message of a venue: these can be lost, late and repeated."
STANDING = frozenset({"reads", "silent", "leverage"})
"""Told verbs that, at the top of a story, apply from its start."""
TOLD_OF_EXCHANGES = frozenset(
    {"quote", "trade", "link_down", "link_up", "heartbeat", "position_mode", "filters", "funding_rate"}
)
"""Messages that a story may tell of a leg with `exchange`; all else its exchange says itself."""
