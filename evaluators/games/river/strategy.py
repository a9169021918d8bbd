"""What a profile of policies plays on a river subgame, node by node and hand by hand, in a poker player's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from evaluators.games.form import Floats
from evaluators.games.river.cards import hand_name, kind
from evaluators.games.river.game import PLAYERS, RiverGame


class Mix(NamedTuple):
    """How often hands play each action.

    Attributes:
        weight: their share of the hands that are at the node when play gets there.
        frequencies: (A,) of each action; they sum to one.
    """

    weight: float
    frequencies: tuple[float, ...]


class NodeStrategy(NamedTuple):
    """What the player to act does at a public node.

    Attributes:
        path: actions that lead there, such as ``check, bet 0.5``.
        player: 0 acts first, out of position.
        probability: how often play gets there.
        actions: names of the actions.
        whole: what all hands together do.
        hands: what each hand does, by name.
        kinds: what the hands of a kind do (``AKs``).
    """

    path: str
    player: int
    probability: float
    actions: tuple[str, ...]
    whole: Mix
    hands: Mapping[str, Mix]
    kinds: Mapping[str, Mix]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        mixes = {
            name: {key: mix._asdict() for key, mix in getattr(self, name).items()}
            for name in ("hands", "kinds")
        }
        return self._asdict() | {"whole": self.whole._asdict()} | mixes


def strategies(game: RiverGame, policies: Sequence[Floats]) -> list[NodeStrategy]:
    """Return what policies do at every node of the public tree, in the order of play.

    Args:
        game: the subgame; its current policies become these.
        policies: (S_p,) of each player.
    """
    for p in PLAYERS:
        game.set_policy(p, policies[p])
    nodes = [node for p in PLAYERS for node in _nodes(game, p, policies[p]).items()]
    return [strategy for _, strategy in sorted(nodes, key=lambda node: node[0])]


def _nodes(game: RiverGame, player: int, policy: Floats) -> dict[int, NodeStrategy]:
    """Return a player's nodes by number."""
    tree, numbers = game.bets.tree, game.hands[player].tolist()
    names, kinds = [hand_name(number) for number in numbers], [kind(number) for number in numbers]
    reach = (game.reach(player) * game.counterfactual_reach(player)).reshape(-1, len(numbers))
    own = {name: [k for k, other in enumerate(kinds) if other == name] for name in dict.fromkeys(kinds)}
    begin, out = 0, {}
    for node, weight in zip(game.decisions[player].tolist(), reach, strict=True):
        width = int(tree.num_actions[node])
        end = begin + width * len(numbers)
        mix = policy[begin:end].reshape(-1, width)
        begin = end
        out[node] = NodeStrategy(
            path=game.bets.path(node),
            player=player,
            probability=float(weight.sum()),
            actions=tuple(game.bets.labels[child] for child in np.flatnonzero(tree.parent == node)),
            whole=_mix(mix, weight, weight.sum()),
            hands={name: _mix(mix[[k]], weight[[k]], weight.sum()) for k, name in enumerate(names)},
            kinds={name: _mix(mix[rows], weight[rows], weight.sum()) for name, rows in own.items()},
        )
    return out


def _mix(mix: Floats, weight: Floats, whole: float) -> Mix:
    """Return what some hands do together; where play never gets, each of them counts the same."""
    total = float(weight.sum())
    shares = weight / total if total > 0.0 else np.full(len(weight), 1.0 / len(weight))
    return Mix(total / whole if whole > 0.0 else 0.0, tuple((shares @ mix).tolist()))
