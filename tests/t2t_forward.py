"""Tensor2Tensor's Transformer in NumPy, from its published formulas.

It reads a checkpoint's tensors by Tensor2Tensor's own names, computes in
float64, and shares nothing with the library: what it gives is what a model of
Tensor2Tensor gives without dropout.

    symbol modality  E[id] sqrt(hidden_size), zeros for id 0; logits h E^T
    layer_norm       (x - mean) / sqrt(mean((x - mean)^2) + 1e-6) scale + bias
    timing signal    [sin | cos] of position 10000^(-i / (hidden_size/2 - 1))
    encoder input    embedding + target_space_embedding[space] + timing signal
    decoder input    embeddings one to the right, zeros first, + timing signal
    "n", "da"        x + f(layer_norm(x)), and a layer_norm at the end
    "none", "dan"    layer_norm(x + f(x))
"""

import numpy as np

BIAS = -1e9


def logits(tensors, hparams, inputs, targets, space=None):
    """Returns the logits, float64 (batch, targets_length, rows).

    Args:
        tensors: arrays by name, as the checkpoint has them.
        hparams: dict, Tensor2Tensor's.
        inputs, targets: int (batch, length), 0 = padding.
        space: int, the target space id; None = the model has no such table.
    """
    model = _Model(tensors, hparams)
    states = model.encode(inputs, space)
    return model.decode(targets, states, inputs == 0)


class _Model:
    def __init__(self, tensors, hparams):
        self.tensors = {k: np.asarray(v, "float64") for k, v in tensors.items()}
        self.hparams = hparams
        self.size = hparams["hidden_size"]
        self.pre = hparams["layer_preprocess_sequence"] == "n"

    def table(self, name):
        """The shards of an embedding or softmax, one below the other."""
        if self.hparams["shared_embedding_and_softmax_weights"]:
            name = "shared"
        count = self.hparams["symbol_modality_num_shards"]
        (scope,) = {
            key.split("/")[1]
            for key in self.tensors
            if key.startswith("transformer/symbol_modality_")
        }
        return np.concatenate(
            [
                self.tensors[f"transformer/{scope}/{name}/weights_{i}"]
                for i in range(count)
            ]
        )

    def embed(self, name, ids):
        vectors = self.table(name)[ids]
        if self.hparams["multiply_embedding_mode"] == "sqrt_depth":
            vectors = vectors * self.size**0.5
        return vectors * (ids != 0)[..., None]

    def timing(self, length):
        half = self.size // 2
        step = np.log(1e4) / (half - 1)
        rates = np.exp(-step * np.arange(half))
        angles = np.arange(length)[:, None] * rates[None]
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    def encode(self, inputs, space):
        x = self.embed("input_emb", inputs)
        if space is not None:
            name = "transformer/body/target_space_embedding/kernel"
            x = x + self.tensors[name][space]
        x = x + self.timing(inputs.shape[1])
        bias = np.where(inputs == 0, BIAS, 0.0)[:, None, None]
        for scope in self.layers("encoder"):
            x = self.attend(x, None, bias, f"{scope}/self_attention")
            x = self.transform(x, f"{scope}/ffn")
        return self.last(x, "encoder")

    def decode(self, targets, states, padded):
        x = self.embed("target_emb", targets)
        x = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
        x = x + self.timing(targets.shape[1])
        length = targets.shape[1]
        future = BIAS * np.triu(np.ones((length, length)), 1)
        bias = np.where(padded, BIAS, 0.0)[:, None, None]
        for scope in self.layers("decoder"):
            x = self.attend(x, None, future, f"{scope}/self_attention")
            x = self.attend(x, states, bias, f"{scope}/encdec_attention")
            x = self.transform(x, f"{scope}/ffn")
        return self.last(x, "decoder") @ self.table("softmax").T

    def layers(self, stack):
        count = self.hparams[f"num_{stack}_layers"]
        count = count or self.hparams["num_hidden_layers"]
        return [f"transformer/body/{stack}/layer_{i}" for i in range(count)]

    def last(self, x, stack):
        if not self.pre:
            return x
        return self.norm(x, f"transformer/body/{stack}/layer_prepostprocess")

    def around(self, x, function, scope):
        if self.pre:
            return x + function(self.norm(x, f"{scope}/layer_prepostprocess"))
        return self.norm(x + function(x), f"{scope}/layer_postprocess")

    def norm(self, x, scope):
        mean = x.mean(axis=-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        scale = self.tensors[f"{scope}/layer_norm/layer_norm_scale"]
        bias = self.tensors[f"{scope}/layer_norm/layer_norm_bias"]
        return (x - mean) / np.sqrt(variance + 1e-6) * scale + bias

    def transform(self, x, scope):
        def function(x):
            part = {
                f"{c}{p}": self.tensors[f"{scope}/conv{c}/{p}"]
                for c in (1, 2)
                for p in ("kernel", "bias")
            }
            hidden = np.maximum(x @ part["1kernel"] + part["1bias"], 0)
            return hidden @ part["2kernel"] + part["2bias"]

        return self.around(x, function, scope)

    def attend(self, x, memory, bias, scope):
        def kernel(name):
            return self.tensors[f"{scope}/multihead_attention/{name}/kernel"]

        def function(x):
            seen = x if memory is None else memory
            heads = self.hparams["num_heads"]
            q, k, v = (
                self.split(part @ kernel(name), heads)
                for part, name in ((x, "q"), (seen, "k"), (seen, "v"))
            )
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(0, 1, 3, 2) + bias
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            weights = scores / scores.sum(axis=-1, keepdims=True)
            joined = (weights @ v).transpose(0, 2, 1, 3)
            joined = joined.reshape(*joined.shape[:2], -1)
            return joined @ kernel("output_transform")

        return self.around(x, function, scope)

    @staticmethod
    def split(x, heads):
        batch, length, depth = x.shape
        x = x.reshape(batch, length, heads, depth // heads)
        return x.transpose(0, 2, 1, 3)
