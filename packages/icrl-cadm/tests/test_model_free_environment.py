"""What PPO sees of an episode: beside the state, in the environment as in the policy."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.errors import SpaceError
from icrl.families import DynamicsView, TaskFamily
from icrl.sb3 import TaskVecEnv
from icrl.testing import Corridor
from icrl.testing.counter import CounterFamily
from icrl.timestep import TimeStep
from icrl.vector import TaskVectorEnv
from icrl_cadm.config import CaDMConfig
from icrl_cadm.controls import Controls
from icrl_cadm.history import History
from icrl_cadm.model_free.clues import (
    CONTEXT,
    NOISE,
    TRANSITIONS,
    ModelClues,
    NoClues,
    SampledClues,
    StackedClues,
)
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.environment import RememberingEnv, learner_actions
from icrl_cadm.model_free.learning import ModelFreeAgent
from icrl_cadm.model_free.memory import Memory
from icrl_cadm.states import States

CPU = torch.device("cpu")
KINDS = ["none", "stacked", "probabilistic", "cadm", "probed"]
SMALL_MODEL = CaDMConfig(context_size=5, encoder=(7,), hidden=(11, 11))


def agent_for(family: TaskFamily, kind: str, past: int = 2) -> ModelFreeAgent:
    config = ModelFreeConfig(context=kind, past=past, dynamics=SMALL_MODEL)
    return ModelFreeAgent(config, Interface.of(family), CPU)


def remembering(
    family: TaskFamily,
    clues: object,
    *,
    past: int = 2,
    num_probes: int = 0,
    rows: int = 2,
    limits_terminate: bool = False,
) -> RememberingEnv:
    """An environment of consecutive tasks that shows these clues."""
    states, controls = States(family.observation_space, CPU), Controls(family.action_space)
    memory = Memory(clues, states, past=past, num_controls=controls.width, num_probes=num_probes)
    env = family.vector_env(family.sample_tasks(rows, seed=0))
    return RememberingEnv(env, memory, controls, limits_terminate=limits_terminate)


# The story: a counter that observes [step, task, last action], in episodes of three steps.
#
#     learner's action   0.5      -0.25     1
#     received           1        -0.5      2
#     observed  [0 t 0]  [1 t 1]  [2 t -.5] [3 t 2], and [0 t 0] of the next episode


def played(env: RememberingEnv | TaskVecEnv, actions=(0.5, -0.25, 1.0)) -> list:
    """What steps of these actions give, in both rows."""
    env.reset()
    return [env.step(np.full((2, 1), action, np.float32)) for action in actions]


def slots(*values: float) -> list[list[float]]:
    return [list(values)] * 2


def test_past_transitions_fill_slots_from_the_left_then_shift():
    steps = played(remembering(CounterFamily(), StackedClues(2, 3, 1)))
    first, second = (shown[TRANSITIONS].tolist() for shown, *_ in steps[:2])
    assert first == slots(1, 0, 1, 0.5, 0, 0, 0, 0)
    assert second == slots(1, 0, 1, 0.5, 1, 0, -1.5, -0.25)
    ended = steps[2][4]["final_obs"][TRANSITIONS].tolist()
    assert ended == slots(1, 0, -1.5, -0.25, 1, 0, 2.5, 1)


def test_an_episodes_end_clears_them():
    shown, *_ = played(remembering(CounterFamily(), StackedClues(2, 3, 1)))[2]
    assert shown["state"].tolist() == [[0, 0, 0], [0, 1, 0]]
    assert not shown[TRANSITIONS].any()


def test_a_reset_clears_them():
    env = remembering(CounterFamily(), StackedClues(2, 3, 1))
    played(env, (0.5,))
    shown, _ = env.reset()
    assert not shown[TRANSITIONS].any()


def test_sb3_bootstraps_a_truncated_episode_from_all_that_it_told():
    env = TaskVecEnv(remembering(CounterFamily(), StackedClues(2, 3, 1)))
    observation, _, dones, infos = played(env)[2]
    assert dones.all() and infos[1]["TimeLimit.truncated"]
    last = infos[1]["terminal_observation"]
    assert last["state"].tolist() == [3, 1, 2]
    assert last[TRANSITIONS].tolist() == slots(1, 0, -1.5, -0.25, 1, 0, 2.5, 1)[1]
    assert not observation[TRANSITIONS].any()


def test_actions_beyond_the_bounds_are_received_at_them():
    shown, *_ = played(remembering(CounterFamily(), NoClues()), (-7.0,))[0]
    assert shown["state"][:, 2].tolist() == [-2, -2]


def test_probes_are_drawn_whatever_the_learner_does():
    env = remembering(CounterFamily(), StackedClues(2, 3, 1), num_probes=2)
    steps = played(env, (0.5, 0.5, 0.5))
    probes = torch.stack([shown["state"][:, 2] for shown, *_ in steps[:2]])
    assert len(probes.unique()) == 4 and (probes.abs() <= 2).all()
    assert steps[2][4]["final_obs"]["state"][:, 2].tolist() == [1, 1]


def test_what_probes_told_is_kept_to_the_episodes_end():
    env = remembering(CounterFamily(length=5), StackedClues(2, 3, 1), num_probes=2)
    steps = played(env, (0.5,) * 4)
    told = [shown[TRANSITIONS] for shown, *_ in steps]
    assert torch.equal(told[1], told[2]) and torch.equal(told[1], told[3])
    assert told[1].any() and not torch.equal(told[0], told[1])


def test_an_embedding_is_shown_once_all_probes_were_made():
    env = remembering(CounterFamily(length=5), probed_clues(), num_probes=2)
    shown = [shown[CONTEXT] for shown, *_ in played(env, (0.5,) * 4)]
    assert not shown[0].any()
    assert shown[1].any(1).all() and torch.equal(shown[1], shown[3])


def probed_clues() -> ModelClues:
    return ModelClues(agent_for(CounterFamily(), "probed").dynamics.model, CPU, whole=True)


def test_the_context_is_the_first_members():
    family = CounterFamily()
    config = ModelFreeConfig(past=2, dynamics=CaDMConfig(members=3, particles=3, encoder=(7,)))
    model = ModelFreeAgent(config, Interface.of(family), CPU).dynamics.model
    env = remembering(family, ModelClues(model, CPU, whole=False))
    shown, *_ = played(env, (0.5,))[0]
    state, following = (
        torch.tensor([[0.0, 0, 0], [0, 1, 0]]),
        torch.tensor([[1.0, 0, 1], [1, 1, 1]]),
    )
    history = History.empty(2, 2, 3, 1, CPU).after(state, torch.full((2, 1), 0.5), following)
    contexts = model.context(history)
    torch.testing.assert_close(shown[CONTEXT], contexts[0])
    assert not torch.allclose(shown[CONTEXT], contexts[1])


def test_noise_is_held_through_an_episode():
    env = remembering(CounterFamily(), SampledClues(2, 3, 1, 5))
    begun, _ = env.reset(seed=0)
    first, second, third = (shown[NOISE] for shown, *_ in [env.step(np.zeros((2, 1)))] * 3)
    assert torch.equal(first, begun[NOISE]) and torch.equal(second, third)


def test_each_episode_has_noise_of_its_own():
    env = remembering(CounterFamily(), SampledClues(2, 3, 1, 5))
    begun, _ = env.reset(seed=0)
    for _ in range(3):
        shown, *_, info = env.step(np.zeros((2, 1)))
    assert torch.equal(info["final_obs"][NOISE], begun[NOISE])
    assert not (shown[NOISE] == begun[NOISE]).any()


def test_a_seed_makes_noise_repeat():
    env = remembering(CounterFamily(), SampledClues(2, 3, 1, 5))
    first, second, other = (env.reset(seed=seed)[0][NOISE] for seed in (3, 3, 4))
    assert torch.equal(first, second) and not torch.equal(first, other)


class Viewed(CounterFamily, DynamicsView):
    """A counter of which a model is shown the last action alone, twice."""

    def model_inputs(self, observation):
        return 2 * observation[..., 2:]

    def model_targets(self, observation, next_observation):
        return next_observation - observation

    def predicted_observation(self, observation, target):
        return observation + target


def test_of_a_state_is_shown_what_a_model_would_see(monkeypatch):
    monkeypatch.setattr("icrl_cadm.learning.make_family", lambda *_, **__: Viewed())
    family = Viewed()
    agent = agent_for(family, "stacked")
    env = RememberingEnv(
        family.vector_env(family.sample_tasks(2, seed=0)),
        agent._memory(CPU),
        agent._controls,
        limits_terminate=False,
    )
    shown = played(env)[0][0]
    assert env.single_observation_space["state"].shape == (1,)
    assert shown["state"].tolist() == [[2], [2]]
    assert shown[TRANSITIONS].tolist() == slots(1, 0, 1, 0.5, 0, 0, 0, 0)


@pytest.mark.parametrize("limits_terminate", [False, True])
def test_a_time_limit_may_count_as_a_termination(limits_terminate):
    env = remembering(CounterFamily(), NoClues(), limits_terminate=limits_terminate)
    for step, (*_, terminated, truncated, _) in enumerate(played(env), 1):
        assert terminated.tolist() == [step == 3 and limits_terminate] * 2
        assert truncated.tolist() == [step == 3 and not limits_terminate] * 2


# The policy sees the same.


class Watched(TaskVectorEnv):
    """Keeps the timesteps that a policy would be shown."""

    def __init__(self, env: TaskVectorEnv) -> None:
        super().__init__(env.family, env.tasks, env.num_envs, env.device)
        self._env, self.timesteps = env, []

    def reset(self, *, seed=None, options=None):
        observation, info = self._env.reset(seed=seed, options=options)
        self.timesteps.append(TimeStep.first(observation, self.single_action_space))
        return observation, info

    def step(self, actions):
        observation, reward, terminated, truncated, info = self._env.step(actions)
        ended, outcome = terminated | truncated, info["final_obs"]
        received = torch.as_tensor(actions)
        step = TimeStep(observation, received, reward, outcome, terminated, ended)
        self.timesteps.append(step)
        return observation, reward, terminated, truncated, info


@pytest.mark.parametrize("family", [Corridor, CounterFamily])
@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_sees_what_ppo_saw(kind, family):
    """In episodes that end at different steps: through the corridor's goals, at either end."""
    agent = agent_for(family(), kind)
    watched = Watched(family().vector_env(family().sample_tasks(5, seed=0)))
    memory = agent._memory(CPU)
    env = RememberingEnv(watched, memory, agent._controls, limits_terminate=False)
    env.action_space.seed(0)
    shown = [env.reset(seed=0)[0]]
    shown += [env.step(env.action_space.sample())[0] for _ in range(23)]
    assert any(int(step.episode_start.sum()) > 0 for step in watched.timesteps[1:])
    policy = agent.policy(argmax=True)
    context, generator = policy.initial_context(5), torch.Generator().manual_seed(0)
    for expected, timestep in zip(shown, watched.timesteps, strict=True):
        context = policy.remembered(timestep, context, generator)
        seen = memory.shown(context)
        assert seen.keys() == expected.keys()
        for name in seen.keys() - {NOISE}:  # which each draws by itself
            torch.testing.assert_close(seen[name], expected[name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [Corridor, CounterFamily])
def test_the_actor_gives_out_what_sb3s_does(kind, family):
    """For observations as `VecNormalize` shows them, with the statistics of some steps."""
    agent = agent_for(family(), kind)
    env = agent.environment(family(), seed=0)
    model = agent.model(env, seed=0)
    env.reset()
    for _ in range(7):
        actions = np.stack([env.action_space.sample() for _ in range(env.num_envs)])
        normal, *_ = env.step(actions)
    agent.actor.take(model.policy, env)
    observation, _ = model.policy.obs_to_tensor(normal)
    found = model.policy.get_distribution(observation).distribution
    outputs = agent.actor({k: torch.from_numpy(v) for k, v in env.get_original_obs().items()})
    if family is Corridor:
        torch.testing.assert_close(outputs.log_softmax(-1), found.logits)
    else:
        torch.testing.assert_close(outputs, found.mean)


# Spaces.


@pytest.mark.parametrize(
    ("space", "learners"),
    [
        (spaces.Discrete(3, start=2), spaces.Discrete(3)),
        (spaces.MultiDiscrete([2, 3], start=[1, -1]), spaces.MultiDiscrete([2, 3])),
        (spaces.MultiBinary(3), spaces.MultiDiscrete([2, 2, 2])),
        (spaces.Box(-3.0, 5.0, (2, 1)), spaces.Box(-1.0, 1.0, (2,))),
    ],
    ids=["discrete", "factors", "bits", "numbers"],
)
def test_a_learner_chooses_controls(space, learners):
    controls = Controls(space)
    found = learner_actions(controls)
    assert found == learners
    action = torch.as_tensor(np.asarray(found.sample()))[None]
    control = Controls(found).encoded(action)
    assert control.shape == (1, controls.width)
    assert space.contains(unbatched(controls.decoded(control), space))


def unbatched(action: torch.Tensor, space: spaces.Space) -> object:
    value = action[0].numpy().astype(space.dtype)
    return int(value) if isinstance(space, spaces.Discrete) else value


class Broken(CounterFamily):
    """Shows what is no number, at its third step."""

    def vector_env(self, tasks, **keywords):
        env = super().vector_env(tasks, **keywords)
        step, steps = env.step, []

        def broken(actions):
            steps.append(actions)
            observation, *rest, info = step(actions)
            if len(steps) == 2:
                info["final_obs"] = info["final_obs"].clone()
                info["final_obs"][1, 0] = float("nan")
            return observation, *rest, info

        env.step = broken
        return env


def test_an_observation_that_is_no_number_is_refused():
    with pytest.raises(SpaceError, match=r"Counter, environment 1, step 2: .* not finite"):
        played(remembering(Broken(), NoClues()))
