"""Tiny SavedModels with the signature of an exported translator."""

from __future__ import annotations

import io

import tensorflow as tf


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

    Signatures: serving_default, and `lengths` without the usual outputs.
    """
    module = Shouter()
    tf.saved_model.save(
        module,
        str(folder),
        {"serving_default": module.serve, "lengths": module.lengths},
    )
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
