"""Whether the accounts of a config can pay for what its books may come to hold, at the prices where they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from hedgerow.core.config import BookConfig, LegConfig
from hedgerow.model.ids import AccountId, BookId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Side
from hedgerow.runtime.node_config import AccountConfig

PriceOf = Callable[[str], Decimal | None]
"Base currency -> the price where its market begins; None when nothing says so."


class Need(msgspec.Struct, frozen=True):
    """What one leg takes from one balance of its account."""

    book_id: BookId
    leg: LegConfig
    currency: str
    one: Decimal
    "For the first order, or its hedge; 0 when the policy does not say."
    worst: Decimal
    "For all that the book may come to hold."


def needs(
    book: BookConfig, params: object, accounts: Mapping[AccountId, AccountConfig], price_of: PriceOf
) -> list[Need]:
    """Return what the legs of a book take; nothing for one that only unwinds, or where price or size are not known."""
    budget = getattr(params, "budget", None)
    if isinstance(budget, Decimal):
        # A ladder's own collateral, which its parameters divide among the levels.
        leg = book.legs[0]
        return [Need(book.book_id, leg, leg.instrument.quote, ZERO, budget)]
    rule = book.hedge
    price = None if rule is None else price_of(book.leg(rule.lead).instrument.base)
    if rule is None or price is None or str(getattr(params, "mode", "")) == "close":
        return []
    lead = book.leg(rule.lead).instrument
    qty = _first(params, "qty", "entry_qty")
    if qty is None:
        notional = _first(params, "notional")
        if notional is None:
            return []
        qty = notional / (price * lead.multiplier)
    most = max(qty, _first(params, "max_net_qty") or qty)
    limit = book.limits.max_notional
    if limit is not None:
        most = min(most, limit / (price * lead.multiplier))
    sign = getattr(params, "entry_side", Side.BUY).sign
    found = [
        (leg_id, *_need(book.leg(leg_id), Decimal(sign) * per_unit, accounts, price))
        for leg_id, per_unit in ((rule.lead, ONE), (rule.hedge, rule.ratio))
    ]
    return [
        Need(book.book_id, book.leg(leg_id), currency, each * qty * lead.multiplier, each * most * lead.multiplier)
        for leg_id, currency, each in found
        if each
    ]


def _first(params: object, *names: str) -> Decimal | None:
    """Return the first of these parameters that is there and set."""
    values = (getattr(params, name, None) for name in names)
    return next((value for value in values if isinstance(value, Decimal)), None)


def _need(
    leg: LegConfig, net_per_unit: Decimal, accounts: Mapping[AccountId, AccountConfig], price: Decimal
) -> tuple[str, Decimal]:
    """Return (currency, what one unit of the lead leg's base takes of it)."""
    instrument, account = leg.instrument, accounts[leg.account_id]
    size = abs(net_per_unit)
    if instrument.kind is InstrumentKind.PERP:
        return instrument.quote, size * price * (ONE / account.leverage + account.fees.taker)
    if instrument.kind is InstrumentKind.MARGIN:
        # It borrows what it does not have, as far as its venue lets it.
        return instrument.quote, ZERO
    if net_per_unit > 0:
        return instrument.quote, size * price * (ONE + max(account.fees.maker, account.fees.taker))
    return instrument.base, size / instrument.multiplier


class Short(msgspec.Struct, frozen=True):
    """An account that cannot pay for what its books may do."""

    need: Need
    text: str
    help: str
    is_wrong: bool
    "Not even one order could be paid; else only the worst case is too much."


def shortages(all_needs: Iterable[Need], accounts: Mapping[AccountId, AccountConfig]) -> list[Short]:
    """Return what cannot be paid. Books that share a balance share what it can pay."""
    found: list[Short] = []
    taken: dict[tuple[AccountId, str], Decimal] = {}
    for need in all_needs:
        account = accounts[need.leg.account_id]
        balance = account.balances.get(need.currency, ZERO)
        key = (account.id, need.currency)
        taken[key] = worst = taken.get(key, ZERO) + need.worst
        what = f"{account.id} has {_amount(balance)} {need.currency}"
        if balance == 0 and account.balances:
            what += f" (it has {', '.join(account.balances)})"
        # Half: a market may begin at another price than the one assumed.
        if need.one / 2 > balance or balance == 0:
            takes = f"one order of {need.leg.instrument.id} takes about {_amount(need.one)} {need.currency}"
            if not need.one:
                takes = f"{need.leg.instrument.id} is paid in that"
            help_ = f"give it {need.currency}: no order of this leg could be paid"
            found.append(Short(need, f"{what}, and {takes}", help_, True))
        elif worst > balance:
            text = f"{what}, and all that its books may hold takes about {_amount(worst)} {need.currency}"
            help_ = "give it more, or enter less: the venue will refuse the last orders, hedges among them"
            found.append(Short(need, text, help_, False))
    return found


def _amount(number: Decimal) -> str:
    """Return an estimate for people: four digits that count."""
    rounded = number.quantize(ONE) if number >= 1_000 else number.normalize()
    return f"{rounded:,f}" if len(rounded.as_tuple().digits) <= 8 else f"{number:,.4f}"
