"""Each CFR baseline against its equations, written down once more: plain Python, dictionaries, OpenSpiel's own tree.

Nothing here uses our games, kernels or loop. Payoffs are perturbed (one factor per distinct terminal, in the
order of a depth-first walk), because ties of the unperturbed games are decided by rounding.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from itertools import pairwise
from math import exp, log, sqrt

import numpy as np
import pyspiel
import pytest

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.registry import get_domain
from sandbox.inprocess import InProcessSandbox

GAMES = {
    "kuhn2": ("kuhn_poker(players=2)", 20),
    "kuhn3": ("kuhn_poker(players=3)", 10),
    "leduc2": ("leduc_poker(players=2)", 4),
}
"""Short name -> OpenSpiel's string, iterations."""


def discount(s, e):
    return s**e / (s**e + 1) if s > 0 else 0.0


def plus(values):
    return [max(value, 0.0) for value in values]


def matching(values):
    positive = plus(values)
    mass = sum(positive)
    return [value / mass if mass > 0 else 1 / len(values) for value in positive]


def add(left, right, factor=1.0):
    return [a + factor * b for a, b in zip(left, right, strict=True)]


def times(factor, values):
    return [factor * value for value in values]


class CfrProgram:
    """One algorithm on one information set; t is 1-based. CFR: R += r, RM(R), weight 1."""

    n = reached = None
    """The horizon, for the rules that are told it, and the counterfactual reach in this traversal."""

    @classmethod
    def start(cls, infosets):
        """A rule for each information set."""
        return {infoset: cls() for infoset in infosets}

    def regret(self, t, R, r):
        return add(R, r)

    def policy(self, t, R, r):
        return matching(R)

    def weight(self, t):
        return 1.0

    def average(self, t, C, r, played):
        return add(C, played, self.weight(t))


class CfrPlus(CfrProgram):
    def regret(self, t, R, r):
        return plus(add(R, r))

    def weight(self, t):
        return t


class LinearCfr(CfrProgram):
    def regret(self, t, R, r):
        return add(R, r, t)

    def weight(self, t):
        return t


class Dcfr(CfrProgram):
    def regret(self, t, R, r):
        return [discount(t - 1, 1.5 if x > 0 else 0) * x + y for x, y in zip(R, r, strict=True)]

    def weight(self, t):
        return t**2


class DcfrPlus(CfrProgram):
    def regret(self, t, R, r):
        return plus(add(times(discount(t - 1, 1.5), R), r))

    def weight(self, t):
        return t**4


class PcfrPlus(CfrPlus):
    def policy(self, t, R, r):
        return matching(add(R, r))

    def weight(self, t):
        return t**2


class PdcfrPlus(CfrProgram):
    def regret(self, t, R, r):
        return plus(add(times(discount(t - 1, 2.3), R), r))

    def policy(self, t, R, r):
        return matching(add(times(discount(t, 2.3), R), r))

    def weight(self, t):
        return t**5


class HsPcfrPlus(PcfrPlus):
    def average(self, t, C, r, played):
        return scheduled(30 - 5 * (t - 1) / self.n, t, C, played)


def scheduled(exponent, t, C, played):
    """C (s / (s + 1))^exponent + played, where s counts from 0."""
    return add(times(((t - 1) / t) ** exponent, C), played)


class HsDcfr(CfrProgram):
    def regret(self, t, R, r):
        done = (t - 1) / self.n
        return [
            (discount(t - 1, 1 + 3 * done if x > 0 else -1 - 2 * done)) * x + y
            for x, y in zip(R, r, strict=True)
        ]

    def average(self, t, C, r, played):
        return scheduled(30 - 5 * (t - 1) / self.n, t, C, played)


class HsPdcfrPlus(PdcfrPlus):
    first = 30

    def average(self, t, C, r, played):
        return scheduled(self.first - 5 * (t - 1) / self.n, t, C, played)


class HsPdcfrPlus15(HsPdcfrPlus):
    first = 15


class SapcfrPlus(PcfrPlus):
    def policy(self, t, R, r):
        return matching(add(R, r, 1 / 3))


class ApcfrPlus(PcfrPlus):
    def __init__(self):
        self.last_r = self.last_R = None
        self.S1 = self.S2 = 0.0

    def policy(self, t, R, r):
        return matching(add(R, r, self.step(R, r)))

    def step(self, R, r):
        """1 / (1 + alpha), from the sums up to here."""
        zeros = [0.0] * len(r)
        self.S1 += sum((a - b) ** 2 for a, b in zip(r, self.last_r or zeros, strict=True))
        self.S2 += sum((a - b) ** 2 for a, b in zip(R, self.last_R or zeros, strict=True))
        self.last_r, self.last_R = r, R
        return 1 / (1 + (min(sqrt(self.S1 / self.S2), 5) if self.S2 > 0 else 5))


class ApdcfrPlus(ApcfrPlus):
    def regret(self, t, R, r):
        return plus(add(times(discount(t - 1, 2.3), R), r))

    def policy(self, t, R, r):
        step = self.step(R, r)
        return matching(add(times(discount(t, 2.3), R), r, step))

    def weight(self, t):
        return t**5


def nearest_above_one(y):
    """The point of {x >= 0, sum x >= 1} nearest to y: bisection on the multiplier of the second condition."""
    low, high = 0.0, 1.0 + max(map(abs, y))
    if sum(plus(y)) >= 1:
        return plus(y)
    for _ in range(200):
        lift = (low + high) / 2
        low, high = (lift, high) if sum(plus([value + lift for value in y])) < 1 else (low, lift)
    return plus([value + high for value in y])


class SmoothPrmPlus(PcfrPlus):
    def regret(self, t, R, r):
        return nearest_above_one(add([1 / len(r)] * len(r) if t == 1 else R, r))

    def policy(self, t, R, r):
        z = nearest_above_one(add(R, r))
        return [value / sum(z) for value in z]


class StablePrmPlus(PcfrPlus):
    restarts = 0

    def regret(self, t, R, r):
        w = plus(add([1.0] * len(r) if t == 1 else R, r))
        self.restarted = all(value <= 1 for value in w)
        StablePrmPlus.restarts += self.restarted
        return [1.0] * len(r) if self.restarted else w

    def policy(self, t, R, r):
        return [1 / len(r)] * len(r) if self.restarted else matching(add(R, r))


class AutoCfr4(CfrProgram):
    def regret(self, t, R, r):
        d = discount(t, 1.5)
        h = d * sum(x >= 0 for x in R) / len(R)
        return [(d if x >= 0 else h) * x + y for x, y in zip(R, r, strict=True)]

    def average(self, t, C, r, played):
        return add(times(((t - 1) / t) ** 2, C), times(t, self.last or [1 / len(r)] * len(r)))

    last = None

    def policy(self, t, R, r):
        self.last = matching(R)
        return self.last


class TrendSquared(DcfrPlus):
    E = None

    def policy(self, t, R, r):
        before = self.E or [0.0] * len(R)
        self.E = [0.1 * x + 0.9 * e for x, e in zip(R, before, strict=True)]
        return matching([max(x + (x - e) / 2, 0.0) ** 2 for x, e in zip(R, before, strict=True)])


def shares(x):
    return [value / sum(x) for value in x] if sum(x) != 0 else [1 / len(x)] * len(x)


class AutoCfr8(CfrProgram):
    def average(self, t, C, r, played):
        self.reach = sum(played)
        won = shares(plus(r))
        self.C = [w + max(c, 1.0 if 2 * w >= 1.5 else 0.0) for w, c in zip(won, C, strict=True)]
        return self.C

    def policy(self, t, R, r):
        a = [value + self.reach for value in r]
        d = [max(value, -0.1) + 2 for value in a]
        e = [-0.01 * value**2 for value in a]
        k = [y + x * z for x, y, z in zip(shares(e), e, d, strict=True)]
        regret = map(min, shares([value**t for value in shares(d)]), k)
        return shares([max(c, x) / 0.001 + 0.1 for c, x in zip(self.C, regret, strict=True)])


DDCFR = [
    # share, alpha, beta, gamma
    (0.0, 1.02, -0.88, 5.00), (0.1, 1.12, -1.12, 4.99), (0.2, 1.35, -1.41, 4.98), (0.3, 1.70, -1.69, 4.93),
    (0.4, 2.07, -1.95, 4.69), (0.45, 2.27, -2.03, 4.35), (0.5, 2.45, -2.09, 3.75), (0.55, 2.62, -2.14, 2.89),
    (0.6, 2.82, -2.17, 1.88), (0.65, 3.01, -2.18, 1.07), (0.7, 3.21, -2.17, 0.54), (0.8, 3.57, -2.15, 0.12),
    (0.9, 3.89, -2.10, 0.03), (1.0, 4.16, -2.06, 0.01),
]  # fmt: skip
"""What the authors' network gave after shares of a run, medians over twelve games, from results/DDCFR_es_model of
github.com/rpSebastian/DDCFR."""


class Ddcfr(CfrProgram):
    def exponents(self, t):
        s = (t - 1) / self.n
        below, above = next((a, b) for a, b in pairwise(DDCFR) if a[0] <= s < b[0])
        part = (s - below[0]) / (above[0] - below[0])
        return [x + part * (y - x) for x, y in zip(below[1:], above[1:], strict=True)]

    def regret(self, t, R, r):
        alpha, beta, _ = self.exponents(t)
        return [discount(t - 1, alpha if x > 0 else beta) * x + y for x, y in zip(R, r, strict=True)]

    def average(self, t, C, r, played):
        return scheduled(self.exponents(t)[2], t, C, played)


class LastIterate(CfrProgram):
    """Counts the policy that was played last."""

    last = None

    def average(self, t, C, r, played):
        self.last = self.last or [1 / len(r)] * len(r)
        return self.last


def softmax(energies, least=0.0):
    weights = [max(exp(energy - max(energies)), least) for energy in energies]
    return [weight / sum(weights) for weight in weights]


class Mmd(LastIterate):
    def policy(self, t, R, r):
        step = temperature = 1 / sqrt(t)
        q = times(1 / self.reached, r)
        energies = add([log(p) for p in self.last], q, step)
        self.last = softmax(times(1 / (1 + step * temperature), energies), 1e-10)
        return self.last


class RegCfr(LastIterate):
    tau = 0.001

    def __init__(self):
        self.steps, self.regrets, self.base = [1.0], [], None

    def policy(self, t, R, r):
        self.regrets.append(r)
        changes = (sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) for a, b in pairwise(self.regrets))
        self.steps.append(1 / sqrt(1 + sum(changes)))
        before, now = self.steps[-2:]
        old = [log(p) for p in self.base or [1 / len(r)] * len(r)]
        # The point of the least sum of <-r + tau log b, x>, entropy and KL to b, drawn to the uniform policy.
        new = add(times(now / before, old), add(r, old, -self.tau), now)
        self.base = softmax(new)
        start = [log(p) for p in self.base]
        self.last = softmax(add(start, add(r, start, -self.tau), now))
        return self.last


class IregPrmPlus(PcfrPlus):
    def regret(self, t, R, r):
        against = -sum(x * y for x, y in zip(R, r, strict=True)) / sum(R) if sum(R) > 0 else 0.0
        lifted = plus([x + y + max(against, 0.0) for x, y in zip(R, r, strict=True)])
        assert sum(x * x for x in lifted) >= sum(x * x for x in R) * (1 - 1e-12)
        return lifted


class WopCfr(PcfrPlus):
    def weight(self, t):
        return t**2 if t - 1 >= self.n / 2 else 0.0


WARM_UP = 2
"""Iterations before VAD-CFR averages, here: 500 in the listing, and before it any code gives the uniform policy."""


class Ewma:
    """e = m at first, then 0.1 m + 0.9 e."""

    value = None

    def update(self, t, m):
        self.value = m if t == 1 else 0.1 * m + 0.9 * self.value
        return self.value


class Vad(CfrProgram):
    def __init__(self, regret_ewma=None, policy_ewma=None):
        self.ewma = {"regret": regret_ewma or Ewma(), "policy": policy_ewma or Ewma()}

    def discounts(self, which, t, r):
        v = min(1.0, self.ewma[which].update(t, max(map(abs, r))) / 2)
        alpha = max(0.1, 1.5 - 0.5 * v)
        # d(t, e) as it stands in the listing: the exponent of negative regrets is negative, and t never 0.
        up, down = (t**e / (t**e + 1) for e in (alpha, min(alpha, -0.1 - 0.5 * v)))
        return up, down, v

    def regret(self, t, R, r):
        up, down, _ = self.discounts("regret", t, r)
        return [
            max(-20.0, (up if x >= 0 else down) * x + y * (1.1 if y > 0 else 1.0))
            for x, y in zip(R, r, strict=True)
        ]

    def policy(self, t, R, r):
        up, down, v = self.discounts("policy", t, r)
        w = 1 / (1 + (t - 1) / 100) * max(0.0, 1 - 0.5 * v)
        z = [
            (up if x >= 0 else down) * x + w * y * (1.1 if y > 0 else 1.0) for x, y in zip(R, r, strict=True)
        ]
        return matching([max(value, 0.0) ** 1.5 for value in z])

    def average(self, t, C, r, played):
        if t - 1 < WARM_UP:
            return C
        m = max(map(abs, r))
        power = t ** min(4.0, 2 + 1.5 * min(1.0, m / 2))
        return add(C, played, power / (1 + m**1.5) * max(0.1, sqrt(1 + m / 2)))


class VadShared(Vad):
    """One EWMA per accumulator, which runs on through the information sets in the order of their first visits."""

    @classmethod
    def start(cls, infosets):
        regret_ewma, policy_ewma = Ewma(), Ewma()
        return {infoset: cls(regret_ewma, policy_ewma) for infoset in infosets}


class Aod(CfrProgram):
    floor = 1e-12

    def __init__(self):
        self.E = None

    def regret(self, t, R, r):
        u = min(1.0, (t - 1) / 500)
        alpha, beta = 1 + 1.5 * u, 0.5 - 0.5 * u
        found = []
        for x, y in zip(R, r, strict=True):
            if abs(x) <= 1e-9 or abs(y) <= 1e-9:
                s = 1.0
            else:
                s = {(True, True): 1.1, (True, False): 0.9, (False, True): 0.7, (False, False): 1.2}[
                    x > 0, y > 0
                ]
            found.append(discount(t, alpha if x > 0 else beta) * x + s * y)
        return found

    def policy(self, t, R, r):
        before = self.E or [0.0] * len(R)
        z = [x + 0.5 * (x - e) for x, e in zip(R, before, strict=True)]
        self.E = [0.1 * x + 0.9 * e for x, e in zip(R, before, strict=True)]
        squares = [max(value, 0.0) ** 2 for value in z]
        return matching(squares if sum(squares) > self.floor else [0.0] * len(R))

    def average(self, t, C, r, played):
        g = 1 + 4 * min(1.0, (t - 1) / 500)
        return add(times(discount(t, g), C), played, t**g)


class AodNoFloor(Aod):
    floor = 0.0


RULES = {
    "cfr": CfrProgram,
    "cfr_plus": CfrPlus,
    "linear_cfr": LinearCfr,
    "dcfr": Dcfr,
    "dcfr_plus": DcfrPlus,
    "pcfr_plus": PcfrPlus,
    "pdcfr_plus": PdcfrPlus,
    "hs_pcfr_plus_30": HsPcfrPlus,
    "hs_dcfr_30": HsDcfr,
    "hs_pdcfr_plus_15": HsPdcfrPlus15,
    "hs_pdcfr_plus_30": HsPdcfrPlus,
    "sapcfr_plus": SapcfrPlus,
    "apcfr_plus": ApcfrPlus,
    "apdcfr_plus": ApdcfrPlus,
    "smooth_prm_plus": SmoothPrmPlus,
    "stable_prm_plus": StablePrmPlus,
    "ireg_prm_plus": IregPrmPlus,
    "mmd": Mmd,
    "reg_cfr": RegCfr,
    "autocfr4": AutoCfr4,
    "autocfr8": AutoCfr8,
    "ddcfr": Ddcfr,
    "wop_cfr": WopCfr,
    "trend_squared": TrendSquared,
    "vad_cfr": Vad,
    "vad_cfr_shared": VadShared,
    "aod_cfr": Aod,
    "aod_cfr_nofloor": AodNoFloor,
}


class Tree:
    """A game with payoffs times 1 + 0.1 xi, as nested tuples: (kind, ...)."""

    def __init__(self, game_string):
        game = pyspiel.load_game(game_string)
        self.players = range(game.num_players())
        self.num_actions = {}
        self._order = {}
        self._leaves = []
        self.root = self._walk(game.new_initial_state(), ((),) * game.num_players())
        xi = np.random.default_rng(0).standard_normal(len(self._order))
        for utility, index in self._leaves:
            utility[:] = [u * (1 + 0.1 * xi[index]) for u in utility]

    def _walk(self, state, sequences):
        if state.is_terminal():
            # Histories that no player can tell apart are one terminal.
            index = self._order.setdefault(sequences, len(self._order))
            utility = list(state.returns())
            self._leaves.append((utility, index))
            return ("terminal", utility)
        if state.is_chance_node():
            outcomes = state.chance_outcomes()
            return ("chance", [(p, self._walk(state.child(a), sequences)) for a, p in outcomes])
        player = state.current_player()
        infoset = (player, state.information_state_string())
        self.num_actions[infoset] = len(state.legal_actions())
        children = []
        for action in state.legal_actions():
            own = (*sequences[player], (infoset, action))
            children.append(
                self._walk(state.child(action), (*sequences[:player], own, *sequences[player + 1 :]))
            )
        return ("decision", player, infoset, children)


def traverse(tree, policy, player):
    """Of a player's information sets: counterfactual regrets, its own reach, that of the others and chance."""
    regrets = {i: [0.0] * n for i, n in tree.num_actions.items() if i[0] == player}
    reach, reached = {}, defaultdict(float)

    def value(node, own, others):
        if node[0] == "terminal":
            return node[1][player]
        if node[0] == "chance":
            return sum(p * value(child, own, others * p) for p, child in node[1])
        _, mover, infoset, children = node
        sigma = policy[infoset]
        if mover != player:
            return sum(s * value(c, own, others * s) for s, c in zip(sigma, children, strict=True))
        reach[infoset] = own
        reached[infoset] += others
        values = [value(c, own * s, others) for s, c in zip(sigma, children, strict=True)]
        here = sum(s * v for s, v in zip(sigma, values, strict=True))
        for action, v in enumerate(values):
            regrets[infoset][action] += others * (v - here)
        return here

    value(tree.root, 1.0, 1.0)
    return regrets, reach, reached


def exploitability(tree, policy):
    """Mean over players of what a best response gains."""
    return sum(best_response(tree, policy, p) - expected(tree, policy, p) for p in tree.players) / len(
        tree.players
    )


def expected(tree, policy, player):
    def value(node):
        if node[0] == "terminal":
            return node[1][player]
        if node[0] == "chance":
            return sum(p * value(child) for p, child in node[1])
        return sum(s * value(c) for s, c in zip(policy[node[2]], node[3], strict=True))

    return value(tree.root)


def best_response(tree, policy, player):
    histories = defaultdict(list)

    def collect(node, others):
        if node[0] == "chance":
            for p, child in node[1]:
                collect(child, others * p)
        elif node[0] == "decision":
            _, mover, infoset, children = node
            if mover == player:
                histories[infoset].append((node, others))
            for s, child in zip(
                [1.0] * len(children) if mover == player else policy[infoset], children, strict=True
            ):
                collect(child, others * s)

    chosen = {}

    def choice(infoset):
        if infoset not in chosen:
            totals = [
                sum(others * value(node[3][a]) for node, others in histories[infoset])
                for a in range(tree.num_actions[infoset])
            ]
            chosen[infoset] = totals.index(max(totals))
        return chosen[infoset]

    def value(node):
        if node[0] == "terminal":
            return node[1][player]
        if node[0] == "chance":
            return sum(p * value(child) for p, child in node[1])
        if node[1] == player:
            return value(node[3][choice(node[2])])
        return sum(s * value(c) for s, c in zip(policy[node[2]], node[3], strict=True))

    collect(tree.root, 1.0)
    return value(tree.root)


def solve(tree, rule, iterations):
    """Exploitability of the average policy after the last iteration."""
    rules = rule.start(tree.num_actions)
    for own in rules.values():
        own.n = iterations
    R = {i: [0.0] * n for i, n in tree.num_actions.items()}
    C = {i: [0.0] * n for i, n in tree.num_actions.items()}
    policy = {i: [1 / n] * n for i, n in tree.num_actions.items()}
    for t in range(1, iterations + 1):
        for player in tree.players:
            regrets, reach, reached = traverse(tree, policy, player)
            for infoset, r in regrets.items():
                own = rules[infoset]
                own.reached = reached[infoset]
                R[infoset] = own.regret(t, R[infoset], r)
                C[infoset] = own.average(t, C[infoset], r, times(reach[infoset], policy[infoset]))
                policy[infoset] = own.policy(t, R[infoset], r)
    return exploitability(tree, {i: matching(c) for i, c in C.items()})


@cache
def tree(game):
    return Tree(GAMES[game][0])


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("name", RULES)
def test_agrees_with_its_equations(name, game):
    iterations = GAMES[game][1]
    plan = DOMAIN.plan([game], tiers=("generic",), budget=iterations)
    source = seeds.source("cfr", name).replace("iteration_number < 500", f"iteration_number < {WARM_UP}")
    evaluation = DOMAIN.evaluate(source, plan, InProcessSandbox())
    assert evaluation.outcome.ok, evaluation.outcome.message
    assert evaluation.results[0].task.name == f"{game}/generic-0"
    expected = solve(tree(game), RULES[name], iterations)
    assert evaluation.results[0].value == pytest.approx(expected, rel=1e-9)


def test_every_seed_has_its_equations_here():
    assert set(seeds.names("cfr")) == set(RULES)


@pytest.mark.parametrize("name", seeds.names("cfr"))
def test_passes_the_domains_check(name):
    get_domain("cfr").check(seeds.source("cfr", name))


@pytest.mark.parametrize("name", seeds.names("cfr"))
def test_names_its_source(name):
    docstring = ast.get_docstring(ast.parse(seeds.source("cfr", name)))
    assert re.search(r"\b20\d\d\b|arXiv \d{4}\.\d{5}", docstring)


TOLD = ("ddcfr", "hs_dcfr_30", "hs_pcfr_plus_30", "hs_pdcfr_plus_15", "hs_pdcfr_plus_30", "wop_cfr")
OURS = ("apdcfr_plus", "hs_pdcfr_plus_15", "hs_pdcfr_plus_30", "ireg_prm_plus", "reg_cfr", "wop_cfr")


def test_the_baselines_that_know_the_horizon_say_so():
    knowing = tuple(name for name in seeds.names("cfr") if seeds.planned(seeds.source("cfr", name)))
    assert knowing == TOLD
    for name in knowing:
        assert re.search("[Tt]old the horizon", seeds.source("cfr", name))


def test_other_programs_are_not_told_the_horizon():
    seed = seeds.source("cfr", "hs_pcfr_plus_30")
    told = seed.replace("PLANNED_ITERATIONS = 1000", "PLANNED_ITERATIONS = 7")
    assert DOMAIN.with_horizon(seed, 7) == told != seed
    for program in (seed + "# Mine.\n", seeds.source("cfr", "cfr_plus")):
        assert not seeds.planned(program)
        assert DOMAIN.with_horizon(program, 7) == program


def test_reconstructions_are_known_by_a_line_of_their_docstring():
    assert seeds.reconstructions("cfr") == OURS
    assert not set(seeds.reconstructions("cfr")) & {DOMAIN.seed, *DOMAIN.baselines}


def test_the_domain_names_only_seeds_that_exist():
    assert {DOMAIN.seed, *DOMAIN.baselines} <= set(seeds.names("cfr"))


def test_an_unknown_seed_is_no_file():
    with pytest.raises(FileNotFoundError):
        seeds.source("cfr", "none")
