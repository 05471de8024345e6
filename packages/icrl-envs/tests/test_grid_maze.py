"""Grid Maze: the contract; a walk by hand; what it states, draws and refuses.

The maze of the stories, of 2 x 2 rooms, with the agent (facing right) and the goal:

    # # # # #
    # > . . #
    # # # . #
    # G . . #
    # # # # #
"""

import gymnasium
import numpy as np
import pytest
import torch

import icrl_envs  # noqa: F401 (registers the ids)
from icrl.errors import ConfigError, TaskError, UsageError
from icrl.families import Episode
from icrl.plugins.families import family_of
from icrl.tasks import Tasks
from icrl.testing.families import FamilyContract
from icrl_envs.drawing import AGENT, FLOOR, GOLD
from icrl_envs.grid_maze import GridMaze
from icrl_envs.maze_drawing import SEEN_FLOOR, SEEN_STONE, STONE
from icrl_envs.plugin import icrl_families

SPECS = {spec.id: spec for spec in icrl_families()}
LEFT, RIGHT, FORWARD = range(3)
UP, EAST, DOWN, WEST = range(4)
SMALL = {"size": 2, "num_train_tasks": 1, "num_test_tasks": 1}
MAZE = np.array(
    [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 2, 0, 0, 1], [1, 1, 1, 1, 1]], np.uint8
)
TASK = {"maze": MAZE, "start": np.array([1, 1, EAST])}
SHORTEST = [FORWARD, FORWARD, RIGHT, FORWARD, FORWARD, RIGHT, FORWARD, FORWARD]


class TestGridMaze(FamilyContract):
    first_observation_shows_task = True
    episodes_per_return = 64

    def make_family(self):
        return family_of(
            SPECS["icrl/GridMaze-v0"], size=3, horizon=19, num_train_tasks=23, num_test_tasks=5
        )


class TestGridMazeOfOneWindow(FamilyContract):
    first_observation_shows_task = True
    episodes_per_return = 64

    def make_family(self):
        return family_of(
            SPECS["icrl/GridMaze9x9-v0"],
            size=4,
            horizon=31,
            view=3,
            num_train_tasks=13,
            num_test_tasks=3,
            split_seed=5,
        )


def played(actions, task=TASK, **arguments):
    """Windows, rewards, and how the last step ended: terminated, truncated, success."""
    env = GridMaze(**SMALL, **arguments).single_env()
    seen, rewards, ends, info = [env.reset(options={"task": task})[0]], [], (), {}
    for action in actions:
        observation, reward, *ends, info = env.step(action)
        seen.append(observation)
        rewards.append(reward)
    return seen, rewards, (*ends, info.get("success"))


def given(family, task=TASK):
    arrays = {name: torch.as_tensor(array)[None] for name, array in task.items()}
    return Tasks(family.id, family.arguments, "given", arrays)


# Stories


def test_the_window_turns_with_the_agent():
    """Facing right, then up, then left: what was ahead comes to lie at the right, then behind."""
    seen, _, _ = played([LEFT, LEFT], view=3)
    assert seen[0].tolist() == [[1, 0, 1], [1, 0, 1], [1, 1, 1]]
    assert seen[1].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 1]]
    assert seen[2].tolist() == [[1, 1, 1], [1, 0, 1], [1, 0, 1]]


def test_the_window_shows_the_goal_behind_walls():
    """Two cells to the right of who faces right, past a wall; and beyond the maze all is wall."""
    seen, _, _ = played([])
    assert seen[0].tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 1, 0, 1, 2],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
    ]


def test_steps_go_where_the_agent_faces():
    """It stands between the two right rooms and faces down, so that its right is the west."""
    seen, _, _ = played([FORWARD, FORWARD, RIGHT, FORWARD], view=3)
    assert seen[-1].tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 0]]


def test_a_step_costs_and_one_against_a_wall_a_little_more():
    _, rewards, ends = played([LEFT, FORWARD, RIGHT, FORWARD])
    assert rewards == pytest.approx([-0.04, -0.041, -0.04, -0.04])
    assert ends == (False, False, False)


def test_the_goal_pays_and_ends_the_episode_with_success():
    _, rewards, ends = played(SHORTEST)
    assert rewards == pytest.approx([-0.04] * 7 + [0.96])
    assert ends == (True, False, True)


def test_the_horizon_truncates_without_success():
    assert played([LEFT] * 5, horizon=5)[2] == (False, True, False)


def test_a_learner_may_see_the_pose():
    """Cell 6 facing right is pose 25; a turn to the right makes 26, two cells further 28 + 5."""
    family = GridMaze(**SMALL)
    env = family.vector_env(given(family))
    env.reset(seed=0)
    seen = [family.learner_observation(env).item()]
    for action in (RIGHT, LEFT, FORWARD):
        env.step(torch.tensor([action]))
        seen.append(family.learner_observation(env).item())
    assert seen == [25, 26, 25, 29]
    assert family.learner_outcome(env).item() == 29


def test_a_learners_view_needs_an_episode():
    family = GridMaze(**SMALL)
    with pytest.raises(UsageError, match="once that was reset"):
        family.learner_observation(family.vector_env(given(family)))


# Tasks


def test_start_and_goal_are_two_rooms_of_the_maze():
    family = GridMaze(size=3, num_train_tasks=60, num_test_tasks=5)
    arrays = family.sample_tasks(60, seed=0).arrays
    row, column, heading = arrays["start"].unbind(1)
    assert (row % 2 == 1).all() and (column % 2 == 1).all()
    assert (arrays["maze"][torch.arange(60), row, column] == 0).all()
    assert ((arrays["maze"] == 2).sum((1, 2)) == 1).all()
    assert set(heading.tolist()) == {UP, EAST, DOWN, WEST}


def test_no_test_maze_has_the_walls_of_a_training_maze():
    family = GridMaze(num_train_tasks=300, num_test_tasks=200)
    walls = [
        {bytes(m) for m in (family.sample_tasks(n, split=s, seed=0).arrays["maze"] == 1).numpy()}
        for s, n in (("train", 300), ("test", 200))
    ]
    assert len(walls[0]) == 300 and len(walls[1]) == 200 and not walls[0] & walls[1]


@pytest.mark.parametrize("num_train_tasks", [3, 50])
def test_the_test_does_not_depend_on_how_many_tasks_train(num_train_tasks):
    family = GridMaze(num_train_tasks=num_train_tasks, num_test_tasks=7)
    usual = GridMaze(num_train_tasks=1200, num_test_tasks=7)
    for seed in (0, 1):
        arrays, others = (
            f.sample_tasks(7, split="test", seed=seed).arrays for f in (family, usual)
        )
        assert all(torch.equal(arrays[name], others[name]) for name in arrays)


# What it states


def test_the_optimum_counts_turns_and_steps():
    family = GridMaze(**SMALL)
    assert family.optimal_return(given(family)).item() == pytest.approx(1 - 0.04 * 8)


def test_another_cost_of_a_step_is_paid_and_stated():
    family = GridMaze(**SMALL, step_cost=0.01)
    assert family.optimal_return(given(family)).item() == pytest.approx(1 - 0.01 * 8)
    env = family.single_env()
    env.reset(options={"task": TASK})
    assert [env.step(action)[1] for action in SHORTEST] == pytest.approx([-0.01] * 7 + [0.99])


def test_a_goal_out_of_reach_costs_every_step():
    family = GridMaze(**SMALL, horizon=7)
    assert family.optimal_return(given(family)).item() == pytest.approx(-0.04 * 7)


def test_a_maze_without_a_way_costs_every_step():
    family = GridMaze(**SMALL, horizon=11)
    closed = MAZE.copy()
    closed[2, 3] = 1
    task = given(family, {**TASK, "maze": closed})
    assert family.optimal_return(task).item() == pytest.approx(-0.04 * 11)


def test_the_random_return_is_that_of_dynamic_programming():
    """Backward induction over (row, column, heading), written out by itself."""
    steps = ((-1, 0), (0, 1), (1, 0), (0, -1))
    value = dict.fromkeys(np.ndindex(5, 5, 4), 0.0)
    for _ in range(13):
        now = {}
        for row, column, heading in value:
            down, right = steps[heading]
            to = min(max(row + down, 0), 4), min(max(column + right, 0), 4)
            earned = [value[row, column, (heading + turn) % 4] - 0.04 for turn in (-1, 1)]
            if MAZE[to] == 1:
                earned.append(value[row, column, heading] - 0.041)
            else:
                earned.append(0.96 if MAZE[to] == 2 else value[(*to, heading)] - 0.04)
            now[row, column, heading] = sum(earned) / 3
        value = now
    family = GridMaze(**SMALL, horizon=13)
    stated = family.random_return(given(family)).item()
    assert stated == pytest.approx(value[1, 1, EAST], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("id", "optimum", "random"),
    [("icrl/GridMaze-v0", 0.23, -8.6), ("icrl/GridMaze9x9-v0", -1.11, -36.3)],
)
def test_mean_returns_are_those_of_the_datasheet(id, optimum, random):
    family = family_of(SPECS[id])
    tasks = family.sample_tasks(1000, seed=0)
    assert family.optimal_return(tasks).mean().item() == pytest.approx(optimum, abs=0.05)
    assert family.random_return(tasks[:300]).mean().item() == pytest.approx(random, rel=0.03)


# Pictures


def picture_after(*actions):
    episode = Episode(
        torch.zeros(len(actions) + 1, 5, 5, dtype=torch.uint8),
        torch.tensor(actions, dtype=torch.int64),
        torch.zeros(len(actions)),
    )
    return GridMaze(**SMALL, view=3).render(TASK, episode)


def colour(picture, row, column):
    return picture[34 * row + 17, 34 * column + 17].astype(int)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [((1, 1), AGENT), ((3, 1), GOLD), ((0, 2), SEEN_STONE), ((4, 4), STONE), ((2, 3), FLOOR)],
)
def test_the_onlooker_sees_the_whole_maze(cell, expected):
    assert np.abs(colour(picture_after(), *cell) - expected).max() <= 12


def test_the_window_is_lit_where_the_agent_is():
    picture = picture_after(FORWARD, FORWARD, RIGHT)
    assert np.abs(colour(picture, 1, 3) - AGENT).max() <= 12
    assert np.abs(colour(picture, 2, 3) - SEEN_FLOOR).max() <= 40
    assert np.abs(colour(picture, 0, 0) - STONE).max() <= 12


def test_what_lies_outside_the_maze_lights_nothing():
    """From the lower right room the window reaches beyond two sides, but not to the first cell."""
    episode = Episode(
        torch.zeros(1, 3, 3, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64), torch.zeros(0)
    )
    task = {**TASK, "start": np.array([3, 3, EAST])}
    picture = GridMaze(**SMALL, view=5).render(task, episode)
    assert np.abs(colour(picture, 0, 0) - STONE).max() <= 12
    assert np.abs(colour(picture, 4, 4) - SEEN_STONE).max() <= 12


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 1}, "size=1: expected"),
        ({"horizon": -1}, "horizon=-1"),
        ({"view": 4}, "view=4: expected an odd number"),
        ({"view": 0}, "view=0"),
        ({"step_cost": -0.04}, "step_cost=-0.04: expected 0 or more"),
        ({"num_test_tasks": 0}, "num_test_tasks=0"),
        ({"trial_episodes": 0}, "trial_episodes=0"),
        ({"split_seed": -1}, "split_seed=-1"),
        ({"size": 2, "num_train_tasks": 7}, "1007 tasks asked of mazes of size=2, of which 4 "),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        GridMaze(**arguments)


def test_a_maze_of_another_size_is_refused():
    with pytest.raises(TaskError, match="maze"):
        GridMaze(size=3, num_train_tasks=3, num_test_tasks=3).single_env().reset(
            options={"task": TASK}
        )


def test_gymnasium_hands_keywords_on():
    env = gymnasium.make("icrl/GridMaze9x9-v0", view=7, num_train_tasks=3, num_test_tasks=1)
    assert env.observation_space.shape == (7, 7)
    assert env.unwrapped.family.max_episode_steps == 1000
