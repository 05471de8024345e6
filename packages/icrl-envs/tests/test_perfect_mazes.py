"""Perfect mazes: every two cells are joined by one path, and a seed's maze never changes."""

import pytest
import torch

from icrl.errors import ConfigError
from icrl_envs.perfect_mazes import STEPS, perfect_mazes, rooms


def drawn(*lines):
    """A maze as it is drawn: `#` is wall."""
    return torch.tensor([[character == "#" for character in line] for line in lines])[None]


def reached(mazes):
    """The cells that can be walked to from the first room: it spreads until nothing is new."""
    here = torch.zeros_like(mazes)
    here[:, 1, 1] = True
    while True:
        spread = here.clone()
        for step in STEPS:
            spread |= here.roll(step, (1, 2)) & ~mazes
        if torch.equal(spread, here):
            return here
        here = spread


@pytest.mark.parametrize("size", [2, 3, 5, 9])
def test_a_maze_of_n_rooms_is_a_tree_of_n_less_one_doors(size):
    mazes = perfect_mazes(torch.arange(37), size)
    assert mazes.shape == (37, 2 * size + 1, 2 * size + 1) and mazes.dtype == torch.bool
    assert torch.equal((~mazes).sum((1, 2)), torch.full((37,), 2 * size**2 - 1))
    assert not mazes[:, rooms(size)[:, 0], rooms(size)[:, 1]].any()
    assert torch.equal(reached(mazes), ~mazes)


def test_a_maze_has_an_outer_wall():
    mazes = perfect_mazes(torch.arange(37), 3)
    for edge in (mazes[:, 0], mazes[:, -1], mazes[:, :, 0], mazes[:, :, -1]):
        assert edge.all()


def test_a_seed_gives_the_same_maze_whatever_is_beside_it():
    mazes = perfect_mazes(torch.tensor([5, 2**62, 7]), 4)
    for i, seed in enumerate((5, 2**62, 7)):
        assert torch.equal(perfect_mazes(torch.tensor([seed]), 4)[0], mazes[i])


def test_the_maze_of_seed_zero_is_what_it_was():
    """So that stored tasks keep their meaning; drawn once, when the module was written."""
    assert torch.equal(perfect_mazes(torch.tensor([0]), 3), drawn(*SEED_ZERO))


SEED_ZERO = ("#######", "#.#...#", "#.#.###", "#.#.#.#", "#.#.#.#", "#.....#", "#######")


def test_every_tree_of_four_rooms_is_drawn_as_often():
    """Each of them lacks one of the four doors."""
    mazes = perfect_mazes(torch.arange(4000), 2)
    doors = torch.stack([mazes[:, 1, 2], mazes[:, 2, 1], mazes[:, 2, 3], mazes[:, 3, 2]], 1)
    assert (doors.sum(1) == 1).all()
    assert (doors.float().mean(0) - 0.25).abs().max() < 4 * (0.25 * 0.75 / 4000) ** 0.5


@pytest.mark.parametrize(("seed", "size", "message"), [(0, 1, "size=1"), (-1, 3, "is -1")])
def test_what_makes_no_maze_is_refused(seed, size, message):
    with pytest.raises(ConfigError, match=message):
        perfect_mazes(torch.tensor([seed]), size)
