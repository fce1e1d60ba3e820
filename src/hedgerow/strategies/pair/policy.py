"""Pair: long on one venue and short on another in equal size, in rounds: opened, watched, closed, proven flat.

One leg opens first and the other follows its fills. Each leg has a stop on its own feed and a take-profit that rests at
its venue. A round is over only when both venues show it flat.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.core import guard
from hedgerow.core.book import Book
from hedgerow.core.config import NS_PER_MS, NS_PER_S, BookConfig
from hedgerow.core.holds import Alarm, AlarmKind, Hold, HoldReason
from hedgerow.core.target import NetTarget, Resting, Taking, Target, WakePrice
from hedgerow.model.ids import LegId
from hedgerow.model.numbers import BPS, ZERO
from hedgerow.model.order import Role, Side
from hedgerow.strategies.pair.leg import TAKE_PROFIT, PairLeg
from hedgerow.strategies.pair.opening import OPEN, SHOWN_BPS, Opening
from hedgerow.strategies.pair.params import AfterExit, PairParams, Rounds, check, takes_signals
from hedgerow.strategies.pair.round import Memory, Phase, remembered, told
from hedgerow.strategies.quoting import Reason, earliest, is_worth_it, to_ns

__all__ = ["Pair", "PairParams", "check", "takes_signals"]

EXIT = "exit"
"Under what a way out is told that cannot be taken."
# A signal asks for a round now, not for one later.
SIGNAL_AGE_NS = 60 * NS_PER_S
# A venue shows a position within its visibility; a book that still differs so much later is told.
PROOF_ALARM_NS = 10 * NS_PER_S


class Pair:
    """Two legs against one another, in rounds."""

    def __init__(self, config: BookConfig, params: PairParams) -> None:
        rule = config.hedge
        assert rule is not None, config.book_id
        self._params = params
        self._long = PairLeg(config.leg(rule.lead), Side.BUY, params)
        self._short = PairLeg(config.leg(rule.hedge), Side.SELL, params)
        self._legs = (self._long, self._short)
        self._opening = Opening(params, self._long, self._short)
        self._taking = Taking(params.slippage_bps_max)
        self._open_timeout_ns = to_ns(params.open_timeout_s)
        self._max_hold_ns = None if params.max_hold_s is None else to_ns(params.max_hold_s)
        self._monitor_ns = to_ns(params.monitor_s)
        self._pause_ns = to_ns(params.pause_s)
        self._has_net_exits = params.net_stop_loss_bps is not None or params.net_take_profit_bps is not None

    def target(self, book: Book) -> Target:
        before = remembered(book.state.memory)
        memory = before
        while (after := self._moved(book, memory)) != memory:
            memory = after
        text = book.state.memory if memory == before else memory.text()
        return replace(self._wanted(book, memory), memory=text, note=told(text))

    def _wanted(self, book: Book, memory: Memory) -> Target:
        match memory.phase:
            case Phase.WAITING:
                return self._waiting(book, memory)
            case Phase.OPENING:
                return self._opening_target(book, memory)
            case Phase.OPEN:
                return self._open_target(book, memory)
            case Phase.CLOSING:
                return self._closing_target(book, memory)

    # How a round goes on.

    def _moved(self, book: Book, memory: Memory) -> Memory:
        """Return where the round stands by what is; the same memory when nothing has changed."""
        wrong = next((leg for leg in self._legs if leg.held(book) < 0 and leg.is_closable(book)), None)
        if wrong is not None and memory.phase in (Phase.OPENING, Phase.OPEN):
            return self._closing(book, memory, f"{wrong.id} stands the wrong way")
        match memory.phase:
            case Phase.WAITING:
                return self._begun(book, memory)
            case Phase.OPENING:
                return self._opened(book, memory)
            case Phase.OPEN:
                return self._exited(book, memory)
            case Phase.CLOSING:
                return self._closed(book, memory)

    def _begun(self, book: Book, memory: Memory) -> Memory:
        if any(leg.is_closable(book) for leg in self._legs):
            return self._found(book, memory)
        if book.unassigned or self._why_not(book, memory) is not None or self._opening.unmet(book) is not None:
            return memory
        first = self._opening.first(book)
        base_qty = self._opening.base_qty(book)
        if base_qty is None or self._opening.limited(book, first, base_qty) is not None:
            return memory
        if any(leg.is_spoiled(book, base_qty) for leg in self._legs):
            return memory
        return Memory(
            round=memory.round + 1,
            phase=Phase.OPENING,
            first=first.id,
            base_qty=base_qty,
            began_ts_ns=book.now_ns,
            failures=self._failures(book, memory),
            value_before=self._value(book),
        )

    def _found(self, book: Book, memory: Memory) -> Memory:
        """Something is held outside of a round: adopted as a pair, or left by a message that came late."""
        base_qty = min(leg.held_base(book) for leg in self._legs)
        found = Memory(
            round=memory.round + 1,
            began_ts_ns=book.now_ns,
            exposed_ts_ns=book.now_ns,
            opened_ts_ns=book.now_ns,
            failures=memory.failures,
            value_before=self._value(book),
        )
        if book.is_hedged and base_qty > 0:
            return replace(found, phase=Phase.OPEN, base_qty=base_qty)
        return replace(found, phase=Phase.CLOSING, closing_ts_ns=book.now_ns, reason="held outside of a round")

    def _opened(self, book: Book, memory: Memory) -> Memory:
        first, second = self._order(memory)
        if not memory.exposed_ts_ns and any(leg.held(book) != 0 for leg in self._legs):
            return replace(memory, exposed_ts_ns=book.now_ns)
        at_work = any(book.live[leg.id] for leg in self._legs)
        is_paired = book.is_hedged and first.is_holding(book) and second.is_holding(book)
        is_late = book.now_ns >= self._open_due_ns(memory)
        if is_paired and not at_work and (is_late or self._missing(book, memory, first) is None):
            base_qty = min(leg.held_base(book) for leg in self._legs)
            return replace(memory, phase=Phase.OPEN, base_qty=base_qty, opened_ts_ns=book.now_ns)
        if not is_late or (book.is_hedged and at_work):
            return memory
        missing = first if first.held(book) == 0 else second
        reason = f"{missing.id} did not open within {self._params.open_timeout_s} s"
        return replace(memory, phase=Phase.CLOSING, closing_ts_ns=book.now_ns, reason=reason)

    def _exited(self, book: Book, memory: Memory) -> Memory:
        if not any(leg.is_holding(book) for leg in self._legs):
            took = next((leg for leg in self._legs if leg.took_profit(book)), None)
            return self._closing(book, memory, "flattened" if took is None else self._how_out(book, took))
        if self._kept_by(book, memory) is not None:
            return memory
        due_ns = self._hold_due_ns(memory)
        if due_ns is not None and book.now_ns >= due_ns:
            return self._closing(book, memory, f"max_hold {self._params.max_hold_s} s")
        net = self._net_exit(book)
        if net and not memory.out:
            return self._closing(book, memory, net)
        for leg in self._legs:
            if leg.id == memory.out:
                continue
            if reason := self._leg_exit(book, memory, leg):
                if memory.out or self._params.after_exit is AfterExit.CLOSE_BOTH:
                    return self._closing(book, memory, reason)
                return replace(memory, out=leg.id, reason=reason)
        if not memory.out and not book.is_hedged:
            return self._closing(book, memory, f"legs unequal, residual {book.residual}")
        return memory

    def _closing(self, book: Book, memory: Memory, reason: str) -> Memory:
        return replace(memory, phase=Phase.CLOSING, closing_ts_ns=book.now_ns, reason=reason)

    def _closed(self, book: Book, memory: Memory) -> Memory:
        if not self._is_flat(book) or not all(book.is_shown(leg.id) for leg in self._legs):
            return memory
        failures = 0 if memory.opened_ts_ns else memory.failures + 1
        won = self._value(book) - memory.value_before
        return replace(memory, phase=Phase.WAITING, out=LegId(""), ended_ts_ns=book.now_ns, failures=failures, won=won)

    # What is asked on the way.

    def _value(self, book: Book) -> Decimal:
        """What both legs have won so far, after funding, and the fees and interest that were paid in quote."""
        won = ZERO
        for leg in self._legs:
            ledger = book.ledger(leg.id)
            quote = leg.instrument(book).quote
            won += ledger.position.realized + ledger.funding
            won -= ledger.fees.get(quote, ZERO) + ledger.interest.get(quote, ZERO)
        return won

    def _order(self, memory: Memory) -> tuple[PairLeg, PairLeg]:
        """The leg that opens first, and the one that follows."""
        return (self._short, self._long) if memory.first == self._short.id else (self._long, self._short)

    def _open_due_ns(self, memory: Memory) -> int:
        return (memory.exposed_ts_ns or memory.began_ts_ns) + self._open_timeout_ns

    def _hold_due_ns(self, memory: Memory) -> int | None:
        return None if self._max_hold_ns is None else memory.exposed_ts_ns + self._max_hold_ns

    def _kept_by(self, book: Book, memory: Memory) -> PairLeg | None:
        """The leg that cannot be closed before its venue opens: the other one, closed now, would leave it alone."""
        if not book.config.sessions or memory.out or not book.is_hedged:
            return None
        closed = (leg for leg in self._legs if guard.is_closed(book, leg.id) and leg.is_closable(book))
        return next(closed, None)

    def _kept_holds(self, kept_by: PairLeg | None) -> tuple[Hold, ...]:
        numbers = () if kept_by is None else (("leg", str(kept_by.id)),)
        return tuple(Hold(HoldReason.MARKET_CLOSED, leg.id, EXIT, numbers) for leg in self._legs if kept_by is not None)

    def _is_flat(self, book: Book) -> bool:
        return not any(book.live[leg.id] or leg.is_closable(book) for leg in self._legs)

    def _missing(self, book: Book, memory: Memory, first: PairLeg) -> Decimal | None:
        """What the first leg has still to open, its qty units; None when that is nothing of its own."""
        qty = memory.base_qty / first.instrument(book).multiplier
        missing = qty - first.held(book)
        return missing if is_worth_it(missing, qty, first.instrument(book)) else None

    def _leg_exit(self, book: Book, memory: Memory, leg: PairLeg) -> str:
        """Why this leg is out, or has to get out; empty when it stays."""
        if leg.is_stopped(book):
            return f"stop_loss {leg.id} at {leg.closing_price(book)}, limit {_shown(leg.stop_price(book))}"
        # A take-profit that fills in parts is left alone while its leg runs by itself.
        if leg.is_out(book, memory.base_qty) and not memory.out:
            return self._how_out(book, leg)
        return ""

    def _how_out(self, book: Book, leg: PairLeg) -> str:
        """How a leg got out though nobody closed it."""
        if leg.took_profit(book):
            return f"take_profit {leg.id} at {book.ledger(leg.id).last_price}"
        return f"{leg.id} was traded by its venue"

    def _net_exit(self, book: Book) -> str:
        """Why both legs together have to get out; empty when they stay, or a price is missing."""
        if not self._has_net_exits:
            return ""
        won_bps = ZERO
        for leg in self._legs:
            price, entry = leg.closing_price(book), leg.entry_price(book)
            if price is None or entry is None:
                return ""
            won_bps += leg.side.sign * (price - entry) / (entry * BPS)
        loss, profit = self._params.net_stop_loss_bps, self._params.net_take_profit_bps
        if loss is not None and won_bps <= -loss:
            return f"net_stop_loss at {won_bps.quantize(SHOWN_BPS)} bps"
        if profit is not None and won_bps >= profit:
            return f"net_take_profit at {won_bps.quantize(SHOWN_BPS)} bps"
        return ""

    # Whether a round begins.

    def _failures(self, book: Book, memory: Memory) -> int:
        """Rounds in a row that did not open; an operator who resumed the book has seen them."""
        return 0 if book.state.mode_ts_ns > memory.ended_ts_ns else memory.failures

    def _why_not(self, book: Book, memory: Memory) -> Reason | None:
        """Why it is not time for a round."""
        return self._why_no_more(book, memory) or self._refused(book)

    def _refused(self, book: Book) -> Reason | None:
        """Why the core lets no entry pass."""
        refused = guard.refusal_of_entries(book)
        return None if refused is None else Reason(refused.reason, refused.numbers)

    def _why_no_more(self, book: Book, memory: Memory) -> Reason | None:
        """Why no round follows the last one now."""
        if not memory.round:
            return None
        failures = self._failures(book, memory)
        if failures >= self._params.failures_max:
            return Reason(HoldReason.ROUNDS_FAILED, (("failures", str(failures)), ("because", memory.reason)))
        if self._params.rounds is Rounds.CONTINUOUS:
            due_ns = memory.ended_ts_ns + self._pause_ns
            if book.now_ns >= due_ns:
                return None
            return Reason(HoldReason.PAUSED, (("pause_s", str(self._params.pause_s)),))
        signal = book.state.signal
        if signal is None or signal.made_ts_ns <= memory.ended_ts_ns:
            return Reason(HoldReason.ROUND_OVER, (("round", str(memory.round)), ("because", memory.reason)))
        if book.now_ns > signal.made_ts_ns + SIGNAL_AGE_NS:
            return Reason(HoldReason.STALE_SIGNAL, (("made_ts_ns", str(signal.made_ts_ns)),))
        return None

    # What should be true.

    def _waiting(self, book: Book, memory: Memory) -> Target:
        alarms = self._failure_alarms(book, memory)
        reason = self._why_not(book, memory)
        if reason is not None:
            due_ns = None
            promises: tuple[WakePrice, ...] | None = None
            if reason.reason is HoldReason.PAUSED:
                due_ns, promises = memory.ended_ts_ns + self._pause_ns, ()
            elif reason.reason in (HoldReason.ROUND_OVER, HoldReason.ROUNDS_FAILED):
                promises = ()
            hold = Hold(reason.reason, self._long.id, OPEN, reason.numbers)
            return Target(holds=(hold,), wake_ts_ns=due_ns, alarms=alarms, wake_prices=promises)
        unmet = self._opening.unmet(book)
        if unmet is not None:
            hold = Hold(unmet.reason, self._long.id, OPEN, unmet.numbers)
            return Target(holds=(hold,), alarms=alarms)
        base_qty = self._opening.base_qty(book)
        if base_qty is None:
            numbers = (("wanted", self._wanted_text()), ("smallest", str(self._opening.smallest(book))))
            return Target(holds=(Hold(HoldReason.BELOW_MINIMUM, self._long.id, OPEN, numbers),), alarms=alarms)
        spoiled = next((leg for leg in self._legs if leg.is_spoiled(book, base_qty)), None)
        if spoiled is not None:
            left = (("left", str(book.net_qty(spoiled.id))), ("entry", _shown(spoiled.entry_price(book))))
            stopped = (*left, ("price", _shown(spoiled.closing_price(book))))
            return Target(holds=(Hold(HoldReason.BELOW_MINIMUM, spoiled.id, OPEN, stopped),), alarms=alarms)
        limited = self._opening.limited(book, self._opening.first(book), base_qty)
        refusal = book.refusal(self._opening.first(book).id, OPEN)
        wake_ns = refusal.retry_ts_ns if refusal is not None and refusal.retry_ts_ns > book.now_ns else None
        holds = () if limited is None else (limited,)
        return Target(holds=holds, wake_ts_ns=wake_ns, alarms=alarms)

    def _wanted_text(self) -> str:
        return f"{self._params.qty or self._params.notional} {'base' if self._params.qty else 'quote'}"

    def _failure_alarms(self, book: Book, memory: Memory) -> tuple[Alarm, ...]:
        if not self._failures(book, memory):
            return ()
        text = f"round {memory.round} failed: {memory.reason}; both legs are flat"
        return (Alarm(AlarmKind.ROUND_FAILED, book.config.book_id, text),)

    def _opening_target(self, book: Book, memory: Memory) -> Target:
        first, second = self._order(memory)
        due_ns = self._open_due_ns(memory)
        resting = self._opening_order(book, memory, first) if book.now_ns < due_ns else None
        net_qty = -book.net_qty(first.id) * first.instrument(book).multiplier / second.instrument(book).multiplier
        return Target(
            (NetTarget(second.id, net_qty, self._taking, Role.HEDGE),),
            () if resting is None else (resting,),
            wake_ts_ns=due_ns if book.now_ns < due_ns else None,
        )

    def _opening_order(self, book: Book, memory: Memory, first: PairLeg) -> Resting | None:
        """The order that takes what the first leg still misses; one that works is left as it is."""
        standing = book.in_slot(first.id, OPEN)
        missing = self._missing(book, memory, first)
        if standing is not None:
            return None if missing is None else self._opening.entry(book, first, standing.leaves_qty, standing)
        return None if missing is None else self._opening.entry(book, first, missing, None)

    def _open_target(self, book: Book, memory: Memory) -> Target:
        nets: list[NetTarget] = []
        resting: list[Resting] = []
        alarms: list[Alarm] = []
        wakes: list[int | None] = [self._hold_due_ns(memory), self._next_look_ns(book, memory)]
        kept_by = self._kept_by(book, memory)
        for leg in self._legs:
            if leg.id == memory.out:
                nets.append(NetTarget(leg.id, ZERO, Taking(), Role.EXIT))
                alarms += self._close_alarms(book, leg)
                continue
            blind_ns = leg.blind_ts_ns(book)
            wakes.append(blind_ns)
            if leg.is_blind(book):
                alarms.append(self._blind_alarm(book, leg))
            take = self._take_profit(book, leg) if kept_by is None else None
            resting += [] if take is None else [take]
        return Target(
            tuple(nets),
            tuple(resting),
            self._kept_holds(kept_by),
            wake_ts_ns=earliest(*wakes),
            alarms=tuple(alarms),
            unhedged_reason=self._unhedged(memory),
            wake_prices=self._open_promises(book, memory),
        )

    def _next_look_ns(self, book: Book, memory: Memory) -> int:
        """The next moment of the monitoring interval, counted from the first fill."""
        return book.now_ns + self._monitor_ns - (book.now_ns - memory.exposed_ts_ns) % self._monitor_ns

    def _open_promises(self, book: Book, memory: Memory) -> tuple[WakePrice, ...] | None:
        if self._has_net_exits or (memory.out and (book.live[memory.out] or book.net_qty(memory.out) != 0)):
            return None
        watched = [leg for leg in self._legs if leg.id != memory.out]
        if any(leg.closing_price(book) is None for leg in watched):
            return None
        return tuple(leg.wake_price(book) for leg in watched)

    def _take_profit(self, book: Book, leg: PairLeg) -> Resting | None:
        price = leg.take_price(book)
        held = leg.held(book)
        if price is None or held <= 0:
            return None
        reduce_only = leg.instrument(book).can_reduce_only
        return Resting(TAKE_PROFIT, leg.id, leg.side.opposite, held, price, Role.EXIT, reduce_only=reduce_only)

    def _unhedged(self, memory: Memory) -> str:
        if not memory.out:
            return ""
        other = self._short if memory.out == self._long.id else self._long
        return f"{memory.reason}; {other.id} runs to its own limits"

    def _blind_alarm(self, book: Book, leg: PairLeg) -> Alarm:
        text = f"{leg.id} has no price to judge its stop by; time limits still run"
        return Alarm(AlarmKind.LEG_BLIND, leg.id, text)

    def _closing_target(self, book: Book, memory: Memory) -> Target:
        kept_by = self._kept_by(book, memory)
        nets = tuple(NetTarget(leg.id, ZERO, Taking(), Role.EXIT) for leg in self._legs if kept_by is None)
        alarms: list[Alarm] = []
        due_ns = memory.closing_ts_ns + book.config.limits.residual_alarm_ms * NS_PER_MS
        flat = self._is_flat(book)
        if flat:
            due_ns = self._proof_due_ns(book, memory)
        for leg in self._legs:
            alarms += self._close_alarms(book, leg)
            if book.now_ns >= due_ns and not alarms:
                alarms += self._overdue_alarms(book, memory, leg, is_flat=flat)
        return Target(
            nets,
            holds=self._kept_holds(kept_by),
            wake_ts_ns=due_ns if book.now_ns < due_ns else None,
            alarms=tuple({alarm.key: alarm for alarm in alarms}.values()),
            shown_legs=tuple(leg.id for leg in self._legs) if flat else (),
        )

    def _proof_due_ns(self, book: Book, memory: Memory) -> int:
        """Until when both venues should have shown that the legs are flat."""
        since_ns = max(memory.closing_ts_ns, *(book.ledger(leg.id).booked_ts_ns for leg in self._legs))
        return since_ns + max(leg.visibility_ns for leg in self._legs) + PROOF_ALARM_NS

    def _close_alarms(self, book: Book, leg: PairLeg) -> list[Alarm]:
        """A close that its venue refuses is told at the first refusal, and tried again for ever."""
        refusal = book.refusal(leg.id)
        if refusal is None or refusal.side is not leg.side.opposite or not leg.is_closable(book):
            return []
        text = f"{leg.id} {book.net_qty(leg.id)} could not be closed: {refusal.reject_class.value} {refusal.code}"
        return [Alarm(AlarmKind.CLOSE_FAILED, leg.id, f"{text} {refusal.text}".rstrip())]

    def _overdue_alarms(self, book: Book, memory: Memory, leg: PairLeg, *, is_flat: bool) -> list[Alarm]:
        if leg.is_holding(book):
            text = f"{leg.id} {book.net_qty(leg.id)} is not closed yet, round {memory.round}"
        elif is_flat and not book.is_shown(leg.id):
            read = book.positions_read.get(leg.id)
            shown = "nothing" if read is None else str(read.net_qty)
            text = f"{leg.id} is flat by its fills and its venue shows {shown}, round {memory.round}"
        else:
            return []
        return [Alarm(AlarmKind.CLOSE_FAILED, leg.id, text)]


def _shown(price: Decimal | None) -> str:
    return "" if price is None else f"{price.normalize():f}"
