"""What `quality.py` trains: the trainer's flags by name of the recipe."""

from __future__ import annotations

_MULTI30K = "--problem=translate_ende_multi30k"
_TOKENISED = "--multi30k_text=lc.norm.tok"
_WIDER = [
    _MULTI30K,
    _TOKENISED,
    "--model=transformer_multi30k",
    "--eval_interval=1000",
    "--average_last=5",
]

RECIPES: dict[str, list[str]] = {
    # Wu et al.'s Transformer-Tiny and how they trained it.
    "multi30k_paper": [
        _MULTI30K,
        _TOKENISED,
        "--model=transformer_multi30k_paper",
        "--train_steps=8000",
        "--eval_interval=60",
        "--eval_decode_examples=50",
        "--average_last=10",
        "--keep_last=10",
        "--early_stopping_metric=loss",
        "--early_stopping_patience=10",
        "--decode_hparams=beam_size=5,alpha=1.0,length_offset=0",
    ],
    # The same, longer, with a moving average of the weights in place of an
    # average of checkpoints.
    "multi30k_ema": [
        _MULTI30K,
        _TOKENISED,
        "--model=transformer_multi30k_ema",
        "--train_steps=9000",
        "--eval_interval=500",
        "--average_last=0",
        "--decode_hparams=beam_size=5,alpha=1.0,length_offset=0",
    ],
    # Pre-norm and wider, with fewer pieces, smaller batches, words hidden, and
    # dropout that rises; the search is Wu et al.'s.
    "multi30k": [
        *_WIDER,
        "--train_steps=16000",
        "--decode_hparams=beam_size=5,alpha=1.0,length_offset=0",
    ],
    # An earlier form, with outputs of least risk, as long as validation's
    # references.
    "multi30k_mbr": [
        *_WIDER,
        "--train_steps=13000",
        "--hparams=layer_prepostprocess_dropout=0.25,dropout_warmup_steps=0",
        "--decode_hparams=beam_size=12,alpha=1.4,length_offset=0,mbr=45",
    ],
    # Upstream's text as it is: cased, not tokenised.
    "multi30k_cased": [_MULTI30K, "--model=transformer_multi30k"],
}

# On lower-cased, tokenised text, test_2016_flickr, English to German.
BAR_BLEU = 41.02
BAR_NAME = "Wu et al. 2021, Transformer-Tiny"
BAR_SOURCE = """Wu, Kong, Bi, Li, Kao 2021, Good for Misconceived Reasons: An
Empirical Revisiting on the Need for Visual Context in Multimodal Machine
Translation, ACL 2021"""
