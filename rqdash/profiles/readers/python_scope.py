"""What a Python file has said so far: its names, what it imported, and where things stand."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from rqdash.profiles.readers.tree import At, Bound

ENVIRONMENT = "environment"
"""What an object is called here whose calls are look-ups: decouple's config, django-environ's and environs' Env()."""
LOOKUPS = {"os.getenv", "os.environ.get", "decouple.config", ENVIRONMENT}
LOOKUP_METHODS = {"str", "int", "float", "bool", "list", "url", "unicode", "get_value", "db_url", "cache_url"}
ENV_CLASSES = {"environ.Env", "environ.FileAwareEnv", "environs.Env"}
QUOTES = {"urllib.parse.quote", "urllib.parse.quote_plus"}


@dataclass(slots=True)
class Scope:
    """The module level of one file."""

    lines: tuple[bytes, ...] = field(repr=False)
    names: dict[str, Bound] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)

    def at(self, node: ast.AST) -> At:
        """Where a node begins. ast counts columns in bytes of UTF-8 and from 0, people in characters and from 1."""
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        text = self.lines[line - 1] if line <= len(self.lines) else b""
        return At(line, len(text[:offset].decode("utf-8", "replace")) + 1)

    def dotted(self, node: ast.expr) -> str:
        """The full name of something imported, such as os.environ.get; "" for anything else."""
        if isinstance(node, ast.Name):
            return "" if node.id in self.names else self.imports.get(node.id, "")
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def is_lookup(self, name: str) -> bool:
        base, _, method = name.rpartition(".")
        return name in LOOKUPS or (base == ENVIRONMENT and method in LOOKUP_METHODS)


def scope_of(text: str) -> Scope:
    """The empty scope of a file. Lines end as Python ends them, so a form feed ends none."""
    return Scope(tuple(line.encode("utf-8", "surrogatepass") for line in re.split(r"\r\n|\r|\n", text)))


def note_import(scope: Scope, statement: ast.Import | ast.ImportFrom) -> None:
    """Remembers under which names a file knows modules. Nothing is imported."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            scope.imports[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]
    elif not statement.level:
        for alias in statement.names:
            scope.imports[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
    for name in {alias.asname or alias.name.partition(".")[0] for alias in statement.names}:
        scope.names.pop(name, None)
