"""Target tokens/s of decoding: exports, CTranslate2 and Hugging Face.

    python -m pip install ".[peers]" ctranslate2
    python benchmarks/decode_speed.py --shape=base --report=base.json

A model of the shape with random weights decodes sentences of a synthetic
vocabulary, each to exactly so many ids (a least and a most length), greedily
and with a beam of 4, in batches of 1, 8 and 32. Exports and CTranslate2 have
the same weights; Hugging Face's model has the same sizes. Every contender lives
in a process of its own on all cores; windows are taken in turn, A B C A B C
..., while the others wait. What is not installed is skipped, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring
from contenders import SHAPES, Shape

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_INPUT, _OUTPUT = 25, 30  # ids of a source with its end mark, and of an output
_BEAMS, _BATCHES = (1, 4), (1, 8, 32)
_CORES = os.cpu_count() or 1
Decode = Callable[[list[str], int], list[str]]


def synthetic_encoder(vocab_size: int):
    """Returns a SentencePieceEncoder of the words w3, w4, ..."""
    from sentencepiece import sentencepiece_model_pb2

    from t2t_lite.data.text_encoder import SentencePieceEncoder

    proto = sentencepiece_model_pb2.ModelProto()
    for text, kind in (("<pad>", 3), ("</s>", 3), ("<unk>", 2)):
        proto.pieces.add(piece=text, score=0.0, type=kind)
    for index in range(3, vocab_size):
        proto.pieces.add(piece=f"\u2581w{index}", score=-1.0, type=1)
    spec = proto.trainer_spec
    spec.model_type = 1
    spec.pad_id, spec.eos_id, spec.unk_id, spec.bos_id = 0, 1, 2, -1
    spec.pad_piece, spec.eos_piece, spec.unk_piece = "<pad>", "</s>", "<unk>"
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = True
    return SentencePieceEncoder(proto.SerializeToString())


def sentences(count: int, vocab_size: int) -> list[str]:
    """Returns texts of `_INPUT` ids each, their end marks counted."""
    import numpy as np

    random = np.random.default_rng(0)
    ids = random.integers(3, vocab_size, (count, _INPUT - 1))
    return [" ".join(f"w{i}" for i in row) for row in ids]


def predictor(shape: Shape, policy: str = "float32"):
    """Returns the Predictor that all are made of, with fixed weights."""
    import keras
    import numpy as np

    from t2t_lite.decoding.search import SearchOptions
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
    model = build("transformer", hparams, shape.vocab_size, policy)
    # As after a training, no bias is 0: a graph would leave it out.
    random = np.random.default_rng(1)
    for variable in model.weights:
        noise = random.normal(0.0, 0.01, variable.shape)
        variable.assign(variable.value.numpy() + noise.astype("float32"))
    options = SearchOptions(
        alpha=1.0,
        max_ratio=0.0,
        extra_length=_OUTPUT,
        min_length=_OUTPUT,
        max_input_length=256,
    )
    encoder = synthetic_encoder(shape.vocab_size)
    return Predictor(model, encoder, hparams, options)


def exported(policy: str, weights: str, parts: int):
    """Returns a builder of the exported model, asked through its signature."""

    def build(shape: Shape) -> Decode:
        import tensorflow as tf

        threads = tf.config.threading
        threads.set_intra_op_parallelism_threads(max(1, _CORES // parts))
        threads.set_inter_op_parallelism_threads(parts)
        from t2t_lite.trainer import exporting

        form = exporting.Form(weights, parts)
        folder = tempfile.mkdtemp()
        path = exporting.export(
            predictor(shape, policy), folder, sentences=["w3 w4"], form=form
        )
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
        return decode

    return build


def ctranslate2(compute_type: str):
    """Returns a builder of the same weights in CTranslate2."""

    def build(shape: Shape) -> Decode:
        import ctranslate2 as ct2

        from t2t_lite.trainer import ctranslate2_model

        model = predictor(shape)
        folder = os.path.join(tempfile.mkdtemp(), "model")
        ctranslate2_model.write(model, folder)
        del model
        translator = ct2.Translator(
            folder,
            compute_type=compute_type,
            inter_threads=1,
            intra_threads=_CORES,
        )

        def decode(texts: list[str], beam: int) -> list[str]:
            pieces = [["\u2581" + w for w in t.split()] for t in texts]
            found = translator.translate_batch(
                pieces,
                beam_size=beam,
                min_decoding_length=_OUTPUT - 1,
                max_decoding_length=_OUTPUT - 1,
                max_batch_size=32,
            )
            return [
                " ".join(w.strip("\u2581") for w in r.hypotheses[0])
                for r in found
            ]

        return decode

    return build


def hugging_face(dtype: str):
    """Returns a builder of Hugging Face's MarianMTModel and its generate."""

    def build(shape: Shape) -> Decode:
        import torch
        import transformers

        torch.set_num_threads(_CORES)
        sides = {
            f"{side}_{name}": value
            for side in ("encoder", "decoder")
            for name, value in (
                ("layers", shape.num_layers),
                ("attention_heads", shape.num_heads),
                ("ffn_dim", shape.filter_size),
            )
        }
        config = transformers.MarianConfig(
            vocab_size=shape.vocab_size,
            d_model=shape.hidden_size,
            activation_function="relu",
            scale_embedding=True,
            pad_token_id=0,
            eos_token_id=1,
            decoder_start_token_id=0,
            forced_eos_token_id=None,
            **sides,
        )
        model = transformers.MarianMTModel(config).eval()
        model = model.to(getattr(torch, dtype))

        def decode(texts: list[str], beam: int) -> list[str]:
            rows = [[int(w[1:]) for w in t.split()] + [1] for t in texts]
            with torch.no_grad():
                found = model.generate(
                    torch.tensor(rows),
                    num_beams=beam,
                    do_sample=False,
                    min_new_tokens=_OUTPUT,
                    max_new_tokens=_OUTPUT,
                )
            return [str(row.tolist()) for row in found]

        return decode

    return build


CONTENDERS = {
    "t2t_lite bfloat16 constants, parts": exported(
        "mixed_bfloat16", "constants", _CORES
    ),
    "t2t_lite bfloat16 constants": exported("mixed_bfloat16", "constants", 1),
    "t2t_lite float32 parts": exported("float32", "variables", _CORES),
    "t2t_lite bfloat16 variables": exported("bfloat16", "variables", 1),
    "t2t_lite float32 variables": exported("float32", "variables", 1),
    "CTranslate2 float32": ctranslate2("float32"),
    "CTranslate2 bfloat16": ctranslate2("bfloat16"),
    "CTranslate2 int8": ctranslate2("int8"),
    "Hugging Face float32": hugging_face("float32"),
    "Hugging Face bfloat16": hugging_face("bfloat16"),
}


def serve(name: str, shape: Shape) -> None:
    """Builds a contender and decodes a batch for each input line."""
    with contextlib.redirect_stdout(sys.stderr):
        begin = time.perf_counter()
        decode = CONTENDERS[name](shape)
        first = decode(sentences(2, shape.vocab_size), 4)
    ready = {"outputs": first, "seconds": time.perf_counter() - begin}
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        beam, batch = json.loads(line)
        texts = sentences(batch, shape.vocab_size)
        begin = time.perf_counter()
        decode(texts, beam)
        print(time.perf_counter() - begin, flush=True)


def compare(args) -> None:
    """Runs all contenders in turn and prints a table of each setting."""
    shape = SHAPES[args.shape]
    contenders = []
    for name in args.only or CONTENDERS:
        contender = measuring.Contender(name, __file__, f"--shape={args.shape}")
        if contender.facts is None:
            print(f"  skipped {name}: {contender.why_not()}", flush=True)
            continue
        contenders.append(contender)
        print(
            f"  ready {name} after {contender.facts['seconds']:.1f} s: "
            f"{contender.facts['outputs'][0][:60]}",
            flush=True,
        )
    tables = []
    for beam in _BEAMS:
        for batch in _BATCHES:
            seconds = measuring.windows_in_turn(
                {
                    c: functools.partial(c.ask, [beam, batch])
                    for c in contenders
                },
                args.windows,
            )
            tables.append(_table(beam, batch, seconds))
    for contender in contenders:
        contender.end()
    if args.report:
        report = {"shape": dataclasses.asdict(shape), "tables": tables}
        measuring.write_report(args.report, {**report, "windows": args.windows})


def _table(beam: int, batch: int, seconds) -> dict:
    """Prints and returns the figures of one setting."""
    rows = []
    for contender, times in seconds.items():
        rates = measuring.spread(batch * _OUTPUT, times)
        rows.append({"contender": contender.name, **rates})
    best = rows[0]["median"]
    print(f"beam {beam}, batch {batch}")
    measuring.print_table(
        ("", "tokens/s", "least", "most", "first / it"),
        [
            (
                row["contender"],
                f"{row['median']:,.0f}",
                f"{row['least']:,.0f}",
                f"{row['most']:,.0f}",
                f"{best / row['median']:.2f}",
            )
            for row in rows
        ],
    )
    return {"beam_size": beam, "batch": batch, "rows": rows}


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS)
    parser.add_argument("--report", help="JSON file of the figures")
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, SHAPES[args.shape])
    else:
        compare(args)


if __name__ == "__main__":
    main()
