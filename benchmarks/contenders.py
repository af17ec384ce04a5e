"""Who trains in `train_speed.py`: ours, and the same model of each peer.

A contender is a function of a Shape that returns (train, facts): `train(count)`
makes that many whole updates from NumPy ids, with dropout and label smoothing
of 0.1 and Adam, and waits until they are done; the facts are its "parameters"
and, of ours, the "lanes" that a batch is cut into.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable

import numpy as np

DROPOUT, SMOOTHING = 0.1, 0.1
ADAM = {"betas": (0.9, 0.997), "eps": 1e-9, "lr": 1e-4}


@dataclasses.dataclass(frozen=True)
class Shape:
    """A model and the batch that it is trained on.

    Fields:
        hidden_size, filter_size, num_heads, num_layers: of encoder and
            decoder alike.
        vocab_size: int, one table for source, target and softmax.
        rows, length: of both sides of the batch, without padding.
    """

    hidden_size: int
    filter_size: int
    num_heads: int
    num_layers: int
    vocab_size: int
    rows: int
    length: int

    @property
    def matmul_flops(self) -> float:
        """Floating-point operations of one step's matrix products.

        Two for each weight and token forward, twice that backward, and the
        same for the products of queries, keys and values.
        """
        h, f = self.hidden_size, self.filter_size
        encoder = 4 * h * h + 2 * h * f + 2 * self.length * h
        decoder = 8 * h * h + 2 * h * f + 4 * self.length * h
        weights = self.num_layers * (encoder + decoder) + h * self.vocab_size
        return 6.0 * weights * self.rows * self.length

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns source and target ids, int64 (rows, length)."""
        rng = np.random.default_rng(0)
        size = (self.rows, self.length)
        ids = rng.integers(4, self.vocab_size, (2, *size))
        return ids[0], ids[1]


SHAPES = {
    "base": Shape(512, 2048, 8, 6, 32768, 32, 32),
    "tiny": Shape(128, 512, 4, 2, 8192, 96, 32),
}


def ours(shape: Shape, precision: str, xla: bool, lanes="auto", changes=None):
    """t2t_lite's model and train step, as t2t_lite_trainer makes them."""
    step, num_lanes = our_step(shape, precision, xla, lanes, changes)
    source, target = (ids.astype(np.int32) for ids in shape.batch())
    counter = iter(range(1, 1 << 30))

    def train(count):
        for _ in range(count):
            batch = {"inputs": source, "targets": target}
            float(step.update([batch], next(counter), ADAM["lr"])["loss"])

    return train, {"parameters": _size(step), "lanes": num_lanes}


def our_step(
    shape: Shape, precision: str, xla: bool, lanes="auto", changes=None
):
    """Returns (t2t_lite's train step for a model, the lanes it takes).

    To be called before TensorFlow computes anything, for threads are set.

    Args:
        shape, xla: of the model and its step.
        precision, lanes: str, as the trainer's flags.
        changes: dict of further hyperparameters.
    """
    import tensorflow as tf

    from t2t_lite.models.resolve import build
    from t2t_lite.models.transformer import TransformerHParams
    from t2t_lite.trainer import strategies
    from t2t_lite.trainer.lanes import set_threads
    from t2t_lite.trainer.memory import keep_freed_memory
    from t2t_lite.trainer.step import TrainStep

    keep_freed_memory()
    choice = strategies.choose_lanes(lanes, "auto", "on" if xla else "off")
    num_lanes = int(choice.value)
    if not set_threads(num_lanes, strategies.num_cores()):
        raise RuntimeError("TensorFlow has computed something before")
    hparams = TransformerHParams(
        hidden_size=shape.hidden_size,
        filter_size=shape.filter_size,
        num_heads=shape.num_heads,
        num_hidden_layers=shape.num_layers,
        layer_prepostprocess_dropout=DROPOUT,
        attention_dropout=DROPOUT,
        relu_dropout=DROPOUT,
        **(changes or {}),
    )
    precision = strategies.choose_precision(precision).value
    policy = strategies.policy_name(precision)
    model = build("transformer", hparams, shape.vocab_size, policy)
    strategy = tf.distribute.get_strategy()
    step = TrainStep(model, hparams, strategy, xla=xla, seed=1, lanes=num_lanes)
    return step, num_lanes


def _size(step) -> int:
    return sum(int(np.prod(p.shape)) for p in step.parameters)


def keras_hub(shape: Shape, precision: str, xla: bool):
    """KerasHub's TransformerEncoder and TransformerDecoder under fit."""
    import keras
    import keras_hub as hub
    import tensorflow as tf

    keras.mixed_precision.set_global_policy(
        precision if precision == "float32" else f"mixed_{precision}"
    )
    layers = hub.layers
    ids = [keras.Input((None,), dtype="int32", name=n) for n in ("x", "y")]
    embed = layers.ReversibleEmbedding(shape.vocab_size, shape.hidden_size)

    def embedded(tokens):
        x = embed(tokens) * shape.hidden_size**0.5
        return x + layers.SinePositionEncoding()(x)

    encoded, decoded = map(embedded, ids)
    sizes = (shape.filter_size, shape.num_heads)
    options = {"dropout": DROPOUT, "normalize_first": True}
    for _ in range(shape.num_layers):
        encoded = layers.TransformerEncoder(*sizes, **options)(encoded)
    encoded = keras.layers.LayerNormalization()(encoded)
    for _ in range(shape.num_layers):
        decoded = layers.TransformerDecoder(*sizes, **options)(decoded, encoded)
    decoded = keras.layers.LayerNormalization()(decoded)
    model = keras.Model(ids, embed(decoded, reverse=True))
    model.compile(
        keras.optimizers.Adam(ADAM["lr"], *ADAM["betas"], ADAM["eps"]),
        _smoothed_loss(shape.vocab_size),
        jit_compile=xla,
    )
    source, target = (ids.astype(np.int32) for ids in shape.batch())
    features = {"x": source, "y": np.pad(target[:, :-1], ((0, 0), (1, 0)))}

    data = tf.data.Dataset.from_tensors((features, target)).repeat()

    def train(count):
        model.fit(data, steps_per_epoch=count, verbose=0)

    return train, {"parameters": model.count_params()}


def _smoothed_loss(vocab_size: int):
    """Sparse cross entropy with smoothed labels, as a Keras user writes it."""
    import keras

    def loss(targets, logits):
        logits = keras.ops.cast(logits, "float32")
        log_probs = keras.ops.log_softmax(logits)
        chosen = keras.ops.take_along_axis(
            log_probs, keras.ops.cast(targets, "int32")[..., None], axis=-1
        )[..., 0]
        mean = keras.ops.mean(log_probs, axis=-1)
        return -(1 - SMOOTHING) * chosen - SMOOTHING * mean

    return loss


def _torch_step(shape: Shape, model, loss_of, precision: str):
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    optimizer = torch.optim.Adam(model.parameters(), fused=True, **ADAM)
    model.train()

    ids = shape.batch()

    def step():
        source, target = map(torch.from_numpy, ids)
        shifted = torch.nn.functional.pad(target[:, :-1], (1, 0))
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(
            "cpu", torch.bfloat16, enabled=precision == "bfloat16"
        ):
            loss = loss_of(source, shifted, target)
        loss.backward()
        optimizer.step()
        loss.item()

    def train(count):
        for _ in range(count):
            step()

    size = sum(p.numel() for p in model.parameters())
    return train, {"parameters": size}


def marian_config(shape: Shape, **more):
    """Returns Hugging Face's MarianConfig of a shape.

    Args:
        shape: its sizes.
        more: further fields.
    """
    import transformers

    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (
            ("layers", shape.num_layers),
            ("attention_heads", shape.num_heads),
            ("ffn_dim", shape.filter_size),
        )
    }
    return transformers.MarianConfig(
        vocab_size=shape.vocab_size,
        d_model=shape.hidden_size,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        **sides,
        **more,
    )


def hugging_face(shape: Shape, precision: str, xla: bool):
    """Hugging Face's MarianMTModel under PyTorch."""
    del xla
    import torch
    import transformers

    names = ("dropout", "attention_dropout", "activation_dropout")
    config = marian_config(shape, **dict.fromkeys(names, DROPOUT))
    model = transformers.MarianMTModel(config)

    def loss_of(source, shifted, target):
        logits = model(
            input_ids=source, decoder_input_ids=shifted, use_cache=False
        ).logits
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1),
            target.flatten(),
            ignore_index=0,
            label_smoothing=SMOOTHING,
        )

    return _torch_step(shape, model, loss_of, precision)


def joeynmt(shape: Shape, precision: str, xla: bool):
    """JoeyNMT's Transformer and its own loss, under PyTorch."""
    del xla
    import types

    with contextlib.suppress(ImportError):
        # Torch's optimizer would, after JoeyNMT has loaded TensorFlow; in that
        # order the process ends by a segmentation fault.
        import triton  # noqa: F401

    from joeynmt.model import build_model
    from joeynmt.vocabulary import Vocabulary

    names = ("unk", "pad", "bos", "eos")
    special = {f"{n}_token": f"<{n}>" for n in names}
    special |= {f"{n}_id": i for i, n in enumerate(names)}
    vocabulary = Vocabulary(
        [f"t{i}" for i in range(shape.vocab_size - len(names))],
        types.SimpleNamespace(
            sep_token=None, sep_id=None, lang_tags=[], **special
        ),
    )
    side = {
        "type": "transformer",
        "num_layers": shape.num_layers,
        "num_heads": shape.num_heads,
        "hidden_size": shape.hidden_size,
        "ff_size": shape.filter_size,
        "dropout": DROPOUT,
        "layer_norm": "pre",
    }
    embeddings = {"embedding_dim": shape.hidden_size, "scale": True}
    side["embeddings"] = {**embeddings, "dropout": DROPOUT}
    model = build_model(
        {
            "encoder": dict(side),
            "decoder": dict(side),
            "tied_embeddings": True,
            "tied_softmax": True,
        },
        vocabulary,
        vocabulary,
    )
    model.loss_function = ("crossentropy", SMOOTHING)

    def loss_of(source, shifted, target):
        total = model(
            return_type="loss",
            src=source,
            trg_input=shifted + 2 * (shifted == 0),  # 2 begins a sentence
            trg=target,
            src_mask=(source != 1)[:, None],
            trg_mask=(target != 1)[:, None],
            src_length=(source != 1).sum(1),
        )[0]
        return total / target.numel()

    return _torch_step(shape, model, loss_of, precision)


CONTENDERS: dict[str, tuple[Callable, str, bool]] = {
    "t2t_lite float32": (ours, "float32", False),
    "t2t_lite bfloat16": (ours, "bfloat16", False),
    "t2t_lite float32 lanes=1": (
        functools.partial(ours, lanes="1"),
        "float32",
        False,
    ),
    "t2t_lite float32 XLA": (ours, "float32", True),
    "Hugging Face float32": (hugging_face, "float32", False),
    "Hugging Face bfloat16": (hugging_face, "bfloat16", False),
    "JoeyNMT float32": (joeynmt, "float32", False),
    "JoeyNMT bfloat16": (joeynmt, "bfloat16", False),
    "KerasHub fit float32": (keras_hub, "float32", False),
    "KerasHub fit float32 XLA": (keras_hub, "float32", True),
    "KerasHub fit bfloat16": (keras_hub, "bfloat16", False),
}
