"""The variants of attention in NumPy, pair by pair, from the papers."""

from __future__ import annotations

import math

import numpy as np


def attention(layer, states, mask):
    """Returns the output and weights of self-attention.

    Args:
        layer: built MultiHeadAttention with projection "self", without bias.
        states: float array `(batch, length, hidden_size)`.
        mask: bool array that broadcasts to `(batch, length, length)`.
    """
    batch, length, _ = states.shape
    mask = np.broadcast_to(mask, (batch, length, length)) & allowed(
        layer.variant, length
    )
    queries, keys, values = heads_of(layer, states)
    weights = np.zeros((batch, layer.num_heads, length, length))
    context = np.zeros((batch, length, layer.num_heads, values.shape[-1]))
    added = np.zeros(values.shape[-1])
    for b, h, i in np.ndindex(batch, layer.num_heads, length):
        group = h * layer.num_key_value_heads // layer.num_heads
        seen = np.flatnonzero(mask[b, i])
        if not len(seen):
            continue
        logits = np.array(
            [
                logit(layer, queries[b, i, h], keys[b, j, group], h, (i, j))
                for j in seen
            ]
        )
        found = np.exp(logits - logits.max())
        weights[b, h, i, seen] = found / found.sum()
        for j in seen:
            if layer.variant.position == "relative":
                added = clipped_row(
                    layer.positions.value_embeddings, layer, i, j
                )
            context[b, i, h] += weights[b, h, i, j] * (
                values[b, j, group] + added
            )
    output = context.reshape(batch, length, -1) @ layer.output_kernel.numpy()
    return output, weights


def allowed(variant, length):
    """Returns the pairs within reach, bool `(length, length)`."""
    found = np.ones((length, length), bool)
    for i, j in np.ndindex(length, length):
        if variant.causal and j > i:
            found[i, j] = False
        radius = variant.local_attention_radius
        if radius is not None and abs(i - j) > radius:
            found[i, j] = False
    return found


def heads_of(layer, states):
    """Returns queries, keys and values `(batch, length, heads, size)`."""
    kernel = layer.query_key_value_kernel.numpy()
    own, shared = layer.num_heads, layer.num_key_value_heads
    key_size, value_size = layer.key_head_size, layer.value_head_size
    bounds = np.cumsum([own * key_size, shared * key_size])
    parts = np.split(states @ kernel, bounds, axis=-1)
    forms = [(own, key_size), (shared, key_size), (shared, value_size)]
    return [
        part.reshape(*states.shape[:2], *form)
        for part, form in zip(parts, forms, strict=True)
    ]


def logit(layer, query, key, head, pair):
    """Returns the logit of one pair of positions in one head."""
    position, (i, j) = layer.variant.position, pair
    if position == "rotary":
        query, key = (
            turned(vector, place, layer.variant.rotary_base)
            for vector, place in ((query, i), (key, j))
        )
    if position == "relative":
        key = key + clipped_row(layer.positions.key_embeddings, layer, i, j)
    found = query @ key / math.sqrt(len(query))
    if position == "alibi":
        found -= slope(head, layer.num_heads) * abs(i - j)
    if position == "t5_bias":
        table = layer.positions.embeddings.numpy()
        found += table[bucket(layer.variant, j - i), head]
    return found


def clipped_row(table, layer, i, j):
    """Shaw et al. 2018: w_clip(j - i, k)."""
    most = layer.variant.max_relative_position
    return table.numpy()[max(-most, min(most, j - i)) + most]


def turned(vector, place, base):
    """Su et al. 2021, equation 34, with pairs (p, p + d / 2) for (2p, 2p + 1).

    Complex numbers: multiplied by e^(i m theta_p), theta_p = base^(-2p / d).
    """
    half = len(vector) // 2
    numbers = vector[:half] + 1j * vector[half:]
    angles = place * base ** (-2 * np.arange(half) / len(vector))
    numbers = numbers * np.exp(1j * angles)
    return np.concatenate([numbers.real, numbers.imag])


def slope(head, num_heads):
    """Press et al. 2022: a geometric sequence from 2^(-8/n) with that ratio."""
    power = 2 ** math.floor(math.log2(num_heads))
    if head < power:
        return (2 ** (-8 / power)) ** (head + 1)
    return (2 ** (-8 / (2 * power))) ** (2 * (head - power) + 1)


def bucket(variant, distance):
    """Raffel et al. 2020, as in their code: key less query to bucket."""
    number = variant.relative_attention_num_buckets
    found, size = 0, max(-distance, 0)
    if not variant.causal:
        number //= 2
        found, size = number * (distance > 0), abs(distance)
    exact = number // 2
    if size < exact:
        return found + size
    share = math.log(size / exact) / math.log(
        variant.relative_attention_max_distance / exact
    )
    return found + min(exact + int(share * (number - exact)), number - 1)
