"""Multi-head attention."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

from t2t_lite.layers._attention_checks import (
    check_mask,
    check_sources,
    default_head_size,
)
from t2t_lite.layers._math import (
    PACKAGE,
    check_choice,
    check_positive,
    shape_of,
)
from t2t_lite.layers._projection import (
    add_projection,
    joined_heads,
    project,
    split_heads,
)
from t2t_lite.layers.attention_variant import AttentionVariant
from t2t_lite.layers.distances import AttentionPositions, Distances
from t2t_lite.layers.dot_product import attend
from t2t_lite.layers.dropout import Dropout
from t2t_lite.layers.local_attention import Blocks, near_mask
from t2t_lite.layers.masks import combine, segment_mask
from t2t_lite.layers.one_position import (
    attend_one,
    attention_bias,
    near_places,
    still_near,
)

# Which projections share a kernel, and so a matrix product.
_FUSED = {
    "self": (("query", "key", "value"),),
    "memory": (("query",), ("key", "value")),
    "separate": (("query",), ("key",), ("value",)),
}


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
        variant: `AttentionVariant`, or a dict of its fields: positions that
            self-attention knows by itself, a radius that it sees, fewer heads
            for keys and values. By default none of it.

    Call arguments:
        query: float tensor `(batch, query_length, hidden_size)`.
        key: float tensor `(batch, key_length, hidden_size)`; not with
            projection "self".
        value: float tensor of the key's shape; with projection "separate" only.
        attention_mask: optional bool tensor broadcastable to
            `(batch, query_length, key_length)`; True = may attend. With
            projection "self" also an int tensor `(batch, length)`: the
            segments of packed rows, each of which lies in one piece and
            attends to itself; 0 is padding.
        cache: optional dict of earlier "key" `(batch, num_key_value_heads,
            length, key_head_size)` and "value" (the same with
            value_head_size), for projection "self"; this call's keys and
            values are appended, and key_length counts them all. See
            `init_cache`.
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
            another dtype or rank; a variant that these sizes cannot have.

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
        variant: AttentionVariant | dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(hidden_size=hidden_size, num_heads=num_heads)
        check_choice("projection", projection, tuple(_FUSED))
        default = default_head_size(
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
        self.variant = AttentionVariant.of(variant)
        self.variant.check(num_heads, self.key_head_size, projection)
        self.num_key_value_heads = self.variant.num_key_value_heads or num_heads
        self.dropout = dropout
        self.use_bias = use_bias
        self.projection = projection
        self.positions: AttentionPositions | None = None
        self.weights_dropout = Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, input_shape=None):
        for parts in _FUSED[self.projection]:
            sizes = [count * size for count, size in self._heads(parts)]
            add_projection(self, "_".join(parts), self.hidden_size, sizes)
        joined_size = self.num_heads * self.value_head_size
        add_projection(self, "output", joined_size, [self.hidden_size])
        if self.positions is None:
            self.positions = self.make_positions()
        if not self.positions.built:  # it may be shared
            self.positions.build()

    def make_positions(self) -> AttentionPositions:
        """Returns a new layer that knows positions, as `variant` says.

        Set as `positions` of several attentions before they are built, it is
        one for all of them.
        """
        return self.variant.positions(
            self.num_heads,
            (self.key_head_size, self.value_head_size),
            dtype=self.dtype_policy,
            name="positions",
        )

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
        check_sources(
            self.projection, cache, key=key, value=value, memory=memory
        )
        check_mask(attention_mask, self.projection == "self" and cache is None)
        heads = self._project_all(query, key, value, memory)
        earlier = 0 if cache is None else shape_of(cache["key"])[2]
        for part in ("query", "key"):
            heads[part] = self.positions.rotated(heads[part], earlier)
        if cache is not None:
            for part in ("key", "value"):
                heads[part] = tf.concat([cache[part], heads[part]], axis=2)
        if self.variant.local_attention_radius and cache is None:
            output, weights = self._attend_near(
                heads, attention_mask, return_attention_weights, training
            )
        else:
            output, weights = self._attend(
                heads, attention_mask, earlier, training
            )
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
            Dict of "key" `(batch, num_key_value_heads, key_length,
            key_head_size)` and "value", the same with value_head_size.

        Raises:
            ValueError: the arguments do not go with `projection`.
        """
        check_sources(self.projection, None, key=key, value=value)
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
        parts = ("key", "value")
        return {
            part: tf.zeros([batch, count, 0, size], dtype or self.compute_dtype)
            for part, (count, size) in zip(
                parts, self._heads(parts), strict=True
            )
        }

    def step(self, rows, sizes, cache=None, memory=None, bias=None, index=None):
        """Attends from one position of several hypotheses a sentence.

        Numbers are a call's; made for few queries and keys that grow from
        call to call, and without dropout. Computed in float32 but for the
        projections.

        Args:
            rows: float tensor `(batch * beams, hidden_size)`.
            sizes: (batch, beams), int scalars.
            cache: for projection "self": dict of float32 "key" `(batch,
                num_key_value_heads, places, key_head_size)` and "value"; the
                beams' keys and values are appended.
            memory: for the others: `project_memory`'s dict in float32.
            bias: optional float32 tensor that broadcasts to `(batch,
                num_heads, beams, 1, keys)`, added to the logits; every beam
                must attend to something. For projection "self", `step_bias`.
            index: int or int32 scalar tensor, the position; by default as many
                as the cache has, which is right unless `variant` is local.
        Returns:
            Float tensor of the rows' shape, and the new cache (None without):
            longer by as many places as there are beams, but without positions
            that the next step cannot see.
        """
        names = ("query",) if cache is None else ("query", "key", "value")
        outputs = tf.cast(project(self, "_".join(names), rows), tf.float32)
        query, *new = split_heads(outputs, *sizes, self._heads(names))
        radius, tables = self.variant.local_attention_radius, None
        if cache is None:
            keys, values = memory["key"], memory["value"]
        else:
            earlier = shape_of(cache["key"])[2]
            if index is None:
                index = earlier // sizes[1]
            query = self.positions.rotated(query, index, step=0)
            new[0] = self.positions.rotated(new[0], index, step=0)
            keys = tf.concat([cache["key"], new[0]], axis=2)
            values = tf.concat([cache["value"], new[1]], axis=2)
            cache = still_near({"key": keys, "value": values}, radius, sizes[1])
            tables = self.positions.place_tables(earlier, sizes[1])
        context = attend_one(
            query * self.key_head_size**-0.5, keys, values, bias, tables
        )
        joined = tf.reshape(
            tf.transpose(context, [0, 2, 1, 3]),
            [-1, self.num_heads * self.value_head_size],
        )
        joined = tf.cast(joined, self.compute_dtype)
        return project(self, "output", joined), cache

    def step_bias(self, mask, cache, beams):
        """Returns what is added to a step's logits; see `step`.

        It is the same for all layers of a stack.

        Args:
            mask: optional bool tensor `(batch, beams, places)`, whose last
                places are those of `cache` and of the step itself.
            cache: dict from `init_cache` or from the step before.
            beams: int or int32 scalar tensor.
        Returns:
            Float32 tensor that broadcasts to `(batch, num_heads, beams, 1,
            places)`; None = nothing.
        """
        earlier = shape_of(cache["key"])[2]
        radius = self.variant.local_attention_radius
        mask = near_places(mask, radius, earlier, beams)
        bias = None if mask is None else attention_bias(mask)
        added = self.positions.place_bias(earlier, beams)
        if added is None:
            return bias
        added = added[None, :, None, None]
        return added if bias is None else bias + added

    def _project_all(self, query, key, value, memory):
        """Returns the heads' query, key and value by name."""
        if self.projection == "self":
            parts = ("query", "key", "value")
            return dict(zip(parts, self._project(query, parts), strict=True))
        if memory is None:
            memory = self.project_memory(key, value)
        (heads,) = self._project(query, ("query",))
        return {"query": heads, "key": memory["key"], "value": memory["value"]}

    def _attend(self, heads, attention_mask, earlier, training):
        """Returns the output `(batch, query_length, hidden)` and weights."""
        length = shape_of(heads["query"])[2]
        distances = Distances(length, length + earlier, -earlier)
        if attention_mask is not None and attention_mask.dtype != tf.bool:
            attention_mask = segment_mask(attention_mask, attention_mask)
        near = near_mask(distances, *self.variant.reach)
        mask = combine(attention_mask, near)
        context, weights, attends = attend(
            heads, mask, self.positions, distances, self._dropping(training)
        )
        output = project(self, "output", joined_heads(context))
        return output if attends is None else output * attends, weights

    def _attend_near(self, heads, attention_mask, wanted, training):
        """The same block by block; weights are None unless wanted."""
        batch, _, length, _ = shape_of(heads["query"])
        blocks = Blocks.of(length, *self.variant.reach)
        near = {
            "query": blocks.queries(heads["query"]),
            "key": blocks.keys(heads["key"]),
            "value": blocks.keys(heads["value"]),
        }
        mask = blocks.mask(attention_mask, batch)
        context, weights, attends = attend(
            *(near, mask, self.positions, blocks.distances),
            self._dropping(training),
        )
        joined = blocks.joined(joined_heads(context))
        output = project(self, "output", joined) * blocks.joined(attends)
        return output, blocks.weights(weights) if wanted else None

    def _dropping(self, training):
        return functools.partial(self.weights_dropout, training=training)

    def _project(self, inputs, parts):
        """Returns one `(batch, heads, length, head_size)` per part."""
        batch, length, _ = shape_of(inputs)
        outputs = project(self, "_".join(parts), inputs)
        return split_heads(outputs, batch, length, self._heads(parts))

    def _heads(self, parts) -> list[tuple[int, int]]:
        """Returns how many heads each part has, and their size."""
        forms = {
            "query": (self.num_heads, self.key_head_size),
            "key": (self.num_key_value_heads, self.key_head_size),
            "value": (self.num_key_value_heads, self.value_head_size),
        }
        return [forms[part] for part in parts]

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
            "variant": self.variant.to_dict(),
        }
