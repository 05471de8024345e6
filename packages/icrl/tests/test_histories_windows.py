"""Windows are what acting would have seen: never across histories, the true row before each."""

from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import pytest
import torch
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from icrl.agent import Interface
from icrl.errors import ConfigError
from icrl.histories import HistoryStore, Manifest, WindowRows, Windows, timesteps
from icrl.interaction import play
from icrl.random_agent import RandomPolicy
from icrl.tasks import Tasks
from icrl.testing import ACCELERATOR, TwoCells, pretended_accelerator
from icrl.timestep import TimeStep

CPU = torch.device("cpu")
LIFE = 1000
"""Observations of stream `s` are numbered from `s * LIFE`, so that each names its row."""


@dataclass(frozen=True)
class Row:
    """One step of a scripted history; each value names the row that it belongs to."""

    observation: int
    action: int
    reward: float
    terminated: bool
    truncated: bool
    outcome: int

    @property
    def ended(self) -> bool:
        return self.terminated or self.truncated


def scripted(stream: int, episodes: list[tuple[int, bool]], steps: int) -> list[Row]:
    """A stream of episodes (length, by termination), cut after so many steps."""
    rows = []
    for length, terminates in episodes:
        for i in range(length):
            number = stream * LIFE + 2 * len(rows)
            last = i == length - 1
            rows.append(
                Row(
                    observation=number,
                    action=len(rows) % 5,
                    reward=float(number) + 0.5,
                    terminated=last and terminates,
                    truncated=last and not terminates,
                    outcome=number + (1 if last else 2),
                )
            )
    return rows[:steps]


def store_of(directory: Path, shards: list[list[list[Row]]]) -> HistoryStore:
    """A store of scripted shards, each of streams of one length."""
    interface = Interface(spaces.Discrete(9 * LIFE), spaces.Discrete(5), None, "test/Scripted", {})
    manifest = Manifest(interface=interface, split="train", source="script", config={}, seed=0)
    store = HistoryStore.create(directory, manifest)
    for streams in shards:
        tasks = Tasks("test/Scripted", {}, "train", {"number": torch.arange(len(streams))})
        with store.append(tasks, streams_per_task=1, steps=len(streams[0])) as recorder:
            for rows in zip(*streams, strict=True):
                recorder.step(
                    *(
                        torch.tensor([getattr(row, field.name) for row in rows])
                        for field in fields(Row)
                    )
                )
    return store


def as_acted(kept: list[Row]) -> list[tuple]:
    """The timesteps that acting through these rows gives, each with the action that follows."""
    steps = []
    for i, row in enumerate(kept):
        before = kept[i - 1] if i else None
        if before is None:
            led = (0, 0.0, row.observation, False, True)
        else:
            outcome = before.outcome if before.ended else row.observation
            led = (before.action, before.reward, outcome, before.terminated, before.ended)
        steps.append((row.observation, *led, row.action))
    return steps


def kept_histories(rows: list[Row], every: int) -> list[list[Row]]:
    """What sub-sampling may keep of a stream, by phase."""
    episodes: list[list[Row]] = [[]]
    for row in rows:
        episodes[-1].append(row)
        if row.ended:
            episodes.append([])
    episodes = [episode for episode in episodes if episode]
    phases = range(min(every, len(episodes)))
    return [[row for episode in episodes[phase::every] for row in episode] for phase in phases]


def part_of(history: list, part: tuple[float, float]) -> tuple[int, int]:
    """The places where a part of a history begins and ends; it holds one step at least."""
    low = min(round(part[0] * len(history)), len(history) - 1)
    return low, max(round(part[1] * len(history)), low + 1)


def as_tuples(windows: Windows, index: int) -> list[tuple]:
    """The unpadded steps of one window, as `as_acted` gives them."""
    step = windows.timesteps
    columns = (
        step.observation,
        step.action,
        step.reward,
        step.outcome,
        step.terminated,
        step.episode_start,
        windows.action,
    )
    count = int(windows.mask[index].sum())
    return list(zip(*(column[index, :count].tolist() for column in columns), strict=True))


def test_four_steps_by_hand() -> None:
    """One history of two episodes; the second opens at step 3.

    step          0    1    2  | 3    4
    observation  10   11   12  | 20   21       the first episode ends at 13
    action        1    2    3  | 4    1
    reward       .1   .2   .3  | .4   .5
    """

    def row(*values: float) -> Tensor:
        return torch.tensor([values])

    def window(first: int) -> TimeStep:
        """The four steps from `first` on; at the start, the row before is any row at all."""
        columns = {
            "observation": row(10, 11, 12, 20, 21),
            "action": row(1, 2, 3, 4, 1),
            "reward": row(0.1, 0.2, 0.3, 0.4, 0.5),
            "terminated": row(0, 0, 1, 0, 0).bool(),
            "truncated": row(0, 0, 0, 0, 0).bool(),
            "outcome": row(13, 13, 13, 13, 13),
        }
        index = torch.arange(first - 1, first + 4).clamp(min=0)
        start = (torch.arange(first, first + 4) == 0).unsqueeze(0)
        return timesteps(
            WindowRows(**{k: v[:, index] for k, v in columns.items()}, history_start=start)
        )

    opening = window(0)
    assert opening.observation.tolist() == [[10, 11, 12, 20]]
    assert opening.action.tolist() == [[0, 1, 2, 3]]
    torch.testing.assert_close(opening.reward, row(0.0, 0.1, 0.2, 0.3))
    assert opening.outcome.tolist() == [[10, 11, 12, 13]]
    assert opening.terminated.tolist() == [[False, False, False, True]]
    assert opening.episode_start.tolist() == [[True, False, False, True]]

    inside = window(1)
    assert inside.observation.tolist() == [[11, 12, 20, 21]]
    assert inside.action.tolist() == [[1, 2, 3, 4]]
    torch.testing.assert_close(inside.reward, row(0.1, 0.2, 0.3, 0.4))
    assert inside.outcome.tolist() == [[11, 12, 13, 21]]
    assert inside.terminated.tolist() == [[False, False, True, False]]
    assert inside.episode_start.tolist() == [[False, False, True, False]]


def test_a_truncated_episode_starts_the_next_one_without_having_terminated() -> None:
    flags = torch.tensor([[False, True, False]])
    rows = WindowRows(
        observation=torch.tensor([[1, 2, 3]]),
        action=torch.tensor([[1, 2, 3]]),
        reward=torch.tensor([[1.0, 2.0, 3.0]]),
        terminated=torch.zeros_like(flags),
        truncated=flags,
        outcome=torch.tensor([[9, 9, 9]]),
        history_start=torch.tensor([[False, False]]),
    )
    step = timesteps(rows)
    assert step.terminated.tolist() == [[False, False]]
    assert step.episode_start.tolist() == [[False, True]]
    assert step.outcome.tolist() == [[2, 9]]


def test_the_first_timestep_of_a_history_is_that_of_a_trial(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [[scripted(3, [(5, True)], 5)]])
    windows = store.windows(2, 3, generator=torch.Generator(), device=CPU, from_start=1.0)
    first = windows.timesteps.map(lambda tensor: tensor[:, 0])
    expected = TimeStep.first(torch.tensor([3 * LIFE] * 2), spaces.Discrete(5))
    for field in fields(TimeStep):
        assert torch.equal(getattr(first, field.name), getattr(expected, field.name)), field.name


def test_a_window_equals_what_the_policy_saw(tmp_path: Path) -> None:
    family = TwoCells()
    tasks = family.sample_tasks(3, seed=0)
    manifest = Manifest(
        interface=Interface.of(family), split="train", source="random", config={}, seed=0
    )
    store = HistoryStore.create(tmp_path / "store", manifest)
    seen = []
    with store.append(tasks, streams_per_task=1, steps=29) as recorder:
        policy = RandomPolicy(family.action_space, CPU)
        for step in islice(play(policy, family.vector_env(tasks), seed=1), 29):
            seen.append(step.timestep)
            recorder.step(
                step.timestep.observation,
                step.action,
                step.reward,
                step.terminated,
                step.truncated,
                step.following.outcome,
            )
    windows = store.windows(7, 29, generator=torch.Generator(), device=CPU)
    for field in fields(TimeStep):
        played = torch.stack([getattr(step, field.name) for step in seen], 1)[windows.stream]
        recorded = getattr(windows.timesteps, field.name)
        assert recorded.dtype == played.dtype, field.name
        assert torch.equal(recorded, played), field.name


episodes = st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=9)


@st.composite
def shards(draw: st.DrawFn) -> list[list[list[Row]]]:
    """One to three shards of one to three streams, each shard with a length of its own."""
    found, number = [], 0
    for _ in range(draw(st.integers(1, 3))):
        scripts = draw(st.lists(episodes, min_size=1, max_size=3))
        steps = draw(st.integers(1, min(sum(n for n, _ in script) for script in scripts)))
        found.append([scripted(number + i, script, steps) for i, script in enumerate(scripts)])
        number += len(scripts)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shards=shards(),
    length=st.integers(1, 11),
    every=st.integers(1, 4),
    low=st.sampled_from([0.0, 0.3, 0.5]),
    high=st.sampled_from([0.8, 1.0]),
    from_start=st.sampled_from([0.0, 0.5, 1.0]),
    resident=st.booleans(),
    seed=st.integers(0, 99),
)
def test_windows_are_slices_of_what_acting_through_a_kept_history_gives(
    tmp_path_factory: pytest.TempPathFactory,
    shards: list[list[list[Row]]],
    length: int,
    every: int,
    low: float,
    high: float,
    from_start: float,
    resident: bool,
    seed: int,
) -> None:
    store = store_of(tmp_path_factory.mktemp("store") / "store", shards)
    streams = [rows for shard in shards for rows in shard]
    kept = [kept_histories(rows, every) for rows in streams]
    windows = store.windows(
        13,
        length,
        generator=torch.Generator().manual_seed(seed),
        device=CPU,
        resident=resident,
        columns=("reward", "truncated"),
        every=every,
        part=(low, high),
        from_start=from_start,
    )
    assert windows.timesteps.observation.shape == (13, length)
    for index in range(13):
        acted = [as_acted(history) for history in kept[windows.stream[index]]]
        window = as_tuples(windows, index)
        places = [
            (history, first)
            for history in acted
            for first in range(len(history))
            if history[first : first + len(window)] == window
        ]
        assert len(places) == 1, "each row names itself, so a window fits in one place"
        ((history, first),) = places
        begin, end = part_of(history, (low, high))
        assert len(window) == min(length, end - begin)
        assert begin <= first <= end - len(window)
        assert from_start < 1.0 or first == begin
        followed = [row.reward for row in streams[windows.stream[index]]]
        observed = [step[0] for step in window]
        rewards = windows.columns["reward"][index, : len(window)].tolist()
        assert rewards == [followed[(number % LIFE) // 2] for number in observed]


def test_every_stream_phase_and_place_is_equally_likely(tmp_path: Path) -> None:
    """Two streams of six episodes of two steps, every third kept: three phases of four steps."""
    script = [(2, True)] * 6
    store = store_of(tmp_path / "store", [[scripted(0, script, 12)], [scripted(1, script, 12)]])
    windows = store.windows(
        9000, 3, generator=torch.Generator().manual_seed(0), device=CPU, every=3
    )
    first = windows.timesteps.observation[:, 0]
    values, counts = first.unique(return_counts=True)
    opening = [
        LIFE * stream + 4 * phase + 2 * place
        for stream in (0, 1)
        for phase in (0, 1, 2)
        for place in (0, 1)
    ]
    assert values.tolist() == sorted(opening)
    deviation = ((counts - 750) ** 2 / 750).sum()
    assert deviation < 31.3  # chi-square with 11 degrees of freedom exceeds it once in a thousand


def test_the_last_part_keeps_the_true_row_before_it(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [[scripted(0, [(2, True)] * 5, 10)]])
    windows = store.windows(
        7, 11, generator=torch.Generator(), device=CPU, every=2, part=(0.5, 1.0)
    )
    assert windows.mask.sum(1).unique().tolist() == [2, 3]  # of 4 and of 6 kept rows
    opening = windows.timesteps.map(lambda tensor: tensor[:, 0])
    assert opening.observation.unique().tolist() == [10, 12]
    assert (opening.reward > 0).all()


def test_equal_generators_give_equal_windows_however_the_store_is_held(tmp_path: Path) -> None:
    script = [(3, False), (2, True), (4, True)]
    store = store_of(tmp_path / "store", [[scripted(s, script, 9)] for s in range(3)])

    def draw(**how: bool) -> Windows:
        return store.windows(17, 5, generator=torch.Generator().manual_seed(2), device=CPU, **how)

    first, again, mapped = draw(), draw(), draw(resident=False)
    for other in (again, mapped):
        assert torch.equal(first.timesteps.reward, other.timesteps.reward)
        assert torch.equal(first.timesteps.outcome, other.timesteps.outcome)
        assert torch.equal(first.stream, other.stream)


def test_sampling_reads_nothing_back_to_the_host(tmp_path: Path) -> None:
    script = [(3, False), (2, True), (4, True)]
    store = store_of(tmp_path / "store", [[scripted(s, script, 9)] for s in range(3)])
    sampler = store.window_sampler(
        device=ACCELERATOR, every=2, part=(0.5, 1.0), from_start=0.5, columns=("truncated",)
    )
    with pretended_accelerator() as device:
        windows = sampler.windows(7, 5, generator=torch.Generator())
        assert windows.timesteps.outcome.device == windows.mask.device == device
        assert windows.columns["truncated"].shape == (7, 5)


def test_recording_a_step_reads_nothing_back_to_the_host(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [])
    tasks = Tasks("test/Scripted", {}, "train", {"number": torch.arange(3)})
    recorder = store.append(tasks, streams_per_task=1, steps=2, device=ACCELERATOR)

    def record_twice(device: torch.device) -> None:
        zero, no = (torch.zeros(3, dtype=d, device=device) for d in (torch.int64, torch.bool))
        for _ in range(2):
            recorder.step(zero, zero, zero.float(), no, no, zero)

    with pretended_accelerator() as device:
        record_twice(device)
    assert recorder.recorded == 2


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"every": 0}, "every is 0"),
        ({"part": (0.5, 0.5)}, "two rising fractions"),
        ({"part": (0.5, 1.5)}, "two rising fractions"),
        ({"from_start": 1.5}, "it is a probability"),
        ({"columns": ("oracle",)}, "has no column 'oracle'. It has: reward, terminated, truncated"),
    ],
)
def test_sampling_that_cannot_be_is_refused(tmp_path: Path, how: dict, message: str) -> None:
    store = store_of(tmp_path / "store", [[scripted(0, [(3, True)], 3)]])
    with pytest.raises(ConfigError, match=message):
        store.windows(1, 1, generator=torch.Generator(), device=CPU, **how)


def test_an_empty_store_gives_no_windows(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [])
    with pytest.raises(ConfigError, match="no whole shard yet"):
        store.windows(1, 1, generator=torch.Generator(), device=CPU)
