"""Tensor2Tensor's checkpoints, read: every tensor once, and the same logits."""

import dataclasses

import numpy as np
import pytest

from t2t_lite.errors import UserError
from t2t_lite.models.resolve import build
from t2t_lite.trainer import inference, t2t_checkpoint, t2t_import
from tests import t2t_files, t2t_forward
from tests.t2t_files import ENTRIES, HPARAMS, STEP

VARIANTS = {
    "pre-norm, shared": {},
    "post-norm": {
        "layer_preprocess_sequence": "none",
        "layer_postprocess_sequence": "dan",
    },
    "three tables": {"shared_embedding_and_softmax_weights": False},
    "embeddings as they are": {"multiply_embedding_mode": "none"},
    "other head sizes": {
        "attention_key_channels": 4,
        "attention_value_channels": 12,
    },
    "more layers": {"num_encoder_layers": 3, "num_decoder_layers": 0},
    "one shard": {"symbol_modality_num_shards": 1},
}


def read(prefix, vocabulary, **changes):
    return t2t_import.read(
        t2t_import.Source(str(prefix), str(vocabulary), **changes)
    )


def model_of(imported):
    model = build(
        "transformer",
        imported.hparams,
        imported.encoder.vocab_size,
        "float32",
    )
    inference.assign_weights(model, imported.tensors, "the import")
    return model


def padded_batch(rows, seed=0):
    """Ids of several lengths, padded; the end mark alone among them."""
    rng = np.random.default_rng(seed)
    batch = {}
    for name, lengths in (("inputs", [9, 1, 4]), ("targets", [1, 7, 3])):
        ids = rng.integers(1, rows, (3, 9)).astype("int32")
        batch[name] = ids * (np.arange(9) < np.array(lengths)[:, None])
    return batch


@pytest.fixture
def checkpoint(tmp_path):
    """Writes a checkpoint of some hparams; returns its files and arrays."""

    def written(changes=(), **options):
        hparams = HPARAMS | dict(changes)
        arrays = t2t_files.tensors(hparams, **options)
        files = t2t_files.write(tmp_path / "t2t", arrays, hparams)
        return *files, arrays, hparams

    return written


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("space", [True, False])
def test_logits_are_those_of_tensor2tensors_formulas(checkpoint, name, space):
    prefix, vocabulary, arrays, hparams = checkpoint(
        VARIANTS[name], space=space
    )
    imported = read(prefix, vocabulary)
    batch = padded_batch(len(ENTRIES))
    expected = t2t_forward.logits(
        arrays, hparams, **batch, space=8 if space else None
    )
    found = model_of(imported)(batch).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_logits_of_the_real_checkpoint():
    folder = t2t_files.real()
    prefix = str(folder / "model.ckpt-1")
    imported = read(prefix, folder / t2t_files.REAL_VOCABULARY)
    arrays = t2t_checkpoint.read_tensors(prefix)
    batch = padded_batch(8190)
    hparams = t2t_import.t2t_hparams.read(str(folder / "hparams.json"))
    expected = t2t_forward.logits(arrays, hparams, **batch, space=8)
    found = model_of(imported)(batch).numpy()
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    texts = ["Zwei Männer stehen am Herd.", "A small dog sleeps."]
    ids = imported.encoder.encode_batch(texts)
    assert imported.encoder.decode_batch(ids) == texts


def test_the_reference_sees_the_target_space_and_the_padding():
    """What the law above could not fail without."""
    arrays = t2t_files.tensors(HPARAMS)
    batch = padded_batch(len(ENTRIES))
    here = t2t_forward.logits(arrays, HPARAMS, **batch, space=8)
    there = t2t_forward.logits(arrays, HPARAMS, **batch, space=3)
    assert np.abs(here - there).max() > 1e-2
    wide = {k: np.pad(v, [[0, 0], [0, 3]]) for k, v in batch.items()}
    same = t2t_forward.logits(arrays, HPARAMS, **wide, space=8)
    np.testing.assert_allclose(same[:, :9], here, atol=1e-9)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("state", [True, False])
def test_every_tensor_is_used_once_or_named(checkpoint, name, state):
    prefix, vocabulary, arrays, _ = checkpoint(VARIANTS[name])
    imported = read(prefix, vocabulary, optimizer_state=state)
    used, left_out = set(imported.uses), set(imported.left_out)
    assert used | left_out == set(arrays)
    assert not used & left_out
    parts = [n for weight in imported.weights for n, _ in weight.parts]
    assert len(parts) == len(set(parts))
    slots = ("/Adam", "/Adam_1")
    weights = {n for n in arrays if n.startswith("transformer/")}
    assert set(parts) == weights
    assert (len(used) == 3 * len(weights)) == state
    moments = {n for n in arrays if n.endswith(slots)}
    assert (moments <= used) == state
    sizes = sum(arrays[n].size for n in weights)
    made = {
        n: value
        for n, value in imported.tensors.items()
        if n.startswith("model/")
    }
    assert sum(value.size for value in made.values()) == sizes
    names = {f"model/{v.path}" for v in model_of(imported).weights}
    assert set(made) == names


def test_every_tensor_of_the_real_checkpoint():
    folder = t2t_files.real()
    imported = read(folder, folder / t2t_files.REAL_VOCABULARY)
    assert imported.step == 1
    assert imported.hparams.target_space_id == 8
    parts = [p for weight in imported.weights for p in weight.parts]
    assert len(parts) == 81
    assert sum(int(np.prod(shape)) for _, shape in parts) == 139_200
    assert len(imported.uses) == 3 * 81
    assert len(imported.uses) + len(imported.left_out) == 250


def test_the_real_vocabularies_are_told_apart():
    folder = t2t_files.real()
    wrong = folder / "vocab.translate_ende_wmt32k.32768.subwords"
    for vocabulary in (wrong, None):
        source = t2t_import.Source(str(folder), vocabulary and str(vocabulary))
        with pytest.raises(UserError) as error:
            t2t_import.read(source)
        message = str(error.value)
        assert "8190" in message
        assert "wmt32k.32768.subwords (33708 entries) does not fit" in message
        assert "wmt8k.8192.subwords (8190 entries) fits" in message


def test_moments_are_put_together_as_their_weights(checkpoint):
    prefix, vocabulary, arrays, _ = checkpoint()
    imported = read(prefix, vocabulary)
    assert imported.step == STEP
    place = "transformer/body/decoder/layer_0/encdec_attention"
    ours = "transformer/decoder/layer_0/memory_attention/key_value_kernel"
    for theirs, slot in (("Adam", "m"), ("Adam_1", "v")):
        expected = np.concatenate(
            [
                arrays[
                    f"training/{place}/multihead_attention/{k}/kernel/{theirs}"
                ]
                for k in ("k", "v")
            ],
            axis=1,
        )
        found = imported.tensors[f"optimizer/{ours}/{slot}"]
        np.testing.assert_array_equal(found, expected)


def test_without_moments_training_begins_anew(checkpoint):
    prefix, vocabulary, *_ = checkpoint(adam=False)
    imported = read(prefix, vocabulary, target_space_id=3)
    assert imported.step == 0
    assert imported.hparams.target_space_id == 3
    slots = [
        value
        for name, value in imported.tensors.items()
        if name.endswith(("/m", "/v"))
    ]
    assert len(slots) == 2 * len(imported.weights)
    assert not any(value.any() for value in slots)
    assert "the checkpoint has none" in dict(imported.notes)["optimizer"]


def test_another_optimizer_begins_anew(checkpoint):
    prefix, vocabulary, *_ = checkpoint()
    imported = read(prefix, vocabulary, hparams="optimizer=adafactor")
    assert imported.step == 0
    assert any(name.endswith("/row") for name in imported.tensors)
    moments = {n for n, why in imported.left_out.items() if "slots" in why}
    assert len(moments) == 2 * sum(len(w.parts) for w in imported.weights)


def test_rows_that_a_vocabulary_was_rounded_up_to(checkpoint):
    """T2T's vocab_divisor: ids that no text has, and that decode to nothing."""
    rows = len(ENTRIES) + 64 - len(ENTRIES) % 64
    prefix, vocabulary, arrays, hparams = checkpoint(
        {"vocab_divisor": 64}, rows=rows
    )
    imported = read(prefix, vocabulary)
    assert imported.encoder.vocab_size == rows
    assert imported.encoder.entries[: len(ENTRIES)] == tuple(ENTRIES)
    assert imported.encoder.decode([len(ENTRIES), rows - 1]) == ""
    assert "empty entries added" in dict(imported.notes)["vocabulary"]
    batch = padded_batch(rows)
    expected = t2t_forward.logits(arrays, hparams, **batch, space=8)
    found = model_of(imported)(batch).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["folder", "prefix", "index", "data"])
def test_a_checkpoint_is_found_by_any_of_its_names(checkpoint, form):
    prefix, *_ = checkpoint()
    name = {
        "folder": prefix.parent,
        "prefix": prefix,
        "index": f"{prefix}.index",
        "data": f"{prefix}.data-00000-of-00001",
    }[form]
    assert t2t_checkpoint.find_checkpoint(str(name)) == str(prefix)


def _drop(arrays, name):
    del arrays[name]


def _reshape(arrays, name):
    arrays[name] = arrays[name].T[..., :-1]


def _retype(arrays, name):
    arrays[name] = arrays[name].astype("float16")


CONV = "transformer/body/encoder/layer_1/ffn/conv2/kernel"
SHARD = f"transformer/symbol_modality_{len(ENTRIES)}_8/shared/weights_1"
DAMAGE = {
    "missing weight": (_drop, CONV, f"tensor {CONV} is missing"),
    "misshapen weight": (_reshape, CONV, f"tensor {CONV} has the shape"),
    "weight of another type": (_retype, CONV, f"tensor {CONV} is of float16"),
    "missing shard": (_drop, SHARD, f"tensor {SHARD} is missing"),
    "missing moments": (
        _drop,
        f"training/{CONV}/Adam",
        f"tensor training/{CONV}/Adam is missing, expected of shape (12, 8); "
        "--nooptimizer_state takes the weights alone",
    ),
    "missing step": (_drop, "global_step", "tensor global_step is missing"),
    "missing beta": (
        _drop,
        "training/beta2_power",
        "tensor beta2_power is None",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_missing_or_misshapen_is_named(tmp_path, name):
    change, tensor, message = DAMAGE[name]
    arrays = t2t_files.tensors(HPARAMS)
    change(arrays, tensor)
    prefix, vocabulary = t2t_files.write(tmp_path, arrays)
    with pytest.raises(UserError) as error:
        read(prefix, vocabulary)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{prefix}: ")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"transformer/body/relative": np.zeros(3, "f")}, "has no place in"),
        ({f"{CONV}/more/Adam": np.zeros(3, "f")}, "has no place in this"),
        (
            {SHARD[:-1] + "3": np.zeros((1, 8), "f")},
            "symbol_modality_num_shards=3, and 4 such tensors are there",
        ),
        (
            {"transformer/symbol_modality_9_8/shared/weights_0": np.eye(8)},
            "expected one vocabulary for sources and targets",
        ),
        ({"global_step": np.int64(-1)}, "global_step is missing, or no number"),
        ({"global_step": np.int64(10**9)}, "or no number of updates"),
        ({"global_step": np.int64(STEP + 9)}, "are of another run"),
    ],
)
def test_what_does_not_belong_is_named(tmp_path, more, message):
    prefix, vocabulary = t2t_files.write(
        tmp_path, t2t_files.tensors(HPARAMS) | more
    )
    with pytest.raises(UserError) as error:
        read(prefix, vocabulary)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 16}, "but hidden_size=16"),
        ({"num_hidden_layers": 10**6}, "encoder/layer_2/self_attention"),
        ({"filter_size": 13}, "has the shape (8, 12), expected (8, 13)"),
        ({"num_heads": 3}, "hparam num_heads: expected a divisor"),
        ({"symbol_modality_num_shards": 10**9}, "weights_3 is missing"),
        ({"symbol_modality_num_shards": "x"}, "num_shards='x', and 3 such"),
        ({"use_target_space_embedding": False}, "is there; the checkpoint"),
        (
            {
                "layer_preprocess_sequence": "none",
                "layer_postprocess_sequence": "dan",
            },
            "layer_postprocess/layer_norm/layer_norm_scale is missing",
        ),
    ],
)
def test_hparams_of_another_model(tmp_path, changes, message):
    prefix, vocabulary = t2t_files.write(
        tmp_path, t2t_files.tensors(HPARAMS), HPARAMS | changes
    )
    with pytest.raises(UserError) as error:
        read(prefix, vocabulary)
    assert message in str(error.value)


def test_a_target_space_that_nobody_can_know(checkpoint):
    prefix, vocabulary, *_ = checkpoint(adam=False)
    with pytest.raises(UserError, match="--target_space_id is missing"):
        read(prefix, vocabulary)


def test_a_target_space_that_the_model_lacks(checkpoint):
    prefix, vocabulary, *_ = checkpoint(space=False)
    assert read(prefix, vocabulary).hparams.target_space_id is None
    with pytest.raises(UserError, match="leave the flag out"):
        read(prefix, vocabulary, target_space_id=8)


def test_a_checkpoint_of_another_kind(tmp_path):
    arrays = {"model/dense/kernel": np.zeros((2, 2), "f")}
    prefix, vocabulary = t2t_files.write(tmp_path, arrays)
    with pytest.raises(UserError) as error:
        read(prefix, vocabulary)
    assert "such as model/dense/kernel; give a checkpoint of" in str(
        error.value
    )


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_files(checkpoint, part, damage):
    prefix, vocabulary, *_ = checkpoint()
    path = prefix.with_name(f"{prefix.name}.{part}")
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read(prefix, vocabulary)
    told = "no such checkpoint" if damage == "gone" else "is damaged, or no"
    assert told in str(error.value) or "is damaged, or no" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_every_field_of_what_is_imported_is_documented():
    fields = {f.name for f in dataclasses.fields(t2t_import.Imported)}
    assert all(f"{name}:" in t2t_import.Imported.__doc__ for name in fields)
