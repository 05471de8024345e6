"""Stable-Baselines3 on task environments: spaces, episodes, policies, weights."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.noise import NormalActionNoise

from icrl.errors import ConfigError, DamagedFileError, MissingPackageError, SpaceError
from icrl.families import LearnerView, TaskFamily
from icrl.interaction import play
from icrl.sb3 import (
    ActionView,
    ObservationView,
    SB3Policy,
    TaskVecEnv,
    algorithm,
    make_model,
    normalized,
)
from icrl.spaces import stack, zeros
from icrl.testing.counter import CounterFamily
from icrl.testing.flashes import FlashFamily
from icrl.timestep import TimeStep
from icrl.trees import map_tree
from icrl.wrapped import GymnasiumFamily

SMALL = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}


def vec_env(family: TaskFamily, num_envs: int = 2) -> TaskVecEnv:
    return TaskVecEnv(family.vector_env(family.sample_tasks(num_envs, seed=0)))


def trained(id: str, name: str = "PPO", normalize: bool = False, **settings: Any) -> Any:
    family = GymnasiumFamily(id)
    env: Any = vec_env(family)
    if normalize:
        env = normalized(env)
    learner = algorithm(name)
    if issubclass(learner, PPO) or name == "RecurrentPPO":
        settings = SMALL | settings
    if name == "RecurrentPPO":
        settings = {"policy_kwargs": {"lstm_hidden_size": 7}} | settings
    model = make_model(learner, env, seed=3, settings=settings).learn(24)
    return SB3Policy(model, family.observation_space, family.action_space), family


# What SB3 is told at an episode's end (a counter of 3 steps observes its step).


def test_the_last_observation_of_an_episode_is_the_terminal_one():
    env = vec_env(CounterFamily())
    env.reset()
    for _ in range(2):
        env.step(np.zeros((2, 1), np.float32))
    observation, _, dones, infos = env.step(np.zeros((2, 1), np.float32))
    assert observation[:, 0].tolist() == [0, 0] and dones.tolist() == [True, True]
    assert infos[1]["terminal_observation"].tolist() == [3, 1, 0]


@pytest.mark.parametrize(
    ("how", "cut"), [("truncated", True), ("terminated", False), ("both", False)]
)
def test_a_cut_episode_is_told_from_a_terminated_one(how: str, cut: bool):
    env = vec_env(CounterFamily(length=1, how=how))
    env.reset()
    _, _, _, infos = env.step(np.zeros((2, 1), np.float32))
    assert infos[0]["TimeLimit.truncated"] is cut


def test_return_and_length_of_an_episode_are_told():
    env = vec_env(CounterFamily(length=2))
    env.reset()
    for _ in range(2):
        *_, infos = env.step(np.zeros((2, 1), np.float32))
    assert (infos[0]["episode"]["r"], infos[0]["episode"]["l"]) == (3.0, 2)
    assert infos[0]["is_success"] is True


def test_rewards_may_be_written_to_without_harm():
    inner = CounterFamily().vector_env(CounterFamily().sample_tasks(2, seed=0))
    kept: list[torch.Tensor] = []
    step = inner.step
    inner.step = lambda actions: (result := step(actions), kept.append(result[1]))[0]  # type: ignore[method-assign]
    env = TaskVecEnv(inner)
    env.reset()
    _, rewards, _, _ = env.step(np.zeros((2, 1), np.float32))
    rewards += 100
    assert kept[0].tolist() == [1, 1]


def test_a_seed_makes_a_learner_repeat():
    weights = []
    for _ in range(2):
        policy, _ = trained("CartPole-v1")
        weights.append(torch.cat([p.flatten() for p in policy._model.policy.parameters()]))
    assert torch.equal(*weights)


# Views.


@pytest.mark.parametrize(
    ("space", "value", "seen"),
    [
        (spaces.Discrete(5, start=3), 4, 1),
        (spaces.MultiDiscrete([2, 3], start=[5, 7]), [6, 7], [0, 1, 1, 0, 0]),
        (spaces.MultiDiscrete([[2], [3]]), [[1], [2]], [0, 1, 0, 0, 1]),
        (spaces.MultiBinary([2, 1]), [[1], [0]], [1, 0]),
        (spaces.Text(2, charset="ab", min_length=0), "b", [0, 0, 1, 1, 0, 0]),
        (spaces.Box(-1, 1, (1, 2), np.float64), [[0.5, 1]], [0.5, 1]),
        (spaces.Box(0, 255, (1, 2, 3), np.uint8), [[[1, 2, 3], [4, 5, 6]]], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_an_observation_is_shown_in_a_form_that_sb3_takes(space: Any, value: Any, seen: Any):
    view = ObservationView(space)
    shown = view(stack(space, [value, value]))
    assert shown[1].tolist() == seen
    assert view.space.contains(shown[1].astype(view.space.dtype))


def test_an_image_stays_an_image():
    space = spaces.Box(0, 255, (40, 36, 3), np.uint8)
    assert ObservationView(space).space == space


def test_nested_spaces_become_one_dictionary():
    space = spaces.Tuple([spaces.Discrete(2), spaces.Dict({"a.b": spaces.Discrete(3)})])
    view = ObservationView(space)
    assert list(view.space.spaces) == ["0", "1/a_b"]
    assert view.rows(stack(space, [(1, {"a.b": 2})])) == [{"0": 1, "1/a_b": 2}]


def test_a_long_text_is_shown_as_scaled_codes():
    space = spaces.Text(300, charset="abcdefghi")
    shown = ObservationView(space)(stack(space, ["ia"]))
    assert shown[0, :3].tolist() == pytest.approx([1, 1 / 9, 0])


@pytest.mark.parametrize(
    ("space", "given", "received"),
    [
        (spaces.Discrete(5, start=-2), [0, 4], [-2, 2]),
        (
            spaces.MultiDiscrete([[2], [3]], start=[[1], [1]]),
            [[0, 2], [1, 0]],
            [[[1], [3]], [[2], [1]]],
        ),
        (spaces.Box(-2, 1, (1,)), [[-9], [0.5]], [[-2], [0.5]]),
    ],
)
def test_actions_come_back_as_the_environment_has_them(space: Any, given: Any, received: Any):
    assert ActionView(space).received(np.array(given)).tolist() == received


# Policies.


@pytest.mark.parametrize(
    "id", ["CartPole-v1", "Pendulum-v1", "MiniGrid-Empty-5x5-v0", "Blackjack-v1"]
)
def test_a_trained_policy_plays_its_family(id: str):
    policy, family = trained(id)
    env = family.vector_env(family.sample_tasks(3, split="test", seed=0))
    for _, transition in zip(range(7), play(policy, env, seed=0), strict=False):
        expected = zeros(family.action_space, (3,))
        assert transition.action.shape == expected.shape
        assert transition.action.dtype == expected.dtype


@pytest.mark.parametrize("name", ["PPO", "RecurrentPPO"])
def test_actions_come_from_the_generator_alone(name: str):
    policy, family = trained("Pendulum-v1", name)
    timestep = first_timestep(family, 5)
    actions = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        generator = torch.Generator().manual_seed(7)
        actions.append(policy.act(timestep, policy.initial_context(5), generator)[0])
    assert torch.equal(*actions)


def test_acting_leaves_the_global_generator_alone():
    policy, family = trained("Pendulum-v1")
    state = torch.get_rng_state()
    policy.act(first_timestep(family, 3), policy.initial_context(3), torch.Generator())
    assert torch.equal(state, torch.get_rng_state())


def test_acting_on_the_cpu_seeds_no_accelerator(monkeypatch: pytest.MonkeyPatch):
    policy, family = trained("Pendulum-v1")
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    policy.act(first_timestep(family, 3), policy.initial_context(3), torch.Generator())
    assert not seeded


def test_a_recurrent_policy_remembers_within_an_episode():
    policy, family = trained("Pendulum-v1", "RecurrentPPO")
    policy.deterministic = True
    timestep = first_timestep(family, 3)
    going_on = TimeStep(**{**vars(timestep), "episode_start": torch.tensor([True, False, False])})
    first, context = policy.act(timestep, policy.initial_context(3), torch.Generator())
    second, _ = policy.act(going_on, context, torch.Generator())
    assert torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])


@pytest.mark.parametrize(
    ("id", "name", "settings"),
    [
        ("CartPole-v1", "PPO", {"policy_kwargs": {"net_arch": [5], "activation_fn": "ReLU"}}),
        ("MiniGrid-Empty-5x5-v0", "PPO", {}),
        ("Pendulum-v1", "RecurrentPPO", {"policy_kwargs": {"lstm_hidden_size": 7}}),
        ("Pendulum-v1", "PPO", {"use_sde": True}),
        ("Pendulum-v1", "SAC", {"buffer_size": 97, "policy_kwargs": {"net_arch": [5]}}),
        ("CartPole-v1", "QR-DQN", {"buffer_size": 97, "policy_kwargs": {"net_arch": [5]}}),
        ("CartPole-v1", "A2C", {}),
    ],
)
def test_a_saved_policy_acts_as_before(tmp_path: Path, id: str, name: str, settings: Any):
    policy, family = trained(id, name, **settings)
    policy.save(tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]
    same_actions(policy, SB3Policy.load(tmp_path), family)


def test_what_normalises_observations_is_saved_too(tmp_path: Path):
    policy, family = trained("Pendulum-v1", normalize=True)
    policy.save(tmp_path)
    loaded = SB3Policy.load(tmp_path)
    same_actions(policy, loaded, family)
    loaded._normalization = None
    with pytest.raises(AssertionError):
        same_actions(policy, loaded, family)


def test_a_policy_of_pixels_is_saved(tmp_path: Path):
    family = FlashFamily()
    model = make_model(PPO, vec_env(family), seed=3, settings=SMALL).learn(16)
    policy = SB3Policy(model, family.observation_space, family.action_space)
    policy.save(tmp_path)
    same_actions(policy, SB3Policy.load(tmp_path), family)


def test_a_policy_of_pixels_sees_what_it_was_trained_on():
    family = FlashFamily()
    model = make_model(PPO, vec_env(family), seed=3, settings=SMALL)
    policy = SB3Policy(model, family.observation_space, family.action_space, deterministic=True)
    seen = torch.arange(37 * 41 * 3).reshape(1, 37, 41, 3).to(torch.uint8).repeat(2, 1, 1, 1)
    with torch.no_grad():
        expected = model.policy.get_distribution(seen.permute(0, 3, 1, 2)).mode()  # type: ignore
    timestep = TimeStep.first(seen, family.action_space)
    assert torch.equal(policy.act(timestep, (), torch.Generator())[0], expected)


@pytest.mark.parametrize("id", ["FrozenLake-v1", "Blackjack-v1"])
def test_what_cannot_be_normalised_stays_as_it_is(tmp_path: Path, id: str):
    policy, family = trained(id, normalize=True)
    policy.save(tmp_path)
    same_actions(policy, SB3Policy.load(tmp_path), family)


def test_images_are_left_to_sb3(tmp_path: Path):
    env = normalized(vec_env(FlashFamily()))
    assert env.reset().dtype == np.uint8


def first_timestep(family: TaskFamily, rows: int) -> TimeStep:
    env = family.vector_env(family.sample_tasks(rows, seed=1))
    return TimeStep.first(env.reset(seed=0)[0], family.action_space)


def same_actions(one: SB3Policy, other: SB3Policy, family: TaskFamily) -> None:
    timestep = first_timestep(family, 11)
    actions = [
        policy.act(timestep, policy.initial_context(11), torch.Generator().manual_seed(2))[0]
        for policy in (one, other)
    ]
    map_tree(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), *actions)


# The learner's view.


class Peeking(CounterFamily, LearnerView):
    """Lets a learner see twice its step."""

    learner_observation_space = spaces.Box(-100, 100, (1,))

    def learner_observation(self, env: Any) -> torch.Tensor:
        return 2 * torch.from_numpy(env._buffers.opening[:, :1].copy())

    def learner_outcome(self, env: Any) -> torch.Tensor:
        return 2 * torch.from_numpy(env._buffers.outcome[:, :1].copy())


def test_a_learner_may_see_more_than_the_observation():
    env = TaskVecEnv(Peeking().vector_env(Peeking().sample_tasks(1, seed=0)), learner_view=True)
    assert env.reset().shape == (1, 1)
    for _ in range(3):
        *_, infos = env.step(np.zeros((1, 1), np.float32))
    assert infos[0]["terminal_observation"].tolist() == [6]


# Refusals.


def test_an_unknown_algorithm_names_the_nearest():
    with pytest.raises(ConfigError, match=r"no algorithm 'PPOO'. Did you mean 'PPO'"):
        algorithm("PPOO")


@pytest.mark.parametrize("name", ["ppo", "qr-dqn", "recurrent_ppo", "TQC"])
def test_names_of_algorithms_are_forgiving(name: str):
    assert algorithm(name).__name__ in ("PPO", "QRDQN", "RecurrentPPO", "TQC")


def test_an_algorithm_that_cannot_act_there_is_refused():
    with pytest.raises(SpaceError, match="SAC cannot serve this environment"):
        make_model(SAC, vec_env(GymnasiumFamily("CartPole-v1")), seed=0)


def test_an_unknown_setting_is_named():
    with pytest.raises(ConfigError, match="PPO has no setting 'n_step'"):
        make_model(PPO, vec_env(CounterFamily()), seed=0, settings={"n_step": 3})


def test_an_unknown_policy_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"PPO has no policy 'Mlp'\. It has: MlpPolicy, Cnn"):
        make_model(PPO, vec_env(CounterFamily()), seed=0, policy="Mlp")


def test_noise_of_actions_is_given_as_its_deviation():
    family = CounterFamily()
    settings = {"action_noise": 0.5, "buffer_size": 97, "policy_kwargs": {"net_arch": [5]}}
    model = make_model(algorithm("TD3"), vec_env(family), seed=0, settings=settings)
    assert isinstance(model.action_noise, NormalActionNoise)
    assert (model.action_noise._mu, model.action_noise._sigma) == ([0.0], [0.5])


def test_only_classes_of_torch_can_be_named():
    with pytest.raises(ConfigError, match=r"activation_fn = .* names no class"):
        make_model(
            PPO,
            vec_env(CounterFamily()),
            seed=0,
            settings={"policy_kwargs": {"activation_fn": "os.system"}},
        )


def test_actions_without_bounds_are_refused():
    with pytest.raises(SpaceError, match="finite bounds"):
        ActionView(spaces.Box(-np.inf, np.inf, (1,)))


def test_a_policy_of_other_spaces_is_refused():
    policy, _ = trained("CartPole-v1")
    other = GymnasiumFamily("Pendulum-v1")
    with pytest.raises(SpaceError, match="this model was trained on"):
        SB3Policy(policy._model, other.observation_space, other.action_space)


def test_a_damaged_policy_is_refused(tmp_path: Path):
    policy, _ = trained("CartPole-v1")
    policy.save(tmp_path)
    path = tmp_path / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DamagedFileError, match=r"policy\.safetensors"):
        SB3Policy.load(tmp_path)


def test_without_stable_baselines3_the_extra_is_named():
    program = (
        "import sys; sys.modules['stable_baselines3'] = None\n"
        "try:\n    import icrl.sb3\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert MissingPackageError.__name__ in run.stdout and 'pip install "icrl[sb3]"' in run.stdout
