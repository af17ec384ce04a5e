"""Small data in TFDS's own format, with the features of TFDS's builders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def write(root, name: str, splits: Mapping[str, Sequence[dict[str, Any]]]):
    """Writes a data set as TFDS prepares it; returns its version's folder.

    Args:
        root: path, TFDS's folder.
        name: str, TFDS's name, such as "glue/cola".
        splits: by TFDS's name of a split its examples; features that one
            leaves out are filled in.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=root)
    return _store(
        root,
        name,
        str(builder.version),
        builder.info.features,
        splits,
    )


def write_features(root, name: str, features, splits):
    """As `write`, with other features than TFDS has."""
    return _store(root, name, "1.0.0", features, splits)


def _store(root, name, version, features, splits):
    import tensorflow_datasets as tfds

    specs = features.get_tensor_spec()
    dataset, _, config = name.partition("/")
    tfds.dataset_builders.store_as_tfds_dataset(
        name=dataset,
        config=config or None,
        version=version,
        data_dir=root,
        features=features,
        split_datasets={
            split: [
                (number, {k: each.get(k, _empty(specs[k])) for k in specs})
                for number, each in enumerate(examples)
            ]
            for split, examples in splits.items()
        },
        disable_shuffling=True,
    )
    return root / name / version


def _empty(spec) -> Any:
    """Returns a value of a TensorSpec."""
    if spec.shape.rank:
        return []
    return "" if spec.dtype.name == "string" else 0
