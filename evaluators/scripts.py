"""A program and what calls it in one file: text that domains' exports are put together from."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Protocol

from evaluators.source import parse

_MIDDLE = """

# ----------------------------------------------------------------------------------------------------------------------
# {about}
# ----------------------------------------------------------------------------------------------------------------------

class BadResult(Exception):
    \"\"\"The program returned something of the wrong type or shape.\"\"\"


"""


class Exporter(Protocol):
    """The function ``as_script`` of a domain's module ``export``, where it has one."""

    def __call__(self, source: str, *, title: str, file: str = "program.py") -> str:
        """The program with everything that it needs to run, as Python source.

        Args:
            source: the program.
            title: one line that says what it is.
            file: what the header calls the file.

        Raises:
            ProgramError: `source` is no program of the domain.
        """
        ...


def script(source: str, machinery: Sequence[str], *, head: str, title: str, about: str, foot: str) -> str:
    """A program, then what calls it.

    Args:
        source: the program.
        machinery: sources of the modules that call it, which share one namespace; the first may use ``BadResult``.
        head: comment at the top, below the title.
        title: one line that says what it is.
        about: one line above the machinery.
        foot: the last statements.
    """
    texts = [_without_docstring(text) for text in machinery]
    called = _MIDDLE.format(about=about) + "\n\n".join(texts) + foot
    first = f"# {' '.join(title.split())}\n#\n"
    return first + head + source.rstrip("\n") + "\n" + _apart(called, source)


def _without_docstring(text: str) -> str:
    """The source of a module without what documents it as one of ours."""
    first = ast.parse(text).body[0]
    return "\n".join(text.splitlines()[first.end_lineno :]).strip("\n") + "\n"


def _apart(machinery: str, program: str) -> str:
    """The machinery under other names, where the program uses its: both live in one module."""
    ours, theirs = _bound(machinery), _bound(program)
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name] or not ours[name]:
            machinery = "\n".join(_renamed(line, name) for line in machinery.split("\n"))
    return machinery


def _renamed(line: str, name: str) -> str:
    """A line of the machinery with ``name_`` for `name`; an import keeps what it imports."""
    found = re.match(r"((?:from \S+ )?import )(.*)", line)
    if found is None:
        return re.sub(rf"(?<![.\w]){name}\b", f"{name}_", line)
    items = [item.strip() for item in found[2].split(",")]
    bound = [
        re.sub(rf"^({name})$|(?<= as ){name}$", lambda m: f"{m[0]} as {name}_" if m[1] else f"{name}_", i)
        for i in items
    ]
    return found[1] + ", ".join(bound)


def _bound(source: str) -> dict[str, str]:
    """Names that the module level of a source binds -> ``import x.y`` where it is an import, else empty."""
    found: dict[str, str] = {}
    for node in parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = "" if isinstance(node, ast.Import) else f"{node.module}."
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = f"import {module}{alias.name}"
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = ""
        else:
            found |= {
                n.id: "" for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return found
