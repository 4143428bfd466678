"""Values as a pickle describes them, held as plain data: nothing here is, imports or calls what it names.

What a pickle can describe and no class of ours stands for is the built-in itself: None, bool, int, float, str, bytes, bytearray,
list and tuple. All else is one of the classes below. They change while a pickle is read, for a pickle builds its values in steps,
and are compared by identity alone: they may contain themselves, and equality would follow them round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

NAME_CHARS = 300
"""The longest name that is shown whole."""

MOST = 1_000
"""How many elements of one value are ever looked at; more could not be shown."""

# What pickles of protocol 2 and below call them, even when Python 3 wrote them.
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


@dataclass(slots=True, eq=False, repr=False)
class Mapping:
    """A dict as its pairs, in order. Not a dict: keys may be unhashable here, or made to collide."""

    pairs: list[tuple[object, object]] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Group:
    """A set or a frozenset (name says which), its elements in the order stored."""

    name: str
    items: list[object] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Global:
    """The import path of a class or function."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """ "app.models.Order", as text that can be printed; bounded."""
        module = self.module[:NAME_CHARS]
        return printable(f"{_RENAMED.get(module, module)}.{self.name[:NAME_CHARS]}")


@dataclass(slots=True, eq=False, repr=False)
class Object:
    """What calling callee (nearly always a Global) with args and kwargs would make, then given states, items and pairs.

    These are None until there are any: a pickle can make many objects, and empty lists would be most of their cost.
    """

    callee: object
    args: object = ()
    kwargs: object = None
    states: list[object] | None = None
    items: list[object] | None = None
    pairs: list[tuple[object, object]] | None = None

    @property
    def path(self) -> str:
        """The import path of its class; "object" when what makes it is no plain name."""
        maker = resolved(self.callee)
        return maker.path.removeprefix("builtins.") if isinstance(maker, Global) else "object"


@dataclass(slots=True, eq=False, repr=False)
class Opaque:
    """A value that is not in the stored bytes, or too large to be told: its type, what to show, and why."""

    type: str
    text: str
    problem: str = ""


def printable(text: str) -> str:
    """A name as one printable line of at most 300 characters: what is not printable is escaped, the rest is cut with "…"."""
    cut = text if len(text) <= NAME_CHARS else f"{text[:NAME_CHARS]}…"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode("ascii")[: 2 * NAME_CHARS]


def resolved(value: object) -> object:
    """What a few calls of the standard library would give, where it is plain data; any other value as it is.

    Only those with which pickle spells built-in values and plain objects in its older protocols. This is done when a value is
    shown and not when it is read: a pickle of a few bytes can ask for a thousand copies of one large argument.
    """
    if not isinstance(value, Object) or not isinstance(value.callee, Global) or type(value.args) is not tuple:
        return value
    reduction = _REDUCTIONS.get((value.callee.module, value.callee.name))
    reduced = reduction(value, value.args[:MOST]) if reduction else None
    return value if reduced is None else reduced


def _encoded(_: Object, args: tuple[object, ...]) -> object:
    """_codecs.encode(str, "latin1"): bytes in protocols 0 to 2."""
    if len(args) != 2 or not isinstance(args[0], str) or args[1] not in ("latin1", "latin-1"):
        return None
    try:
        return args[0].encode("latin-1")
    except UnicodeEncodeError:
        return None


def _no_bytes(_: Object, args: tuple[object, ...]) -> object:
    return None if args else b""


def _byte_array(value: Object, args: tuple[object, ...]) -> object:
    """bytearray(), (bytes) or (str, "latin-1"): protocols 0 to 4."""
    raw = args[0] if len(args) == 1 else _encoded(value, args) if args else b""
    return bytearray(raw) if isinstance(raw, bytes) else None


def _grouped(value: Object, args: tuple[object, ...]) -> object:
    name = value.callee.name if isinstance(value.callee, Global) else "set"
    if not args:
        return Group(name)
    return Group(name, args[0]) if len(args) == 1 and isinstance(args[0], list) else None


def _attribute(_: Object, args: tuple[object, ...]) -> object:
    if len(args) == 2 and isinstance(args[0], Global) and isinstance(args[1], str):
        return Global(args[0].module, f"{args[0].name[:NAME_CHARS]}.{args[1][:NAME_CHARS]}")
    return None


def _reconstructed(value: Object, args: tuple[object, ...]) -> object:
    """copyreg._reconstructor(class, base, value of base): protocols 0 and 1."""
    if len(args) != 3:
        return None
    return Object(args[0], () if args[2] is None else args[2:], None, value.states, value.items, value.pairs)


def _new(value: Object, args: tuple[object, ...]) -> object:
    return Object(args[0], args[1:], None, value.states, value.items, value.pairs) if args else None


def _new_ex(value: Object, args: tuple[object, ...]) -> object:
    return Object(args[0], args[1], args[2], value.states, value.items, value.pairs) if len(args) == 3 else None


_BY_PATH: dict[str, Callable[[Object, tuple[object, ...]], object]] = {
    "_codecs.encode": _encoded,
    "builtins.bytes": _no_bytes,
    "builtins.bytearray": _byte_array,
    "builtins.set": _grouped,
    "builtins.frozenset": _grouped,
    "builtins.getattr": _attribute,
    "copyreg._reconstructor": _reconstructed,
    "copyreg.__newobj__": _new,
    "copyreg.__newobj_ex__": _new_ex,
}
_OLD = {new: old for old, new in _RENAMED.items()}
_REDUCTIONS = {
    (module, name): reduction
    for path, reduction in _BY_PATH.items()
    for new, name in [path.split(".", 1)]
    for module in (new, _OLD.get(new, new))
}


def fields(value: Object) -> Iterator[tuple[object, object]]:
    """What an object holds, by key: its positional arguments ("" for a key), then keyword arguments, then its state; bounded."""
    arguments = value.args if isinstance(value.args, (tuple, list)) else (value.args,)
    yield from (("", argument) for argument in islice(arguments, MOST))
    for holder in (value.kwargs, *(value.states or ())[:MOST]):
        yield from _state(holder)


def _state(state: object) -> Iterator[tuple[object, object]]:
    # (None, {...}) and ({...}, {...}) are how classes with slots are pickled: copyreg and object.__reduce_ex__(2).
    parts = state if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], Mapping) else (state,)
    for part in parts:
        if isinstance(part, Mapping):
            yield from islice(part.pairs, MOST)
        elif part is not None:
            yield "state", part


def name(key: object) -> str:
    """The key of an attribute or a keyword; what is no str stands as its type."""
    return printable(key) if isinstance(key, str) else f"<{type(key).__name__}>"
