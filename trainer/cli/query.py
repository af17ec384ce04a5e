"""t2t_lite_query: sends inputs to TensorFlow Serving, prints the answers.

REST needs no TensorFlow for texts; gRPC needs the `serving` extra. Exit status:
0; 1 where the server does not answer, or not in time; 2 for a mistake in the
flags or in what they name (no such model, version or signature).
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command
from t2t_lite.trainer.cli.answers import line_of, rows_of
from t2t_lite.trainer.cli.clients import (
    GrpcClient,
    RestClient,
    ServerError,
    Target,
    ask,
)
from t2t_lite.trainer.cli.query_lines import (
    Item,
    batches,
    common_wishes,
    read_items,
)
from t2t_lite.trainer.cli.quiet import import_tensorflow
from t2t_lite.trainer.cli.signatures import checked, columns, kind_of

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Sends texts to a model in TensorFlow Serving, or what is in image or .wav "
    "files, and prints what comes back, a line for each. Exit status: 1 where "
    "the server does not answer, 2 for a mistake in the flags or in what they "
    "name."
)
EXAMPLES = (
    't2t_lite_query --text="The small dog sleeps."',
    "t2t_lite_query --file=sentences.en --format=json > answers.jsonl",
    't2t_lite_query --protocol=grpc --server=gpu-box:8500 --text="Hello."',
    "cat sentences.en | t2t_lite_query --model_name=ende --version=3",
    """echo '{"inputs": "A dog.", "beam_size": 8, "required": ["Hund"]}' | """
    "t2t_lite_query --input_format=jsonl",
    """echo '{"inputs": "A dog.", "targets": "Ein Hund."}' | t2t_lite_query """
    "--signature=score --input_format=jsonl",
    "ls clips/*.wav | t2t_lite_query --model_name=digits --sample_rate=8000",
)
_PORTS = {"rest": 8501, "grpc": 8500}


def _define(values: flags.FlagValues) -> None:
    with command.group(values, "The inputs and the answers"):
        _define_inputs(values)
    with command.group(values, "The server"):
        _define_server(values)


def _define_inputs(values: flags.FlagValues) -> None:
    flags.DEFINE_multi_string(
        "text",
        [],
        "A text to send; for models of images or speech the path of a file.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "file",
        None,
        "UTF-8 file with a text, or a path, on each line. Without --text and "
        "--file, standard input.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "sample_rate",
        None,
        "Samples per second of the .wav files: what the model was trained "
        "with, which its model card says. Needed for speech.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "input_format",
        "text",
        ["text", "jsonl"],
        'jsonl: an object a line, with "inputs" and what is asked for it: '
        "the names of t2t_lite_decoder's jsonl, or the inputs of --signature.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "decode_hparams",
        "",
        'What is asked for all lines, e.g. "beam_size=8,alpha=1"; a line\'s '
        "own wishes go before. Default: the exported run's.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "format",
        None,
        ["text", "json"],
        "text: the best outputs alone, the default of serving_default; json: "
        "the texts and all that came back, an object a line, the default of "
        "the other signatures.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "batch_size",
        32,
        "Lines sent in one request; at most the server's max_batch_size.",
        lower_bound=1,
        flag_values=values,
    )


def _define_server(values: flags.FlagValues) -> None:
    def string(name, default, text):
        flags.DEFINE_string(name, default, text, flag_values=values)

    def integer(name, default, text, lowest):
        flags.DEFINE_integer(
            name, default, text, lower_bound=lowest, flag_values=values
        )

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
    string(
        "signature",
        None,
        "The model's signature: serving_default, encode, and what its kind has "
        "of translate, continue, score, classify, tag, fill. Default: "
        "translate or continue where wishes are given, else serving_default.",
    )
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
        "Further tries where the server is not reached, is not ready or has "
        "too much to do; the wait between doubles from half a second. A try "
        "that ran out of time is not made again.",
        0,
    )


def query(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    if values.text and values.file:
        raise UserError("--text and --file: give one of them")
    jsonl = values.input_format == "jsonl"
    if values.text and jsonl:
        raise UserError(
            "--text and --input_format=jsonl: give the objects by --file or on "
            "standard input"
        )
    items = read_items(values.text, values.file, jsonl)
    size = values.batch_size
    if not (values.text or values.file) and sys.stdin.isatty():
        size = 1  # whoever types is told first that no server is there
    else:
        items = _some(items)
    asker = _Asker(values)
    for batch in batches(map(asker.checked, items), size):
        for line in asker.lines(batch):
            print(line, flush=True)
    return 0


def _some(items: Iterator[Item]) -> Iterator[Item]:
    """Returns the same items, of which the first is read now.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    first = next(items, None)
    if first is None:
        raise UserError(
            "nothing to send: give --text, --file or lines on standard input"
        )
    return itertools.chain([first], items)


class _Asker:
    """Sends lines to one signature and words the answers.

    Args:
        values: the flags.
    """

    def __init__(self, values: flags.FlagValues):
        self._retries = values.retries
        self._client = _client(values, _signature_of(values))
        self._common = common_wishes(values.decode_hparams)
        self._signature = ask(self._client.signature, self._retries)
        self._name = self._client.target.signature
        plain = self._name == "serving_default"
        self._form = values.format or ("text" if plain else "json")
        self._typed("--decode_hparams", self._common, whole=False)
        self._task = _task_of(self._signature, values.sample_rate)

    def checked(self, item: Item) -> Item:
        """Returns the item with the wishes of all lines, its own first."""
        asked = {**self._common, **item.inputs}
        return Item(item.place, self._typed(item.place, asked))

    def _typed(
        self, place: str, asked: Mapping[str, Any], whole: bool = True
    ) -> dict[str, Any]:
        try:
            return checked(self._name, self._signature, asked, whole)
        except UserError as error:
            raise UserError(f"{place}: {error}") from error

    def lines(self, batch: list[Item]) -> Iterator[str]:
        """Yields what is printed of each item's answer."""
        rows = [item.inputs for item in batch]
        inputs = columns(self._signature, rows)
        if self._task is not None:
            inputs["inputs"] = _read(batch, self._task)
        answer = ask(lambda: self._client.predict(inputs), self._retries)
        answers = answers_of(self._client, answer, rows)
        for asked, found in zip(rows, answers, strict=True):
            yield line_of(asked, found, self._form)


def answers_of(
    client: RestClient | GrpcClient,
    columns: Mapping[str, list],
    rows: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Returns each line's answer.

    Args:
        client: who asked.
        columns: every output of the signature.
        rows: the lines' inputs.
    Raises:
        ServerError: the answer is not one to these lines.
    """
    try:
        return rows_of(columns, rows)
    except (LookupError, TypeError, ValueError) as error:
        raise ServerError(
            f"{client.target.server} failed: its answer is none to what was "
            f"asked ({error!r:.200}); see its log"
        ) from error


def _task_of(signature: Any, sample_rate: int | None) -> Any:
    """Returns the task of a signature that takes what is in files, or None.

    Raises:
        UserError: --sample_rate is missing, or is of no use.
    """
    kind = kind_of(signature)
    if (kind == "audio") != (sample_rate is not None):
        raise UserError(
            "--sample_rate is missing: the model takes waveforms; give the "
            "rate that it was trained with, which its model card says"
            if kind == "audio"
            else f"--sample_rate: the model takes {kind}s; leave it out"
        )
    if kind == "text":
        return None
    from t2t_lite.task import Task

    if kind == "audio":
        return Task(inputs="audio", sample_rate=sample_rate, vocab_size=1)
    shape = signature["inputs"].shape[1:]
    return Task(
        inputs="image",
        targets="label",
        labels=("any",),
        image_shape=tuple(shape),
        vocab_size=1,
    )


def _read(batch: Sequence[Item], task: Any) -> Any:
    """Returns what is in the files of some lines, one array.

    Raises:
        UserError: a file cannot be read, or is of another kind; names it.
    """
    import_tensorflow()  # which the next module imports with its noise
    from t2t_lite.trainer import sources

    found = []
    for item in batch:
        try:
            found.append(sources.read(item.inputs["inputs"], task))
        except UserError as error:
            raise UserError(f"{item.place}: {error}") from error
    return sources.batch(found, task).numpy()


def _signature_of(values: flags.FlagValues) -> str | None:
    """Returns the signature's name; None = the one that takes wishes."""
    wishes = values.input_format == "jsonl" or values.decode_hparams
    name = values.signature or (None if wishes else "serving_default")
    if values.decode_hparams and name == "serving_default":
        raise UserError(
            "--decode_hparams: serving_default takes sentences alone; use "
            "--signature=translate"
        )
    return name


def _client(
    values: flags.FlagValues, signature: str | None
) -> RestClient | GrpcClient:
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
        signature,
        values.timeout,
    )
    kind = GrpcClient if values.protocol == "grpc" else RestClient
    return kind(target)


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(query, FLAGS, DESCRIPTION, EXAMPLES, tensorflow=False)


if __name__ == "__main__":
    main()
