"""The store on disk: what is written is read, and what is not whole or not ours is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium import Space, spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from icrl.agent import Interface
from icrl.errors import ConfigError, DamagedFileError, OutputError, SpaceError
from icrl.histories import HistoryRecorder, HistoryStore, Manifest, collect, recorder
from icrl.run import Run
from icrl.spaces import stack
from icrl.tasks import Tasks
from icrl.testing import TwoCells, WanderingConfig, WanderingSource
from icrl.trees import Tree, leaves, map_tree
from icrl.versions import stack_versions

CPU = torch.device("cpu")
FAMILY = TwoCells()


def manifest_of(observation_space: Space, action_space: Space) -> Manifest:
    interface = Interface(observation_space, action_space, 7, "test/Any", {"size": 3})
    return Manifest(interface=interface, split="train", source="script", config={}, seed=5)


def tasks_of(count: int) -> Tasks:
    goals = torch.arange(2 * count, dtype=torch.int16).view(count, 2)
    return Tasks("test/Any", {"size": 3}, "train", {"goal": goals})


def wander(directory: Path, *, seed: int = 0, num_tasks: int = 3, **settings: int) -> HistoryStore:
    """A store of random histories: three shards of two streams of 23 steps by default."""
    source = WanderingSource(WanderingConfig(**settings), FAMILY, CPU)
    tasks = FAMILY.sample_tasks(num_tasks, seed=0)
    run = Run(directory / "run", quiet=True)
    return collect(source, FAMILY, tasks, directory / "store", seed=seed, run=run)


def record_samples(
    store: HistoryStore, *, streams: int, steps: int, seed: int = 0
) -> tuple[Tree, Tree, Tensor]:
    """Record samples of the spaces; what was recorded, [streams, steps, ...], and where episodes
    end.
    """
    interface = store.manifest.interface
    rng = torch.Generator().manual_seed(seed)
    trees = []
    for space in (interface.observation_space, interface.action_space):
        space.seed(seed)
        values = [space.sample() for _ in range(streams * steps)]
        trees.append(map_tree(lambda t: t.view(streams, steps, *t.shape[1:]), stack(space, values)))
    observation, action = trees
    ended = torch.rand(streams, steps, generator=rng) < 0.3
    with store.append(tasks_of(streams), streams_per_task=1, steps=steps) as taken:
        for t in range(steps):

            def at(tree: Tree, t: int = t) -> Tree:
                return map_tree(lambda tensor: tensor[:, t], tree)

            taken.step(
                at(observation),
                at(action),
                torch.full((streams,), float(t)),
                ended[:, t] & (t % 2 == 0),
                ended[:, t] & (t % 2 == 1),
                at(observation, (t + 1) % steps),
                update=torch.full((streams,), t),
            )
    return observation, action, ended


# What a store can hold.

SPACES = [
    spaces.Discrete(5),
    spaces.Discrete(300, start=-7),
    spaces.Discrete(70_000),
    spaces.Discrete(255, start=1, dtype=np.uint8),
    spaces.MultiDiscrete([9, 11]),
    spaces.MultiBinary(3),
    spaces.Text(11, charset="abcxyz"),
    spaces.Box(-1.0, 1.0, (2, 3)),
    spaces.Box(-1.0, 1.0, (3,), np.float64),
    spaces.Box(0, 255, (5, 7, 3), np.uint8),
    spaces.Tuple([spaces.Discrete(32), spaces.Discrete(11), spaces.Discrete(2)]),
    spaces.Dict(
        {
            "text": spaces.Text(5),
            "image": spaces.Box(0, 9, (2,), np.int8),
            "b": spaces.Dict({"c": spaces.Discrete(2)}),
        }
    ),
]


@pytest.mark.parametrize("observation_space", SPACES, ids=str)
@pytest.mark.parametrize("resident", [True, False])
def test_histories_of_every_space_read_as_they_were_recorded(
    tmp_path: Path, observation_space: Space, resident: bool
) -> None:
    action_space = spaces.Dict({"move": spaces.Discrete(3), "force": spaces.Box(-2.0, 2.0, (2,))})
    store = HistoryStore.create(tmp_path / "store", manifest_of(observation_space, action_space))
    recorded = [record_samples(store, streams=3, steps=11, seed=seed) for seed in (0, 1)]
    store = HistoryStore.open(tmp_path / "store")
    windows = store.windows(
        29, 11, generator=torch.Generator(), device=CPU, columns=("update",), resident=resident
    )
    assert windows.mask.all() and windows.stream.unique().numel() == 6
    for found, which in ((windows.timesteps.observation, 0), (windows.action, 1)):
        expected = map_tree(
            lambda *parts: torch.cat(parts), *(of_shard[which] for of_shard in recorded)
        )
        for (name, leaf), (_, of_streams) in zip(leaves(found), leaves(expected), strict=True):
            assert leaf.dtype == of_streams.dtype, name
            assert torch.equal(leaf, of_streams[windows.stream]), name
    assert torch.equal(windows.columns["update"], torch.arange(11).expand(29, 11))


def test_a_window_shows_the_last_observation_of_an_ended_episode(tmp_path: Path) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.MultiDiscrete([9, 11]), spaces.Discrete(3))
    )
    observation, _, ended = record_samples(store, streams=3, steps=13)
    windows = store.windows(7, 13, generator=torch.Generator(), device=CPU)
    led_to = observation.roll(-1, 1)[windows.stream]  # what record_samples gives as outcomes
    outcome = windows.timesteps.outcome[:, 1:]
    after_end = ended[windows.stream][:, :-1]
    assert torch.equal(outcome[after_end], led_to[:, :-1][after_end])
    assert torch.equal(outcome[~after_end], windows.timesteps.observation[:, 1:][~after_end])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams=st.integers(1, 7), steps=st.integers(1, 13), block=st.integers(1, 400))
def test_a_shard_does_not_depend_on_how_it_was_cut_into_blocks(
    tmp_path_factory: pytest.TempPathFactory, streams: int, steps: int, block: int
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    files = []
    for name, size in (("whole", 1 << 20), ("blocks", block)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recorder, "BLOCK_BYTES", size)
            spaces_ = (spaces.MultiDiscrete([9, 11]), spaces.Box(-1.0, 1.0, (3,)))
            store = HistoryStore.create(folder / name, manifest_of(*spaces_))
            record_samples(store, streams=streams, steps=steps)
        files.append((folder / name / "shard-00000.safetensors").read_bytes())
    assert files[0] == files[1]


def test_integers_lie_on_disk_in_the_smallest_type_that_holds_them(tmp_path: Path) -> None:
    observation_space = spaces.Tuple(
        [
            spaces.Discrete(256),
            spaces.Discrete(257),
            spaces.Discrete(4, start=-1),
            spaces.Discrete(70_000),
            spaces.Text(5),
        ]
    )
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(observation_space, spaces.Discrete(3))
    )
    record_samples(store, streams=2, steps=5)
    tensors = safetensors.torch.load_file(tmp_path / "store" / "shard-00000.safetensors")
    found = {name: tensor.dtype for name, tensor in tensors.items()}
    expected = {
        "observation/0": torch.uint8,
        "observation/1": torch.uint16,
        "observation/2": torch.int8,
        "observation/3": torch.uint32,
        "observation/4": torch.uint8,
        "action": torch.uint8,
        "reward": torch.float32,
        "terminated": torch.bool,
        "optional/update": torch.int64,
        "task/goal": torch.int16,
    }
    assert expected.items() <= found.items()


def test_any_reader_of_safetensors_finds_the_rows(tmp_path: Path) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.MultiDiscrete([9, 11]), spaces.Discrete(3))
    )
    observation, action, ended = record_samples(store, streams=3, steps=7)
    tensors = safetensors.torch.load_file(tmp_path / "store" / "shard-00000.safetensors")
    assert torch.equal(tensors["observation"].long(), observation)
    assert torch.equal(tensors["action"].long(), action)
    assert torch.equal(tensors["terminated"] | tensors["truncated"], ended)
    assert tensors["outcome"].shape == (ended.sum(), 2)
    assert torch.equal(tensors["task/goal"], tasks_of(3).arrays["goal"])


def test_recorded_tensors_may_be_overwritten_afterwards(tmp_path: Path) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.Discrete(50), spaces.Discrete(3))
    )
    observation, reward = torch.zeros(2, dtype=torch.int64), torch.zeros(2)
    no = torch.zeros(2, dtype=torch.bool)
    with store.append(tasks_of(2), streams_per_task=1, steps=5) as taken:
        for t in range(5):
            observation.fill_(t)
            reward.fill_(t)
            taken.step(observation, torch.zeros(2), reward, no, no, observation)
            reward.fill_(-1.0)
    windows = store.windows(3, 5, generator=torch.Generator(), device=CPU, columns=("reward",))
    assert torch.equal(windows.timesteps.observation, torch.arange(5).expand(3, 5))
    assert torch.equal(windows.columns["reward"], torch.arange(5.0).expand(3, 5))


def test_each_stream_knows_its_task(tmp_path: Path) -> None:
    store = wander(tmp_path)
    tasks = FAMILY.sample_tasks(3, seed=0)
    assert torch.equal(store.tasks.arrays["length"], tasks.arrays["length"].repeat_interleave(2))
    assert store.tasks.split == "train"


def test_info_counts_what_the_store_holds(tmp_path: Path) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.Discrete(2), spaces.Discrete(3))
    )
    no = torch.zeros(2, dtype=torch.bool)
    with store.append(tasks_of(1), streams_per_task=2, steps=20) as taken:
        for t in range(20):  # episodes of two steps that pay 1 in each step of the last half
            pays = torch.full((2,), float(t >= 10))
            zero = torch.zeros(2)
            taken.step(zero, zero, pays, no, torch.full((2,), t % 2 == 1), zero)
    info = store.info()
    assert (info.tasks, info.streams, info.steps, info.episodes) == (1, 2, 40, 20)
    assert info.mean_return_by_tenth == (0.0,) * 5 + (2.0,) * 5
    assert info.bytes == (tmp_path / "store" / "shard-00000.safetensors").stat().st_size
    assert ("family", "test/Any size=3") in info.rows()


def test_the_manifest_says_whose_histories_they_are(tmp_path: Path) -> None:
    wander(tmp_path, seed=7)
    data = json.loads((tmp_path / "store" / "manifest.json").read_text())
    assert (data["family"], data["source"], data["seed"]) == (FAMILY.id, "wandering", 7)
    assert data["config"] == {"steps": 23, "streams_per_task": 2, "tasks_per_shard": 1}
    assert [entry["number"] for entry in data["shards"]] == [0, 1, 2]
    assert list(data["shards"][0]["optional"]) == ["clock"]
    assert data["packages"] == stack_versions()


# What is refused.


def shard(tmp_path: Path, number: int = 1) -> Path:
    return tmp_path / "store" / f"shard-{number:05d}.safetensors"


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    wander(tmp_path)
    shard(tmp_path).unlink()
    with pytest.raises(DamagedFileError, match=r"shard-00001.safetensors is missing.*icrl collect"):
        HistoryStore.open(tmp_path / "store")


@pytest.mark.parametrize("keep", [0, 5, 100, 1000, -1])
def test_a_truncated_shard_is_named(tmp_path: Path, keep: int) -> None:
    wander(tmp_path)
    shard(tmp_path).write_bytes(shard(tmp_path).read_bytes()[:keep])
    with pytest.raises(
        DamagedFileError, match=r"shard-00001.safetensors is not a whole shard.*Delete"
    ):
        HistoryStore.open(tmp_path / "store")


def test_every_altered_byte_is_noticed(tmp_path: Path) -> None:
    wander(tmp_path, num_tasks=1)
    path = shard(tmp_path, 0)
    whole = path.read_bytes()
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises(DamagedFileError, match="shard-00000"):
            HistoryStore.open(tmp_path / "store").verify()
    path.write_bytes(whole)
    HistoryStore.open(tmp_path / "store").verify()


def test_an_altered_shard_is_noticed_when_it_is_first_mapped(tmp_path: Path) -> None:
    wander(tmp_path)
    data = bytearray(shard(tmp_path).read_bytes())
    data[-3] ^= 1
    shard(tmp_path).write_bytes(data)
    store = HistoryStore.open(tmp_path / "store")
    with pytest.raises(DamagedFileError, match=r"shard-00001\.safetensors was altered"):
        store.windows(1, 1, generator=torch.Generator(), device=CPU)


def test_a_shard_of_another_store_is_refused(tmp_path: Path) -> None:
    wander(tmp_path / "ours")
    wander(tmp_path / "other", seed=1)
    shard(tmp_path / "ours").write_bytes(shard(tmp_path / "other").read_bytes())
    with pytest.raises(
        DamagedFileError, match=r"shard-00001.safetensors is a shard of another store"
    ):
        HistoryStore.open(tmp_path / "ours" / "store")


def test_a_shard_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    wander(tmp_path)
    shard(tmp_path).write_bytes(shard(tmp_path, 0).read_bytes())
    with pytest.raises(
        DamagedFileError, match=r"shard-00001.safetensors is a shard of another store"
    ):
        HistoryStore.open(tmp_path / "store")


def test_a_safetensors_file_of_something_else_is_refused(tmp_path: Path) -> None:
    wander(tmp_path)
    safetensors.torch.save_file({"weight": torch.zeros(3)}, shard(tmp_path, 7))
    with pytest.raises(DamagedFileError, match=r"shard-00007.safetensors is not a whole shard"):
        HistoryStore.open(tmp_path / "store")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot read"),
        ("{}", "is not the manifest of a history store"),
        (
            '{"format": "icrl.histories", "version": 99}',
            "its version is 99; this icrl reads version 1",
        ),
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str, message: str) -> None:
    wander(tmp_path)
    (tmp_path / "store" / "manifest.json").write_text(text)
    with pytest.raises(DamagedFileError, match=message):
        HistoryStore.open(tmp_path / "store")


def test_a_folder_without_a_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=r"manifest\.json"):
        HistoryStore.open(tmp_path)


def test_another_seed_in_one_folder_is_refused(tmp_path: Path) -> None:
    wander(tmp_path)
    with pytest.raises(OutputError, match="seed is 0 there, 1 here"):
        wander(tmp_path, seed=1)


def test_other_settings_in_one_folder_are_refused(tmp_path: Path) -> None:
    wander(tmp_path)
    with pytest.raises(OutputError, match=r'config is .*"steps": 23.* there, .*"steps": 5'):
        wander(tmp_path, steps=5)


def test_other_tasks_in_one_folder_are_refused(tmp_path: Path) -> None:
    wander(tmp_path)
    with pytest.raises(OutputError, match=r'"num_tasks": 3.* there, .*"num_tasks": 2'):
        wander(tmp_path, num_tasks=2)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.tex").write_text("...")
    with pytest.raises(OutputError, match=r"something else than histories: thesis\.tex"):
        wander(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("...")
    with pytest.raises(OutputError, match="is a file"):
        wander(tmp_path)


# What a recorder refuses.


def record_times(taken: HistoryRecorder, count: int, *values: Tensor) -> None:
    for _ in range(count):
        taken.step(*values)


def test_a_value_outside_of_its_space_is_refused(tmp_path: Path) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    )
    zero, no = torch.zeros(2), torch.zeros(2, dtype=torch.bool)
    with (
        pytest.raises(SpaceError, match="observation holds 5; its space has values from 0 to 4"),
        store.append(tasks_of(2), streams_per_task=1, steps=1) as taken,
    ):
        taken.step(torch.tensor([4, 5]), zero, zero, no, no, zero)
    assert not list((tmp_path / "store").glob("*.safetensors*"))


@pytest.mark.parametrize("which", ["observation", "action", "outcome"])
def test_a_value_that_would_wrap_in_the_stored_type_is_refused(tmp_path: Path, which: str) -> None:
    space = spaces.Discrete(200)  # stored as uint8, in which 300 is 44
    store = HistoryStore.create(tmp_path / "store", manifest_of(space, space))
    zero, no = torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.bool)
    right = [zero, zero, zero, no, no, zero]
    wrong = list(right)
    wrong[{"observation": 0, "action": 1, "outcome": 5}[which]] = torch.tensor([7, 300])
    taken = store.append(tasks_of(2), streams_per_task=1, steps=3)
    record_times(taken, 1, *wrong)
    record_times(taken, 2, *right)
    message = f"{which} holds 300; its space has values from 0 to 199"
    with pytest.raises(SpaceError, match=message), taken:
        pass
    assert store.shards == ()


def test_a_value_of_another_shape_is_refused(tmp_path: Path) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    )
    zero, no = torch.zeros(2), torch.zeros(2, dtype=torch.bool)
    taken = store.append(tasks_of(2), streams_per_task=1, steps=2)
    taken.step(zero, zero, zero, no, no, zero)
    with pytest.raises(SpaceError, match=r"reward came as \[1\]; .* needs \[2\]"), taken:
        taken.step(zero, zero, zero[:1], no, no, zero)  # would broadcast


@pytest.mark.parametrize("steps", [2, 4])
def test_a_shard_with_another_number_of_steps_is_refused(tmp_path: Path, steps: int) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    )
    zero, no = torch.zeros(2), torch.zeros(2, dtype=torch.bool)
    with (
        pytest.raises(ValueError, match="this shard has 3 steps"),
        store.append(tasks_of(2), streams_per_task=1, steps=3) as taken,
    ):
        record_times(taken, steps, zero, zero, zero, no, no, zero)
    assert store.shards == ()


def test_columns_that_change_on_the_way_are_refused(tmp_path: Path) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    )
    zero, no = torch.zeros(2), torch.zeros(2, dtype=torch.bool)
    taken = store.append(tasks_of(2), streams_per_task=1, steps=3)
    taken.step(zero, zero, zero, no, no, zero, oracle=zero)
    with pytest.raises(ValueError, match=r"columns of the first, \['oracle'\]; got \[\]"), taken:
        taken.step(zero, zero, zero, no, no, zero)


@pytest.mark.parametrize("name", ["a/b", "reward", "task"])
def test_a_column_that_takes_a_name_of_the_stores_own_is_refused(tmp_path: Path, name: str) -> None:
    store = HistoryStore.create(
        tmp_path / "store", manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    )
    zero, no = torch.zeros(2), torch.zeros(2, dtype=torch.bool)
    values = {"observation": zero, "action": zero, "reward": zero}
    with (
        pytest.raises((ValueError, TypeError), match=name),
        store.append(tasks_of(2), streams_per_task=1, steps=3) as taken,
    ):
        taken.step(**values, terminated=no, truncated=no, outcome=zero, **{name: zero})


def test_a_space_whose_parts_share_a_name_is_refused(tmp_path: Path) -> None:
    ambiguous = spaces.Dict(
        {"a/b": spaces.Discrete(2), "a": spaces.Dict({"b": spaces.Discrete(3)})}
    )
    manifest = manifest_of(ambiguous, spaces.Discrete(3))
    store = HistoryStore.create(tmp_path / "store", manifest)
    zero, no = torch.zeros(2), torch.zeros(2, dtype=torch.bool)
    tree = {"a/b": zero, "a": {"b": zero}}
    with (
        pytest.raises(SpaceError, match="two parts that are both called 'observation/a/b'"),
        store.append(tasks_of(2), streams_per_task=1, steps=3) as taken,
    ):
        taken.step(tree, zero, zero, no, no, tree)


def test_a_store_goes_on_whatever_order_its_familys_arguments_came_in(tmp_path: Path) -> None:
    begun = manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    forth, back = (
        replace(begun, interface=replace(begun.interface, arguments=dict(pairs)))
        for pairs in ([("size", 3), ("wind", 0.5)], [("wind", 0.5), ("size", 3)])
    )
    store = HistoryStore.create(tmp_path / "store", forth)
    record_samples(store, streams=2, steps=5)
    assert len(HistoryStore.create(tmp_path / "store", back).shards) == 1


def test_the_tasks_of_a_store_without_a_shard_are_refused(tmp_path: Path) -> None:
    manifest = manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    store = HistoryStore.create(tmp_path / "store", manifest)
    with pytest.raises(ConfigError, match="holds no whole shard yet"):
        _ = store.tasks


def test_equal_manifests_have_equal_keys_whatever_they_were_begun_with() -> None:
    manifest = manifest_of(spaces.Discrete(5), spaces.Discrete(3))
    assert replace(manifest, packages={"torch": "1.0"}).key == manifest.key
    assert replace(manifest, seed=6).key != manifest.key
