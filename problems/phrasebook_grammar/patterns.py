"""All sentence patterns with their weights."""

from __future__ import annotations

from t2t_lite.problems.phrasebook_grammar.patterns_be import BEING
from t2t_lite.problems.phrasebook_grammar.patterns_more import MORE
from t2t_lite.problems.phrasebook_grammar.patterns_simple import SIMPLE
from t2t_lite.problems.phrasebook_grammar.patterns_subordinate import (
    SUBORDINATE,
)
from t2t_lite.problems.phrasebook_grammar.patterns_where import WHERE

# name -> (pattern, weight); a pattern takes an Rng and returns a pair.
PATTERNS = {**SIMPLE, **BEING, **WHERE, **SUBORDINATE, **MORE}
