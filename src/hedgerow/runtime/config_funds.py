"""Whether the accounts of a config can pay for what its books may come to hold, at the prices where they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from hedgerow.core.config import BookConfig, LegConfig
from hedgerow.model.ids import AccountId, LegId
from hedgerow.model.instrument import InstrumentKind
from hedgerow.model.numbers import ONE, ZERO
from hedgerow.model.order import Side
from hedgerow.runtime.node_config import AccountConfig

PriceOf = Callable[[str], Decimal | None]
"Base currency -> the price where its market begins; None when nothing says so."


class Entering(msgspec.Struct, frozen=True):
    """How much a book enters: one order, and at the worst. Lead qty, > 0."""

    book: BookConfig
    side: Side
    qty: Decimal
    max_net_qty: Decimal


class Need(msgspec.Struct, frozen=True):
    """What one leg takes from one balance of its account."""

    leg: LegConfig
    currency: str
    one: Decimal
    "For the first order and its hedge."
    worst: Decimal
    "For all that the book may come to hold."


def entering(book: BookConfig, params: object) -> Entering | None:
    """Return how much a book may enter; None for one that has no hedge, only unwinds, or says no size in base units."""
    sizes = [getattr(params, name, None) for name in ("qty", "entry_qty")]
    qty = next((size for size in sizes if isinstance(size, Decimal)), None)
    if book.hedge is None or qty is None or str(getattr(params, "mode", "")) == "close":
        return None
    most = getattr(params, "max_net_qty", None)
    side = getattr(params, "entry_side", Side.BUY)
    return Entering(book, side, qty, max(most, qty) if isinstance(most, Decimal) else qty)


def needs(plan: Entering, accounts: Mapping[AccountId, AccountConfig], price_of: PriceOf) -> list[Need]:
    """Return what the legs of a book take, where their price is known."""
    rule = plan.book.hedge
    assert rule is not None, plan.book.book_id
    lead = plan.book.leg(rule.lead)
    price = price_of(lead.instrument.base)
    if price is None:
        return []
    most = plan.max_net_qty
    limit = plan.book.limits.max_notional
    if limit is not None:
        most = min(most, limit / (price * lead.instrument.multiplier))
    signed = {rule.lead: plan.side.sign * ONE, rule.hedge: plan.side.sign * rule.ratio}
    found = [_need(plan.book.leg(leg_id), per_unit, accounts, price) for leg_id, per_unit in signed.items()]
    one, worst = plan.qty * lead.instrument.multiplier, most * lead.instrument.multiplier
    return [Need(leg, currency, per_unit * one, per_unit * worst) for leg, currency, per_unit in found if per_unit]


def _need(
    leg: LegConfig, net_per_unit: Decimal, accounts: Mapping[AccountId, AccountConfig], price: Decimal
) -> tuple[LegConfig, str, Decimal]:
    """Return (leg, currency, what one unit of the lead leg's base takes of it)."""
    instrument, account = leg.instrument, accounts[leg.account_id]
    size = abs(net_per_unit)
    if instrument.kind is InstrumentKind.PERP:
        return leg, instrument.quote, size * price * (ONE / account.leverage + account.fees.taker)
    if instrument.kind is InstrumentKind.MARGIN:
        # It borrows what it does not have, as far as its venue lets it.
        return leg, instrument.quote, ZERO
    if net_per_unit > 0:
        return leg, instrument.quote, size * price * (ONE + max(account.fees.maker, account.fees.taker))
    return leg, instrument.base, size / instrument.multiplier


class Short(msgspec.Struct, frozen=True):
    """An account that cannot pay for what its books may do."""

    leg_id: LegId
    book: BookConfig
    text: str
    help: str
    is_wrong: bool
    "Not even one order could be paid; else only the worst case is too much."


def shortages(plans: Iterable[Entering], accounts: Mapping[AccountId, AccountConfig], price_of: PriceOf) -> list[Short]:
    """Return what cannot be paid. Books that share a balance share what it can pay."""
    found: list[Short] = []
    taken: dict[tuple[AccountId, str], Decimal] = {}
    for plan in plans:
        for need in needs(plan, accounts, price_of):
            account = accounts[need.leg.account_id]
            balance = account.balances.get(need.currency, ZERO)
            key = (account.id, need.currency)
            taken[key] = worst = taken.get(key, ZERO) + need.worst
            what = f"{account.id} has {_amount(balance)} {need.currency}"
            if balance == 0 and account.balances:
                what += f" (it has {', '.join(account.balances)})"
            # Half: a market may begin at another price than the one assumed.
            if need.one / 2 > balance:
                text = (
                    f"{what}, and one order of {need.leg.instrument.id} takes about {_amount(need.one)} {need.currency}"
                )
                help_ = f"give it {need.currency}: no order of this leg could be paid"
                found.append(Short(need.leg.id, plan.book, text, help_, True))
            elif worst > balance:
                text = f"{what}, and all that its books may hold takes about {_amount(worst)} {need.currency}"
                help_ = "give it more, or enter less: the venue will refuse the last orders, hedges among them"
                found.append(Short(need.leg.id, plan.book, text, help_, False))
    return found


def _amount(number: Decimal) -> str:
    """Return an estimate for people: four digits that count."""
    rounded = number.quantize(ONE) if number >= 1_000 else number.normalize()
    return f"{rounded:,f}" if len(rounded.as_tuple().digits) <= 8 else f"{number:,.4f}"
