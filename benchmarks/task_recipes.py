"""What `tasks.py` trains, and what is asked of it, by name of the recipe."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One training of record.

    Fields:
        title: what it is, for the table.
        flags: the trainer's, beside those of folders and seed. {texts} stands
            for the file of `texts`, {before} for the run of `before`.
        measure: name of one of the test's scores.
        bar: what is asked of that score; None = it is there to be compared.
        sign: 1 = at least the bar, -1 = at most.
        minutes: within what time on two cores; None = any.
        texts: a problem of which the training part's inputs are written, one
            a line, to learn a language from; "" = none.
        before: the recipe whose run of the same seed is trained first.
    """

    title: str
    flags: list[str]
    measure: str
    bar: float | None = None
    sign: int = 1
    minutes: float | None = None
    texts: str = ""
    before: str = ""

    def holds(self, score: float) -> bool:
        """Returns whether a score is what is asked."""
        return self.bar is None or self.sign * (score - self.bar) >= 0


_POLARITY = [
    "--problem=sentiment_polarity",
    "--model=transformer_encoder_small",
    "--hparams=vocab_size=8000,batch_size=2048,rdrop_alpha=3,"
    "word_dropout=0.2,layer_prepostprocess_dropout=0.3,"
    "classifier_dropout=0.3,learning_rate_schedule=constant*linear_warmup,"
    "ema_decay=0.99",
    "--train_steps=600",
    "--eval_interval=50",
    "--log_interval=50",
]
_REVERSE = [
    "--problem=algorithmic_reverse",
    "--digits=16",
    "--model=rnn_attention_tiny",
    "--train_steps=1500",
    "--eval_interval=250",
]
_MULTI30K = [
    "--problem=translate_ende_multi30k",
    "--multi30k_text=lc.norm.tok",
    "--eval_interval=500",
    "--eval_decode_examples=100",
]
# T2T's 16,000 are for a training of days.
_SHORT = ["--hparams=learning_rate_warmup_steps=8000", "--train_steps=3000"]

RECIPES = {
    "shakespeare": Recipe(
        "Tiny Shakespeare by characters, 4 layers of 128, context 64",
        [
            "--problem=languagemodel_shakespeare",
            "--model=transformer_lm_small",
            "--train_steps=5000",
            "--eval_interval=500",
        ],
        "nats_per_character",
        bar=1.80,
        sign=-1,
        minutes=20,
    ),
    "polarity_scratch": Recipe(
        "sentence polarity, from random weights",
        _POLARITY,
        "accuracy",
        bar=76.1,
    ),
    "polarity_blanks": Recipe(
        "a masked language model of the same sentences, without labels",
        [
            "--problem=languagemodel_files",
            "--train_text={texts}",
            "--model=transformer_encoder_small",
            "--hparams=vocab_size=8000,batch_size=4096",
            "--train_steps=5000",
            "--eval_interval=1000",
            "--noexport",
        ],
        "nll",
        texts="sentiment_polarity",
    ),
    "polarity_pretrained": Recipe(
        "sentence polarity, from that model's weights",
        [
            *_POLARITY,
            "--warm_start_from={before}",
            "--vocab_file={before}",
        ],
        "accuracy",
        bar=76.1,
        before="polarity_blanks",
    ),
    "spoken_digits": Recipe(
        "spoken digits, waveform to word",
        [
            "--problem=speech_digits",
            "--model=speech_transformer_small",
        ],
        "exact_match",
        bar=97.0,
        minutes=20,
    ),
    "fashion_mnist": Recipe(
        "Fashion-MNIST, vit_tiny with 6 layers and patches of 7",
        [
            "--problem=image_fashion_mnist",
            "--model=vit_tiny",
            "--hparams=patch_size=7,num_hidden_layers=6,flip=true,"
            "layer_prepostprocess_dropout=0.1,random_erasing=0.25",
            "--train_steps=15000",
            "--eval_interval=1000",
        ],
        "accuracy",
        bar=90.0,
        minutes=30,
    ),
    "reverse": Recipe(
        "4 to 16 digits reversed, RNNsearch",
        _REVERSE,
        "exact_match",
        bar=100.0,
    ),
    "reverse_no_attention": Recipe(
        "the same without attention",
        [*_REVERSE, "--hparams=use_attention=false"],
        "exact_match",
    ),
    "multi30k_transformer": Recipe(
        "Multi30k en-de, transformer_tiny",
        [*_MULTI30K, "--model=transformer_tiny", *_SHORT],
        "bleu",
    ),
    "multi30k_rnn": Recipe(
        "Multi30k en-de, rnn_attention_tiny, as long as that by the clock",
        [*_MULTI30K, "--model=rnn_attention_tiny", *_SHORT],
        "bleu",
    ),
}
