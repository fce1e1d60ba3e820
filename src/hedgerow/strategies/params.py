"""Policy parameters: a typed table per policy, read from exact text.

Every key is checked before the first order: a misspelt or senseless one is told with its remedy and nothing starts.
"""

from __future__ import annotations

import difflib
import functools
import re
import types
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
# The quotient of two such numbers has room in a Decimal's 28 digits.
_SMALLEST, _LARGEST = Decimal("1e-12"), Decimal("1e15")
BEYOND = "too large or too small to compute with: it must be 0, or from 1e-12 to 1e15"
# The word that switches an optional parameter off.
NONE = "none"


def is_beyond(number: Decimal) -> bool:
    """Return whether a number that a person wrote is too large or too small to compute with."""
    return number != 0 and not _SMALLEST <= abs(number) < _LARGEST


class Param(msgspec.Struct, frozen=True):
    """What people are told of one parameter, and the range that it must lie in. Stands beside the field's type."""

    sentence: str
    unit: str = ""
    above: int | None = None
    "Must be greater than this."
    min: int | None = None
    "Must not be less than this."
    max: int | None = None
    "Must not be more than this."

    @property
    def range(self) -> str:
        """Return the range in words; empty when every number will do."""
        if self.above is not None:
            return f"above {self.above}" + (f", at most {self.max}" if self.max is not None else "")
        if self.min is not None:
            return f"{self.min} to {self.max}" if self.max is not None else f"at least {self.min}"
        return f"at most {self.max}" if self.max is not None else ""

    def allows(self, value: Decimal | int) -> bool:
        """Return whether `value` lies in the range."""
        if self.above is not None and value <= self.above:
            return False
        if self.min is not None and value < self.min:
            return False
        return self.max is None or value <= self.max


class ParamDoc(msgspec.Struct, frozen=True):
    """One row of the generated reference page."""

    name: str
    kind: str
    "`number`, `integer`, or the words that it may be, with bars between."
    unit: str
    default: str
    "Exact text; `none` when it is off, `required` when there is none."
    range: str
    sentence: str


class ParamError(msgspec.Struct, frozen=True):
    """What is wrong with one key, and what to write instead."""

    key: str
    problem: str
    help: str


class BadParams(ValueError):
    """One or more parameters of a policy are wrong. Nothing was made; `errors` has each of them."""

    def __init__(self, errors: tuple[ParamError, ...]) -> None:
        super().__init__("; ".join(f"{error.key}: {error.problem} ({error.help})" for error in errors))
        self.errors = errors


class _Field(msgspec.Struct, frozen=True):
    name: str
    type: Any
    optional: bool
    param: Param
    required: bool
    default: Any

    @property
    def kind(self) -> str:
        if self.type is int:
            return "integer"
        return "number" if self.type is Decimal else " | ".join(word.value for word in self.type)

    @property
    def default_text(self) -> str:
        if self.required:
            return "required"
        if self.default is None:
            return NONE
        return str(self.default.value if isinstance(self.default, Enum) else self.default)

    @property
    def help(self) -> str:
        words = [self.kind, self.param.unit and f"in {self.param.unit}", self.param.range]
        if not self.required:
            words.append(f"default {self.default_text}")
        return f"{self.param.sentence} {', '.join(word for word in words if word)}"


P = TypeVar("P", bound=msgspec.Struct)


def parse(params_type: type[P], params: dict[str, str]) -> P:
    """Return the typed parameters.

    Args:
        params_type: a struct whose fields are `Annotated[TYPE, Param(…)]`.
        params: key -> exact text.

    Raises:
        BadParams: unknown keys, missing ones, texts that are not what they must be; all of them at once.
    """
    fields = {field.name: field for field in _fields(params_type)}
    errors = [
        ParamError(key, "there is no such parameter", _closest(key, list(fields)))
        for key in params
        if key not in fields
    ]
    values: dict[str, object] = {}
    for name, field in fields.items():
        if name in params:
            try:
                values[name] = _value(field, params[name].strip())
            except ValueError as error:
                errors.append(ParamError(name, str(error), field.help))
        elif field.required:
            errors.append(ParamError(name, "is missing", field.help))
    if errors:
        raise BadParams(tuple(errors))
    return params_type(**values)


def describe(params_type: type[msgspec.Struct]) -> tuple[ParamDoc, ...]:
    """Return the rows of the reference page, in the order of the struct."""
    return tuple(
        ParamDoc(
            field.name,
            f"{field.kind} | {NONE}" if field.optional else field.kind,
            field.param.unit,
            field.default_text,
            field.param.range,
            field.param.sentence,
        )
        for field in _fields(params_type)
    )


@functools.cache
def _fields(params_type: type[msgspec.Struct]) -> tuple[_Field, ...]:
    hints = get_type_hints(params_type, include_extras=True)
    found = []
    for info in msgspec.structs.fields(params_type):
        hint = hints[info.name]
        assert get_origin(hint) is Annotated, (params_type, info.name)
        plain, param = get_args(hint)
        members = get_args(plain) if get_origin(plain) in (Union, types.UnionType) else (plain,)
        (inner,) = (member for member in members if member is not type(None))
        found.append(_Field(info.name, inner, len(members) > 1, param, info.required, info.default))
    return tuple(found)


def _value(field: _Field, text: str) -> object:
    """Raise ValueError, in words that follow the key, when the text is not what the field takes."""
    if text == NONE:
        if field.optional:
            return None
        raise ValueError("it needs a value")
    if issubclass(field.type, Enum):
        try:
            return field.type(text)
        except ValueError:
            raise ValueError(f"{text!r} is not one of {field.kind}") from None
    number: Decimal | int
    if field.type is int:
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"{text!r} is not an integer")
        number = int(text)
    else:
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{text!r} is not a number")
        number = Decimal(text)
    if is_beyond(Decimal(number)):
        raise ValueError(f"{text[:30]} is {BEYOND}")
    if not field.param.allows(number):
        raise ValueError(f"{text} is out of range")
    return number


def _closest(key: str, names: list[str]) -> str:
    close = difflib.get_close_matches(key, names, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"
