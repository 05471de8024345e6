"""Sequential classification, guessed by hand on data of four images; the data's own files."""

import gzip
import os
import struct

import gymnasium
import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, DamagedFileError
from icrl.families import Episode
from icrl.interaction import play
from icrl.plugins.families import family_of
from icrl.testing import FamilyContract
from icrl_envs import fashion_mnist
from icrl_envs.drawing import DOOR, GOLD
from icrl_envs.idx_files import read_idx
from icrl_envs.labelled_images import digits
from icrl_envs.plugin import icrl_families
from icrl_envs.sequential_classification import SequentialClassification

ID = "icrl/SequentialClassification-v0"
SPEC = next(spec for spec in icrl_families() if spec.id == ID)
IMAGES = {"train": [[0, 51], [102, 255], [7, 7]], "t10k": [[9, 9], [0, 51], [255, 0]]}
"""Two pixels each; the second test image is the first training image."""
LABELS = {"train": [3, 1, 3], "t10k": [3, 3, 9]}
LEFT_OUT = {"train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}


def idx(array: np.ndarray) -> bytes:
    """An array as an IDX file, written out from the format's description."""
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    """The four files of a small Fashion-MNIST, two of them compressed."""
    for part, images in IMAGES.items():
        pictures = np.array(images).reshape(-1, 1, 2)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.array(LABELS[part])))
    return tmp_path


def small(folder, **arguments) -> SequentialClassification:
    return SequentialClassification(data="fashion-mnist", path=str(folder), **arguments)


def guessed(guesses, label, **arguments):
    """Observations, rewards, and how the last guess ended: terminated, truncated, success."""
    env = SequentialClassification(**arguments).single_env()
    task = {"image": np.int64(5), "label": np.int64(label)}
    seen, rewards, ends, info = [env.reset(options={"task": task})[0]], [], (), {}
    for guess in guesses:
        observation, reward, *ends, info = env.step(guess)
        seen.append(observation)
        rewards.append(reward)
    return seen, rewards, (*ends, info["success"])


class TestDigits(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return family_of(SPEC, horizon=7)


class TestFewDigits(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return family_of(SPEC, horizon=3, num_train_tasks=53, split_seed=5)


# Stories


def test_wrong_guesses_cost_and_the_right_one_ends_the_episode():
    _, rewards, ends = guessed([4, 4, 0, 7], label=7)
    assert rewards == [-1, -1, -1, 0]
    assert ends == (True, False, True)


def test_the_horizon_ends_an_episode_without_success():
    assert guessed([4, 4, 4], label=7, horizon=3)[1:] == ([-1, -1, -1], (False, True, False))


def test_a_right_guess_at_the_horizon_is_a_success():
    assert guessed([4, 4, 7], label=7, horizon=3)[2] == (True, False, True)


def test_every_step_shows_the_same_image():
    seen, _, _ = guessed([4, 0, 7], label=7)
    expected = digits().images[5].flatten() / 16
    assert all(np.array_equal(each, expected) for each in seen)


def test_pixels_lie_between_nothing_and_one(folder):
    family = small(folder)
    tasks = family.sample_tasks(3, seed=0)
    observed, _ = family.vector_env(tasks).reset(seed=0)
    expected = {0: [0, 0.2], 1: [0.4, 1], 2: [7 / 255, 7 / 255]}
    for image, row in zip(tasks.arrays["image"].tolist(), observed, strict=True):
        assert row.tolist() == pytest.approx(expected[image])


def test_tasks_carry_the_labels_of_their_images(folder):
    arrays = small(folder).sample_tasks(3, seed=1).arrays
    assert sorted(zip(*(a.tolist() for a in arrays.values()), strict=True)) == [
        (0, 3),
        (1, 1),
        (2, 3),
    ]


def test_a_test_image_that_trains_too_is_left_out(folder):
    family = small(folder)
    assert family.num_tasks == {"train": 3, "test": 2}
    assert sorted(family.sample_tasks(2, split="test", seed=0).arrays["label"].tolist()) == [3, 9]


def test_digits_hold_out_a_fifth_by_the_pixels():
    family = SequentialClassification()
    parts = {
        split: {digits().images[image].numpy().tobytes() for image in arrays["image"].tolist()}
        for split, count in family.num_tasks.items()
        for arrays in [family.sample_tasks(count, split=split, seed=0).arrays]
    }
    assert {split: len(part) for split, part in parts.items()} == {"train": 1438, "test": 359}
    assert not parts["train"] & parts["test"]


def test_the_test_does_not_depend_on_how_many_images_train():
    all_train, few_train = SequentialClassification(), SequentialClassification(num_train_tasks=10)
    drawn = [
        f.sample_tasks(359, split="test", seed=3).arrays["image"] for f in (all_train, few_train)
    ]
    assert torch.equal(*drawn)


def test_split_seed_draws_which_images_train(folder):
    kept = {
        small(folder, num_train_tasks=1, split_seed=seed)
        .sample_tasks(1, seed=0)
        .arrays["image"]
        .item()
        for seed in range(20)
    }
    assert kept == {0, 1, 2}


def test_the_random_return_is_the_sum_over_the_guesses():
    """Of two guesses the first is wrong with 0.9, both with 0.81."""
    family = SequentialClassification(horizon=2)
    assert family.random_return(family.sample_tasks(1, seed=0)).item() == pytest.approx(-1.71)


def test_the_random_return_of_the_datasheet():
    family = SequentialClassification()
    assert family.random_return(family.sample_tasks(1, seed=0)).item() == pytest.approx(
        -7.9058, abs=1e-4
    )


def test_the_oracle_never_errs():
    family = SequentialClassification()
    tasks = family.sample_tasks(50, split="test", seed=0)
    transition = next(play(family.oracle(tasks), family.vector_env(tasks), seed=0))
    assert transition.terminated.all() and (transition.reward == 0).all()


def test_gymnasium_hands_keywords_on(folder):
    env = gymnasium.make(ID, data="fashion-mnist", path=str(folder))
    assert env.observation_space.shape == (2,)


# Pictures


def tile(picture, place, columns=5, side=60):
    """The pixels of a guess's tile."""
    down, right = divmod(place, columns)
    top, left = 14 + down * side, 2 * 14 + 240 + right * side
    return picture[top : top + side, left : left + side].reshape(-1, 3).astype(int)


def has(pixels, colour):
    return bool((np.abs(pixels - colour).max(-1) <= 2).any())


@pytest.fixture
def picture():
    episode = Episode(torch.zeros(4, 64), torch.tensor([4, 4, 7]), torch.tensor([-1.0, -1.0, 0.0]))
    return SequentialClassification().render({"image": np.array(5), "label": np.array(7)}, episode)


@pytest.mark.parametrize(
    ("place", "crossed", "framed"), [(0, 1, 0), (1, 1, 0), (2, 0, 1), (3, 0, 0)]
)
def test_wrong_guesses_are_crossed_out_beside_the_framed_right_one(picture, place, crossed, framed):
    pixels = tile(picture, place)
    assert (has(pixels, DOOR), has(pixels, GOLD)) == (bool(crossed), bool(framed))


def test_of_a_long_episode_the_last_guesses_are_shown():
    guesses = torch.tensor([7] + [4] * 100)
    episode = Episode(torch.zeros(102, 64), guesses, torch.full((101,), -1.0))
    family = SequentialClassification(horizon=1000)
    pixels = family.render({"image": np.array(5), "label": np.array(7)}, episode)
    assert not has(pixels.reshape(-1, 3).astype(int), GOLD)


# The data's files


def test_debians_folder_is_where_it_is_looked_for(folder, monkeypatch):
    monkeypatch.delenv(fashion_mnist.VARIABLE, raising=False)
    monkeypatch.setattr(fashion_mnist, "FOLDER", folder)
    assert SequentialClassification(data="fashion-mnist").num_tasks["train"] == 3


def test_the_environment_variable_names_another_folder(folder, monkeypatch):
    monkeypatch.setenv(fashion_mnist.VARIABLE, str(folder))
    assert SequentialClassification(data="fashion-mnist").num_tasks["train"] == 3


def test_the_path_goes_before_the_environment_variable(folder, monkeypatch):
    monkeypatch.setenv(fashion_mnist.VARIABLE, "/nowhere")
    assert small(folder).num_tasks["train"] == 3


def test_files_that_changed_are_read_again(folder):
    before = small(folder)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.array([0, 0, 0])))
    os.utime(folder / "train-labels-idx1-ubyte", (1, 1))  # clocks of files may be coarse
    assert small(folder).data.labels[:3].tolist() == [0, 0, 0]
    assert before.data.labels[:3].tolist() == [3, 1, 3]


@pytest.mark.skipif(not fashion_mnist.FOLDER.is_dir(), reason="needs dataset-fashion-mnist")
def test_the_authors_files_hold_what_the_datasheet_says(monkeypatch):
    monkeypatch.delenv(fashion_mnist.VARIABLE, raising=False)
    family = icrl.make_family(ID, data="fashion-mnist", num_train_tasks=10_000)
    assert family.num_tasks == {"train": 10_000, "test": 10_000}
    assert len({image.tobytes() for image in family.data.images.numpy()}) == 70_000


# Refusals


@pytest.mark.parametrize("missing", sorted(LEFT_OUT))
def test_a_missing_file_is_named_with_where_and_how(folder, missing):
    for file in folder.glob(f"{missing}*"):
        file.unlink()
    with pytest.raises(ConfigError, match=f"{folder}.*as path says.*lacks {missing} .*Debian"):
        small(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(fashion_mnist.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=f"none .as {fashion_mnist.VARIABLE} says.*train-images"):
        SequentialClassification(data="fashion-mnist")


def test_where_debian_puts_it_is_said_too(tmp_path, monkeypatch):
    monkeypatch.delenv(fashion_mnist.VARIABLE, raising=False)
    monkeypatch.setattr(fashion_mnist, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="neither path nor ICRL_FASHION_MNIST"):
        SequentialClassification(data="fashion-mnist")


PICTURES = np.array(IMAGES["train"]).reshape(-1, 1, 2)
DAMAGED = {
    "no IDX": (b"hello", "no IDX file of bytes with 3 axes: it begins with 68656c6c"),
    "empty": (b"", "it begins with nothing"),
    "labels": (idx(np.array(LABELS["train"])), "begins with 00000801, expected 00000803"),
    "cut off": (idx(PICTURES)[:-1], "says that it holds 3 x 1 x 2 bytes, and 5 follow"),
    "too long": (idx(PICTURES) + b"!", "and 7 follow"),
    "without images": (idx(PICTURES[:0]), "0 x 1 x 2 bytes"),
    "fewer than labels": (idx(PICTURES[:2]), "2 images, .*train-labels-idx1-ubyte 3 labels"),
    "of another size": (idx(PICTURES.reshape(3, 2, 1)), r"images of \(2, 1\) pixels"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named(folder, damage):
    content, message = DAMAGED[damage]
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DamagedFileError, match=f"train-images-idx3-ubyte.gz.*{message}"):
        small(folder)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"PK" + data])
def test_a_compressed_file_that_is_cut_off_or_foreign_is_named(folder, damage):
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DamagedFileError, match=r"cannot read .*train-images-idx3-ubyte.gz"):
        small(folder)


def test_a_label_out_of_range_is_refused(folder):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([3, 10, 9])))
    with pytest.raises(
        DamagedFileError, match=r"t10k-labels.*has the label 10, expected at most 9"
    ):
        small(folder)


def test_a_test_whose_every_image_trains_is_refused(folder):
    images = (folder / "train-images-idx3-ubyte.gz").read_bytes()
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(images)
    with pytest.raises(DamagedFileError, match="nothing is left to test on"):
        small(folder)


def test_axes_too_long_for_the_memory_are_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">3I", 2**31, 2**31, 2**31))
    with pytest.raises(DamagedFileError, match="0 follow"):
        read_idx(path, axes=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "mnist"}, "data='mnist': expected 'digits' or 'fashion-mnist'"),
        ({"path": "here"}, "path='here'.*give data='fashion-mnist'"),
        ({"horizon": 0}, "horizon=0"),
        ({"split_seed": -1}, "split_seed=-1"),
        ({"num_train_tasks": 0}, "num_train_tasks=0"),
        ({"num_train_tasks": 1439}, "num_train_tasks=1439: there are 1438 training images"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        SequentialClassification(**arguments)
