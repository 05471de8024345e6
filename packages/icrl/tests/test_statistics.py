"""Statistics: by hand, against rliable's own numbers, and by what intervals and tests promise."""

import importlib.util

import numpy as np
import pytest

from icrl.statistics import (
    bootstrap,
    interquartile_mean,
    last_part,
    learns_in_context,
    mean,
    normalised,
    normalised_area,
    percentile_20,
    solved,
)

SCORES = np.array(
    [
        [15.7, 1.8, 0.0, 12.6, 9.2, 4.2, 7.7, 10.9, 16.9, 0.1, 10.2],
        [13.6, 0.1, 15.7, 17.0, 16.4, 1.4, 4.5, 7.3, 0.5, 4.5, 0.4],
        [14.0, 14.0, 8.0, 16.2, 13.1, 16.1, 16.2, 14.2, 0.4, 16.0, 0.7],
        [15.4, 11.8, 12.7, 0.0, 7.2, 2.6, 0.1, 1.0, 6.8, 14.7, 7.3],
        [5.4, 0.4, 0.0, 16.5, 3.6, 0.0, 12.0, 15.5, 3.9, 3.6, 10.4],
    ]
)
"""[seeds, tasks]."""

# What rliable 1.2.0 gives for SCORES with 50,000 resamples after np.random.seed(0): point, low,
# high. "tasks" is its `task_bootstrap=True` on the first seed alone.
RLIABLE = {
    ("seeds", mean): (8.19090909090909, 6.74, 9.674545454545454),
    ("seeds", interquartile_mean): (8.22413793103448, 5.820689655172413, 10.613793103448275),
    ("tasks", mean): (8.118181818181817, 4.808863636363646, 11.41818181818182),
    ("tasks", interquartile_mean): (8.085714285714285, 3.8, 12.242857142857144),
}


def test_the_interquartile_mean_leaves_out_the_lowest_and_highest_quarter():
    assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, -100]) == (2 + 3 + 4 + 5) / 4
    assert interquartile_mean([9, 1, 5]) == 5
    assert interquartile_mean(np.array([[0, 4], [1, 3], [2, 1], [30, 9]])).tolist() == [1.5, 3.5]


@pytest.mark.parametrize(("unit", "statistic"), RLIABLE)
def test_point_and_interval_are_those_of_rliable(unit, statistic):
    scores = SCORES if unit == "seeds" else SCORES[:1]
    value, low, high = RLIABLE[unit, statistic]
    ours = bootstrap(scores, statistic, resamples=50_000)
    assert ours.unit == unit
    assert ours.value == pytest.approx(value, abs=1e-9)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.06)


@pytest.mark.skipif(importlib.util.find_spec("rliable") is None, reason="rliable is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_point_and_interval_are_those_of_the_installed_rliable(statistic):
    from rliable import library, metrics

    theirs = {mean: metrics.aggregate_mean, interquartile_mean: metrics.aggregate_iqm}[statistic]
    points, intervals = library.get_interval_estimates(
        {"agent": SCORES}, lambda x: np.array([theirs(x)]), reps=5_000
    )
    ours = bootstrap(SCORES, statistic, resamples=5_000)
    assert ours.value == pytest.approx(points["agent"][0])
    assert (ours.low, ours.high) == pytest.approx(tuple(intervals["agent"][:, 0]), abs=0.15)


def test_an_interval_repeats_with_its_seed():
    first, again, other = (bootstrap(SCORES, seed=seed) for seed in (1, 1, 2))
    assert (first.low, first.high) == (again.low, again.high)
    assert (first.low, first.high) != (other.low, other.high)


def test_every_episode_has_an_interval_of_its_own():
    curve = np.stack([SCORES, SCORES + 5.0, np.full_like(SCORES, 3.0)], axis=-1)
    found = bootstrap(curve)
    assert found.value.shape == found.low.shape == found.high.shape == (3,)
    assert (found.low[2], found.high[2]) == (3, 3)
    assert found.low[1] == pytest.approx(found.low[0] + 5)


def test_large_scores_are_resampled_in_parts(monkeypatch):
    whole = bootstrap(SCORES, resamples=997)
    monkeypatch.setattr("icrl.statistics.CELLS_AT_ONCE", 10 * SCORES.size)
    parts = bootstrap(SCORES, resamples=997)
    assert parts.low == pytest.approx(whole.low, abs=0.2)


def test_seeds_with_tasks_of_their_own_give_an_interval_for_both():
    within = np.array([[0.0, 0.0, 0.0], [10.0, 10.0, 10.0]])
    by_seed_alone = bootstrap(within, unit="seeds, then their tasks", resamples=2_000)
    assert (by_seed_alone.low, by_seed_alone.high) == (0, 10)


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    hits = []
    for trial in range(300):
        found = bootstrap(generator.normal(3.0, 1.0, (1, 29)), resamples=500, seed=trial)
        hits.append(found.low <= 3.0 <= found.high)
    assert 0.89 <= np.mean(hits) <= 0.98


def test_the_20th_percentile_sees_tasks_that_the_mean_hides():
    assert percentile_20([16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0]) == 0


def test_a_normalised_score_is_0_at_random_and_1_at_the_optimum():
    returns = np.array([[1.0, 3.0, 5.0], [10.0, 0.0, 20.0]])
    found = normalised(returns, random=[1, 0], optimal=[5, 20])
    assert found.tolist() == [[0, 0.5, 1], [0.5, 0, 1]]


def test_a_task_in_which_chance_is_best_has_no_score():
    assert np.isnan(normalised([2.0, 3.0], random=[2, 0], optimal=[2, 6])).tolist() == [True, False]


def test_the_normalised_area_is_the_mean_share_of_the_optimum():
    area = normalised_area([[0, 4, 8], [3, 3, 3], [1, 1, 1]], optimal=[8, 3, -1])
    assert area[:2].tolist() == [0.5, 1]
    assert np.isnan(area[2])


def test_a_trial_is_judged_by_its_last_third():
    assert last_part(60) == slice(40, 60)
    assert last_part(2) == slice(1, 2)
    assert last_part(1) == slice(0, 1)


def test_negative_optima_do_not_say_what_is_solved():
    assert solved([[-100.0], [-150.0]], optimal=[-100, -200]) is None


def test_improvement_in_every_trial_is_significant():
    returns = np.linspace(0, 10, 13)[None] + np.arange(7)[:, None]
    found = learns_in_context(returns)
    assert found.num_episodes == 2
    assert found.difference == pytest.approx(returns[0, -2:].mean() - returns[0, :2].mean())
    assert found.p_value == 1 / 2**7


def test_a_flat_trial_is_no_improvement():
    assert learns_in_context(np.full((5, 13), 4.0)).p_value == 1


def test_getting_worse_is_no_improvement():
    assert learns_in_context(np.linspace(10, 0, 13)[None].repeat(7, 0)).p_value == 1


def test_noise_is_called_improvement_as_rarely_as_it_should_be():
    generator = np.random.default_rng(3)
    values = [
        learns_in_context(generator.normal(size=(17, 23)), permutations=500).p_value
        for _ in range(400)
    ]
    assert np.mean(np.array(values) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_trials_that_are_noisy_alike_do_not_pass_for_many_episodes():
    drift = np.random.default_rng(0).normal(size=(11, 1)) * np.linspace(-1, 1, 29)[None]
    assert learns_in_context(drift - drift.mean()).p_value > 0.05


def test_first_and_last_episodes_may_not_overlap():
    with pytest.raises(ValueError, match="overlap"):
        learns_in_context(np.zeros((3, 1)))
