"""What this package provides."""

from collections.abc import Sequence
from typing import Any

from icrl.plugins.markers import hookimpl
from icrl.plugins.specs import AgentSpec

PAPER = "arXiv:2005.06800"
WITHOUT_CONTEXT: dict[str, Any] = {"batch_size": 32}
"""The original fits models without a learned context on minibatches of 32, the others of 256."""
ENSEMBLE: dict[str, Any] = {"members": 5, "probabilistic": True}


@hookimpl
def icrl_agents() -> list[AgentSpec]:
    """CaDM, and the rows of the paper's tables: one class with other settings."""
    return [
        _planner(
            "cadm",
            {**ENSEMBLE, "particles": 5},
            "CaDM: plans with an ensemble of models that infer the dynamics from what just passed.",
        ),
        _planner(
            "vanilla-dm",
            {"context": "none", **WITHOUT_CONTEXT},
            "Plans with one deterministic model that knows nothing of the task.",
        ),
        _planner(
            "stacked-dm",
            {"context": "stacked", **WITHOUT_CONTEXT},
            "Plans with one deterministic model that sees the last transitions as they are.",
        ),
        _planner(
            "pe-ts",
            {"context": "none", **ENSEMBLE, "particles": 20, **WITHOUT_CONTEXT},
            "Plans with a probabilistic ensemble and trajectory sampling (PETS), without context.",
            paper="arXiv:1805.12114",
        ),
        _planner(
            "vanilla-cadm",
            {},
            "The paper's Vanilla + CaDM: one deterministic model under a learned context.",
            shipped=("icrl/CartPole-v0", "icrl/Pendulum-v0"),
        ),
        _planner(
            "pets-cadm",
            {**ENSEMBLE, "particles": 20},
            "The paper's PE-TS + CaDM: PETS under a learned context, with its 20 particles.",
        ),
        _planner(
            "grbal",
            {"context": "gradient", **WITHOUT_CONTEXT},
            "GrBAL: a model meta-learned to adapt by a gradient step on the last transitions.",
            paper="arXiv:1803.11347",
        ),
        _planner(
            "rebal",
            {"context": "recurrent"},
            "ReBAL: a model under a recurrent state of the last transitions.",
            paper="arXiv:1803.11347",
        ),
        _learner(
            "ppo-cadm",
            "cadm",
            "PPO that sees the context that a CaDM, trained before and then frozen, infers.",
            shipped=("icrl/CartPole-v0", "icrl/Pendulum-v0"),
        ),
        _learner("stacked-ppo", "stacked", "PPO that sees the last transitions as they are."),
        _learner(
            "ppo-pc",
            "probabilistic",
            "PPO that draws a context from what an encoder infers, which learns through its loss.",
            paper="arXiv:1903.08254",
        ),
        _learner(
            "ppo-ep",
            "probed",
            "PPO that sees an embedding of the episode's first transitions, which are random.",
            paper="arXiv:1907.11740",
        ),
    ]


def _planner(
    name: str,
    settings: dict[str, Any],
    summary: str,
    paper: str = PAPER,
    shipped: Sequence[str] = (),
) -> AgentSpec:
    return AgentSpec(
        name=name,
        entry_point="icrl_cadm.learning:CaDMAgent",
        config="icrl_cadm.config:CaDMConfig",
        presets="icrl_cadm:presets/cadm.toml",
        trained=_trained(name, shipped),
        settings=settings,
        learns="interaction",
        memory="episode",
        companions=("ppo", "random"),
        summary=summary,
        paper=paper,
    )


def _learner(
    name: str, context: str, summary: str, paper: str = PAPER, shipped: Sequence[str] = ()
) -> AgentSpec:
    return AgentSpec(
        name=name,
        entry_point="icrl_cadm.model_free.learning:ModelFreeAgent",
        config="icrl_cadm.model_free.config:ModelFreeConfig",
        presets="icrl_cadm:presets/model_free.toml",
        trained=_trained(name, shipped),
        settings={"context": context},
        learns="interaction",
        memory="episode",
        companions=("ppo", "random"),
        summary=summary,
        paper=paper,
    )


def _trained(name: str, families: Sequence[str]) -> dict[str, str]:
    """Where the weights for each family are."""
    return {family: f"icrl_cadm:trained/{name}/{family.rpartition('/')[2]}" for family in families}
