"""Learning beside a context: what is learned, in which order, what is kept."""

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from icrl.agent import Interface
from icrl.checkpoints import under
from icrl.errors import ConfigError, DamagedFileError
from icrl.families import TaskFamily
from icrl.run import Run
from icrl.testing import Corridor, random_trial
from icrl.testing.counter import CounterFamily
from icrl.training_view import training_view
from icrl_cadm.config import CaDMConfig
from icrl_cadm.learning import CaDMAgent, Training
from icrl_cadm.model_free.clues import TRANSITIONS
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent
from icrl_cadm.transitions import Transitions

CPU = torch.device("cpu")
KINDS = ["none", "stacked", "probabilistic", "cadm", "probed"]
SMALL_MODEL = CaDMConfig(
    context_size=3,
    encoder=(7,),
    hidden=(7, 7),
    iterations=2,
    num_envs=3,
    steps_per_iteration=33,
    epochs=2,
    batch_size=32,
    horizon=2,
    candidates=4,
    elites=2,
    refinements=1,
)
SMALL = ModelFreeConfig(
    past=2,
    steps=60,
    num_envs=3,
    rollout=10,
    epochs=2,
    minibatches=2,
    encoder=(7,),
    hidden=(7,),
    context_size=3,
    dynamics=SMALL_MODEL,
)


def agent_for(family: TaskFamily, kind: str, **settings) -> ModelFreeAgent:
    return ModelFreeAgent(replace(SMALL, context=kind, **settings), Interface.of(family), CPU)


def learned(
    directory: Path, kind: str, family: TaskFamily | None = None, *, seed: int = 0, **settings
) -> ModelFreeAgent:
    family = family or Corridor()
    agent = agent_for(family, kind, **settings)
    agent.learn(training_view(family, None, seed=0), Run(directory, seed=seed, quiet=True))
    return agent


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


def actions(agent: ModelFreeAgent, *, argmax: bool = False) -> torch.Tensor:
    """What its policy does in 31 rows, at three steps."""
    spaces = agent.interface.observation_space, agent.interface.action_space
    policy, generator = agent.policy(argmax=argmax), torch.Generator().manual_seed(0)
    context, found = policy.initial_context(31), []
    for timestep in random_trial(*spaces, 31, 3, torch.Generator().manual_seed(1)):
        action, context = policy.act(timestep, context, generator)
        found.append(action)
    return torch.stack(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [Corridor, CounterFamily])
def test_every_part_of_the_actor_learns(tmp_path, kind, family):
    agent = learned(tmp_path, kind, family())
    start = agent_for(family(), kind).actor.state_dict()
    for name, tensor in agent.actor.state_dict().items():
        assert tensor.isfinite().all(), name
        assert not torch.equal(tensor, start[name]), name


def ppo(kind: str, config: ModelFreeConfig) -> PPO:
    """The learner as SB3 has it."""
    agent = ModelFreeAgent(replace(config, context=kind), Interface.of(Corridor()), CPU)
    return agent.model(agent.environment(Corridor(), seed=0), seed=0)


PAPERS = {
    "n_envs": 10,
    "n_steps": 200,
    "n_epochs": 8,
    "batch_size": 500,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "ent_coef": 0.0,
    "vf_coef": 0.25,
    "max_grad_norm": 0.5,
}
"""PPO + CaDM's, as SB3 names them: four minibatches of a rollout, and half of half an error."""


@pytest.mark.parametrize("kind", KINDS)
def test_ppos_defaults_are_the_papers(kind):
    model = ppo(kind, ModelFreeConfig(dynamics=SMALL_MODEL))
    assert {name: getattr(model, name) for name in PAPERS} == PAPERS


def test_the_papers_learning_rate_falls_from_half_a_thousandth_to_nothing():
    model = ppo("none", ModelFreeConfig())
    assert model.policy.optimizer.param_groups[0]["lr"] == 5e-4
    assert [model.lr_schedule(left) for left in (1, 0.5, 0)] == pytest.approx([5e-4, 2.5e-4, 0])


def test_the_papers_clipping_falls_from_a_fifth_to_nothing():
    model = ppo("none", ModelFreeConfig())
    assert [model.clip_range(left) for left in (1, 0.5, 0)] == pytest.approx([0.2, 0.1, 0])


@pytest.mark.parametrize("terminate", [False, True])
def test_a_limit_that_terminates_leaves_nothing_to_bootstrap_from(terminate):
    agent = agent_for(CounterFamily(), "none", limits_terminate=terminate)
    env = agent.environment(CounterFamily(), seed=0)
    env.reset()
    for _ in range(3):  # an episode's steps
        infos = env.step(np.zeros((3, 1), np.float32))[-1]
    assert [info.get("TimeLimit.truncated", False) for info in infos] == [not terminate] * 3


def layers(network: torch.nn.Module) -> list[object]:
    """Units of the linear layers, and what lies between them."""
    linear = torch.nn.Linear
    return [x.out_features if isinstance(x, linear) else type(x) for x in network.children()]


@pytest.mark.parametrize("kind", KINDS)
def test_actor_and_critic_have_two_layers_of_64_tanh_units(kind):
    model = ppo(kind, ModelFreeConfig(dynamics=SMALL_MODEL))
    expected = [64, torch.nn.Tanh, 64, torch.nn.Tanh]
    assert layers(model.policy.mlp_extractor.policy_net) == expected
    assert layers(model.policy.mlp_extractor.value_net) == expected


@pytest.mark.parametrize("kind", ["none", "stacked", "cadm", "probed"])
def test_the_critics_loss_moves_its_own_weights_alone(kind):
    policy = ppo(kind, SMALL).policy
    seen = {name: torch.zeros(1, *box.shape) for name, box in policy.observation_space.items()}
    policy.predict_values(seen).sum().backward()
    moved = {name for name, weight in policy.named_parameters() if weight.grad is not None}
    own = ("mlp_extractor.value_net", "value_net")
    assert moved == {name for name, _ in policy.named_parameters() if name.startswith(own)}


def test_every_setting_of_ppo_reaches_it_by_its_name():
    config = ModelFreeConfig(
        num_envs=3,
        rollout=14,
        epochs=5,
        minibatches=2,
        gamma=0.97,
        gae_lambda=0.93,
        entropy=0.11,
        value=0.31,
        gradient_norm=0.71,
        hidden=(13, 17),
    )
    model = ppo("none", config)
    assert {name: getattr(model, name) for name in PAPERS} == {
        "n_envs": 3,
        "n_steps": 14,
        "n_epochs": 5,
        "batch_size": 21,
        "gamma": 0.97,
        "gae_lambda": 0.93,
        "ent_coef": 0.11,
        "vf_coef": 0.31,
        "max_grad_norm": 0.71,
    }
    assert layers(model.policy.mlp_extractor.policy_net)[::2] == [13, 17]
    assert layers(model.policy.mlp_extractor.value_net)[::2] == [13, 17]
    assert model.env.gamma == 0.97


def test_ppos_episodes_are_on_tasks_drawn_anew():
    drawn = []
    view = training_view(Corridor(), None, seed=0)
    vector_env = view.vector_env
    view.vector_env = lambda *args, **kwargs: drawn.append(kwargs) or vector_env(*args, **kwargs)
    agent_for(Corridor(), "stacked").environment(view, seed=0)
    assert drawn == [{"num_envs": 3, "episodes_per_task": 1}]


def test_the_learning_rate_and_the_clipping_fall_by_a_straight_line():
    agent = agent_for(Corridor(), "stacked", learning_rate=1e-3, clip=0.4)
    env = agent.environment(Corridor(), seed=0)
    model = agent.model(env, seed=0)
    assert [model.lr_schedule(left) for left in (1.0, 0.5, 0.0)] == pytest.approx([1e-3, 5e-4, 0])
    assert [model.clip_range(left) for left in (1.0, 0.5, 0.0)] == pytest.approx([0.4, 0.2, 0])


def test_states_are_standardised_and_contexts_are_not():
    env = agent_for(Corridor(), "cadm").environment(Corridor(), seed=0)
    assert env.norm_obs_keys == ["state"] and not env.norm_reward
    env = agent_for(Corridor(), "probabilistic", normalize_rewards=True).environment(
        Corridor(), seed=0
    )
    assert env.norm_obs_keys == ["state", TRANSITIONS] and env.norm_reward


# A model is trained first.


@pytest.mark.parametrize(("kind", "iterations"), [("cadm", 2), ("probed", 1)])
def test_ppo_learns_on_the_context_of_a_model_that_was_trained_before(tmp_path, kind, iterations):
    """Of random transitions, all there from the first, half the iterations make as many updates."""
    agent = learned(tmp_path, kind)
    first, _, _ = Run(tmp_path / "dynamics").load_checkpoint()
    assert first == iterations * 11 * 3
    fresh = agent_for(Corridor(), kind).dynamics.model
    assert not same(agent.dynamics.model, fresh)
    clues = agent.policy()._memory.clues
    assert same(clues._model, agent.dynamics.model)


def test_ppo_moves_nothing_in_the_model(tmp_path):
    agent = learned(tmp_path, "cadm")
    alone = CaDMAgent(agent.config.dynamics, agent.interface, CPU)
    alone.learn(training_view(Corridor(), None, seed=0), Run(tmp_path / "alone", quiet=True))
    assert same(agent.dynamics.model, alone.model)


def test_every_round_of_an_embedding_is_logged_once_though_the_run_is_killed(tmp_path, monkeypatch):
    """In the second of two rounds, after its log and before its checkpoint."""
    model, save = replace(SMALL_MODEL, iterations=4), Training.save

    def save_once(training):
        if training.iteration == 2:
            raise KeyboardInterrupt
        save(training)

    monkeypatch.setattr(Training, "save", save_once)
    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path, "probed", dynamics=model)
    monkeypatch.setattr(Training, "save", save)
    learned(tmp_path, "probed", dynamics=model)
    rows = (tmp_path / "dynamics" / "progress.csv").read_text().splitlines()[1:]
    assert [row.partition(",")[0] for row in rows] == ["33", "66"]


def test_an_embedding_is_learned_of_episodes_first_transitions(tmp_path):
    """By the controls' mean in the histories that the model was trained on."""
    model = learned(tmp_path, "probed").dynamics.model
    _, tensors, _ = Run(tmp_path / "dynamics").load_checkpoint()
    played = Transitions(**under("transitions", tensors))
    every = torch.arange(len(played))
    first, last = (
        replace(played, opening=opening).history(every, 2).control.mean((0, 1))
        for opening in (True, False)
    )
    torch.testing.assert_close(model.past_controls.mean, first)
    assert not torch.allclose(first, last)


# Runs.


@pytest.mark.parametrize("kind", ["probabilistic", "cadm", "probed"])
def test_a_seed_makes_an_agent_repeat(tmp_path, kind):
    first, second = (learned(tmp_path / name, kind, seed=3) for name in ("first", "second"))
    assert same(first.actor, second.actor)
    assert not same(first.actor, learned(tmp_path / "other", kind, seed=4).actor)


def test_learning_leaves_the_global_generators_alone(tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    learned(tmp_path, "probed")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


class Killed(Exception):
    """Stands for a process that dies."""


def dying(path: str, step: int):
    """Runs that keep every checkpoint, and die after one in that file."""

    class Dying(Run):
        def checkpoint_due(self):
            return True

        def save_checkpoint(self, at, tensors, state):
            super().save_checkpoint(at, tensors, state)
            if self.checkpoint_path.parent.name == path and at >= step:
                raise Killed

    return Dying


@pytest.mark.parametrize("kind", ["cadm", "probed"])
@pytest.mark.parametrize(("stage", "step"), [("dynamics", 33), ("run", 30)])
def test_a_killed_run_goes_on_where_it_was(tmp_path, kind, stage, step):
    dies = dying(stage, step)
    view = training_view(Corridor(), None, seed=0)
    with pytest.raises(Killed):
        agent_for(Corridor(), kind).learn(view, dies(tmp_path / "run", quiet=True))
    agent = learned(tmp_path / "run", kind)
    assert Run(tmp_path / "run").load_checkpoint()[0] == 60
    assert same(agent.dynamics.model, learned(tmp_path / "other", kind).dynamics.model)


def test_an_interrupted_run_keeps_what_it_learned(tmp_path):
    class Pressed(Run):
        """A run in which the user presses Ctrl-C after the first update."""

        def log(self, step, scalars):
            super().log(step, scalars)
            signal.raise_signal(signal.SIGINT)

    view = training_view(Corridor(), None, seed=0)
    with pytest.raises(KeyboardInterrupt):
        agent_for(Corridor(), "stacked").learn(view, Pressed(tmp_path, quiet=True))
    assert Run(tmp_path).load_checkpoint()[0] == 30


@pytest.mark.parametrize("kind", ["probabilistic", "cadm", "probed"])
def test_a_finished_run_has_nothing_left_to_do(tmp_path, kind):
    first = learned(tmp_path, kind)
    logs = {path: path.read_text() for path in tmp_path.rglob("progress.csv")}
    assert same(learned(tmp_path, kind).actor, first.actor)
    assert {path: path.read_text() for path in tmp_path.rglob("progress.csv")} == logs


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    learned(tmp_path, "probabilistic", kl=0.4)
    with pytest.raises(ConfigError, match=r"other settings .*kl = 0\.4, now 0\.5"):
        learned(tmp_path, "probabilistic", kl=0.5)


# Files.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [Corridor, CounterFamily])
def test_a_loaded_agent_acts_as_the_saved_one(tmp_path, kind, family):
    agent = learned(tmp_path / "run", kind, family())
    agent.save(tmp_path / "agent")
    loaded = ModelFreeAgent.load(tmp_path / "agent", CPU)
    assert (loaded.config, loaded.interface) == (agent.config, agent.interface)
    assert torch.equal(actions(loaded), actions(agent))
    assert torch.equal(actions(loaded, argmax=True), actions(agent, argmax=True))


@pytest.mark.parametrize("folder", ["", "dynamics/"])
@pytest.mark.parametrize("name", ["config.toml", "interface.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_damaged_agent_is_refused_by_the_file(tmp_path, folder, name, damage):
    agent_for(Corridor(), "cadm").save(tmp_path)
    path = tmp_path / f"{folder}{name}"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(b"{ this is something else")
    with pytest.raises(
        (DamagedFileError, ConfigError), match=f"{folder}{name}".replace(".", r"\.")
    ):
        ModelFreeAgent.load(tmp_path, CPU)
