"""Evaluation: a policy's trials on held-out tasks, and the directory that they are kept in."""

from icrl.evaluation.protocol import evaluate
from icrl.evaluation.references import OPTIMUM, RANDOM, SOURCE, optimum, source
from icrl.evaluation.result import Evaluation
from icrl.evaluation.trials import RecordedEpisode

__all__ = [
    "OPTIMUM",
    "RANDOM",
    "SOURCE",
    "Evaluation",
    "RecordedEpisode",
    "evaluate",
    "optimum",
    "source",
]
