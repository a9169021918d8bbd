"""A PSRO program as one file that runs with OpenSpiel alone, and with what OpenSpiel's psro_v2 imports."""

from __future__ import annotations

from importlib.resources import files

from evaluators.psro import interface
from evaluators.psro.domain import DOMAIN
from evaluators.scripts import script

_HEAD = """\
# It runs without a sandbox: read it first, a model may have written it.
# Needs open_spiel, and what OpenSpiel's psro_v2 imports without installing it:
#
#     pip install open_spiel numpy scipy matplotlib networkx cvxpy
#
# Play it on any OpenSpiel game of perfect recall, with exact payoffs and exact best responses:
#
#     python {file} "kuhn_poker(players=2)" 20
#
# or from another module, in a solver of your own: PSROSolver(game, oracle, meta_strategy_method=method, ...), where
# method = meta_strategy_method("train"); meta_strategy_method("eval")(solver) are the mixtures that judge the
# populations. A method serves one solver. The program comes first, as it was scored; what calls it, below.

"""

_ABOUT = "What calls the program: its view of the game and the populations, and OpenSpiel's psro_v2."

_FOOT = '''

def callback(name, scalars=(), arrays=()):
    """What the program asks for while it chooses mixtures."""
    return MetaStrategyMethod.at_work.answer(name, scalars, arrays)


def meta_strategy_method(which="train"):
    """The program's mixtures for a ``PSROSolver``: for training ("train") or for judging the populations ("eval")."""
    return MetaStrategyMethod(start, sys.modules[__name__], which, wants_support={wants_support})


if __name__ == "__main__":
    main(meta_strategy_method)
'''


def as_script(source: str, *, title: str, file: str = "program.py") -> str:
    """See `evaluators.scripts.Exporter`."""
    DOMAIN.check(source)
    standalone = (files(__package__) / "standalone.py").read_text(encoding="utf-8")
    return script(
        source,
        [DOMAIN.guest, standalone],
        head=_HEAD.format(file=file),
        title=title,
        about=_ABOUT,
        foot=_FOOT.format(wants_support=interface.wants_game(source)),
    )
