"""The flags of serving.py, checked."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; --help lists all\n")


def _positive(text: str) -> float:
    return _number(text, float, "a number above 0", lambda x: x > 0)


def _count(text: str) -> int:
    return _number(text, int, "a whole number of at least 1", lambda x: x > 0)


def _number(text, of: type, expected: str, fits: Callable[[float], bool]):
    try:
        value = of(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and fits(value)):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def _several(of: Callable) -> Callable[[str], list]:
    def parse(text: str) -> list:
        return [of(part) for part in text.split(",")]

    return parse


def parse(
    description: str, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """Returns the flags; exits with status 2 and one line at a mistake.

    Args:
        description: str, for --help.
        arguments: by default those of the command line.
    """
    parser = _Parser(
        prog="serving.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_server(parser)
    _add_requests(parser)
    _add_load(parser)
    args = parser.parse_args(arguments)
    _check(parser, args)
    return args


def _add_server(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--server", help="host:port of one that runs; or, for rest, a URL")
    add("--model_dir", help="export for the tests' stand-in, which is started")
    add(
        "--batching_parameters_file",
        help="of TensorFlow Serving, for the stand-in: it batches",
    )
    add("--protocol", choices=["grpc", "rest"], default="grpc")
    add("--model_name", default="t2t_lite", help="the model's, in the server")
    add("--pid", type=_count, help="the server's process, for its memory")


def _add_requests(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--signature", help="default: serving_default; translate for jsonl")
    add(
        "--file", help="lines to send; default: the phrasebook's test sentences"
    )
    add(
        "--input_format",
        choices=["text", "jsonl"],
        default="text",
        help="jsonl: lines of t2t_lite_query --input_format=jsonl",
    )
    add("--sentences", type=_count, default=1, help="lines of a request")
    add("--timeout", type=_positive, default=10.0, help="seconds of a request")


def _add_load(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--rates", type=_several(_positive), help="requests/s, e.g. 1,2,5")
    add(
        "--load",
        type=_several(_positive),
        help="shares of the capacity, e.g. 0.5,0.8; default 0.25,0.5,0.75,0.9",
    )
    add("--seconds", type=_positive, default=30.0, help="of each load")
    add("--warm_up", type=_count, default=8, help="requests before it all")
    add("--minutes", type=_positive, help="a soak: one load, so long")
    add("--max_growth", type=_positive, default=64.0, help="MiB, of a soak")
    add(
        "--clients",
        type=_several(_count),
        default=[1, 4, 16],
        help="closed loops that measure the capacity",
    )
    add("--capacity_seconds", type=_positive, default=10.0, help="of each")
    add("--connections", type=_count, default=64, help="requests under way")
    add("--seed", type=int, default=1, help="of the moments of arrival")
    add("--report", help="JSON file of the figures")
    add("--plot", help="PNG file: latencies against load")


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if (args.server is None) == (args.model_dir is None):
        parser.error("give one of --server and --model_dir")
    if args.server and args.batching_parameters_file:
        parser.error("--batching_parameters_file: only with --model_dir")
    if args.model_dir and args.pid:
        parser.error("--pid: only with --server")
    if args.rates and args.load:
        parser.error("give one of --rates and --load")
    if args.input_format == "jsonl" and not args.file:
        parser.error("--input_format=jsonl: needs --file")
    if args.server and "://" in args.server and args.protocol == "grpc":
        parser.error(f"--server={args.server}: gRPC takes host:port")
    if args.pid and not os.path.exists(f"/proc/{args.pid}/statm"):
        parser.error(f"--pid={args.pid}: no such process, or no /proc here")
    for name in ("report", "plot"):
        path = getattr(args, name)
        folder = os.path.dirname(os.path.abspath(path or ""))
        if path and not os.path.isdir(folder):
            parser.error(f"--{name}={path}: there is no folder {folder}")
    if args.rates is None and args.load is None:
        args.load = [0.8] if args.minutes else [0.25, 0.5, 0.75, 0.9]
    if args.minutes and len(args.rates or args.load) != 1:
        parser.error("--minutes: give one --load or one of --rates")
