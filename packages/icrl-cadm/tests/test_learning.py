"""Learning: iterations, what is kept, how a killed run goes on, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl import make_family
from icrl.agent import Interface
from icrl.errors import (
    ConfigError,
    ContextError,
    DamagedFileError,
    SpaceError,
    UnknownFamilyError,
)
from icrl.families import TaskFamily
from icrl.run import Run
from icrl.testing.counter import Counter, CounterFamily
from icrl.training_view import training_view
from icrl_cadm.config import CaDMConfig
from icrl_cadm.learning import CaDMAgent, Training
from icrl_cadm.policy import PlanningPolicy

CPU = torch.device("cpu")
SMALL = CaDMConfig(
    iterations=3,
    num_envs=2,
    steps_per_iteration=20,
    epochs=2,
    hidden=(7,),
    encoder=(7,),
    horizon=2,
    candidates=5,
    elites=2,
    refinements=1,
)
PENDULUM = "icrl/Pendulum-v0"


def agent_for(family: TaskFamily, **settings) -> CaDMAgent:
    return CaDMAgent(replace(SMALL, **settings), Interface.of(family), CPU)


def learned(directory: Path, family: TaskFamily | None = None, **settings) -> CaDMAgent:
    family = family or make_family(PENDULUM)
    agent = agent_for(family, **settings)
    agent.learn(training_view(family, None, seed=0), Run(directory, quiet=True))
    return agent


def same_weights(one: CaDMAgent, other: CaDMAgent) -> bool:
    theirs = other.model.state_dict()
    return all(torch.equal(x, theirs[name]) for name, x in one.model.state_dict().items())


def test_every_iteration_collects_and_trains_on_all_so_far(tmp_path):
    learned(tmp_path)
    step, tensors, _ = Run(tmp_path, quiet=True).load_checkpoint()
    assert step == 60
    assert len(tensors["transitions/reward"]) == 60


def test_the_first_iteration_acts_at_random_and_the_others_by_plans(tmp_path, monkeypatch):
    asked = []
    plan = PlanningPolicy.act

    def act(self, timestep, context, generator):
        asked.append(len(timestep.reward))
        return plan(self, timestep, context, generator)

    monkeypatch.setattr(PlanningPolicy, "act", act)
    learned(tmp_path, iterations=2)
    assert asked == [2] * 10


def drawn_from(directory: Path, **settings) -> list:
    """The tasks that each environment of a training draws from, and how it draws."""
    family = make_family(PENDULUM)
    view, drawn = training_view(family, None, seed=0), []
    vector_env = view.vector_env

    def recorded(tasks, **keywords):
        drawn.append((tasks, keywords))
        return vector_env(tasks, **keywords)

    view.vector_env = recorded
    agent_for(family, **settings).learn(view, Run(directory, quiet=True))
    return drawn


def test_episodes_are_on_tasks_drawn_anew(tmp_path):
    ((pool, keywords),) = drawn_from(tmp_path)
    assert len(pool) == 121
    assert keywords == {"num_envs": 2, "episodes_per_task": 1, "device": CPU}


def test_an_iteration_may_have_few_tasks_as_the_originals_do(tmp_path):
    """Its Pendulums are copies of one, random numbers included: they play one task in an
    iteration."""
    pools = [pool for pool, _ in drawn_from(tmp_path, tasks_per_iteration=1)]
    assert [len(pool) for pool in pools] == [1, 1, 1]
    assert len({(float(pool.arrays["mass"]), float(pool.arrays["length"])) for pool in pools}) > 1


@pytest.mark.parametrize("few", [None, 1])
def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path, monkeypatch, few):
    whole = learned(tmp_path / "whole", tasks_per_iteration=few)
    fit, calls = Training._fit, []

    def killed(self, advance):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(self, advance)

    monkeypatch.setattr(Training, "_fit", killed)
    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path / "killed", tasks_per_iteration=few)
    again = learned(tmp_path / "killed", tasks_per_iteration=few)
    assert same_weights(again, whole)
    assert len((tmp_path / "killed" / "progress.csv").read_text().splitlines()) == 4


def test_a_run_with_other_settings_does_not_go_on(tmp_path):
    learned(tmp_path)
    with pytest.raises(ConfigError, match=r"hidden = \[7\], now \[11\]"):
        learned(tmp_path, hidden=(11,))


def test_a_checkpoint_from_before_a_setting_was_there_goes_on_with_its_default(
    tmp_path, monkeypatch
):
    save = Training.save

    def saved(self):
        del self._settings["fused"]
        save(self)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", saved)
        first = learned(tmp_path, iterations=1)
    assert same_weights(learned(tmp_path, iterations=1), first)
    with pytest.raises(ConfigError, match="fused = False, now True"):
        learned(tmp_path, iterations=1, fused=True)


def test_a_finished_run_learns_no_more(tmp_path):
    first = learned(tmp_path)
    told = (tmp_path / "progress.csv").read_text()
    assert same_weights(learned(tmp_path), first)
    assert (tmp_path / "progress.csv").read_text() == told


def test_what_was_saved_acts_the_same(tmp_path):
    agent = learned(tmp_path / "run")
    agent.save(tmp_path / "agent")
    loaded = CaDMAgent.load(tmp_path / "agent", CPU)
    assert same_weights(loaded, agent)
    assert loaded.config == agent.config
    assert loaded.rewards is not None


def test_weights_of_another_size_are_refused(tmp_path):
    agent = agent_for(make_family(PENDULUM))
    agent.save(tmp_path)
    agent_for(make_family(PENDULUM), hidden=(11,)).config.save(tmp_path / "config.toml")
    with pytest.raises(DamagedFileError, match=r"weights\.safetensors does not fit"):
        CaDMAgent.load(tmp_path, CPU)


def test_a_model_whose_family_is_not_installed_any_more_is_not_called_damaged(
    tmp_path, monkeypatch
):
    def unknown(id, **arguments):
        raise UnknownFamilyError(f"no plugin provides {id}.")

    agent_for(make_family(PENDULUM)).save(tmp_path)
    monkeypatch.setattr("icrl_cadm.learning.make_family", unknown)
    with pytest.raises(UnknownFamilyError, match=PENDULUM):
        CaDMAgent.load(tmp_path, CPU)


# Rewards.


def test_a_family_that_offers_its_reward_is_believed():
    agent = agent_for(make_family(PENDULUM))
    assert agent.rewards is not None
    assert agent.model.networks.outcomes is None


def test_elsewhere_reward_and_termination_are_learned():
    agent = agent_for(CounterFamily())
    assert agent.rewards is None
    assert agent.model.networks.outcomes is not None


def test_a_reward_can_be_learned_although_one_is_offered():
    assert agent_for(make_family(PENDULUM), reward="learned").rewards is None


def test_a_family_without_a_reward_function_is_refused_if_none_may_be_learned():
    with pytest.raises(ConfigError, match=r'offers no reward function .* reward is "family"'):
        agent_for(CounterFamily(), reward="family")


# Refusals.


def adapted(config: CaDMConfig, *, horizon: int | None = 7, actions: spaces.Space | None = None):
    space = spaces.Box(-1, 1, (2,), np.float32)
    return config.adapted(Interface(space, actions or space, horizon, "test/Any", {}))


def test_defaults_fit_into_short_episodes():
    config = adapted(CaDMConfig())
    assert (config.past, config.future, config.horizon) == (6, 7, 7)


def test_long_episodes_get_the_papers():
    config = adapted(CaDMConfig(), horizon=200)
    assert (config.past, config.future, config.horizon) == (10, 10, 30)
    assert (config.steps_per_iteration, config.total_steps) == (2000, 40_000)


@pytest.mark.parametrize(("name", "longest"), [("past", 6), ("future", 7)])
def test_more_transitions_than_an_episode_has_are_refused(name, longest):
    with pytest.raises(ContextError, match=f"{name} is {longest + 1}, but an episode has"):
        adapted(CaDMConfig(**{name: longest + 1}))
    assert getattr(adapted(CaDMConfig(**{name: longest})), name) == longest


def test_actions_decide_how_is_planned():
    assert adapted(CaDMConfig()).planner == "cem"
    assert adapted(CaDMConfig(), actions=spaces.Discrete(3)).planner == "shooting"


def test_shooting_has_no_elites():
    few = {"candidates": 10, "elites": 11}
    assert adapted(CaDMConfig(**few, planner="shooting")).candidates == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 2, "particles": 3}, "Give particles a multiple of 2"),
        ({"candidates": 10, "elites": 11}, "more than the 10 candidates"),
        ({"num_envs": 10, "steps_per_iteration": 9}, "less than a step for each of 10"),
        ({"hidden": (3, 0)}, "sizes must be at least 1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"smoothing": 1.0}, r"must be in \[0, 1\)"),
        ({"backward": -1.0}, "finite and not negative"),
        ({"context": "gradient", "members": 2, "particles": 2}, "one deterministic member"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        adapted(CaDMConfig(**settings))


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own compiler uses it
def test_compiling_without_a_compiler_is_refused(tmp_path, monkeypatch):
    """Before anything is collected, and where a policy begins to act; not where one is loaded."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigError, match=r"there is no C\+\+ compiler.*without fused"):
        learned(tmp_path / "run", fused=True)
    assert not (tmp_path / "run").exists()
    agent_for(make_family(PENDULUM), fused=True).save(tmp_path / "agent")
    policy = CaDMAgent.load(tmp_path / "agent", CPU).policy()
    with pytest.raises(ConfigError, match=r"there is no C\+\+ compiler"):
        policy.initial_context(2)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own compiler uses it
def test_a_compiler_may_be_named(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: name if name == "mine" else None)
    monkeypatch.setenv("CXX", "mine")
    agent_for(make_family(PENDULUM), fused=True).policy().initial_context(2)


class Diverging(Counter):
    """Its second count is no number."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float64)

    def _observation(self, action):
        count, *rest = super()._observation(action)
        return np.array([np.nan if count == 2 else count, *rest])


class DivergingFamily(CounterFamily):
    """Of counters that diverge."""

    def make_env(self, render_mode=None):
        return Diverging(self.length, self.how)


def test_an_observation_of_a_simulator_that_is_not_finite_is_named(tmp_path):
    family = DivergingFamily()
    with pytest.raises(SpaceError, match=r"Counter, row 0, step 2 of its episode: .* value nan"):
        agent_for(family).learn(family, Run(tmp_path, quiet=True))


def overflowing():
    """Pendulums the second of which is endlessly fast after a few steps."""
    family, steps = make_family(PENDULUM), []
    transition, observation = family.transition, family.observation

    def moved(state, action, task, generator):
        steps.append(1)
        return transition(state, action, task, generator)

    def seen(state, task):
        shown = observation(state, task)
        row = torch.arange(len(shown))[:, None] == 1
        return torch.where(row & (len(steps) > 5), torch.inf, shown)

    family.transition, family.observation = moved, seen
    return family


def test_an_observation_of_a_native_family_that_is_not_finite_is_named(tmp_path):
    family = overflowing()
    with pytest.raises(SpaceError, match=r"environment 1, step \d+: .* not finite: \[inf"):
        agent_for(family).learn(family, Run(tmp_path, quiet=True))
