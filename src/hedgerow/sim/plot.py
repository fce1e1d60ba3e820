"""What one book of a simulated world is about: its config, what it holds at first, and how it is judged."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from hedgerow.core.config import NS_PER_S, BookConfig, HedgeRule, LegConfig, Limits, Timing
from hedgerow.model.ids import AccountId, BookId, InstrumentId, LegId, VenueId
from hedgerow.model.instrument import FeeCurrency, Instrument, InstrumentKind
from hedgerow.model.numbers import ONE, ZERO, ceil_to
from hedgerow.model.session import Session, Sessions
from hedgerow.strategies.pair.params import common_lot

START_NS = 1_700_000_000 * NS_PER_S
"When a world begins: 2023-11-14."
DAY_NS = 86_400 * NS_PER_S
STEPS = (Decimal("0.001"), Decimal("0.01"), Decimal("0.1"), Decimal(1))
PRICE = Decimal(100)
LEAD, HEDGE, LONG, SHORT = LegId("lead"), LegId("hedge"), LegId("long"), LegId("short")
NEAR, FAR = VenueId("simA"), VenueId("simB")
SPOT, MARGIN, PERP = InstrumentKind.SPOT, InstrumentKind.MARGIN, InstrumentKind.PERP
POLICIES = ("mirror", "mirror", "carry", "carry", "close", "grid", "grid", "pair", "pair", "exits")
"What a book does, each as often as it stands here; `close` is a carry that unwinds."
SAFE_RATIO = Decimal("0.8")
"Sizes that must stay legal are taken for a price this much lower."
OPTION_TAIL = "261218C00100000"
SLICES_MAX = 10
"How many orders a leg of a round takes at most: what goes round and round in slices is no livelock."
BOOKS = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
"How many books a world has, each as often as it stands here."


class Plot(msgspec.Struct, frozen=True):
    """One book of a world."""

    config: BookConfig
    qty: Decimal
    "What one order of it is about, in the qty units of its first leg."
    held: dict[LegId, Decimal] = {}
    "What its accounts hold at first, and what it is given: signed."

    @property
    def tag(self) -> str:
        return self.config.tag


class Draw:
    """Draws the books of one world. All chance comes from `rng`."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._plots: list[Plot] = []
        self._alone = True
        "Whether there is no other book, which the hours of a venue would concern as well."

    def plots(self) -> tuple[Plot, ...]:
        """Return the books, the first of which has the tag `t`."""
        books = self._pick(*BOOKS)
        self._alone = books == 1
        for index in range(books):
            self._plots.append(self._plot(index))
        return tuple(self._sharing(plot) for plot in self._plots)

    def _sharing(self, plot: Plot) -> Plot:
        """Tell a book which of its positions another one shares, as the config does."""
        taken = [(leg.account_id, leg.instrument.id) for each in self._plots for leg in each.config.legs]
        legs = tuple(
            msgspec.structs.replace(leg, shared=taken.count((leg.account_id, leg.instrument.id)) > 1)
            for leg in plot.config.legs
        )
        return msgspec.structs.replace(plot, config=msgspec.structs.replace(plot.config, legs=legs))

    def _pick(self, *choices: Any) -> Any:
        return choices[self._rng.randrange(len(choices))]

    def _plot(self, index: int) -> Plot:
        match self._pick(*POLICIES):
            case "mirror":
                return self._mirror(index)
            case "carry":
                return self._carry(index, close=False)
            case "close":
                return self._carry(index, close=True)
            case "grid":
                return self._grid(index)
            case "pair":
                return self._pair(index)
            case "exits":
                return self._exits(index)
            case policy:
                raise AssertionError(policy)

    # Instruments and accounts.

    def _instrument(
        self,
        index: int,
        venue_id: VenueId,
        kind: InstrumentKind,
        fee_currencies: tuple[FeeCurrency, ...],
        *,
        alone: bool = False,
    ) -> Instrument:
        """Return an instrument of the book's own, or, unless it must be alone, one that an earlier book trades too."""
        for leg in (leg for plot in self._plots for leg in plot.config.legs if not alone and not leg.adopt):
            known = leg.instrument
            if known.venue_id == venue_id and known.kind is kind is PERP and self._rng.randrange(2):
                return known
        step = STEPS[self._rng.randrange(len(STEPS))]
        perp = kind is PERP
        fee_currency = FeeCurrency.QUOTE if perp else self._pick(*fee_currencies)
        banded = self._rng.randrange(2) == 0
        base = "XYZ"[index]
        return Instrument(
            InstrumentId(f"{venue_id}:{base}-USD"),
            venue_id,
            kind,
            base,
            "USD",
            self._pick(Decimal("0.01"), Decimal("0.1")),
            step,
            step * self._pick(1, 1, 2, 5),
            step * 1000 if self._rng.randrange(3) == 0 else None,
            self._pick(ZERO, Decimal(5), Decimal(20)),
            self._rng.randrange(2) == 0,
            self._pick(ONE, ONE, Decimal(10)) if perp else ONE,
            Decimal("0.95") if banded else None,
            Decimal("1.05") if banded else None,
            fee_currency,
            perp,
        )

    def _account(self, index: int, venue_id: VenueId) -> AccountId:
        """Return the account of the first book, or one of the book's own."""
        name = "main" if index == 0 or self._rng.randrange(3) else f"sub{index}"
        return AccountId(f"{venue_id}/{name}")

    def _legs(self, index: int, adopt: bool, *instruments: tuple[LegId, Instrument]) -> tuple[LegConfig, ...]:
        lease_ms, visibility_ms = self._rng.randrange(2_000, 4_000), self._rng.randrange(1_500, 4_000)
        return tuple(
            LegConfig(
                leg_id,
                self._account(index, each.venue_id),
                each,
                adopt,
                lease_ms=lease_ms,
                visibility_ms=visibility_ms,
            )
            for leg_id, each in instruments
        )

    def _config(
        self,
        index: int,
        policy: str,
        params: dict[str, str],
        legs: tuple[LegConfig, ...],
        hedge: HedgeRule | None,
        qty: Decimal,
    ) -> BookConfig:
        rng = self._rng
        limits = Limits(
            max_notional=legs[0].instrument.notional(qty, PRICE) * 10 if rng.randrange(2) else None,
            # The accounts are rich: what this one holds back is an entry while something has no price or balance.
            leverage_max=self._pick(None, None, None, None, ONE),
            pending_orders_max=self._pick(None, None, None, None, 2, 5),
            stale_ms=rng.randrange(2_000, 5_000),
            residual_alarm_ms=3_000,
        )
        timing = Timing(
            ack_timeout_ms=rng.randrange(500, 1_500),
            ask_first_ms=rng.randrange(100, 400),
            ask_spacing_ms_max=rng.randrange(800, 2_000),
            retry_first_ms=100,
            retry_spacing_ms_max=3_000,
            trades_read_ms=rng.randrange(1_000, 3_000),
            full_read_ms=rng.randrange(3_000, 6_000),
            read_timeout_ms=2_000,
            unknown_alarm_ms=8_000,
            hold_after_ms=500,
        )
        tag = "t" if index == 0 else f"t{index}"
        return BookConfig(BookId(f"w{index}"), tag, policy, params, legs, hedge, limits, timing)

    def _qty(self, lead: Instrument, hedge: Instrument, ratio: Decimal) -> Decimal:
        """Return an order of the lead leg: some are worth several orders of the hedge leg, some less than one."""
        per_lead = abs(ratio) * lead.multiplier / hedge.multiplier
        unit = max(lead.smallest_qty(PRICE), hedge.smallest_qty(PRICE) / per_lead)
        qty = ceil_to(unit * self._pick(1, 3, 7) * self._pick(ONE, ONE, ONE, Decimal("0.5")), lead.step)
        qty = max(qty, lead.smallest_qty(PRICE))
        return qty if lead.max_qty is None else min(qty, lead.max_qty)

    # Books.

    def _mirror(self, index: int) -> Plot:
        fees = tuple(FeeCurrency)
        lead = self._instrument(index, NEAR, self._pick(SPOT, MARGIN, PERP), fees)
        hedge = self._instrument(index, FAR, self._pick(PERP, PERP, SPOT), fees)
        ratio = self._pick(-ONE, -ONE, Decimal("-0.5"))
        qty = self._qty(lead, hedge, ratio)
        params = {
            "qty": str(qty),
            "max_net_qty": str(qty * self._pick(1, 3, 10)),
            "entry_side": self._pick("buy", "sell"),
            "depth": str(self._pick(1, 1, 2)),
            "slippage_bps_max": self._pick("none", "30", "100"),
            "order_timeout_s": self._pick("1", "5"),
            "silence_s": "4",
            "force_close_s": self._pick("8", "30"),
            "exit": self._pick("make", "make", "keep"),
        }
        legs = self._legs(index, False, (LEAD, lead), (HEDGE, hedge))
        return Plot(self._config(index, "mirror", params, legs, HedgeRule(LEAD, HEDGE, ratio), qty), qty)

    def _carry(self, index: int, *, close: bool) -> Plot:
        # Who sells all that an account holds cannot pay a fee in what is sold.
        fees = (FeeCurrency.QUOTE, FeeCurrency.RECEIVED) if close else tuple(FeeCurrency)
        lead = self._instrument(index, NEAR, SPOT, fees)
        hedge = self._instrument(index, FAR, PERP, fees, alone=close)
        qty = self._qty(lead, hedge, -ONE)
        params = {
            "entry_qty": str(qty),
            "depth": "1",
            "entry_timeout_s": self._pick("1", "4"),
            "hedge_style": self._pick("taker", "maker"),
            "slippage_bps_max": self._pick("none", "50"),
            "maker_timeout_s": self._pick("3", "10"),
            "requote_s": "1",
            "maker_tries_max": "3",
        }
        held: dict[LegId, Decimal] = {}
        if close:
            params["mode"] = "close"
            held = {LEAD: qty * 3, HEDGE: -hedge.floor_qty(qty * 3 / hedge.multiplier)}
        else:
            params |= {
                "max_net_qty": str(qty * self._pick(2, 6)),
                "entry_type": self._pick("limit", "limit", "market"),
                "entry_on": self._pick("conditions", "signal"),
                "entry_basis_bps_min": "-300",
                "exit_basis_bps_max": self._pick("none", "-400", "-400"),
            }
        legs = self._legs(index, close, (LEAD, lead), (HEDGE, hedge))
        return Plot(self._config(index, "carry", params, legs, HedgeRule(LEAD, HEDGE, -ONE), qty), qty, held)

    def _grid(self, index: int) -> Plot:
        kind = self._pick(PERP, PERP, SPOT)
        lead = self._instrument(index, NEAR, kind, tuple(FeeCurrency))
        hedge = self._instrument(index, FAR, PERP, (FeeCurrency.QUOTE,)) if self._rng.randrange(3) == 0 else None
        qty = self._qty(lead, hedge or lead, -ONE)
        params = {
            "budget": str(lead.notional(qty, PRICE) * 100),
            "leverage": "1",
            "direction": "long_only" if kind is SPOT else self._pick("long_only", "short_only", "neutral"),
            "low": "97",
            "high": "103",
            "levels": str(self._pick(8, 16, 24)),
            "fee_bps": "2",
            "qty": f"{qty:f}",
            "liquidation_distance_bps_min": "0",
            "active_levels": str(self._pick(1, 2, 4)),
            "stray_exit": self._pick("hold", "own_price"),
            "out_of_range": self._pick("wait", "recenter", "stop"),
            "out_of_range_s": "2",
            "recenter_when": self._pick("flat", "held"),
            "stop_price": self._pick("none", "none", "94"),
        }
        if params["direction"] != "long_only":
            params["stop_price"] = "none"
        legs = [(LEAD, lead)] if hedge is None else [(LEAD, lead), (HEDGE, hedge)]
        rule = None if hedge is None else HedgeRule(LEAD, HEDGE, -ONE)
        return Plot(self._config(index, "grid", params, self._legs(index, False, *legs), rule, qty), qty)

    def _pair(self, index: int) -> Plot:
        fees = (FeeCurrency.QUOTE, FeeCurrency.RECEIVED)
        long = self._instrument(index, NEAR, self._pick(PERP, PERP, MARGIN), fees, alone=True)
        short = self._instrument(index, FAR, PERP, fees, alone=True)
        lot = common_lot(long, short)
        smallest = max(each.smallest_qty(PRICE * SAFE_RATIO) * each.multiplier for each in (long, short))
        base_qty = ceil_to(smallest * self._pick(1, 3), lot)
        # What a fee in base takes away must leave enough to be sold.
        base_qty += lot if long.fee_currency is not FeeCurrency.QUOTE else ZERO
        params = {
            "qty": f"{base_qty:f}",
            "rounds": self._pick("single", "continuous", "continuous"),
            "pause_s": self._pick("0", "2"),
            "failures_max": "3",
            "first": self._pick("thinner", "long", "short"),
            "open_timeout_s": self._pick("2", "6"),
            "slippage_bps_max": self._pick("none", "50"),
            "stop_loss_bps": self._pick("20", "80"),
            "take_profit_bps": self._pick("none", "15", "60"),
            "after_exit": self._pick("close_both", "run_winner"),
            "max_hold_s": self._pick("4", "12"),
            "monitor_s": "1",
        }
        legs = self._legs(index, False, (LONG, _in_slices(long, base_qty)), (SHORT, _in_slices(short, base_qty)))
        qty = base_qty / long.multiplier
        return Plot(self._config(index, "pair", params, legs, HedgeRule(LONG, SHORT, -ONE), qty), qty)

    def _exits(self, index: int) -> Plot:
        """Positions that are there already, in one account: shares, and options on them."""
        legs: list[tuple[LegId, Instrument]] = []
        held: dict[LegId, Decimal] = {}
        account_id = AccountId(f"{NEAR}/broker{index}")
        for number in range(self._pick(1, 2, 3)):
            option = self._rng.randrange(3) == 0
            base = f"X{index}{number}{OPTION_TAIL if option else ''}"
            leg_id = LegId(f"p{number}")
            held[leg_id] = Decimal(self._pick(1, 3, 10, -1, -4))
            instrument = Instrument(
                InstrumentId(f"{NEAR}:{base}"),
                NEAR,
                InstrumentKind.OPTION if option else InstrumentKind.STOCK,
                base,
                "USD",
                Decimal("0.01"),
                ONE,
                ONE,
                multiplier=Decimal(100) if option else ONE,
                can_reduce_only=False,
            )
            legs.append((leg_id, instrument))
        params = {
            "scale_out_rate": self._pick("none", "1.003"),
            "buy_back_rate": self._pick("none", "0.99"),
            "buy_back_loss_rate": self._pick("none", "1.01"),
            "take_profit_rate": self._pick("none", "1.005", "1.02"),
            "stop_loss_rate": self._pick("none", "0.995", "0.98"),
            "trailing_rate": self._pick("none", "0.995"),
            "time_limit_h": self._pick("none", "0.002"),
            "stale_sides": self._pick("both", "buy", "sell"),
            "zero_dte_cut_off_min": "none",
            "slippage_bps_max": self._pick("none", "50"),
            "reprice_s": "1",
            "ladder_step_s": "1",
            "stale_order_s": self._pick("none", "2"),
            "cycle_s": "1",
        }
        lease_ms, visibility_ms = self._rng.randrange(2_000, 4_000), self._rng.randrange(1_500, 4_000)
        configs = tuple(
            LegConfig(
                leg_id,
                account_id,
                each,
                True,
                lease_ms=lease_ms,
                visibility_ms=visibility_ms,
                found=self._rng.randrange(3) == 0,
            )
            for leg_id, each in legs
        )
        config = self._config(index, "exits", params, configs, None, ONE)
        if self._alone and self._rng.randrange(2):
            config = msgspec.structs.replace(config, sessions={NEAR: self._hours()})
        return Plot(config, ONE, held)

    def _hours(self) -> Sessions:
        """A venue that closes some seconds after the world began, and opens again some seconds later."""
        close_ns = START_NS + self._rng.randrange(1, 20) * NS_PER_S
        open_ns = close_ns + self._rng.randrange(1, 20) * NS_PER_S
        return Session("2023-11-14", START_NS - DAY_NS, close_ns), Session("2023-11-15", open_ns, open_ns + DAY_NS)


def _in_slices(instrument: Instrument, base_qty: Decimal) -> Instrument:
    """Return the instrument, with a largest order that fills `base_qty` of the base asset in a few of them."""
    if instrument.max_qty is None:
        return instrument
    slice_qty = ceil_to(base_qty / instrument.multiplier / SLICES_MAX, instrument.step)
    return msgspec.structs.replace(instrument, max_qty=max(instrument.max_qty, slice_qty))
