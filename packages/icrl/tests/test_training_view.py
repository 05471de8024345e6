"""The training view: an agent that learns by interaction sees its training tasks and no more."""

import pytest
import torch

from icrl.errors import SplitError, TaskError
from icrl.families import DynamicsView, RewardModel, Solved
from icrl.plugins import make_family
from icrl.testing import TwoCells
from icrl.training_view import ENDLESS_POOL, training_pool, training_view


@pytest.fixture
def view():
    return training_view(make_family("CartPole-v1"), 5, seed=3)


def test_train_is_the_only_split(view):
    assert view.splits == ("train",)
    with pytest.raises(SplitError, match="shows a learning agent its training tasks, not 'test'"):
        view.sample_tasks(2, split="test", seed=0)


def test_there_are_at_most_so_many_tasks(view):
    assert view.num_tasks == {"train": 5}
    with pytest.raises(TaskError, match="6 tasks asked of CartPole-v1"):
        view.sample_tasks(6, seed=0)


def test_every_draw_is_from_the_same_tasks(view):
    pool = set(view.sample_tasks(5, seed=0).arrays["seed"].tolist())
    drawn = view.sample_tasks(3, seed=7).arrays["seed"].tolist()
    assert set(drawn) <= pool
    assert len(set(drawn)) == 3


def test_without_a_limit_it_draws_what_the_family_draws():
    family = make_family("CartPole-v1")
    view = training_view(family, None, seed=3)
    ours, theirs = view.sample_tasks(7, seed=11), family.sample_tasks(7, split="train", seed=11)
    assert torch.equal(ours.arrays["seed"], theirs.arrays["seed"])


def test_its_environments_are_the_familys(view):
    env = view.vector_env(view.sample_tasks(3, seed=0))
    observation, _ = env.reset(seed=0)
    assert observation.shape == (3, 4)
    env.close()


def test_it_shows_no_oracle(view):
    assert not isinstance(view, Solved | RewardModel | DynamicsView)
    assert view.optimal_return(view.sample_tasks(2, seed=0)) is None


class Rewarding(TwoCells, RewardModel):
    def reward_and_termination(self, observation, action, next_observation):
        return observation.float() + 2, action == 2


class Viewed(TwoCells, DynamicsView):
    def model_inputs(self, observation):
        return 2 * observation

    def model_targets(self, observation, next_observation):
        return next_observation - 3 * observation

    def predicted_observation(self, observation, target):
        return target + 3 * observation


class Both(Rewarding, Viewed):
    pass


@pytest.mark.parametrize("kind", [TwoCells, Rewarding, Viewed, Both])
def test_it_offers_just_what_planners_may_call_of_the_family(kind):
    view = training_view(kind(), None, seed=0)
    for interface in (RewardModel, DynamicsView):
        assert isinstance(view, interface) == issubclass(kind, interface)


def test_what_planners_call_is_the_familys():
    view = training_view(Both(), None, seed=0)
    before, after = torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])
    reward, terminated = view.reward_and_termination(before, torch.tensor([[2], [0]]), after)
    assert reward.tolist() == [[3.0], [5.0]] and terminated.tolist() == [[True], [False]]
    assert view.model_inputs(before).tolist() == [[2.0], [6.0]]
    target = view.model_targets(before, after)
    assert target.tolist() == [[2.0], [-2.0]]
    assert torch.equal(view.predicted_observation(before, target), after)


# The pool of tasks that an agent learns on.


def test_the_pool_has_every_task_of_a_finite_split():
    pool = training_pool(training_view(TwoCells(), None, seed=0), seed=5)
    found = zip(pool.arrays["goal"].tolist(), pool.arrays["length"].tolist(), strict=True)
    assert sorted(found) == [(0, 2), (0, 4), (1, 2), (1, 4)]


def test_the_pool_of_an_endless_split_is_drawn_from_the_seed():
    endless = training_view(make_family("CartPole-v1"), None, seed=0)
    one, same, other = (training_pool(endless, seed=seed).arrays["seed"] for seed in (5, 5, 7))
    assert len(one.unique()) == ENDLESS_POOL
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_pool_has_no_more_tasks_than_were_asked_for(view):
    pool = training_pool(view, seed=11).arrays["seed"].tolist()
    assert sorted(pool) == sorted(view.sample_tasks(5, seed=0).arrays["seed"].tolist())
