"""A program and what calls it in one file: text that domains' exports are put together from."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from evaluators.source import parse

_MIDDLE = """

# ----------------------------------------------------------------------------------------------------------------------
# {about}
# ----------------------------------------------------------------------------------------------------------------------

class BadResult(Exception):
    \"\"\"The program returned something of the wrong type or shape.\"\"\"


"""


class Exporter(Protocol):
    """What makes a file of a program that runs on its own; a domain has one or none."""

    def __call__(self, source: str, *, title: str, file: str = "program.py") -> str:
        """Return the program with everything that it needs to run, as Python source.

        Args:
            source: the program.
            title: one line that says what it is.
            file: what the header calls the file.

        Raises:
            ProgramError: `source` is no program of the domain.
        """


class Script(NamedTuple):
    """What all exported programs of a domain have in common beside what calls them."""

    head: str
    """Comment at the top, below the title; ``{file}`` is the file's name."""
    about: str
    """One line above what calls the program."""
    foot: str
    """The last statements; names in braces are values that differ between programs."""

    def of(
        self, source: str, machinery: Sequence[str], *, title: str, file: str, values: Mapping[str, object]
    ) -> str:
        """Return a program, then what calls it.

        Args:
            source: the program.
            machinery: sources of the modules that call it, which share one namespace; the first may use ``BadResult``.
            title: one line that says what it is.
            file: what the head calls the file.
            values: what the foot is completed with.
        """
        modules = "\n\n".join(map(_without_docstring, machinery))
        called = _MIDDLE.format(about=self.about) + modules + self.foot.format(**values)
        first = f"# {' '.join(title.split())}\n#\n{self.head.format(file=file)}"
        return first + source.rstrip("\n") + "\n" + _apart(called, source)


def _without_docstring(module: str) -> str:
    """Return the source of a module without what documents it as one of ours."""
    first = ast.parse(module).body[0]
    return "\n".join(module.split("\n")[first.end_lineno :]).strip("\n") + "\n"


def _apart(machinery: str, program: str) -> str:
    """Return the machinery under other names, where the program uses its: both live in one module."""
    ours, theirs = _bound(machinery), _bound(program)
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name] or not ours[name]:
            machinery = "\n".join(_renamed(line, name) for line in machinery.split("\n"))
    return machinery


def _renamed(line: str, name: str) -> str:
    """Return a line of the machinery with ``name_`` for `name`; an import keeps what it imports."""
    imported = re.match(r"((?:from \S+ )?import )(.*)", line)
    if imported is None:
        return re.sub(rf"(?<![.\w]){name}\b", f"{name}_", line)
    items = [item.strip() for item in imported[2].split(",")]
    bound = [
        re.sub(rf"^({name})$|(?<= as ){name}$", lambda m: f"{m[0]} as {name}_" if m[1] else f"{name}_", i)
        for i in items
    ]
    return imported[1] + ", ".join(bound)


def _bound(source: str) -> dict[str, str]:
    """Return the names that the module level of a source binds -> ``import x.y`` where it is an import, else empty."""
    names: dict[str, str] = {}
    for node in parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = "" if isinstance(node, ast.Import) else f"{node.module}."
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = f"import {module}{alias.name}"
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            names[node.name] = ""
        else:
            names |= {
                n.id: "" for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return names
