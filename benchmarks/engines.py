"""The implementations of CFR+ that are compared, each behind the same three kinds of work on a game."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import seeds
from benchmarks.floors import traversal
from benchmarks.processes import directory_as
from benchmarks.timing import Work, repeated
from evaluators.cfr.domain import DOMAIN
from evaluators.cfr.loop import CfrRun, shared_bytes
from evaluators.games.compile import load_turn_based
from evaluators.games.compiled import CompiledGame
from sandbox.inprocess import InProcessSandbox

TRAVERSAL, ITERATION, EXPLOITABILITY = "traversal", "iteration", "exploitability"
"""Regrets of all players without a rule (ours alone), a whole CFR+ iteration, NashConv of a policy."""

OURS = "evolve"

MANY_TERMINALS = 200_000
"""Games above take OpenSpiel minutes: per iteration in Python, per exploitability in C++ as well."""


@dataclass(frozen=True)
class Engine:
    """An implementation.

    Attributes:
        name: in tables and JSON.
        version: of the installed package; None where it is missing.
        slow: whether a few repeats have to do.
        prepare: a game -> measure -> work; a measure that it lacks is left out.
        skips: a game -> why a measure is left out on it, by measure.
    """

    name: str
    version: str | None
    slow: bool
    prepare: Callable[[CompiledGame], Mapping[str, Work]]
    skips: Callable[[CompiledGame], Mapping[str, str]]


def engines() -> tuple[Engine, ...]:
    """Return all of them, ours first, also those that are not installed here."""
    openspiel = version("open_spiel")
    liteefg = version("LiteEFG") if importlib.util.find_spec("LiteEFG") else None
    return (
        Engine(OURS, version("evolve-marl"), False, _ours, lambda game: {}),
        Engine("OpenSpiel C++", openspiel, False, _openspiel_cpp, _too_large(EXPLOITABILITY)),
        Engine("OpenSpiel Python", openspiel, True, _openspiel_python, _too_large(ITERATION, EXPLOITABILITY)),
        Engine("LiteEFG", liteefg, False, _liteefg, lambda game: {}),
    )


def _too_large(*measures: str) -> Callable[[CompiledGame], Mapping[str, str]]:
    def skips(game: CompiledGame) -> Mapping[str, str]:
        if game.form.num_terminals <= MANY_TERMINALS:
            return {}
        return dict.fromkeys(measures, f"{game.form.num_terminals:,} terminals take it minutes")

    return skips


def _ours(game: CompiledGame) -> Mapping[str, Work]:
    profile = [game.uniform(p) for p in range(game.num_players)]
    prepared = DOMAIN.prepare(seeds.source("cfr", "cfr_plus"))
    own = CompiledGame(game.name, game.form)  # A play keeps its policies in the game.
    room = shared_bytes(own)
    session = InProcessSandbox().open(
        prepared.guest, prepared.source, limits=DOMAIN.limits, shared_bytes=room
    )
    play = CfrRun(prepared, own, session)
    return {
        TRAVERSAL: traversal(game),
        ITERATION: repeated(play.iterate),
        EXPLOITABILITY: repeated(lambda: game.exploitability(profile)),
    }


def _openspiel_cpp(game: CompiledGame) -> Mapping[str, Work]:
    import pyspiel

    tree = load_turn_based(game.game_string)
    solver = pyspiel.CFRPlusSolver(tree)
    policy = pyspiel.UniformRandomPolicy(tree)
    return {
        ITERATION: repeated(solver.evaluate_and_update_policy),
        EXPLOITABILITY: repeated(lambda: pyspiel.nash_conv(tree, policy)),
    }


def _openspiel_python(game: CompiledGame) -> Mapping[str, Work]:
    from open_spiel.python.algorithms import cfr, exploitability

    tree = load_turn_based(game.game_string)
    solver = cfr.CFRPlusSolver(tree)
    policy = solver.average_policy()
    return {
        ITERATION: repeated(solver.evaluate_and_update_policy),
        EXPLOITABILITY: repeated(lambda: exploitability.nash_conv(tree, policy)),
    }


def _liteefg(game: CompiledGame) -> Mapping[str, Work]:
    # It writes game files into the home directory.
    with directory_as("HOME"), contextlib.redirect_stdout(io.StringIO()):
        import LiteEFG
        from LiteEFG.baselines import CFRplus

        LiteEFG.set_threads(1)
        environment = LiteEFG.OpenSpielEnv(load_turn_based(game.game_string), traverse_type="Enumerate")
        graph = CFRplus.graph()
        environment.set_graph(graph)

    def iterate() -> None:
        # Its own baseline's updates, for any number of players, and the averages that it keeps.
        for p in range(game.num_players):
            environment.update(graph.strategy, upd_player=p + 1)
        environment.update_strategy(graph.strategy)

    iterate()
    return {
        ITERATION: repeated(iterate),
        EXPLOITABILITY: repeated(lambda: environment.exploitability(graph.strategy, "linear-avg-iterate")),
    }
