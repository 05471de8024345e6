"""The report: what is grouped with what, what stands in the table, and that the page is whole."""

import base64
import json
import re
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch

from icrl.errors import DamagedFileError, OutputError, UsageError
from icrl.evaluation import Evaluation, evaluate, optimum
from icrl.random_agent import RandomPolicy
from icrl.report import cells, columns, group, summaries, write_report
from icrl.report.curve import NEAREST_LABELS, _apart
from icrl.report.steps import by_step
from icrl.report.style import colours, episode_ticks
from icrl.report.tasks import draw_tasks
from icrl.tasks import Tasks
from icrl.testing import Corridor

TASKS, EPISODES = 5, 7


def result(agent="ad", *, training_seed=0, goals=range(TASKS), episodes=EPISODES, **changes):
    """Trials that earn their episode's number, plus a tenth of the goal; the optimum is 10."""
    goals = torch.tensor(list(goals))
    split = changes.pop("split", "test")
    arguments = changes.pop("arguments", {"size": 9})
    returns = np.arange(1, episodes + 1)[None] + goals.numpy()[:, None] / 10
    returns = changes.pop("returns", returns)
    known = {
        "optimal_return": np.full(len(goals), 10, np.float32),
        "random_return": np.zeros(len(goals), np.float32),
    }
    return Evaluation(
        agent=agent,
        tasks=Tasks("tests/Numbers-v0", arguments, split, {"goal": goals}),
        task=np.arange(len(goals)),
        seed=3,
        returns=returns.astype(np.float32),
        lengths=np.full(returns.shape, 11, np.int32),
        episodes_asked=changes.pop("episodes_asked", episodes),
        training_seed=training_seed,
        command=f"icrl run {agent} tests/Numbers-v0",
        **known | changes,
    )


def saved(tmp_path, *results):
    paths = []
    for number, one in enumerate(results):
        one.save(tmp_path / "results" / str(number))
        paths.append(tmp_path / "results" / str(number))
    return paths


def png_size(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_agents_come_in_the_order_given_before_what_they_are_held_against():
    names = ["optimum", "ad", "source", "ed", "random"]
    found = group([result(name) for name in names])
    assert [runs.name for runs in found] == ["ad", "ed", "source", "random", "optimum"]


def test_without_an_agent_the_report_is_about_what_was_given_first(tmp_path):
    assert group([result("random"), result("source")])[0].name == "random"
    write_report(saved(tmp_path, result("random"), result("optimum")), tmp_path / "report")
    assert "random on tests/Numbers-v0" in (tmp_path / "report" / "index.html").read_text()


def test_results_of_one_agent_are_its_training_seeds():
    (runs,) = group([result(training_seed=seed) for seed in (2, 0, 1)])
    assert [e.training_seed for e in runs.evaluations] == [0, 1, 2]
    assert runs.returns().shape == (3, TASKS, EPISODES)


def test_results_with_other_details_are_another_entry():
    found = group(
        [
            result(),
            result(details={"argmax": True}),
            result("source", details={"config": {"discount": 0.9}}),
            result("source", details={"config": {"discount": 0.5}}),
        ]
    )
    labels = ["ad", "ad (argmax)", "source (discount 0.9)", "source (discount 0.5)"]
    assert [runs.label for runs in found] == labels
    assert [runs.num_seeds for runs in found] == [1, 1, 1, 1]
    assert [runs.is_reference for runs in found] == [False, False, True, True]


def test_what_two_runs_share_counts_once():
    found = group([result("ad"), result("random"), result("leep"), result("random")])
    assert [(runs.label, runs.num_seeds) for runs in found] == [
        ("ad", 1),
        ("leep", 1),
        ("random", 1),
    ]


def test_two_results_of_one_seed_are_refused():
    with pytest.raises(UsageError, match="two different results of ad with seed 0"):
        group([result(), result(returns=np.ones((TASKS, EPISODES), np.float32))])


def test_one_seed_is_resampled_by_task_several_by_seed():
    (one,) = group([result()])
    (shared,) = group([result(training_seed=0), result(training_seed=1)])
    (own,) = group([result(training_seed=0), result(training_seed=1, goals=range(3, 3 + TASKS))])
    assert [runs.unit for runs in (one, shared, own)] == [
        "tasks",
        "seeds",
        "seeds, then their tasks",
    ]


def test_the_figures_are_those_of_the_last_third_of_the_trial():
    (row,) = summaries(group([result()]))
    assert row.episodes == (6, 7)
    assert row.mean.value == pytest.approx(6.5 + 0.2)
    assert row.normalised.value == pytest.approx(0.67)
    assert row.mean.low < row.mean.value < row.mean.high
    assert row.solved == 1.0
    assert row.area == pytest.approx(0.42)
    assert (row.first, row.last) == pytest.approx((1.2, 7.2))
    assert row.improvement.p_value == 1 / 2**TASKS


def test_tasks_without_room_between_chance_and_optimum_do_not_count():
    full = np.array([0, 0, 0, 0, 10], np.float32)
    (row,) = summaries(group([result(random_return=full)]))
    assert row.normalised.value == pytest.approx((6.5 + 0.15) / 10)


def test_where_no_optimum_is_known_the_table_says_nothing_of_it():
    (row,) = summaries(group([result(optimal_return=None, random_return=None)]))
    assert (row.normalised, row.interquartile, row.solved, row.area) == (None, None, None, None)
    assert cells(row)[2:4] == ["-", "-"]


def test_a_source_is_compared_over_as_many_episodes_and_told_over_its_whole_life():
    rows = summaries(group([result(), result("source", episodes=31)]))
    assert [row.label for row in rows] == ["ad", "source", "source, after 31 episodes"]
    assert rows[1].mean.value == rows[0].mean.value
    assert rows[2].mean.value > 20


def test_a_row_of_the_table_has_a_cell_for_each_heading():
    rows = summaries(group([result(), result("random")]))
    headings = columns(rows)
    assert headings[:2] == ["agent", "mean return, episodes 6 to 7"]
    assert all(len(cells(row)) == len(headings) for row in rows)
    assert cells(rows[0])[1].startswith("6.70 [")


def test_the_page_is_one_file_with_its_pictures_inside(tmp_path):
    write_report(saved(tmp_path, result(), result("ed"), result("source")), tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    inside = [base64.b64decode(d) for d in re.findall(r"data:image/png;base64,([^\"]+)", page)]
    beside = [tmp_path / "report" / name for name in ("curve.png", "tasks.png")]
    assert inside == [path.read_bytes() for path in beside]
    assert all(png_size(data)[0] == 1920 for data in inside)


def test_the_page_says_how_many_and_what_the_bands_are(tmp_path):
    write_report(saved(tmp_path, result()), tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    for sentence in (
        "5 held-out tasks, size 9, 7 episodes a trial, 1 training seed",
        "95 % bootstrap percentile intervals over tasks, since there is one training seed",
        "67 % of the way from chance to the optimum",
        "the first episode of a trial earns 1.20, the last one 7.20",
        "icrl run ad tests/Numbers-v0",
    ):
        assert sentence in page, sentence


@pytest.mark.parametrize(
    ("memory", "said", "unsaid"),
    [
        ("trial", ("all learning is in context", "It learns in context: the first"), ()),
        (None, ("all learning is in context",), ()),
        (
            "episode",
            ("what is learned in context ends with the episode", "It keeps nothing from one"),
            ("all learning", "It learns in context"),
        ),
        (
            "none",
            ("no learning in context", "ad has no context", "It keeps nothing from one"),
            ("all learning", "It learns in context", "Learning in context"),
        ),
    ],
)
def test_the_page_says_what_an_agent_can_learn_while_it_plays(tmp_path, memory, said, unsaid):
    write_report(saved(tmp_path, result(memory=memory)), tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert [words for words in said if words not in page] == []
    assert [words for words in unsaid if words in page] == []


@pytest.mark.parametrize("known", [True, False])
def test_an_optimum_that_is_not_known_is_not_said_to_be_drawn(tmp_path, known):
    changes = {} if known else {"optimal_return": None}
    write_report(saved(tmp_path, result(**changes)), tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert ("Dashed: the task's own optimum." in page) is known


def test_what_the_budget_cut_is_said_on_the_page(tmp_path):
    write_report(saved(tmp_path, result(episodes_asked=60)), tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "ad: the budget ended the trials after 7 of 60 episodes." in page


def test_names_are_no_markup(tmp_path):
    write_report(saved(tmp_path, result("<b>$x^2$")), tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "&lt;b&gt;$x^2$ on tests/Numbers-v0" in page
    assert "<b>$x" not in page.replace("<b><b>", "")


def test_the_figures_lie_beside_the_page_as_json(tmp_path):
    rows = write_report(saved(tmp_path, result(), result("random")), tmp_path / "report")
    data = json.loads((tmp_path / "report" / "figures.json").read_text())
    assert data["agents"] == [row.to_json() for row in rows]
    assert data["agents"][0]["mean_return"]["value"] == pytest.approx(6.7)
    assert data["agents"][0]["interval_over"] == "tasks"


def test_the_same_results_give_the_same_report_byte_for_byte(tmp_path):
    paths = saved(tmp_path, result(), result("ed"))
    for name in ("one", "two"):
        write_report(paths, tmp_path / name)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two


def test_a_report_replaces_an_older_one(tmp_path):
    paths = saved(tmp_path, result(), result("ed"))
    write_report(paths, tmp_path / "report")
    assert len(write_report(paths[:1], tmp_path / "report")) == 1
    page = (tmp_path / "report" / "index.html").read_text()
    assert ">ed<" not in page


@pytest.mark.parametrize("episodes", [1, 2, 1000])
def test_trials_of_any_length_are_drawn(tmp_path, episodes):
    write_report(saved(tmp_path, result(episodes=episodes)), tmp_path / "report")
    assert (tmp_path / "report" / "index.html").exists()


@pytest.mark.parametrize("ends", [(-8.034, -8.031), (0, 1), (-98_700, -12_300)])
def test_what_names_the_returns_of_tasks_stays_clear_of_their_numbers(tmp_path, monkeypatch, ends):
    figures = []
    monkeypatch.setattr("icrl.report.tasks.save", lambda figure, path: figures.append(figure))
    returns = np.linspace(*ends, TASKS * EPISODES).reshape(TASKS, EPISODES)
    runs = group([result(returns=returns, optimal_return=None)])
    draw_tasks(runs, {"ad": "#000000"}, tmp_path / "tasks.png", heading="ad")
    (figure,) = figures
    figure.canvas.draw()
    (name,) = (text for text in figure.texts if text.get_text() == "return of the episode")
    numbers = [label for axes in figure.axes for label in axes.get_yticklabels()]
    left = min(n.get_window_extent().x0 for n in numbers if n.get_text() and n.get_visible())
    assert name.get_window_extent().x1 < left


def one_episode(agent, rewards):
    """Trials of one episode, in which every task earns these rewards."""
    rewards = np.tile(np.asarray(rewards, np.float32), (TASKS, 1))
    return result(agent, episodes=1, returns=rewards.sum(1, keepdims=True), rewards=rewards)


def test_a_trial_of_one_episode_is_drawn_by_its_steps():
    climb = np.repeat(np.arange(20), 3)  # 60 steps; in parts of 3, each of which earns its number
    agent, chance = group([one_episode("ad", climb), one_episode("random", 0 * climb)])
    drawn, axis = by_step([agent, chance])
    assert axis.each == 3
    assert np.array_equal(drawn[0].returns()[0], np.tile(np.arange(20), (TASKS, 1)))
    assert drawn[0].optimal()[0] == pytest.approx(10 / 60)


def test_what_does_not_fill_a_part_is_left_out():
    (agent,) = group([one_episode("ad", np.ones(59))])
    assert by_step([agent])[0][0].episodes == 19


def test_an_episode_that_was_cut_is_not_held_against_whole_ones():
    cut = replace(one_episode("ad", np.ones(60)), cut=True)
    (agent,) = group([cut])
    ((drawn,), _) = by_step([agent])
    for one in (agent, drawn):
        assert one.optimal() is None and one.random() is None
    (row,) = summaries([agent])
    assert row.normalised is None and row.solved is None
    assert cut.solved_rule == "unknown: the first episode was cut short"


def test_who_has_no_rewards_has_no_curve_by_steps():
    known, unknown = group([one_episode("ad", np.ones(60)), result("source", episodes=1)])
    assert [one.name for one in by_step([known, unknown])[0]] == ["ad"]
    assert by_step([unknown, known]) is None


def test_the_page_says_that_its_curve_goes_by_steps(tmp_path):
    results = saved(tmp_path, one_episode("ad", np.ones(60)), result("source", episodes=1))
    write_report(results, tmp_path / "report")
    text = (tmp_path / "report/index.html").read_text()
    assert "Mean reward of the steps" in text
    assert "Not drawn, since only whole returns are known: source." in text


def test_a_family_that_draws_has_its_episodes_on_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("icrl.report.episodes.make_family", lambda *_, **__: Corridor())
    family = Corridor()
    tasks = family.sample_tasks(3, split="test", seed=0)
    played = evaluate(
        RandomPolicy(family.action_space, "cpu"), family.vector_env(tasks), 11, 0, agent="ad"
    )
    shown = sorted({one.episode for one in played.recorded})
    assert shown == [0, 1, 2, 3, 6, 10]
    write_report(saved(tmp_path, played), tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "The same weights, later" in page
    assert png_size((tmp_path / "report" / "episodes.png").read_bytes())[0] == 1920


def test_a_recorded_episode_is_the_one_that_was_played(tmp_path):
    family = Corridor()
    tasks = family.sample_tasks(3, split="test", seed=0)
    played = evaluate(RandomPolicy(family.action_space, "cpu"), family.vector_env(tasks), 11, 0)
    for one in played.recorded:
        episode = one.unpacked(family.observation_space, family.action_space)
        length = played.lengths[one.trial, one.episode]
        assert len(episode.observation) == length + 1
        assert len(episode.action) == len(episode.reward) == length
        assert float(episode.reward.sum()) == played.returns[one.trial, one.episode]
        assert (np.abs(np.diff(episode.observation.numpy())) <= 1).all()


def test_recorded_episodes_come_back_from_their_directory(tmp_path):
    family = Corridor()
    tasks = family.sample_tasks(3, split="test", seed=0)
    played = evaluate(RandomPolicy(family.action_space, "cpu"), family.vector_env(tasks), 3, 0)
    played.save(tmp_path / "result")
    loaded = Evaluation.load(tmp_path / "result")
    in_order = sorted(played.recorded, key=lambda one: (one.trial, one.episode))
    for one, other in zip(loaded.recorded, in_order, strict=True):
        assert (one.trial, one.episode) == (other.trial, other.episode)
        assert all(torch.equal(column, other.columns[k]) for k, column in one.columns.items())


def test_a_solved_familys_optimum_is_played_by_its_oracle():
    family = Corridor()
    tasks = family.sample_tasks(3, split="test", seed=0)
    found = optimum(family, tasks, 29, seed=0)
    assert found is not None
    assert np.std(found.returns) > 0
    assert found.recorded


def test_each_agent_keeps_its_colour_whoever_is_held_against_it():
    every = group([result(name) for name in ("ad", "ed", "source", "random", "optimum")])
    found = colours(every)
    assert len(set(found.values())) == 5
    assert colours(group([result("ad"), result("optimum")])).items() <= found.items()
    assert colours(group([result("leep"), result("source")]))["source"] == found["source"]


def test_labels_stand_apart_and_in_order():
    places = _apart([0.1, 0.11, 0.12, 0.5, 0.97])
    assert places == sorted(places)
    assert min(np.diff(places)) >= NEAREST_LABELS - 1e-9
    assert places[3:] == [0.5, 0.97]


@pytest.mark.parametrize("episodes", [1, 2, 7, 20, 60, 160, 1000])
def test_ticks_are_round_and_few(episodes):
    ticks = episode_ticks(episodes)
    assert (ticks[0], ticks[-1]) == (1, episodes)
    assert len(ticks) <= 10


def test_nothing_is_no_report(tmp_path):
    with pytest.raises(UsageError, match="at least one result"):
        write_report([], tmp_path / "report")


@pytest.mark.parametrize(
    "change", [{"split": "extreme"}, {"arguments": {"size": 17}}], ids=["split", "arguments"]
)
def test_results_that_cannot_be_compared_are_refused(tmp_path, change):
    paths = saved(tmp_path, result(), result("ed", **change))
    with pytest.raises(UsageError, match=r"ad played tests/Numbers-v0 size=9 \(test\), ed played"):
        write_report(paths, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_seeds_of_a_split_do_not_make_another_family():
    results = [result(arguments={"size": 9, "split_seed": seed}) for seed in (0, 1)]
    assert len(group(results)) == 1


def test_seeds_with_different_numbers_of_tasks_are_refused():
    with pytest.raises(UsageError, match="results of ad have 3 and 5 tasks"):
        group([result(), result(goals=range(3))])


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="something else than a report"):
        write_report(saved(tmp_path, result()), tmp_path / "report")


def test_a_damaged_result_is_named(tmp_path):
    (path,) = saved(tmp_path, result())
    (path / "returns.npy").unlink()
    with pytest.raises(DamagedFileError, match=r"returns\.npy"):
        write_report([path], tmp_path / "report")
