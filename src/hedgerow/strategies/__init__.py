"""The policies: pure functions from what is to what should be. None of them sends, reads a clock, or keeps state."""

from __future__ import annotations

from typing import Any

import msgspec

from hedgerow.core.config import BookConfig
from hedgerow.core.target import Strategy
from hedgerow.strategies import carry, mirror
from hedgerow.strategies.exits import params as exits_params
from hedgerow.strategies.exits.policy import Exits
from hedgerow.strategies.grid import check as grid_check
from hedgerow.strategies.grid.params import GridParams
from hedgerow.strategies.grid.policy import Grid
from hedgerow.strategies.pair import params as pair_params
from hedgerow.strategies.pair.policy import Pair
from hedgerow.strategies.params import BadParams, ParamError, parse


class Policy(msgspec.Struct, frozen=True):
    """One kind of book: what it is told, how that is checked, and what decides."""

    params_type: type[msgspec.Struct]
    check: Any
    "(config, params) -> list of `ParamError`."
    strategy: Any
    "(config, params) -> `Strategy`."
    takes_signals: Any = None
    "(params) -> whether a signal means something to such a book; None: never."
    legs: tuple[str, str] = ("lead", "hedge")
    "What a config calls the two legs of the hedge rule."
    stands_alone: bool = False
    "Whether a book may have the first of these legs without the second."
    finds_legs: bool = False
    "Whether its legs may be found in the accounts that a config names, and what other hands do there is adopted."


POLICIES: dict[str, Policy] = {
    "mirror": Policy(mirror.MirrorParams, mirror.check, mirror.Mirror),
    "carry": Policy(carry.CarryParams, carry.check, carry.Carry, carry.takes_signals),
    "grid": Policy(GridParams, grid_check.check, Grid, stands_alone=True),
    "exits": Policy(exits_params.ExitsParams, exits_params.check, Exits, finds_legs=True),
    "pair": Policy(pair_params.PairParams, pair_params.check, Pair, pair_params.takes_signals, ("long", "short")),
}


def takes_signals(config: BookConfig) -> bool:
    """Return whether a signal means something to a book. Raises BadParams."""
    policy = POLICIES.get(config.policy)
    # A policy that is not registered is a test's or a newer version's; it gets what it is sent.
    if policy is None:
        return True
    return policy.takes_signals is not None and bool(policy.takes_signals(parse(policy.params_type, config.params)))


def make(config: BookConfig, *, checked: bool = True) -> Strategy:
    """Return the strategy of a book.

    Args:
        config: policy, parameters, legs.
        checked: whether what does not fit together is refused. Not for a book that has a journal: a venue may have
            changed a filter since, and what the book holds must be hedged and closed all the same.

    Raises:
        BadParams: the policy is unknown, a parameter is not what it must be, or they do not fit together.
    """
    policy = POLICIES.get(config.policy)
    if policy is None:
        known = ", ".join(POLICIES)
        raise BadParams((ParamError("policy", f"there is no policy {config.policy!r}", f"known are {known}"),))
    params = parse(policy.params_type, config.params)
    errors: list[ParamError] = policy.check(config, params) if checked else []
    if errors:
        raise BadParams(tuple(errors))
    strategy: Strategy = policy.strategy(config, params)
    return strategy
