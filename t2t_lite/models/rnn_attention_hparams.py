"""The sizes and choices of a recurrent model with attention."""

from __future__ import annotations

import dataclasses

from t2t_lite.hparams import HParams, require, require_choice

_SAME_SIZES = ("dot", "scaled_dot")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RnnAttentionHParams(HParams):
    """Hyperparameters of `RnnAttention`; the defaults are RNNsearch's sizes.

    Fields beside those of `HParams`:
        architecture: "bahdanau" (attention, then the recurrence, then a maxout
            layer) or "luong" (the recurrence, then attention).
        cell: "gru" or "lstm".
        embedding_size: size of the embeddings.
        hidden_size: size of a state, in each direction of the encoder.
        num_hidden_layers: layers of encoder and decoder each.
        bidirectional: an encoder that reads both ways.
        use_attention: whether the decoder looks at the source; if not, it sees
            of it but the encoder's final state.
        score, alignment, window: of `layers.Seq2SeqAttention`; a window goes
            with "local-m" and "local-p".
        alignment_size: size of the hidden layer of score "concat" and of
            "local-p"; none = hidden_size.
        maxout_size: size of the maxout layer's output ("bahdanau").
        input_feeding: what came out of a step goes into the next ("luong").
        dropout: on embeddings, between layers, and before the softmax.
        shared_embedding: "all" (source, target and softmax are one table),
            "target_softmax" or "none"; the first two want all of one size.
        initializer: "glorot" (recurrent weights orthogonal), "gaussian"
            (Bahdanau et al.'s: recurrent weights orthogonal, v zero, those of
            the attention of deviation 0.001, all others 0.01) or "uniform"
            (Luong et al.'s: all in [-0.1, 0.1]).
    """

    architecture: str = "bahdanau"
    cell: str = "gru"
    embedding_size: int = 620
    hidden_size: int = 1000
    num_hidden_layers: int = 1
    bidirectional: bool = True
    use_attention: bool = True
    score: str = "concat"
    alignment: str = "global"
    window: int | None = None
    alignment_size: int | None = None
    maxout_size: int = 500
    input_feeding: bool = False
    dropout: float = 0.0
    shared_embedding: str = "none"
    initializer: str = "glorot"

    def __post_init__(self):
        super().__post_init__()
        for name in (
            "embedding_size",
            "hidden_size",
            "num_hidden_layers",
            "maxout_size",
            "window",
            "alignment_size",
        ):
            value = getattr(self, name)
            require(value is None or value > 0, name, "an int above 0", value)
        rate = self.dropout
        require(0 <= rate < 1, "dropout", "a rate in [0, 1)", rate)
        for name, choices in _CHOICES.items():
            require_choice(name, getattr(self, name), choices)
        require(
            not self.pack,
            "pack",
            "false, for a state runs on over the examples of a row",
            self.pack,
        )
        self._check_attention()
        self._check_tables()

    def _check_attention(self) -> None:
        local = self.alignment != "global"
        require(
            (self.window is not None) == local,
            "window",
            f"{'an int above 0' if local else 'none'} with alignment="
            f"{self.alignment}",
            self.window,
        )
        if self.bidirectional and self.use_attention:
            require(
                self.score not in _SAME_SIZES,
                "score",
                "general, concat or location with bidirectional=true, for the "
                "encoder's states are twice as large as the decoder's",
                self.score,
            )
        if self.input_feeding:
            require(
                self.architecture == "luong" and self.use_attention,
                "input_feeding",
                "false but for architecture=luong with use_attention=true",
                self.input_feeding,
            )

    def _check_tables(self) -> None:
        require(
            self.shared_embedding == "none"
            or self.embedding_size == self.output_size,
            "shared_embedding",
            f"none with embedding_size={self.embedding_size} and a softmax "
            f"of {self.output_size}, which would be one table",
            self.shared_embedding,
        )

    @property
    def memory_size(self) -> int:
        """Size of the encoder's states."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def first_state(self) -> str:
        """Where the decoder's first state comes from; see its layers."""
        if not self.bidirectional:
            return "copy"
        return "backward" if self.use_attention else "both"

    @property
    def output_size(self) -> int:
        """Size of what the softmax sees."""
        if self.architecture == "bahdanau":
            return self.maxout_size
        return self.hidden_size


_CHOICES = {
    "architecture": ("bahdanau", "luong"),
    "cell": ("gru", "lstm"),
    "score": ("dot", "scaled_dot", "general", "concat", "location"),
    "alignment": ("global", "local-m", "local-p"),
    "shared_embedding": ("all", "target_softmax", "none"),
    "initializer": ("glorot", "gaussian", "uniform"),
}


def least_parameters(h: RnnAttentionHParams, vocab_size: int) -> int:
    """Returns the number of a model's parameters, biases not counted."""
    gates = 3 if h.cell == "gru" else 4
    size, memory = h.hidden_size, h.memory_size

    def cell(*inputs: int) -> int:
        return gates * size * (sum(inputs) + size)

    directions = 2 if h.bidirectional else 1
    above = h.num_hidden_layers - 1
    encoder = directions * (cell(h.embedding_size) + above * cell(memory))
    context = size if h.input_feeding else 0
    if h.architecture == "bahdanau" and h.use_attention:
        context = memory
    decoder = cell(h.embedding_size, context) + above * cell(size)
    if h.first_state != "copy":
        states = h.num_hidden_layers * (1 if h.cell == "gru" else 2)
        decoder += states * size * size * (2 if h.first_state == "both" else 1)
    seen = memory if h.use_attention else 0
    if h.architecture == "bahdanau":
        decoder += 2 * h.maxout_size * (size + h.embedding_size + seen)
    elif h.use_attention:
        decoder += size * (size + seen)
    tables = {"all": 1, "target_softmax": 2, "none": 2}[h.shared_embedding]
    rows = tables * h.embedding_size
    rows += h.output_size if h.shared_embedding == "none" else 0
    return encoder + decoder + _of_attention(h) + rows * vocab_size


def _of_attention(h: RnnAttentionHParams) -> int:
    if not h.use_attention:
        return 0
    size, units = h.hidden_size, h.alignment_size or h.hidden_size
    found = {
        "general": h.memory_size * size,
        "concat": units * (size + h.memory_size + 1),
        "location": size * h.max_length,
    }.get(h.score, 0)
    if h.alignment == "local-p":
        found += units * (size + 1)
    return found
