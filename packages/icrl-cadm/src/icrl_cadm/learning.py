"""CaDMAgent: collects with its own plans, trains its model on all that was collected, and so on."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import torch

from icrl.agent import Interface, OnlineAgent
from icrl.checkpoints import (
    check_settings,
    load_optimizer,
    load_saved,
    optimizer_tensors,
    save_module,
    saved_settings,
    under,
)
from icrl.errors import ConfigError, DamagedFileError, UnknownFamilyError
from icrl.families import DynamicsView, RewardModel, TaskFamily
from icrl.nn import initial_weights
from icrl.plugins.families import make_family
from icrl.progress import Advance
from icrl.run import Run
from icrl.tasks import Tasks
from icrl.training_view import training_pool
from icrl.vector import TaskVectorEnv
from icrl_cadm.collecting import at_random, by_planning, collect
from icrl_cadm.config import CaDMConfig
from icrl_cadm.controls import Controls
from icrl_cadm.fitting import fit, optimizer_of
from icrl_cadm.imagination import check_compiler
from icrl_cadm.model import DynamicsModel
from icrl_cadm.policy import PlanningPolicy
from icrl_cadm.states import FamilyRewards, States
from icrl_cadm.transitions import Transitions

PURPOSE = "weights of icrl-cadm"


class CaDMAgent(OnlineAgent):
    """Learns a model of the dynamics of many tasks, and plans with it."""

    config: CaDMConfig

    def __init__(self, config: CaDMConfig, interface: Interface, device: torch.device) -> None:
        super().__init__(config, interface, device)
        self.controls = Controls(interface.action_space, device)
        family = known_family(interface)
        self.states = States(interface.observation_space, device, view_of(family))
        self.rewards = self._family_rewards(family)
        """The family's reward; None: it is learned."""
        with initial_weights(torch.Generator().manual_seed(0)):
            self.model = self._new_model()

    def learn(self, family: TaskFamily, run: Run) -> None:
        """Train; a killed run goes on from the last whole iteration, as if nothing had been.

        Raises:
            SpaceError: for observations that are not finite, naming environment and step.
            ConfigError: if there is a checkpoint of other settings, tasks or another seed; for
                `fused` where there is no compiler.
            DamagedFileError: if it is no checkpoint of this agent.
        """
        if self.config.fused:
            check_compiler()
        self.training(run).go_on(family)

    def policy(self, *, argmax: bool = False) -> PlanningPolicy:
        """The planner with the model as learned so far.

        Args:
            argmax: changes nothing: a plan is what it takes to be best.
        """
        return PlanningPolicy(self.model, self.controls, self.rewards)

    def save(self, directory: Path) -> None:
        """Write `config.toml`, `interface.json` and `weights.safetensors`."""
        save_module(Path(directory), self, self.model, purpose=PURPOSE)

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError, DamagedFileError: naming the file.
            UnknownFamilyError: for a model that learned no reward, since the family offers one, if
                no plugin that is installed provides the family.
        """
        config, interface = saved_settings(Path(directory), CaDMConfig)
        agent = cls(config, interface, device)
        try:
            load_saved(Path(directory), agent.model)
        except DamagedFileError:
            if agent.rewards is None and config.reward == "auto":
                # Without its family's reward, a model seems to lack a learned one.
                make_family(interface.family, **interface.arguments)
            raise
        return agent

    def training(self, run: Run) -> "Training":
        """The training of a new model, or of the one in the run's checkpoint.

        Raises:
            ConfigError: if there is a checkpoint of other settings, tasks or another seed.
            DamagedFileError: if it is no checkpoint of this agent.
        """
        with initial_weights(run.generator("weights")):
            self.model = self._new_model()
        training = Training(self, run)
        training.resume()
        return training

    def environment(self, family: TaskFamily, pool: Tasks) -> TaskVectorEnv:
        """Where transitions are collected; each episode is on a new task.

        Args:
            family: in whose view `train` is the only split.
            pool: the tasks that are drawn from.
        """
        return family.vector_env(
            pool, num_envs=self.config.num_envs, episodes_per_task=1, device=self.device
        )

    def _new_model(self) -> DynamicsModel:
        learns_rewards = self.rewards is None
        model = DynamicsModel(
            self.config, self.states, self.controls.width, learns_rewards=learns_rewards
        )
        return model.to(self.device)

    def _family_rewards(self, family: TaskFamily | None) -> FamilyRewards | None:
        if self.config.reward == "learned":
            return None
        space = self.interface.observation_space
        rewarding: object = family  # a family, and a RewardModel too
        if isinstance(rewarding, RewardModel) and FamilyRewards.serves(rewarding, space):
            return FamilyRewards(rewarding, space, self.controls)
        if self.config.reward == "family":
            raise ConfigError(
                f"{self.interface.family} offers no reward function that a planner could call, and "
                'reward is "family". Give reward "auto" or "learned", so that one is learned.'
            )
        return None


class Training:
    """An agent in training, with all that is needed to go on."""

    def __init__(self, agent: CaDMAgent, run: Run) -> None:
        self.agent, self.run, self.config = agent, run, agent.config
        self.optimizer = optimizer_of(agent.model)
        self.transitions: Transitions | None = None
        self.iteration = 0
        """How many are done."""
        assert self.config.steps_per_iteration is not None  # `adapted` has filled it
        self._steps = self.config.steps_per_iteration // self.config.num_envs * self.config.num_envs
        self._settings = self.config.to_dict() | {"num_tasks": run.num_tasks, "seed": run.seed}

    def go_on(self, family: TaskFamily) -> None:
        """Do the iterations that are left, on tasks of the agent's view of a family."""
        iterations = self.config.iterations
        total, done = iterations * self._steps, self.iteration * self._steps
        pool = training_pool(family, seed=self.run.seed)
        with (
            self.run.progress(total, "planning", done=done, unit="step") as advance,
            ExitStack() as opened,
        ):
            env: TaskVectorEnv | None = None
            while self.iteration < iterations:
                if env is None or self.config.tasks_per_iteration is not None:
                    opened.close()
                    env = self.agent.environment(family, self._tasks(pool))
                    opened.callback(env.close)
                returns = self._collect(env, advance)
                losses = self._fit(advance)
                self.iteration += 1
                self._log(returns, losses, advance)
                self.save()

    def log(self, scalars: dict[str, Any]) -> None:
        """Log figures at the steps that the next checkpoint has."""
        self.run.log(self.iteration * self._steps, scalars)

    def save(self) -> None:
        """Write a checkpoint."""
        assert self.transitions is not None
        tensors = {f"model/{k}": v for k, v in self.agent.model.state_dict().items()}
        tensors |= {f"optimizer/{k}": v for k, v in optimizer_tensors(self.optimizer)}
        tensors |= {f"transitions/{k}": v for k, v in self.transitions.tensors().items()}
        state = {"settings": self._settings, "iteration": self.iteration}
        self.run.save_checkpoint(self.iteration * self._steps, tensors, state)

    def resume(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        found = self.run.load_checkpoint()
        if found is None:
            return
        _, tensors, state = found
        path = self.run.checkpoint_path
        written = state.get("settings")
        if isinstance(written, dict):
            # A setting that was not there yet is taken to have been at its default.
            written = CaDMConfig().to_dict() | written
        check_settings(path, written, self._settings)
        try:
            self.agent.model.load_state_dict(under("model", tensors))
            load_optimizer(self.optimizer, under("optimizer", tensors))
            on_device: dict[str, Any] = {
                name: tensor.to(self.agent.device)
                for name, tensor in under("transitions", tensors).items()
            }
            self.transitions = Transitions(**on_device)
            self.iteration = int(state["iteration"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise DamagedFileError(
                f"{path} is no checkpoint of this agent: {error}. "
                "Delete it to train from the beginning."
            ) from error

    def _tasks(self, pool: Tasks) -> Tasks:
        """Those of the next iteration."""
        if self.config.tasks_per_iteration is None:
            return pool
        drawn = torch.randperm(len(pool), generator=self._generator("tasks", "cpu"))
        return pool[drawn[: self.config.tasks_per_iteration]]

    def _collect(self, env: TaskVectorEnv, advance: Advance) -> list[float]:
        agent = self.agent
        first = self.transitions is None
        seed = torch.randint(2**31 - 1, (), generator=self._generator("collecting", "cpu"))
        act = at_random(agent.controls) if first else by_planning(agent.policy(), env.num_envs)
        collected, returns = collect(
            env,
            act,
            self._steps // env.num_envs,
            seed=int(seed),
            states=agent.states,
            controls=agent.controls,
            validation=self.config.validation,
            advance=advance,
        )
        self.transitions = (
            collected if self.transitions is None else self.transitions.and_then(collected)
        )
        return returns

    def _fit(self, advance: Advance) -> dict[str, float]:
        assert self.transitions is not None

        def report(epoch: int, loss: float) -> None:
            advance(0, loss=loss, epoch=epoch)

        generator = self._generator("fitting", self.agent.device)
        return fit(self.agent.model, self.optimizer, self.transitions, generator, report)

    def _log(self, returns: list[float], losses: dict[str, float], advance: Advance) -> None:
        scalars: dict[str, Any] = {f"loss/{name}": loss for name, loss in losses.items()}
        if returns:
            mean = sum(returns) / len(returns)
            scalars["return"] = mean
            advance(0, **{"return": mean})
        self.log(scalars)

    def _generator(self, purpose: str, device: torch.device | str) -> torch.Generator:
        return self.run.generator(f"{purpose} {self.iteration}", device)


def view_of(family: TaskFamily | None) -> DynamicsView | None:
    """The view of its dynamics that a family offers."""
    return family if isinstance(family, DynamicsView) else None


def known_family(interface: Interface) -> TaskFamily | None:
    """The family that an interface names; None if no plugin that is installed provides it."""
    try:
        return make_family(interface.family, **interface.arguments)
    except UnknownFamilyError:
        return None
