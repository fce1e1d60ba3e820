"""A well-shaped config, understood: presets and defaults filled in, and whether everything fits together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from hedgerow.core.config import BookConfig, HedgeRule, LegConfig, Limits, Timing
from hedgerow.market.fees import Fees
from hedgerow.market.sessions import ALWAYS_OPEN, UnknownCalendar, check_calendar
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId, VenueId, base36
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.numbers import BPS, ceil_to, floor_to
from hedgerow.model.occ import parse_occ
from hedgerow.model.session import Sessions
from hedgerow.runtime.config_access import LEASE_MS, SIM, VISIBILITY_MS, access_of, provisional_of
from hedgerow.runtime.config_funds import needs, shortages
from hedgerow.runtime.config_problems import param_text
from hedgerow.runtime.config_rates import strains
from hedgerow.runtime.config_shape import FileShape, InstrumentShape, RiskShape, TimingShape, VenueShape
from hedgerow.runtime.config_text import TAPE_OPTION, KeyPath, Problem, did_you_mean, dotted
from hedgerow.runtime.dispatch import RESERVE_PERCENT, Budget
from hedgerow.runtime.node_config import AccountConfig, MarketConfig, VenueConfig
from hedgerow.runtime.presets import START_PRICES, preset
from hedgerow.runtime.watch import KINDS, WORDS, Watch
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import parse as parse_params

LEAD, HEDGE = LegId("lead"), LegId("hedge")
# The parameter of each policy that is the size of one lead order.
SIZE_PARAMS = ("qty", "entry_qty")
# What is held of these is a balance of the account, and none of the symbol's own.
BALANCE_KINDS = frozenset({InstrumentKind.SPOT, InstrumentKind.MARGIN})
# The synthetic depth of one price level is worth this much, quote, where the config does not say.
LEVEL_NOTIONAL = Decimal(50_000)
# A word, then what may have been meant as a date, a right and a strike.
_LIKE_OPTION = re.compile(r"[A-Z][A-Z.]{0,5}[0-9]{4,8}[A-Z][0-9]+")


class Meaning:
    """A well-shaped file, understood: the nouns, and what does not fit together."""

    def __init__(
        self, shape: FileShape, folder: Path, tapes: Mapping[str, Path], recorded: frozenset[str] = frozenset()
    ) -> None:
        self.problems: list[Problem] = []
        self._shape = shape
        self._recorded = recorded
        self._instruments: dict[InstrumentId, Instrument] = {}
        self.accounts = [self._account(name) for name in shape.accounts]
        self._check_reach()
        self._venue_ids = {account.venue_id for account in self.accounts}
        for name, venue in shape.venues.items():
            if name not in self._venue_ids:
                help_ = did_you_mean(name, self._venue_ids)
                self._wrong("unknown_venue", f"no account is at venue '{name}'", ("venues", name), help_, at_key=True)
            for symbol in venue.instruments:
                self._instrument(VenueId(name), symbol)
        self.watches: list[Watch] = []
        "Accounts that books watch, each with a book of its own."
        self._names: dict[BookId, str] = {}
        "Book -> its name in the file: one entry with several accounts makes several books."
        self.books = [book for name in shape.books for book in self._books(name)]
        self.warnings: list[str] = []
        "What works and may not go well, a line each."
        self._check_tags()
        self._check_sharing()
        self._check_balances()
        self._check_funds()
        self._check_rates()
        self._check_latencies()
        self.venues = [self._venue(venue_id, folder, tapes) for venue_id in sorted(self._venue_ids)]
        for name in tapes:
            if name not in self._venue_ids:
                self._wrong(
                    "unknown_venue",
                    f"--tape {name}: there is no venue '{name}'",
                    TAPE_OPTION,
                    did_you_mean(name, self._venue_ids),
                )
        self.markets = self._markets()

    def _wrong(self, kind: str, text: str, path: KeyPath, help_: str = "", *, at_key: bool = False) -> None:
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
        access, problems = access_of(name, shape, self._venue_shape(venue_of(name)))
        for problem in problems:
            self._wrong(problem.kind, problem.text, problem.path, problem.help, at_key=problem.at_key)
        positions = self._positions(name) if shape.venue == SIM else {}
        return AccountConfig(
            AccountId(name), venue_of(name), dict(shape.balance), fees, shape.leverage, positions, access
        )

    def _venue_shape(self, venue_id: VenueId) -> VenueShape:
        return self._shape.venues.get(venue_id, VenueShape())

    def _venue_kind(self, venue_id: VenueId) -> str:
        """What kind of venue is behind the accounts of that name."""
        return next(shape.venue for name, shape in self._shape.accounts.items() if venue_of(name) == venue_id)

    def _lease_ms(self, venue_id: VenueId) -> int:
        return self._venue_shape(venue_id).lease_ms or LEASE_MS[self._venue_kind(venue_id)]

    def _visibility_ms(self, venue_id: VenueId) -> int:
        return self._venue_shape(venue_id).visibility_ms or VISIBILITY_MS[self._venue_kind(venue_id)]

    def _check_reach(self) -> None:
        """Simulated money and real money do not hedge one another, nor do two kinds of test money."""
        first_name, first = next(iter(self._shape.accounts.items()))
        for name, shape in self._shape.accounts.items():
            path: KeyPath = ("accounts", name, "mode")
            if (shape.venue == SIM) != (first.venue == SIM) or shape.mode != first.mode:
                told = f"accounts.{name} has mode {shape.mode}, and {first_name} has mode {first.mode}"
                self._wrong("contradiction", told, path, "one config has accounts of one mode")

    def _positions(self, name: str) -> dict[InstrumentId, tuple[Decimal, Decimal]]:
        """What an account brings along, by instrument."""
        held: dict[InstrumentId, tuple[Decimal, Decimal]] = {}
        for symbol, position in self._shape.accounts[name].positions.items():
            path: KeyPath = ("accounts", name, "positions", symbol)
            instrument = self._instrument(venue_of(name), symbol)
            if instrument is None:
                told = f"{dotted(path)}: nothing is known of '{symbol}'"
                help_ = _option_help(symbol) or f"list it: venues.{venue_of(name)}.instruments.{symbol}"
                self._wrong("unknown_symbol", told, path, help_, at_key=True)
            elif position.qty % instrument.step != 0:
                told = f"{dotted(path)}: {position.qty} is off the step {instrument.step}"
                self._wrong("contradiction", told, (*path, "qty"), f"use a multiple of {instrument.step}")
            else:
                held[instrument.id] = (position.qty, position.price)
        return held

    def _venue(self, venue_id: VenueId, folder: Path, tapes: Mapping[str, Path]) -> VenueConfig:
        shape = self._shape.venues.get(venue_id, VenueShape())
        tape = tapes.get(venue_id)
        if tape is None and shape.tape is not None:
            tape = folder / shape.tape
        if tape is not None and not tape.is_file():
            path: KeyPath = ("venues", venue_id, "tape") if venue_id not in tapes else TAPE_OPTION
            what = f"{tape} is no file" if tape.exists() else f"there is no tape {tape}"
            start = "the current folder" if venue_id in tapes else "the config's folder"
            self._wrong("missing_tape", f"{venue_id}: {what}", path, f"paths start from {start}")
        instruments = tuple(i for i in self._instruments.values() if i.venue_id == venue_id)
        if tape is not None and len(instruments) > 1:
            told = f"{venue_id}: a tape holds one symbol, but the venue has {', '.join(i.id for i in instruments)}"
            help_ = "give each symbol a venue of its own"
            self._wrong("contradiction", told, ("venues", venue_id), help_, at_key=True)
        budget, calendar = self._budget(venue_id, shape), self._calendar(venue_id)
        return VenueConfig(
            venue_id,
            instruments,
            tape,
            shape.latency_ms,
            budget,
            calendar,
            funding_bps=shape.funding_bps,
            loan_bps_per_day=shape.loan_bps_per_day,
        )

    def _calendar(self, venue_id: VenueId) -> str | None:
        """The calendar of a venue with trading hours; None for one that never closes, and when there is none such."""
        calendar = self._shape.venues.get(venue_id, VenueShape()).calendar
        if calendar is None or calendar == ALWAYS_OPEN:
            return None
        try:
            check_calendar(calendar)
        except UnknownCalendar as error:
            path: KeyPath = ("venues", venue_id, "calendar")
            self._wrong("unknown_calendar", f"{dotted(path)}: {error.problem}", path, error.help)
            return None
        return calendar

    def _budget(self, venue_id: VenueId, shape: VenueShape) -> Budget:
        most = shape.requests_per_s
        reserve = most * RESERVE_PERCENT // 100 if shape.reserve is None else shape.reserve
        if reserve >= most:
            told = f"venues.{venue_id}: a reserve of {reserve} of {most} requests per second leaves none for entries"
            self._wrong("contradiction", told, ("venues", venue_id, "reserve"), f"use less than {most}")
        return Budget(most, most, reserve)

    def _markets(self) -> list[MarketConfig]:
        told = self._shape.sim.markets
        markets: list[MarketConfig] = []
        made = [
            venue
            for venue in self.venues
            if venue.tape is None and venue.id not in self._recorded and self._venue_kind(venue.id) == SIM
        ]
        bases = {i.base: i for venue in made for i in venue.instruments}
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
        path: KeyPath = ("venues", venue_id, "instruments", symbol)
        known = preset(symbol, shape.kind)
        kind, base, quote = known.kind, shape.base or known.base, shape.quote or known.quote
        tick, step = shape.tick or known.tick, shape.step or known.step
        multiplier = shape.multiplier or known.multiplier
        if kind is None or base is None or quote is None or tick is None or step is None or multiplier is None:
            # A contract may be a tenth of a coin, a thousand or a hundred shares: a guess would be hedged wrong.
            facts = {"kind": kind, "base": base, "quote": quote, "tick": tick, "step": step, "multiplier": multiplier}
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
            multiplier,
            shape.band_down,
            shape.band_up,
            shape.fee_currency or FeeCurrency.QUOTE,
            # Spot and margin venues know no such flag.
            kind in (InstrumentKind.PERP, InstrumentKind.OPTION),
        )
        self._check_instrument(instrument, path)
        self._instruments[instrument_id] = instrument
        return instrument

    def _check_instrument(self, instrument: Instrument, path: KeyPath) -> None:
        name, most = instrument.id, instrument.max_qty
        if most is not None and instrument.step > most:
            told = f"{name}: step {instrument.step} is above max_qty {most}, so that no order is possible"
            self._wrong("impossible_step", told, (*path, "step"), f"use a step of at most {most}")
        elif most is not None and instrument.min_qty > most:
            told = f"{name}: min_qty {instrument.min_qty} is above max_qty {most}"
            self._wrong("contradiction", told, (*path, "min_qty"), f"use at most {most}")
        if instrument.kind is InstrumentKind.PERP and instrument.fee_currency is not FeeCurrency.QUOTE:
            told = f"{name}: a perpetual pays its fees in quote"
            self._wrong("contradiction", told, (*path, "fee_currency"), "leave fee_currency out")
        down, up = instrument.band_down, instrument.band_up
        if down is not None and down >= 1:
            self._wrong(
                "contradiction", f"{name}: band_down {down} is not below the mark", (*path, "band_down"), "e.g. 0.9"
            )
        if up is not None and up <= 1:
            self._wrong("contradiction", f"{name}: band_up {up} is not above the mark", (*path, "band_up"), "e.g. 1.1")

    def _books(self, name: str) -> list[BookConfig]:
        """The books of one entry: one, or one for each account that it watches."""
        shape = self._shape.books[name]
        path: KeyPath = ("books", name)
        if not shape.accounts and not shape.legs:
            help_ = "legs: what it trades; or, for exits, `accounts` to watch"
            self._wrong("missing", f"{dotted(path)}: missing key 'legs'", path, help_, at_key=True)
            return []
        book = self._book(name)
        if not shape.accounts:
            if shape.model_fields_set & {"watch", "adopt", "manual"}:
                told = f"{dotted(path)}: watch, adopt and manual belong to `accounts`"
                help_ = "name the accounts, or write `adopt: true` in a leg"
                self._wrong("contradiction", told, path, help_, at_key=True)
            return [book] if book is not None else []
        if shape.legs or not POLICIES[shape.policy].finds_legs:
            told = f"{dotted(path)}: `accounts` finds its legs by itself"
            help_ = "leave `legs` out" if shape.legs else "give this policy `legs`: only exits watches accounts"
            self._wrong("contradiction", told, (*path, "accounts"), help_, at_key=True)
            return []
        return [] if book is None else self._watching(name, book)

    def _watching(self, name: str, book: BookConfig) -> list[BookConfig]:
        """One book for each account, and what it watches there."""
        shape = self._shape.books[name]
        path: KeyPath = ("books", name)
        self._check_watched(name)
        books: list[BookConfig] = []
        for index, account in enumerate(shape.accounts):
            at: KeyPath = (*path, "accounts", index)
            venue_id = venue_of(account)
            if account not in self._shape.accounts:
                help_ = did_you_mean(account, self._shape.accounts)
                self._wrong("unknown_account", f"{dotted(at)}: there is no account '{account}'", at, help_)
                continue
            first = next((watch for watch in self.watches if watch.account_id == account), None)
            if first is not None:
                told = f"{dotted(at)}: {account} is watched by {first.book_id} already"
                self._wrong("contradiction", told, at, "watch each account once")
                continue
            venue = self._shape.venues.get(venue_id, VenueShape())
            if venue.calendar is None:
                told = f"venues.{venue_id}: missing key 'calendar', and {name} goes by its hours"
                help_ = "XNYS for US stocks and options; 24/7 for a venue that never closes"
                self._wrong("missing", told, ("venues", venue_id), help_, at_key=True)
            book_id = BookId(f"{name}-{re.sub('[^a-z0-9]+', '-', account.lower())}")
            # The account's own part must last while accounts come and go, so it is made from its name.
            tag = book.tag[:4] + base36(int.from_bytes(hashlib.sha256(account.encode()).digest()[:8]))[:4]
            self._names[book_id] = name
            others = frozenset(
                InstrumentId(f"{venue_id}:{leg.symbol}")
                for other in self._shape.books.values()
                for leg in other.legs.values()
                if leg.account == account
            )
            books.append(replace(book, book_id=book_id, tag=tag, sessions=self._hours((venue_id,))))
            self.watches.append(
                Watch(
                    book_id,
                    AccountId(account),
                    frozenset(shape.watch),
                    frozenset(shape.adopt),
                    frozenset(shape.manual),
                    others,
                    self._lease_ms(venue_id),
                    self._visibility_ms(venue_id),
                )
            )
        return books

    def _check_watched(self, name: str) -> None:
        """Whether each word means something: a misspelt one would quietly watch nothing."""
        shape = self._shape.books[name]
        for key, words in (("watch", shape.watch), ("adopt", shape.adopt), ("manual", shape.manual)):
            for index, word in enumerate(words):
                path: KeyPath = ("books", name, key, index)
                if word not in WORDS and preset(word).kind not in KINDS:
                    told = f"{dotted(path[:-1])}: '{word}' is no symbol of a stock or an option"
                    help_ = _option_help(word) or "e.g. all, stock, option, SPY or SPY261120C00600000"
                    self._wrong("unknown_symbol", told, path, help_)
                elif key != "watch" and not _is_covered(word, shape.watch):
                    told = f"{dotted(path[:-1])}: {word} is not watched"
                    self._wrong("contradiction", told, path, "add it to `watch`, or take it out here")

    def _hours(self, venue_ids: Iterable[VenueId]) -> dict[VenueId, Sessions]:
        """The venues that have trading hours; their tables are read at the start."""
        return {
            venue_id: ()
            for venue_id in venue_ids
            if self._shape.venues.get(venue_id, VenueShape()).calendar not in (None, ALWAYS_OPEN)
        }

    def _book(self, name: str) -> BookConfig | None:
        shape = self._shape.books[name]
        path: KeyPath = ("books", name)
        before = len(self.problems)
        legs = [leg for leg_name in shape.legs if (leg := self._leg(name, leg_name)) is not None]
        self._check_legs(name, legs)
        lead, hedging = (LegId(each) for each in POLICIES[shape.policy].legs)
        hedge = HedgeRule(lead, hedging, shape.ratio) if {lead, hedging} <= shape.legs.keys() else None
        if shape.ratio == 0:
            self._wrong("contradiction", f"{dotted(path)}: ratio 0 hedges nothing", (*path, "ratio"), "use -1")
        limits = replace(Limits(), **_told(self._shape.risk) | _told(shape.risk))
        timing = replace(Timing(), **_told(self._shape.timing) | _told(shape.timing))
        self._check_timing(name, timing)
        params = {key: param_text(value) for key, value in (shape.model_extra or {}).items()}
        tag = shape.tag or re.sub("[^a-z0-9]", "", name)[:8]
        # What an instrument lacks is told once, where it is listed.
        if len(self.problems) > before or len(legs) < len(shape.legs):
            return None
        hours = self._hours(leg.instrument.venue_id for leg in legs)
        book = BookConfig(BookId(name), tag, shape.policy, params, tuple(legs), hedge, limits, timing, hours)
        self._check_policy(book, path)
        if len(self.problems) == before:
            self._check_underlyings(book, path)
        return book

    def _leg(self, book: str, name: str) -> LegConfig | None:
        shape = self._shape.books[book].legs[name]
        path: KeyPath = ("books", book, "legs", name)
        if shape.account not in self._shape.accounts:
            help_ = did_you_mean(shape.account, self._shape.accounts)
            self._wrong(
                "unknown_account", f"{dotted(path)}: there is no account '{shape.account}'", (*path, "account"), help_
            )
            return None
        venue_id = venue_of(shape.account)
        kind = self._shape.accounts[shape.account].kind
        if self._venue_kind(venue_id) == SIM:
            instrument = self._instrument(venue_id, shape.symbol)
        elif kind is None:
            # Told already, with the account.
            return None
        else:
            instrument = provisional_of(self._venue_kind(venue_id), venue_id, shape.symbol, kind)
            if instrument is None:
                # So is a kind that the venue has not.
                return None
            self._instruments[instrument.id] = instrument
        venue = self._shape.venues.get(venue_id, VenueShape())
        if instrument is None:
            if shape.symbol not in venue.instruments:
                help_ = (
                    _option_help(shape.symbol)
                    or did_you_mean(shape.symbol, venue.instruments)
                    or f"list it: venues.{venue_id}.instruments.{shape.symbol}"
                )
                told = f"{dotted(path)}: venue {venue_id} has no symbol '{shape.symbol}'"
                self._wrong("unknown_symbol", told, (*path, "symbol"), help_)
            return None
        account_id = AccountId(shape.account)
        return LegConfig(
            LegId(name),
            account_id,
            instrument,
            shape.adopt,
            lease_ms=self._lease_ms(venue_id),
            visibility_ms=self._visibility_ms(venue_id),
            # What is watched for somebody else goes on being his: he adds to it and takes away.
            adopt_later=shape.adopt and POLICIES[self._shape.books[book].policy].finds_legs,
            leverage=self._leverage(shape.leverage, instrument, path),
        )

    def _leverage(self, leverage: Decimal | None, instrument: Instrument, path: KeyPath) -> Decimal | None:
        if leverage is None:
            return None
        if instrument.kind is not InstrumentKind.PERP:
            told = f"{dotted(path)}: {instrument.id} is {instrument.kind.value} and has no leverage to set"
            self._wrong("contradiction", told, (*path, "leverage"), "leave it out: only perpetuals have one")
        elif leverage < 1 or leverage % 1:
            told = f"{dotted(path)}: leverage {leverage} is no leverage that a venue knows"
            self._wrong("contradiction", told, (*path, "leverage"), "use a whole number from 1 on")
        return leverage

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
        policy = POLICIES[self._shape.books[book].policy]
        lead, hedge = policy.legs
        for name, other in ((lead, hedge), (hedge, lead)):
            if name == lead and policy.stands_alone:
                continue
            names = self._shape.books[book].legs
            if name in names and other not in names:
                told = f"books.{book}.legs: there is a {name} leg and no {other} leg"
                self._wrong("missing", told, ("books", book, "legs"), did_you_mean(other, names), at_key=True)

    def _check_timing(self, book: str, timing: Timing) -> None:
        for first, most in (("ask_first_ms", "ask_spacing_ms_max"), ("retry_first_ms", "retry_spacing_ms_max")):
            if getattr(timing, first) > getattr(timing, most):
                where: KeyPath = ("timing",)
                if {first, most} & self._shape.books[book].timing.model_fields_set:
                    where = ("books", book, "timing")
                told = f"{first} {getattr(timing, first)} is above {most} {getattr(timing, most)}"
                self._wrong(
                    "contradiction", f"{dotted(where)}: {told}", (*where, first), "the first wait is the shortest"
                )

    def _check_underlyings(self, book: BookConfig, path: KeyPath) -> None:
        """A slip in a symbol must not hedge one market with another; whoever means it says how much of it."""
        if book.hedge is None or "ratio" in self._shape.books[book.book_id].model_fields_set:
            return
        lead, hedge = (book.leg(leg_id).instrument for leg_id in (book.hedge.lead, book.hedge.hedge))
        if _underlying(lead) != _underlying(hedge):
            told = f"{dotted(path)}: {lead.id} is {_underlying(lead)} and {hedge.id} is {_underlying(hedge)}"
            help_ = "trade the same on both legs; to hedge with another market, write down its ratio"
            self._wrong("contradiction", told, (*path, "legs"), help_, at_key=True)

    def _check_policy(self, book: BookConfig, path: KeyPath) -> None:
        policy = POLICIES[book.policy]
        params = parse_params(policy.params_type, book.params)
        for error in policy.check(book, params):
            at: KeyPath = (*path, error.key) if error.key in book.params else path
            if error.key == "hedge":
                at = (*path, "legs")
            self._wrong("meaning", f"{dotted(path)}: {error.key}: {error.problem}", at, error.help, at_key=at == path)
        budget = getattr(params, "budget", None)
        if budget is not None:
            self._check_budget(book, path, budget)
        key = next((key for key in SIZE_PARAMS if hasattr(params, key)), None)
        if book.hedge is not None and key is not None:
            size: Decimal | None = getattr(params, key)
            if size is not None:
                self._check_size(book, (*path, key), size)
                self._check_worth(book, path, size)

    def _check_budget(self, book: BookConfig, path: KeyPath, budget: Decimal) -> None:
        """Whether the account has what a book may use."""
        leg = book.legs[0] if book.hedge is None else book.leg(book.hedge.lead)
        owned = self._shape.accounts[leg.account_id].balance.get(leg.instrument.quote)
        if owned is not None and budget > owned:
            at: KeyPath = (*path, "budget")
            told = f"{dotted(at)}: {leg.account_id} owns {owned} {leg.instrument.quote}, less than {budget}"
            self._wrong("contradiction", told, at, "lower it, or give the account more")

    def _check_size(self, book: BookConfig, path: KeyPath, size: Decimal) -> None:
        """Whether the hedge leg can take what one lead order brings."""
        short = size_problem(book, size)
        if short is not None:
            self._wrong("below_minimum", f"{dotted(path)}: {short[0]}", path, short[1])

    def _check_worth(self, book: BookConfig, path: KeyPath, size: Decimal) -> None:
        """Whether one order is worth enough for both venues, and the limits leave room for it."""
        assert book.hedge is not None, book.book_id
        lead, hedge = book.leg(book.hedge.lead).instrument, book.leg(book.hedge.hedge).instrument
        price = self._price(lead.base)
        if price is None:
            return
        notional = lead.notional(size, price)
        for leg, worth in ((lead, notional), (hedge, notional * abs(book.hedge.ratio))):
            # Half and double, here and below: a tape may begin at another price than the one assumed.
            if worth * 2 < leg.min_notional:
                told = (
                    f"{dotted(path)}: one order of {size} {lead.base} comes to about {worth.normalize():f} {leg.quote}"
                )
                help_ = f"{leg.id} takes orders from {leg.min_notional} {leg.quote} on"
                self._wrong("below_minimum", told, path, help_, at_key=True)
        own = self._shape.books[book.book_id].risk.model_fields_set
        for key in ("max_notional", "max_residual", "max_order_notional"):
            limit: Decimal | None = getattr(book.limits, key)
            if limit is not None and notional / 2 > limit:
                where: KeyPath = (*path, "risk", key) if key in own else ("risk", key)
                order = f"one order of {size} {lead.base} (about {notional.normalize():f})"
                told = f"{dotted(where)}: {limit} is less than {order}"
                self._wrong("contradiction", told, where, "raise it, or use smaller orders: no entry could ever leave")

    def _check_funds(self) -> None:
        """Whether the accounts can pay for what the books may come to hold."""
        if any(account.access is not None for account in self.accounts):
            # What is owned is the venue's to say; it is read before anything is entered.
            return
        parsed = ((book, parse_params(POLICIES[book.policy].params_type, book.params)) for book in self.books)
        accounts = {account.id: account for account in self.accounts}
        found = [need for book, params in parsed for need in needs(book, params, accounts, self._price)]
        for short in shortages(found, accounts):
            path: KeyPath = ("books", short.need.book_id, "legs", short.need.leg.id)
            if short.is_wrong:
                self._wrong("funds", f"{dotted(path)}: {short.text}", path, short.help, at_key=True)
            else:
                self.warnings.append(f"{dotted(path)}: {short.text}; {short.help}")

    def _check_rates(self) -> None:
        """Whether the accounts' request budgets let out what the books may send."""
        per_s = {each: self._venue_shape(each).requests_per_s for each in self._venue_ids}
        for strain in strains(self.books, per_s):
            path: KeyPath = ("venues", strain.venue_id, "requests_per_s")
            if "requests_per_s" not in self._venue_shape(strain.venue_id).model_fields_set:
                path = ("books", strain.book_id)
            if strain.is_wrong:
                self._wrong("contradiction", f"{dotted(path)}: {strain.text}", path, strain.help, at_key=len(path) == 2)
            else:
                self.warnings.append(f"{dotted(path)}: {strain.text}; {strain.help}")

    def _check_latencies(self) -> None:
        """Whether answers can come before their orders are unknown."""
        for book in self.books:
            for leg in book.legs:
                venue_id, timeout_ms = leg.instrument.venue_id, book.timing.ack_timeout_ms
                both_ms = 2 * self._venue_shape(venue_id).latency_ms
                if self._venue_kind(venue_id) == SIM and both_ms >= timeout_ms:
                    path: KeyPath = ("venues", venue_id, "latency_ms")
                    told = (
                        f"{dotted(path)}: {both_ms} ms there and back, and after ack_timeout_ms {timeout_ms} an order"
                    )
                    help_ = "use a shorter latency, or a longer timing.ack_timeout_ms"
                    self._wrong("contradiction", f"{told} is unknown: each one would be", path, help_)

    def _price(self, base: str) -> Decimal | None:
        market = self._shape.sim.markets.get(base)
        return market.price if market is not None else START_PRICES.get(base)

    def _check_tags(self) -> None:
        taken: dict[str, BookId] = {}
        for book in self.books:
            if book.tag in taken:
                told = f"books {taken[book.tag]} and {book.book_id} have the same tag '{book.tag}' in their order ids"
                name = self._names.get(book.book_id, book.book_id)
                at_key = self._shape.books[name].tag is None
                path: KeyPath = ("books", name) if at_key else ("books", name, "tag")
                self._wrong(
                    "duplicate_tag", told, path, "give one of them another tag: 1 to 8 of a-z and 0-9", at_key=at_key
                )
            taken[book.tag] = book.book_id

    def _check_sharing(self) -> None:
        """Books that share a position know of one another; what the account held before belongs to none of them."""
        taken: dict[tuple[AccountId, InstrumentId], list[BookId]] = {}
        for book in self.books:
            for leg in book.legs:
                taken.setdefault((leg.account_id, leg.instrument.id), []).append(book.book_id)
        leverages: dict[tuple[AccountId, InstrumentId], Decimal | None] = {}
        for index, book in enumerate(self.books):
            legs = tuple(replace(leg, shared=len(taken[leg.account_id, leg.instrument.id]) > 1) for leg in book.legs)
            for leg in legs:
                if leg.shared and (leg.adopt or leg.adopt_later):
                    others = ", ".join(taken[leg.account_id, leg.instrument.id])
                    told = (
                        f"books {others} all trade {leg.instrument.id} in {leg.account_id}, and {book.book_id} adopts"
                    )
                    path: KeyPath = ("books", book.book_id, "legs", leg.id)
                    help_ = "give it an account of its own, or take `adopt` out: nobody can say whose the holdings are"
                    self._wrong("shared_leg", told, path, help_, at_key=True)
                other = leverages.setdefault((leg.account_id, leg.instrument.id), leg.leverage)
                if leg.leverage != other:
                    told = f"{leg.instrument.id} in {leg.account_id} is to have leverage {other} and {leg.leverage}"
                    at: KeyPath = ("books", book.book_id, "legs", leg.id)
                    self._wrong("contradiction", told, at, "a venue has one for both books", at_key=True)
            self.books[index] = replace(book, legs=legs)

    def _check_balances(self) -> None:
        """Of spot and margin the position is the account's balance: no two symbols may move the same one."""
        legs = [(book, leg) for book in self.books for leg in book.legs if leg.instrument.kind in BALANCE_KINDS]
        for index, (book, leg) in enumerate(legs):
            for other_book, other in legs[:index]:
                ours, theirs = leg.instrument, other.instrument
                if leg.account_id != other.account_id or ours.id == theirs.id:
                    continue
                if ours.base not in (theirs.base, theirs.quote) and theirs.base != ours.quote:
                    continue
                common = theirs.base if theirs.base in (ours.base, ours.quote) else ours.base
                told = (
                    f"{other_book.book_id} trades {theirs.id} and {book.book_id} {ours.id}, both in {leg.account_id}:"
                    f" each would take the other's trades for a drift of its own, as both move the balance of {common}"
                )
                path: KeyPath = ("books", self._names.get(book.book_id, book.book_id), "legs", leg.id)
                help_ = "give one of them an account of its own, such as a sub-account, or trade one symbol in both"
                self._wrong("shared_balance", told, path, help_, at_key=True)


def size_problem(book: BookConfig, size: Decimal) -> tuple[str, str] | None:
    """Return why the hedge leg cannot take what one lead order brings, and the remedy; None when it can."""
    assert book.hedge is not None, book.book_id
    lead, hedge = book.leg(book.hedge.lead).instrument, book.leg(book.hedge.hedge).instrument
    owed = abs(book.hedge.ratio) * size * lead.multiplier / hedge.multiplier
    if floor_to(owed, hedge.step) >= hedge.min_qty:
        return None
    need = ceil_to(hedge.min_qty * hedge.multiplier / lead.multiplier / abs(book.hedge.ratio), lead.step)
    asked = f"{size} of {lead.id} asks for {owed.normalize():f} of {hedge.id}"
    return f"{asked}, whose smallest order is {hedge.min_qty:f}", f"use at least {need.normalize():f}, or another ratio"


def _is_covered(word: str, watched: Iterable[str]) -> bool:
    """Whether what a word means is watched, in part at least."""
    contract = parse_occ(word)
    names = {word} if contract is None else {word, contract.underlying}
    return word in WORDS or not names.isdisjoint(watched) or not set(WORDS).isdisjoint(watched)


def _option_help(symbol: str) -> str:
    """Return how an option's symbol is written, when this looks like one that is not."""
    if not _LIKE_OPTION.fullmatch(symbol) or parse_occ(symbol) is not None:
        return ""
    return "an option is its underlying, YYMMDD, C or P, and 1000 times the strike in 8 digits: SPY261120C00600000"


def _underlying(instrument: Instrument) -> str:
    """What an instrument follows: of an option, that which it is on."""
    contract = parse_occ(instrument.base)
    return instrument.base if contract is None else contract.underlying


def venue_of(account: str) -> VenueId:
    """Return the venue of an account id: what stands before its slash."""
    return VenueId(account.partition("/")[0])


def _told(shape: RiskShape | TimingShape) -> dict[str, object]:
    return {key: getattr(shape, key) for key in shape.model_fields_set if getattr(shape, key) is not None}
