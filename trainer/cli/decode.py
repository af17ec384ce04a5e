"""t2t_lite_decoder: translates a file, standard input or what is typed."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from absl import flags

from t2t_lite.trainer.cli import command, common

if TYPE_CHECKING:
    from t2t_lite.decoding.lines import Line

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Decodes lines with a trained run. Lines out = lines in, in order; what "
    "was mended in a line (invalid UTF-8, too long) is reported on standard "
    "error."
)
EXAMPLES = (
    "t2t_lite_decoder --output_dir=runs/ende --decode_from_file=a.en "
    "--decode_to_file=a.de",
    "cat a.en | t2t_lite_decoder --output_dir=runs/ende "
    '--decode_hparams="beam_size=8,return_beams=3" --format=jsonl',
    "t2t_lite_decoder --output_dir=runs/ende --decode_interactive",
)
_WINDOW = 2048


def _define(values: flags.FlagValues) -> None:
    common.define_run_flags(values)
    flags.DEFINE_string(
        "decode_from_file",
        "-",
        "Text, a sentence a line, plain or .gz; - is standard input.",
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
        "Translate line by line as you type.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "format",
        "text",
        ["text", "nbest", "jsonl"],
        "text: the best output of each line; nbest: line ||| text ||| score "
        "for each of return_beams outputs; jsonl: an object a line.",
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
    lines = read_lines(values.decode_from_file)
    predictor = common.load_predictor(values)
    noted = 0
    with ResultWriter(values.decode_to_file, values.format) as writer:
        for line, prediction in map_lines(
            lambda batch: predictor.predict_batch([x.text for x in batch]),
            lines,
            predictor.options.batch_size,
            _WINDOW,
        ):
            notes = [predictor.truncation_note] if prediction.truncated else []
            writer.write(line, prediction.outputs, prediction.scores, notes)
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


def _interactive(predictor) -> int:
    import readline  # line editing and history in input()

    readline.set_history_length(1000)
    sys.stdin.reconfigure(errors="surrogateescape")  # see _mended
    print("Type a sentence; an empty line or Ctrl-D ends.")
    while True:
        try:
            text = input("> ")
        except EOFError:
            print()
            return 0
        if not text.strip():
            return 0
        line = _mended(text)
        prediction = predictor.predict([line.text])[0]
        for output, score in zip(
            prediction.outputs, prediction.scores, strict=True
        ):
            print(f"  {score:8.3f}  {output}")
        notes = [predictor.truncation_note] if prediction.truncated else []
        for note in filter(None, [line.note, *notes]):
            print(f"  ({note})")


def _mended(text: str) -> Line:
    """Returns what was typed, mended and noted as a file's line is."""
    from t2t_lite.decoding.lines import read_lines

    return next(read_lines(io.BytesIO(text.encode("utf-8", "surrogateescape"))))


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(decode, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())
