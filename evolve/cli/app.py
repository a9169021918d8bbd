"""The command line: one Typer application, a module per group of commands.

Modules import what is heavy (numpy, OpenSpiel, SQLAlchemy) inside their functions, so that ``--help`` is quick.
``doctor`` works also where another distribution's packages are imported in the place of ours.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from evolve.cli import doctor
from evolve.cli.output import fail
from evolve.doctor import packages


class Group(TyperGroup):
    """Reports what a user got wrong in one line on standard error, with exit code 2 (1: the machine's fault)."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: after an error was printed that is the user's (2), or the world's (1).
        """
        try:
            return super().invoke(ctx)
        except Exception as error:
            if not (hasattr(error, "message") and hasattr(error, "hint")):
                raise
            raise fail(error.message, error.hint, getattr(error, "exit_code", 2)) from error


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Discover algorithms by evolving their source: CFR and PSRO variants on games, or a problem of your own.",
    epilog="Start with: evolve run",
)


@app.callback()
def _commands() -> None:
    """Have commands, also where there is one only."""


def _register() -> None:
    """Register the commands; where another distribution's packages come before ours, only the one that says so."""
    if packages().ok:
        from evolve.cli import (
            baselines,
            bench,
            campaigns,
            dashboard,
            db,
            distill,
            export,
            games,
            new,
            programs,
            promote,
            report,
            results,
            river,
            solve,
        )

        app.command("run")(campaigns.run)
        app.command("evaluate")(programs.evaluate)
        app.command("baselines")(baselines.baselines)
        app.command("promote")(promote.promote)
        app.command("distill")(distill.distill)
        app.command("report")(report.report)
        app.command("solve")(solve.solve)
        app.command("river")(river.river)
        results.app.command("export")(export.export)
        app.add_typer(results.app, name="results")
        app.command("dashboard")(dashboard.dashboard)
        app.command("new")(new.new)
        app.command("games")(games.games)
        app.command("config")(campaigns.config)
        app.add_typer(db.app, name="db")
        app.command("bench", context_settings={"allow_interspersed_args": False})(bench.bench)
    app.command("doctor")(doctor.doctor)


_register()


def main() -> None:
    """Entry point of the ``evolve`` command."""
    app()
