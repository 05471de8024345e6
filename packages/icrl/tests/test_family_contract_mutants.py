"""The family contract is tested itself: for each law a family that breaks just that law fails just
that test.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

import icrl.native.vector
from icrl.families import DynamicsView, RewardModel
from icrl.native import NativeEnv, NativeVectorEnv
from icrl.partition import Partition
from icrl.testing.corridor import CELLS, HORIZON, Corridor
from icrl.testing.counter import CounterFamily
from icrl.testing.families import FamilyContract
from icrl.wrapped import WrappedVectorEnv


class TestCorridor(FamilyContract):
    def make_family(self):
        return Corridor()


class DearCorridor(Corridor):
    dear_observation = True


class TestDearCorridor(FamilyContract):
    def make_family(self):
        return DearCorridor()


class Modelled(Corridor, RewardModel, DynamicsView):
    """Pays the cell that a step ends in, and ends in the last one; planners may know."""

    observation_space = spaces.Box(0, CELLS - 1, (1,))

    def observation(self, state, task):
        return state["cell"].float()[:, None]

    def transition(self, state, action, task, generator):
        done = super().transition(state, action, task, generator)
        cell = done.state["cell"]
        return done._replace(reward=cell.float(), terminated=cell == CELLS - 1)

    def reward_and_termination(self, observation, action, next_observation):
        cell = next_observation[..., 0]
        return cell, cell == CELLS - 1

    def model_inputs(self, observation):
        return observation / CELLS

    def model_targets(self, observation, next_observation):
        return (next_observation - observation) / 2

    def predicted_observation(self, observation, target):
        return observation + 2 * target

    def optimal_return(self, tasks):
        return None

    def random_return(self, tasks):
        return None


class TestModelled(FamilyContract):
    def make_family(self):
        return Modelled()


# Task laws


class SplitsThatOverlap(Corridor):
    def __init__(self):
        super().__init__()
        self.partition._members["test"][0] = self.partition._members["train"][0]


class NoTestSplit(Corridor):
    splits = ("train", "exam")

    def __init__(self):
        super().__init__()
        self.partition._members["exam"] = self.partition._members.pop("test")
        self.num_tasks = self.partition.num_tasks


class DrawsATaskTwice(Corridor):
    def __init__(self):
        super().__init__()
        self.partition._members["train"][0] = self.partition._members["train"][1]


class DrawsByAHiddenCount(Corridor):
    made = 0

    def __init__(self):
        super().__init__()
        type(self).made += 1
        self.number = self.made

    def sample_tasks(self, num_tasks, *, split="train", seed):
        more = self.number if num_tasks > 1 else 0
        return super().sample_tasks(num_tasks, split=split, seed=seed + more)


class DrawsTheSplitBySeed(Corridor):
    def sample_tasks(self, num_tasks, *, split="train", seed):
        if num_tasks > 1:
            self.partition = Partition(
                11 * CELLS, num_train_tasks=None, num_test_tasks=None, split_seed=seed
            )
        return super().sample_tasks(num_tasks, split=split, seed=seed)


class IgnoresTheSeedOfManyTasks(Corridor):
    def sample_tasks(self, num_tasks, *, split="train", seed):
        return super().sample_tasks(num_tasks, split=split, seed=0 if num_tasks > 1 else seed)


class NamesAnotherSplit(Corridor):
    def sample_tasks(self, num_tasks, *, split="train", seed):
        return replace(super().sample_tasks(num_tasks, split=split, seed=seed), split="other")


class TakesAnySplit(Corridor):
    def sample_tasks(self, num_tasks, *, split="train", seed):
        split = split if split in self.splits else "train"
        return super().sample_tasks(num_tasks, split=split, seed=seed)


class TakesAnyNumber(Corridor):
    def check_num_tasks(self, num_tasks, split):
        pass


class TakesAnybodysTasks(Corridor):
    def check_tasks(self, tasks):
        pass


# Vector laws: what most of these do wrong shows in the five rows of those tests only.


class Playing(NativeVectorEnv):
    """The vector environment that the mutants below change."""

    def __init__(self, family, tasks, **keywords):
        super().__init__(family, tasks, **keywords)
        self.watched = self.num_envs == 5


class EarnsDouble(Playing):
    def step(self, actions):
        observation, reward, *rest = super().step(actions)
        return observation, reward.double(), *rest


class LeavesTheSpace(Playing):
    def step(self, actions):
        observation, *rest, info = super().step(actions)
        away = torch.arange(self.num_envs, device=self.device) == (4 if self.watched else -1)
        return observation + 99 * away, *rest, info | {"final_obs": info["final_obs"] + 99 * away}


class MarksNoEnd(Playing):
    def step(self, actions):
        *rest, info = super().step(actions)
        nobody = torch.zeros_like(info["_final_obs"])
        return *rest, info | ({"_final_obs": nobody} if self.watched else {})


class FinalWhereNothingEnded(Playing):
    def step(self, actions):
        *rest, info = super().step(actions)
        final = info["final_obs"]
        if self.watched:
            final = torch.where(info["_final_obs"], final, (final + 1) % CELLS)
        return *rest, info | {"final_obs": final}


class NeverTruncates(Playing):
    def step(self, actions):
        if self.watched and self.state:
            self._age = torch.zeros_like(self._age)
        return super().step(actions)


class ReusesItsReward(Playing):
    kept = None

    def step(self, actions):
        observation, reward, *rest = super().step(actions)
        self.kept = reward if self.kept is None else self.kept.copy_(reward)
        return observation, self.kept, *rest


class ShowsItsState(Corridor):
    def observation(self, state, task):
        return state["cell"]


class SharesAmongRows(Corridor):
    def transition(self, state, action, task, generator):
        done = super().transition(state, action, task, generator)
        shared = action.sum() * (1e-3 if len(action) == 5 else 0)
        return done._replace(reward=done.reward + shared)


class SeedsOnce(Playing):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None if self.watched and self.state else seed, options=options)


class RedrawsFixedTasks(Playing):
    def reset(self, *, seed=None, options=None):
        if self.watched and seed is not None and self._episodes_per_task is None:
            rows = torch.randint(
                len(self._pool), (5,), generator=torch.Generator().manual_seed(seed)
            )
            self._tasks = self._pool[rows]
        return super().reset(seed=seed, options=options)


class RedrawsTooOften(Playing):
    def __init__(self, family, tasks, *, episodes_per_task=None, **keywords):
        often = 1 if episodes_per_task else None
        super().__init__(family, tasks, episodes_per_task=often, **keywords)


class RedrawsNever(Playing):
    def __init__(self, family, tasks, *, episodes_per_task=None, **keywords):
        super().__init__(family, tasks, **keywords)


class TellsTheTask(Playing):
    def reset(self, *, seed=None, options=None):
        observation, info = super().reset(seed=seed, options=options)
        return observation, info | (
            {"task": self.tasks.arrays["goal"].clone()} if self.watched else {}
        )


class OpensByTheTask(Corridor):
    def initial(self, task, generator):
        state = super().initial(task, generator)
        return state | {"cell": (state["cell"] + task["goal"]) % CELLS}


class MistakesNumpy(Playing):
    def step(self, actions):
        return super().step(actions if isinstance(actions, torch.Tensor) else 1 - actions)


class TakesAnyShape(Playing):
    def _as_action(self, space, action):
        return torch.as_tensor(action, device=self.device)[torch.arange(self.num_envs) % 4]

    def step(self, actions):
        if len(actions) == self.num_envs:
            self._as_action = lambda space, action: torch.as_tensor(action, device=self.device)
        return super().step(actions)


class ResetsUnasked(Playing):
    def step(self, actions):
        if self.state is None:
            self.reset(seed=0)
        return super().step(actions)


class ForgetsTheLastObservation(Playing):
    def step(self, actions):
        observation, *rest, info = super().step(actions)
        final = info["final_obs"] if self.num_envs > 1 else observation.clone()
        return observation, *rest, info | {"final_obs": final}


class ReadsBack(Corridor):
    def transition(self, state, action, task, generator):
        if len(action) == 5 and (action > 1).any().item():
            raise AssertionError("no such action")
        return super().transition(state, action, task, generator)


class ReadsBackWhatItObserves(DearCorridor):
    def observation(self, state, task):
        if len(state["cell"]) == 5 and (state["cell"] >= CELLS).any().item():
            raise AssertionError("no such cell")
        return super().observation(state, task)


class LooksForEndsTwice(NativeVectorEnv):
    def step(self, actions):
        observation, *rest, info = super().step(actions)
        icrl.native.vector.rows_where(info["_final_obs"])
        return observation, *rest, info


class ReadsBackTwice(DearCorridor):
    def vector_env(self, tasks, **keywords):
        self.check_tasks(tasks)
        return LooksForEndsTwice(self, tasks, **keywords)


class KeepsAConstantOnTheHost(Corridor):
    def transition(self, state, action, task, generator):
        limits = torch.full(action.shape, CELLS)
        done = super().transition(state, action, task, generator)
        return done._replace(
            state={**done.state, "cell": torch.minimum(done.state["cell"], limits)}
            if action.device == limits.device or len(action) == 5
            else done.state
        )


class ShowsTheOpeningAsFinal(WrappedVectorEnv):
    def step(self, actions):
        observation, *rest, info = super().step(actions)
        return observation, *rest, info | {"final_obs": observation.clone()}


# Return laws


class OverstatesItsOptimum(Corridor):
    def optimal_return(self, tasks):
        return 1.1 * super().optimal_return(tasks)


class OverstatesRandomness(Corridor):
    def random_return(self, tasks):
        return 1.15 * super().random_return(tasks)


class StatesInDouble(Corridor):
    def random_return(self, tasks):
        return super().random_return(tasks).double()


# Planner laws


class PaysPlannersTheCellBefore(Modelled):
    def reward_and_termination(self, observation, action, next_observation):
        _, ends = super().reward_and_termination(observation, action, next_observation)
        return observation[..., 0], ends


class TellsPlannersOfNoEnd(Modelled):
    def reward_and_termination(self, observation, action, next_observation):
        reward, ends = super().reward_and_termination(observation, action, next_observation)
        return reward, torch.zeros_like(ends)


class PaysPlannersOneBatchOnly(Modelled):
    def reward_and_termination(self, observation, action, next_observation):
        cell = next_observation[:, 0]
        return cell, cell == CELLS - 1


class PredictsHalfTheWay(Modelled):
    def predicted_observation(self, observation, target):
        return observation + target


class TargetsTwice(Modelled):
    def model_targets(self, observation, next_observation):
        target = super().model_targets(observation, next_observation)
        return torch.cat((target, target), dim=-1)

    def predicted_observation(self, observation, target):
        return super().predicted_observation(observation, target[..., :1])


class ShowsModelsTheBatch(Modelled):
    def model_inputs(self, observation):
        return observation - observation.mean()


# Single laws


class SeedsNothingOfGymnasiums(NativeEnv):
    def reset(self, *, seed=None, options=None):
        result = super().reset(seed=seed, options=options)
        self._np_random = np.random.default_rng()
        return result


class KeepsItsTaskThroughSeeds(NativeEnv):
    def reset(self, *, seed=None, options=None):
        if seed is not None and not options and self._tasks is not None:
            options = {"task": self._tasks.row(0)}
        return super().reset(seed=seed, options=options)


class SeedsItsNoiseByTheTask(NativeEnv):
    drawn = False

    def reset(self, *, seed=None, options=None):
        self.drawn = seed is not None and not options
        return super().reset(seed=seed, options=options)

    def begin(self, task, seed):
        return super().begin(task, int(task.arrays["goal"]) if self.drawn else seed)


class ForgetsTheTaskItDrew(NativeEnv):
    told = False

    def reset(self, *, seed=None, options=None):
        self.told = self.told or seed is not None or bool(options)
        if not self.told:
            self._tasks = None
        return super().reset(seed=seed, options=options)


class TrainsAlways(NativeEnv):
    def __init__(self, family, *, split="train", **keywords):
        super().__init__(family, split="train" if split == "test" else split, **keywords)


class PlaysAGivenTaskOnce(NativeEnv):
    once = False

    def reset(self, *, seed=None, options=None):
        if self.once:
            self._tasks = None
        self.once = bool(options) and seed is None
        return super().reset(seed=seed, options=options)


class ShowsTasksInAnotherShape(NativeEnv):
    def _info(self, success):
        info = super()._info(success)
        return info | {"task": {name: array[None] for name, array in info["task"].items()}}


class ShowsTheTaskItself(NativeEnv):
    def _info(self, success):
        info = super()._info(success)
        if self._age > 0:
            return info
        return info | {"task": {n: array[0].numpy() for n, array in self._tasks.arrays.items()}}


class RedrawsEachEpisode(NativeEnv):
    def __init__(self, family, *, episodes_per_task=None, **keywords):
        often = 1 if episodes_per_task else None
        super().__init__(family, episodes_per_task=often, **keywords)


class TakesAnyTask(NativeEnv):
    def _read_task(self, task):
        try:
            return super()._read_task(task)
        except ValueError:
            return self.family.sample_tasks(1, seed=0)


class TakesAnyOption(NativeEnv):
    def reset(self, *, seed=None, options=None):
        known = {name: value for name, value in (options or {}).items() if name == "task"}
        return super().reset(seed=seed, options=known)


class PlaysAnySplit(NativeEnv):
    def __init__(self, family, *, split="train", **keywords):
        super().__init__(family, split=split if split in family.splits else "train", **keywords)


class OpensEpisodesUnasked(NativeEnv):
    def step(self, action):
        if not self._running:
            self.reset()
        return super().step(action)


class ActsOnAnything(NativeEnv):
    def step(self, action):
        return super().step(0 if isinstance(action, str) else action)


class CountsItsPictures(Corridor):
    pictures = 0

    def render(self, task, episode):
        self.pictures += 1
        return super().render(task, episode) + np.uint8(self.pictures)


class EndsEarly(NativeEnv):
    def advance(self, action):
        observation, reward, terminated, truncated, success = super().advance(action)
        truncated = self._age == HORIZON - 1 and not terminated
        return observation, reward, terminated, truncated, success


def family_with(changed):
    """A corridor that is itself changed, or that plays in a changed environment."""
    if issubclass(changed, NativeVectorEnv):

        class Changed(Corridor):
            def vector_env(self, tasks, **keywords):
                self.check_tasks(tasks)
                return changed(self, tasks, **keywords)

        return Changed
    if issubclass(changed, WrappedVectorEnv):

        class ChangedCounter(CounterFamily):
            def vector_env(self, tasks, **keywords):
                self.check_tasks(tasks)
                return changed(self, tasks, **keywords)

        return ChangedCounter
    if issubclass(changed, NativeEnv):

        class ChangedAlone(Corridor):
            def single_env(self, **keywords):
                return changed(self, **keywords)

        return ChangedAlone
    return changed


def broken_laws(changed):
    """The tests of the contract that a family fails."""

    class Contract(FamilyContract):
        make_family = family_with(changed)
        first_observation_shows_task = issubclass(changed, WrappedVectorEnv)

    broken = set()
    for name in laws():
        try:
            getattr(Contract(), name)()
        except pytest.skip.Exception:
            pass
        except (Exception, pytest.fail.Exception):  # whatever a law's breach raises
            broken.add(name)
    return broken


def laws():
    return {name for name in dir(FamilyContract) if name.startswith("test_")}


MUTANTS = [
    (SplitsThatOverlap, "splits_share_no_task"),
    (NoTestSplit, "there_are_train_and_test_splits"),
    (DrawsATaskTwice, "tasks_drawn_together_are_distinct"),
    (DrawsByAHiddenCount, "a_seed_draws_the_same_tasks_again"),
    (DrawsTheSplitBySeed, "the_seed_picks_from_a_fixed_partition"),
    (IgnoresTheSeedOfManyTasks, "the_seed_picks_from_a_fixed_partition"),
    (NamesAnotherSplit, "tasks_say_where_they_come_from"),
    (TakesAnySplit, "a_split_that_does_not_exist_is_refused"),
    (TakesAnyNumber, "more_tasks_than_there_are_are_refused"),
    (TakesAnybodysTasks, "tasks_of_another_family_are_refused"),
    (EarnsDouble, "what_is_returned_is_laid_out_as_the_spaces_say"),
    (LeavesTheSpace, "observations_lie_in_the_observation_space"),
    (MarksNoEnd, "final_obs_differs_from_the_observation_in_ended_rows_only"),
    (FinalWhereNothingEnded, "final_obs_differs_from_the_observation_in_ended_rows_only"),
    (ShowsTheOpeningAsFinal, "final_obs_is_the_last_observation_of_the_ended_episode"),
    (NeverTruncates, "no_episode_is_longer_than_the_horizon"),
    (ReusesItsReward, "a_returned_tensor_is_never_written_to_again"),
    (ShowsItsState, "writing_to_a_returned_tensor_changes_nothing_that_follows"),
    (SharesAmongRows, "a_row_depends_on_its_own_actions_only"),
    (SeedsOnce, "a_seed_makes_all_that_follows_repeat"),
    (RedrawsFixedTasks, "resets_change_no_fixed_task"),
    (RedrawsTooOften, "a_row_redraws_its_task_after_so_many_episodes"),
    (RedrawsNever, "a_row_redraws_its_task_after_so_many_episodes"),
    (TellsTheTask, "nothing_but_the_observation_tells_the_task_at_first"),
    (OpensByTheTask, "nothing_but_the_observation_tells_the_task_at_first"),
    (MistakesNumpy, "numpy_actions_do_what_torch_actions_do"),
    (TakesAnyShape, "actions_of_another_shape_are_refused"),
    (ResetsUnasked, "a_step_before_the_first_reset_is_refused"),
    (ForgetsTheLastObservation, "single_and_vector_environment_agree_step_for_step"),
    (EndsEarly, "single_and_vector_environment_agree_step_for_step"),
    (ReadsBack, "stepping_stays_on_the_device"),
    (ReadsBackWhatItObserves, "stepping_stays_on_the_device"),
    (ReadsBackTwice, "stepping_stays_on_the_device"),
    (KeepsAConstantOnTheHost, "stepping_stays_on_the_device"),
    (OverstatesItsOptimum, "the_oracle_earns_the_stated_optimum"),
    (OverstatesRandomness, "random_actions_earn_the_stated_random_return"),
    (StatesInDouble, "stated_returns_are_one_number_for_each_task"),
    (PaysPlannersTheCellBefore, "a_planners_reward_is_the_environments"),
    (TellsPlannersOfNoEnd, "a_planners_reward_is_the_environments"),
    (PaysPlannersOneBatchOnly, "a_planners_reward_takes_any_leading_axes"),
    (PredictsHalfTheWay, "a_predicted_observation_is_what_its_target_was_made_of"),
    (TargetsTwice, "a_predicted_observation_is_what_its_target_was_made_of"),
    (ShowsModelsTheBatch, "a_predicted_observation_is_what_its_target_was_made_of"),
    (SeedsNothingOfGymnasiums, "gymnasiums_checker_passes"),
    (KeepsItsTaskThroughSeeds, "a_seed_draws_the_task_of_a_single_environment"),
    (SeedsItsNoiseByTheTask, "a_seeds_opening_is_not_decided_by_its_task"),
    (ForgetsTheTaskItDrew, "a_bare_reset_opens_another_episode_of_the_same_task"),
    (TrainsAlways, "the_first_bare_reset_draws_a_task_of_the_split"),
    (PlaysAGivenTaskOnce, "a_given_task_is_played"),
    (ShowsTasksInAnotherShape, "info_shows_a_task_that_reset_accepts_back"),
    (ShowsTheTaskItself, "writing_to_the_shown_task_changes_nothing"),
    (RedrawsEachEpisode, "a_single_environment_redraws_after_so_many_episodes"),
    (TakesAnyTask, "what_is_no_task_is_refused"),
    (TakesAnyOption, "what_is_no_task_is_refused"),
    (PlaysAnySplit, "a_single_environment_of_no_split_is_refused"),
    (OpensEpisodesUnasked, "a_step_without_an_episode_is_refused"),
    (ActsOnAnything, "what_is_no_action_is_refused"),
    (CountsItsPictures, "a_picture_shows_the_episode_it_was_given"),
]


@pytest.mark.parametrize(
    ("changed", "law"), MUTANTS, ids=[changed.__name__ for changed, _ in MUTANTS]
)
@pytest.mark.filterwarnings("ignore:.*WARN:UserWarning")  # of what a Gymnasium environment declares
def test_a_mutant_fails_just_the_law_that_it_breaks(changed, law):
    assert broken_laws(changed) == {f"test_{law}"}


def test_every_law_has_a_mutant():
    assert laws() == {f"test_{law}" for _, law in MUTANTS}


def test_held_out_splits_may_overlap():
    class Contract(FamilyContract):
        def make_family(self):
            family = Corridor()
            family.splits = ("train", "test", "harder")
            family.partition._members["harder"] = family.partition._members["test"][:5]
            family.num_tasks = family.partition.num_tasks
            return family

    Contract().test_splits_share_no_task()


def test_a_partition_too_large_to_be_looked_at_passes():
    class Large(Corridor):
        def __init__(self):
            self.partition = Partition(
                503 * CELLS, num_train_tasks=None, num_test_tasks=None, split_seed=0
            )
            self.num_tasks = self.partition.num_tasks

    class Contract(FamilyContract):
        make_family = Large

    assert Large().num_tasks["train"] > 2000
    Contract().test_the_seed_picks_from_a_fixed_partition()


@pytest.mark.filterwarnings("ignore:Counter. observation has the value")  # it counts on
@pytest.mark.parametrize("horizon", [449, 450])
def test_a_long_horizon_is_reached(horizon):
    class Contract(FamilyContract):
        def make_family(self):
            family = CounterFamily(length=450)
            family.max_episode_steps = horizon
            return family

    if horizon == 450:
        Contract().test_no_episode_is_longer_than_the_horizon()
        return
    with pytest.raises(AssertionError, match="lasts beyond 449 steps"):
        Contract().test_no_episode_is_longer_than_the_horizon()
