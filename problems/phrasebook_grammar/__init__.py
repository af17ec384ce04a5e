"""A small English-German grammar that says the same thing in both languages.

Layers, each knowing only those above it: `rng`, `morphology`, the lexicon
(`nouns`, `adjectives`, `verbs`, `numbers`), `phrases` (noun phrases),
`places`, `times`, `clause` (word order of both languages), `frames` (which
verb takes what), `sampler` (draws), `patterns_*` (sentences).
"""
