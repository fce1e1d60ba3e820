"""Keys that change while books run: what each may do is read again every hour.

A right to withdraw that was switched on, a right to trade that was switched off, or a key that was revoked stops
entries: the books of its account are frozen, and a person decides. Hedges and exits are still tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from hedgerow.core.commands import Mode
from hedgerow.core.events import Action, OperatorCommanded
from hedgerow.model.ids import AccountId
from hedgerow.runtime.node import Node
from hedgerow.venues.binance_account import BinanceAccount
from hedgerow.venues.binance_checks import Finding, Verdict, permissions_of

EVERY_S = 3_600.0
# Binance answers -2015 now and then for a while to keys that are right: what freezes a book is asked for twice.
CONFIRM_S = 10.0
PRINCIPAL = "node:key"


async def watch_keys(accounts: Mapping[AccountId, BinanceAccount], node: Node, note: Callable[[str], None]) -> None:
    """Read again and again what the keys may do; freeze the books of one that is not fit any more.

    Args:
        note: takes a line for people.
    """
    told: dict[AccountId, tuple[str, ...]] = {}
    while True:
        await asyncio.sleep(EVERY_S)
        for account in accounts.values():
            findings = await _confirmed(account)
            if any(each.verdict is Verdict.UNREACHABLE for each in findings):
                # One that could not be asked about is as it was.
                continue
            texts = tuple(_text(each) for each in findings if each.check == "expiry" or _is_lost(each))
            if texts != told.get(account.account_id, ()):
                for text in texts:
                    note(f"ALARM     {account.account_id}: {text}")
            told[account.account_id] = texts
            lost = next((each for each in findings if _is_lost(each)), None)
            if lost is not None:
                _freeze(node, account.account_id, lost)


async def _confirmed(account: BinanceAccount) -> tuple[Finding, ...]:
    """Return what a key may do; what is bad about it was seen twice."""
    findings = await permissions_of(account)
    if any(_is_lost(each) for each in findings):
        await asyncio.sleep(CONFIRM_S)
        findings = await permissions_of(account)
    return findings


def _is_lost(finding: Finding) -> bool:
    """Whether a key is not fit any more."""
    return finding.verdict is Verdict.FORBIDDEN


def _text(finding: Finding) -> str:
    return f"{finding.text}; {finding.next_step}".rstrip("; ")


def _freeze(node: Node, account_id: AccountId, finding: Finding) -> None:
    for book_id, book in node.books.items():
        uses = any(leg.account_id == account_id for leg in book.legs.values())
        # One that is being flattened, or halted, does less than that already.
        if uses and book.mode is Mode.RUNNING:
            by = f"{PRINCIPAL}, {account_id}: {finding.text}"
            node.operate(book_id, OperatorCommanded(node.now_ns(), Action.FREEZE, by))
