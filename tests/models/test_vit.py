import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite import layers
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import build, resolve
from t2t_lite.task import Task
from tests.models.small import IMAGE, features_of, small_hparams, small_model

HEIGHT, WIDTH, CHANNELS = IMAGE.image_shape


def images_of(batch):
    return batch["inputs"].reshape(-1, *IMAGE.image_shape)


def test_patches_are_cut_row_by_row_and_filled_with_zeros():
    size = 7
    model, batch = small_model("image", patch_size=size), features_of("image")
    found = model._patches(tf.constant(batch["inputs"])).numpy()
    images = images_of(batch) / 127.5 - 1.0
    assert found.min() >= -1
    assert found.max() <= 1
    whole = np.pad(images, [[0, 0], [0, 5], [0, 6], [0, 0]])
    cells = [
        whole[:, top : top + size, left : left + size].reshape(len(images), -1)
        for top in (0, 7)
        for left in (0, 7)
    ]
    np.testing.assert_allclose(found, np.stack(cells, axis=1), atol=1e-6)


def test_an_image_is_read_alone_and_by_place():
    model, batch = small_model("image"), features_of("image")
    logits = model(batch).numpy()
    assert logits.shape == (4, 1, 4)
    for i in range(4):
        one = {"inputs": batch["inputs"][i : i + 1]}
        np.testing.assert_allclose(model(one)[0], logits[i], atol=1e-5)
    turned = images_of(batch)[:, ::-1].reshape(4, -1)
    other = model({"inputs": np.ascontiguousarray(turned)}).numpy()
    assert np.abs(other - logits).max() > 1e-3


def prepared(model, batch, seed=3, training=True):
    with layers.seed_scope(tf.constant([seed, 1])):
        found = model.prepared(
            {k: tf.constant(v) for k, v in batch.items()}, training
        )
    return images_of({"inputs": found["inputs"].numpy()})


def test_training_images_are_moved_and_mirrored():
    most = 2
    model = small_model("image", crop_padding=most, flip=True)
    batch = features_of("image", rows=200)
    before, after = images_of(batch), prepared(model, batch)
    padding = [[most, most], [most, most], [0, 0]]
    moves, mirrored = set(), 0
    for old, new in zip(before, after, strict=True):
        wide = np.pad(old, padding)
        found = [
            (down, across, flipped)
            for down in range(2 * most + 1)
            for across in range(2 * most + 1)
            for flipped in (False, True)
            if np.array_equal(
                wide[down : down + HEIGHT, across : across + WIDTH],
                new[:, ::-1] if flipped else new,
            )
        ]
        assert len(found) == 1, "not a moved or mirrored image"
        moves.add(found[0][:2])
        mirrored += found[0][2]
    assert len(moves) == (2 * most + 1) ** 2
    assert 70 < mirrored < 130


def test_a_rectangle_of_some_images_becomes_noise():
    model = small_model("image", random_erasing=0.6)
    batch = features_of("image", rows=300)
    before, after = images_of(batch), prepared(model, batch)
    places, shares, forms = set(), [], []
    for old, new in zip(before, after, strict=True):
        changed = (old != new).any(axis=2)
        rows, columns = np.nonzero(changed)
        if not len(rows):
            continue
        top, left = rows.min(), columns.min()
        high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        inside = changed[top : top + high, left : left + wide]
        assert inside.all(), "not a rectangle"
        shares.append(high * wide / (HEIGHT * WIDTH))
        forms.append(high / wide)
        places.add((top, left))
    # Of the rectangles the least has no whole pixel.
    assert 130 < len(shares) < 210
    assert max(shares) < 0.5
    assert 0.1 < np.mean(shares) < 0.25
    assert min(forms) < 0.5
    assert max(forms) > 2
    assert len(places) > 20
    erased = after[(before != after).any(axis=3)]
    assert 100 < erased.mean() < 155
    assert erased.min() < 10
    assert erased.max() > 245


def test_they_are_drawn_from_the_seed_and_left_alone_otherwise():
    model = small_model("image", crop_padding=2, flip=True, random_erasing=0.5)
    batch = features_of("image", rows=20)
    first, again = prepared(model, batch), prepared(model, batch)
    np.testing.assert_array_equal(first, again)
    assert (prepared(model, batch, seed=4) != first).any()
    still = prepared(model, batch, training=False)
    np.testing.assert_array_equal(still, images_of(batch))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": 0}, "patch_size: expected an int above 0"),
        ({"random_erasing": 1.5}, "random_erasing: expected a share in"),
        ({"crop_padding": -1}, "crop_padding: expected an int of 0 or more"),
    ],
)
def test_wrong_hyperparameters_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        small_hparams("image", **changes)


# DeiT's, as its authors release them (5.7M and 22M in the paper). Ours has no
# bias in the head, and a row there for padding, which no label has.
@pytest.mark.parametrize(
    ("name", "paper", "size"),
    [("vit_tiny", 5_717_416, 192), ("vit_small", 22_050_664, 384)],
)
def test_the_papers_parameter_counts(name, paper, size):
    model, hparams = resolve(name)
    hparams = dataclasses.replace(hparams, patch_size=16)
    task = Task(
        inputs="image",
        targets="label",
        labels=tuple(map(str, range(1000))),
        image_shape=(224, 224, 3),
        vocab_size=259,
    )
    counts = [
        build(
            model,
            dataclasses.replace(hparams, num_hidden_layers=number),
            task,
            "float32",
        ).count_params()
        for number in (1, 2)
    ]
    found = counts[0] + 11 * (counts[1] - counts[0])
    assert found == paper - 1000 + size
