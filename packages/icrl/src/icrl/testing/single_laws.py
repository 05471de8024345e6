"""SingleLaws: what a family's single environment promises, and that it is the vector environment's
like.
"""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence

from icrl.errors import SpaceError, SplitError, TaskError
from icrl.families import Episode, Playable, Rendered, TaskFamily
from icrl.native import NativeEnv, NativeFamily
from icrl.single import TaskEnv
from icrl.spaces import stack, unstack
from icrl.testing.task_laws import FamilyLaws, contents, few_tasks, many_tasks

SEEDS, ENOUGH = 500, 20
"""Seeds tried at most, and how many of them have to draw a task that another one drew too."""


class SingleLaws(FamilyLaws):
    """The laws of `single_env`; a family that is not `Playable` has none."""

    def test_gymnasiums_checker_passes(self) -> None:
        """*Gymnasium*: its own checker, with its warnings as errors."""
        check_env(self._single(), skip_render_check=True)

    def test_a_seed_draws_the_task_of_a_single_environment(self) -> None:
        """*Reset with a seed*: the same one the same task, others others."""
        env = self._single()
        tasks = [_played(env.reset(seed=seed)) for seed in (3, *range(12))]
        assert tasks[0] == tasks[4], "one seed drew two tasks"
        assert len(set(tasks)) > 1, "no seed drew another task"

    def test_a_seeds_opening_is_not_decided_by_its_task(self) -> None:
        """*Reset with a seed*: what it draws of the noise tells nothing of the task it draws."""
        family = self.make_family()
        env = _single_of(family)
        task = few_tasks(family, 1).row(0)
        openings = (env.reset(seed=seed, options={"task": task})[0] for seed in range(20))
        first = next(openings)
        if all(data_equivalence(first, other) for other in openings):
            pytest.skip("every episode of a task opens alike")
        opened: dict[bytes, Any] = {}
        repeated = 0
        for seed in range(SEEDS):
            result = env.reset(seed=seed)
            before = opened.setdefault(_played(result), result[0])
            if not data_equivalence(before, result[0]):
                return
            repeated += before is not result[0]
        if repeated < ENOUGH:
            pytest.skip(f"{SEEDS} seeds draw too few tasks again")
        raise AssertionError("whatever the seed, one task opens in one way")

    def test_a_bare_reset_opens_another_episode_of_the_same_task(self) -> None:
        """*Bare reset*: what every autoreset calls."""
        env = self._single()
        first = _played(env.reset())
        assert all(_played(env.reset()) == first for _ in range(7)), "a bare reset changed the task"

    def test_the_first_bare_reset_draws_a_task_of_the_split(self) -> None:
        """*Bare reset*: and so do redraws."""
        family = self.make_family()
        for split in family.splits:
            if family.num_tasks.get(split) is None:
                continue
            known = set(contents(many_tasks(family, split, most=10**6)))
            env = _single_of(family, split=split, episodes_per_task=1)
            drawn = {_played(env.reset()) for _ in range(7)}
            assert drawn <= known, f"a task that is not of {split}"

    def test_a_given_task_is_played(self) -> None:
        """*Reset with a task*: whether a seed is given too or not, and until told otherwise."""
        family = self.make_family()
        env = _single_of(family)
        for task in few_tasks(family, 5, family.splits[-1]):
            for given in ({}, {"seed": 1}):
                result = env.reset(options={"task": task.row(0)}, **given)
                assert _played(result) == contents(task)[0], "another task than the given one"
                assert _played(env.reset()) == contents(task)[0], "a bare reset left the given task"

    def test_info_shows_a_task_that_reset_accepts_back(self) -> None:
        """*Round trip*."""
        env = self._single()
        result = env.reset(seed=1)
        again = env.reset(options={"task": result[1]["task"]})
        assert _played(again) == _played(result), "the task changed on the way"

    def test_writing_to_the_shown_task_changes_nothing(self) -> None:
        """*Fresh*: `info["task"]` is the caller's."""
        env = self._single()
        _, info = env.reset(seed=1)
        before = {name: array.copy() for name, array in info["task"].items()}
        for array in info["task"].values():
            array[...] = 1 - array
        assert data_equivalence(env.reset()[1]["task"], before), "the task itself was written to"

    def test_a_single_environment_redraws_after_so_many_episodes(self) -> None:
        """*Redrawn*: a bare reset after two episodes of `episodes_per_task=2`."""
        env = _single_of(self.make_family(), episodes_per_task=2)
        played = [_played(env.reset(seed=1)), *(_played(env.reset()) for _ in range(15))]
        assert all(played[i] == played[i + 1] for i in range(0, 16, 2)), "changed within a trial"
        assert len(set(played)) > 1, "no task was ever drawn anew"

    def test_what_is_no_task_is_refused(self) -> None:
        """*Refusals*: naming what is wrong."""
        family = self.make_family()
        env = _single_of(family)
        task = family.sample_tasks(1, seed=0).row(0)
        name = next(iter(task))
        wrong = [
            None,
            {},
            task | {"more": 1},
            task | {name: None},
            task | {name: np.full((2, 3), 10**6)},
        ]
        for given in wrong:
            with pytest.raises(TaskError):
                env.reset(options={"task": given})
        with pytest.raises(TaskError, match="goal"):
            env.reset(options={"goal": 1})

    def test_a_single_environment_of_no_split_is_refused(self) -> None:
        """*Refusals*: when it is made, not when it is played."""
        with pytest.raises(SplitError):
            _single_of(self.make_family(), split="no such split")

    def test_a_step_without_an_episode_is_refused(self) -> None:
        """*Refusals*: before the first reset, and after an episode has ended."""
        env = self._single()
        with pytest.raises(ResetNeeded):
            env.step(env.action_space.sample())
        env.reset(seed=0)
        _play_episode(env)
        with pytest.raises(ResetNeeded):
            env.step(env.action_space.sample())

    def test_what_is_no_action_is_refused(self) -> None:
        """*Refusals*."""
        env = self._single()
        env.reset(seed=0)
        with pytest.raises(SpaceError):
            env.step("no action")

    def test_a_picture_shows_the_episode_it_was_given(self) -> None:
        """*Rendered*: pixels, the same for the same recorded episode, and what `render` shows of
        it.
        """
        family = self.make_family()
        if not isinstance(family, Rendered):
            pytest.skip("the family draws no pictures")
        env = _single_of(family, render_mode="rgb_array")
        observation, info = env.reset(seed=1)
        opening = env.render()
        assert opening.dtype == np.uint8 and opening.ndim == 3 and opening.shape[2] == 3
        seen, actions, rewards = [observation], [], []
        env.action_space.seed(1)
        for _ in range(5):
            actions.append(env.action_space.sample())
            observation, reward, terminated, truncated, _ = env.step(actions[-1])
            seen.append(observation)
            rewards.append(float(reward))
            if terminated or truncated:
                break
        episode = Episode(
            stack(env.observation_space, seen),
            stack(env.action_space, actions),
            torch.tensor(rewards),
        )
        assert np.array_equal(family.render(info["task"], episode), env.render()), "another picture"

    def test_single_and_vector_environment_agree_step_for_step(self) -> None:
        """*Derived alike*: a native family's two environments, with the noise of one given to the
        other.
        """
        family = self.make_family()
        if not isinstance(family, NativeFamily):
            pytest.skip("the family is not native")
        for task in few_tasks(family, 3):
            single = _single_of(family)
            assert isinstance(single, NativeEnv)
            vector = family.vector_env(task)
            shown, _ = single.reset(seed=5, options={"task": task.row(0)})
            observation, _ = vector.reset(seed=5)
            single.action_space.seed(1)
            for _ in range(min(2 * (family.max_episode_steps or 100) + 3, 250)):
                _assert_equal(
                    "observation", unstack(family.observation_space, observation)[0], shown
                )
                single.generator.set_state(vector.generator.get_state())
                action = single.action_space.sample()
                shown, *ours, info = single.step(action)
                observation, *theirs, extra = vector.step(stack(family.action_space, [action]))
                final = unstack(family.observation_space, extra["final_obs"])[0]
                _assert_equal("final_obs", final, shown)
                _assert_equal(
                    "reward, terminated, truncated",
                    [float(t) for t in theirs],
                    [float(t) for t in ours],
                )
                if family.reports_success:
                    _assert_equal("success", bool(extra["success"]), info["success"])
                if ours[1] or ours[2]:
                    shown, _ = single.reset()

    def _single(self) -> TaskEnv:
        return _single_of(self.make_family())


def _single_of(family: TaskFamily, **keywords: Any) -> TaskEnv:
    if not isinstance(family, Playable):
        pytest.skip("the family has no single environment")
    env = family.single_env(**keywords)
    assert isinstance(env, TaskEnv)
    return env


def _played(result: tuple[Any, dict[str, Any]]) -> bytes:
    """The task that a reset began, by what it is made of."""
    task = result[1]["task"]
    return np.concatenate([np.ravel(task[name]).astype(float) for name in sorted(task)]).tobytes()


def _play_episode(env: TaskEnv) -> None:
    for _ in range(100_000):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            return
    raise AssertionError("an episode of 100000 steps did not end")


def _assert_equal(what: str, vector: Any, single: Any) -> None:
    assert data_equivalence(vector, single), (
        f"{what}: the vector environment has {vector}, the single one {single}"
    )
