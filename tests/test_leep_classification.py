"""The benchmark of LEEP's classification example: its returns by hand, and how they are judged."""

import json
import re

import pytest
import torch

from icrl.plugins import make_family

WORDS = {
    "a member's likeliest label, repeated": "argmax",
    "the ensemble's likeliest label, repeated": "argmax of max",
    "drawn from a member": "sampled",
    "drawn, linked by the average": "average",
    "drawn, linked by the maximum": "max",
    "elimination by a member": "elimination",
}
"""How the README calls the ways to guess of members that are told the labels."""
LEARNERS = {
    "DQN": ("dqn", "argmax"),
    "PPO, its likeliest label repeated": ("ppo", "argmax"),
    "PPO, drawn": ("ppo", "sampled"),
    "four members without a link, drawn from one": ("plain-ensemble", "sampled"),
    "the same, linked by the average": ("plain-ensemble", "average"),
    "the same, linked by the maximum": ("plain-ensemble", "max"),
    "LEEP, drawn from one member": ("leep", "sampled"),
    "LEEP": ("leep", "max"),
    "LEEP, its likeliest label repeated": ("leep", "argmax of max"),
    "elimination by LEEP": ("leep", "elimination by max"),
    "`elimination`": ("elimination", "elimination"),
}
"""How it calls learners that are told rewards, with their ways to guess."""

LABEL = torch.tensor([0, 0])
CHANCES = torch.tensor(
    [[[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]], [[0.2, 0.4, 0.4], [0.6, 0.3, 0.1]]]
)  # [members, images, labels]


def guessing(right):
    """Twenty draws, of which each is right with this chance: what they cost."""
    return -sum((1 - right) ** step for step in range(1, 21))


EXPECTED = {
    "argmax": [(0 - 20) / 2, (-20 + 0) / 2],
    "argmax of max": [0, 0],
    "sampled": [
        (guessing(0.5) + guessing(0.2)) / 2,
        (guessing(0.2) + guessing(0.6)) / 2,
    ],
    "average": [guessing(0.35), guessing(0.4)],
    "max": [guessing(0.5 / 1.3), guessing(0.6 / 1.4)],
    "elimination": [(0 - 2) / 2, (-2 + 0) / 2],
    "elimination by max": [0, 0],
}


@pytest.fixture
def returns_module(scripts):
    """The script's module of returns."""
    import classification_returns

    return classification_returns


@pytest.fixture
def measured(repository):
    """The benchmark's result."""
    path = repository / "benchmarks" / "results" / "leep_classification.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("way", EXPECTED)
def test_a_way_to_guess_earns_what_it_earns_by_hand(way, returns_module):
    """Of two images, 0 is right in both. Both members have it first, once, and once last (of
    equals the first counts): the largest of their chances are 0.5, 0.4, 0.4 and 0.6, 0.5, 0.3.
    """
    found = returns_module.returns(CHANCES.log(), LABEL)[way]
    assert found.tolist() == pytest.approx(EXPECTED[way], abs=1e-5)


def test_what_is_worked_out_is_what_is_played(returns_module):
    """For a made-up ensemble on digits, whose chances depend on the pixels."""
    family = make_family("icrl/SequentialClassification-v0")
    tasks = family.sample_tasks(359, split="test", seed=0)
    mixing = torch.randn(3, 64, 10, generator=torch.Generator().manual_seed(0))

    def members(seen):
        return (seen @ mixing).log_softmax(-1)

    log_probs = members(family.vector_env(tasks).reset(seed=0)[0])
    label = tasks.arrays["label"]
    expected = {
        name: way.earned(way.joined(log_probs), label)[0]
        for name, way in returns_module.WAYS.items()
    }
    found = returns_module.played(family, tasks, members, expected)
    assert set(found) == set(returns_module.WAYS)
    certain = ("argmax", "argmax of max", "elimination", "elimination by max")
    assert [found[name]["standard_errors_away"] for name in certain] == [0, 0, 0, 0]


def test_what_is_not_played_as_worked_out_is_refused(returns_module):
    family = make_family("icrl/SequentialClassification-v0")
    tasks = family.sample_tasks(100, split="test", seed=0)
    nothing = dict.fromkeys(returns_module.WAYS, torch.zeros(100))

    def members(seen):
        return torch.full((2, len(seen), 10), -2.3)

    with pytest.raises(RuntimeError, match=r"beyond what is expected"):
        returns_module.played(family, tasks, members, nothing)


def test_an_interval_holds_both_seeds_and_images(returns_module):
    """Of two seeds that earn 0 and 2 on every image, replicates earn 0, 1 or 2."""
    resampling = returns_module.Resampling(2, 50)
    seeds = [torch.zeros(50), torch.full((50,), 2.0)]
    assert resampling.interval(seeds) == {"mean": 1, "low": 0, "high": 2}
    images = [(torch.arange(50) % 2).double()] * 2
    found = resampling.interval(images)
    deviation = 0.5 / 50**0.5
    assert found["mean"] == 0.5
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_paired_rows_are_resampled_alike(returns_module):
    """What is one more on every image is one more in every replicate."""
    resampling = returns_module.Resampling(3, 70)
    generator = torch.Generator().manual_seed(0)
    rows = [torch.rand(70, generator=generator) for _ in range(3)]
    lower = resampling.interval(rows)
    upper = resampling.interval([row + 1 for row in rows])
    assert {name: round(upper[name] - lower[name], 3) for name in lower} == {
        "mean": 1,
        "low": 1,
        "high": 1,
    }


# What was measured


def test_the_ordering_of_the_ways_to_guess_was_reached(measured):
    """Elimination above linked above drawn above repeated, with intervals that do not touch."""
    gates = measured["supervised"]["gates"]
    assert [gate["what"].partition(",")[0] for gate in gates] == [
        "elimination above max",
        "max above sampled",
        "sampled above argmax",
    ]
    assert all(gate["reached"] for gate in gates)


def test_every_way_was_played_as_it_was_worked_out(measured, returns_module):
    played = measured["supervised"]["played"]
    assert set(played) == set(returns_module.WAYS)
    assert all(each["standard_errors_away"] <= 4 for each in played.values())


def test_the_readme_states_what_was_measured(measured, repository):
    """The tables' cells: the mean, and its interval."""
    readme = (repository / "packages" / "icrl-leep" / "README.md").read_text(encoding="utf-8")
    told = [found for size, found in measured["supervised"].items() if size.isdecimal()]
    learners = measured["learners"]
    rows = re.findall(r"^\| ([^|]+) \|((?: -?\d+\.\d\d \[[^|]+\] \|)+)$", readme, re.M)
    checked = 0
    for title, cells in rows:
        columns = told if title in WORDS else [learners[LEARNERS[title][0]]]
        way = WORDS.get(title) or LEARNERS[title][1]
        stated = [cell.strip() for cell in cells.strip(" |").split("|")]
        assert stated == [cell_of(column["returns"][way]) for column in columns], title
        checked += 1
    assert checked == len(WORDS) + len(LEARNERS)


def cell_of(found):
    """A mean with its interval, as the README has it."""
    return f"{found['mean']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
