"""Small Tensor2Tensor checkpoints and vocabularies, made for tests."""

import gzip
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

SHARED = pathlib.Path(__file__).parents[1].parent / "shared/data"
REAL = SHARED / "t2t_checkpoint"
MULTI30K = SHARED / "multi30k"
REAL_VOCABULARY = "vocab.translate_ende_wmt8k.8192.subwords"
CHARACTERS = "<pad>EOS\\_u;0123456789"
WORDS = ["the_", "small_", "dog_", "cat_", "sle", "eps_", "ing_", ". _", "._"]
ENTRIES = [
    "<pad>",
    "<EOS>",
    *WORDS,
    *dict.fromkeys(CHARACTERS + "".join(WORDS)),
]
HPARAMS = {
    "hidden_size": 8,
    "filter_size": 12,
    "num_heads": 2,
    "num_hidden_layers": 2,
    "num_encoder_layers": 0,
    "num_decoder_layers": 1,
    "attention_key_channels": 0,
    "attention_value_channels": 0,
    "layer_preprocess_sequence": "n",
    "layer_postprocess_sequence": "da",
    "layer_prepostprocess_dropout": 0.0,
    "attention_dropout": 0.0,
    "relu_dropout": 0.0,
    "norm_type": "layer",
    "norm_epsilon": 1e-6,
    "pos": "timing",
    "ffn_layer": "dense_relu_dense",
    "self_attention_type": "dot_product",
    "multiply_embedding_mode": "sqrt_depth",
    "shared_embedding_and_softmax_weights": True,
    "symbol_modality_num_shards": 3,
    "batch_size": 128,
    "max_length": 32,
    "label_smoothing": 0.1,
    "optimizer": "Adam",
    "optimizer_adam_beta1": 0.9,
    "optimizer_adam_beta2": 0.98,
    "optimizer_adam_epsilon": 1e-9,
    "clip_grad_norm": 0.0,
    "learning_rate": 0.1,
    "learning_rate_decay_scheme": "noam",
    "learning_rate_warmup_steps": 100,
    "initializer": "uniform_unit_scaling",
    "weight_decay": 0.0,
}
STEP = 7


def real():
    """The folder of the real checkpoint; skips where it is missing."""
    if not (REAL / "model.ckpt-1.index").is_file():
        pytest.skip(f"no real checkpoint of Tensor2Tensor in {REAL}")
    return REAL


def multi30k(language):
    """All of Multi30k's raw lines; skips where it is missing."""
    if not MULTI30K.is_dir():
        pytest.skip(f"no Multi30k in {MULTI30K}")
    lines = []
    for split in ("train", "val", "test_2016_flickr"):
        with gzip.open(MULTI30K / f"{split}.{language}.gz", "rb") as file:
            lines += file.read().decode().split("\n")[:-1]
    assert len(lines) == 29_000 + 1_014 + 1_000
    return lines


def weight_shapes(hparams, rows, space=True):
    """Returns {name: shape} of all weights of a Transformer."""
    size, inner = hparams["hidden_size"], hparams["filter_size"]
    keys = hparams["attention_key_channels"] or size
    values = hparams["attention_value_channels"] or size
    shards = hparams["symbol_modality_num_shards"]
    shared = hparams["shared_embedding_and_softmax_weights"]
    pre = hparams["layer_preprocess_sequence"] == "n"
    order = "layer_prepostprocess" if pre else "layer_postprocess"
    scope = f"symbol_modality_{rows}_{size}"
    shapes = {}
    for table in ["shared"] if shared else ["input_emb", "target_emb"]:
        shapes |= _table(f"{scope}/{table}", rows, size, shards)
    if not shared:
        shapes |= _table(f"{scope}/softmax", rows, size, shards)
    if space:
        shapes["body/target_space_embedding/kernel"] = (32, size)

    def norm(place):
        for part in ("scale", "bias"):
            shapes[f"{place}/layer_norm/layer_norm_{part}"] = (size,)

    for stack in ("encoder", "decoder"):
        count = hparams[f"num_{stack}_layers"] or hparams["num_hidden_layers"]
        for layer in range(count):
            place = f"body/{stack}/layer_{layer}"
            names = ["self_attention"]
            names += ["encdec_attention"] if stack == "decoder" else []
            for name in names:
                inside = f"{place}/{name}/multihead_attention"
                shapes[f"{inside}/q/kernel"] = (size, keys)
                shapes[f"{inside}/k/kernel"] = (size, keys)
                shapes[f"{inside}/v/kernel"] = (size, values)
                shapes[f"{inside}/output_transform/kernel"] = (values, size)
            shapes[f"{place}/ffn/conv1/kernel"] = (size, inner)
            shapes[f"{place}/ffn/conv1/bias"] = (inner,)
            shapes[f"{place}/ffn/conv2/kernel"] = (inner, size)
            shapes[f"{place}/ffn/conv2/bias"] = (size,)
            for name in [*names, "ffn"]:
                norm(f"{place}/{name}/{order}")
        if pre:
            norm(f"body/{stack}/layer_prepostprocess")
    return {f"transformer/{name}": shape for name, shape in shapes.items()}


def _table(place, rows, size, shards):
    return {
        f"{place}/weights_{i}": (rows // shards + (i < rows % shards), size)
        for i in range(shards)
    }


def tensors(hparams, rows=None, space=True, adam=True, seed=0):
    """Returns the arrays of a checkpoint by name.

    As many rows as there are ENTRIES, unless it is said. The moments of the
    target space table are those of its row 8.
    """
    rows = rows or len(ENTRIES)
    rng = np.random.default_rng(seed)

    def drawn(shape):
        return rng.normal(size=shape).astype("float32")

    shapes = weight_shapes(hparams, rows, space)
    found = {name: drawn(shape) * 0.5 for name, shape in shapes.items()}
    found["global_step"] = np.int64(STEP)
    found["losses_avg/problem_0/total_loss"] = np.float32(3)
    found["train_stats/problem_0_steps"] = np.int32(STEP)
    if not adam:
        return found
    for power in (1, 2):
        beta = hparams[f"optimizer_adam_beta{power}"]
        found[f"training/beta{power}_power"] = np.float32(beta ** (STEP + 1))
    for name, shape in shapes.items():
        only = np.zeros(shape, "float32")
        only[8 if "target_space" in name else slice(None)] = 1
        found[f"training/{name}/Adam"] = drawn(shape) * 0.1 * only
        found[f"training/{name}/Adam_1"] = drawn(shape) ** 2 * 0.1 * only
    return found


def write(folder, arrays, hparams=HPARAMS, entries=ENTRIES):
    """Writes a checkpoint, its hparams.json and a vocabulary into a folder.

    Returns:
        The checkpoint's files without their endings, and the vocabulary's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix, vocabulary = folder / "model.ckpt-7", folder / "v.subwords"
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[tf.constant(value) for value in arrays.values()],
    )
    (folder / "checkpoint").write_text(
        'model_checkpoint_path: "/elsewhere/t2t/model.ckpt-7"\n'
        'all_model_checkpoint_paths: "/elsewhere/t2t/model.ckpt-7"\n'
    )
    (folder / "hparams.json").write_text(json.dumps(hparams))
    text = "".join(f"'{entry}'\n" for entry in entries)
    vocabulary.write_text(text, encoding="utf-8")
    return prefix, vocabulary
