"""A CFR program as one file that runs with numpy and OpenSpiel alone."""

from __future__ import annotations

import ast
import re
from importlib.resources import files

from evaluators.cfr.domain import DOMAIN
from evaluators.source import parse

_HEAD = """\
# {title}
#
# It runs without a sandbox: read it first, a model may have written it.
# Needs numpy and open_spiel, nothing else. Play it on any OpenSpiel game of perfect recall:
#
#     python {file} "leduc_poker(players=2)" 1000
#
# or from another module: solver = make_solver(game), then solver.evaluate_and_update_policy() as often as you like,
# solver.average_policy() and solver.exploitability(). The program comes first, as it was scored; what calls it, below.

"""

_MIDDLE = """

# ----------------------------------------------------------------------------------------------------------------------
# What calls the program: its view of the information sets, and a CFR loop over OpenSpiel's tree.
# ----------------------------------------------------------------------------------------------------------------------

class BadResult(Exception):
    \"\"\"The program returned something of the wrong type or shape.\"\"\"


"""

_FOOT = '''

def make_solver(game):
    """The program at work on an OpenSpiel game, or the string of one."""
    return Solver(start, sys.modules[__name__], game, per_infoset={per_infoset})


if __name__ == "__main__":
    main(make_solver)
'''


def as_script(source: str, *, title: str, file: str = "program.py") -> str:
    """The program with everything that it needs to run, as Python source.

    Args:
        source: the program.
        title: one line that says what it is.
        file: what the header calls the file.

    Raises:
        ProgramError: `source` is no CFR program.
    """
    DOMAIN.check(source)
    standalone = (files(__package__) / "standalone.py").read_text(encoding="utf-8")
    rule = DOMAIN.rule(source)
    foot = _FOOT.format(per_infoset=rule.per_infoset)
    machinery = _MIDDLE + _without_docstring(rule.guest) + "\n\n" + _without_docstring(standalone) + foot
    head = _HEAD.format(title=" ".join(title.split()), file=file)
    return head + source.rstrip("\n") + "\n" + _apart(machinery, source)


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
