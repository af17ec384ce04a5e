"""NumPy references of scores and alignments, from the papers' formulas."""

import itertools

import numpy as np

from t2t_lite.layers import Seq2SeqAttention

RANDOM = np.random.default_rng(0)
BATCH, QUERIES, SOURCE, SIZE = 3, 4, 7, 6
QUERY = RANDOM.normal(size=(BATCH, QUERIES, SIZE)).astype("float32")
KEY = RANDOM.normal(size=(BATCH, SOURCE, SIZE)).astype("float32")
VALUE = RANDOM.normal(size=(BATCH, SOURCE, 5)).astype("float32")
LENGTHS = np.array([7, 4, 1])
MASK = np.arange(SOURCE) < LENGTHS[:, None]
SCORES = {
    "dot": [],
    "scaled_dot": [],
    "general": ["key_kernel"],
    "concat": ["query_kernel", "key_kernel", "score_kernel"],
    "location": ["location_kernel"],
}
ALIGNMENTS = {
    "global": [],
    "local-m": [],
    "local-p": ["position_kernel", "position_vector_kernel"],
    "local-p*": ["position_kernel", "position_vector_kernel"],
}
MANY, ONE = "many-to-many", "many-to-one"
ALL = [
    (score, alignment, mode)
    for score, alignment, mode in itertools.product(
        SCORES, ALIGNMENTS, (MANY, ONE)
    )
    if (alignment, mode) != ("local-p*", MANY)
]


def arguments_of(score="concat", alignment="global", mode=MANY, **changes):
    """Returns the constructor's arguments of a legal layer."""
    found = {"score": score, "alignment": alignment, "mode": mode}
    if alignment != "global":
        found["window"] = 2
    if score == "concat":
        found["units"] = 5
    if score == "location":
        found["max_length"] = SOURCE
    return found | changes


def make(*args, **changes):
    """Returns a built layer with weights of some size."""
    layer = Seq2SeqAttention(**arguments_of(*args, **changes))
    layer.build(QUERY.shape, KEY.shape)
    random = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(random.normal(size=weight.shape))
    return layer


def query_of(layer):
    return QUERY if layer.mode == MANY else QUERY[:, 0]


def softmax(scores, allowed):
    weights = np.zeros_like(scores)
    if allowed.any():
        kept = np.exp(scores[allowed] - scores[allowed].max())
        weights[allowed] = kept / kept.sum()
    return weights


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def score_of(layer, query, key, place):
    """The papers' score of one query and one source state."""
    named = {w.name: w.numpy() for w in layer.trainable_weights}
    if layer.score == "location":
        return query @ named["location_kernel"][:, place]
    if layer.score == "general":
        return query @ (key @ named["key_kernel"])
    if layer.score == "concat":
        hidden = query @ named["query_kernel"] + key @ named["key_kernel"]
        return np.tanh(hidden) @ named["score_kernel"][:, 0]
    scale = np.sqrt(len(key)) if layer.score == "scaled_dot" else 1.0
    return query @ key / scale


def predicted(layer, state):
    named = {w.name: w.numpy() for w in layer.trainable_weights}
    hidden = np.tanh(state @ named["position_kernel"])
    return sigmoid(hidden @ named["position_vector_kernel"][:, 0])


def reference(layer, queries, keys, values, masks):
    """Contexts and weights, query by query, in float64."""
    contexts, weights = [], []
    queries, keys, values = (
        x.astype("float64") for x in (queries, keys, values)
    )
    if layer.mode == ONE:
        queries = queries[:, None]
    for query, key, value, mask in zip(
        queries, keys, values, masks, strict=True
    ):
        if layer.alignment == "local-p*":
            gates = np.array([predicted(layer, state) for state in key])
            best = np.argsort(-np.where(mask, gates, -1), kind="stable")
            chosen = np.isin(np.arange(len(key)), best[: layer.window])
            key, value = key * gates[:, None], value * gates[:, None]
            mask = mask & chosen
        rows = [
            weights_of(layer, (t, len(query)), one, key, mask)
            for t, one in enumerate(query)
        ]
        weights.append(rows)
        contexts.append(np.array(rows) @ value)
    contexts, weights = np.array(contexts), np.array(weights)
    if layer.mode == ONE:
        return contexts[:, 0], weights[:, 0]
    return contexts, weights


def weights_of(layer, place, query, key, mask):
    scores = np.array(
        [score_of(layer, query, state, s) for s, state in enumerate(key)]
    )
    places, length = np.cumsum(mask) - 1, mask.sum()
    factor = 1.0
    if layer.alignment == "local-m":
        t = place[0] if layer.mode == MANY else length - 1
        mask = mask & (np.abs(places - t) <= layer.window)
    if layer.alignment == "local-p":
        p = length * predicted(layer, query)
        mask = mask & (np.abs(places - p) <= layer.window)
        factor = np.exp(-((places - p) ** 2) / (2 * (layer.window / 2) ** 2))
    return softmax(scores, mask) * factor
