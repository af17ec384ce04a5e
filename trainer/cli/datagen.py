"""t2t_lite_datagen: prepares a problem's data ahead of training."""

from __future__ import annotations

import sys

from absl import flags

from t2t_lite.trainer.cli import command, common

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Prepares a problem's data: vocabulary, tokenised shards and a manifest. "
    "The trainer does the same on first use. Killed and started again, it "
    "goes on where it stopped."
)
EXAMPLES = (
    "t2t_lite_datagen --problem=translate_ende_phrasebook",
    "t2t_lite_datagen --problem=translate_ende --data_dir=/data "
    '--hparams="vocab_size=32768"',
    "t2t_lite_datagen --problem=translate_files --train_source=a.en.gz "
    "--train_target=a.de.gz",
)


def _define(values: flags.FlagValues) -> None:
    common.define_problem_flags(values)
    flags.DEFINE_string(
        "hparams",
        "",
        "Overrides of vocab_kind, vocab_size, subword_samples and "
        "subword_alpha; others are accepted and "
        "change nothing here.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "model",
        "transformer_base",
        "The model that will be trained: its set may name the vocabulary.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "num_shards",
        None,
        "Files of the training split. Default: by its size.",
        flag_values=values,
        lower_bound=1,
    )


def datagen(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.data.preparing import prepare
    from t2t_lite.data.subword_sampling import sampling_of

    common.import_registrations(values)
    problem = common.problem_from_flags(values)
    _, hparams = common.resolve_hparams(values, problem)
    data = prepare(
        problem,
        hparams.vocab_kind,
        hparams.vocab_size,
        values.data_dir,
        num_shards=values.num_shards,
        sampling=sampling_of(hparams),
    )
    data.check()
    for name in problem.splits:
        split = data.split(name)
        print(f"  {name:<10}  {split.num_examples:>12,} examples")
    print(f"  {'vocabulary':<10}  {data.encoder.vocab_size:>12,} pieces")
    print(f"ready: {data.folder}  (data hash {data.data_hash[:16]})")
    return 0


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(datagen, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())
