"""Summaries of news and the subjects of e-mails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from t2t_lite.problems import text_files, tfds_source
from t2t_lite.problems.options import Option
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.tfds_source import FromTfds, TfdsSource
from t2t_lite.registry import PROBLEMS

_OWN_FILES = "your own pairs with --problem=translate_files"


class SummaryProblem(FromTfds, Problem):
    """Texts and what they say in short, by TFDS.

    Attributes:
        text_feature, summary_feature: TFDS's names of the two.
    """

    text_feature: str
    summary_feature: str
    dataset: str
    host: str
    splits = ("train", "validation", "test")
    main_metric = "rougeL"
    defaults = {
        "vocab_kind": "bpe",
        "vocab_size": 32_768,
        "max_length": 1024,
        "batch_size": 8192,
        "train_steps": 100_000,
        "eval_interval": 2000,
        "eval_decode_examples": 200,
    }
    option_schema = (
        tfds_source.OPTION,
        Option(
            "text_words",
            "words of a text that are read; the rest is left out",
            kind="integer",
            default=400,  # as See et al. 2017 read of news
            minimum=1,
        ),
    )

    @property
    def data(self) -> TfdsSource:
        """TFDS's data set."""
        names = (self.text_feature, self.summary_feature)
        features = dict.fromkeys(names, "text")
        return TfdsSource(self.dataset, "", features, self.host, _OWN_FILES)

    def examples(self, split: str) -> Iterator[Example]:
        """Yields the pairs with words on both sides."""
        self.check_split(split)
        most = self.settings["text_words"]
        for row in self.data.rows(self, split):
            words = row[self.text_feature].split()[:most]
            summary = text_files.one_line(row[self.summary_feature])
            if words and summary:
                yield {"inputs": " ".join(words), "targets": summary}

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Returns ROUGE-1, ROUGE-2 and ROUGE-L, F1 each, with signatures."""
        from t2t_lite import metrics

        scores, signature = metrics.rouge(predictions, references)
        signatures = {f"{name}_signature": signature for name in scores}
        return {**scores, **signatures}


@PROBLEMS.register(
    "summarize_cnn_dailymail",
    "highlights of news (287,113 articles, CNN and Daily Mail by TFDS)",
)
class SummarizeCnnDailyMail(SummaryProblem):
    """Hermann et al. 2015; See, Liu and Manning 2017, not anonymised."""

    dataset = "cnn_dailymail"
    text_feature = "article"
    summary_feature = "highlights"
    host = "https://drive.google.com"


@PROBLEMS.register(
    "summarize_aeslc", "subjects of e-mails (14,436, AESLC by TFDS)"
)
class SummarizeAeslc(SummaryProblem):
    """Zhang and Tetreault 2019: e-mails of Enron."""

    dataset = "aeslc"
    text_feature = "email_body"
    summary_feature = "subject_line"
    host = "https://github.com"
    defaults = {
        **SummaryProblem.defaults,
        "vocab_size": 8000,
        "train_steps": 20_000,
        "eval_interval": 1000,
    }
