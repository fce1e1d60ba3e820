"""A node's config: read from a file, checked in shape and then in meaning, and turned into the nouns of the engine.

Everything that is wrong is told at once, with its place; nothing starts before all of it is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace
from pydantic import ValidationError

from hedgerow.model.reach import Reach
from hedgerow.runtime.config_meaning import HEDGE, LEAD, Meaning
from hedgerow.runtime.config_problems import param_problems, shape_problem
from hedgerow.runtime.config_shape import FileShape
from hedgerow.runtime.config_text import ConfigError, ConfigText, Problem, parse, read_text
from hedgerow.runtime.folder import STATE_FOLDER
from hedgerow.runtime.node_config import AccountConfig, MarketConfig, NodeConfig, VenueConfig
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import describe

__all__ = [
    "HEDGE",
    "LEAD",
    "AccountConfig",
    "ConfigError",
    "MarketConfig",
    "NodeConfig",
    "VenueConfig",
    "load",
    "load_text",
    "schema",
    "understand",
]


def load(
    path: Path,
    state: Path | None = None,
    tapes: Mapping[str, Path] | None = None,
    recorded: frozenset[str] = frozenset(),
) -> NodeConfig:
    """Return the config in a file.

    Args:
        path: YAML, or TOML by its ending.
        state: the state folder; None takes the file's, else `.hedgerow` beside the file.
        tapes: venue -> file of recorded frames, on top of what the config says.
        recorded: venues whose markets come from elsewhere, as in a backtest: the config need not say how they begin.

    Raises:
        ConfigError: with everything that is wrong.
    """
    return understand(read_text(path), path.parent, state, tapes, recorded)


def load_text(text: str, name: str, folder: Path, state: Path | None = None) -> NodeConfig:
    """Return the config in a text; `folder` is what its relative paths start from. Raises as `load` does."""
    return understand(parse(text, name), folder, state)


def understand(
    source: ConfigText,
    folder: Path,
    state: Path | None = None,
    tapes: Mapping[str, Path] | None = None,
    recorded: frozenset[str] = frozenset(),
) -> NodeConfig:
    """Return what a config says, checked in shape and in meaning. Raises as `load` does."""
    problems = list(source.problems)
    shape: FileShape | None = None
    try:
        shape = FileShape.model_validate(source.tree)
    except ValidationError as error:
        problems += [shape_problem(details) for details in error.errors()]
    problems += param_problems(source.tree)
    if problems or shape is None:
        raise ConfigError(source, sorted(problems, key=lambda problem: _order(source, problem)))
    meaning = Meaning(shape, folder, tapes or {}, recorded)
    if meaning.problems:
        raise ConfigError(source, sorted(meaning.problems, key=lambda problem: _order(source, problem)))
    reach = next((account.access.reach for account in meaning.accounts if account.access is not None), Reach.SIM)
    return NodeConfig(
        source.name,
        hashlib.sha256(source.text.encode()).hexdigest(),
        tuple(replace(book, reach=reach) for book in meaning.books),
        tuple(meaning.accounts),
        tuple(meaning.venues),
        tuple(meaning.markets),
        shape.sim.seed,
        state or folder / (shape.state or STATE_FOLDER),
        tuple(meaning.warnings),
        tuple(meaning.watches),
    )


def schema() -> dict[str, object]:
    """Return the JSON schema of a config file, for editors: completion and hover."""
    root = FileShape.model_json_schema()
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    root["title"] = "hedgerow config"
    book = root["$defs"]["BookShape"]
    book["properties"]["policy"]["enum"] = sorted(POLICIES)
    params: dict[str, dict[str, str]] = {}
    for name, policy in sorted(POLICIES.items()):
        for row in describe(policy.params_type):
            told = f"{name}: {row.sentence} {row.unit}, {row.kind}, default {row.default}".replace(" ,", ",")
            known = params.setdefault(row.name, {"description": told})
            if told not in known["description"]:
                known["description"] += f" | {told}"
    book["properties"] |= params
    book["additionalProperties"] = False
    return root


def _order(source: ConfigText, problem: Problem) -> tuple[int, int]:
    path = problem.path
    while path and path not in source.places:
        path = path[:-1]
    place = source.places.get(path)
    return (place.line, place.column) if place is not None else (0, 0)
