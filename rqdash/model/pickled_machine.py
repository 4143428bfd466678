"""The pickle machine: what each instruction does to the stack, with descriptions in place of imports and calls.

Every instruction costs a bounded time and makes at most one small value. What is referred to is never copied, and a memo index is
the key of a dict: so memory is bounded by the bytes read and the number of instructions.
"""

from __future__ import annotations

from collections.abc import Callable

from rqdash.model.symbols import Global, Group, Mapping, Object, Opaque, printable


class Machine:
    """Values, the stacks below each mark, and the memo."""

    __slots__ = ("below", "memo", "stack")

    def __init__(self) -> None:
        self.stack: list[object] = []
        self.below: list[list[object]] = []
        self.memo: dict[object, object] = {}

    def since_mark(self) -> list[object]:
        """The values since the last mark, which is taken away with them. Raises IndexError."""
        below = self.below.pop()
        items, self.stack = self.stack, below
        return items


Step = Callable[[Machine, object], None]
"""One instruction, given the argument that follows it (None when it has none). Raises TypeError, ValueError, IndexError or KeyError."""


def _push(machine: Machine, arg: object) -> None:
    machine.stack.append(arg)


def _nothing(_machine: Machine, _: object) -> None:
    """Framing and promises about buffers: no value."""


def _made(make: Callable[[], object]) -> Step:
    return lambda machine, _: machine.stack.append(make())


def _opaque(text: str, problem: str) -> Step:
    return lambda machine, arg: machine.stack.append(Opaque("unknown", text if arg is None else printable(f"{text} {arg}"), problem))


def _mark(machine: Machine, _: object) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine, _: object) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.since_mark()


def _pop_mark(machine: Machine, _: object) -> None:
    machine.since_mark()


def _duplicate(machine: Machine, _: object) -> None:
    machine.stack.append(machine.stack[-1])


def _put(machine: Machine, index: object) -> None:
    machine.memo[index] = machine.stack[-1]


def _memoize(machine: Machine, _: object) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _get(machine: Machine, index: object) -> None:
    machine.stack.append(machine.memo[index])


def _list(machine: Machine, _: object) -> None:
    items = machine.since_mark()
    machine.stack.append(items)


def _tuple(machine: Machine, _: object) -> None:
    items = machine.since_mark()
    machine.stack.append(tuple(items))


def _tuple_of(length: int) -> Step:
    def step(machine: Machine, _: object) -> None:
        if len(machine.stack) < length:
            raise IndexError
        machine.stack[-length:] = [tuple(machine.stack[-length:])]

    return step


def _dict(machine: Machine, _: object) -> None:
    items = machine.since_mark()
    machine.stack.append(Mapping(_pairs(items)))


def _pairs(items: list[object]) -> list[tuple[object, object]]:
    return list(zip(items[::2], items[1::2], strict=True))


def _append(machine: Machine, _: object) -> None:
    _extend(machine, [machine.stack.pop()])


def _appends(machine: Machine, _: object) -> None:
    _extend(machine, machine.since_mark())


def _extend(machine: Machine, items: list[object]) -> None:
    target = machine.stack[-1]
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Group):
        target.items.extend(items)
    elif isinstance(target, Object):
        target.items = target.items or []
        target.items.extend(items)
    else:
        raise TypeError


def _set_item(machine: Machine, _: object) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _update(machine, [key, value])


def _set_items(machine: Machine, _: object) -> None:
    _update(machine, machine.since_mark())


def _update(machine: Machine, items: list[object]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, (Mapping, Object)):
        raise TypeError
    target.pairs = target.pairs or []
    target.pairs.extend(_pairs(items))


def _frozen_set(machine: Machine, _: object) -> None:
    items = machine.since_mark()
    machine.stack.append(Group("frozenset", items))


def _stack_global(machine: Machine, _: object) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise TypeError
    machine.stack.append(Global(module, name))


def _reduce(machine: Machine, _: object) -> None:
    args, callee = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(Object(callee, args))


def _new_object_ex(machine: Machine, _: object) -> None:
    kwargs, args, callee = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    machine.stack.append(Object(callee, args, kwargs))


def _instance(machine: Machine, callee: object) -> None:
    args = tuple(machine.since_mark())
    machine.stack.append(Object(callee, args))


def _object(machine: Machine, _: object) -> None:
    callee, *args = machine.since_mark()
    machine.stack.append(Object(callee, tuple(args)))


def _build(machine: Machine, _: object) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if not isinstance(target, Object):
        target = machine.stack[-1] = Object(target)
    target.states = target.states or []
    target.states.append(state)


def _persistent(machine: Machine, _: object) -> None:
    machine.stack[-1] = Opaque("unknown", "persistent id", _OUTSIDE)


_OUTSIDE = "its value is kept outside the job"
_REGISTERED = "only the worker's registry of extensions says what it is"

_PUSHED = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "GLOBAL"),
)

STEPS: dict[str, Step] = {
    **dict.fromkeys(_PUSHED, _push),
    **dict.fromkeys(("PROTO", "FRAME", "READONLY_BUFFER"), _nothing),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _reduce),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _opaque("extension", _REGISTERED)),
    "NONE": _made(lambda: None),
    "NEWTRUE": _made(lambda: True),
    "NEWFALSE": _made(lambda: False),
    "EMPTY_LIST": _made(list),
    "EMPTY_TUPLE": _made(tuple),
    "EMPTY_DICT": _made(Mapping),
    "EMPTY_SET": _made(lambda: Group("set")),
    "LIST": _list,
    "TUPLE": _tuple,
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "DICT": _dict,
    "FROZENSET": _frozen_set,
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": _duplicate,
    "MEMOIZE": _memoize,
    "STACK_GLOBAL": _stack_global,
    "NEWOBJ_EX": _new_object_ex,
    "INST": _instance,
    "OBJ": _object,
    "BUILD": _build,
    "PERSID": _opaque("persistent id", _OUTSIDE),
    "BINPERSID": _persistent,
    "NEXT_BUFFER": _opaque("buffer", _OUTSIDE),
}
"""Every instruction by its name in pickletools, save STOP, which ends the reading."""
