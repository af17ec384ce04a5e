"""Several text problems at once, each as often as its weight says."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from t2t_lite.errors import UserError, closest
from t2t_lite.hparams import split_overrides
from t2t_lite.problems import creating, mix_weights
from t2t_lite.problems.options import Option, unknown_option
from t2t_lite.problems.problem import Example, Problem, keyed
from t2t_lite.registry import PROBLEMS

_OWN_OPTIONS = (
    Option(
        "mix",
        "problems and their weights, e.g. translate_ende:2,sentiment_imdb:1",
    ),
    Option(
        "mix_examples",
        "training examples of an epoch; by default so many that each example"
        " of each problem is among them",
        kind="integer",
        minimum=1,
    ),
    Option(
        "mix_options",
        "options of single problems of the mix: problem.option=value,...",
    ),
)


class _AllOptions:
    """The options of a mix: its own, and those of every other problem."""

    def __get__(self, instance: Any, owner: type) -> tuple[Option, ...]:
        found = {option.name: option for option in _OWN_OPTIONS}
        for name in PROBLEMS.names():
            if not _is_mix(PROBLEMS.get(name)):
                for option in creating.option_schema(name):
                    found.setdefault(option.name, option)
        return tuple(found.values())


@PROBLEMS.register("mix", "several text problems by weight: --mix=a:2,b:1")
class MixProblem(Problem):
    """Text problems, mixed.

    An example's inputs are its problem's name, ": " and its inputs; its
    targets are text: labels are their names, tags have spaces between them. A
    language model has empty inputs.

    The training examples of an epoch are shared out by weight: what is too
    few is repeated, and where `mix_examples` leaves less room, what is too
    many is thinned out evenly. Problems take turns as their weights from start
    to end. Validation and test are the problems' own, one example of each in
    turn.

    An option reaches each problem that has it; `mix_options` are for one
    problem alone, and come before.

    Attributes:
        weights: by name of a problem.
        parts: the problems by name.
    """

    origin = "the sources of its problems"
    main_metric = "mean"
    option_schema = _AllOptions()

    def __init__(self, **options: Any):
        own = {o.name: options.pop(o.name, None) for o in _OWN_OPTIONS}
        super().__init__(**own)
        self._shared = {k: v for k, v in options.items() if v is not None}
        for name in self._shared:
            if name not in self.option_names:
                raise UserError(unknown_option(self.name, name, self))
        self.weights = mix_weights.parse(self.settings["mix"] or "")
        self._single = self._parse_single(self.settings["mix_options"] or "")
        self.data_dir = Problem.data_dir
        self._check_shared()

    @property
    def data_dir(self) -> str:
        return self._data_dir

    @data_dir.setter
    def data_dir(self, path: str) -> None:
        self._data_dir = path
        self.parts = {name: self._part(name, path) for name in self.weights}

    @property
    def options(self) -> dict[str, str | int]:
        if not self.weights:
            return {}
        weights = [
            f"{name}:{mix_weights.text_of(w)}"
            for name, w in self.weights.items()
        ]
        found: dict[str, Any] = {"mix": ",".join(weights)}
        if (examples := self.settings["mix_examples"]) is not None:
            found["mix_examples"] = examples
        for option in sorted(self._shared):
            for name, part in self.parts.items():
                own = option in self._single.get(name, {})
                if not own and option in part.options:
                    found[option] = part.options[option]
        single = [
            f"{part}.{name}={self.parts[part].options[name]}"
            for part, options in sorted(self._single.items())
            for name in sorted(options)
            if name in self.parts[part].options
        ]
        return found | ({"mix_options": ",".join(single)} if single else {})

    @property
    def data_key(self) -> str:
        return keyed(self.name, self.options) if self.weights else self.name

    @property
    def defaults(self) -> dict[str, Any]:
        lengths = [p.defaults.get("max_length", 0) for p in self.parts.values()]
        return {
            "vocab_kind": "bpe",
            "vocab_size": 8000,
            "max_length": max([256, *lengths]),
            "batch_size": 4096,
            "train_steps": 20_000,
            "eval_interval": 1000,
        }

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that every problem has, and test if any has it."""
        tested = any("test" in part.splits for part in self.parts.values())
        return ("train", "validation", *(["test"] if tested else []))

    @property
    def loss_parts(self) -> tuple[str, ...]:
        return tuple(n for n, p in self.parts.items() if p.scored_by_loss)

    @property
    def sample_pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (_named(name, "" if part.scored_by_loss else source), target)
            for name, part in self.parts.items()
            for source, target in part.sample_pairs[:1]
        )

    def task(self, vocab_size: int) -> Any:
        self._require_parts()
        return super().task(vocab_size)

    def source_is_local(self) -> bool:
        return all(part.source_is_local() for part in self.parts.values())

    def describe_source(self, split: str) -> str:
        self._require_parts()
        return "; ".join(
            f"{count:,} examples of {name} ("
            f"{self.parts[name].describe_source(split)})"
            for name, count in self._counts(split).items()
        )

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        self._require_parts()
        # A part of a split that is decoded has examples of each problem.
        spread = split == "train"
        streams = [
            mix_weights.at_places(
                1 / count if spread else 1,
                i,
                self._examples(name, split, count),
            )
            for i, (name, count) in enumerate(self._counts(split).items())
        ]
        for _, _, example in heapq.merge(*streams):
            yield example

    def _examples(self, name: str, split: str, count: int) -> Iterator[Example]:
        """Yields `count` examples of a problem, as the mix has them."""
        part = self.parts[name]
        size = part.source(split).count
        passes, rest = divmod(count, size)
        for number in range(passes + (rest > 0)):
            chosen = size if number < passes else rest
            for i, example in enumerate(part.examples(split)):
                if (i + 1) * chosen // size > i * chosen // size:
                    source = example.get("inputs", "")
                    yield {
                        "inputs": _named(name, source),
                        "targets": example["targets"],
                    }

    def _counts(self, split: str) -> dict[str, int]:
        """Returns how many examples of each problem a split has."""
        sizes = {
            name: part.source(split).count
            for name, part in self.parts.items()
            if split in part.splits
        }
        if split != "train":
            return sizes
        total = self.settings["mix_examples"]
        if total is None:
            scale = max(sizes[n] / w for n, w in self.weights.items())
            return {n: math.ceil(w * scale) for n, w in self.weights.items()}
        counts = mix_weights.shares(total, self.weights)
        for name, count in counts.items():
            if not count:
                raise UserError(
                    f"--mix_examples={total}: leaves none of {name}; give more"
                )
        return counts

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Returns the scores of each problem that has examples, and a mean.

        Args:
            predictions, references: as for every problem.
            sources: the inputs' texts, which name the problems.
        Returns:
            `<problem>.<metric>` for each, and `mean`, that of the problems'
            main metrics.
        Raises:
            UserError: no sources, or one that begins with no problem's name.
        """
        if sources is None:
            raise UserError(f"{self.name}: scores need the inputs' texts")
        if len({len(predictions), len(references), len(sources)}) > 1:
            raise UserError(
                f"{len(predictions):,} predictions, {len(references):,}"
                f" references and {len(sources):,} inputs; expected as many of"
                " each"
            )
        if not predictions and not self.loss_parts:
            raise UserError("nothing to score: no predictions")
        rows: dict[str, list[tuple[str, str, str]]] = {}
        for row in zip(predictions, references, sources, strict=True):
            rows.setdefault(self._name_of(row[2]), []).append(row)
        scores: dict[str, float | str] = {}
        for name, part in self.parts.items():
            if name in rows:
                said, real, given = zip(*rows[name], strict=True)
                bare = [text.removeprefix(_named(name, "")) for text in given]
                bare = [text.removeprefix(" ") for text in bare]
                found = part.score(said, real, bare)
                scores |= _prefixed(name, _signed(name, found))
        return self._with_mean(scores)

    def loss_part(self, source: str) -> str | None:
        name = self._name_of(source)
        return name if self.parts[name].scored_by_loss else None

    def with_losses(
        self,
        scores: Mapping[str, float | str],
        losses: Mapping[str, tuple[float, int, Sequence[str]]],
    ) -> dict[str, float | str]:
        """As `Problem.with_losses`; `<problem>.nll` is per token.

        In the mean such a problem counts with 100 exp(-nll), the mean
        probability of a token in percent.
        """
        found = dict(scores)
        for name, (nll, tokens, texts) in losses.items():
            measures = self.parts[name].score_losses(nll, texts)
            measures = {"nll": nll / max(tokens, 1), **measures}
            found |= _prefixed(name, measures)
        return self._with_mean(found)

    def measures(self) -> list[str]:
        self._require_parts()
        names = [self.main_metric]
        for name, part in self.parts.items():
            found = (["nll"] if part.scored_by_loss else []) + part.measures()
            names += _prefixed(name, dict.fromkeys(found))
        return names

    def reversed(self) -> Problem:
        raise UserError(
            f"{self.name}_rev: mix the problems the other way round instead:"
            " --mix=<problem>_rev:1,..."
        )

    def _with_mean(self, scores: dict[str, Any]) -> dict[str, Any]:
        """Returns scores with the mean of the problems' main metrics."""
        values = []
        for name, part in self.parts.items():
            value = scores.get(f"{name}.{part.main_metric}")
            if value is not None:
                by_loss = part.scored_by_loss
                values.append(100 * math.exp(-value) if by_loss else value)
        if not values:
            return scores
        return {**scores, self.main_metric: sum(values) / len(values)}

    def _name_of(self, source: str) -> str:
        """Returns the name of the problem that an example is of."""
        name = source.partition(":")[0]
        if name not in self.parts:
            raise UserError(
                f"{self.name}: {source!r:.60} begins with no name of its"
                f" problems ({', '.join(self.parts)})"
            )
        return name

    def _require_parts(self) -> None:
        if not self.parts:
            raise UserError(
                f"{self.name} needs --mix=<problem>:<weight>,..., e.g. "
                "--mix=translate_ende_phrasebook:2,sentiment_polarity:1"
            )

    def _part(self, name: str, data_dir: str) -> Problem:
        """Makes one of the problems, with its options."""
        names = {option.name for option in creating.option_schema(name)}
        options = {k: v for k, v in self._shared.items() if k in names}
        options |= self._single.get(name, {})
        part = creating.create(name, options, data_dir)
        text = part.inputs_kind in ("text", "none")
        if not text or _is_mix(type(part)):
            kinds = f"{part.inputs_kind} to {part.targets_kind}"
            raise UserError(
                f"--mix: {name} is "
                f"{kinds if not text else 'a mix itself'}; problems of text"
                " can be mixed"
            )
        return part

    def _parse_single(self, text: str) -> dict[str, dict[str, str]]:
        """Returns options by problem of "problem.option=value,..."."""
        found: dict[str, dict[str, str]] = {}
        try:
            values = split_overrides(text)
        except UserError as error:
            raise UserError(f"--mix_options={text}: {error}") from error
        for key, value in values.items():
            name, dot, option = key.partition(".")
            if not dot or name not in self.weights:
                raise UserError(
                    f"--mix_options: expected problem.option=value, with a"
                    f" problem of --mix, got {key!r:.80}"
                    f"{closest(name[:80], self.weights)}"
                )
            found.setdefault(name, {})[option] = value
        return found

    def _check_shared(self) -> None:
        """Raises UserError where an option reaches no problem."""
        for name in self._shared if self.parts else ():
            if not any(name in p.option_names for p in self.parts.values()):
                raise UserError(
                    f"--{name}: none of {', '.join(self.parts)} has such an"
                    " option"
                )


def _is_mix(factory: Any) -> bool:
    return isinstance(factory, type) and issubclass(factory, MixProblem)


def _named(name: str, source: str) -> str:
    """Returns the inputs of an example of a problem."""
    return f"{name}: {source}" if source else f"{name}:"


def _signed(name: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Returns scores whose signatures say of which lines they are."""
    return {
        key: f"lines:{name}|{value}" if key.endswith("_signature") else value
        for key, value in scores.items()
    }


def _prefixed(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}.{key}": value for key, value in values.items()}
