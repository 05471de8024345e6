"""What this package provides."""

from typing import Any

from icrl.plugins.markers import hookimpl
from icrl.plugins.specs import AgentSpec

PAPER = "arXiv:2107.06277"


@hookimpl
def icrl_agents() -> list[AgentSpec]:
    """LEEP, its controls (the same agent with another link, or without one), and elimination."""
    return [
        _ensemble(
            "leep", {}, "LEEP: an ensemble on bootstraps of the tasks, linked by its maximum."
        ),
        _ensemble(
            "leep-average",
            {"link": "average"},
            "LEEP's control whose members are linked by their average.",
        ),
        _ensemble(
            "plain-ensemble", {"alpha": 0.0}, "LEEP's control whose members learn without a link."
        ),
        _elimination(),
    ]


def _ensemble(name: str, settings: dict[str, Any], summary: str) -> AgentSpec:
    return AgentSpec(
        name=name,
        entry_point="icrl_leep.learning:LEEPAgent",
        config="icrl_leep.config:LEEPConfig",
        presets="icrl_leep:presets/leep.toml",
        settings=settings,
        learns="interaction",
        memory="none",
        companions=("ppo", "random", "optimum"),
        summary=summary,
        paper=PAPER,
    )


def _elimination() -> AgentSpec:
    return AgentSpec(
        name="elimination",
        entry_point="icrl_leep.elimination_learning:EliminationAgent",
        config="icrl_leep.elimination_config:EliminationConfig",
        presets="icrl_leep:presets/elimination.toml",
        learns="interaction",
        memory="episode",
        companions=("random", "optimum"),
        summary="Guesses by what its play revealed, and tries nothing twice in an episode.",
        paper=PAPER,
    )
