"""Wrapped environments: hand-counted episodes, any Gymnasium id, worker processes, refusals."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from icrl.errors import (
    ConfigError,
    MissingPackageError,
    SpaceError,
    SplitError,
    TaskError,
    UnknownFamilyError,
    UsageError,
)
from icrl.families import Episode
from icrl.spaces import clipper, stack
from icrl.testing.counter import CounterFamily
from icrl.trees import leaves
from icrl.wrapped import GymnasiumFamily, SteppedTogether
from icrl.wrapped.simulators import Simulators
from icrl.wrapped.vector import num_workers

IDS = ("CartPole-v1", "Pendulum-v1", "MiniGrid-Empty-5x5-v0", "Blackjack-v1")


@pytest.fixture(scope="module", params=IDS)
def family(request: pytest.FixtureRequest) -> GymnasiumFamily:
    return GymnasiumFamily(request.param)


def played(env: Any, steps: int, seed: int = 5) -> list[Any]:
    """Everything that an environment returns under random actions, as flat lists of tensors."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    seen = [observation, info["final_obs"]]
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        seen += [observation, reward, terminated, truncated, info["final_obs"], info["_final_obs"]]
    return [leaf for tree in seen for _, leaf in leaves(tree)]


def equal(first: list[Any], second: list[Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# The counter, by hand: it observes [step, task, last action] and ends after 3 steps.
#   action      0.5        -9 (clipped to -2)   1
#   outcome     1 7 .5     2 7 -2               3 7 1     <- final_obs
#   observation 1 7 .5     2 7 -2               0 7 0     <- the next episode has begun


def test_a_step_that_ends_an_episode_returns_the_next_ones_first_observation():
    env = CounterFamily().vector_env(CounterFamily().sample_tasks(2, seed=0))
    env.reset(seed=0)
    for action in (0.5, -9.0):
        env.step(np.full((2, 1), action))
    observation, reward, terminated, truncated, info = env.step(torch.tensor([[1.0], [1.0]]))
    assert observation.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert info["final_obs"].tolist() == [[3, 0, 1], [3, 1, 1]]
    assert info["_final_obs"].tolist() == [True, True]
    assert reward.tolist() == [3, 3]
    assert truncated.tolist() == [True, True] and terminated.tolist() == [False, False]


def test_what_an_action_led_to_is_there_for_rows_that_go_on():
    env = CounterFamily().vector_env(CounterFamily().sample_tasks(1, seed=7))
    env.reset(seed=0)
    observation, _, _, _, info = env.step([[0.5]])
    assert observation.tolist() == info["final_obs"].tolist() == [[1, 70, 0.5]]
    assert info["_final_obs"].tolist() == [False]


def test_continuous_actions_are_clipped_to_what_the_environment_takes():
    env = CounterFamily().vector_env(CounterFamily().sample_tasks(1, seed=0))
    env.reset(seed=0)
    observation, *_ = env.step(torch.tensor([[-9.0]]))
    assert observation[0, 2] == -2
    assert clipper(env.single_action_space)(torch.tensor([[-9.0]])).tolist() == [[-2]]


def test_success_is_reported_where_the_environment_says_it():
    family = CounterFamily(length=2)
    env = family.vector_env(family.sample_tasks(1, seed=0))
    _, info = env.reset(seed=0)
    reached = [info["success"].item()]
    for _ in range(3):
        reached.append(env.step([[0.0]])[-1]["success"].item())
    assert reached == [False, False, True, False]


def test_an_end_that_is_both_counts_as_termination():
    family = CounterFamily(length=1, how="both")
    env = family.vector_env(family.sample_tasks(1, seed=0))
    env.reset(seed=0)
    _, _, terminated, truncated, _ = env.step([[0.0]])
    assert (terminated.item(), truncated.item()) == (True, False)


def test_float64_becomes_float32_at_the_boundary():
    env = CounterFamily().vector_env(CounterFamily().sample_tasks(1, seed=0))
    assert env.reset(seed=0)[0].dtype == torch.float32


def test_returned_tensors_are_never_written_to_again(family: GymnasiumFamily):
    env = family.vector_env(family.sample_tasks(2, seed=0))
    env.action_space.seed(0)
    kept = [leaf for _, leaf in leaves(env.reset(seed=0)[0])]
    copies = [leaf.clone() for leaf in kept]
    for _ in range(11):
        observation, *_ = env.step(env.action_space.sample())
        kept += [leaf for _, leaf in leaves(observation)]
        copies += [leaf.clone() for _, leaf in leaves(observation)]
    assert equal(kept, copies)


@pytest.mark.parametrize("ends", [False, True])
def test_a_step_moves_one_batch_to_the_device(ends: bool, monkeypatch: pytest.MonkeyPatch):
    """Observations, rewards and flags lie together; first ones only where an episode ended.

    The device is one without memory: shapes are all that can be asked there.
    """
    env = CounterFamily().vector_env(CounterFamily().sample_tasks(5, seed=0), workers=0)
    env.reset(seed=0)
    env.device = torch.device("meta")
    for _ in range(2 if ends else 0):
        env.step(torch.zeros(5, 1))
    moved = []
    move = torch.Tensor.to
    monkeypatch.setattr(
        torch.Tensor, "to", lambda self, *to: (moved.append(len(self)), move(self, *to))[1]
    )
    returned = [leaf for _, leaf in leaves(env.step(torch.zeros(5, 1)))]
    assert {leaf.device.type for leaf in returned} == {"meta"}
    assert returned[0].shape == (5, 3)
    assert moved == [env._layout.ends["opening" if ends else "outcome"]]


def test_a_seed_makes_all_that_follows_repeat(family: GymnasiumFamily):
    tasks = family.sample_tasks(3, seed=1)
    first, second = (family.vector_env(tasks, num_envs=5, episodes_per_task=2) for _ in range(2))
    assert equal(played(first, 40), played(second, 40))


@pytest.mark.parametrize("id", ["Pendulum-v1", "MiniGrid-Empty-5x5-v0"])
def test_worker_processes_return_what_this_process_returns(id: str):
    family = GymnasiumFamily(id)
    tasks = family.sample_tasks(3, seed=1)
    here = family.vector_env(tasks, num_envs=5, episodes_per_task=2, workers=0)
    there = family.vector_env(tasks, num_envs=5, episodes_per_task=2, workers=2)
    try:
        assert equal(played(here, 40), played(there, 40))
        assert torch.equal(here.tasks.arrays["seed"], there.tasks.arrays["seed"])
    finally:
        there.close()


class Together(GymnasiumFamily, SteppedTogether):
    """A family that brings what steps its rows."""

    def stepper(self, buffers: Any) -> Simulators:
        return Simulators(self, range(len(buffers.reward)), buffers)


def test_a_family_that_steps_its_rows_itself_is_asked_to():
    family = Together("CartPole-v1")
    tasks = family.sample_tasks(3, seed=1)
    ours, usual = (
        made.vector_env(tasks, num_envs=5, episodes_per_task=2)
        for made in (family, GymnasiumFamily("CartPole-v1"))
    )
    assert equal(played(ours, 40), played(usual, 40))
    with pytest.raises(UsageError, match="threads of its own; use workers=0"):
        family.vector_env(tasks, workers=2)


@pytest.mark.parametrize(
    ("num_envs", "seconds", "workers"),
    [(10, 4e-5, 0), (5, 2e-4, 0), (64, 4e-5, 3), (10, 1.5e-4, 3)],
)
def test_all_cores_step_what_takes_long(
    num_envs: int, seconds: float, workers: int, monkeypatch: Any
):
    """Few half-cheetahs or ants are stepped in one process, many or ten humanoids in workers."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    family = CounterFamily()
    family.step_seconds = seconds
    assert num_workers(family, num_envs) == workers


def test_as_many_workers_are_started_as_are_worth_it(monkeypatch: Any):
    monkeypatch.setattr("icrl.wrapped.vector.num_workers", lambda family, num_envs: num_envs // 2)
    family = CounterFamily()
    env = family.vector_env(family.sample_tasks(4, seed=0))
    assert len(getattr(env._simulators, "_workers", [])) == 2
    env.close()


def test_fixed_tasks_survive_a_seed():
    family = CounterFamily()
    env = family.vector_env(family.sample_tasks(2, seed=3), num_envs=5)
    for seed in (0, 1, None):
        env.reset(seed=seed)
        assert env.tasks.arrays["number"].tolist() == [30, 31, 30, 31, 30]


def test_a_task_is_played_for_its_episodes_before_another_is_drawn():
    family = CounterFamily(length=1)
    env = family.vector_env(family.sample_tasks(89, seed=0), num_envs=2, episodes_per_task=3)
    observation, _ = env.reset(seed=2)
    numbers = [observation[:, 1].tolist()]
    for _ in range(8):
        numbers.append(env.step(np.zeros((2, 1)))[0][:, 1].tolist())
        assert env.tasks.arrays["number"].tolist() == numbers[-1]
    assert numbers[0:3] == [numbers[0]] * 3 != numbers[3:6] == [numbers[3]] * 3
    assert numbers[6:9] == [numbers[6]] * 3 != numbers[3:6]


def test_a_reset_without_a_seed_counts_as_an_end():
    family = CounterFamily()
    env = family.vector_env(family.sample_tasks(89, seed=0), num_envs=1, episodes_per_task=2)
    numbers = [env.reset(seed=2)[0][0, 1].item()]
    numbers += [env.reset()[0][0, 1].item() for _ in range(3)]
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]


def test_every_episode_of_a_seed_opens_alike():
    family = GymnasiumFamily("CartPole-v1")
    env = family.vector_env(family.sample_tasks(1, seed=0))
    opening, _ = env.reset(seed=0)
    ended = torch.tensor([False])
    while not ended:
        observation, _, _, _, info = env.step([0])
        ended = info["_final_obs"]
    assert torch.equal(observation, opening)


def test_the_same_seed_in_gymnasium_gives_the_same_numbers():
    family = GymnasiumFamily("CartPole-v1")
    tasks = family.sample_tasks(1, seed=0)
    vector, single = family.vector_env(tasks), gymnasium.make("CartPole-v1")
    ours, _ = vector.reset(seed=0)
    theirs, _ = single.reset(seed=int(tasks.arrays["seed"]))
    for action in (1, 0, 1, 1, 1):
        assert np.array_equal(ours[0].numpy(), theirs)
        ours, theirs = vector.step([action])[0], single.step(action)[0]


def test_the_same_draw_gives_the_same_seeds():
    family = GymnasiumFamily("CartPole-v1")
    first, again, other = (family.sample_tasks(31, seed=seed) for seed in (0, 0, 1))
    assert first.arrays["seed"].tolist() == again.arrays["seed"].tolist()
    assert set(first.arrays["seed"].tolist()).isdisjoint(other.arrays["seed"].tolist())
    assert len(set(first.arrays["seed"].tolist())) == 31


def test_splits_are_disjoint_by_their_range_of_seeds():
    family = GymnasiumFamily("CartPole-v1")
    train, test = (family.sample_tasks(997, split=s, seed=0).arrays["seed"] for s in family.splits)
    assert train.max() < 2**30 <= test.min() and test.max() < 2**31 - 1


def test_the_horizon_is_the_specifications():
    assert GymnasiumFamily("CartPole-v1").max_episode_steps == 500
    assert GymnasiumFamily("CartPole-v1", max_episode_steps=13).max_episode_steps == 13
    assert GymnasiumFamily("MiniGrid-Empty-5x5-v0").max_episode_steps == 100
    assert GymnasiumFamily("Blackjack-v1").max_episode_steps is None


def test_keywords_reach_the_environment():
    family = GymnasiumFamily("Pendulum-v1", g=0.0)
    assert family.make_env().unwrapped.g == 0.0
    assert family.sample_tasks(1, seed=0).arguments == {"g": 0.0}


def test_a_module_may_be_named_before_the_id():
    assert GymnasiumFamily("minigrid:MiniGrid-Empty-5x5-v0").max_episode_steps == 100


def test_the_note_says_that_noise_repeats():
    assert "tasks are seeds" in GymnasiumFamily("CartPole-v1").note


def test_missions_become_texts_of_fixed_length():
    mission = GymnasiumFamily("MiniGrid-Empty-5x5-v0").observation_space["mission"]
    assert isinstance(mission, spaces.Text) and mission.max_length == 28
    fetch = GymnasiumFamily("MiniGrid-Fetch-5x5-N2-v0")
    for task in fetch.sample_tasks(11, seed=0):
        said = fetch.reset_to(fetch.make_env(), task.row(0), None)["mission"]
        assert said in fetch.observation_space["mission"]


def test_missions_that_nobody_lists_become_texts_of_any_characters():
    family = GymnasiumFamily("BabyAI-GoToObj-v0")
    said = family.reset_to(family.make_env(), {"seed": np.array(3)}, None)["mission"]
    assert family.observation_space["mission"].max_length == 256
    assert said in family.observation_space["mission"]


def test_a_recorded_episode_is_drawn_by_playing_it_again():
    family = GymnasiumFamily("CartPole-v1")
    tasks = family.sample_tasks(1, seed=0)
    env = family.vector_env(tasks, render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    actions = [1, 0, 1]
    observations = [observation] + [env.step([action])[0] for action in actions]
    episode = Episode(torch.cat(observations), torch.tensor(actions), torch.ones(3))
    assert np.array_equal(family.render(tasks.row(0), episode), env.render()[0])
    opening = Episode(observations[0], torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert family.render(tasks.row(0), opening).shape == env.render()[0].shape


@pytest.mark.filterwarnings("ignore:.*WARN:UserWarning")  # of the environments' own spaces
def test_a_single_environment_passes_gymnasiums_checker(family: GymnasiumFamily):
    check_env(family.single_env(), skip_render_check=True)


def test_a_single_environment_takes_back_the_task_that_it_shows():
    env = GymnasiumFamily("CartPole-v1").single_env()
    first, info = env.reset(seed=3)
    other, _ = env.reset(seed=4)
    again, _ = env.reset(options={"task": info["task"]})
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_mujoco_leaves_nothing_in_the_users_folder(tmp_path: Path):
    pytest.importorskip("mujoco")
    program = (
        "from icrl.wrapped import GymnasiumFamily\n"
        "family = GymnasiumFamily('HalfCheetah-v5')\n"
        "env = family.vector_env(family.sample_tasks(1, seed=0), workers=WORKERS)\n"
        "env.reset(seed=0)\n"
        "env.step(env.action_space.sample())\n"
        "env.close()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for workers in ("0", "1"):
        command = [sys.executable, "-c", program.replace("WORKERS", workers)]
        run = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        assert run.stdout == run.stderr == ""
    assert list(tmp_path.iterdir()) == []


# Refusals.


class Liar(gymnasium.Env):
    """Observes what `lies[step]` says."""

    observation_space = spaces.Dict({"code": spaces.Discrete(5), "place": spaces.Box(-1, 1, (2,))})
    action_space = spaces.Discrete(2)
    truth = {"code": 4, "place": np.zeros(2)}  # noqa: RUF012

    def __init__(self, lie: Any) -> None:
        self.lie, self.at = lie, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.at = 0
        return self.truth, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at += 1
        lied = self.at == 3
        return self.truth | (self.lie if lied else {}), 0.0, lied, False, {}


def lying(lie: Any) -> Any:
    family = GymnasiumFamily("CartPole-v1")
    family.make_env = lambda render_mode=None: Liar(lie)  # type: ignore[method-assign]
    family.read_environment()
    family.reset_to = lambda env, task, seed: env.reset()[0]  # type: ignore[method-assign]
    env = family.vector_env(family.sample_tasks(2, seed=0), workers=0)
    env.reset(seed=0)
    return env


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"code": 5}, "the value 5"),
        ({"code": 1.5}, "is 1.5"),
        ({"place": np.zeros(3)}, r"shape \(3,\)"),
        ({"place": np.array([np.nan, 0])}, "the value nan"),
        ({"place": "here"}, "shape"),
    ],
)
def test_an_observation_that_does_not_fit_names_environment_and_step(lie: Any, said: str):
    env = lying(lie)
    env.step([0, 0])
    env.step([0, 0])
    with pytest.raises(SpaceError, match=rf"CartPole-v1, row 0, step 3 of its episode: .*{said}"):
        env.step([0, 0])


def test_a_reset_begins_to_count_the_steps_of_an_episode_again():
    env = lying({"code": 5})
    env.step([0, 0])
    env.reset()
    env.step([0, 0])
    env.step([0, 0])
    with pytest.raises(SpaceError, match="step 3 of its episode"):
        env.step([0, 0])


def test_a_float_out_of_its_bounds_is_passed_on_with_a_warning():
    env = lying({"place": np.array([0.0, 1.5])})
    env.step([0, 0])
    env.step([0, 0])
    with pytest.warns(UserWarning, match=r"CartPole-v1: observation\[place\] has the value 1.5"):
        _, _, _, _, info = env.step([0, 0])
    assert info["final_obs"]["place"].tolist() == [[0, 1.5]] * 2


def test_an_action_out_of_its_range_is_refused():
    env = GymnasiumFamily("CartPole-v1").vector_env(
        GymnasiumFamily("CartPole-v1").sample_tasks(2, seed=0)
    )
    env.reset(seed=0)
    with pytest.raises(SpaceError, match=r"the action 2 of row 1 is not in Discrete\(2\)"):
        env.step([0, 2])
    with pytest.raises(SpaceError, match=r"shape \(3,\), expected \(2,\)"):
        env.step([0, 0, 0])


def test_a_step_before_the_first_reset_is_refused():
    family = CounterFamily()
    with pytest.raises(UsageError, match="call reset before"):
        family.vector_env(family.sample_tasks(1, seed=0)).step([[0.0]])


def test_an_error_in_a_worker_process_arrives_here():
    family = GymnasiumFamily("CartPole-v1")
    env = family.vector_env(family.sample_tasks(2, seed=0), workers=2)
    env._simulators._workers[0][0].kill()
    with pytest.raises(RuntimeError, match=r"CartPole-v1: a process .* exit code -9"):
        env.reset(seed=0)
    env.close()


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(UnknownFamilyError, match=r"'CartPool-v1'. Did you mean 'CartPole-v1'"):
        GymnasiumFamily("CartPool-v1")


def test_an_id_of_a_package_that_is_not_installed_names_the_package(monkeypatch: Any):
    monkeypatch.setitem(sys.modules, "miniworld", None)
    with pytest.raises(MissingPackageError, match="pip install miniworld"):
        GymnasiumFamily("MiniWorld-Hallway-v0")


def test_a_keyword_that_the_environment_does_not_take_is_named():
    with pytest.raises(ConfigError, match=r"CartPole-v1 cannot be made with \{'gravity': 3\}"):
        GymnasiumFamily("CartPole-v1", gravity=3)


def test_a_split_that_is_not_there_is_refused():
    with pytest.raises(SplitError, match="It has: train, test"):
        GymnasiumFamily("CartPole-v1").sample_tasks(1, split="extreme", seed=0)


def test_tasks_of_other_arguments_are_refused():
    with pytest.raises(TaskError, match="these tasks belong to Pendulum-v1"):
        GymnasiumFamily("Pendulum-v1").vector_env(
            GymnasiumFamily("Pendulum-v1", g=1.0).sample_tasks(1, seed=0)
        )


def test_a_picture_that_cannot_be_drawn_is_refused():
    family = GymnasiumFamily("Blackjack-v1")
    family.make_env = lambda render_mode=None: gymnasium.make("Blackjack-v1")  # type: ignore[method-assign]
    episode = Episode(stack(family.observation_space, [(1, 1, 0)]), torch.zeros(0), torch.zeros(0))
    with pytest.raises(UsageError, match="Blackjack-v1 cannot be drawn"):
        family.render({"seed": np.array(0)}, episode)
