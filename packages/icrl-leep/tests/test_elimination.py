"""Elimination: the order of its tries by hand, what it learns from, how it goes on, and what it
refuses.

Riddles have 11 signs, each with one of 5 answers: that of sign `s` is `3 s mod 5`.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.errors import ConfigError, DamagedFileError, SpaceError, UsageError
from icrl.interaction import Transition, play
from icrl.native import Consequence, NativeFamily
from icrl.run import Run
from icrl.tasks import Tasks
from icrl.testing import PolicyContract
from icrl.timestep import TimeStep
from icrl_leep.elimination import EliminationPolicy
from icrl_leep.elimination_config import EliminationConfig
from icrl_leep.elimination_guesser import Revealed
from icrl_leep.elimination_learning import EliminationAgent
from icrl_leep.elimination_training import Training

CPU = torch.device("cpu")
ANSWERS, SIGNS = spaces.Discrete(5), spaces.Discrete(11)
CHANCES = torch.tensor([0.1, 0.4, 0.3, 0.15, 0.05])
SMALL = EliminationConfig(steps=1100, num_envs=11, batch=17, hidden=13, remembered=101)


class Riddles(NativeFamily):
    """Say the answer to a sign; the right one ends the episode."""

    id = "test/Riddles"
    observation_space, action_space = SIGNS, ANSWERS
    task_space = spaces.Dict({"sign": SIGNS})
    terminates = reports_success = True
    trial_episodes = 1
    num_tasks = {"train": 11, "test": 11}  # noqa: RUF012 (as families have it)
    max_episode_steps = 7

    def sample_tasks(self, num_tasks, *, split="train", seed):
        signs = torch.randperm(11, generator=torch.Generator().manual_seed(seed))[:num_tasks]
        return Tasks(self.id, {}, split, {"sign": signs})

    def initial(self, task, generator):
        return task["sign"].clone()

    def transition(self, state, action, task, generator):
        right = action == 3 * state % 5
        return Consequence(state, right.float() - 1, right, right)

    def observation(self, state, task):
        return state.clone()

    def render(self, task, episode):
        return np.zeros((1, 1, 3), np.uint8)


class Silent(Riddles):
    """Riddles that do not say who was right."""

    reports_success = False


def agent_for(family, config=SMALL):
    return EliminationAgent(config, Interface.of(family), CPU)


def learned(directory, config=SMALL, **settings):
    agent = agent_for(Riddles(), config)
    agent.learn(Riddles(), Run(directory, quiet=True, **settings))
    return agent


def weights(agent):
    return list(agent.guesser.state_dict().values())


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


# The contract


class TestLikeliestFirst(PolicyContract):
    observation_space = spaces.Dict({"seen": spaces.Box(-1, 1, (3,)), "sign": SIGNS})
    action_space = spaces.Discrete(7, start=2)
    memory = "episode"

    def make_policy(self, device):
        interface = Interface(self.observation_space, self.action_space, 11, "test/Other", {})
        return EliminationAgent(SMALL, interface, device).policy(argmax=True)


class TestDrawn(PolicyContract):
    observation_space, action_space, memory = spaces.MultiDiscrete([2, 3]), ANSWERS, "episode"

    def make_policy(self, device):
        interface = Interface(self.observation_space, self.action_space, 11, "test/Other", {})
        return EliminationAgent(replace(SMALL, decoding="sample"), interface, device).policy()


# The story


def tries(seen, *, starts=(), chances=CHANCES, actions=ANSWERS, decoding="argmax", rows=1, seed=0):
    """What is tried while `seen` is seen, step by step, [time, rows]; episodes open at 0 and at
    `starts`.
    """
    table = chances.log().expand(rows, -1)
    policy = EliminationPolicy(lambda _: table, SIGNS, actions, CPU, decoding=decoding)
    generator = torch.Generator().manual_seed(seed)
    context, found = policy.initial_context(rows), []
    for time, sign in enumerate(seen):
        now = torch.full((rows,), sign)
        timestep = TimeStep.first(now, actions)
        if time:
            opens = torch.full((rows,), time in starts)
            timestep = replace(timestep, action=found[-1], episode_start=opens)
        action, context = policy.act(timestep, context, generator)
        found.append(action)
    return torch.stack(found)


def test_the_likeliest_that_is_left_is_tried():
    assert tries([6] * 5)[:, 0].tolist() == [1, 2, 3, 0, 4]


def test_it_begins_anew_when_all_were_tried():
    assert tries([6] * 7)[5:, 0].tolist() == [1, 2]


def test_it_begins_anew_with_an_episode():
    assert tries([6] * 4, starts=[2])[:, 0].tolist() == [1, 2, 1, 2]


def test_it_begins_anew_when_something_else_is_seen():
    assert tries([6, 6, 9, 9, 6])[:, 0].tolist() == [1, 2, 1, 2, 1]


def test_actions_may_count_from_another_number():
    assert tries([6] * 6, actions=spaces.Discrete(5, start=3))[:, 0].tolist() == [4, 5, 6, 3, 7, 4]


def test_the_impossible_is_tried_last():
    chances = torch.tensor([0.0, 0.0, 0.7, 0.3, 0.0])
    assert tries([6] * 5, chances=chances)[:2, 0].tolist() == [2, 3]
    assert sorted(tries([6] * 5, chances=chances)[:, 0].tolist()) == [0, 1, 2, 3, 4]


def test_rows_go_their_own_way():
    """One row's episode goes on while the other's begins."""
    policy = EliminationPolicy(lambda _: CHANCES.log().expand(2, -1), SIGNS, ANSWERS, CPU)
    first = TimeStep.first(torch.tensor([6, 6]), ANSWERS)
    action, context = policy.act(first, policy.initial_context(2), torch.Generator())
    following = replace(first, action=action, episode_start=torch.tensor([False, True]))
    assert policy.act(following, context, torch.Generator())[0].tolist() == [2, 1]


def test_drawn_tries_have_the_chances_of_what_is_left():
    """Where 1 was tried first, the next is drawn by the rest, which sums to 0.6."""
    rows = 60_000
    first, second = tries([6, 6], decoding="sample", rows=rows)
    counts = torch.bincount(first, minlength=5) / rows
    assert counts.tolist() == pytest.approx(CHANCES.tolist(), abs=0.01)
    after = second[first == 1]
    expected = [0.1 / 0.6, 0, 0.3 / 0.6, 0.15 / 0.6, 0.05 / 0.6]
    assert (torch.bincount(after, minlength=5) / len(after)).tolist() == pytest.approx(
        expected, abs=0.015
    )


def test_drawn_tries_never_repeat():
    order = tries([6] * 5, decoding="sample", rows=101)
    assert (order.sort(0).values == torch.arange(5)[:, None]).all()


# Learning


def test_it_learns_every_answer(tmp_path):
    family = Riddles()
    tasks = family.sample_tasks(11, split="test", seed=0)
    policy = learned(tmp_path, replace(SMALL, steps=4400, learning_rate=0.01)).policy()
    assert (next(play(policy, family.vector_env(tasks), seed=0)).reward == 0).all()


def test_an_untrained_guesser_still_needs_no_more_tries_than_there_are_answers():
    family = Riddles()
    env = family.vector_env(family.sample_tasks(11, seed=0))
    steps = play(agent_for(family).policy(), env, seed=0)
    ended = torch.stack([next(steps).terminated for _ in range(5)])
    assert ended.any(0).all()


def test_only_a_success_reveals_an_answer(tmp_path):
    """Of three rows one ended well, one badly, one goes on."""
    agent = agent_for(Riddles())
    training = Training(agent.guesser, SMALL, agent.interface, CPU, Run(tmp_path, quiet=True))
    seen = TimeStep.first(torch.tensor([2, 3, 4]), ANSWERS)
    training.step(
        1,
        Transition(
            timestep=seen,
            action=torch.tensor([1, 2, 3]),
            reward=torch.zeros(3),
            terminated=torch.tensor([True, True, False]),
            truncated=torch.zeros(3, dtype=torch.bool),
            following=seen,
            info={"success": torch.tensor([True, False, False])},
        ),
        last=False,
    )
    kept = dict(training.revealed.tensors())
    assert {name: tensor.tolist() for name, tensor in kept.items()} == {
        "action": [1],
        "observation/": [2],
    }


def test_the_newest_take_the_place_of_the_oldest():
    """Into five places: 0 to 2, then 3 to 6, of which 5 and 6 lie where 0 and 1 lay."""
    revealed = Revealed(SIGNS, 5, CPU)
    revealed.add(torch.arange(3), torch.zeros(3, dtype=torch.int64))
    assert len(revealed) == 3
    revealed.add(torch.arange(3, 7), torch.ones(4, dtype=torch.int64))
    assert revealed.observation.tolist() == [5, 6, 2, 3, 4]
    assert revealed.action.tolist() == [1, 1, 0, 1, 1]
    assert len(revealed) == 5


def test_equal_seeds_learn_equal_weights(tmp_path):
    first, second, other = (
        learned(tmp_path / str(i), seed=seed) for i, seed in enumerate((3, 3, 4))
    )
    assert same_weights(first, second)
    assert not same_weights(first, other)


class Killed(Exception):
    """Stands for a process that dies."""


class Dying(Run):
    """A run that saves after step 50 and dies at step 71."""

    def checkpoint_due(self):
        return True

    def save_checkpoint(self, step, tensors, state):
        if step == 50:
            super().save_checkpoint(step, tensors, state)

    def log(self, step, scalars):
        if step == 71:
            raise Killed
        super().log(step, scalars)


def killed(directory):
    with pytest.raises(Killed):
        agent_for(Riddles()).learn(Riddles(), Dying(directory, quiet=True))


def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path):
    killed(tmp_path)
    agent = agent_for(Riddles())
    training = Training(agent.guesser, SMALL, agent.interface, CPU, Run(tmp_path, quiet=True))
    assert training.resume() == 50
    assert len(training.revealed) == min(101, training.revealed.count) > 11
    assert {int(state["step"]) for state in training.optimizer.state.values()} == {50}
    learned(tmp_path)
    assert Run(tmp_path).load_checkpoint()[0] == 100
    logged = np.loadtxt(tmp_path / "progress.csv", delimiter=",", skiprows=1, usecols=0)
    assert logged.tolist() == list(range(1, 101))


def test_what_was_saved_acts_alike(tmp_path):
    agent = learned(tmp_path / "run")
    agent.save(tmp_path / "agent")
    again = EliminationAgent.load(tmp_path / "agent", CPU)
    assert again.config == agent.config and same_weights(again, agent)


def test_a_policy_does_not_learn_on(tmp_path):
    agent = agent_for(Riddles())
    policy = agent.policy()
    before = policy.log_probs(torch.arange(11))
    agent.guesser.load_state_dict(learned(tmp_path).guesser.state_dict())
    assert torch.equal(policy.log_probs(torch.arange(11)), before)


# Refusals


@pytest.mark.parametrize(
    "space", [spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(3)]
)
def test_actions_that_are_no_alternatives_are_refused(space):
    interface = Interface(SIGNS, space, 7, "test/Other", {})
    with pytest.raises(SpaceError, match=r"test/Other has the action space .*Discrete actions"):
        EliminationAgent(SMALL, interface, CPU)


def test_a_family_without_success_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match="test/Riddles reports no success"):
        agent_for(Silent()).learn(Silent(), Run(tmp_path / "run", quiet=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"hidden": 0}, "hidden is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"num_envs": 0}, "num_envs is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be positive"),
        ({"num_envs": 102}, "remembered is 101, but 102 environments"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        agent_for(Riddles(), replace(SMALL, **setting))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    killed(tmp_path)
    with pytest.raises(ConfigError, match=r"batch = 17, now 19"):
        learned(tmp_path, replace(SMALL, batch=19))


def test_a_checkpoint_of_another_agent_is_refused(tmp_path):
    Run(tmp_path).save_checkpoint(3, {"a": torch.zeros(1)}, {"settings": SMALL.to_dict()})
    with pytest.raises(DamagedFileError, match="no checkpoint of this agent"):
        learned(tmp_path)


@pytest.fixture
def saved(tmp_path):
    agent_for(Riddles()).save(tmp_path)
    return tmp_path


def test_settings_cut_off_at_the_end_of_a_line_are_refused(saved):
    path = saved / "config.toml"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    with pytest.raises(DamagedFileError, match=r"config.toml lacks learning_rate, remembered"):
        EliminationAgent.load(saved, CPU)


def test_weights_of_another_size_are_refused(saved):
    replace(SMALL, hidden=29).save(saved / "config.toml")
    with pytest.raises(DamagedFileError, match=r"weights.safetensors does not fit"):
        EliminationAgent.load(saved, CPU)
