"""Learning: it learns to learn, goes on exactly where it stopped, and refuses what does not fit."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.errors import ConfigError, DamagedFileError, DeviceError, SpaceError
from icrl.histories import HistoryStore, Manifest
from icrl.run import Run
from icrl.statistics import learns_in_context
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl_ad.config import DistillationConfig
from icrl_ad.learning import DistillationAgent, learning_rate_factor

CPU = torch.device("cpu")
SMALL = DistillationConfig(
    window=12,
    width=16,
    layers=1,
    heads=2,
    feed_forward=20,
    batch=7,
    updates=11,
    attention_dropout=0.3,
    residual_dropout=0.1,
    token_mask=0.1,
)


def agent_for(store, config=SMALL):
    return DistillationAgent(config, store.manifest.interface, CPU)


def learned(store, directory, config=SMALL, **settings):
    agent = agent_for(store, config)
    agent.learn(store, Run(directory, quiet=True, **settings))
    return agent


def same_weights(one, other):
    ours, theirs = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def one_button(count):
    """What pays [count, places], each button in turn, the same at all places."""
    return (torch.arange(count) % 5)[:, None].expand(-1, 3)


def test_it_learns_in_context(learners, tmp_path, play):
    config = replace(SMALL, width=32, updates=300, batch=32, attention_dropout=0.0, token_mask=0.0)
    policy = learned(learners, tmp_path, config).policy()
    assert learns_in_context(play(policy, one_button(60), 8).numpy()).p_value < 1e-3


@pytest.mark.slow
def test_it_finds_combinations_that_no_learner_was_recorded_on(tmp_path, play, record, search):
    """125 combinations of three buttons, of which every fifth is held out."""
    combinations = torch.cartesian_prod(*[torch.arange(5)] * 3)
    held_out = combinations.sum(1) % 5 == 0
    generator = torch.Generator().manual_seed(0)
    pays = combinations[~held_out].repeat(20, 1)
    store = record(tmp_path / "histories", search(pays, generator), pays)
    config = DistillationConfig(window=24, updates=1500, batch=64, learning_rate=8e-3)
    returns = play(learned(store, tmp_path / "run", config).policy(), combinations[held_out], 8)
    assert learns_in_context(returns.numpy()).p_value < 1e-4
    assert returns[:, -1].mean() > 2.4


def test_equal_seeds_learn_equal_weights(learners, tmp_path):
    first = learned(learners, tmp_path / "first", seed=3)
    second = learned(learners, tmp_path / "second", seed=3)
    other = learned(learners, tmp_path / "other", seed=4)
    assert same_weights(first, second)
    assert not same_weights(first, other)


def test_learning_leaves_the_global_generator_alone(learners, tmp_path):
    before = torch.get_rng_state()
    learned(learners, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


class Killed(Exception):
    """Stands for a process that dies."""


class Dying(Run):
    """A run that saves after every third update and dies in the eighth."""

    def checkpoint_due(self):
        return True

    def save_checkpoint(self, step, tensors, state):
        if step % 3 == 0:
            super().save_checkpoint(step, tensors, state)

    def log(self, step, scalars):
        if step == 8:
            raise Killed
        super().log(step, scalars)


def test_a_killed_run_goes_on_to_the_same_weights_bit_for_bit(learners, tmp_path):
    whole = learned(learners, tmp_path / "whole")
    with pytest.raises(Killed):
        agent_for(learners).learn(learners, Dying(tmp_path / "killed", quiet=True))
    assert Run(tmp_path / "killed").load_checkpoint()[0] == 6
    resumed = learned(learners, tmp_path / "killed")
    assert same_weights(resumed, whole)
    logs = [tmp_path / run / "progress.csv" for run in ("whole", "killed")]
    first, second = (np.loadtxt(log, delimiter=",", skiprows=1) for log in logs)
    assert np.array_equal(first, second)


class Interrupted(Run):
    """A run in which the user presses Ctrl-C in the middle of the fifth update."""

    def log(self, step, scalars):
        super().log(step, scalars)
        if step == 5:
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_run_loses_no_update(learners, tmp_path):
    whole = learned(learners, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        agent_for(learners).learn(learners, Interrupted(tmp_path / "stopped", quiet=True))
    assert Run(tmp_path / "stopped").load_checkpoint()[0] == 5
    assert same_weights(learned(learners, tmp_path / "stopped"), whole)


def test_a_finished_run_has_nothing_left_to_do(learners, tmp_path):
    first = learned(learners, tmp_path)
    log = (tmp_path / "progress.csv").read_text()
    assert same_weights(learned(learners, tmp_path), first)
    assert (tmp_path / "progress.csv").read_text() == log


def test_expert_distillation_sees_the_last_part_of_histories_alone(turncoats, tmp_path, play):
    config = replace(SMALL, updates=60, attention_dropout=0.0, token_mask=0.0, learning_rate=1e-2)
    pays = torch.ones(101, 3, dtype=torch.int64)
    expert = learned(turncoats, tmp_path / "ed", replace(config, last_part=0.25)).policy()
    whole = learned(turncoats, tmp_path / "ad", config).policy()
    assert play(expert, pays, 2).mean() > 2.7
    assert play(whole, pays, 2).mean() < 1.5


def test_a_loaded_agent_acts_as_the_saved_one(learners, tmp_path, play):
    agent = learned(learners, tmp_path / "run")
    agent.save(tmp_path / "agent")
    names = sorted(path.name for path in (tmp_path / "agent").iterdir())
    assert names == ["config.toml", "interface.json", "weights.safetensors"]
    loaded = DistillationAgent.load(tmp_path / "agent", CPU)
    assert (loaded.config, loaded.interface) == (agent.config, agent.interface)
    pays = one_button(5)
    assert torch.equal(play(loaded.policy(), pays, 3), play(agent.policy(), pays, 3))


def test_a_policy_is_a_copy_that_later_learning_does_not_change(learners, tmp_path):
    agent = agent_for(learners)
    policy = agent.policy()
    before = {name: tensor.clone() for name, tensor in policy.model.state_dict().items()}
    agent.learn(learners, Run(tmp_path, quiet=True))
    assert all(torch.equal(t, before[n]) for n, t in policy.model.state_dict().items())
    assert not any(weight.requires_grad for weight in policy.model.parameters())


def test_continuous_actions_are_distilled(tmp_path):
    """Each learner always turns by an amount of its own; in context, the policy by as much."""
    interface = Interface(
        spaces.Box(-np.inf, np.inf, (3,), np.float32),
        spaces.Box(-2.0, 2.0, (1,), np.float32),
        5,
        "test/Turning",
        {},
    )
    manifest = Manifest(interface=interface, split="train", source="script", config={}, seed=0)
    amounts = torch.linspace(-1.9, 1.9, 31)
    store = HistoryStore.create(tmp_path / "histories", manifest)
    tasks = Tasks(interface.family, {}, "train", {"amount": amounts})
    never = torch.zeros(31, dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    with store.append(tasks, streams_per_task=1, steps=20) as recorder:
        for step in range(20):
            seen = torch.randn(31, 3, generator=generator) * 100
            ends = torch.full_like(never, step % 5 == 4)
            recorder.step(seen, amounts[:, None], -amounts.abs(), never, ends, seen)
    config = replace(SMALL, updates=150, learning_rate=1e-2, attention_dropout=0.0, token_mask=0.0)
    agent = learned(HistoryStore.open(tmp_path / "histories"), tmp_path / "run", config)
    norm = agent.model.encoder.observation.parts[0].norm
    assert (norm.spread - 100).abs().max() < 15

    policy = agent.policy(argmax=True)
    context = policy.initial_context(31)
    for _ in range(6):
        timestep = TimeStep(
            observation=torch.zeros(31, 3),
            action=amounts[:, None],
            reward=-amounts.abs(),
            outcome=torch.zeros(31, 3),
            terminated=never,
            episode_start=never,
        )
        action, context = policy.act(timestep, context, torch.Generator())
    assert (action[:, 0] - amounts).abs().median() < 0.2


def test_mixed_precision_learns_too(learners, tmp_path):
    agent = learned(learners, tmp_path, replace(SMALL, precision="bf16-mixed"))
    assert all(tensor.dtype == torch.float32 for tensor in agent.model.parameters())
    assert all(tensor.isfinite().all() for tensor in agent.model.parameters())


def test_the_learning_rate_makes_one_cycle():
    config = replace(SMALL, updates=100, warmup=0.1, final_learning_rate=0.02)
    factors = [learning_rate_factor(update, config) for update in range(100)]
    assert factors[0] == pytest.approx(1 / 25)
    assert factors[10] == 1.0
    assert factors[55] == pytest.approx((1 + 0.02) / 2)
    assert factors[99] == pytest.approx(0.02, abs=1e-3)
    constant = replace(config, schedule="constant", warmup=0.0)
    assert {learning_rate_factor(update, constant) for update in range(100)} == {1.0}


def test_histories_with_other_spaces_are_refused(learners, tmp_path):
    interface = replace(learners.manifest.interface, action_space=spaces.Discrete(4))
    agent = DistillationAgent(SMALL, interface, CPU)
    with pytest.raises(SpaceError, match=r"action space Discrete\(5\)"):
        agent.learn(learners, Run(tmp_path, quiet=True))


def test_a_checkpoint_of_other_settings_is_refused(learners, tmp_path):
    learned(learners, tmp_path)
    with pytest.raises(ConfigError, match=r"other settings \(updates = 11, now 13\)"):
        learned(learners, tmp_path, replace(SMALL, updates=13))


def test_a_checkpoint_of_another_device_is_refused_without_calling_it_damaged(learners, tmp_path):
    agent = agent_for(learners)
    state = {"settings": agent.config.to_dict(), "device": "cuda"}
    Run(tmp_path).save_checkpoint(3, {"model/x": torch.zeros(2)}, state)
    with pytest.raises(DeviceError, match=r"written on cuda.*--device cuda"):
        agent.learn(learners, Run(tmp_path, quiet=True))


def test_a_checkpoint_of_something_else_is_refused(learners, tmp_path):
    agent = agent_for(learners)
    Run(tmp_path).save_checkpoint(3, {"model/x": torch.zeros(2)}, agent.config.to_dict())
    with pytest.raises(DamagedFileError, match=r"checkpoint\.safetensors is no checkpoint"):
        agent.learn(learners, Run(tmp_path, quiet=True))


@pytest.mark.parametrize("name", ["config.toml", "interface.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_damaged_agent_is_refused_by_the_file(learners, tmp_path, name, damage):
    agent_for(learners).save(tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(b"{ this is something else")
    with pytest.raises((DamagedFileError, ConfigError), match=name.replace(".", r"\.")):
        DistillationAgent.load(tmp_path, CPU)


def test_weights_of_other_settings_are_refused(learners, tmp_path):
    agent_for(learners).save(tmp_path)
    replace(agent_for(learners).config, layers=2).save(tmp_path / "config.toml")
    with pytest.raises(DamagedFileError, match="does not fit the settings"):
        DistillationAgent.load(tmp_path, CPU)
