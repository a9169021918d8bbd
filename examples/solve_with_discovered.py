"""Solve a game of your own choice with a program, inside OpenSpiel, beside OpenSpiel's discounted CFR.

    python examples/solve_with_discovered.py
    python examples/solve_with_discovered.py --program cfr-symbolic-s0:best --game "leduc_poker(players=2)"

A program is a seed's name, a file, or the id of one that a campaign found. It runs in a sandbox; OpenSpiel sees a
solver like its own and, at the end, an ordinary TabularPolicy.
"""

import argparse
import time
from typing import Any

import pyspiel
from open_spiel.python.algorithms.discounted_cfr import DCFRSolver
from open_spiel.python.algorithms.exploitability import nash_conv

import evolve


def main() -> None:
    """Compare the two, at the same iterations, with OpenSpiel as the judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="pdcfr_plus", help="seed, file or stored id")
    parser.add_argument(
        "--game", default="liars_dice(dice_sides=3,numdice=1,players=2)", help="OpenSpiel string"
    )
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--db", default=None, help="results database of stored programs")
    options = parser.parse_args()

    game = pyspiel.load_game_as_turn_based(options.game)
    program = evolve.load_program(options.program, db=options.db)

    with program.cfr_solver(game) as found:
        run("discovered" if program.stored else program.name, found, game, options.iterations)
        mine, theirs = found.exploitability(), nash_conv(game, found.average_policy()) / game.num_players()
        assert abs(mine - theirs) < 1e-9, "our exploitability and OpenSpiel's are the same number"

    run("OpenSpiel's DCFR", DCFRSolver(game), game, options.iterations)


def run(name: str, solver: Any, game: Any, iterations: int) -> None:
    """Run a solver, whoever wrote it, and print how far its average policy is from equilibrium."""
    started = time.perf_counter()
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    elapsed = time.perf_counter() - started
    value = nash_conv(game, solver.average_policy()) / game.num_players()
    print(f"{name:<18} exploitability {value:.3e} after {iterations} iterations, {elapsed:.2f} s")


if __name__ == "__main__":
    main()
