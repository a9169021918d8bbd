"""Where a domain's components stand in a program."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from evaluators.contract import Component
from evolve.source.code import Code
from evolve.source.tree import has_docstring, nodes, outer_names, printed, used_attributes, used_names


@dataclass(frozen=True)
class Site:
    """A component's class and method in a program."""

    component: Component
    owner: ast.ClassDef
    method: ast.FunctionDef

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """The method's statements without its docstring."""
        return self.method.body[has_docstring(self.method) :]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The method's positional arguments after ``self``."""
        arguments = self.method.args
        return tuple(a.arg for a in [*arguments.posonlyargs, *arguments.args][1:])

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that the method's code mentions (see `outer_names`), arguments that it never reads excluded."""
        return outer_names(self.method)

    @cached_property
    def class_names(self) -> frozenset[str]:
        """Every attribute that the class's code mentions, and every name in the class's own body."""
        own = [s for s in self.owner.body if not isinstance(s, ast.FunctionDef)]
        return frozenset(used_attributes(self.owner).union(*map(used_names, own)))

    @cached_property
    def assigned_attributes(self) -> frozenset[str]:
        """The attribute expressions, such as ``self.average``, that the method assigns to or deletes."""
        attributes = (node for node in nodes(self.method) if isinstance(node, ast.Attribute))
        return frozenset(printed(node) for node in attributes if not isinstance(node.ctx, ast.Load))

    @property
    def takes_mechanisms(self) -> bool:
        """Whether the method takes exactly the arguments that mechanisms are written for."""
        return self.arguments == self.component.arguments


def find_sites(code: Code, components: Iterable[Component]) -> dict[str, Site]:
    """Return component name -> its site, for those that there are (a later class hides an earlier one)."""
    classes = {node.name: node for node in code.tree.body if isinstance(node, ast.ClassDef)}
    sites: dict[str, Site] = {}
    for component in components:
        owner = classes.get(component.name)
        for node in owner.body if owner else []:
            if owner and isinstance(node, ast.FunctionDef) and node.name == component.method:
                sites[component.name] = Site(component, owner, node)
    return sites
