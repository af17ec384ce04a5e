"""Multi-head attention."""

from __future__ import annotations

import keras
import tensorflow as tf

from t2t_lite.layers._math import (
    PACKAGE,
    check_choice,
    check_positive,
    shape_of,
)
from t2t_lite.layers._projection import add_projection, project
from t2t_lite.layers.dropout import Dropout
from t2t_lite.layers.one_position import attend_one

# Which projections share a kernel, and so a matrix product.
_FUSED = {
    "self": (("query", "key", "value"),),
    "memory": (("query",), ("key", "value")),
    "separate": (("query",), ("key",), ("value",)),
}
_MASKED_LOGIT = -1e9


@keras.saving.register_keras_serializable(package=PACKAGE)
class MultiHeadAttention(keras.layers.Layer):
    """Multi-head scaled dot-product attention.

    `softmax(query key^T / sqrt(key_head_size) + mask) value`, per head, with
    the softmax in float32; the heads side by side are projected to the output.

    Args:
        hidden_size: int, size of the inputs and of the output.
        num_heads: int.
        key_head_size: int, size of a head's queries and keys; by default
            hidden_size / num_heads, as in the paper.
        value_head_size: int, size of a head's values; the same default.
        dropout: float in [0, 1), on the attention weights.
        use_bias: bool, whether the projections have a bias; off by default,
            as in the paper.
        projection: "self" for self-attention (one kernel for queries, keys and
            values), "memory" for attention to one other sequence (one kernel
            for keys and values), "separate" for keys and values from two
            different sequences (three kernels).

    Call arguments:
        query: float tensor `(batch, query_length, hidden_size)`.
        key: float tensor `(batch, key_length, hidden_size)`; not with
            projection "self".
        value: float tensor of the key's shape; with projection "separate" only.
        attention_mask: optional bool tensor broadcastable to
            `(batch, query_length, key_length)`; True = may attend.
        cache: optional dict of earlier "key" `(batch, num_heads, length,
            key_head_size)` and "value" (the same with value_head_size), for
            projection "self"; this call's keys and values are appended, and
            key_length counts them all. See `init_cache`.
        memory: optional dict from `project_memory`, instead of key and value.
        return_attention_weights: bool.
        training: bool, whether to drop.

    Returns:
        Float tensor `(batch, query_length, hidden_size)`. A query whose mask
        row is all False gets zeros. With a cache, or with
        `return_attention_weights`, a tuple: the output, then the new cache if
        there is one, then the weights `(batch, num_heads, query_length,
        key_length)` before dropout if asked for.

    Raises:
        ValueError: hidden_size is not a multiple of num_heads and a head size
            is missing; arguments that do not go with `projection`; a mask of
            another dtype or rank.

    Reference: Vaswani et al. 2017, section 3.2.2. key_head_size = d_k,
    value_head_size = d_v, hidden_size = d_model, num_heads = h.
    """

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        key_head_size: int | None = None,
        value_head_size: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = False,
        projection: str = "self",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(hidden_size=hidden_size, num_heads=num_heads)
        check_choice("projection", projection, tuple(_FUSED))
        default = _default_head_size(
            hidden_size, num_heads, (key_head_size, value_head_size)
        )
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.key_head_size = default if key_head_size is None else key_head_size
        self.value_head_size = (
            default if value_head_size is None else value_head_size
        )
        check_positive(
            key_head_size=self.key_head_size,
            value_head_size=self.value_head_size,
        )
        self.dropout = dropout
        self.use_bias = use_bias
        self.projection = projection
        self.weights_dropout = Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, input_shape=None):
        for parts in _FUSED[self.projection]:
            sizes = [self.num_heads * self._head_size(part) for part in parts]
            add_projection(self, "_".join(parts), self.hidden_size, sizes)
        joined_size = self.num_heads * self.value_head_size
        add_projection(self, "output", joined_size, [self.hidden_size])

    def call(
        self,
        query,
        key=None,
        value=None,
        attention_mask=None,
        cache=None,
        memory=None,
        return_attention_weights=False,
        training=None,
    ):
        self._check_call(key, value, cache, memory)
        _check_mask(attention_mask)
        heads = self._project_all(query, key, value, memory)
        if cache is not None:
            heads["key"] = tf.concat([cache["key"], heads["key"]], axis=2)
            heads["value"] = tf.concat([cache["value"], heads["value"]], axis=2)
        output, weights = self._attend(heads, attention_mask, training)
        results = [output]
        if cache is not None:
            results.append({"key": heads["key"], "value": heads["value"]})
        if return_attention_weights:
            results.append(weights)
        return tuple(results) if len(results) > 1 else results[0]

    def project_memory(self, key, value=None):
        """Returns the keys and values of a memory, projected once for all.

        Args:
            key: float tensor `(batch, key_length, hidden_size)`.
            value: the same, for projection "separate" only.

        Returns:
            Dict of "key" `(batch, num_heads, key_length, key_head_size)` and
            "value" `(batch, num_heads, key_length, value_head_size)`.

        Raises:
            ValueError: the arguments do not go with `projection`.
        """
        self._check_call(key, value, None, None)
        key = tf.cast(key, self.compute_dtype)
        if self.projection == "memory":
            parts = self._project(key, ("key", "value"))
        else:
            value = tf.cast(value, self.compute_dtype)
            parts = [
                *self._project(key, ("key",)),
                *self._project(value, ("value",)),
            ]
        return dict(zip(("key", "value"), parts, strict=True))

    def init_cache(
        self, batch: int | tf.Tensor, dtype: str | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the empty cache: zero earlier positions.

        Args:
            batch: int or int scalar tensor, the number of rows.
            dtype: str; None = the compute dtype, as a call wants it. `step`
                wants float32.
        """
        return {
            part: tf.zeros(
                [batch, self.num_heads, 0, self._head_size(part)],
                dtype or self.compute_dtype,
            )
            for part in ("key", "value")
        }

    def step(self, rows, sizes, cache=None, memory=None, bias=None):
        """Attends from one position of several hypotheses a sentence.

        Numbers are a call's; made for few queries and keys that grow from
        call to call, and without dropout. Computed in float32 but for the
        projections.

        Args:
            rows: float tensor `(batch * beams, hidden_size)`.
            sizes: (batch, beams), int scalars.
            cache: for projection "self": dict of float32 "key" `(batch,
                num_heads, places, key_head_size)` and "value"; the beams'
                keys and values are appended.
            memory: for the others: `project_memory`'s dict in float32.
            bias: optional float32 tensor `(batch, 1, 1 or beams, 1, keys)`,
                added to the logits; every beam must attend to something.
        Returns:
            Float tensor of the rows' shape, and the new cache (None without).
        """
        names = ("query",) if cache is None else ("query", "key", "value")
        outputs = tf.cast(project(self, "_".join(names), rows), tf.float32)
        query, *new = self._split(outputs, *sizes, names)
        if cache is None:
            keys, values = memory["key"], memory["value"]
        else:
            keys = tf.concat([cache["key"], new[0]], axis=2)
            values = tf.concat([cache["value"], new[1]], axis=2)
            cache = {"key": keys, "value": values}
        context = attend_one(
            query * self.key_head_size**-0.5, keys, values, bias
        )
        joined = tf.reshape(
            tf.transpose(context, [0, 2, 1, 3]),
            [-1, self.num_heads * self.value_head_size],
        )
        joined = tf.cast(joined, self.compute_dtype)
        return project(self, "output", joined), cache

    def _project_all(self, query, key, value, memory):
        """Returns the heads' query, key and value by name."""
        if self.projection == "self":
            parts = ("query", "key", "value")
            return dict(zip(parts, self._project(query, parts), strict=True))
        if memory is None:
            memory = self.project_memory(key, value)
        (heads,) = self._project(query, ("query",))
        return {"query": heads, "key": memory["key"], "value": memory["value"]}

    def _attend(self, heads, attention_mask, training):
        """Returns the output `(batch, query_length, hidden)` and weights."""
        query = heads["query"] * tf.cast(
            self.key_head_size**-0.5, heads["query"].dtype
        )
        logits = tf.matmul(query, heads["key"], transpose_b=True)
        weights = _masked_softmax(logits, attention_mask)
        weights = tf.cast(weights, logits.dtype)
        dropped = self.weights_dropout(weights, training=training)
        context = tf.matmul(dropped, heads["value"])
        output = self._join_heads(context)
        if attention_mask is not None:
            # A row that may attend to nothing has uniform weights so far.
            attends = tf.reduce_any(attention_mask, axis=-1, keepdims=True)
            attends = tf.cast(attends, output.dtype)
            output *= attends
            weights *= tf.expand_dims(attends, 1)
        return output, weights

    def _project(self, inputs, parts):
        """Returns one `(batch, num_heads, length, head_size)` per part."""
        batch, length, _ = shape_of(inputs)
        outputs = project(self, "_".join(parts), inputs)
        return self._split(outputs, batch, length, parts)

    def _split(self, outputs, batch, length, parts):
        """Returns the heads of projections side by side; see `_project`."""
        sizes = [self._head_size(part) for part in parts]
        # Split and unstack: the gradient of indexing fills a tensor of zeros.
        if len(set(sizes)) == 1:
            shape = [batch, length, len(parts), self.num_heads, sizes[0]]
            outputs = tf.reshape(outputs, shape)
            return tf.unstack(tf.transpose(outputs, [2, 0, 3, 1, 4]))
        widths = [self.num_heads * size for size in sizes]
        return [
            tf.transpose(
                tf.reshape(part, [batch, length, self.num_heads, size]),
                [0, 2, 1, 3],
            )
            for part, size in zip(
                tf.split(outputs, widths, axis=-1), sizes, strict=True
            )
        ]

    def _join_heads(self, context):
        batch, _, length, _ = shape_of(context)
        width = self.num_heads * self.value_head_size
        joined = tf.transpose(context, [0, 2, 1, 3])
        joined = tf.reshape(joined, [batch, length, width])
        return project(self, "output", joined)

    def _head_size(self, part: str) -> int:
        return self.value_head_size if part == "value" else self.key_head_size

    def _check_call(self, key, value, cache, memory) -> None:
        given = {
            name
            for name, argument in (
                ("key", key),
                ("value", value),
                ("memory", memory),
            )
            if argument is not None
        }
        allowed = {
            "self": [set()],
            "memory": [{"key"}, {"memory"}],
            "separate": [{"key", "value"}, {"memory"}],
        }[self.projection]
        if given not in allowed:
            forms = " or ".join(
                " and ".join(sorted(form)) or "neither key, value nor memory"
                for form in allowed
            )
            raise ValueError(
                f"projection={self.projection!r} takes {forms}, got "
                f"{', '.join(sorted(given)) or 'none of them'}."
            )
        if cache is not None and self.projection != "self":
            raise ValueError(
                "cache goes with projection='self', got projection="
                f"{self.projection!r}; use memory."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "num_heads": self.num_heads,
            "key_head_size": self.key_head_size,
            "value_head_size": self.value_head_size,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "projection": self.projection,
        }


def _default_head_size(hidden_size, num_heads, head_sizes) -> int:
    """Returns hidden_size / num_heads, which must exist where it is used."""
    if None in head_sizes and hidden_size % num_heads:
        raise ValueError(
            "hidden_size must be a multiple of num_heads, or both "
            "key_head_size and value_head_size given; got hidden_size="
            f"{hidden_size}, num_heads={num_heads}."
        )
    return hidden_size // num_heads


def _check_mask(attention_mask) -> None:
    if attention_mask is None:
        return
    if attention_mask.shape.rank != 3 or attention_mask.dtype != tf.bool:
        raise ValueError(
            "attention_mask must be a bool tensor (batch, query_length or 1, "
            f"key_length), got {attention_mask.dtype.name} of shape "
            f"{attention_mask.shape}."
        )


def _masked_softmax(logits, attention_mask):
    """Returns float32 weights; exactly 0 where False, unless all are."""
    logits = tf.cast(logits, tf.float32)
    if attention_mask is not None:
        bias = tf.where(attention_mask, 0.0, _MASKED_LOGIT)
        logits += tf.expand_dims(bias, 1)
    return tf.nn.softmax(logits)
