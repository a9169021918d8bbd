"""alpha-Rank in the limit of infinite ranking intensity: marginals of its distribution over joint policies.

Omidshafiei et al., "alpha-Rank: Multi-Agent Evaluation by Evolution", Scientific Reports 2019, arXiv 1903.01373; as a
meta-strategy in Muller et al., "A Generalized Training Approach for Multiagent Learning", ICLR 2020, arXiv 1909.12823.
A random walk over profiles (one policy per player) moves to each profile that differs in one player's policy with
probability eta (1 - e) where that player gains by it, eta e where it loses, and eta / 2 at a tie (1e-5 relative, 1e-14
absolute), eta = 1 / sum (n_p - 1). Its stationary distribution is taken with e = 1/2, 1/4, 1/8, ... until it stays the
same (1e-5 relative, 1e-8 absolute) after more than ten halvings, as OpenSpiel does.
Refused are walks of more than 12,000 profiles: 109 policies of each of two players, 22 of each of three.
"""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigs

MOST_PROFILES = 12_000
DENSE_PROFILES = 300


def moves(payoffs):
    """All moves of the walk: profile now, profile next (flat numbers), and 1 for a gain, 0 for a tie, -1 for a loss."""
    number = np.arange(payoffs[0].size).reshape(payoffs[0].shape)
    found = []
    for p, payoff in enumerate(payoffs):
        now, after = np.moveaxis(payoff, p, 0)[:, None], np.moveaxis(payoff, p, 0)[None]
        sign = np.where(np.isclose(after, now, rtol=1e-5, atol=1e-14), 0.0, np.sign(after - now))
        row, to = np.nonzero(~np.eye(len(sign), dtype=bool))
        ids = np.moveaxis(number, p, 0)
        found.append((ids[row].ravel(), ids[to].ravel(), sign[row, to].ravel()))
    return [np.concatenate(parts) for parts in zip(*found)]


def walks(payoffs):
    """Two matrices, (profiles, profiles) over [next, now]: the walk at e = 1/2, and what to add for e = 0."""
    now, after, sign = moves(payoffs)
    shape, size = payoffs[0].shape, payoffs[0].size
    share = 0.5 / (sum(shape) - len(shape))
    every = np.arange(size)
    places = np.append(after, every), np.append(now, every)
    return [
        csr_array((np.append(chance, staying - np.bincount(now, chance, size)), places), shape=(size, size))
        for chance, staying in ((np.full(len(now), share), 1.0), (share * sign, 0.0))
    ]


def stationary(walk, start):
    """Stationary distribution of a walk, (profiles, profiles) with walk[next, now]."""
    size = walk.shape[0]
    if size <= DENSE_PROFILES:
        equations = walk.toarray() - np.eye(size)
        equations[-1] = 1.0
        return np.linalg.solve(equations, np.eye(size)[-1])
    vector = eigs(walk, k=1, which="LR", v0=start, tol=1e-10)[1][:, 0].real
    return vector / vector.sum()


def alpha_rank(payoffs):
    """Each player's marginal of the limit distribution.

    Raises:
        ValueError: there are too many profiles or players, or no limit is found.
    """
    if payoffs is None:
        raise ValueError("alpha_rank: expected payoff tensors; there are none for more than three players")
    if payoffs[0].size > MOST_PROFILES:
        came = f"{payoffs[0].size}, from {' x '.join(map(str, payoffs[0].shape))} policies"
        raise ValueError(f"alpha_rank: expected at most {MOST_PROFILES} profiles; got {came}")
    shape, size = payoffs[0].shape, payoffs[0].size
    if size == 1:
        return [np.ones(1) for _ in shape]
    neutral, drift = walks(payoffs)
    last = np.full(size, 1.0 / size)
    for halvings in range(47):
        noise = 0.5 ** (halvings + 1)
        found = stationary(neutral + (1.0 - 2.0 * noise) * drift, last)
        if halvings > 10 and np.allclose(found, last):
            joint = np.maximum(found, 0.0).reshape(shape)
            return [joint.sum(axis=tuple(q for q in range(len(shape)) if q != p)) for p in range(len(shape))]
        last = found
    raise ValueError("alpha_rank: expected the distribution to settle as the noise falls; it does not")


class TrainMetaStrategySolver:
    """The next best responses are against the policies that the walk comes back to."""

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return alpha_rank(meta_games)


class EvalMetaStrategySolver:
    """The population is judged by the same mixture."""

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return alpha_rank(meta_games)
