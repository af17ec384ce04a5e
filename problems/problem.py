"""The abstraction of a problem: its source, its features, its metrics."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from t2t_lite.errors import UserError, closest
from t2t_lite.problems.options import Option, OptionNames, unknown_option
from t2t_lite.task import Task

Example = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class SourceFacts:
    """What a split was made of.

    Args:
        description: str, one line for a person: the corpus, its files, what
            was left out.
        sha256: str, hexadecimal digest of the split's texts in order; the
            same for a file, its .gz and its download.
        count: int, number of examples.
    """

    description: str
    sha256: str
    count: int


class Problem(abc.ABC):
    """What to learn: where examples come from and how they are judged.

    A subclass writes `examples` and `describe_source`, sets `defaults`, and
    is registered with `@PROBLEMS.register(name, description)`.

    Args:
        options: the problem's own options by name, see `option_schema`. A
            value of None counts as not given.
    Attributes:
        name: str, the registered name (`problems.create` sets it).
        description: str, one line (`problems.create` sets it).
        data_dir: str, the folder below which downloads are kept
            (`problems.create` sets it).
        vocab_file: str, a vocabulary to use in place of one that is learned
            from the training texts (the commands set it); or None.
        more_files: paths of further training pairs by the flag that named
            them; see `more_pairs`.
        inputs_kind, targets_kind: what its examples are of; see
            `t2t_lite.task`.
        labels: names of the labels, for the targets "label" and "tags".
        image_shape: (height, width, channels), for the inputs "image".
        sample_rate: int, samples per second, for the inputs "audio".
        origin: str, where the data are from, in a few words for tables.
        defaults: hparam defaults of this problem: they go over the hparams
            set and under the user's overrides.
        splits: the splits it has; "train" and "validation" at least.
        main_metric: the measure by which checkpoints are compared: a key of
            `score`, or of the loss ("nll"), where nothing is decoded.
        scored_by_loss: whether the loss alone is judged, and no outputs.
        loss_parts: names of what it is mixed of that the loss alone judges;
            see `loss_part`.
        sample_pairs: (input, target) sentences that show what is learned.
        largest_shard: int, examples that a file of prepared data may hold; a
            problem of long examples says fewer.
    Raises:
        UserError: an option is unknown or its value is wrong.
    """

    name: str = ""
    description: str = ""
    data_dir: str = "t2t_data"
    origin: str = ""
    vocab_file: str | None = None
    more_files: Mapping[str, Sequence[str]] = {}
    defaults: Mapping[str, Any] = {}
    splits: tuple[str, ...] = ("train", "validation")
    inputs_kind: str = "text"
    targets_kind: str = "text"
    labels: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    sample_rate: int | None = None
    main_metric: str = "bleu"
    scored_by_loss: bool = False
    loss_parts: tuple[str, ...] = ()
    sample_pairs: tuple[tuple[str, str], ...] = ()
    largest_shard: int = 65_536
    option_schema: tuple[Option, ...] = ()
    option_names = OptionNames()

    def __init__(self, **options: Any):
        for name in options:
            if name not in self.option_names:
                raise UserError(unknown_option(self.name, name, self))
        self.settings: dict[str, str | int | None] = {
            option.name: option.parse(options.get(option.name))
            for option in self.option_schema
        }
        self._facts: dict[str, SourceFacts] = {}

    @property
    def options(self) -> dict[str, str | int]:
        """The options that define the data, ready for JSON.

        `problems.create(problem.name, problem.options)` reads the same data.
        Options that only say where it is read are left out, and so are those
        without a value.
        """
        return {
            option.name: value
            for option in self.option_schema
            if option.defines_data
            and (value := self.settings[option.name]) is not None
        }

    @property
    def data_key(self) -> str:
        """Folder name of the prepared data: the problem's name.

        Where an option that defines the data differs from its default, a
        short hash of all of them follows.
        """
        defaults = {o.name: o.default for o in self.option_schema}
        changed = {
            name: value
            for name, value in self.options.items()
            if value != defaults[name]
        }
        return self.name if not changed else keyed(self.name, changed)

    @property
    def sample_inputs(self) -> tuple[str, ...]:
        """Sentences shown while training and after it.

        Empty where nothing is known before the data is read: then the first
        validation sentences serve.
        """
        return tuple(source for source, _ in self.sample_pairs)

    def task(self, vocab_size: int) -> Task:
        """Returns what a model of this problem maps to what.

        Args:
            vocab_size: int, the tokenizer's true size.
        """
        return Task(
            inputs=self.inputs_kind,
            targets=self.targets_kind,
            vocab_size=vocab_size,
            labels=tuple(self.labels),
            image_shape=self.image_shape,
            sample_rate=self.sample_rate,
        )

    def label_name(self, number: int, where: str) -> str:
        """Returns the name of label `number`, counted from 0.

        Args:
            number: int, as a source has it.
            where: str, the source, for the message.
        Raises:
            UserError: there is no such label.
        """
        if not 0 <= number < len(self.labels):
            raise UserError(
                f"{where}: a label of {number}, expected 0 to "
                f"{len(self.labels) - 1}; get the data again"
            )
        return self.labels[number]

    def vocabulary_texts(self, example: Example) -> list[str]:
        """Returns what of an example the vocabulary is learned from."""
        kinds = {"inputs": self.inputs_kind, "targets": self.targets_kind}
        return [example[side] for side, k in kinds.items() if k == "text"]

    @abc.abstractmethod
    def examples(self, split: str) -> Iterator[Example]:
        """Yields `{"inputs": ..., "targets": str}`, always in one order.

        Texts and labels are str, tags one str with spaces between them, as
        many as the inputs have words. An image is uint8 (height, width,
        channels), audio int16 (samples,). Without inputs there are targets
        alone.

        Raises:
            UserError: the split does not exist or the source cannot be read.
        """

    @abc.abstractmethod
    def describe_source(self, split: str) -> str:
        """Returns one line about where `split` comes from."""

    def source_is_local(self) -> bool:
        """Whether all splits can be read without downloading anything."""
        return True

    def source(self, split: str) -> SourceFacts:
        """Returns the facts about `split`; reads all of it the first time.

        Raises:
            UserError: as `examples`.
        """
        self.check_split(split)
        if split not in self._facts:
            self._facts[split] = facts_of(self, split)
        return self._facts[split]

    def check_split(self, split: str) -> None:
        """Raises UserError unless the problem has `split`."""
        if split not in self.splits:
            raise UserError(
                f"{self.name} has no split {split!r}"
                f"{closest(split, self.splits)}; it has "
                f"{', '.join(self.splits)}"
            )

    def encode_batch(
        self, examples: Sequence[Example], encoder: Any
    ) -> dict[str, list]:
        """Turns examples into numbers, as `t2t_lite.task` says.

        Args:
            examples: as `examples` yields them.
            encoder: a `t2t_lite.data.text_encoder.TextEncoder`.
        Returns:
            For every side a list of int32 arrays `(length,)`, one per example.
        Raises:
            UserError: an example is not of the problem's kinds.
        """
        from t2t_lite.problems import encoding

        return encoding.encode_batch(self, examples, encoder)

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Judges decoded texts: BLEU and chrF of the cased, detokenised text.

        Args:
            predictions: decoded texts.
            references: the targets' texts, as many.
            sources: the inputs' texts, for metrics that look at them.
        Returns:
            Each metric's value (0 to 100) and `<metric>_signature`, what was
            computed and how, in sacrebleu's notation.
        Raises:
            UserError: nothing to score, or different numbers of texts.
        """
        from t2t_lite import metrics

        bleu, bleu_signature = metrics.bleu(predictions, references)
        chrf, chrf_signature = metrics.chrf(predictions, references)
        return {
            "bleu": bleu,
            "bleu_signature": bleu_signature,
            "chrf": chrf,
            "chrf_signature": chrf_signature,
        }

    def score_losses(
        self, nll: float, texts: Sequence[str]
    ) -> dict[str, float]:
        """Returns what a language model's loss says of texts.

        Args:
            nll: float, the nats of all tokens of all texts together.
            texts: the texts.
        Returns:
            `nats_per_character` and `word_perplexity`, exp(nats per word), a
            word being what spaces part.
        """
        characters = sum(len(text) for text in texts)
        words = sum(len(text.split()) for text in texts)
        return {
            "nats_per_character": nll / max(characters, 1),
            "word_perplexity": perplexity(nll, words),
        }

    def measures(self) -> list[str]:
        """Returns the names of the numbers that judge it."""
        text = self.labels[0] if self.labels else "a"
        if self.scored_by_loss:
            scores = self.score_losses(1.0, [text])
        else:
            scores = self.score([text], [text], [text])
        return [k for k, v in scores.items() if isinstance(v, float)]

    def loss_part(self, source: Any) -> str | None:
        """Returns which of `loss_parts` an example of this input is of.

        Its output is not decoded: `with_losses` judges its loss. None, as for
        every problem that is no mixture, is an example to decode.
        """
        del source
        return None

    def with_losses(
        self,
        scores: Mapping[str, float | str],
        losses: Mapping[str, tuple[float, int, Sequence[str]]],
    ) -> dict[str, float | str]:
        """Returns scores to which the parts that the loss judges are added.

        Args:
            scores: of the decoded examples, as `score` returns them.
            losses: by part: nats of all its tokens, their number, the texts.
        """
        del losses
        return dict(scores)

    def reversed(self) -> Problem:
        """Returns the problem with inputs and targets exchanged.

        Raises:
            UserError: one of them is no text.
        """
        kinds = (self.inputs_kind, self.targets_kind)
        if kinds != ("text", "text"):
            raise UserError(
                f"{self.name}_rev: {self.name} is {' to '.join(kinds)}; only "
                "text to text can be turned round"
            )
        from t2t_lite.problems.reversed import ReversedProblem

        return ReversedProblem(self)


def facts_of(problem: Any, split: str) -> SourceFacts:
    """Reads all examples of a split for the facts about it.

    Args:
        problem: has `name`, `examples(split)` and `describe_source(split)`.
        split: str.
    Raises:
        UserError: it has none, or as `examples`.
    """
    digest, count = hashlib.sha256(), 0
    for example in problem.examples(split):
        for side in ("inputs", "targets"):
            if side in example:
                digest.update(_bytes_of(example[side]))
        count += 1
    description = problem.describe_source(split)
    if count == 0:
        raise UserError(
            f"{problem.name}: the {split} split has no examples ({description})"
        )
    return SourceFacts(description, digest.hexdigest(), count)


def perplexity(nll: float, count: int) -> float:
    """Returns exp(nats of each of `count`), where a float can hold it."""
    return math.exp(min(nll / max(count, 1), 700.0))


def keyed(name: str, options: Mapping[str, Any]) -> str:
    """Returns a name, and a short hash of options behind it."""
    text = json.dumps(dict(options), sort_keys=True)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _bytes_of(value: Any) -> bytes:
    """Returns what the hash of a source takes of one side of an example."""
    if isinstance(value, str):
        return f"{value}\n".encode()
    return f"{value.dtype} {value.shape}\n".encode() + value.tobytes()
