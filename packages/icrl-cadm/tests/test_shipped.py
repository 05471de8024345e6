"""The weights that come with the package."""

from dataclasses import replace

import torch

import icrl
from icrl.agent import Interface
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent

SHIPPED = "vanilla-cadm:icrl/Pendulum-v0"
CPU = torch.device("cpu")
SHORTER = {"horizon": 15, "candidates": 40, "elites": 8, "refinements": 2}
"""A twenty-fifth of the imagined steps: enough for a pendulum."""


def test_the_shipped_model_plans_for_pendulums_that_it_never_saw():
    shipped = icrl.load_agent(SHIPPED)
    config = replace(shipped.config, **SHORTER)
    agent = CaDMAgent(config, shipped.interface, CPU)
    agent.model.load_state_dict(shipped.model.state_dict())
    family = icrl.make_family("icrl/Pendulum-v0")
    env = family.vector_env(family.sample_tasks(4, split="moderate", seed=0))
    returns = icrl.evaluate(agent.policy(), env, episodes=1, seed=0).returns
    assert returns.mean() > -800  # at random -1,673


def test_ppo_may_take_the_shipped_models_context():
    interface = Interface.of(icrl.make_family("icrl/Pendulum-v0"))
    agent = ModelFreeAgent(ModelFreeConfig(pretrained=SHIPPED), interface, CPU)
    assert agent.dynamics is not None
    assert agent.config.dynamics == icrl.load_agent(SHIPPED).config
