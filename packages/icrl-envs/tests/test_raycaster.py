"""Views, by hand: how far rays go in a corridor and in a round arena, and how high walls look.

    0 1 2 3 4
0   # # # # #
1   # A . . #      A stands in the middle of its cell
2   # # # # #
"""

import math

import numpy as np
import pytest
import torch

from icrl_envs.perfect_mazes import perfect_mazes
from icrl_envs.raycaster import Camera, arena_hit, pillar_hit, walls_hit
from icrl_envs.strips import Strips

CAMERA = Camera(height=72, width=96, field_of_view=90, eye=1, wall=2)
SLOPES = CAMERA.slopes()
CORRIDOR = torch.ones((1, 3, 5), dtype=torch.bool)
CORRIDOR[0, 1, 1:4] = False
START = torch.tensor([[1.5, 1.5]])
UP, RIGHT, DOWN, LEFT = (torch.tensor([d]) for d in ((-1.0, 0), (0, 1.0), (1.0, 0), (0, -1.0)))


def test_columns_look_from_left_to_right():
    assert CAMERA.focal_length == pytest.approx(48)
    assert SLOPES[[0, 47, 48, 95]].tolist() == pytest.approx(
        [-47.5 / 48, -1 / 96, 1 / 96, 47.5 / 48]
    )


def test_a_corridor_ends_after_two_and_a_half_cells_or_at_its_sides():
    distance = walls_hit(CORRIDOR, START, RIGHT, SLOPES).distance[0]
    torch.testing.assert_close(distance, (0.5 / SLOPES.abs()).clamp(max=2.5))


@pytest.mark.parametrize("gaze", [UP, DOWN, LEFT])
def test_a_wall_beside_is_half_a_cell_away(gaze):
    distance = walls_hit(CORRIDOR, START, gaze, SLOPES).distance[0, 47:49]
    assert distance.tolist() == pytest.approx([0.5, 0.5])


def test_a_ray_says_which_face_it_hit_and_where():
    hit = walls_hit(CORRIDOR, START, RIGHT, SLOPES)
    ahead = SLOPES.abs() < 0.2
    assert torch.equal(hit.across[0], ahead)
    torch.testing.assert_close(hit.along[0, ahead], 0.5 + 2.5 * SLOPES[ahead])


def test_a_camera_with_a_middle_column_sees_along_the_grid():
    slopes = Camera(height=3, width=5, field_of_view=90, eye=1, wall=2).slopes()
    assert walls_hit(CORRIDOR, START, RIGHT, slopes).distance[0, 2].item() == pytest.approx(2.5)


def test_rays_stop_where_walking_along_them_stops():
    generator = torch.Generator().manual_seed(0)
    mazes = perfect_mazes(torch.arange(13), 3)
    angle = torch.rand(13, generator=generator) * math.tau
    position = 1.5 + 0.8 * (torch.rand((13, 2), generator=generator) - 0.5)
    forward = torch.stack((angle.cos(), angle.sin()), 1)
    slopes = torch.linspace(-1.1, 1.1, 7)
    hit = walls_hit(mazes, position, forward, slopes).distance
    for row in range(13):
        right = torch.stack((forward[row, 1], -forward[row, 0]))
        for column, slope in enumerate(slopes):
            ray, walked = forward[row] + slope * right, 0.0
            while not mazes[row][tuple((position[row] + walked * ray).long())]:
                walked += 1e-3
            assert hit[row, column].item() == pytest.approx(walked, abs=3e-3)


def test_an_arena_is_as_far_everywhere_from_its_centre():
    gaze = torch.tensor([[0.6, 0.8]])
    hit = arena_hit(5.0, torch.zeros((1, 2)), gaze, SLOPES)
    torch.testing.assert_close(hit.distance[0], 5 / (1 + SLOPES**2).sqrt())
    angle = math.atan2(0.8, 0.6) - SLOPES.atan()
    torch.testing.assert_close(hit.turn[0], angle / math.tau + 0.5)


def test_an_arena_is_nearer_towards_its_wall():
    position = torch.tensor([[3.0, 0.0]])
    slopes = torch.zeros(1)
    towards = arena_hit(5.0, position, torch.tensor([[1.0, 0.0]]), slopes).distance.item()
    away = arena_hit(5.0, position, torch.tensor([[-1.0, 0.0]]), slopes).distance.item()
    aside = arena_hit(5.0, position, torch.tensor([[0.0, 1.0]]), slopes).distance.item()
    assert (towards, away, aside) == pytest.approx((2, 8, 4))


@pytest.mark.parametrize(
    ("centre", "distance"), [((1.5, 3.5), 1.75), ((1.5, 1.5), 0.25), ((0.5, 3.5), math.inf)]
)
def test_a_pillar_is_met_at_its_near_side_or_from_inside(centre, distance):
    hit = pillar_hit(torch.tensor([centre]), 0.25, START, RIGHT, torch.zeros(1))
    assert hit.item() == pytest.approx(distance)


def test_a_pillar_behind_is_not_seen():
    assert pillar_hit(torch.tensor([[1.5, 3.5]]), 0.25, START, LEFT, SLOPES).isinf().all()


# Strips

RED, FLOOR, CEILING = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture(scope="module")
def strips():
    materials = np.broadcast_to(np.array([RED, (255, 255, 0)], float)[:, None], (2, 3, 3))
    return Strips(
        CAMERA, materials, floor=FLOOR, ceiling=CEILING, nearest=0.5, farthest=30, half_light=1e9
    )


@pytest.mark.parametrize("distance", [2, 3, 4, 6, 12])
def test_a_wall_twice_as_high_as_the_eye_covers_96_pixels_over_its_distance(strips, distance):
    away = torch.full((1, 96), float(distance))
    view = strips.views(away, torch.zeros((1, 96), dtype=torch.int32))[0].int()
    pixels = view[..., 0].sum(0) / 255
    expected = torch.full((96,), 96.0 / distance)
    torch.testing.assert_close(pixels, expected, rtol=0.015, atol=0.3)
    assert view[0, :, 2].min() == 255 and view[-1, :, 1].min() == 255


def test_a_wall_before_the_eye_fills_the_view(strips):
    near = torch.full((1, 96), 0.51)
    view = strips.views(near, torch.zeros((1, 96), dtype=torch.int32))[0]
    assert torch.equal(view, torch.tensor(RED, dtype=torch.uint8).expand(72, 96, 3))


def test_every_column_has_its_own_distance_and_material(strips):
    distance = torch.tensor([[2.0] * 95 + [12.0], [4.0] * 96])
    material = torch.zeros((2, 96), dtype=torch.int32)
    material[1, 5] = 1
    views = strips.views(distance, material)
    assert torch.equal(views[0, :, 0], views[0, :, 94])
    assert not torch.equal(views[0, :, 0], views[0, :, 95])
    assert views[1, 36, [4, 5, 6], 1].tolist() == [0, 255, 0]


def test_many_views_are_those_of_each_alone(strips):
    generator = torch.Generator().manual_seed(0)
    distance = 1 + 9 * torch.rand((131, 96), generator=generator)
    material = torch.randint(2, (131, 96), generator=generator, dtype=torch.int32)
    together = strips.views(distance, material)
    alone = [strips.views(distance[i : i + 1], material[i : i + 1]) for i in range(131)]
    assert torch.equal(together, torch.cat(alone))


def test_what_is_far_is_darker():
    materials = np.full((1, 3, 3), 200.0)
    dim = Strips(
        CAMERA, materials, floor=FLOOR, ceiling=CEILING, nearest=1, farthest=99, half_light=8
    )
    middle = [
        dim.views(torch.full((1, 96), d), torch.zeros((1, 96), dtype=torch.int32))[
            0, 36, 0, 0
        ].item()
        for d in (2.0, 8.0, 30.0)
    ]
    assert middle == pytest.approx([200 / 2**0.25, 100, 50], abs=2)
