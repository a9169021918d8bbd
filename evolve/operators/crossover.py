"""Crossover without a model: whole component classes of one parent in the place of the other's.

A class brings along the module-level names that it needs (imports, constants, helper functions), renamed
where the recipient has another use for the name; names that only the replaced classes needed go.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

from evaluators.contract import ProgramError
from evaluators.records import Candidate
from evolve.operators.base import Context, Operator, ProposalError
from evolve.operators.describe import MODULE, bases_of, describe, is_module_altered
from evolve.source.canonical import canonical_hash
from evolve.source.code import Code, Edit, parsed
from evolve.source.sites import find_sites
from evolve.source.tree import (
    Import,
    defined_names,
    has_docstring,
    last_line,
    mentions,
    needed_names,
    nodes,
    used_names,
)


class CrossoverOperator(Operator):
    """Takes some component classes from the second parent, the rest from the first."""

    kind = "crossover"
    num_parents = 2

    async def propose(self, parents: Sequence[Candidate], context: Context, rng: random.Random) -> Candidate:
        """Return the first parent with component classes of the second.

        Raises:
            ProposalError: if a parent does not parse, or every such child is one of the parents.
        """
        try:
            recipient, donor = (parsed(parent.source) for parent in parents)
        except ProgramError as error:
            raise ProposalError(f"crossover: expected parents that parse; got {error}.") from error
        known = {canonical_hash(parent.source) for parent in parents}
        altered = {MODULE} if is_module_altered(donor) else set()
        bases = list(dict.fromkeys([*bases_of(recipient), *bases_of(donor)]))
        for names in _choices(recipient, donor, context, rng):
            try:
                child = graft(recipient, donor, names, context)
                if child is None or canonical_hash(child.text) in known:
                    continue
                child = describe(child, context, changed=(), altered=altered, bases=bases)
            except ProgramError:  # a layout that edits by line do not suit
                continue
            note = f"{', '.join(names)} from the second parent"
            return context.child(self.kind, parents, child.text, note)
        raise ProposalError(
            "crossover: expected parents that differ in two components or more; every child equals one of them.",
            "Choose a more distant second parent.",
        )


def _choices(recipient: Code, donor: Code, context: Context, rng: random.Random) -> list[tuple[str, ...]]:
    """Return the sets of components worth taking: some of those that differ, not all; in random order."""
    theirs = find_sites(donor, context.components)
    differing = [
        name
        for name, site in find_sites(recipient, context.components).items()
        if name in theirs and recipient.key(site.owner) != donor.key(theirs[name].owner)
    ]
    choices = [names for size in range(1, len(differing)) for names in combinations(differing, size)]
    rng.shuffle(choices)
    return choices


def graft(recipient: Code, donor: Code, names: Collection[str], context: Context) -> Code | None:
    """Return `recipient` with the donor's classes called `names`, or None where names clash beyond renaming."""
    components = {component.name for component in context.components}
    renamed = _without_clashes(recipient, donor, names, components)
    if renamed is None:
        return None
    sites, theirs = find_sites(recipient, context.components), find_sites(renamed, context.components)
    present = set(recipient.keys)
    needed = [s for s in _needed(renamed, names, components) if renamed.key(s) not in present]
    edits = [recipient.remove(sites[name].owner, renamed.lines_of(theirs[name].owner)) for name in names]
    imports = [line for s in needed if isinstance(s, Import) for line in renamed.lines_of(s)]
    others = [line for s in needed if not isinstance(s, Import) for line in [*renamed.lines_of(s), "", ""]]
    above = min(recipient.first_line(site.owner) for site in sites.values())
    edits = [
        recipient.insert_lines(_line_for_imports(recipient), imports),
        recipient.insert_lines(above, others),
        *edits,
    ]
    orphans = set().union(*map(defined_names, _needed(recipient, names, components)))
    return _pruned(recipient.edited(edits), orphans)


def _line_for_imports(code: Code) -> int:
    imports = [s for s in code.tree.body if isinstance(s, Import)]
    if imports:
        return last_line(imports[-1]) + 1
    return last_line(code.tree.body[0]) + 1 if has_docstring(code.tree) else 1


def _needed(code: Code, names: Iterable[str], components: set[str]) -> list[ast.stmt]:
    """Return the top-level statements that the classes called `names` need, directly or not, in their order."""
    helpers = [s for s in code.tree.body if not (isinstance(s, ast.ClassDef) and s.name in components)]
    classes = [s for s in code.tree.body if isinstance(s, ast.ClassDef) and s.name in names]
    needed = needed_names(helpers, set().union(*map(used_names, classes)))
    return [s for s in helpers if defined_names(s) & needed]


def _without_clashes(
    recipient: Code, donor: Code, names: Collection[str], components: set[str]
) -> Code | None:
    """Return the donor with needed names renamed where the recipient binds them to something else."""
    mine, theirs = set(recipient.keys), set(donor.keys)
    bound = {n: s for s in recipient.tree.body for n in defined_names(s) if recipient.key(s) not in theirs}
    clashing = [
        s
        for s in _needed(donor, names, components)
        if donor.key(s) not in mine and defined_names(s) & bound.keys()
    ]
    if any(isinstance(s, Import) for s in clashing):
        return None
    if not clashing:
        return donor
    taken = used_names(recipient.tree) | used_names(donor.tree) | bound.keys()
    fresh: dict[str, str] = {}
    for name in sorted({n for s in clashing for n in defined_names(s) & bound.keys()}):
        fresh[name] = next(new for i in range(2, len(taken) + 3) if (new := f"{name}_{i}") not in taken)
    return _renamed(donor, fresh)


def _renamed(code: Code, fresh: dict[str, str]) -> Code | None:
    """Return the program with names renamed, or None where one stands where the tree has no position."""
    everywhere = nodes(code.tree)
    arguments = {node.arg for node in everywhere if isinstance(node, ast.arg)}
    declared = {n for node in everywhere if isinstance(node, ast.Global | ast.Nonlocal) for n in node.names}
    visible = [node for node in mentions(code.tree) if node.id in fresh]
    number = sum(isinstance(node, ast.Name) and node.id in fresh for node in everywhere)
    if fresh.keys() & (arguments | declared) or len(visible) != number:
        return None
    edits = [code.replace(node, fresh[node.id]) for node in visible]
    for statement in code.tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name in fresh:
            start = code.start(statement)
            header = re.match(r"(def|class)\s+", code.segment(start, code.end(statement)))
            if header is None:
                return None
            at = start + header.end()
            edits.append(Edit(at, at + len(statement.name.encode()), fresh[statement.name]))
    return code.edited(edits)


def _pruned(code: Code, orphans: set[str]) -> Code:
    """Return the program without the helpers among `orphans` that nothing else uses any more."""
    helpers = [s for s in code.tree.body if defined_names(s) and defined_names(s) <= orphans]
    others = [s for s in code.tree.body if s not in helpers]
    needed = needed_names(helpers, set().union(*map(used_names, others)))
    edits = []
    for statement in helpers:
        if not defined_names(statement) & needed:
            last = last_line(statement)
            while code.is_blank(last + 1) and not isinstance(statement, Import):
                last += 1
            edits.append(code.replace_lines(code.first_line(statement), last, []))
    return code.edited(edits)
