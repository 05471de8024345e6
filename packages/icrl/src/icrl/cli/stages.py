"""The stages of a run, each of which a later call finds done, or goes on with."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch

from icrl.agent import Agent, Interface, OfflineAgent, OnlineAgent
from icrl.cli.amounts import AMOUNTS, num_episodes, num_test_tasks, num_training_tasks
from icrl.cli.output import say
from icrl.cli.pairing import Pairing
from icrl.config import Config
from icrl.errors import DamagedFileError, SplitError, UsageError
from icrl.evaluation import Evaluation, evaluate
from icrl.files import write_json
from icrl.histories import HistoryStore, collect
from icrl.plugins import AgentSpec, Provided, SourceSpec, blamed, load_entry_point
from icrl.run import Budget, Run
from icrl.source import Source
from icrl.tasks import Tasks
from icrl.trained import TRAINED, load_agent_class, loaded
from icrl.training_view import training_view


def run_in(pairing: Pairing, directory: Path) -> Run:
    """What a learner is given that works in a directory."""
    options = pairing.options
    return Run(
        directory=directory,
        seed=pairing.seed,
        budget=cast(Budget, pairing.budget),
        quiet=options.quiet,
        num_tasks=options.num_tasks,
    )


def check_learners(pairing: Pairing) -> None:
    """Let agent and source refuse what they cannot serve, before anything is written."""
    if pairing.options.histories is not None:
        check_given(pairing, opened(pairing.options.histories))
    if pairing.agent is not None:
        agent_class = load_agent_class(pairing.agent)
        with blamed(pairing.agent.record, f"preparing {pairing.agent.spec.name}"):
            agent_class(pairing.agent_config, Interface.of(pairing.family), pairing.device)
    if pairing.source is not None:
        new_source(pairing, pairing.source, pairing.source_config)


def opened(directory: Path) -> HistoryStore:
    """The history store that the user named.

    Raises:
        UsageError: if there is none.
        DamagedFileError: if it is damaged.
    """
    if not (directory / "manifest.json").exists():
        raise UsageError(
            f"there is no history store in {directory}. Give a directory that `icrl collect` wrote."
        )
    return HistoryStore.open(directory)


def check_given(pairing: Pairing, store: HistoryStore) -> None:
    """Refuse given histories with other spaces, and those of tasks that are held out.

    Raises:
        SpaceError: if they were recorded with other spaces.
        SplitError: if an agent that learned from them would be evaluated on what it has seen.
    """
    Interface.of(pairing.family).check_recorded(store.manifest.interface)
    if not pairing.options.allow_training_tasks:
        held_out = pairing.family.sample_tasks(
            num_test_tasks(pairing.family, "test", "full", None), split="test", seed=pairing.seed
        )
        check_unseen(held_out, store.tasks, str(pairing.options.histories))


def check_unseen(held_out: Tasks, seen: Tasks, where: str) -> None:
    """Refuse tasks to be held out that were learned from.

    Args:
        held_out: what an agent is evaluated on.
        seen: what it learned from.
        where: what the message calls it.

    Raises:
        SplitError: if both have tasks of equal content.
    """
    if held_out.arrays.keys() != seen.arrays.keys():
        return
    shared = sorted(_contents(held_out) & _contents(seen))
    if shared:
        raise SplitError(
            f"{len(shared)} of the {len(held_out)} tasks to be evaluated on ({held_out.split}) "
            f"were learned from ({where}): the result would say nothing about new tasks. Split "
            "the tasks alike (--env.split_seed), or allow it with --allow-training-tasks."
        )


def _contents(tasks: Tasks) -> set[bytes]:
    """What each task is, as bytes."""
    names = sorted(tasks.arrays)
    columns = [tasks.arrays[name].cpu().contiguous().numpy() for name in names]
    return {b"".join(column[i].tobytes() for column in columns) for i in range(len(tasks))}


def new_source(pairing: Pairing, source: Provided[SourceSpec], config: Config) -> Source:
    """A source for the pairing's family.

    Raises:
        ConfigError, SpaceError: if it cannot serve the family.
    """
    with blamed(source.record, f"preparing the source {source.spec.name}"):
        return load_entry_point(source.spec.entry_point)(config, pairing.family, pairing.device)


def training_tasks(pairing: Pairing) -> Tasks:
    """The tasks that histories are collected on."""
    family = pairing.family
    count = num_training_tasks(family, pairing.budget, pairing.options.num_tasks)
    available = family.num_tasks.get("train")
    asked = pairing.options.num_tasks
    if available is not None and asked is not None and asked > available:
        say(pairing.options, f"{family.id} has {available} training tasks; all are used.")
    elif available is not None and asked is None and count < available:
        say(pairing.options, f"--budget {pairing.budget}: {count} of {available} training tasks.")
    return family.sample_tasks(count, split="train", seed=pairing.seed)


def histories(pairing: Pairing, directory: Path) -> HistoryStore:
    """The histories to learn from: those that were given, or those that the source collects now."""
    if pairing.options.histories is not None:
        return opened(pairing.options.histories)
    assert pairing.source is not None
    tasks = training_tasks(pairing)
    return collected(pairing, pairing.source, pairing.source_config, tasks, directory)


def collected(
    pairing: Pairing, source: Provided[SourceSpec], config: Config, tasks: Tasks, directory: Path
) -> HistoryStore:
    """Histories of a source on tasks; goes on where an earlier call stopped."""
    learner = new_source(pairing, source, config)
    run = run_in(pairing, directory)
    with blamed(source.record, f"collecting histories of {source.spec.name}"):
        return collect(learner, pairing.family, tasks, directory, seed=pairing.seed, run=run)


def trained(
    pairing: Pairing,
    agent: Provided[AgentSpec],
    config: Config,
    directory: Path,
    store: Callable[[], HistoryStore],
) -> Agent:
    """The agent of a directory, after it has learned what was missing.

    Args:
        pairing: with whose family, device and seed it learns.
        agent: which one.
        config: its settings.
        directory: where its checkpoints and logs are, and its final state.
        store: gives the histories, if it learns from them and has not finished.
    """
    agent_class = load_agent_class(agent)
    if (directory / TRAINED).exists():
        return loaded(agent, directory, pairing.device)
    began = time.monotonic()
    with blamed(agent.record, f"training {agent.spec.name} on {pairing.family.id}"):
        learner: Agent = agent_class(config, Interface.of(pairing.family), pairing.device)
        if isinstance(learner, OfflineAgent):
            learner.learn(store(), run_in(pairing, directory))
        elif isinstance(learner, OnlineAgent):
            view = training_view(pairing.family, pairing.options.num_tasks, seed=pairing.seed)
            learner.learn(view, run_in(pairing, directory))
        learner.save(directory)
    facts = {"agent": agent.spec.name, "seconds_of_last_call": round(time.monotonic() - began, 2)}
    write_json(directory / TRAINED, facts)
    return learner


def evaluated(
    pairing: Pairing,
    agent: Provided[AgentSpec],
    learned: Agent,
    tasks: Tasks,
    *,
    training_seed: int | None = None,
) -> Evaluation:
    """A frozen agent's trials on tasks; `training_seed` is the pairing's own by default."""
    options, family, name = pairing.options, pairing.family, agent.spec.name
    episodes = num_episodes(family, pairing.budget, options.episodes)
    run = run_in(pairing, Path())
    env = family.vector_env(tasks, device=pairing.device)
    try:
        with (
            run.progress(len(tasks) * episodes, f"evaluating {name}", unit="episodes") as advance,
            blamed(agent.record, f"evaluating {name} on {family.id}"),
        ):
            result = evaluate(
                learned.policy(argmax=options.argmax),
                env,
                episodes,
                pairing.seed,
                agent=name,
                training_seed=pairing.seed if training_seed is None else training_seed,
                memory=agent.spec.memory,
                max_steps=AMOUNTS[pairing.budget].most_steps,
                allow_training_tasks=options.allow_training_tasks,
                details=played(pairing, learned),
                command=shlex.join(["icrl", *options.argv]),
                progress=advance,
            )
    finally:
        env.close()
    say_cut(pairing, result)
    return result


def played(pairing: Pairing, learned: Agent) -> dict[str, Any]:
    """What sets results of one agent apart, except for seeds: its settings, and how it acted."""
    argmax = {"argmax": True} if pairing.options.argmax else {}
    return {"settings": learned.config.to_dict(), **argmax}


def say_cut(pairing: Pairing, result: Evaluation) -> None:
    """Say what the budget cut short."""
    most = AMOUNTS[pairing.budget].most_steps
    if result.cut:
        say(
            pairing.options,
            f"--budget {pairing.budget}: {result.agent}'s first episode was cut after {most} "
            "steps.",
        )
    elif result.episodes < result.episodes_asked:
        say(
            pairing.options,
            f"--budget {pairing.budget}: {result.agent} played {result.episodes} of "
            f"{result.episodes_asked} episodes within {most} steps.",
        )


def kept(
    pairing: Pairing, directory: Path, tasks: Tasks, episodes: int | None
) -> Evaluation | None:
    """The result that a directory holds, if it is what this command would make; else None.

    Args:
        pairing: whose seed and way of acting it needs.
        directory: where the result is.
        tasks: what it needs to be played on.
        episodes: how many of them were asked for; None: as many as there are.
    """
    if not (directory / "evaluation.json").exists():
        return None
    try:
        result = Evaluation.load(directory)
    except DamagedFileError as error:
        say(pairing.options, f"{error} It is evaluated again.")
        return None
    same = (
        result.seed == pairing.seed
        and episodes in (None, result.episodes_asked)
        and bool(result.details.get("argmax")) == (pairing.options.argmax and episodes is not None)
        and same_tasks(result.tasks, tasks)
    )
    return result if same else None


def same_tasks(ones: Tasks, others: Tasks) -> bool:
    """Whether both hold the same tasks in the same order."""
    if (ones.family, dict(ones.arguments), ones.split) != (
        others.family,
        dict(others.arguments),
        others.split,
    ):
        return False
    return len(ones) == len(others) and all(
        torch.equal(array, others.arrays[name].cpu()) for name, array in ones.arrays.items()
    )
