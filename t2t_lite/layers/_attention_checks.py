"""What attention is called with, checked."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def default_head_size(
    hidden_size: int, num_heads: int, head_sizes: tuple[int | None, ...]
) -> int:
    """Returns hidden_size / num_heads, which must exist where it is used.

    Raises:
        ValueError: a head size is None, and there is no such number.
    """
    if None in head_sizes and hidden_size % num_heads:
        raise ValueError(
            "hidden_size must be a multiple of num_heads, or both "
            "key_head_size and value_head_size given; got hidden_size="
            f"{hidden_size}, num_heads={num_heads}."
        )
    return hidden_size // num_heads


def check_sources(projection: str, cache: Any, **sources: Any) -> None:
    """Raises ValueError unless the sources go with the projection.

    Args:
        projection: str, of `MultiHeadAttention`.
        cache: the argument of a call.
        **sources: the arguments key, value and memory.
    """
    given = {name for name, value in sources.items() if value is not None}
    allowed = {
        "self": [set()],
        "memory": [{"key"}, {"memory"}],
        "separate": [{"key", "value"}, {"memory"}],
    }[projection]
    if given not in allowed:
        forms = " or ".join(
            " and ".join(sorted(form)) or "neither key, value nor memory"
            for form in allowed
        )
        raise ValueError(
            f"projection={projection!r} takes {forms}, got "
            f"{', '.join(sorted(given)) or 'none of them'}."
        )
    if cache is not None and projection != "self":
        raise ValueError(
            "cache goes with projection='self', got projection="
            f"{projection!r}; use memory."
        )


def check_mask(attention_mask: tf.Tensor | None, segments: bool) -> None:
    """Raises ValueError unless it is a mask.

    Args:
        attention_mask: the argument of a call.
        segments: bool, whether it may be int segments `(batch, length)`.
    """
    if attention_mask is None:
        return
    rank, dtype = attention_mask.shape.rank, attention_mask.dtype
    if rank == 3 and dtype == tf.bool:
        return
    if segments and rank == 2 and dtype.is_integer:
        return
    raise ValueError(
        "attention_mask must be a bool tensor (batch, query_length or 1, "
        "key_length)"
        + (", or int segments (batch, length)" if segments else "")
        + f", got {dtype.name} of shape {attention_mask.shape}."
    )
