"""The command line: one Typer application, a module per group of commands.

Modules import what is heavy (numpy, OpenSpiel, SQLAlchemy) inside their functions, so that ``--help`` is quick.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from evolve.cli import (
    baselines,
    bench,
    calls,
    campaigns,
    checks,
    compare,
    config,
    dashboard,
    db,
    distill,
    export,
    new,
    programs,
    promote,
    report,
    solve,
)
from evolve.cli import results as stored
from evolve.cli.output import fail


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
            fail(error.message, error.hint)
            raise typer.Exit(getattr(error, "exit_code", 2)) from error


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Discover algorithms by evolving their source: CFR and PSRO variants on games, or a problem of your own.",
    epilog="Start with: evolve run",
)
app.command("run")(campaigns.run)
app.command("evaluate")(programs.evaluate)
app.command("baselines")(baselines.baselines)
app.command("promote")(promote.promote)
app.command("distill")(distill.distill)
app.command("report")(report.report)
app.command("solve")(solve.solve)
stored.app.command("calls")(calls.calls)
stored.app.command("diff")(compare.diff)
stored.app.command("lineage")(compare.lineage)
stored.app.command("export")(export.export)
app.add_typer(stored.app, name="results")
app.command("dashboard")(dashboard.dashboard)
app.command("new")(new.new)
app.command("games")(checks.games)
app.command("config")(config.config)
app.add_typer(db.app, name="db")
app.command("doctor")(checks.doctor)
app.command("bench", context_settings={"allow_interspersed_args": False})(bench.bench)


def main() -> None:
    """Entry point of the ``evolve`` command."""
    app()
