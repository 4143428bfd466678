"""Values as a page shows them: one bounded line each, and what they hold, to be folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from keyword import iskeyword

from rqdash.model.duration import number, size
from rqdash.model.known import known, type_name
from rqdash.model.lines import SCALARS, line, rule_of, ruled
from rqdash.model.redaction import HIDDEN, NOT_SHOWN, Redaction
from rqdash.model.symbols import Global, Group, Mapping, Object, Opaque, fields, name, printable, resolved

LINE_CHARS = 2_000
"""Of a value itself; of what it holds, a line has INNER_CHARS."""

INNER_CHARS = 300
MAX_ITEMS = 100
"""Items folded under one value."""

MAX_FOLDS = 4
"""Levels of folding; deeper values are only on the lines of those that hold them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One value as it is shown.

    type: "str", "int", "dict", "datetime.datetime", "app.models.Order", "unknown". text: one line, cut with "…" after 2,000 characters.
    items: what it holds, for folding, at most 100, the keys as they would be written; is_truncated: not all is in text and items.
    problem: why it cannot be shown, a sentence of ours; "" when it can. rule: the glob that hides it; text then says so.
    """

    type: str
    text: str
    items: tuple[tuple[str, Shown], ...] = ()
    is_truncated: bool = False
    problem: str = ""
    rule: str = ""


class Allowance:
    """What may still be shown of one job: values, and characters beyond a few for each; and what may not be seen at all."""

    __slots__ = ("chars", "hides", "values")

    def __init__(self, hides: Redaction, *, values: int = 400, chars: int = 40_000) -> None:
        self.hides = hides
        self.values = values
        self.chars = chars

    def line_chars(self, wanted: int) -> int:
        """How long a line may be now: 60 characters are always free."""
        return min(wanted, max(60, self.chars))

    def spend(self, chars: int) -> None:
        self.values -= 1
        self.chars -= chars


def withheld() -> Shown:
    """What stands for a value of which a policy shows nothing."""
    return Shown("hidden", HIDDEN)


def shown(value: object, allowance: Allowance, *, level: int = 0, rule: str = "") -> Shown:
    """A value of rqdash.model.symbols as it is shown, with what it holds as far as the allowance goes; rule is the one that hides it."""
    value = resolved(value)
    if rule:
        return _spent(Shown(_type(value), f"hidden by the rule {rule}", rule=rule), allowance)
    if allowance.hides.is_hidden:
        return _spent(withheld(), allowance)
    if not allowance.hides.is_shown:
        return _spent(Shown(_type(value), _extent(value)), allowance)
    text, is_cut = line(value, allowance.line_chars(INNER_CHARS if level else LINE_CHARS), allowance.hides)
    allowance.spend(len(text))
    problem = value.problem if isinstance(value, Opaque) else ""
    if isinstance(value, SCALARS) or value is None:
        return Shown(_type(value), text, (), is_cut, problem)
    items, is_whole = _items(value, allowance, level)
    return Shown(_type(value), text, items, is_cut or not is_whole)


def _spent(found: Shown, allowance: Allowance) -> Shown:
    allowance.spend(len(found.text))
    return found


def _extent(value: object) -> str:
    """How large a value is, where that can be said without saying what it is."""
    if isinstance(value, str):
        return _counted(len(value), "character")
    if isinstance(value, (bytes, bytearray)):
        return size(len(value))
    if isinstance(value, Mapping):
        return _counted(len(value.pairs), "key")
    items = value.items if isinstance(value, Group) else value
    return _counted(len(items), "item") if isinstance(items, (list, tuple)) else NOT_SHOWN


def _counted(count: int, what: str) -> str:
    return f"{number(count)} {what}{'' if count == 1 else 's'}"


def _type(value: object) -> str:
    if isinstance(value, Object):
        return type_name(value.path)
    if isinstance(value, (Group, Opaque)):
        return value.name if isinstance(value, Group) else value.type
    return _TYPES.get(type(value), type(value).__name__)


_TYPES = {type(None): "None", Mapping: "dict", Global: "import path"}


def _items(value: object, allowance: Allowance, level: int) -> tuple[tuple[tuple[str, Shown], ...], bool]:
    """What a value holds, and whether that is all of it; nothing when its line tells all there is."""
    if isinstance(value, Object) and (_is_simple(value) or known(value, value.path) is not None):
        return (), True
    children = _children(value, allowance.hides)
    if level >= MAX_FOLDS:
        return (), next(children, None) is None
    items: list[tuple[str, Shown]] = []
    for key, child, rule in children:
        if len(items) >= MAX_ITEMS or allowance.values <= 0:
            return tuple(items), False
        items.append((key, shown(child, allowance, level=level + 1, rule=rule)))
    return tuple(items), True


def _is_simple(value: Object) -> bool:
    """Whether it is no more than a name for one plain value: Decimal('1.5'), Color(1)."""
    if value.items or value.pairs:
        return False
    parts = list(islice(fields(value), 2))
    return len(parts) == 1 and parts[0][0] == "" and isinstance(resolved(parts[0][1]), SCALARS)


def _children(value: object, hides: Redaction) -> Iterator[tuple[str, object, str]]:
    """What a value holds: the key as it is shown, the item, and the rule that hides it."""
    if isinstance(value, Mapping):
        yield from _pairs(value.pairs, hides)
    elif isinstance(value, Object):
        for index, (key, item) in enumerate(fields(value)):
            yield (str(index) if key == "" else name(key)), item, rule_of(key, hides)
        yield from _numbered(value.items or (), hides)
        yield from _pairs(value.pairs or (), hides)
    elif isinstance(value, Group):
        yield from _numbered(value.items, hides)
    elif isinstance(value, (list, tuple)):
        yield from _numbered(value, hides)


def _numbered(items: Iterable[object], hides: Redaction) -> Iterator[tuple[str, object, str]]:
    return ((str(index), item, rule) for index, (item, rule) in enumerate(ruled(items, hides)))


def _pairs(pairs: Iterable[tuple[object, object]], hides: Redaction) -> Iterator[tuple[str, object, str]]:
    return ((_key(key, hides), item, rule_of(key, hides)) for key, item in pairs)


def _key(key: object, hides: Redaction) -> str:
    if isinstance(key, str) and key.isidentifier() and not iskeyword(key):
        return printable(key)
    return line(resolved(key), 100, hides)[0]
