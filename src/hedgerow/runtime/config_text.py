"""A config file as text: read with its positions, and told with them when something is wrong.

Scalars follow YAML 1.2: `no` is a word, `0123` and `1:30` stay as written, and numbers stay text until a field that
knows its type takes them, so that none ever passes through a binary fraction.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml

FILE_BYTES_MAX = 1 << 20

KeyPath = tuple[str | int, ...]
"The keys and indexes that lead to a value."
TAPE_OPTION: KeyPath = ("--tape",)
"Of what stands on the command line, and not in the file."
Plain = dict[str, "Plain"] | list["Plain"] | str | bool | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# What the resolver calls plain values; all of them are read as text.
_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value"})
# Words of a key whose value must never stand in the file itself.
_SECRET_KEY = re.compile(r"(^|_)(key|secret|token|password|passphrase|mnemonic)($|_)", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/_=-]{24,}|-----BEGIN .*", re.DOTALL)
REFERENCE = re.compile(r"(env|file|cmd):.+", re.DOTALL)
# Problems with what no tree holds: what was not understood, or stands there a second time.
_UNREAD = frozenset({"syntax", "duplicate_key", "key", "tag"})
_A_KEY = re.compile(r"(\w+)[\"']?[ \t]*[:=][ \t]*|(?:^|[{,])[ \t]*[\"']?(\w+)[\"']?[ \t]+")
_A_REFERENCE = re.compile(r"\"(?:env|file|cmd):[^\"]+\"|'(?:env|file|cmd):[^']+'|(?:env|file|cmd):[^,{}\[\]\"'#]+")
_LIKE_SECRET = re.compile(
    r"(?<!env:)(?<!file:)(?<!cmd:)(?<![\w+/=-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{24,}", re.ASCII
)


class Place(NamedTuple):
    """Where a key and its value stand, from 1."""

    line: int
    column: int
    key_line: int
    key_column: int


class Problem(NamedTuple):
    """One thing that is wrong with a config."""

    kind: str
    "A stable word, e.g. `extra_forbidden`."
    text: str
    path: KeyPath = ()
    at_key: bool = False
    "Whether the caret belongs under the key rather than under its value."
    help: str = ""


class ConfigText(NamedTuple):
    """A file as read: plain values, and where each stands."""

    name: str
    text: str
    tree: Plain
    places: dict[KeyPath, Place]
    "Empty for TOML, whose reader keeps none."
    problems: tuple[Problem, ...] = ()
    "What is wrong with it already: keys given twice, secrets, anchors."


class ConfigError(Exception):
    """What an operator got wrong in a config, all of it at once. Nothing was started."""

    def __init__(self, source: ConfigText, problems: Iterable[Problem]) -> None:
        problems = tuple(problems)
        assert problems, source.name
        secrets = [
            value for problem in problems if problem.kind == "literal_secret" for value in _told_at(source, problem)
        ]
        text = _without_secrets(source.text, is_unread=any(problem.kind in _UNREAD for problem in problems))
        self.source = source._replace(text=_masked(text, secrets))
        self.problems = tuple(
            problem._replace(text=_masked(problem.text, secrets), help=_masked(problem.help, secrets))
            for problem in problems
        )
        super().__init__(render(self.source, self.problems))


def _told_at(source: ConfigText, problem: Problem) -> list[str]:
    """Return the lines of the value that a problem is about."""
    value = source.tree
    for part in problem.path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
    return [line.strip() for line in value.splitlines()] if isinstance(value, str) else []


def _masked(text: str, secrets: Iterable[str]) -> str:
    # As long as before, so that the carets of a line still point where they should.
    for secret in filter(None, secrets):
        text = text.replace(secret, "*" * len(secret))
    return text


def _without_secrets(text: str, *, is_unread: bool) -> str:
    """Return a text with what follows the key of a secret masked, unless that is a reference.

    By lines and without a grammar, which the text need not have: rather too much is hidden than too little. What only
    looks like a secret is hidden where nothing better is known of the text.
    """
    shown: list[str] = []
    quote, indent = "", -1
    "What ends the secret that a line before began; how deep the key of one stands whose value comes below, else -1."
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        start = len(line)
        if quote:
            start, quote = 0, "" if quote in line else quote
        elif indent >= 0 and (depth > indent or not line.strip()):
            start = 0
        else:
            indent = -1
            found = _secret_start(line)
            if found is not None:
                start, rest = found, line[found:].strip()
                if rest[:1] in ("", "|", ">", "#"):
                    indent = depth
                elif rest[0] in "\"'" and rest.count(rest[0]) == 1:
                    quote = rest[0]
        before = line[:start]
        if is_unread:
            before = _LIKE_SECRET.sub(lambda found: "*" * len(found[0]), before)
        shown.append(before + "".join(char if char.isspace() else "*" for char in line[start:]))
    return "\n".join(shown)


def _secret_start(line: str) -> int | None:
    """Return where in a line a value begins whose key is a secret's, and which is no reference."""
    at = 0
    while (key := _A_KEY.search(line, at)) is not None:
        at = key.end()
        if _SECRET_KEY.search(key[1] or key[2]):
            reference = _A_REFERENCE.match(line, at)
            if reference is None:
                return at
            at = reference.end()
    return None


def read_text(path: Path) -> ConfigText:
    """Return a config file as read, YAML or (by its ending) TOML.

    Raises:
        ConfigError: it cannot be read, or is neither.
    """
    name = str(path)
    blank = ConfigText(name, "", None, {})
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(blank, [Problem("too_large", f"{name} is larger than {FILE_BYTES_MAX} bytes")])
        text = path.read_text("utf-8")
    except FileNotFoundError:
        help_ = "give the path of a config, or start from examples/mirror.yaml"
        raise ConfigError(blank, [Problem("missing_file", f"there is no file {name}", help=help_)]) from None
    except OSError as error:
        help_ = "give the path of a config file that you may read"
        raise ConfigError(
            blank, [Problem("unreadable", f"{name} cannot be read: {error.strerror}", help=help_)]
        ) from None
    except UnicodeDecodeError as error:
        told = f"{name} is not UTF-8 text (byte {error.start})"
        raise ConfigError(blank, [Problem("unreadable", told, help="save it as UTF-8")]) from None
    return parse(text, name)


_TOO_DEEP = Problem("syntax", "it is nested too deeply", help="no config has more than six levels")


def parse(text: str, name: str) -> ConfigText:
    """Return a config text as read; `name` is how it is told, and its ending says which language it is in.

    Raises:
        ConfigError: it is not well-formed. What else is wrong already is in `problems`.
    """
    problems: list[Problem] = []
    places: dict[KeyPath, Place] = {}
    tree = _parse_toml(text, name) if name.endswith(".toml") else _parse_yaml(text, name, places, problems)
    problems += _secrets(tree, ())
    source = ConfigText(name, text, tree, places, tuple(problems))
    if not isinstance(tree, dict):
        problems.append(Problem("empty", f"{name} holds no config", help="start from examples/mirror.yaml"))
        raise ConfigError(source, problems)
    return source


def _parse_toml(text: str, name: str) -> Plain:
    try:
        return _plain(tomllib.loads(text, parse_float=str))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(ConfigText(name, text, None, {}), [Problem("syntax", f"not TOML: {error}")]) from None
    except RecursionError:
        raise ConfigError(ConfigText(name, text, None, {}), [_TOO_DEEP]) from None


def _plain(value: object) -> Plain:
    """Return TOML's values with numbers and times as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool) else str(value)


def _parse_yaml(text: str, name: str, places: dict[KeyPath, Place], problems: list[Problem]) -> Plain:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # Of an alias or a tag the parser tells the name, and that may be a password that begins with * or !.
        told = re.sub("(alias|anchor|handle) .*", r"\1", error.problem or error.context or "it cannot be parsed")
        places[()] = _place(mark, mark) if mark is not None else Place(1, 1, 1, 1)
        problem = Problem("syntax", f"not YAML: {told}", help="check indentation, colons and quotes around here")
        raise ConfigError(ConfigText(name, text, None, places), [problem]) from None
    except yaml.YAMLError as error:
        problem = Problem("syntax", f"not YAML: {str(error).splitlines()[0]}")
        raise ConfigError(ConfigText(name, text, None, {}), [problem]) from None
    except RecursionError:
        raise ConfigError(ConfigText(name, text, None, {}), [_TOO_DEEP]) from None
    if root is None:
        return None
    return _walk(root, (), places, problems, set())


def _walk(
    node: yaml.Node, path: KeyPath, places: dict[KeyPath, Place], problems: list[Problem], seen: set[int]
) -> Plain:
    if path not in places:
        places[path] = _place(node.start_mark, node.start_mark)
    if id(node) in seen:
        problems.append(Problem("alias", "anchors and aliases are not taken here", path, help="write the value out"))
        return None
    seen.add(id(node))
    if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
        problems.append(Problem("tag", "tags are not taken here", path, help="remove it, or quote the value"))
    if isinstance(node, yaml.SequenceNode):
        return [_walk(item, (*path, index), places, problems, seen) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        if node.style is not None:
            return str(node.value)
        return None if node.value in _NULLS else _BOOLS.get(node.value, str(node.value))
    assert isinstance(node, yaml.MappingNode), node
    result: dict[str, Plain] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem("key", "a key must be a plain word", path))
            continue
        key = str(key_node.value)
        below = (*path, key)
        if key in result:
            first = places[below].key_line
            places[(*below, "again")] = _place(value_node.start_mark, key_node.start_mark)
            told = f"{dotted(path) + ': ' if path else ''}key '{key}' is here twice"
            problems.append(Problem("duplicate_key", told, (*below, "again"), True, f"the first is on line {first}"))
            continue
        places[below] = _place(value_node.start_mark, key_node.start_mark)
        result[key] = _walk(value_node, below, places, problems, seen)
    return result


def _place(value: yaml.Mark, key: yaml.Mark) -> Place:
    return Place(value.line + 1, value.column + 1, key.line + 1, key.column + 1)


def _secrets(tree: Plain, path: KeyPath) -> list[Problem]:
    """Return a problem for each value that looks like a secret; none of them is ever printed."""
    if isinstance(tree, dict):
        return [problem for key, value in tree.items() for problem in _secrets(value, (*path, key))]
    if isinstance(tree, list):
        return [problem for index, value in enumerate(tree) for problem in _secrets(value, (*path, index))]
    if not isinstance(tree, str) or REFERENCE.fullmatch(tree):
        return []
    named = bool(path) and isinstance(path[-1], str) and _SECRET_KEY.search(path[-1])
    if not named and not _SECRET_VALUE.fullmatch(tree):
        return []
    told = f"{dotted(path)}: a secret must not stand in the file"
    return [Problem("literal_secret", told, path, help="refer to it: env:NAME, file:PATH or cmd:COMMAND")]


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: `books.btc.legs.lead`."""
    return ".".join(str(part) for part in path)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question with the nearest known word, or the list of them when none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known here: {', '.join(known)}" if known else ""


def render(source: ConfigText, problems: Iterable[Problem]) -> str:
    """Return every problem with its place, source line and remedy, and their number."""
    blocks: list[str] = []
    lines = source.text.splitlines()
    for problem in problems:
        block = [f"error[{problem.kind}]: {problem.text}"]
        line, column = find(source, problem)
        if line == 0:
            block.append(f" --> {'the command line' if problem.path == TAPE_OPTION else source.name}")
        else:
            gutter = " " * len(str(line))
            text = lines[line - 1] if line <= len(lines) else ""
            block += [
                f" --> {source.name}:{line}:{column}",
                f"{gutter} |",
                f"{line} | {text}".rstrip(),
                f"{gutter} | {' ' * (column - 1)}^",
            ]
        if problem.help:
            block.append(f"  help: {problem.help}")
        blocks.append("\n".join(block))
    count = len(blocks)
    blocks.append(f"{count} error{'' if count == 1 else 's'} in {source.name}")
    return "\n".join(blocks)


def find(source: ConfigText, problem: Problem) -> tuple[int, int]:
    """Return (line, column) of a problem from 1, of the nearest thing around it that has one, or (0, 0)."""
    path = problem.path
    at_key = problem.at_key
    if path == TAPE_OPTION:
        return 0, 0
    while path not in source.places:
        if not path:
            return 0, 0
        path, at_key = path[:-1], True
    place = source.places[path]
    return (place.key_line, place.key_column) if at_key else (place.line, place.column)
