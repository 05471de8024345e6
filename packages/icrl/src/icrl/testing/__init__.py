"""Contracts as tests: inherit a suite, say what is to be tested, and pytest does the rest."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
    from icrl.testing.corridor import Corridor
    from icrl.testing.families import FamilyContract
    from icrl.testing.policies import PolicyContract, random_trial
    from icrl.testing.two_cells import TwoCells
    from icrl.testing.wandering import WanderingConfig, WanderingSource

_HOMES = {
    "ACCELERATOR": "accelerator",
    "pretended_accelerator": "accelerator",
    "Corridor": "corridor",
    "FamilyContract": "families",
    "PolicyContract": "policies",
    "random_trial": "policies",
    "TwoCells": "two_cells",
    "WanderingConfig": "wandering",
    "WanderingSource": "wandering",
}

__all__ = [
    "ACCELERATOR",
    "Corridor",
    "FamilyContract",
    "PolicyContract",
    "TwoCells",
    "WanderingConfig",
    "WanderingSource",
    "pretended_accelerator",
    "random_trial",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
