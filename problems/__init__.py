"""What to learn. Importing this package registers every problem."""

from __future__ import annotations

from t2t_lite.problems import (
    algorithmic,
    classification,
    files,
    images,
    language_model,
    mix,
    multi30k,
    phrasebook_problem,
    speech,
    summarization,
    tagging,
    translate,
)
from t2t_lite.problems.creating import all_options, create, option_schema
from t2t_lite.problems.options import Option
from t2t_lite.problems.problem import Problem, SourceFacts
from t2t_lite.problems.reversed import ReversedProblem

__all__ = [
    "Option",
    "Problem",
    "ReversedProblem",
    "SourceFacts",
    "algorithmic",
    "all_options",
    "classification",
    "create",
    "files",
    "images",
    "language_model",
    "mix",
    "multi30k",
    "option_schema",
    "phrasebook_problem",
    "speech",
    "summarization",
    "tagging",
    "translate",
]
