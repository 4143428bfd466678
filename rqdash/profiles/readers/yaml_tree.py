"""YAML as values that know where they stand, and the environments a compose file or a manifest gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from rqdash.profiles.readers.dotenv import interpolated
from rqdash.profiles.readers.notes import Unreadable
from rqdash.profiles.readers.tree import At, Bound, Entry, Leaf, Open, Row, Table, Value
from rqdash.profiles.readers.values import Hole

DEEPEST = 40
MOST_VALUES = 20_000
Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
IN_COMMAND = re.compile(r"(?:--url|-u)[ =]+['\"]?([^\s'\"]+)")


@dataclass(slots=True)
class Budget:
    """How many values may still be read; anchors can name one a thousand times."""

    left: int = MOST_VALUES


def parsed_yaml(text: str) -> Value:
    """The first document of a YAML text. Raises Unreadable when it is none, too deep or too large."""
    try:
        node = next(iter(yaml.compose_all(text, Loader=Loader)), None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = At(mark.line + 1, mark.column + 1) if mark else At()
        raise Unreadable("syntax", "This is not YAML from here on. Correct the line.", at) from None
    except (yaml.YAMLError, ValueError):
        raise Unreadable("syntax", "This is not YAML. Save it again as text.") from None
    except RecursionError:
        raise Unreadable("too-deep", "The file is nested too deeply. Write the settings out.") from None
    return _value(node, Budget(), depth=0) if node is not None else Leaf(None)


def _value(node: yaml.Node, budget: Budget, *, depth: int) -> Value:
    at = At(node.start_mark.line + 1, node.start_mark.column + 1)
    budget.left -= 1
    if depth > DEEPEST or budget.left < 0:
        raise Unreadable("too-deep", "The file is nested too deeply or repeats itself too often. Write the settings out.", at)
    if isinstance(node, yaml.SequenceNode):
        return Row(tuple(_value(item, budget, depth=depth + 1) for item in node.value), at)
    if isinstance(node, yaml.MappingNode):
        return _table(node, budget, depth=depth)
    return _scalar(node, at)


def _table(node: yaml.MappingNode, budget: Budget, *, depth: int) -> Table:
    """A mapping, with what << merges into it."""
    at = At(node.start_mark.line + 1, node.start_mark.column + 1)
    merged, own = Table((), at), Table((), at)
    for key, inner in node.value:
        value = _value(inner, budget, depth=depth + 1)
        if key.tag == "tag:yaml.org,2002:merge":
            for table in value.items if isinstance(value, Row) else (value,):
                merged = table.merged(merged) if isinstance(table, Table) else merged
        elif isinstance(key, yaml.ScalarNode):
            own = Table((*own.entries, Entry(str(key.value), value, At(key.start_mark.line + 1, key.start_mark.column + 1))), at)
    return merged.merged(own)


def _scalar(node: yaml.Node, at: At) -> Value:
    text, plain = str(node.value), node.tag.rpartition(":")[2]
    if plain == "null":
        return Leaf(None, at)
    if plain == "bool":
        return Leaf(text.lower() in ("true", "yes", "on", "y"), at)
    if plain == "int" and re.fullmatch(r"-?[0-9]{1,12}", text):
        return Leaf(int(text), at)
    return interpolated(text, at) if "$" in text else Leaf(text, at)


def environments(value: Value, *, path: str = "") -> Iterator[tuple[str, Mapping[str, Bound]]]:
    """Every environment in a document, with the name of the service it is for, and what its command says."""
    if isinstance(value, Row):
        for item in value.items:
            name = item.get("name") if isinstance(item, Table) else None
            yield from environments(item, path=str(name.value.value) if name and isinstance(name.value, Leaf) else path)
    if not isinstance(value, Table):
        return
    names: dict[str, Bound] = {}
    for entry in value.entries:
        if entry.key in ("environment", "env"):
            names |= _environment(entry.value)
        elif entry.key in ("command", "entrypoint", "args"):
            names |= _command(entry)
        elif entry.key not in ("labels", "healthcheck", "ports", "volumes"):
            yield from environments(entry.value, path=entry.key)
    if names:
        yield path, names


def _environment(value: Value) -> dict[str, Bound]:
    """A mapping, a list of NAME=value, or a list of name and value."""
    if isinstance(value, Table):
        return {entry.key: Bound(entry.value, entry.at) for entry in value.entries}
    found: dict[str, Bound] = {}
    for item in value.items if isinstance(value, Row) else ():
        if isinstance(item, Table) and (name := item.get("name")) and isinstance(name.value, Leaf):
            given = item.get("value")
            found[str(name.value.value)] = Bound(given.value if given else Open((Hole(str(name.value.value)),), item.at), item.at)
        elif isinstance(item, Leaf | Open):
            found |= _pair(item)
    return found


def _pair(item: Leaf | Open) -> dict[str, Bound]:
    """NAME=value; NAME alone is passed on from whoever starts the service."""
    pieces = item.pieces if isinstance(item, Open) else (str(item.value),)
    name, sign, rest = str(pieces[0]).partition("=") if isinstance(pieces[0], str) else ("", "", "")
    if not name:
        return {}
    at = At(item.at.line, item.at.column + len(name) + 1)
    if not sign:
        return {name: Bound(Open((Hole(name),), item.at), item.at)}
    kept = tuple(piece for piece in (rest, *pieces[1:]) if piece != "")
    is_open = any(isinstance(piece, Hole) for piece in kept)
    return {name: Bound(Open(kept, at) if is_open else Leaf("".join(str(piece) for piece in kept), at), item.at)}


def _command(entry: Entry) -> dict[str, Bound]:
    """The URL of rq worker --url URL."""
    value = entry.value
    parts = value.items if isinstance(value, Row) else (value,)
    text = " ".join(str(part.value) for part in parts if isinstance(part, Leaf))
    found = IN_COMMAND.search(text) if re.search(r"\brq\b", text) else None
    return {"RQ_REDIS_URL": Bound(Leaf(found[1], value.at), entry.at)} if found else {}
