"""What is wrong with the shape of a config, in our words: the validator's errors, and those of the policies' keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from pydantic_core import ErrorDetails

from hedgerow.runtime.config_shape import (
    BOOK_KEYS,
    AccountShape,
    BookShape,
    FeesShape,
    FileShape,
    InstrumentShape,
    LegShape,
    MarketShape,
    RiskShape,
    Shape,
    SimShape,
    TimingShape,
    VenueShape,
)
from hedgerow.runtime.config_text import KeyPath, Plain, Problem, did_you_mean, dotted
from hedgerow.strategies import POLICIES
from hedgerow.strategies.params import BadParams, ParamError, describe
from hedgerow.strategies.params import parse as parse_params

MS_PER = {"ms": 1, "s": 1_000, "sec": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000}


def shape_problem(details: ErrorDetails) -> Problem:
    """Return a validation error in our words, with a remedy."""
    kind, loc, value = details["type"], details["loc"], details["input"]
    if loc and loc[-1] == "[key]":
        return _bad_name(tuple(loc[:-1]))
    path = tuple(loc)
    where = dotted(path)
    if kind == "extra_forbidden":
        known = _known_keys(path)
        return Problem(kind, f"unknown key '{path[-1]}'", path, True, did_you_mean(str(path[-1]), known))
    if kind == "missing":
        missing = Problem(kind, f"{dotted(path[:-1]) or 'the file'}: missing key '{path[-1]}'", path[:-1], True)
        sentence = _sentence(path)
        return missing._replace(help=f"{path[-1]}: {sentence}" if sentence else "")
    got = f" (got {value})" if isinstance(value, str | int | Decimal) else ""
    if kind in ("number", "integer"):
        return Problem(kind, f"{where}: {details['msg']}{got}", path, help=_number_help(path, value))
    told = {
        "enum": "this must be one of the known words",
        "literal_error": "this must be one of the known words",
        "string_type": "this must be a word",
        "bool_parsing": "this must be true or false",
        "bool_type": "this must be true or false",
        "dict_type": "this must be a mapping of keys",
        "model_type": "this must be a mapping of keys",
        "model_attributes_type": "this must be a mapping of keys",
        "too_short": "this must not be empty",
        "string_pattern_mismatch": "this is not written as it must be",
    }.get(kind, details["msg"][:1].lower() + details["msg"][1:].replace("Input ", "").replace("input ", ""))
    context = details.get("ctx", {})
    help_ = _sentence(path)
    if kind in ("enum", "literal_error"):
        help_ = f"one of {context.get('expected', '')}"
    if told.startswith("should be"):
        told = f"this {told}"
    return Problem(kind, f"{where}: {told}{got}", path, help=help_)


def _bad_name(path: KeyPath) -> Problem:
    told = {
        "accounts": ("an account id", "VENUE/NAME, e.g. simA/main"),
        "books": ("a book's name", "lower case, digits and dashes, e.g. btc-mirror"),
        "venues": ("a venue's name", "the part before the / of an account id, e.g. simA"),
        "legs": ("a leg's name", "lead or hedge"),
        "instruments": ("a symbol", "as the venue writes it, e.g. BTC-USD"),
    }.get(str(path[-2]), ("a currency", "upper case, e.g. USD"))
    return Problem("bad_name", f"'{path[-1]}' is not {told[0]}", path, True, f"write it as {told[1]}")


def _shape_at(path: KeyPath) -> type[Shape] | None:
    """Return the shape that the keys below `path` belong to."""
    match path:
        case ():
            return FileShape
        case ("books", _):
            return BookShape
        case ("books", _, "legs", _):
            return LegShape
        case ("books", _, "risk") | ("risk",):
            return RiskShape
        case ("books", _, "timing") | ("timing",):
            return TimingShape
        case ("venues", _):
            return VenueShape
        case ("venues", _, "instruments", _):
            return InstrumentShape
        case ("accounts", _):
            return AccountShape
        case ("accounts", _, "fees"):
            return FeesShape
        case ("sim",):
            return SimShape
        case ("sim", "markets", _):
            return MarketShape
        case _:
            return None


def _known_keys(path: KeyPath) -> list[str]:
    shape = _shape_at(path[:-1])
    return list(getattr(shape, "model_fields", {}))


def _sentence(path: KeyPath) -> str:
    if path and isinstance(path[-1], int):
        # One of a list: the list's key says what it is.
        path = path[:-1]
    if not path:
        return ""
    field = getattr(_shape_at(path[:-1]), "model_fields", {}).get(path[-1])
    return (field.description or "") if field is not None else ""


def _number_help(path: KeyPath, value: object) -> str:
    """Return what to write instead of a number with a unit or with separators."""
    key = str(path[-1]) if path else ""
    text = str(value)
    duration = re.fullmatch(r"([0-9]+) ?(ms|s|sec|m|min|h)", text)
    if duration and re.search(r"(^|_)ms(_|$)", key):
        return f"the key is in milliseconds: write {int(duration[1]) * MS_PER[duration[2]]}"
    bare = re.fullmatch(r"([+-]?[0-9][0-9.]*) ?([A-Za-z%]+)", text)
    if bare:
        return f"the unit belongs to the key, not to the value: write {bare[1]} if that is the unit"
    if re.fullmatch(r"[+-]?[0-9]{1,3}([,_ ][0-9]{3})+(\.[0-9]+)?", text):
        return f"without separators: {re.sub('[,_ ]', '', text)}"
    return _sentence(path)


def param_problems(tree: Plain) -> list[Problem]:
    """Return what is wrong with the keys that belong to the policies."""
    problems: list[Problem] = []
    books = tree.get("books") if isinstance(tree, dict) else None
    for name, book in books.items() if isinstance(books, dict) else ():
        if not isinstance(book, dict) or not isinstance(book.get("policy"), str):
            continue
        path: KeyPath = ("books", name)
        policy = POLICIES.get(str(book["policy"]))
        if policy is None:
            told = f"{dotted(path)}: there is no policy '{book['policy']}'"
            problems.append(
                Problem("unknown_policy", told, (*path, "policy"), False, did_you_mean(str(book["policy"]), POLICIES))
            )
            continue
        params: dict[str, str] = {}
        for key, value in book.items():
            if key in BOOK_KEYS:
                continue
            if isinstance(value, dict | list):
                problems.append(
                    Problem("param", f"{dotted((*path, key))}: this must be a word or number", (*path, key))
                )
            params[key] = param_text(value)
        try:
            parse_params(policy.params_type, params)
        except BadParams as error:
            rows = {row.name for row in describe(policy.params_type)}
            problems += [_param_problem(path, each, book, rows) for each in error.errors]
    return problems


def _param_problem(path: KeyPath, error: ParamError, book: Mapping[str, Plain], known: set[str]) -> Problem:
    if error.key in book and error.key not in known:
        help_ = did_you_mean(error.key, known | BOOK_KEYS)
        return Problem("extra_forbidden", f"unknown key '{error.key}'", (*path, error.key), True, help_)
    if error.key not in book:
        told = f"missing key '{error.key}'" if error.problem == "is missing" else f"{error.key}: {error.problem}"
        return Problem("missing", f"{dotted(path)}: {told}", path, True, f"{error.key}: {error.help}")
    return Problem("param", f"{dotted((*path, error.key))}: {error.problem}", (*path, error.key), help=error.help)


def param_text(value: Plain) -> str:
    """Return a parameter as the policies read it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
