"""The commands and their arguments, as Airflow's command line takes them.

Each ``airflow`` command of Airflow 3 loads this, whatever it does: what a command needs is imported when it is
executed.
"""

from __future__ import annotations

from airflow.cli.cli_config import (
    ARG_OUTPUT,
    ARG_VERBOSE,
    ARG_YES,
    ActionCommand,
    Arg,
    CLICommand,
    GroupCommand,
    lazy_load_command,
    positive_int,
)

from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID

LINES = 1000
"""Lines of a log that are printed unless it is followed."""

_COMMANDS = "airflow_provider_flyte.cli.commands"

_EXITS = "Exit codes: 0 done, 1 failed, 2 wrong arguments or connection, 3 not there, 4 Flyte was not reached."

_CONNECTION = Arg(
    ("-c", "--conn-id"),
    help=f"The Airflow connection to Flyte (default: {DEFAULT_CONN_ID})",
    default=DEFAULT_CONN_ID,
)
_RUN = Arg(
    ("run",),
    help="The run: its name, project/domain/name, or the address of its page in Flyte's console. Project and domain "
    "are the connection's where only a name is given.",
    metavar="RUN",
)

_OF_ALL = (ARG_OUTPUT, ARG_VERBOSE)


def _command(name: str, text: str, *args: Arg) -> ActionCommand:
    function = lazy_load_command(f"{_COMMANDS}.{name}.{name}")
    return ActionCommand(name=name, help=text, func=function, args=(*args, *_OF_ALL), epilog=_EXITS)


FLYTE_COMMANDS = (
    _command(
        "check",
        "Check a connection from this machine, step by step",
        Arg(
            ("conn_id",),
            help=f"The Airflow connection to check (default: {DEFAULT_CONN_ID})",
            nargs="?",
            default=DEFAULT_CONN_ID,
            metavar="CONN_ID",
        ),
    ),
    _command(
        "runs",
        "List the Flyte runs of a DAG run: which try of which task has which run, and why",
        Arg(("dag_id",), help="The DAG", metavar="DAG_ID"),
        Arg(("run_id",), help="The DAG run's id; without, the newest one", nargs="?", metavar="RUN_ID"),
        _CONNECTION,
    ),
    _command("show", "Show a run: its phase, its error, and what happened when", _RUN, _CONNECTION),
    _command(
        "logs",
        "Print the log of a run's own action",
        _RUN,
        Arg(
            ("-f", "--follow"),
            help="Print the log of each attempt as it is written, until the run is over",
            action="store_true",
        ),
        Arg(
            ("-n", "--lines"),
            help=f"Without --follow: how many of the last lines of the last attempt (default: {LINES})",
            type=positive_int(allow_zero=False),
            default=LINES,
        ),
        _CONNECTION,
    ),
    _command("outputs", "Print the outputs of a run that has succeeded", _RUN, _CONNECTION),
    _command(
        "signal",
        "Answer a condition that a run waits for",
        _RUN,
        Arg(
            ("condition",),
            help="The condition's name, or its action's where several have that name",
            metavar="CONDITION",
        ),
        Arg(
            ("value",),
            help="The answer, in the type that the condition asks for: true or false, a number, or a text",
            metavar="VALUE",
        ),
        _CONNECTION,
    ),
    _command(
        "abort",
        "Abort a run that is running",
        _RUN,
        Arg(("-r", "--reason"), help="Why; the run's page shows it", required=True),
        ARG_YES,
        _CONNECTION,
    ),
)


def get_flyte_cli_commands() -> list[CLICommand]:
    """The group ``flyte``; named by ``cli`` in ``get_provider_info``."""
    return [
        GroupCommand(name="flyte", help="Look at Flyte 2 runs, answer them, and stop them", subcommands=FLYTE_COMMANDS)
    ]
