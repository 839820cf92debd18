"""The typer app. Commands are known by name; their modules are imported when they are called: --help is fast."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from seatrial.cli.ends import explain
from seatrial.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence


class Entry(NamedTuple):
    """A command: its name, one line for --help, and where it is.

    The module is `seatrial.cli.commands.<name>`, dashes as underscores, and the function has the module's name; or both
    are given as `module:attribute`. The attribute is a function, or a typer app with commands of its own.
    """

    name: str
    help: str
    target: str = ""

    def load(self) -> Any:
        """Import the command; a typer command or group."""
        plain = self.name.replace("-", "_")
        module, _, attribute = (self.target or f"{plain}:{plain}").partition(":")
        found = getattr(importlib.import_module(f"seatrial.cli.commands.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(self.name, context_settings=_HELP)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = self.name
        return command


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Runs": (
        Entry("run", "Execute TestRuns on this machine, or with --cluster on a cluster."),
        Entry("wait", "Wait for the end of a TestRun and show its progress."),
        Entry("status", "Show one run in full, or the TestRuns of a cluster."),
        Entry("results", "Show the outcome of every test, also as JUnit XML, CTRF or GitHub annotations."),
        Entry("logs", "Print the log of a suite, a service, an application or a test."),
        Entry("diff", "Compare two runs test by test."),
        Entry("rerun", "Run a TestRun once more, or its failed tests alone."),
        Entry("cancel", "End a TestRun now."),
        Entry("clean", "Delete TestRuns with their results."),
    ),
    "Environments": (
        Entry("shell", "Open a shell in the environment of a run."),
        Entry("port-forward", "Forward a port of this machine to a service or an application."),
        Entry("extend", "Keep the environment of a run longer."),
    ),
    "Files and this machine": (
        Entry("init", "Write a first TestRun, a test and seatrial.toml for a project."),
        Entry("lint", "Check manifests as the API server does."),
        Entry("import", "Make a TestRun from what a project has.", "import_compose:app"),
        Entry("report", "Write one self-contained page about a run."),
        Entry("doctor", "Check this machine, and the cluster where there is one."),
    ),
}
"""Sections of --help, in their order."""


class LazyGroup(TyperGroup):
    """Lists commands without importing them, and turns every end into one of the exit codes."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return [entry.name for entries in SECTIONS.values() for entry in entries]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command as --help and completion list it; nothing is imported."""
        entry = _entry(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        return TyperCommand(entry.name, help=entry.help, short_help=entry.help, rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        entry = _entry(name or "")
        return name, entry.load() if entry is not None else command, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        for title, entries in SECTIONS.items():
            if entries:
                with formatter.section(title):
                    formatter.write_dl([(entry.name, entry.help) for entry in entries])

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read standard output has enough, as with `| head`. Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002  (it always ends the process)
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run one command line and exit. Standard error says why, never with a stack trace."""
        extra |= {"complete_var": complete_var, "windows_expand_args": windows_expand_args, "standalone_mode": False}
        sys.exit(self._guarded(args, prog_name, extra))

    def _guarded(self, args: Sequence[str] | None, prog_name: str | None, extra: dict[str, Any]) -> int:
        try:
            return _code(super().main(args, prog_name, **extra))
        except Exception as error:  # noqa: BLE001  (whatever it is, people get words)
            return explain(error)


def _entry(name: str) -> Entry | None:
    return next((entry for entries in SECTIONS.values() for entry in entries if entry.name == name), None)


def _code(answer: object) -> int:
    return int(answer) if isinstance(answer, int) else Exit.PASSED


_HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)


def _version(wanted: bool) -> None:
    if wanted:
        from seatrial import __version__

        print(__version__)
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 passed, 1 tests failed, 2 could not ask, 3 usage.")
def seatrial(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Integration tests on the real thing: the same TestRun on this machine and on a cluster."""
