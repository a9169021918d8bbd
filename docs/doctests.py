"""Shows examples in docstrings (lines that begin with >>>) as code: a Griffe extension for `make docs`."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Module, Object

_EXAMPLE = re.compile(r"^>>> .*(?:\n(?=\S).*)*", re.MULTILINE)


class Doctests(Extension):
    """Puts a fence around every example."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite the docstring of what was read last; a package's own is still to come then."""
        if not obj.is_package:
            _fence(obj)

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Rewrite the docstring of a package."""
        _fence(pkg)


def _fence(obj: Object) -> None:
    if obj.docstring is not None:
        obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
