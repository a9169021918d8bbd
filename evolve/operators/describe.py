"""Honest docstrings for evolved programs, written from what the code holds.

A docstring says what the program or class was evolved from, whether that base's own formula was altered, and
which mechanisms it holds now, in order. It is read back at the next change, so nothing else has to remember
a lineage. A class that holds no mechanism and is unaltered says what its base says.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Collection, Sequence

from evolve.operators.base import Context
from evolve.operators.blocks import find_blocks
from evolve.source.code import Code, Edit
from evolve.source.sites import find_sites
from evolve.source.tree import has_docstring

MODULE = ""
"""Stands for the module, its constants and helper functions, where a component's name is expected."""

_EVOLVED = "Evolved from: "
_ALTERED = "Altered: a constant, an operator or a function of the base's own formula was changed."
_ALTERED_MODULE = "Altered: a constant or a helper function outside the classes was changed."
_CROSS = "; and from: "
_WIDTH = 100
_BASE_LENGTH = 240


def describe(
    code: Code,
    context: Context,
    *,
    changed: Collection[str],
    altered: Collection[str] = (),
    bases: Sequence[str] = (),
) -> Code:
    """Return the program with fresh docstrings.

    Args:
        code: the program after a change.
        context: the domain's components and mechanisms.
        changed: components that the change touched; their docstrings are rewritten, the module's always is.
        altered: components (or `MODULE`) in which the change touched code outside blocks.
        bases: the programs that this one was evolved from; by default those that its docstring names.
    """
    edits: list[Edit] = []
    parts: list[str] = []
    for name, site in find_sites(code, context.components).items():
        held = find_blocks(code, site, context.mechanisms)
        bullets = [f"* {block.mechanism.name}: {block.mechanism.summary}" for block in held]
        marked = name in altered or _ALTERED in _paragraphs(site.owner)
        if name in changed:
            own = [_ALTERED] * marked + ["\n".join(["Mechanisms, in order:", *bullets])] * bool(bullets)
            base = _base(site.owner, "an undescribed rule.")
            edits.append(_docstring(code, site.owner, [_EVOLVED + base if own else base, *own]))
        if marked or bullets:
            what = ["its own formula altered"] * marked + ["with mechanisms, in order:"] * bool(bullets)
            parts.append("\n".join([f"{name}: {', '.join(what)}{'' if bullets else '.'}", *bullets]))
    if MODULE in altered or is_module_altered(code):
        parts.append(_ALTERED_MODULE)
    base = f"{_CROSS.join(bases or bases_of(code))}."
    return code.edited([*edits, _docstring(code, code.tree, [_EVOLVED + base, *parts])])


def bases_of(code: Code) -> list[str]:
    """Return the programs that a program says it was evolved from, or what it says of itself."""
    bases = _base(code.tree, "an undescribed program.").rstrip(".").split(_CROSS)
    return [textwrap.shorten(base, _BASE_LENGTH, placeholder=" [...]") for base in bases]


def is_module_altered(code: Code) -> bool:
    """Return whether the program says that its constants or helper functions were changed."""
    return _ALTERED_MODULE in _paragraphs(code.tree)


def _base(node: ast.Module | ast.ClassDef, unknown: str) -> str:
    """Return what a docstring says its module or class was evolved from: by default its own first paragraph."""
    paragraphs = _paragraphs(node)
    return paragraphs[0].removeprefix(_EVOLVED) if paragraphs else unknown


def _paragraphs(node: ast.Module | ast.ClassDef) -> list[str]:
    text = ast.get_docstring(node) or ""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


def _docstring(code: Code, node: ast.Module | ast.ClassDef, parts: Sequence[str]) -> Edit:
    """Return the edit that gives a module or class the docstring of these paragraphs (lines that stay lines)."""
    indent = "" if isinstance(node, ast.Module) else code.indent(node.body[0])
    lines = _wrapped(parts)
    end = '\n"""' if len(lines) > 1 else '"""'
    text = textwrap.indent('"""' + "\n".join(lines) + end, indent)
    if has_docstring(node):
        return code.replace(node.body[0], text[len(indent) :])
    line = 1 if isinstance(node, ast.Module) else code.first_line(node.body[0])
    return code.insert_lines(line, [*text.split("\n"), ""])


def _safe(line: str) -> str:
    """Return a line as it may stand in a docstring: nothing ends it, escapes in it, or cannot be seen."""
    visible = "".join(character if character.isprintable() else " " for character in line)
    return visible.replace("\\", "/").replace('"', "'")


def _wrapped(parts: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        for line in map(_safe, part.split("\n")):
            hanging = "  " if line.startswith("* ") else ""
            lines += textwrap.wrap(line, _WIDTH, subsequent_indent=hanging, break_on_hyphens=False)
        lines.append("")
    return lines[:-1]
