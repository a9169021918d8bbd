"""Runs CFR programs over dictionaries, one information set at a time: the form of arXiv 2602.16928.

The text follows that of ``guest.py`` into the sandbox and replaces its ``start``. One instance of each class serves
all information sets of all players. For a player's step the trusted loop's three calls follow each other as they
do for programs over arrays: the regret accumulator for every information set of the player, in the order of a
depth-first walk's first visit, then the policy accumulator for every one, then the next policy for every one. So
what an instance remembers runs on from one information set to the next within one method.

What a method returned is copied: a program may return the same dictionary again, or change it later.
"""

from array import array
from collections import defaultdict
from itertools import islice

import numpy as np

SHOWN = 200
"""Characters of a wrong return value that a message repeats."""


class InfoStateNode:
    """What a program sees of an information set, with the names of OpenSpiel's Python CFR.

    Attributes:
        legal_actions: list of OpenSpiel's action numbers.
        index_in_tabular_policy: running number over all information sets, players in order, as in OpenSpiel's
            ``TabularPolicy``.
        cumulative_regret: action -> what the RegretAccumulator last returned; 0.0 where there is nothing yet.
        cumulative_policy: action -> what the PolicyAccumulator last returned; 0.0 where there is nothing yet.
    """

    def __init__(self, legal_actions, index):
        self.legal_actions = legal_actions
        self.index_in_tabular_policy = index
        self.cumulative_regret = defaultdict(float)
        self.cumulative_policy = defaultdict(float)


class NodePlayer:
    """One player's information sets; the three objects are everybody's."""

    def __init__(self, components, player, first_index, legal_actions):
        self.regret, self.next_policy, self.average = components
        self.player, self.first_index = player, first_index
        self.legal_actions = legal_actions
        self.nodes = [InfoStateNode(list(a), first_index + i) for i, a in enumerate(legal_actions)]
        self.sizes = [len(a) for a in legal_actions]
        self.policies = [dict.fromkeys(a, 1.0 / len(a)) for a in legal_actions]
        self.cumulative_policy = np.zeros(sum(self.sizes))

    def step(self, iteration, regrets, reach, counterfactual_reach):
        """As `Player.step`: regrets in, next policy out, flat."""
        nodes, policies, k = self.nodes, self.policies, iteration
        numbers = iter(regrets.tolist())
        # zip asks for the action first, so it leaves the next information set's numbers alone.
        gains = [dict(zip(actions, numbers)) for actions in self.legal_actions]  # noqa: B905
        own = reach.tolist()
        others = [None] * len(own) if counterfactual_reach is None else counterfactual_reach.tolist()

        # The copy stands in the loops because a call of a function takes as long as all else that they do.
        update = self.regret.update_accumulate_regret
        rows = [
            row.copy() if isinstance(row := update(node, k, gain), dict) else row
            for node, gain in zip(nodes, gains, strict=True)
        ]
        self.flat(rows, "update_accumulate_regret", k)
        for node, row in zip(nodes, rows, strict=True):
            node.cumulative_regret = row

        update = self.average.update_accumulate_policy
        rows = [
            row.copy() if isinstance(row := update(node, k, policy, gain, reached, other), dict) else row
            for node, policy, gain, reached, other in zip(nodes, policies, gains, own, others, strict=True)
        ]
        self.cumulative_policy = self.flat(rows, "update_accumulate_policy", k)
        for node, row in zip(nodes, rows, strict=True):
            node.cumulative_policy = row

        update = self.next_policy.get_updated_current_policy
        self.policies = [
            row.copy() if isinstance(row := update(node, k, gain, policy), dict) else row
            for node, gain, policy in zip(nodes, gains, policies, strict=True)
        ]
        return self.flat(self.policies, "get_updated_current_policy", k)

    def flat(self, rows, method, iteration):
        """(S,) the numbers of what a method returned for each information set, or BadResult with the first fault."""
        try:
            numbers = np.frombuffer(array("d", self.values(rows)))
        except (TypeError, KeyError, OverflowError):
            numbers = np.array([np.nan])
        if np.isfinite(numbers).all():
            return numbers
        faults = enumerate(map(fault, rows, self.legal_actions))
        where, actual = next((f for f in faults if f[1]), (0, "something that differs when it is read again"))
        raise BadResult(  # noqa: F821
            f"{method}, iteration {iteration}, player {self.player}, information set {where} "
            f"(index_in_tabular_policy {self.first_index + where}): expected a dict with a finite number for each "
            f"of the legal actions {self.legal_actions[where]} and for nothing else; got {actual}"
        )

    def values(self, rows):
        """All numbers by information set, then action; TypeError or KeyError where a row has not these actions.

        A defaultdict stands for its default where it has nothing: reading completes it.
        """
        if not all(isinstance(row, dict) for row in rows):
            raise TypeError
        values = [
            row[action] for row, actions in zip(rows, self.legal_actions, strict=True) for action in actions
        ]
        if [len(row) for row in rows] != self.sizes:
            raise KeyError
        return values


def fault(row, actions):
    """What is wrong with a program's return value for one information set, or an empty string."""
    shown = repr(row) if len(repr(row)) <= SHOWN else repr(row)[:SHOWN] + "..."
    if not isinstance(row, dict):
        return f"{type(row).__name__}: {shown}"
    for action in actions:
        try:
            if not np.isfinite(array("d", [row[action]])[0]):
                return f"{shown}, which is not finite for action {action}"
        except KeyError:
            return f"{shown}, which has nothing for action {action}"
        except (TypeError, OverflowError):
            return f"{shown}, which is no number for action {action}"
    more = [key for key in row if key not in actions]
    return f"{shown}, in which {more[0]!r} is no legal action" if more else ""


def start(program):
    """Handlers for a program over dictionaries; ``begin`` takes num_actions and the action of each pair, in turn."""
    components = (
        program.RegretAccumulator(),
        program.PolicyFromRegretAccumulator(),
        program.PolicyAccumulator(),
    )

    def players(arrays):
        first_index = 0
        for player, (num_actions, actions) in enumerate(zip(arrays[::2], arrays[1::2], strict=True)):
            flat = iter(actions.tolist())
            yield NodePlayer(components, player, first_index, [list(islice(flat, n)) for n in num_actions])
            first_index += len(num_actions)

    return handlers(players)  # noqa: F821
