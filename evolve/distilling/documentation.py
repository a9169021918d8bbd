"""Docstrings and comments of a distilled program, which say nothing that is no longer so."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from evolve.operators.base import Context
from evolve.operators.blocks import Block, can_remove, find_blocks, remove
from evolve.operators.describe import MODULE, describe
from evolve.source.canonical import first_line, form, statement_form, statements
from evolve.source.code import Code
from evolve.source.sites import find_sites
from evolve.source.tree import (
    Documented,
    Import,
    bodies,
    has_docstring,
    is_docstring,
    last_line,
    nodes,
    printed,
)


def corrected(source: str, original: str, context: Context) -> str:
    """Return the distilled `source` without comments and docstrings about what went, and with where it comes from.

    Components and the module are described by `operators.describe`, as children of a search are.
    """
    before, code = Code(original), Code(source)
    if form(before.tree) == form(code.tree):
        return source
    code = _spaced(_without_stale(code, before, context))
    changed = _differing(before, code, context)
    altered = changed & _differing(_bare(before, context), _bare(code, context), context)
    return describe(code, context, changed=changed, altered=altered).text


def _differing(before: Code, code: Code, context: Context) -> set[str]:
    """Return the components (and `MODULE`, for everything else) that are not the same in both programs."""
    old, new = _parts(before, context), _parts(code, context)
    return {name for name in new if new[name] != old.get(name)}


def _parts(code: Code, context: Context) -> dict[str, str]:
    """Return component (or `MODULE`) -> its canonical form."""
    components = {c.name for c in context.components}
    parts = {MODULE: ""}
    for node, text in statements(code.text):
        if isinstance(node, ast.ClassDef) and node.name in components:
            parts[node.name] = statement_form(text)
        elif not (isinstance(node, Import) or is_docstring(node)):
            parts[MODULE] += statement_form(text)
    return parts


def _blocks(code: Code, context: Context) -> list[list[Block]]:
    """Return the recognised mechanisms of each component."""
    sites = find_sites(code, context.components).values()
    return [find_blocks(code, site, context.mechanisms) for site in sites]


def _bare(code: Code, context: Context) -> Code:
    """Return a program without its mechanisms, as far as nothing else reads what they bind."""
    while True:
        known = ((block, peers) for peers in _blocks(code, context) for block in peers if can_remove(block))
        block, peers = next(known, (None, []))
        if block is None:
            return code
        code = remove(code, block, peers)


def _without_stale(code: Code, before: Code, context: Context) -> Code:
    """Return the program without comments above, and docstrings of, what is not what it was.

    Components keep their docstrings, to be described, and mechanisms their headers.
    """
    components = {c.name for c in context.components}
    heads = {_head(statement) for statement in _statements(before)}
    forms = {_plain(statement) for statement in _statements(before) if has_docstring(statement)}
    old = [block.statements[0] for peers in _blocks(before, context) for block in peers]
    headers = {line for s in old for line in before.lines[before.first_line(s) - 1 : s.lineno - 1]}
    kept = {id(block.statements[0]) for peers in _blocks(code, context) for block in peers}
    edits = []
    for statement in _statements(code):
        first, last = code.first_line(statement), first_line(statement, code.lines) - 1
        stale = _head(statement) not in heads or not headers.isdisjoint(code.lines[first - 1 : last])
        if stale and id(statement) not in kept:
            edits.append(code.replace_lines(first, last, []))
        match statement:
            case ast.ClassDef(name=name, body=body) | ast.FunctionDef(name=name, body=body):
                if has_docstring(statement) and name not in components and _plain(statement) not in forms:
                    filler = [f"{code.indent(body[0])}pass"] if len(body) == 1 else []
                    edits.append(code.replace_lines(body[0].lineno, last_line(body[0]), filler))
    return code.edited(edits)


def _plain(root: ast.AST) -> str:
    """Return a tree's form, whatever its docstrings say."""
    documented = (node for node in nodes(root) if isinstance(node, Documented) and has_docstring(node))
    return form(root, {id(node.body[0]): ast.Pass() for node in documented})


def _statements(code: Code) -> Iterator[ast.stmt]:
    return (statement for _, _, body in bodies(code.tree) for statement in body)


def _head(statement: ast.stmt) -> str:
    return printed(statement).partition("\n")[0]


def _spaced(code: Code) -> Code:
    """Return the program without blank lines below the head of a body, and elsewhere with no more than usual."""
    strings = (n for n in nodes(code.tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    quoted = {line for n in strings for line in range(n.lineno, (n.end_lineno or n.lineno) + 1)}
    edits, run, above = [], 0, ""
    for number, line in enumerate(code.lines, start=1):
        if line.strip() or number in quoted:
            run, above = 0, "" if number in quoted else line
            continue
        run += 1
        below = next((text for text in code.lines[number:] if text.strip()), "")
        if above.rstrip().endswith(":") or run > (1 if below.startswith((" ", "\t")) else 2):
            edits.append(code.replace_lines(number, number, []))
    return code.edited(edits)
