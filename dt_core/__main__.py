"""The `drawthings` command: `ping` a server, list its `models`, start the `simulator`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0, or 1 after an error told on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["simulator"]:
        from .simulator.__main__ import main as simulate

        return simulate(given[1:])
    parser = argparse.ArgumentParser(prog="drawthings", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("ping", "Say how a server answers."),
        ("models", "List the models of a server, one file name per line."),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--server",
            help="host, host:port or [IPv6]:port; else DRAWTHINGS_SERVER, else localhost:7859",
        )
    commands.add_parser("simulator", help="Start the simulator (see simulator --help).")
    options = parser.parse_args(given)
    return _ask(options.command, options.server)


def _ask(command: str, server: str | None) -> int:
    from .client import Client
    from .errors import DrawThingsError
    from .profile import ServerProfile, default_profile

    try:
        profile = default_profile() if server is None else ServerProfile(server)
        client = Client(profile, secret=os.environ.get("DRAWTHINGS_SECRET") or None)
        catalog = client.echo()
    except DrawThingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if command == "models":
        sys.stdout.writelines(f"{model.file}\n" for model in catalog.models)
        return 0
    listed = (
        f"{len(catalog.models)} models, {len(catalog.loras)} LoRAs, "
        f"{len(catalog.controls)} ControlNets"
        if catalog.browsable
        else "it does not list its models (model browsing is off)"
    )
    sys.stdout.write(f"{profile.address} answers over {client.security}: {listed}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
