"""The agent: it learns on the training tasks, goes on where it was killed, and is saved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import icrl
from icrl.agent import Interface
from icrl.errors import ConfigError, DamagedFileError, SpaceError
from icrl.families import TaskFamily
from icrl.interaction import play
from icrl.random_agent import RandomPolicy
from icrl.run import Run
from icrl.tasks import Tasks
from icrl.testing import Corridor
from icrl.testing.counter import CounterFamily
from icrl.testing.flashes import FlashFamily
from icrl.timestep import TimeStep
from icrl.training_view import training_view
from icrl_sb3.config import SB3AgentConfig
from icrl_sb3.learning import SB3Agent

CPU = torch.device("cpu")
PPO = {"n_steps": 5, "batch_size": 10, "n_epochs": 1, "policy_kwargs": {"net_arch": [3]}}
SAC = {"learning_starts": 10, "batch_size": 7, "policy_kwargs": {"net_arch": [3]}}
SMALL = SB3AgentConfig(algorithm="PPO", steps=40, num_envs=2, settings=PPO)


def agent_for(family: TaskFamily, config: SB3AgentConfig = SMALL) -> SB3Agent:
    return SB3Agent(config, Interface.of(family), CPU)


def learned(
    directory: Path,
    family: TaskFamily | None = None,
    config: SB3AgentConfig = SMALL,
    *,
    num_tasks: int | None = 7,
    seed: int = 0,
) -> SB3Agent:
    family = family or CounterFamily()
    agent = agent_for(family, config)
    view = training_view(family, num_tasks, seed=seed)
    agent.learn(view, Run(directory, seed=seed, quiet=True))
    return agent


def actions(agent: SB3Agent, family: TaskFamily, *, argmax: bool = False) -> torch.Tensor:
    env = family.vector_env(family.sample_tasks(3, split="test", seed=0))
    steps = zip(range(7), play(agent.policy(argmax=argmax), env, seed=1), strict=False)
    return torch.stack([transition.action for _, transition in steps])


class Killed(Exception):
    """Stands for a process that dies."""


class Dying(Run):
    """A run that dies after it has kept a checkpoint of step 20."""

    def checkpoint_due(self):
        return True

    def save_checkpoint(self, step, tensors, state):
        super().save_checkpoint(step, tensors, state)
        if step >= 20:
            raise Killed


# What it learns on.


class Watched(CounterFamily):
    """Notes the tasks that environments are made of, and how they are drawn."""

    def vector_env(self, tasks: Tasks, **keywords: Any) -> Any:
        self.pool, self.keywords = tasks, keywords
        return super().vector_env(tasks, **keywords)


def test_each_episode_is_on_one_of_all_training_tasks(tmp_path: Path):
    family = Watched()
    learned(tmp_path, family, num_tasks=None)
    assert sorted(family.pool.arrays["number"].tolist()) == list(range(89))
    assert family.keywords == {"num_envs": 2, "episodes_per_task": 1, "device": "cpu"}


def test_no_more_tasks_are_learned_on_than_were_asked_for(tmp_path: Path):
    family = Watched()
    learned(tmp_path, family, num_tasks=5)
    assert len(family.pool) == 5


@pytest.mark.parametrize("name", ["PPO", "SAC"])
def test_a_seed_makes_an_agent_repeat(tmp_path: Path, name: str):
    config = SB3AgentConfig(
        algorithm=name, steps=40, num_envs=2, settings=PPO if name == "PPO" else SAC
    )
    family = CounterFamily()
    first, same, other = (
        actions(learned(tmp_path / str(i), family, config, seed=seed), family)
        for i, seed in enumerate((0, 0, 1))
    )
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)


def test_learning_leaves_the_global_generators_alone(tmp_path: Path):
    before, numpy = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    learned(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002


def test_a_policy_is_a_copy_that_later_learning_does_not_change(tmp_path: Path):
    family = CounterFamily()
    agent = agent_for(family)
    policy = agent.policy()
    before = {n: t.clone() for n, t in policy._model.policy.state_dict().items()}
    agent.learn(training_view(family, 5, seed=0), Run(tmp_path, quiet=True))
    assert all(torch.equal(t, before[n]) for n, t in policy._model.policy.state_dict().items())


def test_pixels_are_learned_from(tmp_path: Path):
    settings = {"n_steps": 5, "batch_size": 10, "n_epochs": 1}
    config = SB3AgentConfig(algorithm="PPO", steps=20, num_envs=2, settings=settings)
    agent = learned(tmp_path / "run", FlashFamily(), config)
    agent.save(tmp_path / "agent")
    loaded = SB3Agent.load(tmp_path / "agent", CPU)
    assert torch.equal(actions(loaded, FlashFamily()), actions(agent, FlashFamily()))


def test_it_learns_which_way_its_only_task_lies(tmp_path: Path):
    """The goal of one corridor: right of it go left, left of it go right."""
    family = Corridor()
    agent = agent_for(
        family, SB3AgentConfig(algorithm="PPO", steps=8192, settings={"learning_rate": 3e-3})
    )
    view = training_view(family, 1, seed=5)
    goal = int(view.sample_tasks(1, seed=0).arrays["goal"])
    assert 0 < goal < 6
    agent.learn(view, Run(tmp_path, quiet=True))
    cells = torch.tensor([cell for cell in range(7) if cell != goal])
    timestep = TimeStep.first(cells, family.action_space)
    chosen, _ = agent.policy(argmax=True).act(timestep, (), torch.Generator())
    assert chosen.tolist() == (cells < goal).long().tolist()


def test_rewards_are_normalised_by_the_learners_own_discount(tmp_path: Path):
    config = SB3AgentConfig(
        algorithm="PPO", steps=40, num_envs=2, settings=PPO | {"gamma": 0.5}, normalize=True
    )
    wrapper = learned(tmp_path, config=config)._trained._model.get_vec_normalize_env()
    assert wrapper is not None and wrapper.gamma == 0.5
    assert wrapper.ret_rms.count == pytest.approx(40, abs=0.01)


# Going on, and files.


@pytest.mark.parametrize(("name", "settings"), [("PPO", PPO), ("SAC", SAC)])
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path: Path, name: str, settings: Any):
    family = CounterFamily()
    config = SB3AgentConfig(algorithm=name, steps=40, num_envs=2, settings=settings)
    with pytest.raises(Killed):
        agent_for(family, config).learn(
            training_view(family, 7, seed=0), Dying(tmp_path, quiet=True)
        )
    found = Run(tmp_path).load_checkpoint()
    assert found is not None and found[0] == 20
    agent = learned(tmp_path, family, config)
    assert agent._trained._model.num_timesteps == 40
    found = Run(tmp_path).load_checkpoint()
    assert found is not None and found[0] == 40


def test_a_loaded_agent_acts_as_the_saved_one(tmp_path: Path):
    family = CounterFamily()
    agent = learned(tmp_path / "run", family)
    agent.save(tmp_path / "agent")
    names = sorted(path.name for path in (tmp_path / "agent").iterdir())
    assert names == ["config.toml", "interface.json", "policy.safetensors"]
    loaded = SB3Agent.load(tmp_path / "agent", CPU)
    assert (loaded.config, loaded.interface) == (agent.config, agent.interface)
    for argmax in (False, True):
        ours, theirs = (actions(each, family, argmax=argmax) for each in (loaded, agent))
        assert torch.equal(ours, theirs)


def test_argmax_draws_nothing():
    family = CounterFamily()
    agent = agent_for(family)
    drawn, likeliest = actions(agent, family), actions(agent, family, argmax=True)
    assert torch.allclose(likeliest[0], likeliest[3])  # both open an episode of the same task
    assert not torch.allclose(drawn[0], drawn[3])


# Refusals.


def test_a_setting_that_the_learner_does_not_take_is_refused_before_it_learns():
    config = SB3AgentConfig(algorithm="PPO", settings={"n_step": 3})
    with pytest.raises(ConfigError, match="PPO has no setting 'n_step'"):
        agent_for(CounterFamily(), config)


def test_an_observation_that_the_learner_cannot_see_is_refused_with_one_that_can():
    interface = Interface(
        spaces.Dict(speed=spaces.Discrete(3)),
        spaces.Box(-1.0, 1.0, (2,), np.float32),
        20,
        "test/Any",
        {},
    )
    with pytest.raises(SpaceError, match=r"CrossQ has no policy.*The agent ppo sees every"):
        SB3Agent(SB3AgentConfig(algorithm="CrossQ"), interface, CPU)


def test_a_value_that_the_learner_does_not_take_is_not_blamed_on_what_it_sees():
    config = SB3AgentConfig(algorithm="PPO", settings={"batch_size": 1})
    with pytest.raises(SpaceError, match="`batch_size` must be greater than 1") as refusal:
        agent_for(CounterFamily(), config)
    assert "sees every observation" not in str(refusal.value)


def test_actions_without_bounds_are_refused():
    unbounded = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    with pytest.raises(SpaceError, match="finite bounds"):
        SB3Agent(SMALL, Interface(spaces.Discrete(2), unbounded, 20, "test/Any", {}), CPU)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"num_tasks": 5}, "training_tasks = 7, now 5"), ({"seed": 3}, "seed = 0, now 3")],
)
def test_a_checkpoint_of_other_tasks_is_refused(tmp_path: Path, changed: Any, message: str):
    learned(tmp_path)
    with pytest.raises(ConfigError, match=f"other settings.*{message}"):
        learned(tmp_path, **changed)


def test_a_damaged_agent_is_refused(tmp_path: Path):
    agent = agent_for(CounterFamily())
    agent.save(tmp_path)
    config = tmp_path / "config.toml"
    whole = config.read_text()
    config.write_text(whole[: whole.index("steps")])
    with pytest.raises(DamagedFileError, match=r"config\.toml lacks steps"):
        SB3Agent.load(tmp_path, CPU)
    config.write_text(whole)
    weights = tmp_path / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(DamagedFileError, match=r"policy\.safetensors"):
        SB3Agent.load(tmp_path, CPU)


# Slow: it learns what a user would train it for.


@pytest.mark.slow
def test_ppo_balances_poles_that_it_has_not_seen(tmp_path: Path):
    family = icrl.make_family("CartPole-v1")
    agent = agent_for(family, SB3AgentConfig(algorithm="PPO", steps=60_000))
    agent.learn(training_view(family, 100, seed=0), Run(tmp_path, quiet=True))
    env = family.vector_env(family.sample_tasks(41, split="test", seed=0))
    ours, random = (
        icrl.evaluate(policy, env, 1, 0).returns[:, 0]
        for policy in (agent.policy(), RandomPolicy(family.action_space, "cpu"))
    )
    gain = ours - random  # of the same tasks; exchanging who played what flips its sign
    signs = np.random.default_rng(0).choice([-1, 1], (10_000, len(gain)))
    assert ((signs * gain).mean(axis=1) >= gain.mean()).mean() < 1e-3
    assert np.median(ours) > 5 * np.median(random)
