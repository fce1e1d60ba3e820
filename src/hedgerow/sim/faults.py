"""What goes wrong in a simulated world: a closed list of kinds, a random subset per seed, and a count of each.

A kind is counted when it really happened to something, not when it was drawn.
"""

from __future__ import annotations

from random import Random

from hedgerow.model.words import Word


class Fault(Word):
    # Requests and their answers.
    REQUEST_LOST = "request_lost"
    ANSWER_LOST = "answer_lost"
    ACCEPT_DELAYED = "accept_delayed"
    SERVER_ERROR = "server_error"
    DISCONNECTED_AFTER_ACCEPT = "disconnected_after_accept"
    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"
    BODY_TRUNCATED = "body_truncated"
    HTML_BODY = "html_body"
    FALSE_NOT_FOUND = "false_not_found"
    DUPLICATE_ID_ANSWER = "duplicate_id_answer"
    ANSWERS_SWAPPED = "answers_swapped"
    NEVER_TAKEN = "never_taken"
    NOT_CONNECTED = "not_connected"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    CANCEL_LOST = "cancel_lost"
    CANCEL_ANSWER_LOST = "cancel_answer_lost"
    CANCEL_DELAYED = "cancel_delayed"
    CANCEL_GONE = "cancel_gone"
    # Streams.
    FRAME_DROPPED = "frame_dropped"
    FRAME_REPEATED = "frame_repeated"
    FRAME_REORDERED = "frame_reordered"
    FRAME_DELAYED = "frame_delayed"
    STREAM_MUTE = "stream_mute"
    STREAM_CUT = "stream_cut"
    CACHED_REPLAY = "cached_replay"
    FILL_BEFORE_ACK = "fill_before_ack"
    ACK_AFTER_FILL = "ack_after_fill"
    REPORT_BEFORE_TRADE = "report_before_trade"
    TRADE_BEFORE_REPORT = "trade_before_report"
    LATE_TRADE = "late_trade"
    FEE_MISSING = "fee_missing"
    CLIENT_ID_MISSING = "client_id_missing"
    UNKNOWN_ENUM = "unknown_enum"
    CUM_QTY_MISSING = "cum_qty_missing"
    QUOTES_SILENT = "quotes_silent"
    QUOTE_ONE_SIDED = "quote_one_sided"
    # Reads.
    ORDERS_READ_LAG = "orders_read_lag"
    TRADES_READ_LAG = "trades_read_lag"
    POSITION_READ_LAG = "position_read_lag"
    READ_ERROR = "read_error"
    READ_LOST = "read_lost"
    POSITION_ROW_MISSING = "position_row_missing"
    NOT_FOUND_BUT_LIVE = "not_found_but_live"
    SMALL_PAGES = "small_pages"
    ENDED_ORDER_PURGED = "ended_order_purged"
    QUERY_ERROR = "query_error"
    # What venues do.
    PARTIAL_FILL = "partial_fill"
    IOC_REMAINDER = "ioc_remainder"
    ORDER_EXPIRED = "order_expired"
    SELF_TRADE = "self_trade"
    POST_ONLY_REFUSED = "post_only_refused"
    POST_ONLY_EXPIRED = "post_only_expired"
    PRICE_BAND = "price_band"
    REDUCE_ONLY_REFUSED = "reduce_only_refused"
    MIN_NOTIONAL = "min_notional"
    MARGIN_SHORT = "margin_short"
    FILTER_CHANGED = "filter_changed"
    MAINTENANCE = "maintenance"
    TRADING_HALT = "trading_halt"
    THIN_BOOK = "thin_book"
    PRICE_JUMP = "price_jump"
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"
    FOREIGN_TRADE = "foreign_trade"
    FOREIGN_ORDER = "foreign_order"
    POSITION_MODE = "position_mode"
    FUNDING = "funding"
    OVERFILL = "overfill"
    # The process, its clock and its disk.
    CRASH_BEFORE_APPEND = "crash_before_append"
    CRASH_BEFORE_COMMIT = "crash_before_commit"
    CRASH_BEFORE_SEND = "crash_before_send"
    CRASH_BETWEEN_SENDS = "crash_between_sends"
    CRASH_AFTER_SEND = "crash_after_send"
    CRASH_IN_RECOVERY = "crash_in_recovery"
    DOUBLE_START = "double_start"
    CLOCK_STEP = "clock_step"
    CLOCK_JITTER = "clock_jitter"
    LOOP_STALL = "loop_stall"
    SLOW_COMMIT = "slow_commit"
    TORN_COMMIT = "torn_commit"
    JOURNAL_FULL = "journal_full"
    JOURNAL_LOW = "journal_low"
    # People.
    OPERATOR_FREEZE = "operator_freeze"
    OPERATOR_FLATTEN = "operator_flatten"
    OPERATOR_HALT = "operator_halt"
    OPERATOR_RESUME = "operator_resume"


CRASHES = frozenset(
    {
        Fault.CRASH_BEFORE_APPEND,
        Fault.CRASH_BEFORE_COMMIT,
        Fault.CRASH_BEFORE_SEND,
        Fault.CRASH_BETWEEN_SENDS,
        Fault.CRASH_AFTER_SEND,
        Fault.CRASH_IN_RECOVERY,
        Fault.TORN_COMMIT,
        Fault.JOURNAL_FULL,
    }
)
"Kinds that end an engine process at that instruction."

# Chance in a million per opportunity (a request, a frame, a read, a commit) at nominal intensity.
PER_MILLION: dict[Fault, int] = {
    Fault.REQUEST_LOST: 60_000,
    Fault.ANSWER_LOST: 60_000,
    Fault.ACCEPT_DELAYED: 50_000,
    Fault.SERVER_ERROR: 50_000,
    Fault.DISCONNECTED_AFTER_ACCEPT: 50_000,
    Fault.TIMEOUT_AFTER_ACCEPT: 50_000,
    Fault.BODY_TRUNCATED: 50_000,
    Fault.HTML_BODY: 50_000,
    Fault.FALSE_NOT_FOUND: 50_000,
    Fault.DUPLICATE_ID_ANSWER: 50_000,
    Fault.ANSWERS_SWAPPED: 50_000,
    Fault.NEVER_TAKEN: 50_000,
    Fault.NOT_CONNECTED: 60_000,
    Fault.RATE_LIMITED: 60_000,
    Fault.CANCEL_LOST: 120_000,
    Fault.CANCEL_ANSWER_LOST: 120_000,
    Fault.CANCEL_DELAYED: 150_000,
    Fault.CANCEL_GONE: 80_000,
    Fault.FRAME_DROPPED: 120_000,
    Fault.FRAME_REPEATED: 150_000,
    Fault.FRAME_REORDERED: 120_000,
    Fault.FRAME_DELAYED: 80_000,
    Fault.CACHED_REPLAY: 50_000,
    Fault.FILL_BEFORE_ACK: 200_000,
    Fault.ACK_AFTER_FILL: 200_000,
    Fault.REPORT_BEFORE_TRADE: 250_000,
    Fault.TRADE_BEFORE_REPORT: 250_000,
    Fault.LATE_TRADE: 80_000,
    Fault.FEE_MISSING: 150_000,
    Fault.CLIENT_ID_MISSING: 150_000,
    Fault.UNKNOWN_ENUM: 60_000,
    Fault.CUM_QTY_MISSING: 150_000,
    Fault.QUOTE_ONE_SIDED: 20_000,
    Fault.ORDERS_READ_LAG: 400_000,
    Fault.TRADES_READ_LAG: 400_000,
    Fault.POSITION_READ_LAG: 400_000,
    Fault.READ_ERROR: 120_000,
    Fault.READ_LOST: 50_000,
    Fault.POSITION_ROW_MISSING: 120_000,
    Fault.NOT_FOUND_BUT_LIVE: 400_000,
    Fault.SMALL_PAGES: 400_000,
    Fault.ENDED_ORDER_PURGED: 200_000,
    Fault.QUERY_ERROR: 150_000,
    Fault.SELF_TRADE: 60_000,
    Fault.POST_ONLY_REFUSED: 120_000,
    Fault.POST_ONLY_EXPIRED: 120_000,
    Fault.PRICE_BAND: 60_000,
    Fault.REDUCE_ONLY_REFUSED: 400_000,
    Fault.MIN_NOTIONAL: 60_000,
    Fault.OVERFILL: 30_000,
    Fault.CRASH_BEFORE_APPEND: 4_000,
    Fault.CRASH_BEFORE_COMMIT: 4_000,
    Fault.CRASH_BEFORE_SEND: 8_000,
    Fault.CRASH_BETWEEN_SENDS: 40_000,
    Fault.CRASH_AFTER_SEND: 15_000,
    Fault.CRASH_IN_RECOVERY: 300_000,
    Fault.TORN_COMMIT: 4_000,
    Fault.CLOCK_STEP: 500_000,
    Fault.CLOCK_JITTER: 20_000,
    Fault.SLOW_COMMIT: 15_000,
}

# Mean distance in milliseconds at nominal intensity, for what happens unasked.
MEAN_SPACING_MS: dict[Fault, int] = {
    Fault.BANNED: 40_000,
    Fault.STREAM_MUTE: 20_000,
    Fault.STREAM_CUT: 15_000,
    Fault.QUOTES_SILENT: 30_000,
    Fault.PARTIAL_FILL: 6_000,
    Fault.IOC_REMAINDER: 15_000,
    Fault.ORDER_EXPIRED: 8_000,
    Fault.MARGIN_SHORT: 25_000,
    Fault.FILTER_CHANGED: 25_000,
    Fault.MAINTENANCE: 30_000,
    Fault.TRADING_HALT: 30_000,
    Fault.THIN_BOOK: 20_000,
    Fault.PRICE_JUMP: 15_000,
    Fault.LIQUIDATION: 40_000,
    Fault.DELEVERAGING: 40_000,
    Fault.FOREIGN_TRADE: 40_000,
    Fault.FOREIGN_ORDER: 30_000,
    Fault.POSITION_MODE: 40_000,
    Fault.FUNDING: 15_000,
    Fault.DOUBLE_START: 30_000,
    Fault.LOOP_STALL: 15_000,
    Fault.JOURNAL_FULL: 40_000,
    Fault.JOURNAL_LOW: 60_000,
    Fault.OPERATOR_FREEZE: 40_000,
    Fault.OPERATOR_FLATTEN: 50_000,
    Fault.OPERATOR_HALT: 50_000,
    Fault.OPERATOR_RESUME: 10_000,
}
assert set(PER_MILLION) | set(MEAN_SPACING_MS) == set(Fault), "every kind has a rate"
assert not set(PER_MILLION) & set(MEAN_SPACING_MS), "no kind has two"

# How often a world has a kind, in percent: enough kinds for them to meet, few enough for each to be felt.
ENABLED_PERCENT = 30
# One world in so many has no fault at all, and must be as right.
CALM_ONE_IN = 20


class Faults:
    """The faults of one world: which kinds it has, how strongly, and how often each happened."""

    def __init__(self, rng: Random, only: frozenset[Fault] | None = None) -> None:
        """Draw the subset. `only` is for tests: these kinds and no others, at nominal intensity."""
        self._rng = rng
        self._random = rng.random
        self.healed = False
        self.counts: dict[Fault, int] = dict.fromkeys(Fault, 0)
        self._chances: dict[Fault, float] = {}
        self.spacings_ms: dict[Fault, int] = {}
        "Mean distance of the unasked kinds that this world has, in the order of the list."
        calm = rng.randrange(CALM_ONE_IN) == 0
        for kind in Fault:
            enabled, tenths = rng.randrange(100) < ENABLED_PERCENT, rng.randrange(1, 21)
            if only is not None:
                enabled, tenths = kind in only, 10
            elif calm:
                enabled = False
            self._chances[kind] = PER_MILLION.get(kind, 0) * tenths / 10_000_000 if enabled else 0
            if enabled and kind in MEAN_SPACING_MS:
                self.spacings_ms[kind] = MEAN_SPACING_MS[kind] * 10 // tenths

    def draws(self, kind: Fault) -> bool:
        """Return whether this opportunity is taken. Nothing is counted: it may yet have no effect."""
        chance = self._chances[kind]
        return chance > 0 and not self.healed and self._random() < chance

    def strikes(self, kind: Fault) -> bool:
        """Return whether this opportunity is taken, and count it."""
        chance = self._chances[kind]
        if not chance or self.healed or self._random() >= chance:
            return False
        self.counts[kind] += 1
        return True

    def count(self, kind: Fault) -> None:
        """Record that a kind really happened."""
        self.counts[kind] += 1

    def next_ms(self, kind: Fault) -> int:
        """Return after how long an unasked kind happens next: uniform around its mean, >= 1."""
        return self._rng.randrange(1, 2 * self.spacings_ms[kind])
