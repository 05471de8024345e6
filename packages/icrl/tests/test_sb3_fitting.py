"""What Stable-Baselines3's algorithms are given for the steps that there are."""

from typing import Any

import numpy as np
import pytest
from gymnasium import Space, spaces
from stable_baselines3 import PPO
from stable_baselines3.common.preprocessing import is_image_space

from icrl.errors import ConfigError
from icrl.sb3 import ObservationView, policy_name
from icrl.sb3_fitting import (
    REPLAY_BYTES,
    fitted,
    has_images,
    is_image,
    observation_bytes,
    parts,
    plain_name,
)

CELL = spaces.Discrete(5)
PICTURE = spaces.Box(0, 255, (41, 43, 3), np.uint8)
SYMBOLS = spaces.Box(0, 255, (7, 5, 3), np.uint8)


def fit(name: str, given: dict[str, Any] | None = None, seen: Space = CELL, **amounts: int) -> Any:
    amounts = {"rollout": 30, "steps": 1000, "num_envs": 7} | amounts
    return fitted(name, given or {}, seen, **amounts)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["QR-DQN", "qrdqn", "qr_dqn"])
def test_one_algorithm_has_one_plain_name(name: str):
    assert plain_name(name) == "qrdqn"


def test_minibatches_divide_a_rollout():
    assert fit("PPO") == {"n_steps": 30, "batch_size": 42}  # of 210, within 32 and 64
    assert fit("PPO", batch=(64, 256)) == {"n_steps": 30, "batch_size": 210}


def test_a_rollout_is_no_longer_than_all_there_is():
    assert fit("trpo", steps=11)["n_steps"] == 11


def test_one_environment_gives_a_rollout_of_two_steps_at_least():
    assert fit("PPO", steps=1, num_envs=1) == {"n_steps": 2, "batch_size": 2}


def test_a_replay_buffer_holds_all_steps_if_they_fit():
    assert fit("SAC") == {"buffer_size": 7000}
    room = fit("DQN", seen=PICTURE, steps=10**7)["buffer_size"]
    assert room == REPLAY_BYTES // (2 * 41 * 43 * 3)


def test_other_algorithms_keep_their_own_defaults():
    assert fit("A2C", {"gamma": 0.9}) == {"gamma": 0.9}


def test_what_was_given_stays():
    assert fit("PPO", {"n_steps": 5, "batch_size": 35}) == {"n_steps": 5, "batch_size": 35}


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (CELL, 8),
        (spaces.MultiBinary(3), 24),
        (PICTURE, 41 * 43 * 3),
        (SYMBOLS, 4 * 7 * 5 * 3),
        (spaces.Tuple([spaces.Box(-1, 1, (3,), np.float32), spaces.Dict(cell=CELL)]), 20),
        (spaces.MultiDiscrete([5, 7]), 4 * 12),
        (spaces.Text(11, charset="ab"), 4 * 33),
        (spaces.Text(300, charset="abcdefghi"), 4 * 2048),
    ],
)
def test_an_observation_takes_so_many_bytes(space: Space, size: int):
    assert observation_bytes(space) == size


@pytest.mark.parametrize(
    ("space", "convolved"),
    [
        (PICTURE, True),
        (spaces.Box(0, 255, (3, 36, 43), np.uint8), True),
        (spaces.Box(0, 255, (35, 43, 3), np.uint8), False),
        (spaces.Box(0, 255, (20, 80, 3), np.uint8), False),
        (spaces.Box(0, 254, (41, 43, 3), np.uint8), False),
        (spaces.Box(0, 255, (41, 43, 3), np.float32), False),
        (spaces.Box(0, 255, (41, 43), np.uint8), False),
        (CELL, False),
    ],
)
def test_what_is_convolved_is_what_sb3_gets_as_an_image(space: Space, convolved: bool):
    assert is_image(space) is convolved
    seen = ObservationView(space).space
    assert (policy_name(PPO, seen) == "CnnPolicy") is convolved
    assert (seen == space and is_image_space(seen)) is convolved


def test_images_are_found_within_dicts_of_tuples():
    inside = spaces.Dict(eyes=spaces.Tuple([CELL, PICTURE]), cell=CELL)
    assert list(parts(inside)) == [CELL, PICTURE, CELL]
    assert has_images(inside)
    assert not has_images(spaces.Dict(eyes=spaces.Tuple([CELL, SYMBOLS])))


def test_an_algorithm_that_needs_masks_is_refused():
    with pytest.raises(ConfigError, match="MaskablePPO needs action masks"):
        fit("maskable-ppo")
