"""Python expressions as values, without running anything: a small language of literals, texts and look-ups, and a reason for the rest."""

from __future__ import annotations

import ast
from collections.abc import Callable

from rqdash.profiles.readers import python_text as texts
from rqdash.profiles.readers.python_scope import Scope
from rqdash.profiles.readers.tree import MOST_ITEMS, At, Entry, Leaf, Open, Row, Table, Unread, Value, joined
from rqdash.profiles.readers.values import Hole

PLAIN = (str, int, float, bool, type(None))
CONTAINERS = {"list", "tuple"}
CONVERSIONS = {"str", "int", "float", "bool"}
CERTIFICATES = {"ssl.CERT_REQUIRED": "required", "ssl.CERT_OPTIONAL": "optional", "ssl.CERT_NONE": "none"}
WHY = {
    ast.ListComp: ("comprehension", 'list comprehension is not evaluated; write the hosts out or paste "h1:26379,h2:26379"'),
    ast.GeneratorExp: ("comprehension", 'a generator is not evaluated; write the hosts out or paste "h1:26379,h2:26379"'),
    ast.SetComp: ("comprehension", "set comprehension is not evaluated; write the values out"),
    ast.DictComp: ("comprehension", "dict comprehension is not evaluated; write the keys and values out"),
    ast.IfExp: ("conditional", "a condition is not evaluated; write the value that applies"),
    ast.BoolOp: ("conditional", "and / or over what is not known is not evaluated; write the value that applies"),
    ast.Compare: ("conditional", "a comparison is not evaluated; write True or False"),
    ast.Lambda: ("call", "a lambda is not run; write its value"),
    ast.Await: ("call", "await is not run; write the value"),
    ast.NamedExpr: ("operator", "an assignment inside an expression is not read; write it on a line of its own"),
    ast.Attribute: ("attribute", "it comes from another module, which is not imported; write the value itself"),
    ast.Starred: ("operator", "unpacking is not evaluated; write the values out"),
}


def evaluated(node: ast.expr, scope: Scope) -> Value:
    """The value of an expression, or why it is not evaluated."""
    read = READERS.get(type(node))
    if read is not None:
        return read(node, scope)
    code, message = WHY.get(type(node), ("expression", "this kind of expression is not evaluated; write its value"))
    return Unread(code, message, scope.at(node))


def _constant(node: ast.Constant, scope: Scope) -> Value:
    if isinstance(node.value, PLAIN):
        return Leaf(node.value, scope.at(node))
    return Unread("literal", "bytes, complex numbers and ... are no settings; write a text or a number", scope.at(node))


def _name(node: ast.Name, scope: Scope) -> Value:
    bound = scope.names.get(node.id)
    if bound is not None:
        return bound.value
    if node.id in scope.imports:
        return Unread("attribute", "it comes from another module, which is not imported; write the value itself", scope.at(node))
    return Unread(
        "undefined", "this name is not defined before it is used; write the value itself, in quotes if it is a text", scope.at(node)
    )


def _row(node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
    items: list[Value] = []
    for element in node.elts:
        if isinstance(element, ast.Starred):
            inner = evaluated(element.value, scope)
            if not isinstance(inner, Row):
                return inner if isinstance(inner, Unread) else evaluated(element, scope)
            items += inner.items
        else:
            items.append(evaluated(element, scope))
    return _bounded(Row(tuple(items), scope.at(node)))


def _bounded(row: Row) -> Value:
    if len(row.items) > MOST_ITEMS:
        return Unread("too-large", "the list becomes too long; write out the entries that are meant", row.at)
    return row


def _table(node: ast.Dict, scope: Scope) -> Value:
    table = Table((), scope.at(node))
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = evaluated(value_node, scope)
        if key_node is None:
            if not isinstance(value, Table):
                return value if isinstance(value, Unread) else Unread("expression", "** takes a dictionary", scope.at(value_node))
            table = table.merged(value)
            continue
        key = evaluated(key_node, scope)
        if not isinstance(key, Leaf):
            return key if isinstance(key, Unread) else Unread("key", "a key must be known; write it out", scope.at(key_node))
        table = table.merged(Table((Entry(str(key.value), value, scope.at(key_node)),)))
    return table


def _unary(node: ast.UnaryOp, scope: Scope) -> Value:
    value = evaluated(node.operand, scope)
    if isinstance(value, Leaf) and isinstance(value.value, int | float):
        if isinstance(node.op, ast.USub):
            return Leaf(-value.value, scope.at(node))
        if isinstance(node.op, ast.UAdd):
            return value
    if isinstance(value, Leaf) and isinstance(node.op, ast.Not):
        return Leaf(not value.value, scope.at(node))
    return value if isinstance(value, Unread) else Unread("operator", "this operator is not evaluated; write the value", scope.at(node))


def _binary(node: ast.BinOp, scope: Scope) -> Value:
    at = scope.at(node)
    if isinstance(node.op, ast.Pow | ast.Mult | ast.LShift):
        return Unread("operator", "*, ** and << are not evaluated; write the value out", at)
    left, right = evaluated(node.left, scope), evaluated(node.right, scope)
    for side in (left, right):
        if isinstance(side, Unread):
            return side
    if isinstance(node.op, ast.Add):
        return _sum(left, right, at)
    if isinstance(node.op, ast.Mod) and isinstance(left, Leaf) and isinstance(left.value, str):
        return texts.percent(left.value, right, at=at)
    if isinstance(node.op, ast.BitOr) and isinstance(left, Table) and isinstance(right, Table):
        return left.merged(right)
    return Unread("operator", "this operator is not evaluated; write the value", at)


def _sum(left: Value, right: Value, at: At) -> Value:
    if isinstance(left, Row) and isinstance(right, Row):
        return _bounded(Row((*left.items, *right.items), at))
    if texts.is_text(left) and texts.is_text(right):
        return joined((left, right), at)
    if isinstance(left, Leaf) and isinstance(right, Leaf) and isinstance(left.value, int | float) and isinstance(right.value, int | float):
        return Leaf(left.value + right.value, at)
    return Unread("operator", "+ joins two texts, two lists or two numbers; convert one with str() or int()", at)


def _f_string(node: ast.JoinedStr, scope: Scope) -> Value:
    return texts.f_string(node, scope, evaluate=evaluated)


def _either(node: ast.BoolOp, scope: Scope) -> Value:
    """x or default, as people write it around a look-up."""
    values = [evaluated(value, scope) for value in node.values]
    if isinstance(node.op, ast.Or):
        for position, value in enumerate(values):
            if isinstance(value, Unread):
                return value
            if isinstance(value, Open):
                return _defaulted(value, values[position + 1 :])
            if not isinstance(value, Leaf) or value.value or position == len(values) - 1:
                return value
    code, message = WHY[ast.BoolOp]
    return Unread(code, message, scope.at(node))


def _defaulted(value: Open, others: list[Value]) -> Value:
    known = next((str(other.value) for other in others if isinstance(other, Leaf) and other.value), None)
    if len(value.pieces) != 1 or known is None:
        return value
    hole = value.holes[0]
    return Open((Hole(hole.name, hole.default or known),), value.at)


def _subscript(node: ast.Subscript, scope: Scope) -> Value:
    at, key = scope.at(node), evaluated(node.slice, scope)
    if scope.dotted(node.value) in ("os.environ", "environment"):
        return _looked_up(key, None, at)
    base = evaluated(node.value, scope)
    if isinstance(base, Table) and isinstance(key, Leaf):
        entry = base.get(str(key.value))
        return entry.value if entry else Unread("undefined", "this key is not set before it is used; write the value itself", at)
    if isinstance(base, Row) and isinstance(key, Leaf) and type(key.value) is int and -len(base.items) <= key.value < len(base.items):
        return base.items[key.value]
    return base if isinstance(base, Unread) else Unread("expression", "this subscript is not evaluated; write the value", at)


def _attribute(node: ast.Attribute, scope: Scope) -> Value:
    if known := CERTIFICATES.get(scope.dotted(node)):
        return Leaf(known, scope.at(node))
    code, message = WHY[ast.Attribute]
    return Unread(code, message, scope.at(node))


def _call(node: ast.Call, scope: Scope) -> Value:
    at, name = scope.at(node), scope.dotted(node.func)
    if scope.is_lookup(name):
        return _lookup(node, scope)
    if name in texts.QUOTING and node.args:
        return texts.quoted(evaluated(node.args[0], scope), plus=name.endswith("plus"), safe=_keyword(node, scope, "safe"))
    if isinstance(node.func, ast.Name) and node.func.id not in scope.names and node.func.id not in scope.imports:
        return _built_in(node, node.func.id, scope=scope)
    if isinstance(node.func, ast.Attribute) and not name:
        return _method(node, node.func, scope=scope)
    return Unread("call", "a call is not run; write its result", at)


def _lookup(node: ast.Call, scope: Scope) -> Value:
    at = scope.at(node)
    if not node.args:
        return Unread("call", "a look-up without a name is not read; write the variable's name", at)
    default = evaluated(node.args[1], scope) if len(node.args) > 1 else _keyword(node, scope, "default")
    return _looked_up(evaluated(node.args[0], scope), default, at)


def _looked_up(name: Value, default: Value | None, at: At) -> Value:
    """A blank for a variable. A default that is itself a look-up is none: what is asked for is the first name."""
    if not isinstance(name, Leaf) or not isinstance(name.value, str):
        return name if isinstance(name, Unread) else Unread("call", "the variable's name must be known; write it out", at)
    text = None
    if isinstance(default, Open):
        text = default.known
    elif isinstance(default, Leaf) and default.value is not None:
        text = str(default.value)
    elif isinstance(default, Row) and all(isinstance(item, Leaf) for item in default.items):
        text = ",".join(str(item.value) for item in default.items if isinstance(item, Leaf))
    return Open((Hole(name.value, text),), at)


def _keyword(node: ast.Call, scope: Scope, name: str) -> Value | None:
    return next((evaluated(keyword.value, scope) for keyword in node.keywords if keyword.arg == name), None)


def _built_in(node: ast.Call, name: str, *, scope: Scope) -> Value:
    at = scope.at(node)
    if name == "dict":
        return table_of_call(node, scope)
    if name in CONTAINERS | CONVERSIONS and len(node.args) == 1 and not node.keywords:
        value = evaluated(node.args[0], scope)
        if name in CONTAINERS:
            return value if isinstance(value, Row | Unread) else Unread("call", f"{name}() of this is not evaluated; write it out", at)
        return texts.converted(value, name, at=at)
    return Unread("call", "a call is not run; write its result", at)


def table_of_call(node: ast.Call, scope: Scope) -> Value:
    """What dict(...) makes, or update(...) adds: tables and keywords, in order."""
    table = Table((), scope.at(node))
    for argument in node.args:
        value = evaluated(argument, scope)
        if not isinstance(value, Table):
            return (
                value if isinstance(value, Unread) else Unread("call", "dict() of this is not evaluated; write {...}", scope.at(argument))
            )
        table = table.merged(value)
    for keyword in node.keywords:
        value = evaluated(keyword.value, scope)
        if keyword.arg is not None:
            table = table.merged(Table((Entry(keyword.arg, value, scope.at(keyword)),)))
        elif isinstance(value, Table):
            table = table.merged(value)
        else:
            return value if isinstance(value, Unread) else Unread("call", "** takes a dictionary", scope.at(keyword))
    return table


def _method(node: ast.Call, func: ast.Attribute, *, scope: Scope) -> Value:
    at, base = scope.at(node), evaluated(func.value, scope)
    arguments = tuple(evaluated(argument, scope) for argument in node.args)
    keywords = {keyword.arg or "": evaluated(keyword.value, scope) for keyword in node.keywords}
    if isinstance(base, Table) and func.attr == "copy":
        return base
    if isinstance(base, Table) and func.attr == "get" and arguments and isinstance(arguments[0], Leaf):
        entry = base.get(str(arguments[0].value))
        return entry.value if entry else (arguments[1] if len(arguments) > 1 else Leaf(None, at))
    if texts.is_text(base):
        return texts.method(base, func.attr, at=at, arguments=arguments, keywords=keywords)
    return base if isinstance(base, Unread) and base.code != "attribute" else Unread("call", "a call is not run; write its result", at)


READERS: dict[type, Callable[..., Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.List: _row,
    ast.Tuple: _row,
    ast.Set: _row,
    ast.Dict: _table,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.BoolOp: _either,
    ast.JoinedStr: _f_string,
    ast.Subscript: _subscript,
    ast.Attribute: _attribute,
    ast.Call: _call,
}
