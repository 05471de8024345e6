"""Native families: what the contract does not say of the two environments that are derived from
one.
"""

import sys
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.errors import ConfigError, DeviceError, SpaceError, TaskError, UsageError
from icrl.native import Consequence, NativeFamily
from icrl.tasks import Tasks
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl.testing.corridor import CELLS, HORIZON, Corridor


class Counter(NativeFamily):
    """Counts its steps, and pays the task's gain at each; only the horizon ends an episode.

    step      1     2     3     1     2     3
    sees      1     2     0*    1     2     0*      (* the next episode's opening; final_obs is 3)
    """

    id = "icrl-tests/Counter-v0"
    observation_space = spaces.Dict({"count": spaces.Discrete(5), "pair": spaces.Box(-9, 9, (2,))})
    action_space = spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (3,))))
    task_space = spaces.Dict({"gain": spaces.Discrete(7)})
    max_episode_steps = 3
    trial_episodes = 2
    terminates = False

    def sample_tasks(self, num_tasks, *, split="train", seed):
        gains = torch.arange(num_tasks) % 7
        return Tasks(self.id, dict(self.arguments), split, {"gain": gains})

    def initial(self, task, generator):
        return torch.zeros_like(task["gain"])

    def transition(self, state, action, task, generator):
        choice, push = action
        return Consequence(state + 1, task["gain"] * choice + push.sum(1))

    def observation(self, state, task):
        return {"count": state.clone(), "pair": state[:, None].float().expand(-1, 2).clone()}

    def render(self, task, episode):
        return np.full((2, 3, 3), len(episode.reward), np.uint8)


def act(choice, rows=2, push=0.0):
    return torch.full((rows,), choice), torch.full((rows, 3), push)


def test_all_rows_reach_the_horizon_together():
    family = Counter()
    env = family.vector_env(family.sample_tasks(2, seed=0))
    env.reset(seed=0)
    story = []
    for _ in range(6):
        observation, _, terminated, truncated, info = env.step(act(1))
        assert not terminated.any() and torch.equal(truncated, info["_final_obs"])
        story.append(
            (
                observation["count"][1].item(),
                info["final_obs"]["count"][1].item(),
                truncated[1].item(),
            )
        )
    assert story == [(1, 1, False), (2, 2, False), (0, 3, True)] * 2


def test_a_reset_in_the_middle_begins_the_count_anew():
    family = Counter()
    env = family.vector_env(family.sample_tasks(2, seed=0))
    env.reset(seed=0)
    env.step(act(1))
    env.reset()
    ends = [bool(env.step(act(1))[3].all()) for _ in range(3)]
    assert ends == [False, False, True]


def test_trees_of_actions_reach_the_family():
    family = Counter()
    env = family.vector_env(family.sample_tasks(2, seed=0), num_envs=2)
    env.reset(seed=0)
    assert env.step(act(1, push=0.5))[1].tolist() == [1.5, 2.5]
    assert env.step((np.array([0, 1]), np.zeros((2, 3), np.float64)))[1].tolist() == [0, 1]


def test_a_single_environment_speaks_numpy_and_python():
    env = Counter().single_env()
    observation, info = env.reset(options={"task": {"gain": 3}})
    assert env.observation_space.contains(observation) and info["task"]["gain"] == 3
    observation, reward, terminated, truncated, _ = env.step((1, np.array([0.5, 0, 0])))
    assert env.observation_space.contains(observation)
    assert (reward, terminated, truncated) == (3.5, False, False)
    assert type(reward) is float and type(terminated) is bool and type(truncated) is bool


def test_the_first_draws_of_an_environment_come_from_no_fixed_seed():
    family = Corridor()
    env = family.vector_env(family.sample_tasks(62, seed=0), num_envs=211)
    other = family.vector_env(family.sample_tasks(62, seed=0), num_envs=211)
    assert not torch.equal(env.reset()[0], other.reset()[0])


def test_the_first_draws_of_a_single_environment_come_from_no_fixed_seed():
    env, other = Corridor().single_env(), Corridor().single_env()
    assert env.np_random is not other.np_random  # looked at before the first reset
    task = Corridor().sample_tasks(1, seed=0).row(0)
    ours, theirs = (
        [int(e.reset(options={"task": task})[0]) for _ in range(40)] for e in (env, other)
    )
    assert ours != theirs


def test_an_unseeded_reset_goes_on_with_the_noise():
    family = Corridor()
    env = family.vector_env(family.sample_tasks(62, seed=0), num_envs=211)
    first, _ = env.reset(seed=0)
    assert not torch.equal(env.reset()[0], first)


def test_a_bare_reset_counts_as_the_end_of_an_episode():
    family = Corridor()
    env = family.vector_env(family.sample_tasks(62, seed=0), num_envs=211, episodes_per_task=2)
    env.reset(seed=0)
    goals = [env.tasks.arrays["goal"]]
    for _ in range(4):
        env.reset()
        goals.append(env.tasks.arrays["goal"])
    changed = [not torch.equal(one, other) for one, other in pairwise(goals)]
    assert changed == [False, True, False, True]


def test_what_an_ended_episode_led_to_stays_in_outcome_state():
    family = Corridor()
    env = family.vector_env(family.sample_tasks(62, seed=0), num_envs=211)
    env.reset(seed=0)
    _, _, terminated, _, info = env.step(torch.ones(211, dtype=torch.int64))
    assert terminated.any()
    assert torch.equal(env.outcome_state["cell"], info["final_obs"])
    assert (env.outcome_state["cell"] == env.tasks.arrays["goal"])[terminated].all()
    assert torch.equal(env.state["steps"] == 0, terminated)


class DearCorridor(Corridor):
    """A corridor that counts how many rows it was asked to observe."""

    dear_observation = True

    def __init__(self):
        super().__init__()
        self.observed = []

    def observation(self, state, task):
        self.observed.append(len(state["cell"]))
        return super().observation(state, task)


@pytest.mark.parametrize("episodes_per_task", [None, 1])
def test_a_dear_observation_shows_what_a_cheap_one_does(episodes_per_task):
    shown = []
    for family in (Corridor(), DearCorridor()):
        pool = family.sample_tasks(62, seed=0)
        env = family.vector_env(pool, num_envs=211, episodes_per_task=episodes_per_task)
        env.reset(seed=0)
        steps = [env.step(torch.arange(211) // 3 % 2) for _ in range(2 * HORIZON)]
        shown.append([(observation, info["final_obs"]) for observation, *_, info in steps])
    for cheap, dear in zip(*shown, strict=True):
        assert torch.equal(cheap[0], dear[0]) and torch.equal(cheap[1], dear[1])


def test_of_a_dear_observation_only_ended_rows_are_observed_again():
    family = DearCorridor()
    env = family.vector_env(family.sample_tasks(62, seed=0), num_envs=211)
    env.reset(seed=0)
    for _ in range(HORIZON):
        family.observed.clear()
        ended = int(env.step(torch.ones(211, dtype=torch.int64))[4]["_final_obs"].sum())
        assert family.observed == ([211, ended] if ended else [211])


def test_a_window_shows_the_episode(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = Corridor().single_env(render_mode="human")
    env.reset(seed=0)
    env.step(1)
    assert env.render() is None
    env.close()
    env.close()


def test_pictures_are_kept_for_an_episode_only():
    env = Counter().single_env(render_mode="rgb_array")
    env.reset(seed=0)
    env.step((1, np.zeros(3)))
    assert env.render()[0, 0, 0] == 1
    env.reset()
    assert env.render()[0, 0, 0] == 0


# Refusals


def test_a_window_without_pygame_is_refused_when_the_environment_is_made(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(UsageError, match=r"needs pygame.*rgb_array"):
        Corridor().single_env(render_mode="human")


def test_pictures_before_the_first_reset_are_refused():
    with pytest.raises(gymnasium.error.ResetNeeded, match="nothing to draw"):
        Corridor().single_env(render_mode="rgb_array").render()


def test_an_unknown_render_mode_is_refused():
    with pytest.raises(ConfigError, match="render_mode='ansi': expected rgb_array or human"):
        Corridor().single_env(render_mode="ansi")


@pytest.mark.parametrize("keywords", [{"num_envs": 0}, {"episodes_per_task": 0}])
def test_counts_below_one_are_refused(keywords):
    family = Corridor()
    with pytest.raises(TaskError, match="=0: expected 1 or more"):
        family.vector_env(family.sample_tasks(3, seed=0), **keywords)


def test_episodes_per_task_below_one_are_refused():
    with pytest.raises(TaskError, match="episodes_per_task=0"):
        Corridor().single_env(episodes_per_task=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused():
    family = Corridor()
    with pytest.raises(DeviceError, match="cuda"):
        family.vector_env(family.sample_tasks(3, seed=0), device="cuda")


def test_a_task_out_of_its_space_is_refused_by_name():
    env = Corridor().single_env()
    task = Corridor().sample_tasks(1, seed=0).row(0)
    with pytest.raises(TaskError, match=r"has goal in Discrete\(7\), got 7"):
        env.reset(options={"task": task | {"goal": CELLS}})
    with pytest.raises(TaskError, match=r"has gain in Box.*got array\(\[2\., 2\.\]\)"):
        env.reset(options={"task": task | {"gain": np.full(2, 2.0)}})
    with pytest.raises(TaskError, match=r"a dict with \['gain', 'goal'\], got \['goal'\]"):
        env.reset(options={"task": {"goal": 1}})


def test_an_action_out_of_its_space_is_refused_by_name():
    env = Corridor().single_env()
    env.reset(seed=0)
    with pytest.raises(SpaceError, match=r"got the action 2, expected one of Discrete\(2\)"):
        env.step(2)


def test_fractions_are_refused_as_codes():
    family = Corridor()
    for device in ("cpu", ACCELERATOR):
        env = family.vector_env(family.sample_tasks(3, seed=0), device=device)
        with pretended_accelerator():
            env.reset(seed=0)
            with pytest.raises(SpaceError, match=r"of torch\.float32, expected integers"):
                env.step(torch.full((3,), 0.5, device=device))


def broken(**changes):
    """A counter that a family's author got wrong."""
    return type("Broken", (Counter,), changes)()


def lacking_reward(self, state, action, task, generator):
    return Consequence(state + 1, task["gain"])


def terminating(self, state, action, task, generator):
    return Consequence(state + 1, task["gain"].float(), task["gain"] > 9)


def growing(self, state, action, task, generator):
    return Consequence((state + 1).float(), task["gain"].float())


def bare(self, state, task):
    return state.clone()


def short(self, state, task):
    return {"count": state.int(), "pair": state[:, None].float().expand(-1, 2).clone()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transition": lacking_reward}, r"transition\(\).reward is torch.int64.*torch.float32"),
        ({"transition": terminating}, r"terminated is there, but the family says terminates=False"),
        ({"transition": growing}, r"must return a state laid out as initial\(\)'s"),
        ({"observation": bare}, r"observation\(\) returned \[''\].*\['count', 'pair'\]"),
        ({"observation": short}, r"observation\(\) at count is torch.int32.*torch.int64"),
        ({"reports_success": True}, "success is None, but the family says reports_success=True"),
        ({"terminates": True}, "terminated is None, but the family says terminates=True"),
        ({"max_episode_steps": None}, "no episode would end"),
    ],
)
def test_an_authors_mistake_shows_when_the_environment_is_made(changes, message):
    family = broken(**changes)
    with pytest.raises(SpaceError, match=message):
        family.vector_env(family.sample_tasks(3, seed=0))
    with pytest.raises(SpaceError, match=message):
        family.single_env()


def test_the_corridor_is_as_long_as_it_says():
    family = Corridor()
    env = family.vector_env(family.sample_tasks(1, seed=0))
    env.reset(seed=0)
    left = torch.zeros(1, dtype=torch.int64)
    steps = 1
    while not torch.stack(env.step(left)[2:4]).any():
        steps += 1
    assert steps <= HORIZON
