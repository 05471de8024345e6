"""PPO on the context of a CaDM that was trained before: taken, kept, or refused before training."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from icrl.agent import Interface
from icrl.cli import main
from icrl.errors import ConfigError, ContextError, SpaceError
from icrl.families import TaskFamily
from icrl.run import Run
from icrl.testing import Corridor
from icrl.testing.counter import CounterFamily
from icrl.training_view import training_view
from icrl_cadm.config import CaDMConfig
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent

CPU = torch.device("cpu")
SMALL_MODEL = CaDMConfig(past=4, context_size=3, encoder=(7,), hidden=(7, 7))
SMALL = ModelFreeConfig(steps=60, num_envs=3, rollout=10, minibatches=2, dynamics=SMALL_MODEL)


def agent_for(family: TaskFamily, kind: str, **settings) -> ModelFreeAgent:
    return ModelFreeAgent(replace(SMALL, context=kind, **settings), Interface.of(family), CPU)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


def trained_cadm(directory: Path, family: TaskFamily | None = None, **settings) -> CaDMAgent:
    config = replace(SMALL_MODEL, **settings)
    agent = CaDMAgent(config, Interface.of(family or Corridor()), CPU)
    with torch.no_grad():
        for weight in agent.model.parameters():
            weight.mul_(1.5)
    agent.save(directory / "agent")
    return agent


def test_a_pretrained_model_is_taken_as_it_is(tmp_path):
    given = trained_cadm(tmp_path / "cadm")
    agent = agent_for(Corridor(), "cadm", pretrained=str(tmp_path / "cadm"))
    agent.learn(training_view(Corridor(), None, seed=0), Run(tmp_path / "ppo", quiet=True))
    assert same(agent.dynamics.model, given.model)
    assert (agent.config.past, agent.config.dynamics) == (4, given.config)
    assert not (tmp_path / "ppo" / "dynamics").exists()


def test_a_pretrained_model_fixes_how_many_transitions_are_kept(tmp_path):
    """Also for settings that were adapted before, as the command line's are."""
    trained_cadm(tmp_path)
    interface = Interface.of(Corridor())
    config = replace(SMALL, pretrained=str(tmp_path)).adapted(interface)
    assert ModelFreeAgent(config, interface, CPU).config.past == 4


def test_a_model_that_is_given_is_not_trained_again(tmp_path):
    given = trained_cadm(tmp_path / "cadm")
    before = copy.deepcopy(given.model)
    agent = ModelFreeAgent(SMALL, given.interface, CPU, dynamics=given)
    run = Run(tmp_path / "ppo", quiet=True)
    agent.learn(training_view(Corridor(), None, seed=0), run)
    assert agent.dynamics is given and same(given.model, before)
    assert not (tmp_path / "ppo" / "dynamics").exists()


def test_a_saved_agent_keeps_the_model_that_it_was_given(tmp_path):
    trained_cadm(tmp_path / "cadm")
    agent = agent_for(Corridor(), "cadm", pretrained=str(tmp_path / "cadm"))
    agent.save(tmp_path / "agent")
    (tmp_path / "cadm").rename(tmp_path / "elsewhere")
    loaded = ModelFreeAgent.load(tmp_path / "agent", CPU)
    assert same(loaded.dynamics.model, agent.dynamics.model)


def test_a_pretrained_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"but there is no .*config\.toml\. Give a directory"):
        agent_for(Corridor(), "cadm", pretrained=str(tmp_path / "nowhere"))


def test_a_pretrained_model_of_another_family_is_refused(tmp_path):
    trained_cadm(tmp_path, CounterFamily(length=5), past=2)
    with pytest.raises(SpaceError, match="was trained on Counter, not on icrl-tests/Corridor-v0"):
        agent_for(Corridor(), "cadm", pretrained=str(tmp_path))


def test_a_pretrained_model_of_other_spaces_is_refused(tmp_path):
    family = Corridor()
    family.action_space = CounterFamily().action_space
    trained_cadm(tmp_path, family)
    with pytest.raises(SpaceError, match="was trained with the action space Box"):
        agent_for(Corridor(), "cadm", pretrained=str(tmp_path))


@pytest.mark.parametrize("context", ["none", "stacked"])
def test_a_pretrained_model_that_infers_nothing_is_refused(tmp_path, context):
    trained_cadm(tmp_path, context=context)
    with pytest.raises(ConfigError, match=f"infers no context: .* {context!r}. Give one of cadm"):
        agent_for(Corridor(), "cadm", pretrained=str(tmp_path))


def test_a_pretrained_model_of_other_histories_is_refused(tmp_path):
    trained_cadm(tmp_path)
    with pytest.raises(ConfigError, match=r"past is 2, but the model of .* of 4 transitions"):
        agent_for(Corridor(), "cadm", past=2, pretrained=str(tmp_path))


def test_another_agent_beside_a_context_is_no_pretrained_model(tmp_path):
    agent_for(Corridor(), "cadm").save(tmp_path / "agent")
    with pytest.raises(ConfigError, match=r"PPO beside a context, not a CaDM.*dynamics: give that"):
        agent_for(Corridor(), "cadm", pretrained=str(tmp_path))
    dynamics = str(tmp_path / "agent" / "dynamics")
    assert agent_for(Corridor(), "cadm", pretrained=dynamics).dynamics is not None


@pytest.mark.parametrize("folder", ["", "agent", "agent/dynamics"])
def test_an_embedding_of_episodes_openings_is_no_pretrained_model(tmp_path, monkeypatch, folder):
    agent_for(Corridor(), "probed").save(tmp_path / "agent")
    monkeypatch.chdir(tmp_path / folder)
    for given in (str(tmp_path / folder), "."):
        with pytest.raises(ConfigError, match="embeds the first transitions of an episode"):
            agent_for(Corridor(), "cadm", pretrained=given)


def test_a_pretrained_model_of_more_than_an_episode_is_refused(tmp_path):
    trained_cadm(tmp_path)
    shorter = replace(Interface.of(Corridor()), max_episode_steps=4)
    config = replace(SMALL, pretrained=str(tmp_path))
    with pytest.raises(ContextError, match="of 4 transitions, and an episode of 4 steps has 3"):
        ModelFreeAgent(config, shorter, CPU)


def test_refusals_reach_the_command_line_as_messages(tmp_path, capsys):
    argv = ["train", "ppo-cadm", "icrl/GridMaze-v0", "--agent.pretrained", "nowhere"]
    assert main([*argv, "--quiet", "--budget", "smoke", "--out", str(tmp_path / "run")]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "pretrained is 'nowhere', but there is no" in message
    assert "Traceback" not in message
