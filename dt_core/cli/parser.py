"""The command line: subcommands, options, and their help."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from .. import __version__
from .patterns import DEFAULT

SIZE = re.compile(r"(\d{1,5})[xX×](\d{1,5})")
_MOST = 10_000  # pictures at once; more is a slip of the finger
_TLS = ("automatic", "tls", "plain", "system")

_EXITS = """exit status:
  0 done    1 the server failed or sent no picture    2 wrong command line
  3 the request cannot be (setting, model, file)    4 no server answers
  5 certificate or shared secret    6 a file is missing, or there already    130 Ctrl-C

environment: DRAWTHINGS_SERVER ([tls://|plain://]host[:port]), DRAWTHINGS_SECRET
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; ends the process with status 2 where they make no sense."""
    parser = build()
    options = parser.parse_args(arguments)
    if options.command == "generate":
        if options.prompt is None and not (options.config or options.image):
            parser.error("say what to generate: a prompt, --config or --image")
        if options.mask and not options.image:
            parser.error("--mask needs the picture that it belongs to: --image")
    return options


def build() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="drawthings",
        description="Generate with a Draw Things server, and see what it has.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _generate(commands.add_parser("generate", help="make pictures, films and sound"))
    for name, what in (
        ("models", "models"),
        ("loras", "LoRAs"),
        ("controls", "ControlNets and adapters"),
        ("upscalers", "upscalers"),
    ):
        listing = commands.add_parser(name, help=f"list the server's {what}")
        listing.add_argument("search", nargs="*", help="words that file, name or family must have")
        listing.add_argument("--files", action="store_true", help="file names only, one per line")
        _server(listing)
    upload = commands.add_parser("upload", help="send a model file to the server")
    upload.add_argument("file", help="a .ckpt file")
    upload.add_argument("--name", help="its name there (default: the file's own)")
    upload.add_argument("--overwrite", action="store_true", help="replace a file of that name")
    _server(upload)
    files = commands.add_parser("files", help="say which files the server has")
    files.add_argument("names", nargs="+", metavar="NAME", help="file names")
    files.add_argument("--hashes", action="store_true", help="SHA-256 too; slow for large files")
    _server(files)
    ping = commands.add_parser("ping", help="say how a server answers, and what is wrong")
    ping.add_argument("--discover", action="store_true", help="every server that is found")
    ping.add_argument(
        "--accept",
        metavar="FINGERPRINT",
        type=_fingerprint,
        help="trust this new certificate of the server",
    )
    _seconds(ping)
    _server(ping)
    doctor = commands.add_parser(
        "doctor", help="check whether a server does what is documented; asks before it generates"
    )
    doctor.add_argument("--model", "-m", help="the model to try (default: the smallest)")
    doctor.add_argument("--yes", "-y", action="store_true", help="generate without asking")
    doctor.add_argument(
        "--report",
        metavar="FILE",
        help="write the figures as JSON: no prompts, names, addresses or secrets",
    )
    _server(doctor)
    servers = commands.add_parser(
        "discover", aliases=["servers"], help="find servers on the local network"
    )
    _seconds(servers)
    _json(servers)
    inspect = commands.add_parser("inspect", help="say what is in a picture or tensor file")
    inspect.add_argument("file", help="a picture made by Draw Things, or a serialized tensor")
    _json(inspect)
    commands.add_parser(
        "simulator", help="start a stand-in for a server; see simulator --help", add_help=False
    )
    return parser


def _generate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("prompt", nargs="?", default=None, help="what to generate")
    add("--model", "-m", help="file or display name; see: drawthings models")
    add("--negative", "-n", default=None, metavar="TEXT", help="what to keep out")
    add("--size", "-s", metavar="WxH", help="px, multiples of 64 (default: the model's own)")
    add("--steps", type=int, help="steps of the sampler")
    add("--seed", type=int, help="0 to 4294967295, larger ones are folded; -1 or none: random")
    add(
        "--count", "-c", type=_count, metavar="N", help="how many pictures, each with the next seed"
    )
    add("--guidance", "-g", type=float, metavar="X", help="how strongly the prompt steers (CFG)")
    add("--sampler", metavar="NAME", help='such as "Euler A Trailing"')
    add("--strength", type=float, metavar="0..1", help="how much of --image is redone")
    add("--frames", type=int, metavar="N", help="frames of a video")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, by its name or its key in the app's JSON; may be repeated",
    )
    add(
        "--config",
        metavar="FILE",
        help="the app's JSON, or a picture it made; -: stdin",
    )
    add("--lora", action="append", default=[], metavar="NAME[:WEIGHT]", help="may be repeated")
    add(
        "--control",
        action="append",
        default=[],
        metavar="NAME[:WEIGHT][=PICTURE]",
        help="ControlNet or adapter with its picture; may be repeated",
    )
    add("--image", "-i", metavar="FILE", help="where to start from")
    add("--mask", metavar="FILE", help="what to repaint of --image: white; black is kept")
    add(
        "--reference",
        "-r",
        action="append",
        default=[],
        metavar="FILE",
        help="picture for edit models; may be repeated",
    )
    add(
        "--output",
        "-o",
        default=DEFAULT,
        metavar="PATTERN",
        help="PNG file or folder; {model} {seed} {index} {date} {time} are filled in (default: "
        f"{DEFAULT}); nothing is written over",
    )
    add("--dry-run", action="store_true", help="send nothing: say what would be sent, and checks")
    add("--jsonl", action="store_true", help="every event as a line of JSON")
    add("--quiet", "-q", action="store_true", help="no progress bar")
    _server(parser)


def _server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    add = group.add_argument
    add(
        "--server",
        metavar="[tls://|plain://]HOST[:PORT]",
        help="several with commas share the work (default: DRAWTHINGS_SERVER, localhost:7859)",
    )
    add("--tls", choices=_TLS, help="default: automatic; TLS where the server speaks it")
    add("--fingerprint", metavar="SHA256", help="the certificate that the server must have")
    add("--ca-file", metavar="PEM", help="own authority that signed the server's certificate")
    add(
        "--secret-name",
        default="",
        metavar="NAME",
        help="a stored secret: DRAWTHINGS_SECRET_NAME; without it DRAWTHINGS_SECRET",
    )
    _json(parser)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON in place of text")


def _seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=3.0,
        metavar="N",
        help="how long to listen (default 3; servers on Linux want 65)",
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 3600, not {text!r}")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"must be 1 to {_MOST}, not {text!r}")
    return int(text)


def _fingerprint(text: str) -> str:
    plain = re.sub(r"[:\s]", "", text).lower()
    if not re.fullmatch("[0-9a-f]{64}", plain):
        raise argparse.ArgumentTypeError("must be a SHA-256: 64 hexadecimal digits")
    return plain
