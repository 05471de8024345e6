"""CaDM's runs: one agent trained on a family, and its returns in every split; `cadm_tables.py` puts
them together.

A run's directory is like one of `icrl train` (`icrl.load_agent` and `python -m icrl_cadm.pictures`
read it), with an evaluation for each split and `run.json`, which is there once all is.
"""

import sys
import time
from dataclasses import asdict, dataclass, fields
from math import ceil
from pathlib import Path
from typing import Any

import torch
from cadm_paper import LITTLE, MODEL_FREE, SPLITS
from measurement import hardware, versions

from icrl import make_family
from icrl.agent import Agent, Interface, OnlineAgent
from icrl.checkpoints import saved_settings
from icrl.config import Config
from icrl.devices import find_device
from icrl.evaluation import Evaluation, evaluate
from icrl.families import TaskFamily
from icrl.files import read_json, read_toml, write_json
from icrl.plugins import load_entry_point
from icrl.plugins.lookup import provided
from icrl.plugins.shipped import run_directory, shipped
from icrl.run import Run
from icrl.trained import TRAINED, load_agent_class, loaded
from icrl.training_view import training_view
from icrl_cadm.config import CaDMConfig
from icrl_cadm.model_free.config import FROM_A_MODEL, ModelFreeConfig

EVALUATED = 20
"""Tasks of a split at most, and episodes at least."""
EVALUATION_SEED = 0
"""Draws the tasks that are evaluated, and their noise: the same for every agent and seed."""
STANDS_FOR: dict[str, tuple[str, dict[str, Any]]] = {"ppo": ("ppo-cadm", {"context": "none"})}
"""A row that is another agent's with other settings: the base that CaDM's PPO is held against."""
LONG = {"steps": 5_000_000}
"""What agents without a planner learn for in MuJoCo, ten times as long as elsewhere."""
BEFORE = {"ppo-cadm": "vanilla-cadm"}
"""Whose context an agent takes, if there is such a run, or one that is shipped."""
ON_TWO_CORES = {"particles": 5, "candidates": 40, "elites": 10, "refinements": 3}
"""What ensembles plan with where there is no GPU: 3 % of the paper's imagined steps. With a task's
true dynamics so few candidates earn no less than the paper's, but on extreme tasks of Pendulum: 92
less there, of 8 tasks with a standard error of 130 (`informed_planning.py`)."""
ENSEMBLES = ("pe-ts", "pets-cadm")
MODEL = "model.json"
"""Says in a run's directory whose context its agent takes; null: that of a model of its own."""
FORGETFUL = ("vanilla-dm", "pe-ts", "ppo")
"""What has no context."""


@dataclass(frozen=True)
class Asked:
    """What is run: `overrides` are what sets it apart from the paper's settings."""

    family: str
    agent: str
    seed: int
    overrides: dict[str, Any]

    def directory(self, out: Path) -> Path:
        """Where the run is kept."""
        family = self.family.rpartition("/")[2]
        return out / family / self.agent / f"seed-{self.seed}"


def overrides(agent: str, given: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """What sets an agent's runs apart from the paper's settings: what was given on the command
    line, as far as the agent has such settings, and what ensembles do without on two cores.
    """
    smaller = ON_TWO_CORES if agent in ENSEMBLES and device.type == "cpu" else {}
    known = {field.name for field in fields(config_class(agent))}
    return {**smaller, **{name: value for name, value in given.items() if name in known}}


def config_class(row: str) -> type[Config]:
    """The class of a row's settings."""
    spec = provided("agents", STANDS_FOR.get(row, (row,))[0]).spec
    return load_entry_point(str(spec.config))


def completed(asked: Asked, out: Path, device: str = "cpu") -> dict[str, Any]:
    """The run that was asked for: what it reached, once it has been trained and evaluated.

    Goes on where an earlier call was interrupted.

    Raises:
        SystemExit: if the directory holds a run with other settings.
    """
    directory = asked.directory(out)
    _claim(asked, directory)
    if (directory / "run.json").exists():
        return read_json(directory / "run.json")
    family = make_family(asked.family)
    torch.compiler.reset()  # torch keeps a few compiled steps at once
    learned = trained(asked, family, out, find_device(device))
    began = time.monotonic()
    results = {
        split: evaluated(asked, family, learned, split, directory / "evaluation" / split)
        for split in SPLITS
    }
    facts = trained_facts(directory)
    found = {
        "asked": asdict(asked),
        "settings": learned.config.to_dict(),
        "steps": environment_steps(learned.config),
        "returns": {split: float(result.returns.mean()) for split, result in results.items()},
        "episodes": {split: int(result.returns.size) for split, result in results.items()},
        **_model(learned.config),
        "training_seconds": facts["seconds"],
        "interruptions": facts["interruptions"],
        "evaluation_seconds": round(time.monotonic() - began),
        "hardware": {**facts["hardware"], "device": device},
        "versions": versions("icrl", "torch", "gymnasium", "icrl-envs", "icrl-cadm"),
    }
    write_json(directory / "run.json", found)
    return found


def trained_facts(directory: Path) -> dict[str, Any]:
    """How a run was trained: seconds, interruptions, hardware."""
    return read_json(directory / "agent" / TRAINED)


def _claim(asked: Asked, directory: Path) -> None:
    """Say in the directory what is run there; refuse one of another run."""
    path = directory / "asked.json"
    if path.exists() and (held := read_json(path)) != asdict(asked):
        raise SystemExit(f"{directory} holds {held}, not {asdict(asked)}. Give another --out.")
    directory.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(asked))


def trained(asked: Asked, family: TaskFamily, out: Path, device: torch.device) -> Agent:
    """The agent, trained on the family's training tasks."""
    directory = asked.directory(out) / "agent"
    name, settings = settings_of(asked, out)
    agent = provided("agents", name)
    if (directory / TRAINED).exists():
        return loaded(agent, directory, device)
    if asked.agent in BEFORE:
        write_json(asked.directory(out) / MODEL, {"pretrained": settings.get("pretrained")})
    interruptions = _calls_before(directory)
    config = config_class(asked.agent).from_dict({**agent.spec.settings, **settings})
    learner = load_agent_class(agent)(config, Interface.of(family), device)
    assert isinstance(learner, OnlineAgent)
    began = time.monotonic()
    run = Run(directory, seed=asked.seed, quiet=not sys.stderr.isatty())
    learner.learn(training_view(family, None, seed=asked.seed), run)
    learner.save(directory)
    facts = {"seconds": round(time.monotonic() - began), "interruptions": interruptions}
    write_json(directory / TRAINED, {"agent": name, **facts, "hardware": hardware()})
    return learner


def settings_of(asked: Asked, out: Path) -> tuple[str, dict[str, Any]]:
    """The agent that a row names, and its settings beyond those that its spec says."""
    name, settings = STANDS_FOR.get(asked.agent, (asked.agent, {}))
    if asked.family not in LITTLE and asked.agent in MODEL_FREE[asked.family]:
        settings = {**settings, **LONG}
    return name, {**settings, **_pretrained(asked, out), **asked.overrides}


def environment_steps(config: Config) -> int:
    """Steps in the environments that training took, those for a model of its own among them."""
    if isinstance(config, CaDMConfig):
        return config.total_steps
    assert isinstance(config, ModelFreeConfig) and config.steps is not None
    own = config.context in FROM_A_MODEL and config.pretrained is None
    return config.steps + (config.dynamics.total_steps if own else 0)


def _model(config: Config) -> dict[str, Any]:
    """The run whose model an agent takes its context from, which was trained before: one of these
    runs, or one that a package ships.
    """
    pretrained = getattr(config, "pretrained", None)
    if pretrained is None:
        return {}
    directory = run_directory(pretrained)
    path = directory / "asked.json"
    asked = read_json(path) if path.exists() else _shipped(directory / "agent")
    model = {name: asked[name] for name in ("agent", "seed", "overrides")}
    return {"model": {**model, "seconds": trained_facts(directory)["seconds"]}}


def _shipped(directory: Path) -> dict[str, Any]:
    """What was asked of a run that is shipped: how it was trained otherwise than it now plans sets
    it apart.
    """
    run, now = read_toml(directory / "run.toml"), saved_settings(directory, CaDMConfig)[0].to_dict()
    before = {name: value for name, value in run["agent"].items() if value != now[name]}
    return {"agent": run["run"]["agent"], "seed": run["run"]["seed"], "overrides": before}


def evaluated(
    asked: Asked, family: TaskFamily, learned: Agent, split: str, directory: Path
) -> Evaluation:
    """An episode in each row: all tasks of the split in turn, or `EVALUATED` of them."""
    if (directory / "evaluation.json").exists():
        return Evaluation.load(directory)
    available = family.num_tasks.get(split)
    count = EVALUATED if available is None else min(EVALUATED, available)
    tasks = family.sample_tasks(count, split=split, seed=EVALUATION_SEED)
    rows = count * ceil(EVALUATED / count)
    env = family.vector_env(tasks, num_envs=rows, device=learned.device)
    try:
        result = evaluate(
            learned.policy(),
            env,
            episodes=1,
            seed=EVALUATION_SEED,
            agent=asked.agent,
            training_seed=asked.seed,
            memory="none" if asked.agent in FORGETFUL else "episode",
            allow_training_tasks=True,
            details={"settings": learned.config.to_dict()},
        )
    finally:
        env.close()
    result.save(directory)
    return result


def finished(out: Path) -> list[dict[str, Any]]:
    """All runs below a directory that were completed, in the order of their paths."""
    return [read_json(path) for path in sorted(out.rglob("run.json"))]


def _calls_before(directory: Path) -> int:
    """How many calls began this training before, and did not end it."""
    path = directory / "calls.json"
    before = read_json(path)["calls"] if path.exists() else 0
    directory.mkdir(parents=True, exist_ok=True)
    write_json(path, {"calls": before + 1})
    return before


def _pretrained(asked: Asked, out: Path) -> dict[str, str | None]:
    """Whose context the agent takes: that of the run of the same seed, there or one directory above
    (runs with other settings lie below those with the paper's), else the one that is shipped. A
    run that goes on keeps the one that it began with.
    """
    if asked.agent not in BEFORE:
        return {}
    if (path := asked.directory(out) / MODEL).exists():
        return read_json(path)
    other = Asked(asked.family, BEFORE[asked.agent], asked.seed, {})
    for place in (out, out.parent):
        directory = other.directory(place)
        if (directory / "agent" / TRAINED).exists():
            return {"pretrained": str(directory)}
    named = f"{other.agent}:{other.family}"
    return {"pretrained": named} if named in shipped() else {}
