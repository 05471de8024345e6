"""Learning to guess: what ended an episode well is the right action for what was seen."""

import copy
from itertools import islice
from pathlib import Path
from typing import Self

import torch
from gymnasium import spaces

from icrl.agent import Interface, OnlineAgent
from icrl.checkpoints import load_saved, save_module, saved_settings
from icrl.errors import SpaceError, UsageError
from icrl.families import TaskFamily
from icrl.interaction import play
from icrl.interruption import postponed_interrupts
from icrl.nn import initial_weights
from icrl.run import Run
from icrl.training_view import training_pool
from icrl_leep.elimination import EliminationPolicy
from icrl_leep.elimination_config import EliminationConfig
from icrl_leep.elimination_guesser import Guesser
from icrl_leep.elimination_training import Training

PURPOSE = "weights of the agent elimination"


class EliminationAgent(OnlineAgent):
    """Learns a guesser from what its own play reveals, and tries no action twice."""

    config: EliminationConfig

    def __init__(
        self, config: EliminationConfig, interface: Interface, device: torch.device
    ) -> None:
        """
        Raises:
            ConfigError: for settings out of range.
            SpaceError: if the actions are not a few alternatives.
        """
        super().__init__(config, interface, device)
        if not isinstance(interface.action_space, spaces.Discrete):
            raise SpaceError(
                "this agent rules out one action after the other, and "
                f"{interface.family} has the action space {interface.action_space}. Choose a "
                "family with Discrete actions."
            )
        self._actions: spaces.Discrete = interface.action_space
        self.guesser = self._new_guesser(torch.Generator().manual_seed(0))

    def learn(self, family: TaskFamily, run: Run) -> None:
        """Play and learn; a killed run goes on from its last checkpoint with fresh episodes.

        Raises:
            UsageError: if the family does not say which episodes were a success.
            ConfigError: if there is a checkpoint of other settings.
        """
        if not family.reports_success:
            raise UsageError(
                "this agent learns from the action that ends an episode with success, and "
                f"{family.id} reports no success. Choose a family that does: "
                "icrl/SequentialClassification-v0, icrl/GridMaze-v0, ..."
            )
        config = self.config
        self.guesser = self._new_guesser(run.generator("weights"))
        training = Training(self.guesser, config, self.interface, self.device, run)
        done, total = training.resume(), -(-config.steps // config.num_envs)
        pool = training_pool(family, seed=run.seed)
        env = family.vector_env(
            pool, num_envs=config.num_envs, episodes_per_task=1, device=self.device
        )
        seed = run.generator(f"episodes from step {done}").initial_seed() % 2**31
        steps = play(self._policy(self.guesser, "sample"), env, seed=seed)
        try:
            with (
                run.progress(total, "learning", done=done, unit="step") as advance,
                postponed_interrupts() as interrupted,
            ):
                for step, transition in enumerate(islice(steps, total - done), start=done + 1):
                    advance(1, **training.step(step, transition, last=step == total))
                    if interrupted() or run.checkpoint_due():
                        training.save(step)
                    if interrupted():
                        raise KeyboardInterrupt
        finally:
            env.close()
        training.save(total)

    def policy(self, *, argmax: bool = False) -> EliminationPolicy:
        """The policy as learned so far."""
        frozen = copy.deepcopy(self.guesser).requires_grad_(False).eval()
        return self._policy(frozen, "argmax" if argmax else self.config.decoding)

    def save(self, directory: Path) -> None:
        """Write `config.toml`, `interface.json` and `weights.safetensors`."""
        save_module(Path(directory), self, self.guesser, purpose=PURPOSE)

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError, DamagedFileError: naming the file.
        """
        agent = cls(*saved_settings(Path(directory), EliminationConfig), device)
        load_saved(Path(directory), agent.guesser)
        return agent

    def _policy(self, guesser: Guesser, decoding: str) -> EliminationPolicy:
        return EliminationPolicy(
            guesser,
            self.interface.observation_space,
            self._actions,
            self.device,
            decoding="sample" if decoding == "sample" else "argmax",
        )

    def _new_guesser(self, generator: torch.Generator) -> Guesser:
        with initial_weights(generator):
            guesser = Guesser(self.interface.observation_space, self._actions, self.config.hidden)
        return guesser.to(self.device)
