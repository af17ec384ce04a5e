"""Tiny SavedModels with the signature of an exported translator, and one."""

from __future__ import annotations

import io
import os

import tensorflow as tf

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.trainer.exporting import export
from t2t_lite.trainer.predictor import Predictor
from tests.models_for_tests import tiny_hparams, tiny_model, word_encoder


class Shouter(tf.Module):
    """outputs = inputs in upper case and "!"; scores = -weight * length.

    Its variable makes a loader that does not restore fail.
    """

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(0.5)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def serve(self, inputs):
        length = tf.strings.length(inputs, unit="UTF8_CHAR")
        return {
            "outputs": tf.strings.upper(inputs, "utf-8") + "!",
            "scores": -self.weight * tf.cast(length, tf.float32),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def lengths(self, inputs):
        return {"lengths": tf.strings.length(inputs)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def bytes(self, inputs):
        first = tf.strings.substr(inputs, 0, 1)
        return {"first": first, "outputs": tf.strings.upper(inputs, "utf-8")}


class Pieces(tf.Module):
    """outputs = the sentence through SentencePiece and back; scores = pieces.

    Args:
        model: bytes, a serialized SentencePiece model.
    """

    def __init__(self, model: bytes):
        import tensorflow_text

        super().__init__()
        self.tokenizer = tensorflow_text.SentencepieceTokenizer(model)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def serve(self, inputs):
        pieces = self.tokenizer.tokenize(inputs)
        return {
            "outputs": self.tokenizer.detokenize(pieces),
            "scores": tf.cast(pieces.row_lengths(), tf.float32),
        }


def save_shouter(folder: str) -> str:
    """Saves a Shouter; returns the folder.

    Signatures: serving_default, `lengths` without the usual outputs, and
    `bytes`, whose `first` may be no UTF-8.
    """
    module = Shouter()
    signatures = {
        "serving_default": module.serve,
        "lengths": module.lengths,
        "bytes": module.bytes,
    }
    tf.saved_model.save(module, str(folder), signatures)
    return str(folder)


def save_pieces(folder: str) -> str:
    """Saves a Pieces trained on a few words; returns the folder."""
    import sentencepiece

    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the small dog sleeps", "the dog eats"] * 50),
        model_writer=trained,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    module = Pieces(trained.getvalue())
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})
    return str(folder)


def translator() -> Predictor:
    """Returns a translator of `WORDS` that has learnt nothing.

    It keeps 3 hypotheses by default, and says something in any case.
    """
    hparams = tiny_hparams()
    options = SearchOptions(beam_size=3, extra_length=4, min_length=3)
    model = tiny_model(hparams, seed=3)
    return Predictor(model, word_encoder(), hparams, options)


def save_translator(folder: str) -> str:
    """Exports a `translator`; returns the version's folder."""
    return export(translator(), os.path.join(str(folder), "export"))
