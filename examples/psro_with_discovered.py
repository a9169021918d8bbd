"""Choose the mixtures of OpenSpiel's own PSRO solver with a program, beside OpenSpiel's projected replicator dynamics.

    python examples/psro_with_discovered.py
    python examples/psro_with_discovered.py --program psro-symbolic-s0:best --game "leduc_poker(players=2)"

A program is a seed's name, a file, or the id of one that a campaign found. It runs in a sandbox and sees what the
solver knows: the payoffs of its policies against each other. One of its two classes chooses what the next best
responses are trained against, the other one the mixtures that the policies found so far are judged by. OpenSpiel's
psro_v2 imports two more libraries: pip install networkx cvxpy.
"""

import argparse
import contextlib
import io
from typing import Any

import pyspiel
from open_spiel.python.algorithms.expected_game_score import policy_value
from open_spiel.python.algorithms.exploitability import nash_conv
from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2, utils

import evolve


class ExactSolver(psro_v2.PSROSolver):
    """OpenSpiel's solver with expected payoffs in the place of sampled ones."""

    def sample_episodes(self, policies: Any, num_episodes: int) -> Any:
        """The expected payoff of each player."""
        return policy_value(self._game.new_initial_state(), policies)


def main() -> None:
    """Run both at the same iterations, with OpenSpiel as the judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="shor_psro", help="seed, file or stored id")
    parser.add_argument("--game", default="kuhn_poker(players=2)", help="OpenSpiel string")
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--db", default=None, help="results database of stored programs")
    options = parser.parse_args()

    game = pyspiel.load_game_as_turn_based(options.game)
    program = evolve.load_program(options.program, db=options.db)

    with program.meta_strategy_method("train") as train, program.meta_strategy_method("eval") as judge:
        found = solver(game, train)
        theirs = solver(game, "prd")
        print(f"{'iteration':>9}  {'discovered' if program.stored else program.name:>12}  OpenSpiel's PRD")
        for k in range(1, options.iterations + 1):
            found.iteration()
            theirs.iteration()
            values = [
                exploitability(game, found, judge(found)),
                exploitability(game, theirs, theirs.get_meta_strategies()),
            ]
            print(f"{k:>9}  {values[0]:>12.3e}  {values[1]:>15.3e}")


def solver(game: Any, method: Any) -> Any:
    """A PSRO solver with exact best responses, silent about its settings."""
    with contextlib.redirect_stdout(io.StringIO()):
        return ExactSolver(
            game,
            best_response_oracle.BestResponseOracle(game=game),
            sims_per_entry=1,
            meta_strategy_method=method,
            training_strategy_selector="probabilistic",
            sample_from_marginals=True,
            prd_iterations=10_000,
        )


def exploitability(game: Any, solver: Any, mixtures: Any) -> float:
    """How far the mixture of a solver's policies is from equilibrium: NashConv / N, by OpenSpiel."""
    policy = utils.aggregate_policies(game, solver.get_policies(), mixtures)
    return float(nash_conv(game, policy)) / game.num_players()


if __name__ == "__main__":
    main()
