"""Attention to a source sequence, as recurrent models have it."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers import _alignments, _scores
from t2t_lite.layers._math import (
    PACKAGE,
    check_choice,
    check_positive,
    masked_softmax,
    shape_of,
)

MODES = ("many-to-many", "many-to-one")
Memory = dict[str, tf.Tensor]


@keras.saving.register_keras_serializable(package=PACKAGE)
class Seq2SeqAttention(keras.layers.Layer):
    """One query after another looks at a source: Bahdanau's and Luong's forms.

    `weights = softmax_s(score(query_t, key_s)); context_t = weights value`,
    the softmax in float32, over what the mask and the alignment leave. Scores:

        dot         query . key
        scaled_dot  query . key / sqrt(key_size)
        general     query . W key
        concat      v . tanh(W query + U key), also called additive
        location    (W query)[s]: the places alone, not what is there

    Alignments, with D = window, S = a source's length without padding, and
    places s = 0 .. S - 1 counted over what the mask leaves:

        global    all of the source
        local-m   places t - D .. t + D around the query's position t
        local-p   places p - D .. p + D around p = S sigmoid(v . tanh(W query));
                  the weights are then multiplied by
                  exp(-(s - p)^2 / (2 (D / 2)^2)), and sum to less than 1
        local-p*  the D source states of the largest gates
                  sigmoid(v . tanh(W key)); keys and values are multiplied by
                  them

    Args:
        score: one of the five above.
        alignment: one of the four above. "local-p*" does not look at the
            query, and so goes with mode "many-to-one" alone.
        mode: "many-to-many" (a sequence of queries, as a decoder has them) or
            "many-to-one" (one query, as a classifier has).
        window: int, D; for the local alignments, and only there.
        units: int, size of the hidden layer in score "concat" and in the
            alignments "local-p" and "local-p*", and only there; None = the
            size of what it is computed from (for concat, the query's).
        max_length: int, places that score "location" has scores for, and only
            there. Longer sources are not looked at beyond it, as in the paper.

    Call arguments:
        query: float tensor `(batch, query_length, query_size)`; for
            many-to-one `(batch, query_size)`.
        key: float tensor `(batch, key_length, key_size)`, the source's states.
        value: optional float tensor `(batch, key_length, value_size)`; None =
            the key.
        padding_mask: optional bool tensor `(batch, key_length)`; True = may
            attend.
        positions: optional int tensor `(batch or 1, query_length)`, for
            many-to-one `(batch,)`: t of alignment "local-m". None = 0, 1,
            2, ...; for many-to-one the source's last place.
        memory: optional dict from `project_memory`, instead of the three
            before positions.
        return_attention_weights: bool.

    Returns:
        Float tensor `(batch, query_length, value_size)`, for many-to-one
        `(batch, value_size)`. A query that may look at nothing gets zeros.
        With `return_attention_weights` a tuple of it and the weights
        `(batch, query_length, key_length)`, for many-to-one `(batch,
        key_length)`: exactly 0 on padding.

    Raises:
        ValueError: arguments that do not go together, or a mask, positions or
            a query of another form.

    Reference: Bahdanau, Cho, Bengio 2015, section 3.1 and appendix A.1.2
    (query = s_{i-1}, key = h_j, units = n'); Luong, Pham, Manning 2015,
    section 3 (query = h_t, key = \\bar h_s, window = D). Luong's concat,
    `v . tanh(W [query; key])`, is Bahdanau's with W and U side by side.
    """

    def __init__(
        self,
        score: str = "concat",
        alignment: str = "global",
        mode: str = "many-to-many",
        window: int | None = None,
        units: int | None = None,
        max_length: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("score", score, _scores.SCORES)
        check_choice("alignment", alignment, _alignments.ALIGNMENTS)
        check_choice("mode", mode, MODES)
        self.score = score
        self.alignment = alignment
        self.mode = mode
        self.window = window
        self.units = units
        self.max_length = max_length
        self._check_together()

    def _check_together(self) -> None:
        """Raises ValueError where what was given does not go together."""
        if self.alignment == "local-p*" and self.mode == "many-to-many":
            raise ValueError(
                "alignment='local-p*' goes with mode='many-to-one' alone, for "
                "its choice does not depend on the query; got "
                "mode='many-to-many', which goes with 'global', 'local-m' and "
                "'local-p'."
            )
        local = self.alignment != "global"
        self._check_given("window", "the local alignments", local, local)
        self._check_given(
            "max_length",
            "score 'location'",
            self.score == "location",
            self.score == "location",
        )
        self._check_given(
            "units",
            "score 'concat' and the alignments 'local-p' and 'local-p*'",
            False,
            self.score == "concat" or self.alignment in _alignments.PREDICTIVE,
        )

    def _check_given(self, name, goes_with, needed, allowed) -> None:
        value = getattr(self, name)
        if value is not None:
            check_positive(**{name: value})
        if (value is None and needed) or (value is not None and not allowed):
            need = ", which need it" if needed else ""
            raise ValueError(
                f"{name} goes with {goes_with}{need}; got score="
                f"{self.score!r}, alignment={self.alignment!r}, {name}="
                f"{value!r}."
            )

    def build(self, query_shape, key_shape=None):
        if key_shape is None:
            raise ValueError(
                "key is missing: the first call takes query and key, or call "
                "build(query_shape, key_shape) before project_memory."
            )
        sizes = query_shape[-1], key_shape[-1]
        _scores.add_score_weights(self, *sizes)
        _alignments.add_alignment_weights(self, *sizes)

    def call(
        self,
        query,
        key=None,
        value=None,
        padding_mask=None,
        positions=None,
        memory=None,
        return_attention_weights=False,
    ):
        self._check_call(query, (key, value, padding_mask), positions, memory)
        if memory is None:
            memory = self.project_memory(key, value, padding_mask)
        single = self.mode == "many-to-one"
        if single:
            query = query[:, None]
            positions = None if positions is None else positions[:, None]
        context, weights = self.attend(query, memory, positions)
        weights = tf.cast(weights, context.dtype)
        if single:
            context, weights = tf.squeeze(context, 1), tf.squeeze(weights, 1)
        return (context, weights) if return_attention_weights else context

    def project_memory(self, key, value=None, padding_mask=None) -> Memory:
        """Returns what every query reads of a source, computed once for all.

        Args:
            key, value, padding_mask: as for a call.

        Returns:
            Dict of "value" `(batch, key_length, value_size)`, "mask" bool
            `(batch, key_length)`, True = may attend, and where it is not the
            value itself "key" `(batch, key_length, units)`: with score
            "concat" it is `U key`.
        """
        key = tf.cast(key, self.compute_dtype)
        mask = padding_mask
        if mask is None:
            mask = tf.ones(shape_of(key)[:2], tf.bool)
        value = key if value is None else tf.cast(value, self.compute_dtype)
        if self.alignment == "local-p*":
            same = value is key
            gates, mask = _alignments.choose(self, key, mask)
            gates = tf.cast(gates, key.dtype)[..., None]
            key *= gates
            value = key if same else value * gates
        memory = {"value": value, "mask": mask}
        projected = _scores.project_key(self, key)
        if projected is not value:
            memory["key"] = projected
        return memory

    def attend(self, query, memory: Memory, positions=None):
        """Looks at a source: a call without its checks, whatever the mode.

        Args:
            query: float tensor `(batch, query_length, query_size)`.
            memory: from `project_memory`.
            positions: optional int tensor `(batch or 1, query_length)`.

        Returns:
            The context `(batch, query_length, value_size)` in the compute
            dtype, and float32 weights `(batch, query_length, key_length)`.
        """
        query = tf.cast(query, self.compute_dtype)
        value = memory["value"]
        logits = _scores.scores(self, query, memory.get("key", value))
        mask, factors = _alignments.window(
            self, query, memory["mask"], positions
        )
        if self.score == "location":
            mask &= tf.range(tf.shape(mask)[2]) < self.max_length
        weights = masked_softmax(logits, mask)
        if factors is not None:
            weights *= factors
        return tf.matmul(tf.cast(weights, value.dtype), value), weights

    @property
    def query_weights(self) -> list[keras.Variable]:
        """The weights that `attend` multiplies with."""
        names = {"concat": ["query", "score"], "location": ["location"]}
        names = names.get(self.score, [])
        if self.alignment == "local-p":
            names = [*names, "position", "position_vector"]
        return [getattr(self, f"{name}_kernel") for name in names]

    def _check_call(self, query, source, positions, memory) -> None:
        key, value, padding_mask = source
        if (key is None) == (memory is None):
            raise ValueError(
                "give key or memory, got "
                + ("neither." if key is None else "both.")
            )
        if memory is not None and not (value is None and padding_mask is None):
            raise ValueError(
                "memory holds the value and the mask already: value and "
                "padding_mask go with key."
            )
        rank = 2 if self.mode == "many-to-one" else 3
        if query.shape.rank != rank:
            raise ValueError(
                f"query must have {rank} axes in mode={self.mode!r}, got shape "
                f"{tuple(query.shape)}."
            )
        check_padding_mask(padding_mask)
        if positions is not None and self.alignment != "local-m":
            raise ValueError(
                "positions go with alignment='local-m', got alignment="
                f"{self.alignment!r}."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "alignment": self.alignment,
            "mode": self.mode,
            "window": self.window,
            "units": self.units,
            "max_length": self.max_length,
        }


def check_padding_mask(mask: tf.Tensor | None, rank: int = 2) -> None:
    """Raises ValueError unless a mask is bool and has `rank` axes."""
    if mask is None:
        return
    if len(mask.shape) != rank or mask.dtype != tf.bool:
        axes = "batch, length" if rank == 2 else "batch, sentences, length"
        raise ValueError(
            f"padding_mask must be a bool tensor ({axes}), got "
            f"{tf.as_dtype(mask.dtype).name} of shape {tuple(mask.shape)}."
        )
