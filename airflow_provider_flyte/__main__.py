"""``python -m airflow_provider_flyte ...``: the commands of ``airflow flyte ...`` with every Airflow."""

from __future__ import annotations

import argparse


def parser() -> argparse.ArgumentParser:
    """The commands' own parser: that of ``airflow`` loads what all other commands need."""
    from airflow.cli.cli_config import DefaultHelpParser

    from airflow_provider_flyte.cli.definition import FLYTE_COMMANDS

    made = DefaultHelpParser(prog="python -m airflow_provider_flyte")
    commands = made.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for command in FLYTE_COMMANDS:
        each = commands.add_parser(command.name, help=command.help, description=command.help, epilog=command.epilog)
        for arg in command.args:
            arg.add_to_parser(each)
        each.set_defaults(func=command.func)
    return made


def main() -> None:
    """Execute the command of ``sys.argv``."""
    args = parser().parse_args()
    args.func(args)


if __name__ == "__main__":
    main()
