"""OpenSpiel games as arrays: compile once, then traverse, best-respond and score in compiled loops.

`game.load` is the entrance; `suites` names the games.
"""
