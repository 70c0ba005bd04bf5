"""`python -m dt_core.simulator`: the simulator with the flags of gRPCServerCLI
(docs/protocol.md 9.2).
"""

from __future__ import annotations

import argparse
import logging
import platform
import signal
import sys
import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ..errors import DrawThingsError, Remedy
from ..text import Template, verbatim
from . import faults
from .inventory import Catalog
from .listening import MAX_PORT
from .service import Simulator

_DEFAULT_PORT = 7859
_MOST_SECONDS = 3600  # for each step
_MOST_INCOMPLETE = 20  # lines at the start
_HALF_CERTIFICATE = Template(
    "simulator_half_certificate", "Pass --certificate and --private-key together."
)
_NO_FPZIP = Template(
    "simulator_no_fpzip", "fpzip is not installed: pictures are sent uncompressed."
)
_CANNOT_READ = Template("simulator_cannot_read", "{file} cannot be read: {reason}.")
_NO_TEXT = Template("simulator_no_text", "A file given on the command line is no text in UTF-8.")
_RANGE = Template("simulator_range", "must be 0 to {most}")
_WORDS = {
    Remedy.INSTALL_CRYPTOGRAPHY: Template(
        "simulator_install_cryptography",
        "Install it (pip install cryptography), or start with --no-tls, or with --certificate and "
        "--private-key.",
    )
}
_FAULTS = """faults: {"faults": [{"fault": "drop", "picture": 1, "times": 2}, ...]}
  at=N               at message N of the answer, from 0 (the default)
  picture=N          with the first message of picture N, from 0
  times=N            for N calls, then no more (1); 0: for all
  user="name"        only for requests of that user name
  on="echo"          stall and status: on echo or files in place of generate
A request whose user name is "fault:drop picture=1" brings its own, if --fault is given.
The kinds, with their options and defaults:
"""


def main(arguments: Sequence[str] | None = None, name: str = "python -m dt_core.simulator") -> int:
    """Run until Ctrl-C; `name` is what its help calls it."""
    options = _parser(name).parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    if bool(options.certificate) != bool(options.private_key):
        sys.stderr.write(f"{_HALF_CERTIFICATE()}\n")
        return 2
    compression = not options.no_response_compression
    if compression and not _has_fpzip():
        sys.stderr.write(f"{_NO_FPZIP()}\n")
        compression = False
    try:
        catalog = Catalog.load(options.models)
        simulator = Simulator(
            host=options.address,
            port=options.port,
            secret=options.shared_secret,
            tls=not options.no_tls,
            certificate=_read(options.certificate),
            private_key=_read(options.private_key),
            step_delay=options.step_delay,
            model_browser=options.model_browser,
            response_compression=compression,
            echo_on_queue=options.echo_on_queue,
            catalog=catalog,
            faults=_faults(options.fault),
        )
    except DrawThingsError as error:
        sys.stderr.write(f"{error.told(_WORDS)}\n")
        return 1
    except OSError as error:
        told = _CANNOT_READ(file=str(error.filename), reason=verbatim(str(error.strerror)))
        sys.stderr.write(f"{told}\n")
        return 1
    except UnicodeDecodeError:
        sys.stderr.write(f"{_NO_TEXT()}\n")
        return 1
    for file, lacking in islice(catalog.incomplete(), _MOST_INCOMPLETE):
        logging.info("not told by Echo: %s lacks %s", file, ", ".join(lacking))
    with simulator:
        sys.stdout.write(_start_line(simulator, options) + "\n")
        sys.stdout.flush()
        _wait_for_signal()
    return 0


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name,
        description="A stand-in for a Draw Things server: same protocol, no models, pictures "
        "that show what was asked.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_FAULTS + faults.described(),
    )
    add = parser.add_argument
    add(
        "-a",
        "--address",
        default="127.0.0.1",
        metavar="HOST",
        help="where to listen (default 127.0.0.1: this computer only; the real server: 0.0.0.0)",
    )
    add(
        "-p",
        "--port",
        type=_port,
        default=_DEFAULT_PORT,
        help=f"port (default {_DEFAULT_PORT}); 0 takes a free one",
    )
    add("-n", "--name", default=platform.node() or "simulator", help="name (default: host name)")
    add("-s", "--shared-secret", default="", metavar="SECRET", help="password for clients")
    add("--no-tls", action="store_true", help="plain connection")
    add("--certificate", metavar="PEM", help="TLS certificate (default: one made for this user)")
    add("--private-key", metavar="PEM", help="its key")
    add("--no-response-compression", action="store_true", help="send raw tensors")
    add("--model-browser", action="store_true", help="let Echo tell what is installed")
    add("--echo-on-queue", action="store_true", help="Echo waits for running generations")
    add("--step-delay", type=_seconds, default=0.0, metavar="SECONDS", help="time for each step")
    add(
        "--models",
        metavar="FILE",
        help="JSON catalogue in place of the built-in one (docs/simulator.md)",
    )
    add("--fault", metavar="FILE", help="JSON of what is to go wrong, see below")
    return parser


def _faults(path: str | None) -> faults.Script | None:
    return faults.Script.from_json(Path(path).read_text(encoding="utf-8")) if path else None


def _has_fpzip() -> bool:
    try:
        import fpzip  # noqa: F401 - whether it loads is the question
    except ImportError:
        return False
    return True


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MAX_PORT:
        raise argparse.ArgumentTypeError(str(_RANGE(most=str(MAX_PORT))))
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(str(_RANGE(most=str(_MOST_SECONDS))))
    return value


def _read(path: str | None) -> bytes | None:
    return Path(path).read_bytes() if path else None


def _start_line(simulator: Simulator, options: argparse.Namespace) -> str:
    encryption = "plain" if options.no_tls else "TLS"
    secret = "a secret is needed" if options.shared_secret else "no secret"
    return (
        f'Draw Things simulator "{options.name}" (no real server) listening on '
        f"{simulator.address}, {encryption}, {secret}"
    )


def _wait_for_signal() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(0.5):  # with a timeout, so that Windows delivers Ctrl-C
        pass


if __name__ == "__main__":
    sys.exit(main())
