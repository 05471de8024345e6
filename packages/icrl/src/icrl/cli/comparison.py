"""Comparison: an agent's result, and those of what stands beside it, on the same held-out tasks."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from icrl import evaluation
from icrl.agent import Agent, Interface
from icrl.cli.amounts import AMOUNTS, num_episodes, num_test_tasks
from icrl.cli.output import say
from icrl.cli.pairing import Pairing, check_served
from icrl.cli.settings import companion_config, default_config
from icrl.cli.stages import collected, evaluated, kept, new_source, say_cut, trained
from icrl.config import Config
from icrl.errors import UnknownNameError, UsageError
from icrl.evaluation import OPTIMUM, SOURCE, Evaluation
from icrl.histories import HistoryStore
from icrl.plugins import Provided, SourceSpec, plugin_host
from icrl.plugins.lookup import provided
from icrl.tasks import Tasks


@dataclass(frozen=True)
class Comparison:
    """Results in `DIR/evaluation/NAME`, made where they are missing."""

    pairing: Pairing
    directory: Path
    """The run's."""
    tasks: Tasks
    """The held-out tasks."""
    histories: Callable[[], HistoryStore]
    """What agents learn from that need histories."""

    @classmethod
    def of(
        cls, pairing: Pairing, directory: Path, histories: Callable[[], HistoryStore]
    ) -> "Comparison":
        """On the family's split `test`."""
        family = pairing.family
        count = num_test_tasks(family, "test", pairing.budget, None)
        tasks = family.sample_tasks(count, split="test", seed=pairing.seed)
        return cls(pairing, directory, tasks, histories)

    def results(self, agent: Agent) -> list[Path]:
        """The agent's result and those of its companions; what cannot be had is left out."""
        found = self.pairing.agent
        assert found is not None
        name = found.spec.name
        own = self.result(
            name,
            self.tasks,
            self.episodes,
            lambda: evaluated(self.pairing, found, agent, self.tasks),
        )
        paths = [own]
        for name in found.spec.companions:
            try:
                paths.append(self.companion(name))
            except UsageError as error:
                say(self.pairing.options, f"{name} is left out of the comparison: {error}")
        return [path for path in paths if path is not None]

    def companion(self, name: str) -> Path | None:
        """The result of a companion; None if there is nothing to compare with.

        Raises:
            UsageError: if it cannot serve this family, or is not installed.
        """
        if name == SOURCE:
            return self.source()
        if name == OPTIMUM:
            return self.result(name, self.tasks, self.episodes, self.optimum)
        agent = provided("agents", name)
        check_served(agent.spec, self.pairing.family)
        config = companion_config(self.pairing.options, agent, self.pairing.agent_config)
        config = config.adapted(Interface.of(self.pairing.family))
        directory = self.directory / "companions" / name

        def make() -> Evaluation:
            learned = trained(self.pairing, agent, config, directory, self.histories)
            return evaluated(self.pairing, agent, learned, self.tasks)

        return self.result(name, self.tasks, self.episodes, make)

    def result(
        self,
        name: str,
        tasks: Tasks,
        episodes: int | None,
        make: Callable[[], Evaluation | None],
    ) -> Path | None:
        """The directory of a result; made if it is missing or was made otherwise."""
        path = self.directory / "evaluation" / name
        if kept(self.pairing, path, tasks, episodes) is None:
            made = make()
            if made is None:
                return None
            made.save(path)
        return path

    @property
    def episodes(self) -> int:
        """Episodes of each trial."""
        pairing = self.pairing
        return num_episodes(pairing.family, pairing.budget, pairing.options.episodes)

    def source(self) -> Path | None:
        """The result of the source, run afresh on as many held-out tasks as time allows."""
        found = self._source()
        if found is None:
            return None
        pairing, tasks = self.pairing, self.tasks
        most = AMOUNTS[pairing.budget].most_source_shards
        if most is not None:
            tasks = tasks[: most * new_source(pairing, *found).tasks_per_shard]

        def make() -> Evaluation:
            if len(tasks) < len(self.tasks):
                say(pairing.options, f"The source learns {len(tasks)} of {len(self.tasks)} tasks.")
            store = collected(pairing, *found, tasks, self.directory / "companions" / SOURCE)
            command = shlex.join(["icrl", *pairing.options.argv])
            return evaluation.source(store, pairing.family, command=command)

        return self.result(SOURCE, tasks, None, make)

    def optimum(self) -> Evaluation | None:
        """What can be earned at best; None where the family does not know it."""
        pairing = self.pairing
        result = evaluation.optimum(
            pairing.family,
            self.tasks,
            self.episodes,
            pairing.seed,
            device=pairing.device,
            max_steps=AMOUNTS[pairing.budget].most_steps,
            command=shlex.join(["icrl", *pairing.options.argv]),
        )
        if result is not None:
            say_cut(pairing, result)
        return result

    def _source(self) -> tuple[Provided[SourceSpec], Config] | None:
        """The source with its settings: that of the histories given, else the one that collects."""
        pairing = self.pairing
        if pairing.source is not None:
            return pairing.source, pairing.source_config
        if pairing.options.histories is None:
            return None
        manifest = self.histories().manifest
        if manifest.source not in plugin_host().sources:
            raise UnknownNameError(f"the histories' source {manifest.source!r} is not installed.")
        source = provided("sources", manifest.source)
        config = default_config(pairing.options, "source", source, own=False)
        where = f"the source's settings in {pairing.options.histories}"
        return source, type(config).from_dict(manifest.config, where=where)
