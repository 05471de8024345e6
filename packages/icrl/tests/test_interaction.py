"""The loop that builds timesteps, followed by hand in a world of two cells."""

from itertools import islice, pairwise

import pytest
import torch
from gymnasium.vector import AutoresetMode

from icrl.errors import AutoresetError
from icrl.interaction import Transition, play, policy_generator
from icrl.policy import Policy
from icrl.testing.two_cells import CROSS, LEAVE, STAY, TwoCells
from icrl.timestep import TimeStep

SCRIPT = ((STAY, CROSS), (CROSS, LEAVE), (STAY, STAY), (CROSS, CROSS))


class Scripted(Policy[int]):
    """Plays a script; its context counts the steps."""

    def __init__(self, script=SCRIPT):
        self.script = torch.tensor(script)
        self.seen: list[TimeStep] = []

    def initial_context(self, num_envs):
        return 0

    def act(self, timestep, context, generator):
        self.seen.append(timestep)
        return self.script[context], context + 1


@pytest.fixture
def story() -> tuple[list[Transition], Scripted]:
    """Four steps of two rows; row 0 plays (goal 1, length 3), row 1 plays (goal 0, length 3).

    row 0   step  action  cell         reward  ends
            0     stay    0 -> 0       0
            1     cross   0 -> 1       1
            2     stay    1 -> 1       1       truncated, then back to 0
            3     cross   0 -> 1       1
    row 1   0     cross   0 -> 1       0
            1     leave   1 -> 1       0       terminated, then back to 0
            2     stay    0 -> 0       1
            3     cross   0 -> 1       0
    """
    family = TwoCells()
    every = family.sample_tasks(4, split="test", seed=0)
    goals, lengths = every.arrays["goal"], every.arrays["length"]
    chosen = [int(torch.nonzero((goals == g) & (lengths == 3))[0]) for g in (1, 0)]
    policy = Scripted()
    return list(islice(play(policy, family.vector_env(every[chosen]), seed=5), 4)), policy


def test_the_first_timestep_opens_a_trial_with_zeros(story):
    first = story[0][0].timestep
    assert first.action.tolist() == [0, 0]
    assert first.reward.tolist() == [0.0, 0.0]
    assert first.episode_start.tolist() == [True, True]
    assert first.terminated.tolist() == [False, False]


def test_each_timestep_holds_the_action_that_led_to_it(story):
    timesteps = [t.timestep for t in story[0]]
    assert [t.action.tolist() for t in timesteps[1:]] == [list(a) for a in SCRIPT[:3]]


def test_rewards_stand_at_the_step_after_they_were_earned(story):
    assert [t.reward.tolist() for t in story[0]] == [[0, 0], [1, 0], [1, 1], [1, 0]]
    assert [t.timestep.reward.tolist() for t in story[0]] == [[0, 0], [0, 0], [1, 0], [1, 1]]


def test_the_outcome_of_a_last_step_is_the_ended_episodes_last_observation(story):
    timesteps = [t.timestep for t in story[0]] + [story[0][-1].following]
    assert [t.observation.tolist() for t in timesteps] == [[0, 0], [0, 1], [1, 0], [0, 0], [1, 1]]
    assert [t.outcome.tolist() for t in timesteps] == [[0, 0], [0, 1], [1, 1], [1, 0], [1, 1]]


def test_the_action_before_an_episodes_first_is_the_last_one_of_the_episode_before(story):
    opening = story[0][3].timestep
    assert opening.episode_start.tolist() == [True, False]
    assert opening.action.tolist() == [STAY, STAY]
    assert story[0][2].timestep.episode_start.tolist() == [False, True]
    assert story[0][2].timestep.action.tolist() == [CROSS, LEAVE]


def test_truncation_is_not_termination(story):
    assert [t.timestep.terminated.tolist() for t in story[0]] == [[0, 0], [0, 0], [0, 1], [0, 0]]
    assert [t.ended.tolist() for t in story[0]] == [[0, 0], [0, 1], [1, 0], [0, 0]]


def test_the_policy_sees_just_the_timesteps_that_are_told(story):
    transitions, policy = story
    for transition, seen in zip(transitions, policy.seen, strict=True):
        assert transition.timestep is seen
    for before, after in pairwise(transitions):
        assert before.following is after.timestep


def test_success_is_told_where_the_family_reports_it(story):
    assert [t.info["success"].tolist() for t in story[0]] == [[0, 0], [1, 0], [1, 1], [1, 0]]


def test_the_policy_draws_from_another_stream_than_the_environment():
    ours = torch.rand(7, generator=policy_generator(3, "cpu"))
    assert not torch.equal(ours, torch.rand(7, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(ours, torch.rand(7, generator=policy_generator(3, "cpu")))


def test_a_vector_environment_in_next_step_autoreset_is_refused_before_it_is_reset():
    family = TwoCells()
    env = family.vector_env(family.sample_tasks(2, seed=0))
    env.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    with pytest.raises(AutoresetError, match="autoreset mode is NEXT_STEP"):
        play(Scripted(), env, seed=0)


def test_acting_records_no_gradients_while_the_caller_may():
    family = TwoCells()
    weight = torch.ones(3, requires_grad=True)

    class Watching(Scripted):
        def act(self, timestep, context, generator):
            assert not (weight * 2).requires_grad
            return super().act(timestep, context, generator)

    for _ in islice(play(Watching(), family.vector_env(family.sample_tasks(2, seed=0)), seed=0), 3):
        assert (weight * 2).requires_grad
