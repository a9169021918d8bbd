"""What a user of the engine can get wrong: one line, and a hint what to do next.

EvolveError
├── ConfigError       a configuration that cannot be used, or that differs from the stored campaign's
├── EngineFault       the machine cannot evaluate anything: exit code 1, where the others have 2
├── IsolationError    the machine does not reach the isolation that the campaign asks for
└── ProposalError     an operator finds no child of its parents (`evolve.operators.base`); a campaign tries another

Two packages below have trees of their own, because they import nothing of the engine; the command line treats all
three alike: `evaluators.contract.InputError` (domains, games, programs) and `results.errors.StoreError` (databases).
"""

from __future__ import annotations


class EvolveError(Exception):
    """Root: `message` says what was expected and what came, `hint` what to do next (or "")."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(EvolveError):
    """A configuration that cannot be used."""


class EngineFault(EvolveError):
    """Evaluations fail for reasons that are ours or the machine's, again and again. The database is intact."""

    exit_code = 1


class IsolationError(EvolveError):
    """The sandbox is weaker than the campaign's minimum."""
