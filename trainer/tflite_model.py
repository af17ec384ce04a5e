"""A run's model in TensorFlow Lite's format, for phones and small boards.

One signature, `translate`: ids in, ids out, one sentence at a time, with sizes
that are fixed when it is written and TensorFlow Lite's own operations alone.
The search is that of `decoding.search` with nothing but a beam, a length
penalty and a longest length; a static cache stands in for the one that grows.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from t2t_lite.data import storage
from t2t_lite.data.text_encoder import EOS_ID, PAD_ID
from t2t_lite.decoding.options import SearchOptions
from t2t_lite.decoding.search import Cache, length_penalty, output_lengths
from t2t_lite.errors import UserError

DTYPES = ("float32", "float16", "int8")
MODEL_FILE = "model.tflite"
_NEVER = -1e30  # the search's -inf
# What a search of fixed sizes can be asked for.
_OPTIONS = frozenset(
    (
        "beam_size",
        "alpha",
        "length_offset",
        "extra_length",
        "max_ratio",
        "max_length",
        "max_input_length",
        "batch_size",
        "diversity",  # of groups, of which there is one
        "seed",  # of samples, of which there are none
    )
)


def write(predictor, folder: str, dtype: str = "float32") -> None:
    """Writes `model.tflite` and the run's vocabulary.

    Inputs have `predictor.max_input_length` ids at most, outputs as many as
    the search options allow for such an input.

    Args:
        predictor: Predictor of a model with keys and values for a cache.
        folder: str, made here.
        dtype: str, one of DTYPES, of the stored weights; with int8 products
            are of int8 too, their inputs scaled row by row.
    Raises:
        UserError: an option of the search is none of those above, or the
            model has recurrent states.
    """
    _check(predictor.options)
    if tf.nest.flatten(predictor.model.init_cache(1, 1).moved):
        raise UserError(
            "--format=tflite: it has no search for a model with recurrent "
            "states; use --format=saved_model"
        )
    search = FixedSearch(predictor)
    module = tf.Module(name="t2t_lite")
    module.weights = [v.value for v in predictor.model.weights]
    module.translate = search.translate
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(
            module, saved, signatures={"translate": module.translate}
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            saved, signature_keys=["translate"]
        )
        if dtype != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if dtype == "float16":
            converter.target_spec.supported_types = [tf.float16]
        content = converter.convert()
    os.makedirs(folder)
    storage.write_bytes(os.path.join(folder, MODEL_FILE), content)
    encoder = predictor.encoder
    encoder.save(os.path.join(folder, encoder.file_name))


def translator(folder: str, predictor):
    """Returns a function from sentences to sentences of what was written.

    Args:
        folder: str, from `write`.
        predictor: the Predictor, whose encoder makes the ids.
    """
    interpreter = tf.lite.Interpreter(os.path.join(folder, MODEL_FILE))
    translate = interpreter.get_signature_runner("translate")
    length = translate.get_input_details()["inputs"]["shape"][1]

    def one(text: str) -> str:
        if not text.strip():
            return ""
        ids = [*predictor.encoder.encode(text)[: length - 1], EOS_ID]
        row = np.zeros([1, length], np.int32)
        row[0, : len(ids)] = ids
        outputs = translate(inputs=row)["outputs"]
        return predictor.encoder.decode_batch(outputs.tolist())[0]

    def several(texts: Sequence[str]) -> list[str]:
        return [one(text) for text in texts]

    return several


def _check(options: SearchOptions) -> None:
    defaults = SearchOptions()
    for field in dataclasses.fields(options):
        name, value = field.name, getattr(options, field.name)
        if name not in _OPTIONS and value != getattr(defaults, name):
            raise UserError(
                f"--format=tflite: it has no search with {name}={value}; "
                "leave it out of --decode_hparams, or use --format=saved_model"
            )


class FixedSearch:
    """The search of one sentence with fixed sizes.

    Args:
        predictor: Predictor of a model with keys and values for a cache.
    """

    def __init__(self, predictor):
        self._model = predictor.model
        self._options = predictor.options
        length = predictor.max_input_length
        self._length = int(self._longest(tf.constant([length]))[0])
        self.translate = tf.function(
            self._translate,
            input_signature=[tf.TensorSpec([1, length], tf.int32, "inputs")],
            autograph=False,
        )

    def _longest(self, lengths: tf.Tensor) -> tf.Tensor:
        """Returns the most ids of the output of each input."""
        options = self._options
        _, longest = output_lengths(
            lengths,
            extra_length=tf.constant([options.extra_length]),
            max_ratio=tf.constant([options.max_ratio]),
            max_length=tf.constant([options.max_length or 0]),
            min_length=tf.constant([0]),
            min_ratio=tf.constant([0.0]),
        )
        return longest

    def _translate(self, inputs):
        """Returns `outputs` int32 (1, length) and `scores` float32 (1,).

        Args:
            inputs: int32 (1, max_input_length), the end mark, then padding 0.
        """
        context = self._model.encode(inputs)
        beams = self._options.beam_size
        lengths = tf.reduce_sum(tf.cast(inputs != PAD_ID, tf.int32), axis=1)
        longest = tf.minimum(self._longest(lengths)[0], self._length)
        empty = self._model.init_cache(1, beams).kept
        cache = tf.nest.map_structure(self._static, empty)
        first = tf.constant([[0.0] + [_NEVER] * (beams - 1)])
        state = (
            tf.constant(0),
            tf.fill([beams, self._length], PAD_ID),  # ids
            first[0],  # log-probabilities
            tf.zeros([beams, self._length], tf.int32),  # the last ancestors
            tf.fill([self._length], PAD_ID),  # the best that has ended
            tf.constant(_NEVER),  # and its score
            cache,
        )

        def goes_on(index, ids, log_probs, path, done, score, cache):
            best = log_probs[0] / self._penalty(longest)
            return (index < longest) & (best > score)

        end = tf.while_loop(
            goes_on,
            lambda *now: self._step(context, longest, *now),
            state,
        )
        _, ids, log_probs, _, done, score, _ = end
        ended = score > _NEVER
        cut = log_probs[0] / self._penalty(longest)
        return {
            "outputs": tf.where(ended, done, ids[0])[None],
            "scores": tf.where(ended, score, cut)[None],
        }

    def _penalty(self, length):
        options = self._options
        return length_penalty(length, options.alpha, options.length_offset)

    def _static(self, empty: tf.Tensor) -> tf.Tensor:
        """Returns zeros (1, num_heads, output_length * beams, head_size)."""
        _, heads, _, size = empty.shape
        places = self._length * self._options.beam_size
        return tf.zeros([1, heads, places, size], empty.dtype)

    def _step(self, context, longest, index, ids, log_probs, path, *rest):
        done, score, cache = rest
        beams, length = self._options.beam_size, self._length
        here = tf.one_hot(index, length, dtype=tf.int32)
        before = tf.reduce_sum(
            ids * tf.one_hot(index - 1, length, dtype=tf.int32), 1
        )
        logits, longer = self._model.decode_step(
            before[None],
            index,
            Cache(kept=cache),
            context,
            self._ancestors(index, path),
        )
        totals, parents, tokens = self._continuations(
            logits.rough[0], log_probs
        )
        # Finished ones.
        history = tf.gather(ids, parents)
        grown = tf.where(here[None] > 0, tokens[:, None], history)
        ends = tokens == EOS_ID
        scores = tf.where(ends, totals / self._penalty(index + 1), _NEVER)
        best = tf.argmax(scores, output_type=tf.int32)
        better = tf.gather(scores, best) > score
        done = tf.where(better, tf.gather(grown, best), done)
        score = tf.maximum(score, tf.gather(scores, best))
        # Live ones.
        live = tf.where(ends, _NEVER, totals)
        log_probs, kept = tf.math.top_k(live, beams)
        own = tf.range(beams)[:, None]
        path = tf.concat([path[:, 1:], own], axis=1)
        return (
            index + 1,
            tf.ensure_shape(tf.gather(grown, kept), [beams, length]),
            log_probs,
            tf.gather(path, tf.gather(parents, kept)),
            done,
            score,
            tf.nest.map_structure(self._last_places, cache, longer.kept),
        )

    def _continuations(self, logits, log_probs):
        """Returns the best 2 K: log-probabilities, parents and ids."""
        beams = self._options.beam_size
        logits = tf.cast(logits, tf.float32)
        size = logits.shape[1]
        gains = tf.nn.log_softmax(logits)
        gains = tf.where(tf.range(size)[None] == PAD_ID, _NEVER, gains)
        flat = tf.reshape(gains + log_probs[:, None], [beams * size])
        totals, chosen = tf.math.top_k(flat, 1 if beams == 1 else 2 * beams)
        return totals, chosen // size, chosen % size

    def _ancestors(self, index, path):
        """Returns bool (1, K, (length + 1) * K): each one's own places.

        The last of them are those of the last steps, as in a cache that grows.
        """
        beams, length = self._options.beam_size, self._length
        own = path[:, :, None] == tf.range(beams)[None, None]
        own &= (tf.range(length) >= length - index)[None, :, None]
        own = tf.reshape(own, [beams, length * beams])
        return tf.concat([own, tf.eye(beams) > 0], axis=1)[None]

    def _last_places(self, old, new):
        """Returns the last places of a step's cache, as many as before."""
        places = old.shape[2]
        missing = max(places - new.shape[2], 0)
        new = tf.pad(new, [[0, 0], [0, 0], [missing, 0], [0, 0]])
        return new[:, :, new.shape[2] - places :]
