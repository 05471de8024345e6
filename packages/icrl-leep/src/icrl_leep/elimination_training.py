"""Training: the guesser learns from what every step reveals."""

import torch
from torch import Tensor

from icrl.agent import Interface
from icrl.checkpoints import check_settings, load_optimizer, optimizer_tensors, under
from icrl.errors import DamagedFileError
from icrl.interaction import Transition
from icrl.run import Run
from icrl.trees import map_tree
from icrl_leep.elimination_config import EliminationConfig
from icrl_leep.elimination_guesser import Guesser, Revealed

LOGGED = 100
"""How many times a run logs."""


class Training:
    """A guesser in training, with all that is needed to go on."""

    def __init__(
        self,
        guesser: Guesser,
        config: EliminationConfig,
        interface: Interface,
        device: torch.device,
        run: Run,
    ) -> None:
        self.guesser, self.config, self.run = guesser, config, run
        self.optimizer = torch.optim.Adam(guesser.parameters(), lr=config.learning_rate)
        self.revealed = Revealed(interface.observation_space, config.remembered, device)
        self.generator = run.generator("minibatches", device)
        self._every = max(1, config.steps // config.num_envs // LOGGED)
        self._losses: list[Tensor] = []
        self._first_guesses: list[Tensor] = []

    def step(self, number: int, transition: Transition, *, last: bool) -> dict[str, float]:
        """Take one step of every row into account; the figures to be shown, where it is time."""
        timestep = transition.timestep
        self.guesser.encoder.observe(timestep.observation)
        right = transition.terminated & transition.info["success"]
        rows = right.nonzero()[:, 0]
        self.revealed.add(
            map_tree(lambda leaf: leaf[rows], timestep.observation), transition.action[rows]
        )
        opening = timestep.episode_start
        self._first_guesses.append(torch.stack(((right & opening).sum(), opening.sum())))
        if len(self.revealed):
            self._update()
        return self._log(number) if number % self._every == 0 or last else {}

    def _update(self) -> None:
        loss = self.guesser.loss(*self.revealed.drawn(self.config.batch, self.generator))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self._losses.append(loss.detach())

    def _log(self, number: int) -> dict[str, float]:
        right, opened = torch.stack(self._first_guesses).sum(0).tolist()
        figures = {"first_guess": right / opened} if opened else {}
        if self._losses:
            figures["loss"] = float(torch.stack(self._losses).mean())
        self._losses.clear()
        self._first_guesses.clear()
        self.run.log(number, figures)
        return figures

    def save(self, done: int) -> None:
        """Write all that going on needs."""
        parts = {
            "guesser": self.guesser.state_dict().items(),
            "optimizer": optimizer_tensors(self.optimizer),
            "revealed": self.revealed.tensors(),
        }
        tensors = {f"{part}/{name}": t for part, named in parts.items() for name, t in named}
        state = {"settings": self.config.to_dict(), "revealed": self.revealed.count}
        self.run.save_checkpoint(done, tensors, state)

    def resume(self) -> int:
        """Go back to the last checkpoint, if there is one; how many steps it has seen.

        Raises:
            ConfigError: if it was written with other settings.
            DamagedFileError: if it is no checkpoint of this agent.
        """
        found = self.run.load_checkpoint()
        if found is None:
            return 0
        done, tensors, state = found
        path = self.run.checkpoint_path
        check_settings(path, state.get("settings"), self.config.to_dict())
        try:
            self.guesser.load_state_dict(under("guesser", tensors))
            load_optimizer(self.optimizer, under("optimizer", tensors))
            self.revealed.restore(under("revealed", tensors), state["revealed"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise DamagedFileError(
                f"{path} is no checkpoint of this agent: {error}. "
                "Delete it to train from the beginning."
            ) from error
        self.generator = self.run.generator(
            f"minibatches from step {done}", self.revealed.action.device
        )
        return done
