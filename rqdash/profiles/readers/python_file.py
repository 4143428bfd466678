"""A Python settings file as names and values: its syntax tree is walked, nothing of it is compiled, imported or run."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace

from rqdash.profiles.readers.notes import Notes, Unreadable
from rqdash.profiles.readers.python_scope import ENV_CLASSES, ENVIRONMENT, Scope, note_import, scope_of
from rqdash.profiles.readers.python_text import is_text
from rqdash.profiles.readers.python_value import evaluated, table_of_call
from rqdash.profiles.readers.tree import MOST_ITEMS, At, Bound, Entry, Leaf, Row, Table, Unread, Value, joined

MOST_NODES = 20_000
MOST_CALLS_NOTED = 5
QUOTED = re.compile(r"([A-Za-z_]\w*)\.[A-Za-z_][\w.]*")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
DECLARED = (ast.Dict, ast.Call, ast.JoinedStr, ast.List, ast.Tuple, ast.Constant)
BRANCHED = "it is set inside if, for, try or with, which is not evaluated; write the value at the left margin"
IN_CLASS = "it is set inside a class, where RQ does not look; write it at the left margin"


def parsed(text: str) -> ast.Module:
    """The syntax tree of a file. Raises Unreadable when it is not Python 3, too deep or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        # The error's own text may repeat what is on the line.
        place = At(error.lineno or 1, max(1, error.offset or 1))
        raise Unreadable("syntax", "This is not Python 3 from here on, and RQ could not load it either. Correct the line.", place) from None
    except (RecursionError, MemoryError):
        raise Unreadable("too-deep", "The file is nested too deeply. Write the settings out as plain values.") from None
    except ValueError:
        raise Unreadable("syntax", "This is not a Python file. Save it again as text.") from None
    for count, _ in enumerate(ast.walk(tree)):
        if count > MOST_NODES:
            raise Unreadable("too-large", f"The file holds more than {MOST_NODES} parts. Import a file with only the settings.")
    return tree


def names_of(text: str, notes: Notes) -> Mapping[str, Bound]:
    """What a file binds at its module level, in order. Raises Unreadable as parsed does."""
    scope = scope_of(text)
    tree = parsed(text)
    try:
        for statement in tree.body:
            _statement(statement, scope, notes=notes)
    except RecursionError:
        raise Unreadable("too-deep", "An expression is nested too deeply. Write the settings out as plain values.") from None
    for bound in scope.names.values():
        _note_quoted(bound, scope, notes=notes)
    return scope.names


def _note_quoted(bound: Bound, scope: Scope, *, notes: Notes) -> None:
    """'settings.HOST' in quotes is a host of that name for Python, and hardly what is meant when settings is a module here."""
    value = bound.value
    if isinstance(value, Leaf) and isinstance(value.value, str) and (found := QUOTED.fullmatch(value.value)) and found[1] in scope.imports:
        message = "This looks like a value of an imported module, but in quotes it is only a text. Write the value itself."
        notes.warning(value.at, "quoted-name", message=message)


def _statement(statement: ast.stmt, scope: Scope, *, notes: Notes) -> None:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        note_import(scope, statement)
        if any(alias.name == "*" for alias in statement.names):
            notes.info(scope.at(statement), "star-import", message="What this import brings is not read. Import that file too.")
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            _assign(target, statement.value, scope=scope)
    elif isinstance(statement, ast.AnnAssign):
        _annotated(statement, scope)
    elif isinstance(statement, ast.AugAssign):
        _augmented(statement, scope)
    elif isinstance(statement, ast.Expr):
        _expression(statement.value, scope, notes=notes)
    elif isinstance(statement, ast.Delete):
        for gone in statement.targets:
            scope.names.pop(gone.id if isinstance(gone, ast.Name) else "", None)
    elif isinstance(statement, DEFINITIONS):
        _definition(statement, scope)
    elif isinstance(statement, BRANCHES):
        _branch(statement, scope)


def _assign(target: ast.expr, value: ast.expr, *, scope: Scope) -> None:
    if isinstance(value, ast.Call) and isinstance(target, ast.Name) and scope.dotted(value.func) in ENV_CLASSES:
        scope.imports[target.id] = ENVIRONMENT
        scope.names.pop(target.id, None)
        return
    _bind(target, evaluated(value, scope), scope=scope)


def _bind(target: ast.expr, value: Value, *, scope: Scope) -> None:
    if isinstance(target, ast.Name):
        scope.names.pop(target.id, None)
        scope.names[target.id] = Bound(value, scope.at(target))
    elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute) and target.value.attr in ("conf", "config"):
        # app.conf.broker_url = …, as Celery's documentation writes it.
        scope.names[target.attr] = Bound(value, scope.at(target))
    elif isinstance(target, ast.Subscript):
        _set_item(target, value, scope=scope)
    elif isinstance(target, ast.Tuple | ast.List):
        inner = value.items if isinstance(value, Row) and len(value.items) == len(target.elts) else None
        for position, part in enumerate(target.elts):
            lost = Unread("expression", "this unpacking is not evaluated; write one assignment a line", scope.at(part))
            _bind(part, inner[position] if inner else lost, scope=scope)


def _set_item(target: ast.Subscript, value: Value, *, scope: Scope) -> None:
    """X['k'] = value, and X['a']['k'] = value."""
    path: list[tuple[str, At]] = []
    node: ast.expr = target
    while isinstance(node, ast.Subscript):
        key = node.slice
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return
        path.insert(0, (key.value, scope.at(key)))
        node = node.value
    if isinstance(node, ast.Name) and node.id in scope.names:
        bound = scope.names[node.id]
        scope.names[node.id] = replace(bound, value=_with_item(bound.value, path, value))


def _with_item(base: Value, path: list[tuple[str, At]], value: Value) -> Value:
    if not isinstance(base, Table):
        return base
    (key, at), rest = path[0], path[1:]
    inner = base.get(key)
    new = _with_item(inner.value, rest, value) if rest and inner else value
    return base if rest and not inner else base.merged(Table((Entry(key, new, at),)))


def _annotated(statement: ast.AnnAssign, scope: Scope) -> None:
    """NAME: type = value is an assignment. NAME: {...} is none, but what was meant is plain."""
    if not isinstance(statement.target, ast.Name):
        return
    if statement.value is not None:
        _assign(statement.target, statement.value, scope=scope)
    elif isinstance(statement.annotation, DECLARED):
        scope.names.setdefault(
            statement.target.id, Bound(evaluated(statement.annotation, scope), scope.at(statement.target), is_annotation=True)
        )


def _augmented(statement: ast.AugAssign, scope: Scope) -> None:
    if isinstance(statement.target, ast.Name) and statement.target.id in scope.names:
        bound = scope.names[statement.target.id]
        scope.names[statement.target.id] = replace(bound, value=_grown(bound.value, statement, scope=scope))


def _grown(base: Value, statement: ast.AugAssign, *, scope: Scope) -> Value:
    more = evaluated(statement.value, scope)
    if isinstance(statement.op, ast.Add) and isinstance(base, Row) and isinstance(more, Row):
        return _longer(base, more.items)
    if isinstance(statement.op, ast.Add) and is_text(base) and is_text(more):
        return joined((base, more), scope.at(statement.value))
    if isinstance(statement.op, ast.BitOr) and isinstance(base, Table) and isinstance(more, Table):
        return base.merged(more)
    return Unread("operator", "this change is not evaluated; write the value that results", scope.at(statement))


def _longer(row: Row, items: tuple[Value, ...]) -> Value:
    if len(row.items) + len(items) > MOST_ITEMS:
        return Unread("too-large", "the list becomes too long; write out the entries that are meant", row.at)
    return Row((*row.items, *items), row.at)


def _expression(node: ast.expr, scope: Scope, *, notes: Notes) -> None:
    if not isinstance(node, ast.Call):
        return
    if isinstance(node.func, ast.Attribute) and _changed(node, node.func, scope=scope):
        return
    if sum(finding.code == "not-run" for finding in notes.findings) < MOST_CALLS_NOTED:
        notes.info(scope.at(node), "not-run", message="This call is not run. If it sets a value, write the value itself.")


def _changed(node: ast.Call, func: ast.Attribute, *, scope: Scope) -> bool:
    """Whether a call is X.update(...), X.append(...) or X.extend(...), which are followed."""
    if isinstance(func.value, ast.Attribute) and func.value.attr in ("conf", "config") and func.attr == "update":
        added = table_of_call(node, scope)
        for entry in added.entries if isinstance(added, Table) else ():
            scope.names[entry.key] = Bound(entry.value, entry.at)
        return True
    if not isinstance(func.value, ast.Name) or func.value.id not in scope.names:
        return False
    bound = scope.names[func.value.id]
    new: Value | None = None
    if func.attr == "update" and isinstance(bound.value, Table):
        more = table_of_call(node, scope)
        new = bound.value.merged(more) if isinstance(more, Table) else more
    elif func.attr in ("append", "extend") and isinstance(bound.value, Row) and len(node.args) == 1:
        value = evaluated(node.args[0], scope)
        items = (value,) if func.attr == "append" else value.items if isinstance(value, Row) else (value,)
        new = _longer(bound.value, items)
    if new is None:
        return False
    scope.names[func.value.id] = replace(bound, value=new)
    return True


def _definition(statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> None:
    if not isinstance(statement, ast.ClassDef):
        return
    for target in _targets(statement.body):
        scope.names.setdefault(target.id, Bound(Unread("in-class", IN_CLASS, scope.at(target)), scope.at(target)))


def _branch(statement: ast.stmt, scope: Scope) -> None:
    """What a branch may set is unknown when nothing else sets it, and unsure when something does."""
    for inner in ast.walk(statement):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            note_import(scope, inner)
    for target in _targets([statement]):
        at, bound = scope.at(target), scope.names.get(target.id)
        if bound is None or isinstance(bound.value, Unread):
            scope.names[target.id] = Bound(Unread("conditional", BRANCHED, at), at)
        else:
            scope.names[target.id] = replace(bound, unsure_at=at)


def _targets(body: list[ast.stmt]) -> list[ast.Name]:
    """The names that statements assign to or into, in order, at any depth but not inside functions."""
    found: list[ast.Name] = []
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                root: ast.AST = target
                while isinstance(root, ast.Subscript):
                    root = root.value
                found += [root] if isinstance(root, ast.Name) else []
        todo += reversed(list(ast.iter_child_nodes(node)))
    return found
