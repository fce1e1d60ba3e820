"""Holds and alarms: everything wanted and not done, and everything a person must look at, from two closed lists."""

from __future__ import annotations

import msgspec

from hedgerow.model.ids import LegId
from hedgerow.model.words import Word


class HoldReason(Word):
    """Why something that was wanted was not done. Closed: docs/reference/holds.md documents each with its next step."""

    # The market rules.
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    OFF_STEP = "off_step"
    OFF_TICK = "off_tick"
    PRICE_BAND = "price_band"
    INSUFFICIENT_HOLDINGS = "insufficient_holdings"
    NO_EXIT_LEVEL = "no_exit_level"
    # What is already under way.
    ALREADY_WORKING = "already_working"
    UNKNOWN_ORDER = "unknown_order"
    REPLACING = "replacing"
    AWAITING_POSITION = "awaiting_position"
    # What the venue said.
    VENUE_REFUSED = "venue_refused"
    RATE_LIMITED = "rate_limited"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    POST_ONLY_REFUSED = "post_only_refused"
    NO_LIQUIDITY = "no_liquidity"
    MARKET_CLOSED = "market_closed"
    LINK_DOWN = "link_down"
    POSITION_MODE = "position_mode"
    LEVERAGE = "leverage"
    # What we know of prices.
    NO_MARK_PRICE = "no_mark_price"
    STALE_PRICE = "stale_price"
    PRICE_DISTANCE = "price_distance"
    BOOK_TOO_THIN = "book_too_thin"
    # What the policy waits for.
    GATED = "gated"
    HEDGE_SILENT = "hedge_silent"
    NO_SIGNAL = "no_signal"
    STALE_SIGNAL = "stale_signal"
    OUT_OF_RANGE = "out_of_range"
    PAUSED = "paused"
    ROUND_OVER = "round_over"
    ROUNDS_FAILED = "rounds_failed"
    WARMING_UP = "warming_up"
    STOPPED = "stopped"
    INVENTORY_LIMIT = "inventory_limit"
    COST_BASIS = "cost_basis"
    VOLATILITY = "volatility"
    LOSS_LIMIT = "loss_limit"
    PROFIT_LOCK = "profit_lock"
    # Limits and switches.
    NOTIONAL_LIMIT = "notional_limit"
    RESIDUAL_LIMIT = "residual_limit"
    ORDER_RATE_LIMIT = "order_rate_limit"
    OPEN_ORDERS_LIMIT = "open_orders_limit"
    ORDER_NOTIONAL_LIMIT = "order_notional_limit"
    UNIT_MISMATCH = "unit_mismatch"
    SYMBOL_EXPOSURE_LIMIT = "symbol_exposure_limit"
    TOTAL_EXPOSURE_LIMIT = "total_exposure_limit"
    LEVERAGE_LIMIT = "leverage_limit"
    PENDING_ORDERS_LIMIT = "pending_orders_limit"
    PORTFOLIO_UNKNOWN = "portfolio_unknown"
    RECONCILING = "reconciling"
    DRIFT = "drift"
    FROZEN = "frozen"
    FLATTENING = "flattening"
    HALTED = "halted"
    JOURNAL_FAILED = "journal_failed"


class HoldText(msgspec.Struct, frozen=True):
    """How a hold is told to people."""

    sentence: str
    "What is held, in one sentence."
    next_step: str
    "What ends it, or what the reader can do."


HOLD_TEXTS: dict[HoldReason, HoldText] = {
    HoldReason.BELOW_MINIMUM: HoldText(
        "The qty is below what the venue takes in one order.",
        "It is carried and goes out with the next increment; nothing to do. The number is the residual that stays.",
    ),
    HoldReason.ABOVE_MAXIMUM: HoldText(
        "The qty is above what the venue takes in one order.",
        "It is sliced; each slice follows the one before.",
    ),
    HoldReason.OFF_STEP: HoldText(
        "The venue refused the qty as off its step.", "The venue changed a filter: it is read again at the next start."
    ),
    HoldReason.OFF_TICK: HoldText(
        "The venue refused the price as off its tick.",
        "The venue changed a filter: it is read again at the next start.",
    ),
    HoldReason.PRICE_BAND: HoldText(
        "The price lies outside the band that the venue allows around its mark.",
        "It is asked for again, spaced, as the mark moves.",
    ),
    HoldReason.INSUFFICIENT_HOLDINGS: HoldText(
        "An exit is larger than what the fills of this book add up to.",
        "Compare `hedgerow positions` with the venue; the book never sells what it does not hold.",
    ),
    HoldReason.NO_EXIT_LEVEL: HoldText(
        "A filled entry has no exit level to go to.", "Widen the range so that each entry has its exit."
    ),
    HoldReason.ALREADY_WORKING: HoldText(
        "An order for all of this is already working.",
        "Wait for it, or look at it with `hedgerow explain ORDER`.",
    ),
    HoldReason.UNKNOWN_ORDER: HoldText(
        "An order whose outcome is unknown may still fill, so nothing is sent in its place.",
        "It is being asked for by id and by trades; `hedgerow explain ORDER` shows each answer.",
    ),
    HoldReason.REPLACING: HoldText(
        "The order that stands here must be proven gone before the new one leaves.", "Nothing to do."
    ),
    HoldReason.AWAITING_POSITION: HoldText(
        "The venue refused a reduce-only order because its own position lags behind its fills.",
        "It is asked for again, spaced; nothing to do unless the age grows past a minute.",
    ),
    HoldReason.VENUE_REFUSED: HoldText(
        "The venue refused the order.",
        "Read its code and text; it is asked for again, further and further apart.",
    ),
    HoldReason.RATE_LIMITED: HoldText(
        "The venue's rate limit is used up.", "It is asked for again after the venue's own waiting time."
    ),
    HoldReason.INSUFFICIENT_MARGIN: HoldText(
        "The account has too little margin or balance.", "Add funds, or `hedgerow flatten` the book."
    ),
    HoldReason.POST_ONLY_REFUSED: HoldText(
        "A post-only order would have taken.",
        "It is re-quoted, spaced and capped, then taken by the policy's clock.",
    ),
    HoldReason.NO_LIQUIDITY: HoldText(
        "There was nothing to trade with inside the slippage cap.",
        "It is asked for again; widen `slippage_bps_max` if you accept the price.",
    ),
    HoldReason.MARKET_CLOSED: HoldText("The venue does not trade this now.", "It is asked for when it opens."),
    HoldReason.LINK_DOWN: HoldText(
        "The link to the venue is down, so nothing that adds risk is sent.",
        "It reconnects by itself and reads orders and trades again first.",
    ),
    HoldReason.POSITION_MODE: HoldText(
        "The account is in another position mode than the book was made for.",
        "Set the account's mode back, then `hedgerow resume`.",
    ),
    HoldReason.LEVERAGE: HoldText(
        "The venue does not show the leverage that the config asks for.",
        "It is being set and read back; look at the alarm if it lasts.",
    ),
    HoldReason.NO_MARK_PRICE: HoldText(
        "No price of the instrument has been seen yet.", "It goes out with the first price."
    ),
    HoldReason.STALE_PRICE: HoldText(
        "The last price is too old to enter on.", "Entries return with fresh prices; hedges and exits go on."
    ),
    HoldReason.PRICE_DISTANCE: HoldText(
        "The price is further from the mark than the limit allows.", "Check `risk.price_distance_bps_max`."
    ),
    HoldReason.BOOK_TOO_THIN: HoldText(
        "The book has fewer levels than the policy quotes at.", "It quotes again when the book fills up."
    ),
    HoldReason.GATED: HoldText(
        "Nothing new is made until the hedge leg is level.", "It goes on when the residual is gone."
    ),
    HoldReason.HEDGE_SILENT: HoldText(
        "Nothing has been heard from the hedge leg, so nothing is made that it would have to hedge.",
        "It goes on with the first sign of life; look at the venue if it lasts.",
    ),
    HoldReason.NO_SIGNAL: HoldText(
        "The conditions for an entry are not met.", "The numbers say how far they are away."
    ),
    HoldReason.STALE_SIGNAL: HoldText(
        "A signal was older than allowed and was dropped.", "Send a new one, or raise `signal_age_s_max`."
    ),
    HoldReason.OUT_OF_RANGE: HoldText("The market has left the range.", "As the policy's out-of-range rule says."),
    HoldReason.PAUSED: HoldText("The pause between two rounds.", "The next round begins when it is over."),
    HoldReason.ROUND_OVER: HoldText(
        "The single round is over.",
        "`hedgerow signal BOOK` begins another one; `rounds: continuous` repeats by itself.",
    ),
    HoldReason.ROUNDS_FAILED: HoldText(
        "Too many rounds in a row did not open.", "Read why; `hedgerow resume BOOK` lets them begin again."
    ),
    HoldReason.WARMING_UP: HoldText(
        "The policy still measures the market.", "Nothing to do: it begins when it has seen enough."
    ),
    HoldReason.STOPPED: HoldText(
        "A stop was hit, and what led to it still holds.", "Nothing is entered until it no longer does."
    ),
    HoldReason.INVENTORY_LIMIT: HoldText(
        "The book holds as much as it may; nothing more is entered.", "Its exits make room; see the policy's limits."
    ),
    HoldReason.COST_BASIS: HoldText(
        "The market is too far on the wrong side of the average cost to add to it.",
        "Entries return when the market does; exits go on.",
    ),
    HoldReason.VOLATILITY: HoldText(
        "The market moves too much to enter.", "Entries return when it calms down; exits go on."
    ),
    HoldReason.LOSS_LIMIT: HoldText(
        "The book has lost too much to enter.", "Entries return when the loss shrinks; exits go on."
    ),
    HoldReason.PROFIT_LOCK: HoldText(
        "The profit that was asked for is realized; nothing more is entered.", "Raise `profit_lock` to go on."
    ),
    HoldReason.NOTIONAL_LIMIT: HoldText(
        "The order would take the book above its notional limit.",
        "Raise `risk.max_notional`, or wait for exits.",
    ),
    HoldReason.RESIDUAL_LIMIT: HoldText(
        "The residual could grow past its limit.",
        "It goes on as the hedge catches up; see `hedgerow status`.",
    ),
    HoldReason.ORDER_RATE_LIMIT: HoldText(
        "Entries have used up their orders per second.",
        "It goes out within a second; hedges are not affected.",
    ),
    HoldReason.OPEN_ORDERS_LIMIT: HoldText(
        "The book has as many open orders as it may.", "Raise `risk.max_open_orders`, or wait."
    ),
    HoldReason.ORDER_NOTIONAL_LIMIT: HoldText(
        "One order is worth more than one order may be.",
        "Check its size and the instrument's multiplier; else raise `risk.max_order_notional`.",
    ),
    HoldReason.UNIT_MISMATCH: HoldText(
        "Both legs are of one underlying, and their prices are too far apart to be per the same unit.",
        "Check `multiplier` of both instruments: a contract may be more, or less, than one unit.",
    ),
    HoldReason.SYMBOL_EXPOSURE_LIMIT: HoldText(
        "All books together could hold too much of one underlying for the equity there is.",
        "Raise `risk.symbol_exposure_ratio_max`, or wait for exits; `hedgerow status` shows the totals.",
    ),
    HoldReason.TOTAL_EXPOSURE_LIMIT: HoldText(
        "All books together could hold too much, over all underlyings, for the equity there is.",
        "Raise `risk.total_exposure_ratio_max`, or wait for exits; `hedgerow status` shows the totals.",
    ),
    HoldReason.LEVERAGE_LIMIT: HoldText(
        "The positions of all books could come to too many times the equity.",
        "Raise `risk.leverage_max`, add funds, or wait for exits.",
    ),
    HoldReason.PENDING_ORDERS_LIMIT: HoldText(
        "All books together have as many live orders as they may.", "Raise `risk.pending_orders_max`, or wait."
    ),
    HoldReason.PORTFOLIO_UNKNOWN: HoldText(
        "A limit over all books cannot be checked, because a balance or a price is unknown, which is not zero.",
        "The numbers say which; it goes on when the venue answers.",
    ),
    HoldReason.RECONCILING: HoldText(
        "The venue's orders, trades and positions are being read; entries wait for the answers.",
        "Nothing to do.",
    ),
    HoldReason.DRIFT: HoldText(
        "The venue's position differs from what our fills add up to; entries stop, exits go on.",
        "Find the trade that is not ours, then `hedgerow resume BOOK --accept-drift`.",
    ),
    HoldReason.FROZEN: HoldText(
        "The book is frozen: nothing that adds risk.", "`hedgerow resume BOOK` when the cause is gone."
    ),
    HoldReason.FLATTENING: HoldText("The book is being flattened.", "It freezes by itself when flat is verified."),
    HoldReason.HALTED: HoldText("The book is halted: no orders at all.", "`hedgerow resume BOOK` lifts it."),
    HoldReason.JOURNAL_FAILED: HoldText(
        "The journal cannot be written, so nothing that adds risk is sent.",
        "Free disk space; then start again.",
    ),
}

# Held for one of these, an entry order that already rests is canceled as well: it would add the same risk.
WITHDRAWS = frozenset(
    {
        HoldReason.LINK_DOWN,
        HoldReason.STALE_PRICE,
        HoldReason.HEDGE_SILENT,
        HoldReason.DRIFT,
        HoldReason.FROZEN,
        HoldReason.FLATTENING,
        HoldReason.HALTED,
        HoldReason.POSITION_MODE,
        HoldReason.JOURNAL_FAILED,
        HoldReason.MARKET_CLOSED,
    }
)


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something wanted and not done. Two holds are the same one while `key` is the same."""

    reason: HoldReason
    leg_id: LegId
    slot: str = ""
    "The slot of the target that is held; empty for the leg's shortfall."
    numbers: tuple[tuple[str, str], ...] = ()
    "Name -> exact number or word, in the order of telling: what is wanted, and what stands against it."

    @property
    def key(self) -> str:
        return f"{self.leg_id}/{self.slot}"


class AlarmKind(Word):
    """What a person must look at. Closed, as the holds are."""

    RESIDUAL_AGED = "residual_aged"
    UNKNOWN_ORDER = "unknown_order"
    DRIFT = "drift"
    FOREIGN_POSITION = "foreign_position"
    FOREIGN_FILL = "foreign_fill"
    ORPHAN_ORDER = "orphan_order"
    OVERFILL = "overfill"
    LATE_FILL = "late_fill"
    CONTRADICTION = "contradiction"
    PARKED_FULL = "parked_full"
    BAD_NUMBER = "bad_number"
    TRADE_ID_REUSED = "trade_id_reused"
    FEE_UNKNOWN = "fee_unknown"
    LINK_DOWN = "link_down"
    VENUE_TRADE = "venue_trade"
    HEDGE_REFUSED = "hedge_refused"
    FORCE_CLOSE = "force_close"
    POSITION_MODE = "position_mode"
    LEVERAGE = "leverage"
    JOURNAL = "journal"
    # What a policy raises and clears by itself.
    OUT_OF_RANGE = "out_of_range"
    NO_EXIT_LEVEL = "no_exit_level"
    POSITIONS_UNREAD = "positions_unread"
    NO_BID = "no_bid"
    LEG_BLIND = "leg_blind"
    ROUND_FAILED = "round_failed"
    CLOSE_FAILED = "close_failed"


# They stand exactly as long as the policy's target names them.
POLICY_ALARMS = frozenset(
    {
        AlarmKind.OUT_OF_RANGE,
        AlarmKind.NO_EXIT_LEVEL,
        AlarmKind.POSITIONS_UNREAD,
        AlarmKind.NO_BID,
        AlarmKind.LEG_BLIND,
        AlarmKind.ROUND_FAILED,
        AlarmKind.CLOSE_FAILED,
    }
)


class Alarm(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alarm; it stays until what raised it is over or an operator resumes the book."""

    kind: AlarmKind
    subject: str
    "What it is about: a leg, an order id, a trade id."
    text: str
    "One sentence with the numbers."

    @property
    def key(self) -> str:
        return f"{self.kind.value}/{self.subject}"
