"""The clipped critic: its slope is that of the larger error, in every minibatch of a run."""

from dataclasses import replace

import pytest
import torch
from stable_baselines3.common.buffers import DictRolloutBuffer
from torch.nn.functional import mse_loss

from icrl.agent import Interface
from icrl.testing import Corridor
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.critic import ClippedCriticPPO, beyond
from icrl_cadm.model_free.learning import ModelFreeAgent

CONFIG = ModelFreeConfig(
    context="stacked",
    past=2,
    num_envs=3,
    rollout=10,
    minibatches=2,
    epochs=4,
    hidden=(7,),
    learning_rate=0.03,
    clip=0.1,
    steps=300,
)


def learner(**settings) -> ClippedCriticPPO:
    config = replace(CONFIG, **settings)
    agent = ModelFreeAgent(config, Interface.of(Corridor()), torch.device("cpu"))
    return agent.model(agent.environment(Corridor(), seed=0), seed=0)


def larger_error(values, old, targets, reach):
    """OpenAI baselines' PPO2, before it is halved."""
    clipped = old + (values - old).clamp(-reach, reach)
    return torch.maximum((values - targets) ** 2, (clipped - targets) ** 2).mean()


@pytest.mark.parametrize(
    ("value", "target", "held"),
    [
        (0.1, 5.0, False),  # within reach
        (0.5, 5.0, True),  # moved further than it may, towards its target
        (-0.5, 5.0, False),  # moved away from it
        (0.5, 0.34, False),  # and past it, to where it is further off than the clipped one
        (0.5, 0.36, True),
        (0.2, 5.0, False),  # just as far as it may
    ],
)
def test_a_value_is_held_where_it_has_moved_far_enough_towards_its_target(value, target, held):
    found = beyond(torch.tensor([value]), torch.zeros(1), torch.tensor([target]), 0.2)
    assert found.tolist() == [held]


def test_rounding_holds_no_value_within_reach():
    values, old, targets = torch.rand(3, 1000, generator=torch.Generator().manual_seed(0)) / 9
    assert (old + (values - old) != values).any()
    assert not beyond(values, old, targets, 0.2).any()


def test_the_slope_is_that_of_the_larger_error_in_every_minibatch(monkeypatch):
    """Of what SB3 takes for the critic's squared error."""
    model = learner()
    weights, shares = list(model.policy.value_net.parameters()), []
    minibatch = None

    def sampled(buffer, indices, env=None):
        nonlocal minibatch
        minibatch = samples(buffer, indices, env)
        return minibatch

    def compared(targets, values):
        error, old = mse_loss(targets, values), minibatch.old_values
        reach = 0.1 * (1 - model.num_timesteps / 300)
        if not reach:  # the last update: nothing moves any more
            return error
        plain = model.policy.predict_values(minibatch.observations).flatten()
        wanted = larger_error(plain, old, targets, reach)
        slopes = [torch.autograd.grad(each, weights, retain_graph=True) for each in (error, wanted)]
        for ours, theirs in zip(*slopes, strict=True):
            torch.testing.assert_close(ours, theirs)
        shares.append(((plain - old).abs() > reach).float().mean().item())
        return error

    samples = DictRolloutBuffer._get_samples
    monkeypatch.setattr(DictRolloutBuffer, "_get_samples", sampled)
    monkeypatch.setattr("stable_baselines3.ppo.ppo.F.mse_loss", compared)
    model.learn(300)
    assert len(shares) == 9 * 4 * 2
    assert shares[0] == 0 and max(shares) > 0.3


def test_a_learner_is_as_before_once_it_has_learned(tmp_path):
    """It can be saved and loaded, and its policy evaluates whatever actions."""
    model = learner()
    model.learn(30)
    model.save(tmp_path / "model")
    again = ClippedCriticPPO.load(tmp_path / "model", env=model.env)
    seen = {name: torch.rand(4, *box.shape) for name, box in model.observation_space.items()}
    actions = torch.zeros(4)
    found, theirs = (each.policy.evaluate_actions(seen, actions) for each in (model, again))
    torch.testing.assert_close(found, theirs)
    torch.testing.assert_close(found[0], model.policy.predict_values(seen))
    again.learn(30)


def test_only_a_clipped_critic_is_ours():
    assert isinstance(learner(), ClippedCriticPPO)
    assert not isinstance(learner(clip_values=False), ClippedCriticPPO)
    assert learner().clip_range_vf is None
