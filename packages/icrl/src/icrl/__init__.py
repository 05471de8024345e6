"""icrl: in-context reinforcement learning, any agent with any environment family.

Importing it registers the families of every installed plugin with Gymnasium. The names below are
imported when they are first used, so that torch is not loaded before it is needed.
"""

import importlib
from typing import TYPE_CHECKING, Any

from icrl.plugins.gymnasium_ids import register_installed

if TYPE_CHECKING:
    from icrl.agent import Agent, Interface, OfflineAgent, OnlineAgent
    from icrl.config import Config
    from icrl.evaluation import Evaluation, evaluate
    from icrl.families import DynamicsView, LearnerView, RewardModel, Solved, TaskFamily
    from icrl.histories import HistoryRecorder, HistoryStore, collect
    from icrl.plugins import hookimpl, make_family
    from icrl.plugins.specs import AgentSpec, FamilySpec, SourceSpec
    from icrl.policy import Policy, SequencePolicy
    from icrl.report import write_report
    from icrl.run import Run
    from icrl.source import Source
    from icrl.tasks import Tasks
    from icrl.timestep import TimeStep
    from icrl.trained import load_agent
    from icrl.vector import TaskVectorEnv

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentSpec",
    "Config",
    "DynamicsView",
    "Evaluation",
    "FamilySpec",
    "HistoryRecorder",
    "HistoryStore",
    "Interface",
    "LearnerView",
    "OfflineAgent",
    "OnlineAgent",
    "Policy",
    "RewardModel",
    "Run",
    "SequencePolicy",
    "Solved",
    "Source",
    "SourceSpec",
    "TaskFamily",
    "TaskVectorEnv",
    "Tasks",
    "TimeStep",
    "collect",
    "evaluate",
    "hookimpl",
    "load_agent",
    "make_family",
    "write_report",
]

_HOMES = {
    "icrl.agent": ("Agent", "Interface", "OfflineAgent", "OnlineAgent"),
    "icrl.config": ("Config",),
    "icrl.evaluation": ("Evaluation", "evaluate"),
    "icrl.families": ("DynamicsView", "LearnerView", "RewardModel", "Solved", "TaskFamily"),
    "icrl.histories": ("HistoryRecorder", "HistoryStore", "collect"),
    "icrl.plugins": ("hookimpl", "make_family"),
    "icrl.plugins.specs": ("AgentSpec", "FamilySpec", "SourceSpec"),
    "icrl.policy": ("Policy", "SequencePolicy"),
    "icrl.report": ("write_report",),
    "icrl.run": ("Run",),
    "icrl.source": ("Source",),
    "icrl.tasks": ("Tasks",),
    "icrl.timestep": ("TimeStep",),
    "icrl.trained": ("load_agent",),
    "icrl.vector": ("TaskVectorEnv",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'icrl' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_installed()
