"""A node's config: read from a file, checked in shape and then in meaning, and turned into the nouns of the engine.

Everything that is wrong is told at once, with its place; nothing starts before all of it is right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hedgerow.core.config import BookConfig, HedgeRule, LegConfig, Limits, Timing
from hedgerow.market.fees import Fees
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument
from hedgerow.model.numbers import BPS, floor_to
from hedgerow.runtime.config_shape import (
    BOOK_KEYS,
    AccountShape,
    BookShape,
    FeesShape,
    FileShape,
    InstrumentShape,
    LegShape,
    MarketShape,
    RiskShape,
    Shape,
    SimShape,
    TimingShape,
    VenueShape,
)
from hedgerow.runtime.config_text import (
    ConfigError,
    ConfigText,
    Path_,
    Plain,
    Problem,
    did_you_mean,
    dotted,
    parse,
    read_text,
)
from hedgerow.runtime.folder import JOURNAL_FILE, STATE_FOLDER
from hedgerow.runtime.presets import START_PRICES, preset
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import BadParams, ParamError, describe
from hedgerow.strategies.params import parse as parse_params

LEAD, HEDGE = LegId("lead"), LegId("hedge")
# The parameter of each policy that is the size of one lead order.
SIZE_PARAMS = ("qty", "entry_qty")
# The synthetic depth of one price level is worth this much, quote, where the config does not say.
LEVEL_NOTIONAL = Decimal(50_000)
MS_PER = {"ms": 1, "s": 1_000, "sec": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000}


class AccountConfig(msgspec.Struct, frozen=True):
    """One simulated account."""

    id: AccountId
    venue_id: VenueId
    balances: dict[str, Decimal]
    "Currency -> what it owns before the first order."
    fees: Fees
    leverage: Decimal
    "Notional of perpetual positions per unit of collateral, > 0."


class MarketConfig(msgspec.Struct, frozen=True):
    """The synthetic market of one base currency."""

    base: str
    price: Decimal
    "First price, quote per base unit."
    volatility_bps: Decimal
    "Standard deviation of one second's move."
    spread_bps: Decimal
    depth: Decimal
    "Qty at each price level."


class VenueConfig(msgspec.Struct, frozen=True):
    """One simulated venue."""

    id: VenueId
    instruments: tuple[Instrument, ...]
    "What the books trade there and what the config lists, by symbol."
    tape: Path | None
    "Recorded frames that feed it; None for a synthetic market."
    latency_ms: Decimal
    "Mean way of a request or report, one way."


class NodeConfig(msgspec.Struct, frozen=True):
    """All that one node runs."""

    name: str
    "The file, as it was named."
    sha: str
    "SHA-256 of its text, hex."
    books: tuple[BookConfig, ...]
    accounts: tuple[AccountConfig, ...]
    venues: tuple[VenueConfig, ...]
    markets: tuple[MarketConfig, ...]
    "One for each base currency that some venue without a tape trades."
    seed: int
    state: Path
    "The state folder."

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / JOURNAL_FILE

    def account(self, account_id: AccountId) -> AccountConfig:
        """Return the account of that id, which exists."""
        return next(account for account in self.accounts if account.id == account_id)

    def venue(self, venue_id: VenueId) -> VenueConfig:
        """Return the venue of that id, which exists."""
        return next(venue for venue in self.venues if venue.id == venue_id)


def load(path: Path, state: Path | None = None, tapes: Mapping[str, Path] | None = None) -> NodeConfig:
    """Return the config in a file.

    Args:
        path: YAML, or TOML by its ending.
        state: the state folder; None takes the file's, else `.hedgerow` beside the file.
        tapes: venue -> file of recorded frames, on top of what the config says.

    Raises:
        ConfigError: with everything that is wrong.
    """
    return understand(read_text(path), path.parent, state, tapes)


def load_text(text: str, name: str, folder: Path, state: Path | None = None) -> NodeConfig:
    """Return the config in a text; `folder` is what its relative paths start from. Raises as `load` does."""
    return understand(parse(text, name), folder, state)


def understand(
    source: ConfigText, folder: Path, state: Path | None = None, tapes: Mapping[str, Path] | None = None
) -> NodeConfig:
    """Return what a config says, checked in shape and in meaning. Raises as `load` does."""
    problems = list(source.problems)
    shape: FileShape | None = None
    try:
        shape = FileShape.model_validate(source.tree)
    except ValidationError as error:
        problems += [_problem(details, source.tree) for details in error.errors()]
    problems += _param_problems(source.tree)
    if problems or shape is None:
        raise ConfigError(source, sorted(problems, key=lambda problem: _order(source, problem)))
    meaning = _Meaning(shape, folder, tapes or {})
    if meaning.problems:
        raise ConfigError(source, sorted(meaning.problems, key=lambda problem: _order(source, problem)))
    return NodeConfig(
        source.name,
        hashlib.sha256(source.text.encode()).hexdigest(),
        tuple(meaning.books),
        tuple(meaning.accounts),
        tuple(meaning.venues),
        tuple(meaning.markets),
        shape.sim.seed,
        state or folder / (shape.state or STATE_FOLDER),
    )


def schema() -> dict[str, object]:
    """Return the JSON schema of a config file, for editors: completion and hover."""
    root = FileShape.model_json_schema()
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    root["title"] = "hedgerow config"
    book = root["$defs"]["BookShape"]
    book["properties"]["policy"]["enum"] = sorted(POLICIES)
    params: dict[str, dict[str, str]] = {}
    for name, policy in sorted(POLICIES.items()):
        for row in describe(policy.params_type):
            told = f"{name}: {row.sentence} {row.unit}, {row.kind}, default {row.default}".replace(" ,", ",")
            known = params.setdefault(row.name, {"description": told})
            if told not in known["description"]:
                known["description"] += f" | {told}"
    book["properties"] |= params
    book["additionalProperties"] = False
    return root


def _order(source: ConfigText, problem: Problem) -> tuple[int, int]:
    path = problem.path
    while path and path not in source.places:
        path = path[:-1]
    place = source.places.get(path)
    return (place.line, place.column) if place is not None else (0, 0)


# Shape.


def _problem(details: ErrorDetails, tree: Plain) -> Problem:
    """Return a validation error in our words, with a remedy."""
    kind, loc, value = details["type"], details["loc"], details["input"]
    if loc and loc[-1] == "[key]":
        return _bad_name(tuple(loc[:-1]))
    path = tuple(loc)
    where = dotted(path)
    if kind == "extra_forbidden":
        known = _known_keys(path)
        return Problem(kind, f"unknown key '{path[-1]}'", path, True, did_you_mean(str(path[-1]), known))
    if kind == "missing":
        missing = Problem(kind, f"{dotted(path[:-1]) or 'the file'}: missing key '{path[-1]}'", path[:-1], True)
        sentence = _sentence(path)
        return missing._replace(help=f"{path[-1]}: {sentence}" if sentence else "")
    got = f" (got {value})" if isinstance(value, str | int | Decimal) else ""
    if kind in ("number", "integer"):
        return Problem(kind, f"{where}: {details['msg']}{got}", path, help=_number_help(path, value))
    told = {
        "enum": "this must be one of the known words",
        "literal_error": "this must be one of the known words",
        "string_type": "this must be a word",
        "bool_parsing": "this must be true or false",
        "bool_type": "this must be true or false",
        "dict_type": "this must be a mapping of keys",
        "model_type": "this must be a mapping of keys",
        "model_attributes_type": "this must be a mapping of keys",
        "too_short": "this must not be empty",
        "string_pattern_mismatch": "this is not written as it must be",
    }.get(kind, details["msg"][:1].lower() + details["msg"][1:].replace("Input ", "").replace("input ", ""))
    context = details.get("ctx", {})
    help_ = _sentence(path)
    if kind in ("enum", "literal_error"):
        help_ = f"one of {context.get('expected', '')}"
    if told.startswith("should be"):
        told = f"this {told}"
    return Problem(kind, f"{where}: {told}{got}", path, help=help_)


def _bad_name(path: Path_) -> Problem:
    told = {
        "accounts": ("an account id", "VENUE/NAME, e.g. simA/main"),
        "books": ("a book's name", "lower case, digits and dashes, e.g. btc-mirror"),
        "venues": ("a venue's name", "the part before the / of an account id, e.g. simA"),
        "legs": ("a leg's name", "lead or hedge"),
        "instruments": ("a symbol", "as the venue writes it, e.g. BTC-USD"),
    }.get(str(path[-2]), ("a currency", "upper case, e.g. USD"))
    return Problem("bad_name", f"'{path[-1]}' is not {told[0]}", path, True, f"write it as {told[1]}")


def _shape_at(path: Path_) -> type[Shape] | None:
    """Return the shape that the keys below `path` belong to."""
    match path:
        case ():
            return FileShape
        case ("books", _):
            return BookShape
        case ("books", _, "legs", _):
            return LegShape
        case ("books", _, "risk") | ("risk",):
            return RiskShape
        case ("books", _, "timing") | ("timing",):
            return TimingShape
        case ("venues", _):
            return VenueShape
        case ("venues", _, "instruments", _):
            return InstrumentShape
        case ("accounts", _):
            return AccountShape
        case ("accounts", _, "fees"):
            return FeesShape
        case ("sim",):
            return SimShape
        case ("sim", "markets", _):
            return MarketShape
        case _:
            return None


def _known_keys(path: Path_) -> list[str]:
    shape = _shape_at(path[:-1])
    return list(getattr(shape, "model_fields", {}))


def _sentence(path: Path_) -> str:
    if not path:
        return ""
    field = getattr(_shape_at(path[:-1]), "model_fields", {}).get(path[-1])
    return (field.description or "") if field is not None else ""


def _number_help(path: Path_, value: object) -> str:
    """Return what to write instead of a number with a unit or with separators."""
    key = str(path[-1]) if path else ""
    text = str(value)
    duration = re.fullmatch(r"([0-9]+) ?(ms|s|sec|m|min|h)", text)
    if duration and re.search(r"(^|_)ms(_|$)", key):
        return f"the key is in milliseconds: write {int(duration[1]) * MS_PER[duration[2]]}"
    bare = re.fullmatch(r"([+-]?[0-9.]+) ?([A-Za-z%]+)", text)
    if bare:
        return f"the unit belongs to the key, not to the value: write {bare[1]} if that is the unit"
    if re.fullmatch(r"[+-]?[0-9]{1,3}([,_ ][0-9]{3})+(\.[0-9]+)?", text):
        return f"without separators: {re.sub('[,_ ]', '', text)}"
    return _sentence(path)


def _param_problems(tree: Plain) -> list[Problem]:
    """Return what is wrong with the keys that belong to the policies."""
    problems: list[Problem] = []
    books = tree.get("books") if isinstance(tree, dict) else None
    for name, book in books.items() if isinstance(books, dict) else ():
        if not isinstance(book, dict) or not isinstance(book.get("policy"), str):
            continue
        path: Path_ = ("books", name)
        policy = POLICIES.get(str(book["policy"]))
        if policy is None:
            told = f"{dotted(path)}: there is no policy '{book['policy']}'"
            problems.append(
                Problem("unknown_policy", told, (*path, "policy"), False, did_you_mean(str(book["policy"]), POLICIES))
            )
            continue
        params: dict[str, str] = {}
        for key, value in book.items():
            if key in BOOK_KEYS:
                continue
            if isinstance(value, dict | list):
                problems.append(
                    Problem("param", f"{dotted((*path, key))}: this must be a word or number", (*path, key))
                )
            params[key] = param_text(value)
        try:
            parse_params(policy.params_type, params)
        except BadParams as error:
            rows = {row.name for row in describe(policy.params_type)}
            problems += [_param_problem(path, each, book, rows) for each in error.errors]
    return problems


def _param_problem(path: Path_, error: ParamError, book: Mapping[str, Plain], known: set[str]) -> Problem:
    if error.key in book and error.key not in known:
        help_ = did_you_mean(error.key, known | BOOK_KEYS)
        return Problem("extra_forbidden", f"unknown key '{error.key}'", (*path, error.key), True, help_)
    if error.key not in book:
        told = f"missing key '{error.key}'" if error.problem == "is missing" else f"{error.key}: {error.problem}"
        return Problem("missing", f"{dotted(path)}: {told}", path, True, f"{error.key}: {error.help}")
    return Problem("param", f"{dotted((*path, error.key))}: {error.problem}", (*path, error.key), help=error.help)


def param_text(value: Plain) -> str:
    """Return a parameter as the policies read it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


# Meaning.


class _Meaning:
    """A well-shaped file, understood: the nouns, and what does not fit together."""

    def __init__(self, shape: FileShape, folder: Path, tapes: Mapping[str, Path]) -> None:
        self.problems: list[Problem] = []
        self._shape = shape
        self.accounts = [self._account(name) for name in shape.accounts]
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._venue_ids = {account.venue_id for account in self.accounts}
        for name, venue in shape.venues.items():
            if name not in self._venue_ids:
                help_ = did_you_mean(name, self._venue_ids)
                self._wrong("unknown_venue", f"no account is at venue '{name}'", ("venues", name), help_, at_key=True)
            for symbol in venue.instruments:
                self._instrument(VenueId(name), symbol)
        self.books = [book for name in shape.books if (book := self._book(name)) is not None]
        self._check_tags()
        self.venues = [self._venue(venue_id, folder, tapes) for venue_id in sorted(self._venue_ids)]
        for name in tapes:
            if name not in self._venue_ids:
                self._wrong(
                    "unknown_venue",
                    f"--tape {name}: there is no venue '{name}'",
                    (),
                    did_you_mean(name, self._venue_ids),
                )
        self.markets = self._markets()

    def _wrong(self, kind: str, text: str, path: Path_, help_: str = "", *, at_key: bool = False) -> None:
        problem = Problem(kind, text, path, at_key, help_)
        if problem not in self.problems:
            self.problems.append(problem)

    def _account(self, name: str) -> AccountConfig:
        shape = self._shape.accounts[name]
        for key, rate in (("maker_bps", shape.fees.maker_bps), ("taker_bps", shape.fees.taker_bps)):
            if abs(rate) > 1000:
                told = f"{name}: a fee of {rate} basis points is {rate / 100} %"
                self._wrong("unit", told, ("accounts", name, "fees", key), "0.04 % are 4 basis points")
        fees = Fees(shape.fees.maker_bps * BPS, shape.fees.taker_bps * BPS)
        return AccountConfig(AccountId(name), venue_of(name), dict(shape.balance), fees, shape.leverage)

    def _venue(self, venue_id: VenueId, folder: Path, tapes: Mapping[str, Path]) -> VenueConfig:
        shape = self._shape.venues.get(venue_id, VenueShape())
        tape = tapes.get(venue_id)
        if tape is None and shape.tape is not None:
            tape = folder / shape.tape
        if tape is not None and not tape.is_file():
            path: Path_ = ("venues", venue_id, "tape") if venue_id not in tapes else ()
            self._wrong(
                "missing_tape", f"{venue_id}: there is no tape {tape}", path, "paths start from the config's folder"
            )
        instruments = tuple(i for i in self._instruments.values() if i.venue_id == venue_id)
        if tape is not None and len(instruments) > 1:
            told = f"{venue_id}: a tape holds one symbol, but the venue has {', '.join(i.id for i in instruments)}"
            help_ = "give each symbol a venue of its own"
            self._wrong("contradiction", told, ("venues", venue_id), help_, at_key=True)
        return VenueConfig(venue_id, instruments, tape, shape.latency_ms)

    def _markets(self) -> list[MarketConfig]:
        told = self._shape.sim.markets
        markets: list[MarketConfig] = []
        bases = {i.base: i for venue in self.venues if venue.tape is None for i in venue.instruments}
        for base, shape in told.items():
            if base not in {i.base for i in self._instruments.values()}:
                help_ = did_you_mean(base, {i.base for i in self._instruments.values()})
                self._wrong("unknown_base", f"no book trades '{base}'", ("sim", "markets", base), help_, at_key=True)
            depth = shape.depth or LEVEL_NOTIONAL / shape.price
            markets.append(MarketConfig(base, shape.price, shape.volatility_bps, shape.spread_bps, depth))
        for base, instrument in bases.items():
            if base in told:
                continue
            price = START_PRICES.get(base)
            if price is None:
                help_ = f"add sim.markets.{base}.price, or give the venue a tape"
                self._wrong(
                    "missing", f"{instrument.id}: nothing says where the price of {base} begins", ("sim",), help_
                )
                continue
            markets.append(MarketConfig(base, price, Decimal(2), Decimal(1), LEVEL_NOTIONAL / price))
        return markets

    def _instrument(self, venue_id: VenueId, symbol: str) -> Instrument | None:
        """Return a venue's instrument, from the config and the presets; None when they do not say enough."""
        instrument_id = InstrumentId(f"{venue_id}:{symbol}")
        if instrument_id in self._instruments:
            return self._instruments[instrument_id]
        venue = self._shape.venues.get(venue_id)
        listed = venue is not None and symbol in venue.instruments
        shape = venue.instruments[symbol] if venue is not None and listed else InstrumentShape()
        path: Path_ = ("venues", venue_id, "instruments", symbol)
        known = preset(symbol, shape.kind)
        kind, base, quote = known.kind, shape.base or known.base, shape.quote or known.quote
        tick, step = shape.tick or known.tick, shape.step or known.step
        if kind is None or base is None or quote is None or tick is None or step is None:
            facts = {"kind": kind, "base": base, "quote": quote, "tick": tick, "step": step}
            missing = ", ".join(name for name, fact in facts.items() if fact is None)
            if listed:
                self._wrong(
                    "missing", f"{dotted(path)}: missing {missing}", path, "no preset knows this symbol", at_key=True
                )
            return None
        min_qty = shape.min_qty or step
        notional = known.min_notional if shape.min_notional is None else shape.min_notional
        exempt = known.reduce_only_exempt if shape.reduce_only_exempt is None else shape.reduce_only_exempt
        instrument = Instrument(
            instrument_id,
            venue_id,
            kind,
            base,
            quote,
            tick,
            step,
            min_qty,
            shape.max_qty,
            notional,
            exempt,
            shape.multiplier or Decimal(1),
            shape.band_down,
            shape.band_up,
            shape.fee_currency or FeeCurrency.QUOTE,
            # Spot and margin venues know no such flag.
            kind.value in ("perp", "option"),
        )
        self._check_instrument(instrument, path)
        self._instruments[instrument_id] = instrument
        return instrument

    def _check_instrument(self, instrument: Instrument, path: Path_) -> None:
        name, most = instrument.id, instrument.max_qty
        if most is not None and instrument.step > most:
            told = f"{name}: step {instrument.step} is above max_qty {most}, so that no order is possible"
            self._wrong("impossible_step", told, (*path, "step"), f"use a step of at most {most}")
        elif most is not None and instrument.min_qty > most:
            told = f"{name}: min_qty {instrument.min_qty} is above max_qty {most}"
            self._wrong("contradiction", told, (*path, "min_qty"), f"use at most {most}")
        if instrument.kind.value == "perp" and instrument.fee_currency is not FeeCurrency.QUOTE:
            told = f"{name}: a perpetual pays its fees in quote"
            self._wrong("contradiction", told, (*path, "fee_currency"), "leave fee_currency out")
        down, up = instrument.band_down, instrument.band_up
        if down is not None and down >= 1:
            self._wrong(
                "contradiction", f"{name}: band_down {down} is not below the mark", (*path, "band_down"), "e.g. 0.9"
            )
        if up is not None and up <= 1:
            self._wrong("contradiction", f"{name}: band_up {up} is not above the mark", (*path, "band_up"), "e.g. 1.1")

    def _book(self, name: str) -> BookConfig | None:
        shape = self._shape.books[name]
        path: Path_ = ("books", name)
        before = len(self.problems)
        legs = [leg for leg_name in shape.legs if (leg := self._leg(name, leg_name)) is not None]
        self._check_legs(name, legs)
        hedge = HedgeRule(LEAD, HEDGE, shape.ratio) if {LEAD, HEDGE} <= shape.legs.keys() else None
        if shape.ratio == 0:
            self._wrong("contradiction", f"{dotted(path)}: ratio 0 hedges nothing", (*path, "ratio"), "use -1")
        limits = replace(Limits(), **_told(self._shape.risk) | _told(shape.risk))
        timing = replace(Timing(), **_told(self._shape.timing) | _told(shape.timing))
        self._check_timing(name, timing)
        params = {key: param_text(value) for key, value in (shape.model_extra or {}).items()}
        tag = shape.tag or re.sub("[^a-z0-9]", "", name)[:8]
        if len(self.problems) > before:
            return None
        book = BookConfig(BookId(name), tag, shape.policy, params, tuple(legs), hedge, limits, timing)
        self._check_policy(book, path)
        return book

    def _leg(self, book: str, name: str) -> LegConfig | None:
        shape = self._shape.books[book].legs[name]
        path: Path_ = ("books", book, "legs", name)
        if shape.account not in self._shape.accounts:
            help_ = did_you_mean(shape.account, self._shape.accounts)
            self._wrong(
                "unknown_account", f"{dotted(path)}: there is no account '{shape.account}'", (*path, "account"), help_
            )
            return None
        venue_id = venue_of(shape.account)
        instrument = self._instrument(venue_id, shape.symbol)
        venue = self._shape.venues.get(venue_id, VenueShape())
        if instrument is None:
            if shape.symbol not in venue.instruments:
                help_ = (
                    did_you_mean(shape.symbol, venue.instruments)
                    or f"list it: venues.{venue_id}.instruments.{shape.symbol}"
                )
                told = f"{dotted(path)}: venue {venue_id} has no symbol '{shape.symbol}'"
                self._wrong("unknown_symbol", told, (*path, "symbol"), help_)
            return None
        account_id = AccountId(shape.account)
        return LegConfig(LegId(name), account_id, instrument, shape.adopt, venue.lease_ms, venue.visibility_ms)

    def _check_legs(self, book: str, legs: list[LegConfig]) -> None:
        seen: dict[tuple[AccountId, InstrumentId], LegId] = {}
        for leg in legs:
            key = (leg.account_id, leg.instrument.id)
            if key in seen:
                told = f"books.{book}: legs {seen[key]} and {leg.id} are the same account and symbol"
                self._wrong(
                    "contradiction",
                    told,
                    ("books", book, "legs", leg.id),
                    "give one of them another account",
                    at_key=True,
                )
            seen[key] = leg.id
        for name in (LEAD, HEDGE):
            other = HEDGE if name == LEAD else LEAD
            names = self._shape.books[book].legs
            if name in names and other not in names:
                told = f"books.{book}.legs: there is a {name} leg and no {other} leg"
                self._wrong("missing", told, ("books", book, "legs"), did_you_mean(other, names), at_key=True)

    def _check_timing(self, book: str, timing: Timing) -> None:
        for first, most in (("ask_first_ms", "ask_spacing_ms_max"), ("retry_first_ms", "retry_spacing_ms_max")):
            if getattr(timing, first) > getattr(timing, most):
                where: Path_ = ("timing",)
                if {first, most} & self._shape.books[book].timing.model_fields_set:
                    where = ("books", book, "timing")
                told = f"{first} {getattr(timing, first)} is above {most} {getattr(timing, most)}"
                self._wrong(
                    "contradiction", f"{dotted(where)}: {told}", (*where, first), "the first wait is the shortest"
                )

    def _check_policy(self, book: BookConfig, path: Path_) -> None:
        policy = POLICIES[book.policy]
        params = parse_params(policy.params_type, book.params)
        for error in policy.check(book, params):
            at: Path_ = (*path, error.key) if error.key in book.params else path
            if error.key == "hedge":
                at = (*path, "legs")
            self._wrong("meaning", f"{dotted(path)}: {error.key}: {error.problem}", at, error.help, at_key=at == path)
        size = next((getattr(params, key) for key in SIZE_PARAMS if hasattr(params, key)), None)
        if book.hedge is not None and size is not None:
            key = next(key for key in SIZE_PARAMS if key in book.params)
            self._check_size(book, (*path, key), size)
        self._check_limits(book, path, size)

    def _check_size(self, book: BookConfig, path: Path_, size: Decimal) -> None:
        """Whether the hedge leg can take what one lead order brings."""
        assert book.hedge is not None, book.book_id
        lead, hedge = book.leg(LEAD).instrument, book.leg(HEDGE).instrument
        owed = abs(book.hedge.ratio) * size * lead.multiplier / hedge.multiplier
        if floor_to(owed, hedge.step) < hedge.min_qty:
            need = hedge.min_qty * hedge.multiplier / lead.multiplier / abs(book.hedge.ratio)
            asked = f"{size} of {lead.id} asks for {owed.normalize():f} of {hedge.id}"
            told = f"{dotted(path)}: {asked}, whose smallest order is {hedge.min_qty}"
            self._wrong("below_minimum", told, path, f"use at least {need.normalize():f}, or another ratio")

    def _check_limits(self, book: BookConfig, path: Path_, size: Decimal | None) -> None:
        """Whether the limits leave room for one order, and one order is worth enough for the venue."""
        instrument = book.leg(LEAD).instrument if book.hedge is not None else book.legs[0].instrument
        market = self._shape.sim.markets.get(instrument.base)
        price = market.price if market is not None else START_PRICES.get(instrument.base)
        if size is None or price is None:
            return
        notional = instrument.notional(size, price)
        if notional * 2 < instrument.min_notional:
            told = f"{dotted(path)}: one order of {size} {instrument.base} is worth about {notional.normalize():f}"
            help_ = f"{instrument.id} takes orders from {instrument.min_notional} {instrument.quote} on"
            self._wrong("below_minimum", told, path, help_, at_key=True)
        own = self._shape.books[book.book_id].risk.model_fields_set
        for key, limit in (("max_notional", book.limits.max_notional), ("max_residual", book.limits.max_residual)):
            # Half of it: a tape may begin at another price than the one assumed here.
            if limit is not None and notional / 2 > limit:
                where: Path_ = (*path, "risk", key) if key in own else ("risk", key)
                order = f"one order of {size} {instrument.base} (about {notional.normalize():f})"
                told = f"{dotted(where)}: {limit} is less than {order}"
                self._wrong("contradiction", told, where, "raise it, or use smaller orders: no entry could ever leave")

    def _check_tags(self) -> None:
        taken: dict[str, BookId] = {}
        for book in self.books:
            if book.tag in taken:
                told = f"books {taken[book.tag]} and {book.book_id} have the same tag '{book.tag}' in their order ids"
                at_key = self._shape.books[book.book_id].tag is None
                path: Path_ = ("books", book.book_id) if at_key else ("books", book.book_id, "tag")
                self._wrong(
                    "duplicate_tag", told, path, "give one of them another tag: 1 to 8 of a-z and 0-9", at_key=at_key
                )
            taken[book.tag] = book.book_id


def venue_of(account: str) -> VenueId:
    """Return the venue of an account id: what stands before its slash."""
    return VenueId(account.partition("/")[0])


def _told(shape: RiskShape | TimingShape) -> dict[str, object]:
    return {key: getattr(shape, key) for key in shape.model_fields_set if getattr(shape, key) is not None}
