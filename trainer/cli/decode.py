"""t2t_lite_decoder: answers a file, standard input or what is typed."""

from __future__ import annotations

import io
import itertools
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from t2t_lite.trainer import packed_weights
from t2t_lite.trainer.cli import command, common

if TYPE_CHECKING:
    from t2t_lite.decoding.lines import Line

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Decodes lines with a trained run: texts, or the paths of images or .wav "
    "files, as the run has it. Lines out = lines in, in order; what was mended "
    "in a line (invalid UTF-8, too long) is reported on standard error."
)
EXAMPLES = (
    "t2t_lite_decoder --output_dir=runs/ende --decode_from_file=a.en "
    "--decode_to_file=a.de",
    "cat a.en | t2t_lite_decoder --output_dir=runs/ende "
    '--decode_hparams="beam_size=8,return_beams=3" --format=jsonl',
    "t2t_lite_decoder --output_dir=runs/ende --decode_interactive",
    "t2t_lite_decoder --output_dir=runs/ende --decode_from_file=large.en.gz "
    "--decode_to_file=large.de --resume",
    """echo '{"input": "A dog.", "required": ["Hund"]}' | t2t_lite_decoder """
    "--output_dir=runs/ende --input_format=jsonl",
    "ls clips/*.wav | t2t_lite_decoder --output_dir=runs/digits",
    "t2t_lite_decoder --output_dir=runs/polarity --format=jsonl "
    "--decode_from_file=reviews.txt",
)
_WINDOW = 2048
_SHOWN = 5  # labels of what is typed
_TYPED = {"image": "the path of an image", "audio": "the path of a .wav file"}


def _define(values: flags.FlagValues) -> None:
    common.define_run_flags(values)
    flags.DEFINE_string(
        "decode_from_file",
        "-",
        "A text a line, or a path, plain or .gz; - is standard input.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "decode_to_file",
        "-",
        "Where results go; - is standard output. A file appears whole.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "decode_interactive",
        False,
        "Answer line by line as you type.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "format",
        "text",
        ["text", "nbest", "jsonl"],
        "text: the best output of each line; nbest: line ||| text ||| score "
        "for each of return_beams outputs; jsonl: an object a line, with all "
        "there is to say, such as the probabilities of all labels.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "input_format",
        "text",
        ["text", "jsonl"],
        'jsonl: an object a line, with "input" and what is asked for it: '
        "prefix, required, forbidden, or any of decode_hparams.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "resume",
        False,
        "Keep what is done in FILE.partial, and go on there after a stop.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "lanes",
        "auto",
        "Batches that a CPU decodes at once, each on its own cores: a number, "
        "or auto, one a core.",
        flag_values=values,
    )
    # Kept so that T2T's command lines work.
    known = "Taken from the run folder; "
    for name, text in {
        "problem": known + "checked against it if given.",
        "model": known + "checked against it if given.",
        "hparams_set": known + "has to be a known name if given.",
        "hparams": known + "checked against it if given.",
        "data_dir": "Not read: the run folder holds the vocabulary.",
    }.items():
        flags.DEFINE_string(name, None, text, flag_values=values)


def decode(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.decoding.lines import map_lines, read_lines
    from t2t_lite.decoding.results import ResultWriter

    common.check_against_run(values)
    if values.decode_interactive:
        return _interactive(common.load_predictor(values))
    _check_resume(values)
    lanes = _lanes(values)
    lines = read_lines(values.decode_from_file)
    predictor = common.load_predictor(values)
    predictor.trace()
    items = map(_READERS[values.input_format], lines)
    made_by = _made_by(values, predictor) if values.resume else None
    noted = 0
    with ResultWriter(values.decode_to_file, values.format, made_by) as writer:
        if writer.done:
            print(f"going on after line {writer.done:,}", file=sys.stderr)
        for item, prediction in map_lines(
            lambda batch: _predict(predictor, batch),
            itertools.islice(items, writer.done, None),
            predictor.options.batch_size,
            _WINDOW,
            length=lambda item: predictor.length(item.line.text),
            at_once=lanes,
        ):
            line = item.line
            notes = [predictor.truncation_note] if prediction.truncated else []
            writer.write(
                line,
                prediction.outputs,
                prediction.scores,
                notes,
                prediction.details,
            )
            shown = "; ".join(filter(None, [line.note, *notes]))
            if shown:
                noted += 1
                print(f"line {line.number}: {shown}", file=sys.stderr)
    if values.decode_to_file != "-":
        print(
            f"{values.decode_to_file}: done"
            + (f", {noted} lines with notes" if noted else ""),
            file=sys.stderr,
        )
    return 0


def _lanes(values: flags.FlagValues) -> int:
    """Returns how many batches are decoded at once; shares the cores out."""
    from t2t_lite.trainer import lanes, strategies

    count = int(
        strategies.choose_lanes(values.lanes, "one_device", "off").value
    )
    lanes.set_threads(count, strategies.num_cores())
    return count


class _Item(NamedTuple):
    """A line of input, and what is asked for it."""

    line: Line
    wishes: dict[str, Any]


def _of_text(line: Line) -> _Item:
    return _Item(line, {})


def _of_json(line: Line) -> _Item:
    """Returns what a JSON object asks for; raises UserError if it is none."""
    from t2t_lite.data import untrusted
    from t2t_lite.errors import UserError

    try:
        content = untrusted.parse_json(line.text.encode("utf-8", "replace"))
        text = content.pop("input")
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(
            f'line {line.number}: expected an object with "input", a string, '
            f"got {line.text[:100]!r}"
        ) from error
    return _Item(line._replace(text=text), content)


_READERS = {"text": _of_text, "jsonl": _of_json}


def _predict(predictor, batch: list[_Item]):
    from t2t_lite.errors import UserError
    from t2t_lite.trainer.wishes import request_values, together

    inputs = []
    for item in batch:
        try:
            if item.wishes:
                request_values(predictor, 1, item.wishes)
            inputs.append(predictor.source(item.line.text))
        except UserError as error:
            raise UserError(f"line {item.line.number}: {error}") from error
    wishes = together(predictor, [item.wishes for item in batch])
    return predictor.predict_batch(inputs, **wishes)


def _check_resume(values: flags.FlagValues) -> None:
    from t2t_lite.errors import UserError

    if values.resume and "-" in (
        values.decode_from_file,
        values.decode_to_file,
    ):
        raise UserError(
            "--resume: give --decode_from_file and --decode_to_file, for what "
            "went through a pipe cannot be gone on with"
        )


def _made_by(values: flags.FlagValues, predictor) -> dict[str, Any]:
    """Returns what the results depend on."""
    from t2t_lite.data.storage import sha256_of_file
    from t2t_lite.trainer.exporting import origin

    made = origin(predictor)
    return {
        "decode_from_file": sha256_of_file(values.decode_from_file),
        "format": values.format,
        "input_format": values.input_format,
        **{name: made[name] for name in ("weights", "vocabulary", "search")},
    }


def _interactive(predictor) -> int:
    import readline  # line editing and history in input()

    from t2t_lite.errors import UserError

    readline.set_history_length(1000)
    sys.stdin.reconfigure(errors="surrogateescape")  # see _mended
    what = _TYPED.get(predictor.model.task.inputs, "a sentence")
    print(f"Type {what}; an empty line or Ctrl-D ends.")
    while True:
        try:
            text = input("> ")
        except EOFError:
            print()
            return 0
        if not text.strip():
            return 0
        line = _mended(text)
        try:
            source = predictor.source(line.text)
        except UserError as error:  # a path that was mistyped
            print(f"  ({error})")
            continue
        prediction = predictor.predict([source])[0]
        for output, score in _answers(prediction):
            print(f"  {score:8.3f}  {output}")
        notes = [predictor.truncation_note] if prediction.truncated else []
        for note in filter(None, [line.note, *notes]):
            print(f"  ({note})")


def _answers(prediction) -> list[tuple[str, float]]:
    """Returns what is shown of an answer: the best outputs, or labels."""
    labels = prediction.details.get("probabilities")
    if isinstance(labels, dict):
        return list(labels.items())[:_SHOWN]
    return list(zip(prediction.outputs, prediction.scores, strict=True))


def _mended(text: str) -> Line:
    """Returns what was typed, mended and noted as a file's line is."""
    from t2t_lite.decoding.lines import read_lines

    return next(read_lines(io.BytesIO(text.encode("utf-8", "surrogateescape"))))


_define(FLAGS)


def main() -> None:
    """The console script."""
    packed_weights.pack_once()
    command.run(decode, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())
