"""Who decodes in `decode_speed.py`: exports, CTranslate2 and Hugging Face.

A contender is a function of a Shape that returns `decode(texts, beam_size)`,
which returns the best output of each text, of exactly `OUTPUT` ids. Exports and
CTranslate2 have the same weights; the others have the same sizes.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pathlib
import tempfile
from collections.abc import Callable

from contenders import Shape, marian_config

INPUT, OUTPUT = 25, 30  # ids of a source with its end mark, and of an output
BATCH = 32  # the most sentences of a batch
CORES = os.cpu_count() or 1
_ISA_VARIABLES = (
    "ONEDNN_MAX_CPU_ISA",
    "CT2_FORCE_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
)
# An allocator of memory, in place of the C library's.
JEMALLOC = "libjemalloc.so.2"
Decode = Callable[[list[str], int], list[str]]


def sentences(count: int, vocab_size: int, spread: int = 0) -> list[str]:
    """Returns texts of `INPUT` ids each, their end marks counted.

    Args:
        count, vocab_size: int.
        spread: int, so many ids less to so many more, each as often.
    """
    import numpy as np

    random = np.random.default_rng(0)
    lengths = INPUT - 1 + np.arange(count) % (2 * spread + 1) - spread
    random.shuffle(lengths)
    return [
        " ".join(f"w{i}" for i in random.integers(3, vocab_size, length))
        for length in lengths
    ]


def predictor(shape: Shape, policy: str = "float32"):
    """Returns the Predictor that all are made of, with fixed weights."""
    import keras
    import numpy as np

    from t2t_lite.data.sentencepiece_training import sentencepiece_of_words
    from t2t_lite.decoding.search import SearchOptions
    from t2t_lite.layers import QuantizedWeights
    from t2t_lite.models.resolve import build
    from t2t_lite.models.transformer import TransformerHParams
    from t2t_lite.trainer.predictor import Predictor

    keras.utils.set_random_seed(1)
    hparams = TransformerHParams(
        hidden_size=shape.hidden_size,
        filter_size=shape.filter_size,
        num_heads=shape.num_heads,
        num_hidden_layers=shape.num_layers,
    )
    quantized = None
    if policy == "int8":
        quantized, policy = QuantizedWeights(), "float32"
    model = build("transformer", hparams, shape.vocab_size, policy)
    # As after a training, no bias is 0: a graph would leave it out.
    random = np.random.default_rng(1)
    for variable in model.weights:
        noise = random.normal(0.0, 0.01, variable.shape)
        variable.assign(variable.value.numpy() + noise.astype("float32"))
    options = SearchOptions(
        alpha=1.0,
        max_ratio=0.0,
        extra_length=OUTPUT,
        min_length=OUTPUT,
        max_input_length=256,
    )
    words = (f"w{index}" for index in range(3, shape.vocab_size))
    encoder = sentencepiece_of_words(words)
    return Predictor(model, encoder, hparams, options, quantized=quantized)


def write_export(folder: str, shape: Shape, policy: str, *form) -> str:
    """Writes a SavedModel; returns its folder."""
    from t2t_lite.trainer import exporting

    return exporting.export(
        predictor(shape, policy),
        folder,
        samples=["w3 w4"],
        form=exporting.Form(*form),
    )


def write_ctranslate2(folder: str, shape: Shape) -> str:
    """Writes CTranslate2's model of the same weights; returns its folder."""
    from t2t_lite.trainer import ctranslate2_model

    path = os.path.join(folder, "model")
    ctranslate2_model.write(predictor(shape), path)
    return path


def written(write: Callable[..., str], *arguments, isa: str = "") -> str:
    """Returns what `write(folder, *arguments)` does, in a process of its own.

    So that the contender's memory is that of its model alone.

    Args:
        write, arguments: see above.
        isa: str, what that process is held to, see `hold`.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        1, context, hold, (isa,)
    ) as pool:
        return pool.submit(write, tempfile.mkdtemp(), *arguments).result()


def hold(isa: str) -> None:
    """Keeps libraries that are loaded later to some instructions; "" = all."""
    if isa:
        os.environ.update(dict.fromkeys(_ISA_VARIABLES, isa))


def exported(policy: str, weights: str, parts: int, isa: str = ""):
    """Returns a builder of the exported model, asked through its signature.

    Its process has TensorFlow pack the weights once, as a server is told to.

    Args:
        policy, weights, parts: of the export.
        isa: str, the newest instructions that it may use; "" = all.
    """

    def build(shape: Shape) -> Decode:
        path = written(write_export, shape, policy, weights, parts, isa=isa)
        hold(isa)
        from t2t_lite.trainer import packed_weights

        packed_weights.pack_once()
        import tensorflow as tf

        threads = tf.config.threading
        threads.set_intra_op_parallelism_threads(max(1, CORES // parts))
        threads.set_inter_op_parallelism_threads(parts)
        import tensorflow_text  # noqa: F401 the exports' operations

        from t2t_lite.trainer import exporting

        loaded = tf.saved_model.load(path)
        translate = loaded.signatures["translate"]
        defaults = exporting.defaults_of(path, "translate")

        def decode(texts: list[str], beam: int) -> list[str]:
            found = translate(
                inputs=tf.constant(texts),
                **{**defaults, "beam_size": tf.constant([beam])},
            )
            return [text.decode() for text in found["outputs"][:, 0].numpy()]

        decode.loaded = loaded  # or its functions would end
        return in_batches(decode)

    return build


def ctranslate2(compute_type: str, workers: int, isa: str = ""):
    """Returns a builder of the same weights in CTranslate2.

    Args:
        compute_type: str, CTranslate2's.
        workers: int, batches that are decoded at once, on as many cores; a
            batch is cut into as many parts.
        isa: str, the newest instructions that it may use; "" = all.
    """

    def build(shape: Shape) -> Decode:
        path = written(write_ctranslate2, shape)
        hold(isa)
        import ctranslate2 as ct2

        translator = ct2.Translator(
            path,
            compute_type=compute_type,
            inter_threads=workers,
            intra_threads=CORES // workers,
        )

        def decode(texts: list[str], beam: int) -> list[str]:
            pieces = [["\u2581" + w for w in t.split()] for t in texts]
            found = translator.translate_batch(
                pieces,
                beam_size=beam,
                min_decoding_length=OUTPUT - 1,
                max_decoding_length=OUTPUT - 1,
                max_batch_size=min(BATCH, -(-len(texts) // workers)),
            )
            return [
                " ".join(w.strip("\u2581") for w in r.hypotheses[0])
                for r in found
            ]

        return decode

    return build


def with_jemalloc(name: str):
    """Returns a builder of another contender in a process with `JEMALLOC`."""

    def build(shape: Shape) -> Decode:
        if JEMALLOC not in pathlib.Path("/proc/self/maps").read_text():
            raise SystemExit(f"{JEMALLOC} is not installed")
        return CONTENDERS[name](shape)

    return build


def hugging_face(dtype: str):
    """Returns a builder of Hugging Face's MarianMTModel and its generate."""

    def build(shape: Shape) -> Decode:
        import torch
        import transformers

        torch.set_num_threads(CORES)
        config = marian_config(shape, forced_eos_token_id=None)
        model = transformers.MarianMTModel(config).eval()
        model = model.to(getattr(torch, dtype))

        def decode(texts: list[str], beam: int) -> list[str]:
            ids = torch.tensor(padded(texts))
            with torch.no_grad():
                found = model.generate(
                    ids,
                    attention_mask=(ids != 0).long(),
                    num_beams=beam,
                    do_sample=False,
                    min_new_tokens=OUTPUT,
                    max_new_tokens=OUTPUT,
                )
            return [str(row.tolist()) for row in found]

        return in_batches(decode)

    return build


def naive(shape: Shape) -> Decode:
    """Returns the textbook's graph of the shape, see `naive_graph`."""
    import tensorflow as tf
    from naive_graph import NaiveGraph

    graph = NaiveGraph(shape)

    def decode(texts: list[str], beam: int) -> list[str]:
        ids = tf.constant(padded(texts), tf.int32)
        found = graph.search(ids, beam, OUTPUT)
        return [str(row) for row in found.numpy().tolist()]

    return in_batches(decode)


def padded(texts: list[str]) -> list[list[int]]:
    """Returns the ids of each text, its end mark, and 0 up to the longest."""
    rows = [[int(w[1:]) for w in text.split()] + [1] for text in texts]
    longest = max(map(len, rows))
    return [row + [0] * (longest - len(row)) for row in rows]


def in_batches(decode: Decode) -> Decode:
    """Returns the same of any number of texts, like lengths together."""

    def decode_all(texts: list[str], beam: int) -> list[str]:
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i].split()))
        found = [""] * len(texts)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            for i, text in zip(
                part, decode([texts[i] for i in part], beam), strict=True
            ):
                found[i] = text
        return found

    return decode_all


CONTENDERS = {
    "t2t_lite bfloat16 constants, parts": exported(
        "mixed_bfloat16", "constants", CORES
    ),
    "t2t_lite bfloat16 parts": exported("bfloat16", "variables", CORES),
    "t2t_lite int8 parts": exported("int8", "variables", CORES),
    "t2t_lite int8 parts, jemalloc": with_jemalloc("t2t_lite int8 parts"),
    "t2t_lite float32 parts": exported("float32", "variables", CORES),
    "t2t_lite bfloat16 variables": exported("bfloat16", "variables", 1),
    "t2t_lite float32 variables": exported("float32", "variables", 1),
    "t2t_lite float32 parts, AVX2": exported(
        "float32", "variables", CORES, "AVX2"
    ),
    "t2t_lite int8 parts, AVX2": exported("int8", "variables", CORES, "AVX2"),
    "CTranslate2 float32": ctranslate2("float32", 1),
    "CTranslate2 float32, a worker a core": ctranslate2("float32", CORES),
    "CTranslate2 float32, AVX2": ctranslate2("float32", 1, "AVX2"),
    "CTranslate2 float32, a worker a core, AVX2": ctranslate2(
        "float32", CORES, "AVX2"
    ),
    "CTranslate2 bfloat16": ctranslate2("bfloat16", 1),
    "CTranslate2 int8": ctranslate2("int8", 1),
    "CTranslate2 int8, a worker a core": ctranslate2("int8", CORES),
    "CTranslate2 int8, jemalloc": with_jemalloc("CTranslate2 int8"),
    "Hugging Face float32": hugging_face("float32"),
    "Hugging Face bfloat16": hugging_face("bfloat16"),
    "naive graph": naive,
}
