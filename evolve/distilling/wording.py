"""What a distilled program says of itself: nothing that is no longer so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from evolve.distilling.text import bodies, last_line
from evolve.operators.base import Context
from evolve.operators.blocks import find_blocks
from evolve.operators.describe import MODULE, describe
from evolve.source.code import Code, find_sites, has_docstring

_Documented = ast.ClassDef | ast.FunctionDef


def reworded(source: str, original: str, context: Context) -> str:
    """The distilled `source` without comments and docstrings about what went, and with a word of where it comes from.

    Components and the module are described by `operators.describe`, as children of a search are.
    """
    before, code = Code(original), Code(source)
    if ast.dump(before.tree) == ast.dump(code.tree):
        return source
    code = _spaced(_without_docstrings(_without_comments(code, before, context), before, context))
    old, new = _parts(before, context), _parts(code, context)
    changed = {name for name in new if new[name] != old.get(name)}
    altered = changed - _only_mechanisms_changed(code, before, context)
    return describe(code, context, changed=changed, altered=altered).text


def _parts(code: Code, context: Context) -> dict[str, str]:
    """Component (or `MODULE`, for everything else) -> its tree without docstrings, as text."""
    components = {c.name for c in context.components}
    found = {MODULE: ""}
    for node in code.tree.body[has_docstring(code.tree) :]:
        if isinstance(node, ast.ClassDef) and node.name in components:
            found[node.name] = _plain(node)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            found[MODULE] += _plain(node)
    return found


def _plain(node: ast.AST) -> str:
    tree = ast.parse(ast.unparse(node))
    for inner in ast.walk(tree):
        if isinstance(inner, _Documented) and has_docstring(inner):
            inner.body = inner.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _only_mechanisms_changed(code: Code, before: Code, context: Context) -> set[str]:
    """Components whose statements outside recognised mechanisms are the same in both programs."""
    old, new = _outside(before, context), _outside(code, context)
    return {name for name in new if new[name] == old.get(name)}


def _outside(code: Code, context: Context) -> dict[str, str]:
    found = {}
    for name, site in find_sites(code, context.components).items():
        inside = find_blocks(code, site, context.mechanisms)
        state = {attribute for m in context.mechanisms for attribute in m.state}
        hidden = {id(s) for block in inside for s in block.statements}
        bound = {block.mechanism.variable: block.mechanism.target for block in inside}
        kept = [s for s in site.statements if id(s) not in hidden]
        others = [s for s in site.owner.body if s is not site.method and not _is_state(s, state)]
        found[name] = _unbound([*others[has_docstring(site.owner) :], *kept], bound)
    return found


def _is_state(statement: ast.stmt, names: set[str]) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in names
    return False


def _unbound(statements: list[ast.stmt], bound: dict[str, str]) -> str:
    """The statements as text, with what mechanisms bind to a name of their own put back in its place."""
    text = "\n".join(map(ast.unparse, statements))
    for variable, target in bound.items():
        if target == "return":
            text = re.sub(rf"^{variable} = (.*)\nreturn {variable}$", r"return \1", text, flags=re.MULTILINE)
        else:
            text = re.sub(rf"^{variable} = {re.escape(target)}\n", "", text, flags=re.MULTILINE)
            text = re.sub(rf"(?<![\w.]){variable}\b", target, text)
    return text


def _without_docstrings(code: Code, before: Code, context: Context) -> Code:
    """Without the docstrings of functions and helper classes that are not what they were."""
    components = {c.name for c in context.components}
    old = {name: _plain(node) for name, node in _documented(before.tree)}
    edits = []
    for name, node in _documented(code.tree):
        if has_docstring(node) and name not in components and _plain(node) != old.get(name):
            alone = len(node.body) == 1
            filler = [f"{code.indent(node.body[0])}pass"] if alone else []
            edits.append(code.replace_lines(node.body[0].lineno, last_line(node.body[0]), filler))
    return code.edited(edits)


def _documented(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, _Documented]]:
    for node in getattr(tree, "body", []):
        if isinstance(node, _Documented):
            yield prefix + node.name, node
            yield from _documented(node, f"{prefix}{node.name}.")


def _without_comments(code: Code, before: Code, context: Context) -> Code:
    """Without comments above and behind statements that are not what they were; a mechanism's header stays with it."""
    known = {_head(statement) for statement in _statements(before)}
    headers = {
        code.first_line(block.statements[0])
        for site in find_sites(code, context.components).values()
        for block in find_blocks(code, site, context.mechanisms)
    }
    once = {
        line
        for site in find_sites(before, context.components).values()
        for block in find_blocks(before, site, context.mechanisms)
        for line in before.lines[before.first_line(block.statements[0]) - 1 : block.statements[0].lineno - 1]
    }
    edits = []
    for statement in _statements(code):
        first, top = code.first_line(statement), statement.lineno
        headless = any(line in once for line in code.lines[first - 1 : top - 1]) and first not in headers
        changed = _head(statement) not in known and first not in headers
        if first < top and (changed or headless) and code.is_comment(first):
            edits.append(code.replace_lines(first, _comments_end(code, first), []))
    return code.edited(edits)


def _comments_end(code: Code, first: int) -> int:
    last = first
    while code.is_comment(last + 1):
        last += 1
    return last


def _statements(code: Code) -> Iterator[ast.stmt]:
    return (statement for _, _, body in bodies(code.tree) for statement in body)


def _head(statement: ast.stmt) -> str:
    return ast.unparse(statement).split("\n", 1)[0]


def _spaced(code: Code) -> Code:
    """Without the blank lines that removals leave: below the head of a body, and more than there should be."""
    texts = (n for n in ast.walk(code.tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    quoted = {line for n in texts for line in range(n.lineno, (n.end_lineno or n.lineno) + 1)}
    edits, run = [], 0
    for number, line in enumerate(code.lines, start=1):
        if line.strip() or number in quoted:
            run = 0
            continue
        run += 1
        above = code.lines[number - 1 - run] if number > run else ""
        inside = _next_line(code, number).startswith((" ", "\t"))
        opened = above.rstrip().endswith(":") and (number - run) not in quoted
        if opened or run > (1 if inside else 2):
            edits.append(code.replace_lines(number, number, []))
    return code.edited(edits)


def _next_line(code: Code, number: int) -> str:
    return next((line for line in code.lines[number:] if line.strip()), "")
