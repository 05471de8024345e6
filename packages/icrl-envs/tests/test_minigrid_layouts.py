"""MiniGrid's levels as families: the contract, layouts and splits, missions, success, refusals."""

import gymnasium
import minigrid  # noqa: F401 (registers its levels)
import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, TaskError
from icrl.families import Episode
from icrl.nn import SpaceEncoder
from icrl.spaces import stack
from icrl.testing import FamilyContract
from icrl_envs.minigrid_layouts import layouts_of

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE, DONE = range(7)


class TestASmallLevel(FamilyContract):
    first_observation_shows_task = True  # the view shows the layout

    def make_family(self):
        return icrl.make_family("icrl/MiniGrid-Empty-Random-5x5-v0", horizon=10)


class TestALevelWithMissions(FamilyContract):
    first_observation_shows_task = True
    num_steps = 25

    def make_family(self):
        return icrl.make_family("icrl/MiniGrid-KeyCorridorS3R1-v0", horizon=10)


def layout(level, seed):
    """A layout as MiniGrid itself makes it."""
    env = gymnasium.make(level).unwrapped
    env.reset(seed=int(seed))
    return env.pprint_grid(), env.mission


@pytest.mark.parametrize("level", ["MiniGrid-DoorKey-5x5-v0", "MiniGrid-MultiRoom-N2-S4-v0"])
def test_splits_share_no_layout(level):
    family = icrl.make_family(f"icrl/{level}")
    seen = {}
    for split in ("train", "test"):
        tasks = family.sample_tasks(family.num_tasks.get(split, 60), split=split, seed=1)
        seen[split] = [layout(level, seed) for seed in tasks.arrays["seed"]]
        assert len(set(seen[split])) == len(seen[split])
    assert not set(seen["train"]) & set(seen["test"])


def test_other_draws_stay_in_their_split():
    """Also those that find other seeds of the same layouts."""
    family = icrl.make_family("icrl/MiniGrid-DoorKey-8x8-v0")
    layouts = layouts_of("MiniGrid-DoorKey-8x8-v0")

    def drawn(split):
        tasks = (family.sample_tasks(30, split=split, seed=seed) for seed in range(5))
        return {layouts.content(int(s)) for one in tasks for s in one.arrays["seed"]}

    assert not drawn("train") & drawn("test")


def test_a_small_level_has_as_many_tasks_as_layouts():
    """Eight cells besides the goal's, four directions."""
    assert icrl.make_family("icrl/MiniGrid-Empty-Random-5x5-v0").num_tasks == {
        "train": 26,
        "test": 6,
    }


def test_the_split_seed_chooses_what_is_held_out():
    def held_out(split_seed):
        family = icrl.make_family("icrl/MiniGrid-DoorKey-5x5-v0", split_seed=split_seed)
        return set(family.sample_tasks(10, split="test", seed=0).arrays["seed"].tolist())

    assert held_out(0) == held_out(0) != held_out(1)


def test_every_episode_of_a_trial_plays_the_same_layout():
    family = icrl.make_family("icrl/MiniGrid-FourRooms-v0", horizon=3)
    env = family.vector_env(family.sample_tasks(5, split="test", seed=0))
    first, _ = env.reset(seed=0)
    for _ in range(3):
        observation, *_ = env.step(torch.full((5,), FORWARD))
    assert torch.equal(observation["image"], first["image"])


def test_the_goal_pays_and_counts_as_success():
    """A room of 3x3, a task whose start lies left of the goal and looks at it."""
    family = icrl.make_family("icrl/MiniGrid-Empty-Random-5x5-v0")
    env = family.single_env()
    level = gymnasium.make("MiniGrid-Empty-Random-5x5-v0").unwrapped
    for seed in range(500):
        level.reset(seed=seed)
        if (*level.agent_pos, level.agent_dir) == (2, 3, 0):
            break
    env.reset(options={"task": {"seed": seed}})
    assert env.step(LEFT)[1:3] == (0.0, False)
    _, _, _, _, info = env.step(RIGHT)
    assert info["success"] is False
    _, reward, terminated, truncated, info = env.step(FORWARD)
    assert reward == pytest.approx(1 - 0.9 * 3 / 100)
    assert (terminated, truncated, info["success"]) == (True, False, True)


def test_lava_ends_an_episode_without_success():
    family = icrl.make_family("icrl/MiniGrid-LavaCrossingS9N3-v0")
    tasks = family.sample_tasks(40, seed=0)
    env = family.vector_env(tasks, workers=0)
    env.reset(seed=0)
    ended = torch.zeros(40, dtype=torch.bool)
    for _ in range(8):
        _, reward, terminated, _, info = env.step(torch.full((40,), FORWARD))
        assert not info["success"].any() and not reward.any()
        ended |= terminated
    assert 0 < ended.sum() < 40


def test_the_horizon_truncates():
    env = icrl.make_family("icrl/MiniGrid-DoorKey-6x6-v0", horizon=4).single_env()
    env.reset(seed=0)
    flags = [env.step(DONE)[2:4] for _ in range(4)]
    assert flags == [(False, False)] * 3 + [(False, True)]


def test_a_mission_that_never_changes_is_left_out():
    assert set(icrl.make_family("icrl/MiniGrid-Unlock-v0").observation_space.spaces) == {
        "direction",
        "image",
    }


def test_a_mission_is_told_by_its_varying_words():
    family = icrl.make_family("icrl/MiniGrid-KeyCorridorS3R3-v0")
    assert family.observation_space["mission"].nvec.tolist() == [6]
    env = family.single_env()
    told = set()
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        text = layout("MiniGrid-KeyCorridorS3R3-v0", info["task"]["seed"])[1]
        told.add((int(observation["mission"][0]), text))
    assert len(told) == len({code for code, _ in told}) == len({text for _, text in told}) > 2


def test_the_view_is_encoded_as_symbols():
    family = icrl.make_family("icrl/MiniGrid-KeyCorridorS3R3-v0")
    encoder = SpaceEncoder(family.observation_space, 7)
    observation, _ = family.vector_env(family.sample_tasks(3, seed=0)).reset(seed=0)
    assert encoder(observation).shape == (3, 7)
    assert "Symbol" in {type(part).__name__[:6] for part in encoder.parts}


def test_workers_change_nothing():
    family = icrl.make_family("icrl/MiniGrid-DoorKey-5x5-v0", horizon=5)
    tasks = family.sample_tasks(5, seed=3)
    envs = [family.vector_env(tasks, workers=workers) for workers in (0, 2)]
    shown = [env.reset(seed=0)[0] for env in envs]
    for step in range(12):
        assert torch.equal(shown[0]["image"], shown[1]["image"])
        shown = [env.step(torch.full((5,), step % 7))[0] for env in envs]
    for env in envs:
        env.close()


def test_a_recorded_episode_is_drawn_again():
    family = icrl.make_family("icrl/MiniGrid-FourRooms-v0")
    env = family.single_env(render_mode="rgb_array")
    observation, info = env.reset(seed=4)
    seen, actions, pictures = [observation], [FORWARD, RIGHT, FORWARD], [env.render()]
    for action in actions:
        seen.append(env.step(action)[0])
        pictures.append(env.render())
    episode = Episode(stack(env.observation_space, seen), torch.tensor(actions), torch.zeros(3))
    assert np.array_equal(family.render(info["task"], episode), pictures[-1])
    assert not np.array_equal(pictures[0], pictures[-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "MiniGrid-Empty-5x5-v0"}, "single layout"),
        ({"env": "CartPole-v1"}, "level of MiniGrid"),
        ({"horizon": 0}, "horizon=0"),
        ({"horizon": -3}, "horizon=-3"),
        ({"trial_episodes": 0}, "trial_episodes=0"),
        ({"split_seed": -1}, "split_seed=-1"),
        ({"size": 3}, "no keyword 'size'"),
    ],
)
def test_bad_arguments_are_refused_when_the_family_is_made(arguments, message):
    with pytest.raises(ConfigError, match=message):
        icrl.make_family("icrl/MiniGrid-FourRooms-v0", **arguments)


def test_a_small_level_refuses_more_tasks_than_it_has():
    family = icrl.make_family("icrl/MiniGrid-DoorKey-5x5-v0")
    with pytest.raises(TaskError, match="10 distinct tasks"):
        family.sample_tasks(11, split="test", seed=0)


def test_a_level_that_runs_out_of_layouts_says_so(monkeypatch):
    monkeypatch.setattr("icrl_envs.minigrid_layouts.MOST_TRIES", 2)
    family = icrl.make_family("icrl/MiniGrid-FourRooms-v0")
    with pytest.raises(TaskError, match="40 seeds show"):
        family.sample_tasks(20, split="test", seed=0)


def test_tasks_are_not_drawn_from_a_seed_below_zero():
    with pytest.raises(TaskError, match="seed=-1"):
        icrl.make_family("icrl/MiniGrid-FourRooms-v0").sample_tasks(2, seed=-1)
