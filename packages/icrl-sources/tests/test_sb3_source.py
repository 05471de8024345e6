"""The source `sb3`: each row is what the learner really saw and did, whatever SB3 does to it."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from torch.nn.utils import parameters_to_vector

from icrl.agent import Interface
from icrl.config import presets
from icrl.errors import ConfigError, SpaceError
from icrl.families import LearnerView, TaskFamily
from icrl.histories import collect
from icrl.run import Run
from icrl.sb3 import TaskVecEnv, make_model, own_globals
from icrl.spaces import from_arrays
from icrl.testing.counter import CounterFamily
from icrl.trees import leaves, map_tree
from icrl.wrapped import GymnasiumFamily
from icrl_sources.recording import RecordedVectorEnv
from icrl_sources.sb3 import SB3Source, train
from icrl_sources.sb3_config import SB3Config

PPO = {"n_steps": 5, "batch_size": 5, "n_epochs": 1}
SMALL_NET = {"policy_kwargs": {"net_arch": [3]}}


class Memory:
    """A recorder that keeps every step in memory."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.rows: list[dict[str, Any]] = []

    def step(self, **row: Any) -> None:
        assert len(self.rows) < self.steps
        self.rows.append({name: map_tree(torch.clone, value) for name, value in row.items()})

    def column(self, name: str) -> torch.Tensor:
        """[streams, steps, ...]."""
        return torch.stack([row[name] for row in self.rows], dim=1)


def recorded(family: TaskFamily, *, seed: int = 3, **settings: Any) -> Memory:
    config = SB3Config(**({"steps": 23, "num_envs": 2, "settings": PPO} | settings))
    source = SB3Source(config, family, torch.device("cpu"))
    memory = Memory(source.steps)
    source.record(family.sample_tasks(1, seed=7), memory, seed=seed)  # type: ignore[arg-type]
    return memory


class Watched(CounterFamily):
    """Counters that remember what they received, and all that they said."""

    def __init__(self, length: int = 3, how: str = "truncated") -> None:
        self.made: list[Any] = []
        super().__init__(length, how)
        self.made.clear()

    def make_env(self, render_mode: str | None = None) -> Any:
        self.made.append(super().make_env())
        return self.made[-1]

    def received(self, num_envs: int) -> torch.Tensor:
        """What the last environments received, [envs, 23]."""
        return torch.tensor([env.received[:23] for env in self.made[-num_envs:]])


# A counter of 3 steps observes [step, task, last action]; its reward is the step.
#   step         0  1  2  3  4 ...
#   observation  0  1  2  0  1
#   outcome      1  2  3  1  2
#   reward       1  2  3  1  2
#   truncated    -  -  x  -  -


def test_a_row_pairs_an_observation_with_what_followed():
    memory = recorded(CounterFamily())
    step = torch.arange(23)
    assert memory.column("observation")[1, :, 0].tolist() == (step % 3).tolist()
    assert memory.column("outcome")[1, :, 0].tolist() == (step % 3 + 1).tolist()
    assert memory.column("truncated")[1].tolist() == (step % 3 == 2).tolist()
    assert not memory.column("terminated").any()
    assert torch.equal(memory.column("outcome")[..., 2], memory.column("action")[..., 0])


def test_rewards_are_the_environments_although_sb3_adds_to_them_after_a_truncation():
    memory = recorded(CounterFamily())
    assert memory.column("reward")[0].tolist() == (torch.arange(23) % 3 + 1).tolist()


def test_the_last_observation_of_an_episode_is_not_the_next_ones_first():
    memory = recorded(CounterFamily())
    ended = memory.column("truncated")
    assert set(memory.column("outcome")[ended][:, 0].tolist()) == {3}


@pytest.mark.parametrize("how", ["truncated", "terminated"])
def test_truncation_is_told_from_termination(how: str):
    memory = recorded(CounterFamily(how=how))
    other = {"truncated": "terminated", "terminated": "truncated"}[how]
    assert memory.column(how).sum() == 2 * 7 and memory.column(other).sum() == 0


def test_normalisation_is_the_learners_own_affair():
    memory = recorded(CounterFamily(), normalize=True)
    assert memory.column("observation")[0, :4].tolist()[1][:2] == [1, 70]
    assert memory.column("reward")[0, :4].tolist() == [1, 2, 3, 1]


def test_stopping_by_the_callback_loses_nothing():
    memory = recorded(CounterFamily(), steps=7, settings=PPO | {"n_steps": 5})
    assert len(memory.rows) == 7
    assert "log_probability" in memory.rows[-1]
    assert memory.column("log_probability").isfinite().all()


def test_each_environment_is_a_stream_of_its_own():
    family = Watched()
    memory = recorded(family, num_envs=3)
    received = family.received(3)
    assert torch.equal(memory.column("action")[..., 0], received)
    assert len(set(received[:, 0].tolist())) == 3


def test_the_update_index_counts_changes_of_the_policy():
    memory = recorded(CounterFamily())
    assert memory.column("update")[0].tolist() == [step // 5 for step in range(23)]


def test_an_action_is_recorded_as_the_environment_received_it():
    family = Watched()
    memory = recorded(family, settings=PPO | {"policy_kwargs": {"log_std_init": 3.0}})
    actions = memory.column("action")
    assert actions.abs().max() == 2
    assert torch.equal(actions[..., 0], family.received(2))


@pytest.mark.parametrize("algorithm", ["SAC", "TD3", "DDPG", "TQC"])
def test_an_off_policy_action_is_recorded_in_the_environments_scale(algorithm: str):
    family = Watched()
    settings = SMALL_NET | {"learning_starts": 20, "batch_size": 3}
    memory = recorded(family, algorithm=algorithm, settings=settings)
    actions = memory.column("action")
    assert torch.equal(actions[..., 0], family.received(2))
    assert actions.abs().max() > 1  # SB3 itself keeps actions in -1..1
    assert "log_probability" not in memory.rows[0]


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("A2C", {}),
        ("TRPO", {"n_steps": 5, "batch_size": 5}),
        ("DQN", SMALL_NET | {"learning_starts": 3, "batch_size": 3}),
        ("QR-DQN", SMALL_NET | {"learning_starts": 3, "batch_size": 3}),
        ("RecurrentPPO", PPO | {"policy_kwargs": {"lstm_hidden_size": 3}}),
        ("ARS", {"n_delta": 1}),
    ],
)
def test_algorithms_of_both_packages_are_recorded(algorithm: str, settings: Any):
    family = GymnasiumFamily("CartPole-v1")
    memory = recorded(family, algorithm=algorithm, settings=settings)
    follows_rules_of_a_history(memory, family)
    assert memory.column("update").max() > 0 or algorithm == "ARS"


@pytest.mark.parametrize(
    "id", ["CartPole-v1", "Pendulum-v1", "MiniGrid-Empty-5x5-v0", "Blackjack-v1"]
)
def test_environments_of_every_kind_are_recorded(id: str):
    family = GymnasiumFamily(id)
    follows_rules_of_a_history(recorded(family), family)


def follows_rules_of_a_history(memory: Memory, family: TaskFamily) -> None:
    """Observations follow outcomes except after an end; playing the actions again pays the same."""
    assert len(memory.rows) == memory.steps
    for before, after in zip(memory.rows, memory.rows[1:], strict=False):
        going_on = ~(before["terminated"] | before["truncated"])
        for (_, outcome), (_, observation) in zip(
            leaves(before["outcome"]), leaves(after["observation"]), strict=True
        ):
            assert torch.equal(outcome[going_on], observation[going_on])
    env, task = family.make_env(), family.sample_tasks(1, seed=7).row(0)  # type: ignore[attr-defined]
    ended = True
    for row in memory.rows:
        if ended:
            family.reset_to(env, task, None)  # type: ignore[attr-defined]
        action = from_arrays(family.action_space, map_tree(lambda leaf: leaf[1], row["action"]))
        _, reward, terminated, _, _ = env.step(action)
        assert row["reward"][1] == np.float32(reward) and row["terminated"][1] == terminated
        ended = bool(row["terminated"][1] or row["truncated"][1])


def test_the_same_seed_gives_the_same_history():
    family = GymnasiumFamily("Pendulum-v1")
    first, again, other = (recorded(family, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(first.column(name), again.column(name)) for name in first.rows[0])
    assert not torch.equal(first.column("action"), other.column("action"))


def test_global_generators_are_left_as_they_were():
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    recorded(CounterFamily())
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_generators_of_cuda_are_left_as_they_were():
    torch.cuda.init()
    states = torch.cuda.get_rng_state_all()
    recorded(CounterFamily())
    assert all(map(torch.equal, states, torch.cuda.get_rng_state_all()))


def test_recording_does_not_change_what_is_learned():
    family = CounterFamily()
    source = SB3Source(SB3Config(steps=20, num_envs=2, settings=PPO), family, torch.device("cpu"))
    task = family.sample_tasks(1, seed=7).repeat(2)
    recorder: Any = Memory(20)
    ours = train(
        source.config, stable_baselines3.PPO, family.vector_env(task), seed=5, recorder=recorder
    )
    with own_globals():
        vec_env = TaskVecEnv(family.vector_env(task))
        theirs = make_model(stable_baselines3.PPO, vec_env, seed=5, settings=source.config.settings)
        theirs.learn(40, callback=Stop(after=20))
    assert torch.equal(*(parameters_to_vector(m.policy.parameters()) for m in (ours, theirs)))


class Stop(BaseCallback):
    """Stops a learner at a step, as the recorder does when its history is full."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def _on_step(self) -> bool:
        return self.n_calls < self.after


def test_an_episode_that_a_learner_breaks_off_is_recorded_as_truncated():
    family = CounterFamily(length=5)
    memory = Memory(3)
    env = RecordedVectorEnv(
        family.vector_env(family.sample_tasks(1, seed=0)),
        memory,
        dict,  # type: ignore[arg-type]
    )
    env.reset(seed=0)
    env.step(np.zeros((1, 1)))
    env.step(np.zeros((1, 1)))
    env.reset()
    env.step(np.zeros((1, 1)))
    env.finish()
    assert memory.column("truncated").tolist() == [[False, True, False]]
    assert memory.column("outcome")[0, :, 0].tolist() == [1, 2, 1]


class Peeking(CounterFamily, LearnerView):
    """Lets a learner see more than is recorded."""

    learner_observation_space = spaces.Box(-100, 100, (7,))

    def learner_observation(self, env: Any) -> torch.Tensor:
        return torch.ones(env.num_envs, 7)

    def learner_outcome(self, env: Any) -> torch.Tensor:
        return torch.ones(env.num_envs, 7)


def test_what_a_learner_sees_in_addition_is_never_recorded():
    assert recorded(Peeking()).column("observation").shape == (2, 23, 3)


def test_a_store_is_filled_the_same_each_time(tmp_path: Path):
    family = GymnasiumFamily("MiniGrid-Empty-5x5-v0")
    tasks = family.sample_tasks(3, seed=0)
    config = SB3Config(steps=23, num_envs=2, settings=PPO)
    stores = []
    for name in ("first", "second"):
        source = SB3Source(config, family, torch.device("cpu"))
        run = Run(tmp_path / "run", quiet=True)
        stores.append(collect(source, family, tasks, tmp_path / name, seed=5, run=run))
    summary = stores[0].info()
    assert (summary.streams, summary.steps, summary.source) == (6, 138, "sb3")
    assert set(summary.optional_columns) == {"update", "log_probability"}
    first, second = (sorted(s.directory.glob("*.safetensors")) for s in stores)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


# Settings.


def adapted(horizon: int | None, **settings: Any) -> dict[str, Any]:
    interface = Interface(spaces.Discrete(2), spaces.Discrete(2), horizon, "", {})
    return SB3Config(**settings).adapted(interface).settings


def test_a_rollout_is_an_episode_long():
    assert adapted(20) == {"n_steps": 20, "batch_size": 40}
    assert adapted(None) == {"n_steps": 128, "batch_size": 64}
    assert adapted(500, algorithm="recurrent-ppo")["n_steps"] == 128


@pytest.mark.parametrize(
    ("horizon", "num_envs", "size"), [(97, 8, 97), (97, 1, 97), (127, 2, 127), (3, 5, 15)]
)
def test_minibatches_of_a_prime_horizon_are_not_tiny(horizon: int, num_envs: int, size: int):
    assert adapted(horizon, num_envs=num_envs)["batch_size"] == size


def test_a_learner_takes_the_minibatches_of_a_prime_horizon_without_a_warning():
    settings = {"n_steps": 67, "n_epochs": 1}
    memory = recorded(CounterFamily(), num_envs=1, steps=71, settings=settings)
    assert memory.column("update").max() == 1


def test_what_the_user_set_stays():
    assert adapted(20, settings={"n_steps": 7}) == {"n_steps": 7, "batch_size": 56}


def test_a_replay_buffer_has_room_for_the_history():
    assert adapted(20, algorithm="SAC", steps=997, num_envs=2) == {"buffer_size": 1994}


def test_settings_survive_a_file(tmp_path: Path):
    config = SB3Config(settings={"n_steps": 7, "policy_kwargs": {"net_arch": [3]}})
    config.save(tmp_path / "source.toml")
    assert SB3Config.load(tmp_path / "source.toml") == config


def test_presets_are_settings():
    text = Path(sys.modules["icrl_sources.sb3"].__file__).with_name("sb3_presets.toml").read_text()
    for family in ("CartPole-v1", "Pendulum-v1", "Blackjack-v1"):
        for budget in ("smoke", "default", "full"):
            config = SB3Config.from_dict(presets(text, family, budget))
            assert budget != "smoke" or config.steps * config.num_envs <= 400
            SB3Source(config, GymnasiumFamily(family), torch.device("cpu"))


def test_discovery_imports_neither_torch_nor_sb3():
    program = (
        "import sys, icrl_sources.plugin, icrl_sources.sb3_config\n"
        "names = [s.name for s in icrl_sources.plugin.icrl_sources()]\n"
        "print(names, 'torch' in sys.modules, 'stable_baselines3' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['sb3', 'q-learning'] False False"


# Refusals.


def test_an_unknown_algorithm_is_refused_before_anything_is_collected():
    with pytest.raises(ConfigError, match="no algorithm 'PPOO'"):
        recorded(CounterFamily(), algorithm="PPOO")


def test_masked_ppo_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="needs action masks"):
        recorded(CounterFamily(), algorithm="MaskablePPO")


def test_an_algorithm_that_cannot_act_here_is_refused():
    with pytest.raises(SpaceError, match="DQN cannot serve this environment"):
        recorded(CounterFamily(), algorithm="DQN", settings={})


def test_nothing_to_record_is_refused():
    with pytest.raises(ConfigError, match="steps=0"):
        recorded(CounterFamily(), steps=0)
