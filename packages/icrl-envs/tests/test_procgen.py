"""Procgen's games: the contract, envpool used raw beside ours, splits by content, draws.

Envpool is large, and its Procgen wants a library of the system: `pip install "icrl-envs[procgen]"`
and `apt-get install libqt5gui5`. Where either is missing these tests are skipped.
"""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, MissingPackageError, TaskError, UsageError
from icrl.tasks import Tasks
from icrl.testing import FamilyContract
from icrl_envs.procgen import levels as procgen_levels
from icrl_envs.procgen.games import GAMES, RIGHT, Difficulty, difficulty
from icrl_envs.procgen.levels import BARE, FIRST_HELD_OUT, held_out, openings
from icrl_envs.procgen.simulators import Shelf, require_envpool

try:
    require_envpool("this test")
    import envpool
except MissingPackageError as missing:
    pytestmark = pytest.mark.skip(f"Procgen is not installed: {missing}")

STAY, FIRE = 4, 9


class TestMaze(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return small("Maze", horizon=23)


class TestDodgeball(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return small("Dodgeball", horizon=13, distribution_mode="hard")


def small(name, **arguments):
    """A game with few levels to look at."""
    arguments = {"num_train_tasks": 17, "num_test_tasks": 11} | arguments
    return icrl.make_family(f"icrl/Procgen-{name}-v0", **arguments)


def tasks_of(family, *levels):
    """Training tasks of these levels, as often as they stand there."""
    arrays = {"level": torch.tensor(levels)}
    return Tasks(family.id, dict(family.arguments), "train", arrays)


def raw(id, level, **options):
    """Envpool itself, with one level of a game."""
    return envpool.make(
        id, env_type="gymnasium", num_envs=1, start_level=level, num_levels=1, **options
    )


def shown(frames):
    """Envpool's frame of one environment, channels last."""
    return np.moveaxis(frames[0], 0, -1)


# What envpool offers.


def test_the_games_are_those_that_envpool_offers():
    from envpool.procgen.registration import distribution, procgen_game_config

    named = {number: name.lower() for number, name in distribution.items()}
    theirs = {
        name: (steps, {named[number] for number in modes} - {"exploration"})
        for name, steps, modes in procgen_game_config
    }
    assert theirs == {game.name: (game.horizon, set(game.modes)) for game in GAMES.values()}


@pytest.mark.parametrize("game", GAMES.values(), ids=lambda game: game.name)
def test_every_difficulty_has_an_id_of_envpools(game):
    for mode in game.modes:
        config = envpool.make_spec(Difficulty(game, mode).id).config
        assert (config.env_name, config.max_episode_steps) == (game.name, game.horizon)


@pytest.mark.parametrize("game", GAMES.values(), ids=lambda game: game.name)
def test_an_episode_depends_on_its_level_and_actions_alone(game):
    """Not on what was played before in the same simulator: it is what a new one shows."""
    family = icrl.make_family("icrl/Procgen-Maze-v0", env=game.name)
    actions = torch.from_numpy(np.random.default_rng(0).integers(0, 15, (60, 3)))
    actions[40] = FIRE
    episodes = []
    for before in (0, 40):
        env = family.vector_env(tasks_of(family, 1, 3, 5))
        env.reset(seed=0)
        for action in actions[:before]:
            env.step(action)
        opening, _ = env.reset()
        seen = [opening, *(env.step(action)[0] for action in actions[40:])]
        episodes.append(torch.stack(seen))
        env.close()
    assert torch.equal(*episodes)


# Levels and splits.


def test_a_task_is_the_level_of_that_seed():
    family = small("Heist")
    env = family.single_env()
    for level in (0, 7, 2**31 - 2):
        frame, info = env.reset(options={"task": {"level": level}})
        frames, told = raw("HeistEasy-v0", level).reset()
        assert told["level_seed"] == level == info["task"]["level"]
        assert np.array_equal(frame, shown(frames))


def test_training_levels_are_the_first_ones():
    family = icrl.make_family("icrl/Procgen-Maze-v0")
    levels = family.sample_tasks(200, seed=3).arrays["level"]
    assert levels.sort().values.tolist() == list(range(200))


@pytest.mark.parametrize("name", ["Maze", "CoinRun"])
def test_no_test_level_opens_as_a_training_level_or_another_one_does(name):
    """Frames of every task, as single environments show them, and bare ones of envpool's."""
    family = icrl.make_family(
        f"icrl/Procgen-{name}-v0", num_train_tasks=100, num_test_tasks=80, horizon=1
    )
    trained = family.sample_tasks(100, seed=0)
    tested = family.sample_tasks(80, split="test", seed=0)
    theirs = difficulty(name.lower(), "easy").id
    for look in (frames_of_ours, lambda _, tasks: bare_frames(theirs, tasks)):
        known = set(look(family, trained))
        looks = look(family, tested)
        assert not known & set(looks)
        assert len(set(looks)) == len(looks)


def frames_of_ours(family, tasks):
    env = family.single_env()
    frames = [env.reset(options={"task": tasks.row(i)})[0] for i in range(len(tasks))]
    return [frame.tobytes() for frame in frames]


def bare_frames(id, tasks):
    pools = (raw(id, level, **BARE) for level in tasks.arrays["level"].tolist())
    return [pool.reset()[0].tobytes() for pool in pools]


def test_levels_that_look_known_are_left_out():
    """Of the first levels that are drawn, just those that open like one before."""
    easy = difficulty("coinrun", "easy")
    known = {
        frame.tobytes()
        for level in range(100)
        for frame in next(openings(easy, range(level, level + 1), seed=0, at_once=1))[1:]
    }
    expected = []
    drawn = list(islice(openings(easy, range(FIRST_HELD_OUT, 2**31 - 1), seed=5), 64))
    for level, *frames in drawn:
        looks = {frame.tobytes() for frame in frames}
        if not looks & known:
            expected.append(level)
            known |= looks
    assert 20 < len(expected) < 64
    assert held_out(easy, 100, len(expected), 5) == tuple(expected)


def test_fewer_test_levels_are_the_first_of_more():
    easy = difficulty("maze", "easy")
    assert held_out(easy, 5, 7, 0) == held_out(easy, 5, 13, 0)[:7]


def test_split_seed_decides_the_test_levels():
    sets = [
        set(
            small("Maze", split_seed=split_seed)
            .sample_tasks(11, split="test", seed=0)
            .arrays["level"]
            .tolist()
        )
        for split_seed in (0, 0, 1)
    ]
    assert sets[0] == sets[1] and not sets[0] & sets[2]


def test_more_test_levels_than_look_different_are_refused(monkeypatch):
    """A fifth of Ninja's levels open alike, so that among 64 there are never 64."""
    monkeypatch.setattr(procgen_levels, "PATIENCE", 1)
    family = small("Ninja", num_test_tasks=64)
    with pytest.raises(TaskError, match=r"num_test_tasks=64: .*Ask for at most \d+"):
        family.sample_tasks(1, split="test", seed=0)


# The vector environment.


@pytest.mark.parametrize("name", ["Jumper", "Dodgeball", "StarPilot"])
def test_envpools_autoreset_becomes_one_in_the_same_step(name):
    """Envpool returns the next opening one step late, with no reward and for no action. Without
    those steps its stream is ours, and none of ours is missing.
    """
    family = small(name)
    env, pool = family.vector_env(tasks_of(family, 9)), raw(difficulty(name.lower(), "easy").id, 9)
    observation, _ = env.reset(seed=0)
    assert np.array_equal(observation[0], shown(pool.reset()[0]))
    ends = 0
    # Who looks right before an episode ends opens the next one as a new simulator would.
    for action in np.random.default_rng(1).choice([RIGHT, FIRE], 400):
        observation, reward, terminated, truncated, info = env.step(torch.tensor([int(action)]))
        frames, rewards, over, cut, told = pool.step(np.array([action], np.int32))
        assert told["elapsed_step"] > 0
        assert np.array_equal(info["final_obs"][0], shown(frames))
        assert (reward.item(), terminated.item(), truncated.item()) == (rewards[0], over[0], cut[0])
        if over[0] or cut[0]:
            ends += 1
            frames, rewards, *_, told = pool.step(np.array([STAY], np.int32))
            assert (rewards[0], told["elapsed_step"][0]) == (0, 0), "not envpool's phantom step"
        assert np.array_equal(observation[0], shown(frames))
    assert ends > 2


def test_every_row_replays_its_own_level():
    family = small("Maze", horizon=3)
    env = family.vector_env(tasks_of(family, 5, 2, 5))
    openings, _ = env.reset(seed=0)
    assert torch.equal(openings[0], openings[2]) and not torch.equal(openings[0], openings[1])
    for _ in range(4):
        for _ in range(3):
            observation, *_ = env.step(torch.full((3,), RIGHT))
        assert torch.equal(observation, openings)


def test_levels_are_drawn_as_often_as_they_are_given():
    """Three of four tasks are level 3: of 1200 draws, 900 and at most five deviations of 15."""
    family = small("Maze", horizon=1)
    env = family.vector_env(tasks_of(family, 3, 3, 8, 3), num_envs=4, episodes_per_task=1)
    env.reset(seed=0)
    played = Counter()
    for _ in range(300):
        env.step(torch.full((4,), STAY))
        played.update(env.tasks.arrays["level"].tolist())
    assert set(played) == {3, 8}
    assert abs(played[3] - 900) < 75


def test_a_bootstrap_of_the_tasks_plays_its_own_levels_alone():
    """And shows them: what rows open with is what their levels open with."""
    family = small("Maze", horizon=2)
    tasks = family.sample_tasks(17, seed=0)
    drawn = tasks[torch.randint(17, (17,), generator=torch.Generator().manual_seed(1))]
    wanted = set(drawn.arrays["level"].tolist())
    assert len(wanted) < 17
    frames = dict(zip(range(17), frames_of_ours(family, tasks_of(family, *range(17))), strict=True))
    env = family.vector_env(drawn, num_envs=5, episodes_per_task=1)
    observation, _ = env.reset(seed=0)
    seen = set()
    for step in range(60):
        if step % 2 == 0:
            levels = env.tasks.arrays["level"].tolist()
            assert [row.numpy().tobytes() for row in observation] == [frames[n] for n in levels]
            seen |= set(levels)
        observation, *_ = env.step(torch.full((5,), STAY))
    assert seen == wanted


def test_a_seed_repeats_the_draws():
    family = small("Maze", horizon=1)
    played = []
    for seed in (4, 4, 5):
        env = family.vector_env(family.sample_tasks(17, seed=0), num_envs=3, episodes_per_task=1)
        env.reset(seed=seed)
        steps = [env.step(torch.full((3,), STAY)) and env.tasks.arrays["level"] for _ in range(9)]
        played.append(torch.stack(steps))
    assert torch.equal(played[0], played[1])
    assert not torch.equal(played[0], played[2])


def test_a_maze_succeeds_where_it_pays():
    """Random walks find the cheese of a small maze now and then; nothing else pays, or ends it."""
    family = small("Maze", horizon=200)
    env = family.vector_env(tasks_of(family, *range(17)))
    env.reset(seed=0)
    generator = torch.Generator().manual_seed(0)
    found = 0
    for _ in range(250):
        _, reward, terminated, truncated, info = env.step(
            torch.randint(9, (17,), generator=generator)
        )
        assert torch.equal(info["success"], reward == 10) and not (reward % 10).any()
        assert torch.equal(info["success"], terminated) and not (terminated & truncated).any()
        found += int(info["success"].sum())
    assert found > 2


def test_an_episode_that_nothing_ends_is_cut_at_the_games_own_horizon():
    family = small("Maze")
    env = family.single_env()
    env.reset(seed=0)
    ends = [env.step(STAY)[2:4] for _ in range(500)]
    assert ends == [(False, False)] * 499 + [(False, True)]


def test_a_picture_is_the_frame_enlarged():
    env = small("Maze").single_env(render_mode="rgb_array")
    frame, _ = env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (384, 384, 3)
    assert np.array_equal(picture[3::6, 3::6], frame)


def test_pictures_of_all_rows_are_what_they_show_enlarged():
    """From the opening on, over the end of an episode, after a step of the next, and once more."""
    family = small("Maze", horizon=2)
    env = family.vector_env(tasks_of(family, 3, 5), render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    for action in (RIGHT, RIGHT, RIGHT, None):
        for frame, picture in zip(observation, env.render(), strict=True):
            assert picture.shape == (384, 384, 3)
            assert np.array_equal(picture[3::6, 3::6], frame)
        moved = env.reset() if action is None else env.step(torch.full((2,), action))
        observation = moved[0]
    assert np.array_equal(env.render()[0][3::6, 3::6], observation[0])


def test_worker_processes_are_refused():
    family = small("Maze")
    with pytest.raises(UsageError, match="threads of its own; use workers=0"):
        family.vector_env(family.sample_tasks(3, seed=0), workers=2)


# Simulators.


def test_a_shelf_keeps_simulators_for_their_level():
    shelf = Shelf(difficulty("maze", "easy"), 500)
    first = shelf.exchange(None, 3)
    assert shelf.exchange(first, 3) is first
    other = shelf.exchange(first, 5)
    assert (other.level, len(shelf)) == (5, 1)
    assert shelf.exchange(other, 3) is first


def test_the_simulator_that_waits_longest_leaves_a_full_shelf():
    shelf = Shelf(difficulty("maze", "easy"), 500, most=2)
    playing = [shelf.exchange(None, level) for level in (1, 2, 3)]
    last = None
    for simulator in playing:
        last = shelf.exchange(simulator, 4)
    assert len(shelf) == 2
    assert shelf.exchange(last, 1) is not playing[0]
    assert shelf.exchange(None, 3) is playing[2]


# Refusals.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "pong"}, "expected one of bigfish, .*maze"),
        ({"distribution_mode": "nightmare"}, "expected one of easy, hard, memory in maze"),
        ({"distribution_mode": "extreme"}, "expected one of easy, hard, memory in maze"),
        ({"num_train_tasks": 0}, "num_train_tasks=0"),
        ({"num_train_tasks": 2**30 + 1}, "at most 2"),
        ({"num_test_tasks": 0}, "num_test_tasks=0"),
        ({"split_seed": -1}, "split_seed=-1"),
        ({"horizon": 501}, "at most 500 in maze"),
        ({"trial_episodes": 0}, "trial_episodes=0"),
    ],
)
def test_bad_arguments_are_refused_when_the_family_is_made(arguments, message):
    with pytest.raises(ConfigError, match=message):
        icrl.make_family("icrl/Procgen-Maze-v0", **arguments)
