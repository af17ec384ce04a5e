"""t2t_lite_query: sends sentences to TensorFlow Serving, prints the answers.

REST needs no TensorFlow; gRPC needs the `serving` extra. Exit status: 0; 1
where the server does not answer, or not in time; 2 for a mistake in the flags
or in what they name (no such model, version or signature).
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from absl import flags

from t2t_lite.decoding.lines import MAX_LINE_BYTES
from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command
from t2t_lite.trainer.cli.clients import (
    Answer,
    GrpcClient,
    RestClient,
    Target,
    ask,
)

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Sends sentences to a model in TensorFlow Serving and prints what comes "
    "back, a line for each. Exit status: 1 where the server does not answer, "
    "2 for a mistake in the flags or in what they name."
)
EXAMPLES = (
    't2t_lite_query --text="The small dog sleeps."',
    "t2t_lite_query --file=sentences.en --format=json > answers.jsonl",
    't2t_lite_query --protocol=grpc --server=gpu-box:8500 --text="Hello."',
    "cat sentences.en | t2t_lite_query --model_name=ende --version=3",
)
_PORTS = {"rest": 8501, "grpc": 8500}


def _define(values: flags.FlagValues) -> None:
    def string(name, default, text):
        flags.DEFINE_string(name, default, text, flag_values=values)

    def integer(name, default, text, lowest):
        flags.DEFINE_integer(
            name, default, text, lower_bound=lowest, flag_values=values
        )

    with command.group(values, "The sentences and the answers"):
        flags.DEFINE_multi_string(
            "text", [], "A sentence to send.", flag_values=values
        )
        string(
            "file",
            None,
            "UTF-8 file with a sentence on each line. Without --text and "
            "--file, standard input.",
        )
        flags.DEFINE_enum(
            "format",
            "text",
            ["text", "json"],
            "text: the answers alone; json: inputs, outputs and scores, an "
            "object a line.",
            flag_values=values,
        )
        integer("batch_size", 32, "Sentences sent in one request.", 1)
    with command.group(values, "The server"):
        string(
            "server",
            "localhost",
            "host[:port], the port being 8501 for rest and 8500 for grpc by "
            "default; or, for rest, a URL.",
        )
        flags.DEFINE_enum(
            "protocol",
            "rest",
            ["rest", "grpc"],
            "How to talk to it; grpc is not encrypted.",
            flag_values=values,
        )
        string("model_name", "t2t_lite", "The model's name in the server.")
        integer("version", None, "Its version. Default: the latest.", 0)
        string("signature", "serving_default", "The model's signature.")
        flags.DEFINE_float(
            "timeout",
            60.0,
            "Seconds that one try may take.",
            lower_bound=0.001,
            flag_values=values,
        )
        integer(
            "retries",
            2,
            "Further tries where the server is not reached or is not ready; "
            "the wait between doubles from half a second.",
            0,
        )


def query(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    client = _client(values)
    if values.text and values.file:
        raise UserError("--text and --file: give one of them")
    size = values.batch_size
    if not (values.text or values.file) and sys.stdin.isatty():
        size = 1
    sent = 0
    for batch in _batches(_sentences(values), size):
        sent += len(batch)
        answers = ask(client, batch, values.retries)
        for text, answer in zip(batch, answers, strict=True):
            print(_line(text, answer, values.format), flush=True)
    if not sent:
        raise UserError(
            "nothing to send: give --text, --file or lines on standard input"
        )
    return 0


def _client(values: flags.FlagValues) -> RestClient | GrpcClient:
    server = values.server
    if "://" in server and values.protocol == "grpc":
        raise UserError(
            f"--server={server}: gRPC takes host:port, without a scheme"
        )
    if "://" not in server and ":" not in server:
        server = f"{server}:{_PORTS[values.protocol]}"
    target = Target(
        server,
        values.model_name,
        values.version,
        values.signature,
        values.timeout,
    )
    kind = GrpcClient if values.protocol == "grpc" else RestClient
    return kind(target)


def _sentences(values: flags.FlagValues) -> Iterator[str]:
    """Yields the sentences; lines keep their number, so empty ones too.

    Raises:
        UserError: a line is not UTF-8, or longer than 1 MiB; the message has
            its number.
    """
    if values.text:
        for text in values.text:
            yield _checked(text)
        return
    name = values.file or "standard input"
    with contextlib.ExitStack() as stack:
        lines = sys.stdin.buffer
        if values.file:
            lines = stack.enter_context(_opened(values.file))
        number = 0
        while line := lines.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise UserError(
                    f"{name}, line {number}: longer than {MAX_LINE_BYTES} "
                    "bytes; give a file with a sentence on each line"
                )
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{name}, line {number}: not UTF-8; convert the file, "
                    "e.g. with iconv"
                ) from error


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(
            f"--file={path}: cannot be read ({error.strerror})"
        ) from error


def _checked(text: str) -> str:
    """Returns --text; raises UserError if it came as bytes of no UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = text.encode("utf-8", "replace").decode()
        raise UserError(
            f"--text={shown}: not UTF-8; check the terminal's encoding, or "
            "give a UTF-8 file by --file"
        ) from error
    return text


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _line(text: str, answer: Answer, form: str) -> str:
    if form == "json":
        row: dict[str, Any] = {"inputs": text, **answer}
        return json.dumps(row, ensure_ascii=False)
    # One line an answer, whatever the model wrote.
    return " ".join(str(answer["outputs"]).splitlines())


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(query, FLAGS, DESCRIPTION, EXAMPLES, tensorflow=False)


if __name__ == "__main__":
    main()
