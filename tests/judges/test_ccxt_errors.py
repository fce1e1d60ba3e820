"""ccxt's exception for each way in which a request fails on the emulator, with the production URLs that choose it.

The classes are ccxt's own. Where they mislead, it is said here: that is why the product does not decide by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt.pro
import msgspec
import pytest

from tests.judges.accounts import ACCOUNTS, MARGIN, PORTFOLIO_MARGIN, PORTFOLIO_UM, SPOT, USDM, Account
from tests.judges.lab import Lab
from tests.judges.test_ccxt_rest import Trader, trader_of

pytestmark = pytest.mark.slow


class Case(msgspec.Struct, frozen=True):
    """One failure."""

    account: Account
    what: str
    does: Callable[[Trader], Any]
    error: type[Exception]
    code: str | None
    "In the exception's text; None where ccxt leaves it out."


def too_much(trader: Trader) -> Any:
    return trader.limit("buy", 900, 59_000)


def not_there(trader: Trader) -> Any:
    told = {"origClientOrderId": "hr-judge-1-999", **trader.account.params}
    return trader.client.fetch_order(None, trader.account.symbol, told)


def not_open(trader: Trader) -> Any:
    told = {"origClientOrderId": "hr-judge-1-999", **trader.account.params}
    return trader.client.cancel_order(None, trader.account.symbol, told)


async def twice(trader: Trader) -> None:
    for _ in range(2):
        told = {**trader.account.params, "newClientOrderId": "hr-judge-1-7"}
        await trader.client.create_order(trader.account.symbol, "limit", "buy", 0.1, 59_000, told)


def too_small(trader: Trader) -> Any:
    return trader.limit("buy", 0.001 if trader.account.is_futures else 0.00005, 59_000)


def out_of_time(trader: Trader) -> Any:
    trader.client.options["timeDifference"] = 60_000
    return trader.client.fetch_open_orders(trader.account.symbol, None, None, dict(trader.account.params))


def badly_signed(trader: Trader) -> Any:
    trader.client.secret = "another"
    return trader.client.fetch_open_orders(trader.account.symbol, None, None, dict(trader.account.params))


def unknown_key(trader: Trader) -> Any:
    trader.client.apiKey = "x" * 64
    return trader.client.fetch_open_orders(trader.account.symbol, None, None, dict(trader.account.params))


CASES = [
    *(Case(each, "badly signed", badly_signed, ccxt.pro.AuthenticationError, "-1022") for each in (SPOT, MARGIN, USDM)),
    *(Case(each, "unknown key", unknown_key, ccxt.pro.AuthenticationError, "-2015") for each in (SPOT, MARGIN, USDM)),
    *(Case(each, "clock", out_of_time, ccxt.pro.InvalidNonce, "-1021") for each in (SPOT, MARGIN, USDM)),
    # On portfolio margin a wrong clock looks like a wrong request, and a lack of margin like a failure to be repeated.
    *(Case(each, "clock", out_of_time, ccxt.pro.BadRequest, "-1021") for each in (PORTFOLIO_UM, PORTFOLIO_MARGIN)),
    Case(PORTFOLIO_UM, "insufficient", too_much, ccxt.pro.OperationFailed, "-2019"),
    *(Case(each, "insufficient", too_much, ccxt.pro.InsufficientFunds, None) for each in (SPOT, MARGIN, USDM)),
    *(Case(each, "query of none", not_there, ccxt.pro.OrderNotFound, "-2013") for each in ACCOUNTS),
    *(Case(each, "cancel of none", not_open, ccxt.pro.OrderNotFound, "-2011") for each in (SPOT, MARGIN, USDM)),
    *(
        Case(each, "cancel of none", not_open, ccxt.pro.OperationRejected, "-2011")
        for each in (PORTFOLIO_UM, PORTFOLIO_MARGIN)
    ),
    # An order that is there already is called invalid: who reads that as *rejected* sends it a third time.
    *(Case(each, "same id twice", twice, ccxt.pro.InvalidOrder, None) for each in (SPOT, MARGIN)),
    Case(USDM, "same id twice", twice, ccxt.pro.InvalidOrder, "-4116"),
    Case(PORTFOLIO_UM, "same id twice", twice, ccxt.pro.ExchangeError, "-4116"),
    *(Case(each, "below the least notional", too_small, ccxt.pro.BadRequest, "-1013") for each in (SPOT, MARGIN)),
    Case(USDM, "below the least notional", too_small, ccxt.pro.InvalidOrder, "-4164"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.account.name} {case.what}")
def test_refusals(lab: Lab, case: Case) -> None:
    """Each by the venue's own code."""

    async def story() -> None:
        trader = await trader_of(lab, case.account)
        with pytest.raises(case.error, match=case.code) as raised:
            await case.does(trader)

        assert type(raised.value) is case.error

    lab.run(story())


# kind of fault -> what ccxt makes of it, and whether the order is there. None: it returns an order without an id.
FAULTS: list[tuple[str, type[Exception] | None, bool]] = [
    ("lost_request", ccxt.pro.ExchangeNotAvailable, False),
    ("overloaded", ccxt.pro.OperationFailed, False),
    ("throttled", ccxt.pro.DDoSProtection, False),
    ("banned", ccxt.pro.DDoSProtection, False),
    ("forbidden", ccxt.pro.ExchangeNotAvailable, False),
    ("lost_answer", ccxt.pro.ExchangeNotAvailable, True),
    ("half_answer", None, True),
    ("empty_answer", None, True),
    ("html_answer", None, True),
    ("bad_gateway", ccxt.pro.ExchangeNotAvailable, True),
    ("unknown_error", ccxt.pro.OperationFailed, True),
    ("unexpected_response", ccxt.pro.OperationFailed, True),
    ("wrong_code", ccxt.pro.ExchangeError, True),
    ("silence", ccxt.pro.RequestTimeout, True),
]


@pytest.mark.parametrize("account", [SPOT, USDM], ids=lambda account: account.name)
@pytest.mark.parametrize(("kind", "error", "is_there"), FAULTS, ids=[kind for kind, _, _ in FAULTS])
def test_known_defect_ccxt_has_no_word_for_unknown(
    lab: Lab, account: Account, kind: str, error: type[Exception] | None, is_there: bool
) -> None:
    """The same class says *never left* and *stands at the venue*, and some cut answers raise nothing at all."""

    async def story() -> None:
        trader = await trader_of(lab, account)
        trader.client.timeout = 500
        lab.fault(kind=kind, method="POST", path="/order", seconds=2)
        if error is None:
            order = await trader.limit("buy", 0.1, 59_000)
            assert order["id"] is None
        else:
            with pytest.raises(error):
                await trader.limit("buy", 0.1, 59_000)

        orders = lab.truth(account.kind, account.product)["orders"]
        assert len(orders) == is_there

    lab.run(story())


def test_known_defect_aiohttp_sends_an_amend_twice(lab: Lab) -> None:
    """A kept-alive connection that drops after the request was read: PUT goes out again, unasked, and is done twice."""

    async def story() -> None:
        trader = await trader_of(lab, USDM)
        order = await trader.limit("buy", 0.1, 59_000)
        lab.fault(kind="lost_answer", method="PUT", path="/order")
        # What the second one is told: there is nothing left to change.
        with pytest.raises(ccxt.pro.OperationRejected, match="-5027"):
            await trader.client.edit_order(order["id"], USDM.symbol, "limit", "buy", 0.2, 59_000, {})

        assert trader.truth(order["clientOrderId"])["qty"] == "0.2"
        assert lab.emulator.control.faults()["struck"] == {"lost_answer": 1}

    lab.run(story())
