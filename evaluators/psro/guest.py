"""Runs beside a PSRO program inside the sandbox: its view of the game and its populations, and the calls.

Sent as text; imports nothing but numpy. ``BadResult`` and ``callback`` are put into the globals by the runner.
"""

import numpy as np


class Count(int):
    """A whole number that can be called as well: ``pyspiel.Game.num_players`` is a method."""

    def __call__(self):
        """The number."""
        return int(self)


class PolicyRecord:
    """What a program is told of one policy of a population.

    Attributes:
        iteration: when it was added; 0 for the uniform policy that everything starts with.
        pure: whether it plays one action at every information set that it reaches itself; None where nobody knows.
        support: how many (information set, action) pairs it plays; None where nobody knows.
    """

    def __init__(self, iteration, pure, support):
        self.iteration = iteration
        self.pure = pure
        self.support = support

    def __getattr__(self, name):
        known = "a record of a policy has iteration, pure and support, and the policy itself is not given"
        raise AttributeError(f"policy_sets: {known}; there is no {name!r}")


class Game:
    """What a program sees of the game: numbers, and payoffs of mixtures.

    Where `strategies` is taken, it is one vector per player with a weight for each policy of its population. Payoffs
    are multilinear in the weights, which are taken as they are: give distributions to get expected payoffs.

    Attributes:
        num_players: N.
        iteration: iterations done, which is how many policies of each population are best responses.
    """

    def __init__(self, num_players):
        self.num_players = Count(num_players)
        self.iteration = 0
        self._sizes = [0] * num_players
        self._payoffs = None

    def num_policies(self, player):
        """How many policies the population of `player` has."""
        return self._sizes[player]

    def deviation_payoffs(self, strategies, player=None):
        """What each policy of a player gets against the others' mixtures.

        Args:
            strategies: N weight vectors, (n_p,); the player's own does not matter.
            player: the player p, or None for all.

        Returns:
            (n_p,) payoffs, or a list of them, one for each player.
        """
        if self._payoffs is None:
            scalars = (-1 if player is None else player,)
            answers = callback("deviation_payoffs", scalars, self._flat(strategies))  # noqa: F821
            return list(answers) if player is None else answers[0]
        if player is None:
            return [self._payoffs(strategies, p) for p in range(self.num_players)]
        return self._payoffs(strategies, player)

    def best_response_values(self, strategies):
        """(N,) what a best response in the full game gets each player against the others' mixtures.

        Limited, together with `best_response_payoffs`: so many calls per ``get_meta_strategy``, one more ends the
        program.
        """
        return callback("best_response_values", (), self._flat(strategies))[0]  # noqa: F821

    def best_response_payoffs(self, strategies):
        """What each policy gets where every other player plays a best response to the mixtures.

        With two players, what a player's policies get against the opponent's best response, in the full game, to the
        player's own mixture; weighed by that mixture they give its worst case, where the sum of payoffs is zero. With
        more, each of the others plays its best response to the mixtures of all players but itself.

        Args:
            strategies: N weight vectors, (n_p,): distributions, up to a factor.

        Returns:
            (n_p,) payoffs for each player p, a list. Limited as `best_response_values`.
        """
        return list(callback("best_response_payoffs", (), self._flat(strategies)))  # noqa: F821

    def _flat(self, strategies):
        lengths = [len(weights) for weights in strategies]
        if lengths != self._sizes:
            raise ValueError(
                f"strategies: expected a vector of weights per player, lengths {self._sizes}; got {lengths}"
            )
        return (np.concatenate(strategies, dtype=np.float64, casting="unsafe"),)

    def __getattr__(self, name):
        known = "num_players, iteration, num_policies(player), deviation_payoffs(strategies, player=None)"
        known += ", best_response_values(strategies) and best_response_payoffs(strategies)"
        known = f"a PSRO program is given a view of the game that has {known}"
        raise AttributeError(f"game: {known}; there is no {name!r}")


class Tensor:
    """Payoffs of all profiles, (N, n_0, ..., n_{N-1}), first the player whose they are; it grows along every axis."""

    def __init__(self, num_players):
        self.values = np.empty((num_players, *[0] * num_players))

    def extend(self, blocks):
        """Append new policies (or vectors) of every player.

        Args:
            blocks: for each player p in turn the payoffs of profiles that have p's new ones, all of the players
                before and the old ones of those after: (N, n_0, ..., new of p, ..., n_{N-1}).
        """
        old = self.values.shape[1:]
        sizes = [n + block.shape[1 + p] for p, (n, block) in enumerate(zip(old, blocks, strict=True))]
        # Made anew, not grown in place: contiguous for programs that contract it, and what they kept stays.
        grown = np.empty((len(sizes), *sizes))
        grown[(slice(None), *map(slice, old))] = self.values
        for p, block in enumerate(blocks):
            before, after = map(slice, sizes[:p]), map(slice, old[p + 1 :])
            grown[(slice(None), *before, slice(old[p], sizes[p]), *after)] = block
        grown.flags.writeable = False
        self.values = grown


def pairwise(tensor):
    """Deviation payoffs of two players from their (2, n_0, n_1) payoffs."""
    against = tensor[0], tensor[1].T

    def payoffs(strategies, player):
        return against[player].dot(strategies[1 - player])

    return payoffs


def contracted(tensor, coordinates):
    """Deviation payoffs of three players from the payoffs of basis vectors.

    Args:
        tensor: (3, r_0, r_1, r_2) payoffs of profiles of the vectors.
        coordinates: (n_p, r_p) per player, its policies in terms of the vectors; None where those are the policies.
    """
    turns = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
    turned = [np.ascontiguousarray(tensor[axes[0]].transpose(axes)) for axes in turns]
    tables = [
        (a, b, t.reshape(-1, t.shape[2]), t.shape[:2]) for (_, a, b), t in zip(turns, turned, strict=True)
    ]

    def payoffs(strategies, player):
        a, b, table, shape = tables[player]
        x, y = strategies[a], strategies[b]
        if coordinates is None:
            return table.dot(y).reshape(shape).dot(x)
        x, y = np.dot(x, coordinates[a]), np.dot(y, coordinates[b])
        return coordinates[player].dot(table.dot(y).reshape(shape).dot(x))

    return payoffs


class Populations:
    """The populations as the program sees them: records of their policies, and payoffs where they are sent."""

    def __init__(self, num_players):
        self.game = Game(num_players)
        self._records = [[] for _ in range(num_players)]
        self._meta_games = None
        self._basis = None
        self._coordinates = [np.empty((0, 0))] * num_players

    def extend(self, records):
        """Append new policies of every player: (new, 3) each, iteration, 1 for pure, support; -1 where not known."""
        for kept, rows in zip(self._records, records, strict=True):
            for iteration, pure, support in rows.tolist():
                known = support >= 0
                kept.append(
                    PolicyRecord(iteration, bool(pure) if known else None, support if known else None)
                )
        self.game._sizes = [len(kept) for kept in self._records]

    def meta_games(self, blocks):
        """Append the payoffs of new policies; see `Tensor.extend`."""
        self._meta_games = self._meta_games or Tensor(len(blocks))
        self._meta_games.extend(blocks)
        if len(blocks) == 2:
            self.game._payoffs = pairwise(self._meta_games.values)
        elif self._basis is None:
            self.game._payoffs = contracted(self._meta_games.values, None)

    def basis(self, arrays):
        """Append new vectors of each player, and what its new policies are in terms of all vectors.

        Args:
            arrays: (new policies, vectors) per player, then what `Tensor.extend` takes.
        """
        rows, blocks = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]
        self._basis = self._basis or Tensor(len(blocks))
        self._basis.extend(blocks)
        for p, (kept, new) in enumerate(zip(self._coordinates, rows, strict=True)):
            grown = np.zeros((len(kept) + len(new), new.shape[1]))
            grown[: len(kept), : kept.shape[1]] = kept
            grown[len(kept) :] = new
            self._coordinates[p] = grown
        self.game._payoffs = contracted(self._basis.values, list(self._coordinates))

    def ask(self, solver, iteration):
        """The weights that a solver returns, checked for their shapes."""
        self.game.iteration = iteration
        games = None if self._meta_games is None else list(self._meta_games.values)
        result = solver.get_meta_strategy(self.game, [list(kept) for kept in self._records], games)
        return checked(result, self.game._sizes)


def checked(result, sizes):
    """The program's return value as one float64 vector per player, or BadResult with what came instead."""
    expected = f"expected a list of {len(sizes)} weight vectors, one for each player"
    try:
        vectors = list(result)
    except TypeError:
        raise BadResult(f"{expected}; got {type(result).__name__}") from None  # noqa: F821
    if len(vectors) != len(sizes):
        raise BadResult(f"{expected}; got {len(vectors)}")  # noqa: F821
    distributions = []
    for player, (vector, size) in enumerate(zip(vectors, sizes, strict=True)):
        try:
            array = np.asarray(vector, dtype=np.float64)
        except (TypeError, ValueError) as error:
            problem = f"player {player}: expected {size} numbers; got {type(vector).__name__} ({error})"
            raise BadResult(problem) from None  # noqa: F821
        if array.shape != (size,):
            problem = (
                f"player {player}: expected shape ({size},), one weight for each policy; got {array.shape}"
            )
            raise BadResult(problem)  # noqa: F821
        distributions.append(array)
    return tuple(distributions)


def start(program):
    """Handlers of the rule channel."""
    run = {}

    def begin(scalars, arrays):
        """Scalars: number of players."""
        run["populations"] = Populations(int(scalars[0]))
        run["train"] = program.TrainMetaStrategySolver()
        run["eval"] = program.EvalMetaStrategySolver()
        return ()

    def telling(name):
        """Arrays: as the method `name` of `Populations` takes them; ``extend`` always comes first."""

        def tell(scalars, arrays):
            getattr(run["populations"], name)(arrays)
            return ()

        return tell

    def asking(which):
        """Scalars: iteration."""
        return lambda scalars, arrays: run["populations"].ask(run[which], int(scalars[0]))

    tells = {name: telling(name) for name in ("extend", "meta_games", "basis")}
    return {"begin": begin, **tells, "train": asking("train"), "eval": asking("eval")}
