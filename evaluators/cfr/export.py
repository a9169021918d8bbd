"""A CFR program as one file that runs with numpy and OpenSpiel alone."""

from __future__ import annotations

from importlib.resources import files

from evaluators.cfr.domain import DOMAIN
from evaluators.scripts import script

_HEAD = """\
# It runs without a sandbox: read it first, a model may have written it.
# Needs numpy and open_spiel, nothing else. Play it on any OpenSpiel game of perfect recall:
#
#     python {file} "leduc_poker(players=2)" 1000
#
# or from another module: solver = make_solver(game), then solver.evaluate_and_update_policy() as often as you like,
# solver.average_policy() and solver.exploitability(). The program comes first, as it was scored; what calls it, below.

"""

_ABOUT = "What calls the program: its view of the information sets, and a CFR loop over OpenSpiel's tree."

_FOOT = '''

def make_solver(game):
    """The program at work on an OpenSpiel game, or the string of one."""
    return Solver(start, sys.modules[__name__], game, per_infoset={per_infoset})


if __name__ == "__main__":
    main(make_solver)
'''


def as_script(source: str, *, title: str, file: str = "program.py") -> str:
    """See `evaluators.scripts.Exporter`."""
    DOMAIN.check(source)
    standalone = (files(__package__) / "standalone.py").read_text(encoding="utf-8")
    prepared = DOMAIN.prepare(source)
    return script(
        source,
        [prepared.guest, standalone],
        head=_HEAD.format(file=file),
        title=title,
        about=_ABOUT,
        foot=_FOOT.format(per_infoset=prepared.per_infoset),
    )
