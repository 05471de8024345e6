"""Planning: against Riccati's solution, every sequence of a tiny world, and moments by hand."""

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.agent import Interface
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl_cadm.config import CaDMConfig
from icrl_cadm.controls import Controls, chosen
from icrl_cadm.planning import (
    CategoricalCrossEntropy,
    CrossEntropy,
    Planner,
    RandomShooting,
    Score,
    planner,
)

HORIZON, WIDTH = 7, 2
CEM = CrossEntropy(WIDTH, HORIZON)
CATEGORICAL = CategoricalCrossEntropy((2, 3), HORIZON)
SHOOTING = RandomShooting(Controls(spaces.MultiDiscrete([2, 3])), HORIZON, 97)
PLANNERS = pytest.mark.parametrize(
    "by", [CEM, CATEGORICAL, SHOOTING], ids=lambda p: type(p).__name__
)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def towards(goal: Tensor) -> Score:
    """What pays sequences by how near they are to goals [envs, horizon, width]."""
    return lambda sequences: -(sequences - goal.unsqueeze(1)).square().sum((-1, -2))


class Kept:
    """A score that keeps the sequences that it is asked about."""

    def __init__(self, score: Score) -> None:
        self.score = score
        self.asked: list[Tensor] = []

    def __call__(self, sequences: Tensor) -> Tensor:
        self.asked.append(sequences)
        return self.score(sequences)


# A linear-quadratic system: two masses on a spring, each with a motor.

SPRING = 0.3
A = np.array([[1, 0.2, 0, 0], [-SPRING, 0.9, SPRING, 0], [0, 0, 1, 0.2], [SPRING, 0, -SPRING, 0.9]])
B = np.array([[0, 0], [0.4, 0], [0, 0], [0, 0.4]])
STATE_COST, CONTROL_COST = np.diag([1.0, 0.1, 1.0, 0.1]), 0.5 * np.eye(2)


def riccati() -> tuple[Tensor, Tensor]:
    """The cost of a state under the best controls, and the gain that gives them: u = -Kx.

    Riccati's recursion from the end of an episode that is far away.
    """
    cost = STATE_COST
    for _ in range(1000):
        gain = np.linalg.solve(CONTROL_COST + B.T @ cost @ B, B.T @ cost @ A)
        cost = STATE_COST + A.T @ cost @ (A - B @ gain)
    return torch.from_numpy(cost).float(), torch.from_numpy(gain).float()


def linear_quadratic(state: Tensor) -> Score:
    """What sequences cost from states [envs, 4]; what follows them costs as much as it must."""
    final, _ = riccati()
    a, b, q, r = (torch.from_numpy(x).float() for x in (A, B, STATE_COST, CONTROL_COST))

    def quadratic(x: Tensor, matrix: Tensor) -> Tensor:
        return (x @ matrix * x).sum(-1)

    def score(sequences: Tensor) -> Tensor:
        now = state.unsqueeze(1).expand(-1, sequences.shape[1], -1)
        total = torch.zeros(sequences.shape[:2])
        for control in sequences.unbind(2):
            total -= quadratic(now, q) + quadratic(control, r)
            now = now @ a.T + control @ b.T
        return total - quadratic(now, final)

    return score


def test_cross_entropy_finds_the_action_of_the_linear_quadratic_regulator():
    state = torch.tensor([[0.8, 0, -0.5, 0.2], [-0.6, 0.3, 0.4, 0], [0.1, -0.2, 0.9, -0.4]])
    _, gain = riccati()
    best = -state @ gain.T
    assert best.abs().max() < 0.9  # within the bounds, of which the regulator knows nothing
    by = replace(CEM, refinements=20, candidates=1000, elites=100)
    control, _ = by.plan(linear_quadratic(state), by.initial_solution(3, "cpu"), seeded())
    torch.testing.assert_close(control, best, rtol=0, atol=0.005)


def test_the_originals_few_refinements_regulate_for_hardly_more_than_the_regulator():
    state, generator = torch.tensor([[0.8, 0, -0.5, 0.2]]), seeded()
    (cost, _), a, b = riccati(), torch.from_numpy(A).float(), torch.from_numpy(B).float()
    least = float((state @ cost * state).sum())
    spent, solution = 0.0, CEM.initial_solution(1, "cpu")
    for _ in range(40):
        control, solution = CEM.plan(linear_quadratic(state), solution, generator)
        spent += float((state.square() * torch.tensor([1, 0.1, 1, 0.1])).sum())
        spent += 0.5 * float(control.square().sum())
        state = state @ a.T + control @ b.T
    assert least * 0.99 < spent < least * 1.05


# Cross entropy, to the letter of the original.


def test_candidates_lie_within_two_deviations_of_the_mean():
    asked = Kept(towards(torch.zeros(3, HORIZON, WIDTH)))
    by = replace(CEM, candidates=4001, elites=5, refinements=1, initial_variance=0.01)
    solution = torch.full((3, HORIZON, WIDTH), 0.5)
    by.plan(asked, solution, seeded())
    apart = (asked.asked[0] - 0.5) / 0.1
    assert 1.99 < apart.abs().max() <= 2.0001
    variance = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
    assert apart.var() == pytest.approx(variance, abs=0.01)
    assert apart.mean() == pytest.approx(0, abs=0.01)


def test_the_variance_is_capped_by_the_distance_to_the_bounds():
    asked = Kept(towards(torch.zeros(1, HORIZON, WIDTH)))
    mean = torch.tensor([0.0, 0.5, -0.8, 0.98, 1.0, -1.0, 0.2])
    by = replace(CEM, candidates=4001, refinements=1)
    by.plan(asked, mean[:, None].expand(1, HORIZON, WIDTH), seeded())
    reach = (asked.asked[0] - mean[:, None]).abs().amax((0, 1, 3))
    torch.testing.assert_close(reach, 1 - mean.abs(), rtol=0, atol=0.01)
    assert asked.asked[0].abs().max() <= 1 + 1e-6


def test_a_refinement_moves_to_the_elites_but_keeps_a_tenth():
    """Two refinements; the second's candidates show the mean and variance after the first."""
    asked = Kept(towards(torch.full((1, HORIZON, WIDTH), 0.3)))
    by = replace(CEM, candidates=2003, elites=101, refinements=2)
    control, _ = by.plan(asked, by.initial_solution(1, "cpu"), seeded())
    first, second = asked.asked
    elites = first[:, asked.score(first)[0].argsort(descending=True)[:101]]
    mean = 0.9 * elites.mean(1)
    variance = 0.9 * (elites - elites.mean(1, keepdim=True)).square().mean(1) + 0.1 * 0.25
    torch.testing.assert_close(second.mean(1), mean, rtol=0, atol=0.05)
    deviations = (second - mean.unsqueeze(1)).abs() / variance.sqrt().unsqueeze(1)
    assert 1.98 < deviations.max() < 2.0001
    last = second[:, asked.score(second)[0].argsort(descending=True)[:101]]
    torch.testing.assert_close(control, 0.1 * mean[:, 0] + 0.9 * last.mean(1)[:, 0])


def test_the_mean_is_executed_where_no_candidate_would_be():
    """Sequences pay only far from zero, on either side: the elites' mean is near zero."""
    control, _ = replace(CEM, refinements=1, candidates=2000, elites=500).plan(
        lambda sequences: sequences.abs().sum((-1, -2)), CEM.initial_solution(3, "cpu"), seeded()
    )
    assert control.abs().max() < 0.1


def test_a_plan_begins_where_the_last_one_left_off():
    goal = torch.rand(3, HORIZON, WIDTH, generator=seeded()) - 0.5
    control, solution = CEM.plan(towards(goal), CEM.initial_solution(3, "cpu"), seeded())
    later = torch.cat([goal[:, 1:], torch.zeros(3, 1, WIDTH)], 1)
    assert not solution[:, -1].any()
    torch.testing.assert_close(solution, later, rtol=0, atol=0.2)
    torch.testing.assert_close(control, goal[:, 0], rtol=0, atol=0.2)
    asked = Kept(towards(later))
    CEM.plan(asked, solution, seeded())
    torch.testing.assert_close(asked.asked[0].mean(1), solution, rtol=0, atol=0.15)


# A tiny world: a lock with two dials, of which the order of turns matters.

TURNS = (2, 3)
"""Values of the two choices of a step."""


def every_sequence(horizon: int) -> Tensor:
    """All sequences of one-hot controls, [sequences, horizon, 5]."""
    step = [torch.tensor([*one, *other]) for one in np.eye(2) for other in np.eye(3)]
    return torch.stack([torch.stack(each) for each in product(step, repeat=horizon)]).float()


def lock(seed: Tensor) -> Score:
    """Locks [envs], each of which pays sequences by where its dial comes to stand.

    Turns multiply and add, modulo 31, so that none is good for itself alone.
    """

    def score(sequences: Tensor) -> Tensor:
        dial = seed.unsqueeze(1).expand(sequences.shape[:2])
        for control in sequences.unbind(2):
            factor = 1 + control[..., :2].argmax(-1)
            dial = (dial * factor + 7 * control[..., 2:].argmax(-1) + 5) % 31
        return dial.float()

    return score


SEEDS = torch.tensor([3, 11, 29])


@pytest.mark.parametrize(
    "by",
    [
        RandomShooting(Controls(spaces.MultiDiscrete(TURNS)), 3, 2000),
        CategoricalCrossEntropy(TURNS, 3, candidates=400, elites=20),
    ],
    ids=lambda planner: type(planner).__name__,
)
def test_the_best_sequence_of_a_tiny_world_is_found(by: Planner):
    best = lock(SEEDS)(every_sequence(3).expand(3, -1, -1, -1)).amax(1)
    asked = Kept(lock(SEEDS))
    control, _ = by.plan(asked, by.initial_solution(3, "cpu"), seeded())
    assert torch.equal(chosen(control, TURNS), control)
    rest = every_sequence(2)
    firsts = control[:, None, None].expand(-1, len(rest), -1, -1)
    after = lock(SEEDS)(torch.cat([firsts, rest.expand(3, -1, -1, -1)], 2)).amax(1)
    assert after.tolist() == best.tolist()


def test_shooting_finds_the_nearest_of_many_continuous_sequences():
    goal = torch.tensor([[[0.7, -0.4]], [[-0.9, 0.1]], [[0.2, 0.2]]])
    by = RandomShooting(Controls(spaces.Box(-2, 2, (2,))), 1, 5000)
    control, solution = by.plan(towards(goal), by.initial_solution(3, "cpu"), seeded())
    torch.testing.assert_close(control, goal[:, 0], rtol=0, atol=0.05)
    assert not solution.any()


def test_categorical_probabilities_begin_uniform():
    asked = Kept(towards(torch.zeros(1, HORIZON, 5)))
    replace(CATEGORICAL, candidates=5003).plan(
        asked, CATEGORICAL.initial_solution(1, "cpu"), seeded()
    )
    uniform = torch.tensor([1 / 2] * 2 + [1 / 3] * 3).expand(1, HORIZON, 5)
    torch.testing.assert_close(asked.asked[0].mean(1), uniform, rtol=0, atol=0.03)


def test_a_categorical_plan_begins_halfway_to_the_last_ones_probabilities():
    always = chosen(torch.tensor([0.0, 1, 0, 0, 1]).expand(1, HORIZON, 5), (2, 3))
    by = replace(CATEGORICAL, candidates=5003, refinements=9)
    _, solution = by.plan(towards(always), by.initial_solution(1, "cpu"), seeded())
    asked = Kept(towards(always))
    by.plan(asked, solution, seeded())
    begun = torch.tensor([1 / 4, 3 / 4, 1 / 6, 1 / 6, 2 / 3]).expand(1, HORIZON - 1, 5)
    torch.testing.assert_close(asked.asked[0].mean(1)[:, :-1], begun, rtol=0, atol=0.03)
    uniform = torch.tensor([1 / 2] * 2 + [1 / 3] * 3).expand(1, 5)
    torch.testing.assert_close(asked.asked[0].mean(1)[:, -1], uniform, rtol=0, atol=0.03)


def test_a_categorical_refinement_moves_to_the_elites_but_keeps_a_tenth():
    always = chosen(torch.tensor([0.0, 1, 0, 0, 1]).expand(1, HORIZON, 5), (2, 3))
    asked = Kept(towards(always))
    by = replace(CATEGORICAL, candidates=5003, elites=500, refinements=2)
    by.plan(asked, by.initial_solution(1, "cpu"), seeded())
    first, second = asked.asked
    elites = first[:, asked.score(first)[0].argsort(descending=True, stable=True)[:500]].mean(1)
    uniform = torch.tensor([1 / 2] * 2 + [1 / 3] * 3)
    torch.testing.assert_close(second.mean(1), 0.9 * elites + 0.1 * uniform, rtol=0, atol=0.06)


# What holds for every planner.


@PLANNERS
def test_a_batch_of_environments_plans_as_each_does_alone(
    by: Planner, monkeypatch: pytest.MonkeyPatch
):
    goal = torch.rand(3, HORIZON, by.width, generator=seeded())
    start = 0.1 * torch.rand(3, HORIZON, by.width, generator=seeded())
    draws = Draws(monkeypatch)
    together = by.plan(towards(goal), start, seeded())
    for env in range(3):
        draws.replay(env)
        alone = by.plan(towards(goal[[env]]), start[[env]], seeded())
        for batched, single in zip(together, alone, strict=True):
            torch.testing.assert_close(batched[[env]], single)


class Draws:
    """Keeps what is drawn for many environments, and then gives one of them the same again."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.kept: list[Tensor] = []
        self.env: int | None = None
        self.rand = torch.rand
        patch.setattr(torch, "rand", self.draw)

    def draw(self, *shape: Any, **of: Any) -> Tensor:
        if self.env is not None:
            return next(self.replayed)[[self.env]]
        self.kept.append(self.rand(*shape, **of))
        return self.kept[-1]

    def replay(self, env: int) -> None:
        assert self.kept
        self.env, self.replayed = env, iter(self.kept)


@PLANNERS
def test_equal_generators_give_equal_plans(by: Planner):
    goal = torch.rand(3, HORIZON, by.width, generator=seeded())
    plans = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        plans.append(by.plan(towards(goal), by.initial_solution(3, "cpu"), seeded()))
    assert all(torch.equal(*pair) for pair in zip(*plans, strict=True))


@PLANNERS
def test_planning_writes_to_nothing_that_it_was_given(by: Planner):
    solution = 0.1 * torch.rand(3, HORIZON, by.width, generator=seeded())
    kept, state = solution.clone(), torch.get_rng_state()
    by.plan(towards(torch.zeros(3, HORIZON, by.width)), solution, seeded())
    assert torch.equal(solution, kept) and torch.equal(state, torch.get_rng_state())


@PLANNERS
def test_sequences_whose_imagination_diverges_are_the_worst(by: Planner):
    goal = by.plan(
        towards(torch.zeros(3, HORIZON, by.width)), by.initial_solution(3, "cpu"), seeded(5)
    )[0]

    def score(sequences: Tensor) -> Tensor:
        returns = -(sequences[:, :, 0] - goal.unsqueeze(1)).square().sum(-1)
        return torch.where(sequences[:, :, 0, 0] > goal[:, :1] + 0.01, math.nan, returns)

    control, solution = by.plan(score, by.initial_solution(3, "cpu"), seeded())
    assert control.isfinite().all() and solution.isfinite().all()
    torch.testing.assert_close(control, goal, rtol=0, atol=0.3)


@PLANNERS
def test_nothing_is_read_back_from_the_device(by: Planner):
    if isinstance(by, RandomShooting):
        by = replace(by, controls=Controls(spaces.MultiDiscrete([2, 3]), ACCELERATOR))
    with pretended_accelerator() as device:
        goal = torch.zeros(3, HORIZON, by.width, device=device)
        found = by.plan(towards(goal), by.initial_solution(3, device), torch.Generator())
        assert [each.device for each in found] == [device] * 2


@pytest.mark.parametrize(
    ("action_space", "settings", "expected"),
    [
        (spaces.Box(-2, 2, (3,)), {}, CrossEntropy(3, 30, 200, 50, 5, 0.1, 0.25)),
        (
            spaces.Box(-2, 2, (3,)),
            {"horizon": 7, "candidates": 11, "elites": 5, "refinements": 2, "smoothing": 0.3},
            CrossEntropy(3, 7, 11, 5, 2, 0.3, 0.25),
        ),
        (
            spaces.MultiDiscrete([2, 5]),
            {"planner": "cem"},
            CategoricalCrossEntropy((2, 5), 30, 200, 50, 5, 0.1),
        ),
    ],
)
def test_settings_choose_the_planner(action_space: Any, settings: dict, expected: Planner):
    assert planner(Controls(action_space), adapted(action_space, settings)) == expected


@pytest.mark.parametrize("action_space", [spaces.Discrete(3), spaces.Box(-2, 2, (3,))])
def test_settings_choose_shooting(action_space: Any):
    asked = {"planner": "shooting", "candidates": 71, "refinements": 2, "horizon": 5}
    config = adapted(action_space, asked)
    by = planner(Controls(action_space), config)
    assert isinstance(by, RandomShooting)
    assert (by.width, by.horizon, by.candidates) == (3, 5, 142)


def adapted(action_space: Any, settings: dict) -> CaDMConfig:
    interface = Interface(spaces.Box(-1, 1, (2,)), action_space, 200, "icrl/Any-v0", {})
    return CaDMConfig(**settings).adapted(interface)
