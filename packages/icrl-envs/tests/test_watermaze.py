"""Watermaze, swum by hand: a stroke is 40 units, the platform is reached within 60.

y                 episodes open in the centre, looking along x;
|   P             the platform's direction is counter-clockwise from there
S - x
"""

import math

import numpy as np
import pytest
import torch

from icrl.errors import ConfigError, TaskError
from icrl.interaction import play
from icrl.tasks import Tasks
from icrl.testing.families import FamilyContract
from icrl_envs.drawing import GOLD
from icrl_envs.watermaze import Watermaze

FORWARD, BACK, LEFT, RIGHT, TURN_LEFT, TURN_RIGHT, VEER_LEFT, VEER_RIGHT = range(8)
SMALL = {
    "height": 13,
    "width": 17,
    "horizon": 7,
    "speed": 200.0,
    "platform_radius": 150.0,
    "min_distance": 250.0,
}


class TestWatermaze(FamilyContract):
    def make_family(self):
        return Watermaze(**SMALL)


@pytest.fixture(scope="module")
def family():
    return Watermaze()


def swim(family, actions, distance=400.0, direction=3.0):
    """Frames, rewards, and how the last step ended: terminated, truncated, success."""
    env = family.single_env()
    task = {"platform": np.array([distance, direction], np.float32)}
    frames, rewards, end = [env.reset(options={"task": task})[0]], [], ()
    for action in actions:
        frame, reward, *end, info = env.step(action)
        frames.append(frame)
        rewards.append(reward)
        end = (*end, info["success"])
    return frames, rewards, end


def pose(family, actions):
    position, heading = torch.zeros((1, 2)), torch.zeros(1, dtype=torch.int64)
    for action in actions:
        position, heading = family.pool.moved(position, heading, torch.tensor([action]))
    return position[0].tolist(), int(heading)


def seen(family, position=(0.0, 0.0), heading=0):
    state = {"position": torch.tensor([position]), "heading": torch.tensor([heading])}
    return family.observation(state, {})[0].int()


# Stories


def test_the_step_that_ends_on_the_platform_pays_and_ends_the_episode(family):
    _, rewards, end = swim(family, [FORWARD] * 4, 200.0, 0.0)
    assert rewards == [0, 0, 0, 1] and end == (True, False, True)


@pytest.mark.parametrize(
    ("action", "direction"),
    [(FORWARD, 0.0), (LEFT, math.pi / 2), (RIGHT, -math.pi / 2), (BACK, math.pi)],
)
def test_directions_are_counter_clockwise_from_the_gaze(family, action, direction):
    assert swim(family, [action] * 4, 200.0, direction)[1] == [0, 0, 0, 1]


def test_a_rotation_is_a_sixteenth_of_a_turn(family):
    eighth = math.pi / 8
    assert pose(family, [TURN_LEFT]) == ([0, 0], 1)
    assert pose(family, [TURN_RIGHT]) == ([0, 0], 15)
    place, heading = pose(family, [VEER_RIGHT])
    assert heading == 15
    assert place == pytest.approx([40 * math.cos(eighth), -40 * math.sin(eighth)])


def test_strokes_are_along_the_gaze(family):
    place, _ = pose(family, [TURN_LEFT] * 4 + [FORWARD, RIGHT])
    assert place == pytest.approx([40, 40], abs=1e-4)


def test_the_wall_holds_who_swims_against_it(family):
    assert pose(family, [FORWARD] * 30)[0] == pytest.approx([640, 0])
    place, _ = pose(family, [FORWARD] * 30 + [LEFT])
    assert math.hypot(*place) == pytest.approx(640) and place[1] > 39


def test_the_horizon_truncates(family):
    assert swim(family, [TURN_LEFT] * 50)[2] == (False, True, False)


# What is seen


def test_frames_are_72_rows_of_96_columns(family):
    assert family.observation_space.shape == (72, 96, 3)
    assert swim(family, [])[0][0].shape == (72, 96, 3)


def test_equal_poses_give_equal_frames(family):
    frames, _, _ = swim(family, [FORWARD, BACK, *[TURN_LEFT] * 16, LEFT, RIGHT])
    for step in (2, 18, 20):
        assert np.array_equal(frames[step], frames[0])


def test_other_poses_give_other_frames(family):
    frames, _, _ = swim(family, [FORWARD, LEFT, TURN_LEFT, VEER_RIGHT])
    assert len({frame.tobytes() for frame in frames}) == 5


def mosaic(frames, columns):
    """Frames side by side, in rows of so many."""
    rows = [frames[i : i + columns] for i in range(0, len(frames), columns)]
    return np.concatenate([np.concatenate(row, 1) for row in rows])


def red_columns(frame):
    """How red each column of a frame is: of the cues only the cross is."""
    return (frame[..., 0] - frame[..., 1:].max(-1).values > 60).sum(0)


def test_a_cue_ahead_is_in_the_middle_column():
    family = Watermaze(num_headings=100)
    red = red_columns(seen(family, heading=97))  # the cross is 0.03 turns to the right of x
    columns = torch.arange(96)
    assert (red * columns).sum() / red.sum() == pytest.approx(47.5, abs=0.5)
    assert red[47] == red.max() and red[0] == red[95] == 0


def test_rotating_left_moves_what_is_seen_to_the_right(family):
    middles = []
    for heading in (14, 15, 0, 1):
        red = red_columns(seen(family, heading=heading))
        middles.append(((red * torch.arange(96)).sum() / red.sum()).item())
    assert middles == sorted(middles) and middles[-1] - middles[0] > 30


def test_the_wall_looks_higher_from_nearby(family):
    """Of a wall 320 high, 48 pixels per unit of height over distance: 22.6 at 680, 45.2 at 340."""
    edge = []
    for x in (0.0, 340.0):
        column = seen(family, (x, 0.0))[:, 47]
        blue = column[:, 2] > column[:, 0]
        edge.append(int((~blue).sum()))
    assert edge == pytest.approx([48 * 320 / 680, 48 * 320 / 340], abs=1.1)


def test_the_platform_is_invisible(family):
    actions = [FORWARD, VEER_LEFT, FORWARD, FORWARD]
    ahead = swim(family, actions, 260.0, 0.1)[0]
    elsewhere = swim(family, actions, 500.0, -2.0)[0]
    assert all(np.array_equal(one, other) for one, other in zip(ahead, elsewhere, strict=True))


@pytest.mark.gpu
def test_a_gpu_shows_what_a_cpu_shows(family):
    tasks, actions = family.sample_tasks(5, seed=0), torch.arange(35).view(7, 5) % 8
    shown = {}
    for device in ("cpu", "cuda"):
        env = family.vector_env(tasks, device=device)
        frames = [env.reset(seed=0)[0], *(env.step(action)[0] for action in actions)]
        shown[device] = torch.stack(frames).cpu().int()
    assert ((shown["cpu"] - shown["cuda"]).abs() > 8).float().mean() < 0.005


# What it states


def test_platforms_are_uniform_over_the_ring(family):
    distance, direction = family.sample_tasks(20000, seed=0).arrays["platform"].unbind(1)
    assert distance.min() >= 200 and distance.max() <= 580
    share = (distance.double() ** 2 - 200**2) / (580**2 - 200**2)
    for even in (share, direction / math.tau + 0.5):
        counts = torch.histc(even, 10, 0, 1)
        assert (counts - 2000).abs().max() < 5 * 2000**0.5


def test_whoever_knows_the_platform_needs_twenty_steps_at_most(family):
    assert family.pool.most_steps(580, 60) == 20
    tasks = family.sample_tasks(997, seed=0)
    small = Watermaze(height=2, width=3)
    env = small.vector_env(Tasks(small.id, {}, "given", tasks.arrays))
    steps = torch.zeros(997)
    running = torch.ones(997, dtype=torch.bool)
    for step in play(small.oracle(tasks), env, seed=0):
        steps += running
        running &= ~step.terminated
        if not running.any():
            break
    assert steps.max() <= 20
    fewest = ((tasks.arrays["platform"][:, 0] - 60) / 40).ceil()
    assert (steps >= fewest).all()


def test_the_random_return_is_always_the_same(family):
    tasks = family.sample_tasks(7, seed=0)
    assert torch.equal(family.random_return(tasks), Watermaze().random_return(tasks))


def test_the_mean_random_return_is_that_of_the_datasheet(family):
    """Over platforms that lie evenly: as many in rings of one area, and in every direction."""
    area = (torch.arange(31) + 0.5) / 31
    distance = (200**2 + area * (580**2 - 200**2)).sqrt()
    direction = ((torch.arange(37) + 0.5) / 37 - 0.5) * math.tau
    platforms = {"platform": torch.cartesian_prod(distance, direction)}
    tasks = Tasks(family.id, family.arguments, "given", platforms)
    assert family.random_return(tasks).mean().item() == pytest.approx(0.061, abs=6e-4)


def test_the_random_return_is_that_of_the_mirror_image(family):
    tasks = family.sample_tasks(7, seed=0)
    mirrored = tasks.arrays["platform"] * torch.tensor([1, -1])
    other = Tasks(tasks.family, tasks.arguments, "given", {"platform": mirrored})
    torch.testing.assert_close(family.random_return(tasks), family.random_return(other))


# Pictures


def test_the_onlooker_sees_the_platform_beside_the_agents_view(family):
    env = family.single_env(render_mode="rgb_array")
    task = {"platform": np.array([400, 0], np.float32)}
    env.reset(options={"task": task})
    frame, *_ = env.step(VEER_LEFT)
    picture = env.render()
    assert picture.shape == (300, 300 + 4 * 96, 3)
    scale = (150 - 24) / 680
    rim = picture[150, 150 + round((400 + 60) * scale)].astype(int)
    assert np.abs(rim - GOLD).max() < 70
    assert np.array_equal(picture[6 + 2 : 294 : 4, 302::4], frame)


def test_the_trail_follows_the_strokes(family):
    env = family.single_env(render_mode="rgb_array")
    env.reset(options={"task": {"platform": np.array([400, 3], np.float32)}})
    before = env.render()
    for _ in range(6):
        env.step(LEFT)
    above = (env.render() != before)[:, :300].any(-1)
    rows, columns = above.nonzero()
    scale = (150 - 24) / 680
    agent = 15  # its size with its gaze
    assert 150 - 240 * scale - agent <= rows.min() <= 150 - 240 * scale
    assert abs(columns.mean() - 150) < 6


def test_views_look_as_they_did(family, matches_snapshot):
    """In the middle, and near the wall on one side: six sixteenths of a turn apart."""
    frames = [
        seen(family, place, heading).byte().numpy()
        for place in ((0.0, 0.0), (-250.0, 560.0))
        for heading in (0, 6, 12)
    ]
    assert matches_snapshot(mosaic(frames, 3), "watermaze-views", views=True)


def test_the_picture_looks_as_it_did(family, matches_snapshot):
    env = family.single_env(render_mode="rgb_array")
    env.reset(options={"task": {"platform": np.array([400, 2.0], np.float32)}})
    for action in [FORWARD] * 6 + [VEER_LEFT] * 5 + [LEFT] * 4:
        env.step(action)
    assert matches_snapshot(env.render(), "watermaze-picture", views=True)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width=0: expected a whole number, 1 or more"),
        ({"num_headings": 0}, "num_headings=0: expected a whole number, 1 or more"),
        ({"horizon": 19}, "a horizon of 20 steps or more"),
        ({"platform_radius": 28.0}, r"platform_radius above speed / √2 = 28\.3"),
        ({"platform_radius": 200.0}, "platform_radius < min_distance < 580"),
        ({"min_distance": 580.0}, "platform_radius < min_distance < 580"),
        ({"speed": 0.0}, "expected a speed above 0"),
        ({"speed": math.nan}, "expected a speed above 0"),
        ({"split_seed": -1}, "split_seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Watermaze(**arguments)


@pytest.mark.parametrize("platform", [(100.0, 0.0), (600.0, 0.0), (300.0, 4.0)])
def test_a_platform_out_of_place_is_refused(family, platform):
    with pytest.raises(TaskError, match="platform in Box"):
        family.single_env().reset(options={"task": {"platform": np.array(platform)}})
