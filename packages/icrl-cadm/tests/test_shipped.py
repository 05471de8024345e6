"""The weights that come with the package."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch
from torch import Tensor

import icrl
from icrl.agent import Agent, Interface
from icrl.config import presets
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent

CPU = torch.device("cpu")
SHORTER = {"horizon": 15, "candidates": 40, "elites": 8, "refinements": 2}
"""A twenty-fifth of the imagined steps: enough for both."""


# A uniform random policy earns -1,673 and 23.
@pytest.mark.parametrize(
    ("family", "enough"), [("icrl/Pendulum-v0", -800), ("icrl/CartPole-v0", 100)]
)
def test_a_shipped_model_plans_for_tasks_that_it_never_saw(family, enough):
    shipped = icrl.load_agent(f"vanilla-cadm:{family}")
    agent = CaDMAgent(replace(shipped.config, **SHORTER), shipped.interface, CPU)
    agent.model.load_state_dict(shipped.model.state_dict())
    assert returns(agent, tasks=4).mean() > enough


@pytest.mark.parametrize(
    ("family", "enough"), [("icrl/Pendulum-v0", -800), ("icrl/CartPole-v0", 180)]
)
def test_a_shipped_learner_acts_on_tasks_that_it_never_saw(family, enough):
    assert returns(icrl.load_agent(f"ppo-cadm:{family}"), tasks=8).mean() > enough


@pytest.mark.parametrize("family", ["icrl/Pendulum-v0", "icrl/CartPole-v0"])
def test_ppo_may_take_a_shipped_models_context(family):
    model = f"vanilla-cadm:{family}"
    interface = Interface.of(icrl.make_family(family))
    agent = ModelFreeAgent(ModelFreeConfig(pretrained=model), interface, CPU)
    assert agent.dynamics is not None
    assert agent.config.dynamics == icrl.load_agent(model).config
    # The shipped learner sees the context of this very model.
    held = icrl.load_agent(f"ppo-cadm:{family}").dynamics.model.state_dict()
    assert all(torch.equal(held[name], one) for name, one in weights(agent).items())


@pytest.mark.parametrize("family", ["icrl/Pendulum-v0", "icrl/CartPole-v0"])
def test_a_shipped_learner_was_trained_with_the_default_budgets_settings(family):
    text = files("icrl_cadm").joinpath("presets", "model_free.toml").read_text()
    expected = presets(text, family, "default")
    config = icrl.load_agent(f"ppo-cadm:{family}").config
    for name in ("clip_values", "limits_terminate", "normalize_rewards", "value"):
        assert getattr(config, name) == expected[name], name


def returns(agent: Agent, *, tasks: int) -> np.ndarray:
    """What it earns on tasks of the moderate split."""
    family = icrl.make_family(agent.interface.family)
    env = family.vector_env(family.sample_tasks(tasks, split="moderate", seed=0))
    return icrl.evaluate(agent.policy(), env, episodes=1, seed=0).returns


def weights(agent: ModelFreeAgent) -> dict[str, Tensor]:
    """Of the model of its context."""
    assert agent.dynamics is not None
    return agent.dynamics.model.state_dict()
