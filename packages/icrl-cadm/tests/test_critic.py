"""The clipped critic: its slope is that of the larger error, in every minibatch of a run."""

from dataclasses import replace

import pytest
import torch
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


def test_the_slope_is_that_of_the_larger_error_in_every_minibatch():
    model = learner(schedule="constant")
    policy, evaluate, found = model.policy, model.policy.evaluate_actions, []

    def compared(obs, actions):
        values, log_prob, entropy = evaluate(obs, actions)
        batch, weights = policy.learned_from.minibatch, list(policy.value_net.parameters())
        reach = model.clip_range(model._current_progress_remaining)
        assert reach == policy.reach
        wanted = larger_error(
            policy.predict_values(obs).flatten(), batch.old_values, batch.returns, reach
        )
        ours = mse_loss(batch.returns, values.flatten())  # as SB3 has it, not clipped
        slopes = [torch.autograd.grad(e, weights, retain_graph=True) for e in (wanted, ours)]
        for one, other in zip(*slopes, strict=True):
            torch.testing.assert_close(one, other)
        held = beyond(values.detach().flatten(), batch.old_values, batch.returns, reach)
        found.append(held.float().mean().item())
        return values, log_prob, entropy

    policy.evaluate_actions = compared
    model.learn(300)
    assert len(found) == 10 * 4 * 2
    assert found[0] == 0 and max(found) > 0.3


def test_only_a_clipped_critic_is_ours():
    assert isinstance(learner(), ClippedCriticPPO)
    assert not isinstance(learner(clip_values=False), ClippedCriticPPO)
    assert learner().clip_range_vf is None
