"""Every PSRO mechanism on programs that have nothing else: it runs, gives distributions, and says what it is."""

import asyncio
import itertools
import random
import re

import numpy as np
import pytest

import seeds
from evaluators.psro.domain import DOMAIN
from evaluators.psro.mechanisms import MECHANISMS
from evaluators.records import Candidate, Tag
from evolve.operators.base import Context
from evolve.operators.blocks import find_blocks, insert, local_names
from evolve.operators.symbolic import Mix, SymbolicOperator
from evolve.source.code import Code
from evolve.source.sites import find_sites
from sandbox.inprocess import InProcessSandbox

UNIFORM = seeds.source("psro", "uniform")
SIZES = (1, 2, 3, 7, 20, 40)
CONTEXT = Context(DOMAIN.components, MECHANISMS, DOMAIN.name)

BOTH = tuple(m for m in MECHANISMS if m.component == "TrainMetaStrategySolver")
"""One of each: the same blocks go into either solver."""

PICKS = {"default": lambda p: p.default, "low": lambda p: p.low, "high": lambda p: p.high}

STARTS = {
    "distributions": UNIFORM,
    "weights": UNIFORM.replace("np.ones(game.num_policies(p)) / game", "np.ones(game.num_policies(p)) * game"),
    "pure": UNIFORM.replace("np.ones(game.num_policies(p)) / game.num_policies(p)", "np.eye(game.num_policies(p))[-1]"),
    "lists": UNIFORM.replace("np.ones(game.num_policies(p)) / game.num_policies(p)", "[1.0] * game.num_policies(p)"),
}  # fmt: skip
"""What the solver returns before the mechanism."""


def with_mechanisms(source, mechanisms, pick):
    """A program after the mechanisms' insertion, and the names of the blocks that are recognised in it."""
    code = Code(source)
    for mechanism in mechanisms:
        site = find_sites(code, DOMAIN.components)[mechanism.component]
        peers = find_blocks(code, site, MECHANISMS)
        code = insert(code, site, mechanism, {p.name: pick(p) for p in mechanism.parameters}, peers)
    site = find_sites(code, DOMAIN.components)[mechanisms[0].component]
    return code.text, [block.mechanism.name for block in find_blocks(code, site, MECHANISMS)]


class Views:
    """The guest's own view of growing populations, over payoffs of this test."""

    def __init__(self, payoffs):
        self.payoffs, self.players = payoffs, len(payoffs)
        names = {"callback": self.best_responses}
        exec(DOMAIN.guest, names)
        self.populations = names["Populations"](self.players)

    def best_responses(self, name, scalars, arrays):
        assert name == "best_response_values"
        return (np.full(self.players, np.abs(self.payoffs).max()),)

    def grow(self, size):
        """Populations of `size` policies each."""
        old = self.populations.game.num_policies(0)
        self.populations.extend([np.array([[k, 1, 3] for k in range(old, size)])] * self.players)
        blocks = []
        for p in range(self.players):
            ranges = [slice(size)] * p + [slice(old, size)] + [slice(old)] * (self.players - p - 1)
            blocks.append(self.payoffs[(slice(None), *ranges)])
        self.populations.meta_games(blocks)
        self.populations.game.iteration = size - 1
        return self.populations.game


def payoffs(players, kind):
    shape = (SIZES[-1],) * players
    if kind == "equal":
        return np.zeros((players, *shape))
    first = np.random.default_rng(0).normal(scale=13.0, size=shape)
    return np.stack([first, *[-first / (players - 1)] * (players - 1)])


def check(source, views, sizes=SIZES):
    """Run the first solver of a program on growing populations."""
    names = {}
    exec(source, names)
    solver = names["TrainMetaStrategySolver"]()
    for size in sizes:
        game = views.grow(size)
        with np.errstate(all="raise", under="ignore"):
            found = solver.get_meta_strategy(game, [], [])
        assert [len(x) for x in found] == [size] * views.players
        for x in found:
            assert np.isfinite(x).all()
            assert min(x) >= 0.0
            assert sum(x) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("players", [2, 3])
@pytest.mark.parametrize("pick", PICKS)
@pytest.mark.parametrize("mechanism", BOTH, ids=lambda m: m.name)
def test_gives_distributions(mechanism, pick, players):
    source, names = with_mechanisms(UNIFORM, [mechanism], PICKS[pick])
    DOMAIN.check(source)
    assert names == [mechanism.name]
    check(source, Views(payoffs(players, "random")))


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", ["random", "equal"])
@pytest.mark.parametrize("mechanism", BOTH, ids=lambda m: m.name)
def test_whatever_it_starts_from(mechanism, start, kind):
    assert start == "distributions" or STARTS[start] != UNIFORM
    source, _ = with_mechanisms(STARTS[start], [mechanism], lambda p: min(p.default, 10))
    check(source, Views(payoffs(2, kind)), SIZES[:4])


@pytest.mark.parametrize("first", BOTH, ids=lambda m: m.name)
def test_any_two_compose(first):
    for second in BOTH:
        if second is not first:
            source, names = with_mechanisms(UNIFORM, [first, second], lambda p: min(p.default, 10))
            assert names == [first.name, second.name]
            check(source, Views(payoffs(2, "random")), (1, 4))


def test_all_together():
    for order in (BOTH, BOTH[::-1]):
        source, names = with_mechanisms(UNIFORM, order, lambda p: min(p.default, 10))
        assert names == [m.name for m in order]
        check(source, Views(payoffs(3, "random")), (1, 4, 5))


def test_state_belongs_to_an_instance():
    (persistent,) = (m for m in BOTH if m.name == "persistent_matching")
    source, _ = with_mechanisms(UNIFORM, [persistent], PICKS["default"])
    names = {}
    exec(source, names)
    game = Views(payoffs(2, "random")).grow(5)
    fresh = names["TrainMetaStrategySolver"]().get_meta_strategy(game, [], [])
    solver = names["TrainMetaStrategySolver"]()
    solver.get_meta_strategy(game, [], [])
    again = solver.get_meta_strategy(game, [], [])
    assert names["TrainMetaStrategySolver"].kept_regrets is None
    assert fresh[0] != pytest.approx(again[0], abs=1e-9)


def test_what_is_returned_is_not_written_to():
    source = UNIFORM.replace("return uniform(game)", "self.kept = uniform(game)\n        return self.kept")
    for mechanism in BOTH:
        names = {}
        exec(with_mechanisms(source, [mechanism], PICKS["default"])[0], names)
        solver = names["TrainMetaStrategySolver"]()
        solver.get_meta_strategy(Views(payoffs(2, "random")).grow(4), [], [])
        assert [x.tolist() for x in solver.kept] == [[0.25] * 4] * 2


def test_both_solvers_have_the_same_mechanisms():
    names = {c.name: [m.name for m in MECHANISMS if m.component == c.name] for c in DOMAIN.components}
    first, second = names.values()
    assert first == second
    assert len(set(first)) == len(first)
    assert DOMAIN.mechanisms == MECHANISMS


@pytest.mark.parametrize("mechanism", BOTH, ids=lambda m: m.name)
def test_is_well_formed(mechanism):
    assert set(re.findall(r"{(\w+)}", mechanism.body)) == {p.name for p in mechanism.parameters}
    assert not re.search(r"\d", mechanism.summary), "constants in words go stale"
    assert len(f"        # {mechanism.name}: {mechanism.summary}") <= 110
    assert max(map(len, mechanism.body.splitlines())) <= 98
    for parameter in mechanism.parameters:
        assert parameter.low < parameter.default < parameter.high


def test_blocks_bind_names_of_their_own():
    for first, second in itertools.combinations(BOTH, 2):
        assert not local_names(first) & local_names(second)
        assert not first.state.keys() & second.state.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uniform", "regret_matching_plus"])
def test_children_of_the_symbolic_operator_run(name):
    """Operators' swaps may turn a formula into one that leaves the simplex; all other edits keep to it."""
    operator, rng = SymbolicOperator(Mix(swap=0.0)), random.Random(name)
    seed = parent = seeds.source("psro", name).replace("10_000", "30")
    plan = DOMAIN.plan(["kuhn2"], tiers=("exact",), budget=2)
    for k in range(100):
        parents = [Candidate(0, "seed", "id", source=parent)]
        child = asyncio.run(operator.propose(parents, CONTEXT, rng)).source
        DOMAIN.check(child)
        outcome = DOMAIN.evaluate(child, plan, InProcessSandbox()).outcome
        assert outcome.tag is Tag.OK, (outcome.message, child)
        parent = seed if k % 8 == 7 else child
