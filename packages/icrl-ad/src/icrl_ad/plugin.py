"""What this package provides."""

from icrl.plugins.markers import hookimpl
from icrl.plugins.specs import AgentSpec

PAPER = "arXiv:2210.14215"


@hookimpl
def icrl_agents() -> list[AgentSpec]:
    """Two names for one agent: they differ in a setting, which part of each history they see."""
    return [
        AgentSpec(
            name="ad",
            entry_point="icrl_ad.learning:DistillationAgent",
            config="icrl_ad.config:DistillationConfig",
            presets="icrl_ad:presets/ad.toml",
            trained={"icrl/DarkRoom-v0": "icrl_ad:trained/DarkRoom-v0"},
            learns="histories",
            memory="trial",
            companions=("ed", "random", "source", "optimum"),
            summary="Algorithm Distillation: imitates learning itself, and so learns in context.",
            paper=PAPER,
        ),
        AgentSpec(
            name="ed",
            entry_point="icrl_ad.learning:DistillationAgent",
            config="icrl_ad.config:DistillationConfig",
            presets="icrl_ad:presets/ed.toml",
            learns="histories",
            memory="trial",
            companions=("ad", "random", "source", "optimum"),
            summary="Expert Distillation: imitates the last, expert part of each history alone.",
            paper=PAPER,
        ),
    ]
