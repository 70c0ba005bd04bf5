"""Reads the command line, runs one subcommand, and turns errors into sentence and status."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from ..errors import DrawThingsError
from ..text import Template
from . import exits, output, parser

_NOT_UNDERSTOOD = Template("command_not_understood", "The command line cannot be understood.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status, as `exits` lists them."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of models go beyond some consoles
            stream.reconfigure(errors="backslashreplace")
    # What gRPC's C code says of broken connections, our errors say in a sentence.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if given[:1] == ["simulator"]:
        from ..simulator.__main__ import main as simulate

        return simulate(given[1:], "drawthings simulator")
    output.begin(given)
    try:
        return _run(parser.parse(given))
    except SystemExit as end:  # help, or a line that cannot be understood: argparse said it
        if end.code not in {None, exits.DONE}:
            output.fail(str(_NOT_UNDERSTOOD()))
        raise
    except DrawThingsError as error:
        sentence = exits.sentence_of(error)
        output.note(sentence)
        output.fail(sentence)
        return exits.code_of(error)
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.DONE
    except KeyboardInterrupt:
        output.note("Cancelled.")
        output.fail("Cancelled.")
        return exits.INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    command = options.command
    if command == "generate":
        from .generate import run
    elif command in {"models", "loras", "controls", "upscalers"}:
        from .listings import run
    elif command in {"upload", "files"}:
        from .server_files import run
    elif command == "doctor":
        from .doctor import run
    elif command == "inspect":
        from .inspecting import run
    else:
        from .ping import run
    return run(options)
