"""VectorLaws: what a family's vector environments promise."""

from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, ClassVar

import pytest
import torch
from gymnasium.utils.env_checker import data_equivalence
from torch import Tensor

from icrl.errors import SpaceError, UsageError
from icrl.families import Playable
from icrl.random_agent import RandomPolicy
from icrl.spaces import leaf_dtype, leaf_shape, leaf_spaces, stack, unstack
from icrl.testing.task_laws import FamilyLaws, contents, few_tasks
from icrl.timestep import TimeStep
from icrl.trees import Tree, leaves, map_tree
from icrl.vector import TaskVectorEnv

ROWS = 5
MOST_STEPS = 2001
"""Steps in which a horizon is looked for, unless a family's tests say how many they play."""
INFO = {"final_obs", "_final_obs", "success"}


class VectorLaws(FamilyLaws):
    """The laws of `vector_env` and `TaskVectorEnv`."""

    first_observation_shows_task: ClassVar[bool] = False
    """Whether what an agent sees first may differ between tasks, because the family defines it so.
    """
    num_steps: ClassVar[int | None] = None
    """Steps played in these tests; by default two episodes and a few steps, and at most 400 (the
    horizon is looked for up to 2000).
    """

    def test_what_is_returned_is_laid_out_as_the_spaces_say(self) -> None:
        """*Layout*: shapes, dtypes and the device, of every tensor that comes back."""
        (env,) = self._envs(1)
        expected = {
            path: _layout(space)
            for path, space in leaves(leaf_spaces(env.single_observation_space))
        }
        for record in self._play(env):
            for name in ("observation", "final_obs"):
                found = {
                    path: (leaf.dtype, tuple(leaf.shape[1:])) for path, leaf in leaves(record[name])
                }
                assert found == expected, f"{name} is {found}, the space says {expected}"
            stated = ("success" in record) == env.family.reports_success
            assert stated, f"success is there or not, against {env.family.reports_success=}"
            for name in {"reward", "terminated", "truncated", "_final_obs", "success"} & set(
                record
            ):
                dtype = torch.float32 if name == "reward" else torch.bool
                given = record[name].dtype, tuple(record[name].shape)
                assert given == (dtype, (ROWS,)), f"{name} is {given}"
            for path, leaf in leaves(record):
                assert leaf.device == env.device, f"{path} is on {leaf.device}"

    def test_observations_lie_in_the_observation_space(self) -> None:
        """*Fitting*."""
        (env,) = self._envs(1)
        space = env.single_observation_space
        for record in self._play(env):
            for value in (
                *unstack(space, record["observation"]),
                *unstack(space, record["final_obs"]),
            ):
                assert space.contains(value), f"{value} is not in {space}"

    def test_final_obs_differs_from_the_observation_in_ended_rows_only(self) -> None:
        """*Same step*: `final_obs` is there for all rows, `_final_obs` masks those that ended."""
        (env,) = self._envs(1)
        for record in self._play(env):
            ended = record["terminated"] | record["truncated"]
            assert torch.equal(record["_final_obs"], ended), (
                "_final_obs is not terminated | truncated"
            )
            for (path, final), (_, shown) in zip(
                leaves(record["final_obs"]), leaves(record["observation"]), strict=True
            ):
                assert torch.equal(final[~ended], shown[~ended]), (
                    f"final_obs {path} of a running row"
                )

    def test_no_episode_is_longer_than_the_horizon(self) -> None:
        """*Horizon*."""
        horizon = self.make_family().max_episode_steps
        if horizon is None:
            pytest.skip("the family has no horizon")
        most = self.num_steps or MOST_STEPS
        if horizon >= most:
            pytest.skip(f"its horizon of {horizon} steps is not reached in the {most} played here")
        (env,) = self._envs(1)
        age = torch.zeros(ROWS, dtype=torch.int64, device=env.device)
        steps = max(horizon + 1, self._num_steps(2 * horizon))
        for record in islice(self._play(env, steps=steps), 1, None):
            ended = record["terminated"] | record["truncated"]
            age = age + 1
            running_on = ~ended & (age >= horizon)
            assert not running_on.any(), f"an episode lasts beyond {horizon} steps"
            age = age.masked_fill(ended, 0)

    def test_final_obs_is_the_last_observation_of_the_ended_episode(self) -> None:
        """*Same step*: a single environment that plays the same task and actions saw it too.

        With noise, which tells such replays apart, nothing can be said.
        """
        family = self.make_family()
        if not isinstance(family, Playable):
            pytest.skip("the family has no single environment")
        (env,) = self._envs(1)
        records = [_copied(record) for record in self._play(env)][1:]
        actions = _actions(env, len(records))
        taken = [unstack(family.action_space, action) for action in actions]
        replays = [
            [
                _replayed(family, env.tasks.row(row), [values[row] for values in taken], seed)
                for row in range(ROWS)
            ]
            for seed in range(3)
        ]
        if not all(data_equivalence(replays[0], other) for other in replays[1:]):
            pytest.skip("noise tells two replays apart")
        for row, steps in enumerate(replays[0]):
            for time, (shown, ended, _) in enumerate(steps):
                if ended:
                    final = map_tree(itemgetter([row]), records[time]["final_obs"])
                    last = stack(family.observation_space, [shown])
                    _assert_same(final, last, f"in a single environment, as row {row} ends,")

    def test_a_returned_tensor_is_never_written_to_again(self) -> None:
        """*No aliasing*, of what the caller keeps."""
        (env,) = self._envs(1)
        kept = [(record, _copied(record)) for record in self._play(env)]
        for step, (record, copy) in enumerate(kept):
            for (path, leaf), (_, before) in zip(leaves(record), leaves(copy), strict=True):
                assert torch.equal(leaf, before), f"{path} of step {step} was written to later"

    def test_writing_to_a_returned_tensor_changes_nothing_that_follows(self) -> None:
        """*No aliasing*, of what the environment keeps."""
        env, other = self._envs(2)
        for ours, theirs in zip(self._play(env), self._play(other, spoil=True), strict=True):
            _assert_same(ours, theirs, "after a caller wrote to what it was given")

    def test_a_row_depends_on_its_own_actions_only(self) -> None:
        """*Separate*."""
        env, other = self._envs(2)
        kept = [row for row in range(ROWS) if row != 2]
        ours = [_rows(r, kept) for r in self._play(env)]
        theirs = [_rows(r, kept) for r in self._play(other, disturbed=2)]
        for one, two in zip(ours, theirs, strict=True):
            _assert_same(one, two, "after another row acted differently")

    def test_a_seed_makes_all_that_follows_repeat(self) -> None:
        """*Repeatable*: in the same environment, and in another."""
        env, other = self._envs(2)
        first = [_copied(record) for record in self._play(env, seed=3)]
        for again in (self._play(env, seed=3), self._play(other, seed=3)):
            for one, two in zip(first, again, strict=True):
                _assert_same(one, two, "after the same seed")

    def test_resets_change_no_fixed_task(self) -> None:
        """*Fixed*: rows play their tasks in turn, for as long as they live."""
        family = self.make_family()
        tasks = few_tasks(family, 3)
        env = family.vector_env(tasks, num_envs=ROWS)
        expected = [contents(tasks)[row % len(tasks)] for row in range(ROWS)]
        try:
            for _ in self._play(env, seed=1):
                assert contents(env.tasks) == expected, "a row plays another task than its own"
            for seed in (2, None):
                env.reset(seed=seed)
                assert contents(env.tasks) == expected, "a reset changed a fixed task"
        finally:
            env.close()

    def test_a_row_redraws_its_task_after_so_many_episodes(self) -> None:
        """*Redrawn*: `episodes_per_task=2` changes a task after every second episode, and never
        between.
        """
        family = self.make_family()
        pool = few_tasks(family, 7)
        env = family.vector_env(pool, num_envs=ROWS, episodes_per_task=2)
        played: list[list[bytes]] = [[] for _ in range(ROWS)]
        try:
            for record in self._play(env, seed=1, episodes=9):
                opened = record["terminated"] | record["truncated"]
                for row, task in enumerate(contents(env.tasks)):
                    assert task in contents(pool), "a task that was not to be drawn from"
                    if not played[row] or opened[row]:
                        played[row].append(task)
                    assert played[row][-1] == task, "a task changed within an episode"
        finally:
            env.close()
        trials = [
            tuple(row[start : start + 2]) for row in played for start in range(0, len(row) - 1, 2)
        ]
        assert all(one == other for one, other in trials), "a task changed within its trial"
        assert any(len(set(row)) > 1 for row in played), "no task was ever drawn anew"

    def test_nothing_but_the_observation_tells_the_task_at_first(self) -> None:
        """*Hidden*: what a policy gets as a trial opens is the same in every task."""
        family = self.make_family()
        tasks = family.sample_tasks(2, seed=0)
        seen = []
        for task in (tasks[0], tasks[1]):
            env = family.vector_env(task, num_envs=ROWS)
            observation, info = env.reset(seed=5)
            env.close()
            assert set(info) <= INFO, f"info has {sorted(set(info) - INFO)}"
            for name in INFO - {"final_obs"} & set(info):
                assert not info[name].any(), f"{name} holds as a trial opens"
            seen.append({"observation": observation, "final_obs": info["final_obs"]})
        if not self.first_observation_shows_task:
            _assert_same(seen[0], seen[1], "in another task, as a trial opens,")

    def test_numpy_actions_do_what_torch_actions_do(self) -> None:
        """*Actions*."""
        env, other = self._envs(2)
        for ours, theirs in zip(self._play(env), self._play(other, as_numpy=True), strict=True):
            _assert_same(ours, theirs, "after actions in NumPy")

    def test_actions_of_another_shape_are_refused(self) -> None:
        """*Refusals*."""
        (env,) = self._envs(1)
        env.reset(seed=0)
        actions = map_tree(lambda leaf: leaf[:-1], _actions(env, 1)[0])
        with pytest.raises(SpaceError):
            env.step(actions)

    def test_a_step_before_the_first_reset_is_refused(self) -> None:
        """*Refusals*."""
        (env,) = self._envs(1)
        with pytest.raises(UsageError):
            env.step(_actions(env, 1)[0])

    @pytest.fixture(autouse=True)
    def _close_environments(self) -> Iterator[None]:
        yield
        for env in self.__dict__.pop("_opened", []):
            env.close()

    def _envs(self, count: int) -> list[TaskVectorEnv]:
        """Environments that play the same tasks, closed when the test is over."""
        family = self.make_family()
        tasks = few_tasks(family, 3)
        self._opened = [family.vector_env(tasks, num_envs=ROWS) for _ in range(count)]
        return self._opened

    def _play(
        self,
        env: TaskVectorEnv,
        *,
        seed: int = 7,
        episodes: int = 2,
        steps: int | None = None,
        disturbed: int | None = None,
        as_numpy: bool = False,
        spoil: bool = False,
    ) -> Iterator[dict[str, Tree]]:
        """All that random actions bring about, step by step, the reset first; closes nothing."""
        if steps is None:
            horizon = env.family.max_episode_steps or 150
            steps = self._num_steps(episodes * horizon, 200 * episodes)
        actions = _actions(env, steps)
        yield from _spoiled(_reset(env, seed), spoil)
        for action, different in zip(actions, _actions(env, steps, seed=2), strict=True):
            if disturbed is not None:
                action = _with_row(action, different, disturbed)
            if as_numpy:
                action = map_tree(lambda leaf: leaf.cpu().numpy(), action)
            observation, reward, terminated, truncated, info = env.step(action)
            record = {
                "observation": observation,
                "reward": reward,
                "terminated": terminated,
                "truncated": truncated,
            }
            yield from _spoiled(record | info, spoil)

    def _num_steps(self, ends: int, most: int = 400) -> int:
        """Steps to play, so that episodes that end after so many are played to their ends."""
        return self.num_steps or min(ends + 3, most)


def _reset(env: TaskVectorEnv, seed: int) -> dict[str, Tree]:
    observation, info = env.reset(seed=seed)
    nothing = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    flags = {"terminated": nothing, "truncated": nothing.clone()}
    return {"observation": observation, "reward": nothing.float()} | flags | info


def _replayed(
    family: Playable, task: dict[str, Any], actions: list[Any], seed: int
) -> list[tuple[Any, bool, Any]]:
    """What a single environment shows after each action, whether that ended an episode, and how
    the one that goes on had opened.
    """
    env = family.single_env()
    steps = []
    try:
        opening = env.reset(seed=seed, options={"task": task})[0]
        for action in actions:
            shown, _, terminated, truncated, _ = env.step(action)
            ended = bool(terminated or truncated)
            opening = env.reset()[0] if ended else opening
            steps.append((shown, ended, opening))
    finally:
        env.close()
    return steps


def _spoiled(record: dict[str, Tree], spoil: bool) -> Iterator[dict[str, Tree]]:
    """The record, or a copy of it after all that the environment gave was overwritten."""
    if not spoil:
        yield record
        return
    copy = _copied(record)
    for _, leaf in leaves(record):
        leaf.zero_() if leaf.is_floating_point() else leaf.fill_(1)
    yield copy


def _actions(env: TaskVectorEnv, steps: int, seed: int = 1) -> list[Tree]:
    """Random actions of every row, for so many steps."""
    generator = torch.Generator().manual_seed(seed)
    policy = RandomPolicy(env.single_action_space, "cpu")
    first = TimeStep.first(torch.zeros(env.num_envs), env.single_action_space)
    drawn = (policy.act(first, None, generator)[0] for _ in range(steps))
    return [map_tree(lambda leaf: leaf.to(env.device), action) for action in drawn]


def _with_row(tree: Tree, other: Tree, row: int) -> Tree:
    def changed(leaf: Tensor, different: Tensor) -> Tensor:
        return torch.cat((leaf[:row], different[row : row + 1], leaf[row + 1 :]))

    return map_tree(changed, tree, other)


def _rows(record: dict[str, Tree], rows: list[int]) -> dict[str, Tree]:
    return map_tree(lambda leaf: leaf[rows], record)


def _copied(record: dict[str, Tree]) -> dict[str, Tree]:
    return map_tree(torch.clone, record)


def _layout(space: Any) -> tuple[torch.dtype, tuple[int, ...]]:
    return leaf_dtype(space), leaf_shape(space)


def _assert_same(one: dict[str, Tree], other: dict[str, Tree], when: str) -> None:
    for (path, ours), (_, theirs) in zip(leaves(one), leaves(other), strict=True):
        assert torch.equal(ours, theirs), f"{path} is not the same {when}: {ours} and {theirs}"
