"""What planners are told of running bodies, by hand. The quirks are those of CaDM's code."""

import numpy as np
import pytest
import torch

import icrl
from icrl.families import DynamicsView


def family_of(name, **arguments):
    return icrl.make_family(f"icrl/{name}-v0", **arguments)


def told(name, observation, action, following):
    """The reward that the original's planner is told of one transition."""
    family = family_of(name, planner_reward="cadm-2020")
    given = (
        torch.as_tensor(given, dtype=torch.float32) for given in (observation, action, following)
    )
    reward, terminated = family.reward_and_termination(*given)
    assert reward.dtype == torch.float32 and not terminated.any()
    return reward


@pytest.mark.parametrize(("name", "cost", "bonus"), [("HalfCheetah", 0.1, 0), ("Ant", 0.005, 0.05)])
def test_the_originals_planner_is_paid_the_speed_before_the_step(name, cost, bonus):
    """Quirk 1; ours is paid the speed after it."""
    family = family_of(name)
    before, after = torch.zeros(2, *family.observation_space.shape)
    before[0], after[0] = 3.0, 7.0
    action = torch.full(family.action_space.shape, 0.5)
    charged = cost * 0.25 * len(action)
    assert told(name, before, action, after).item() == pytest.approx(3 + bonus - charged)
    ours, _ = family.reward_and_termination(before, action, after)
    assert ours.item() == pytest.approx(7 + bonus - charged)


def test_the_originals_planner_hears_nothing_of_a_humanoids_fall():
    """Quirk 2: it looks for the height in the second number, a part of a unit quaternion."""
    upright, fallen = torch.zeros(2, 45)
    upright[:2], fallen[:2] = torch.tensor([1.4, 1.0]), torch.tensor([0.3, 0.7])
    action = torch.zeros(17)
    family = family_of("SlimHumanoid")
    ours = [family.reward_and_termination(upright, action, after)[0] for after in (upright, fallen)]
    assert [reward.item() for reward in ours] == [5.0, 0.0]
    theirs = [told("SlimHumanoid", before, action, fallen) for before in (upright, fallen)]
    assert [reward.item() for reward in theirs] == [0.0, 0.0]
    impossible = upright.clone()
    impossible[1] = 1.5
    assert told("SlimHumanoid", impossible, action, fallen).item() == 5.0


def test_the_originals_planner_charges_a_humanoids_controls_six_times_too_much():
    """Quirk 3: the environment squares actuator values, which are 0.4 of the actions."""
    still = torch.zeros(45)
    action = torch.ones(17)
    ours, _ = family_of("SlimHumanoid").reward_and_termination(still, action, still)
    assert ours.item() == pytest.approx(-0.1 * 17 * 0.16)
    assert told("SlimHumanoid", still, action, still).item() == pytest.approx(6.25 * ours.item())


def test_the_originals_planner_charges_what_a_crippled_joint_is_told():
    """Quirk 4: the environment does not, of which joint it is nobody is told."""
    action = np.zeros(6, np.float32)
    action[4] = 1.0
    env = family_of("CrippledHalfCheetah").single_env()
    before, _ = env.reset(seed=3, options={"task": {"crippled": [0, 0, 0, 0, 1, 0]}})
    after, reward, *_ = env.step(action)
    assert reward == pytest.approx(after[0], abs=1e-6)
    planned = told("CrippledHalfCheetah", before, action, after)
    assert planned.item() == pytest.approx(before[0] - 0.1)


def test_planners_are_charged_for_what_the_environment_received():
    still, action = torch.zeros(18), torch.full((6,), 9.0)
    reward, _ = family_of("HalfCheetah").reward_and_termination(still, action, still)
    assert reward.item() == pytest.approx(-0.6)


@pytest.mark.parametrize("name", ["HalfCheetah", "CrippledHalfCheetah"])
def test_models_of_a_half_cheetah_see_its_pitch_as_sine_and_cosine(name):
    """Speed 9, height 1, pitch 2, then 3 to 17."""
    seen = torch.tensor([9.0, 1, 2, *range(3, 18)])
    shown = family_of(name).model_inputs(seen)
    expected = torch.tensor([1.0, np.sin(2), np.cos(2), *range(3, 18)], dtype=torch.float32)
    assert shown.shape == (18,)
    torch.testing.assert_close(shown, expected)


def test_models_of_an_ant_see_all_but_its_speed():
    assert family_of("Ant").model_inputs(torch.arange(28.0)).tolist() == list(range(1, 28))


@pytest.mark.parametrize("name", ["HalfCheetah", "CrippledHalfCheetah", "Ant"])
def test_models_predict_the_speed_itself(name):
    """And of the other numbers the change."""
    family = family_of(name)
    before = torch.arange(*family.observation_space.shape).float()
    after = 3 * before + 5
    target = family.model_targets(before, after)
    assert target[0] == 5 and torch.equal(target[1:], (after - before)[1:])


def test_models_of_a_humanoid_have_no_view_of_their_own():
    """They see the observation and predict its change, as models without one do."""
    assert not isinstance(family_of("SlimHumanoid"), DynamicsView)
