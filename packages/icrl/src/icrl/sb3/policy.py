"""SB3Policy: a policy that Stable-Baselines3 trained, as an icrl policy."""

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from gymnasium import Space
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from icrl.errors import ConfigError, DamagedFileError, SpaceError
from icrl.files import read_tensors, write_tensors
from icrl.policy import Policy
from icrl.sb3.algorithms import algorithm, plain_settings, python_settings
from icrl.sb3.blank import BlankVecEnv, shown_space
from icrl.sb3.normalisation import observation_statistics
from icrl.sb3.views import ActionView, ObservationView
from icrl.sb3.weights import load_module, module_tensors
from icrl.spaces import space_from_json, space_to_json
from icrl.timestep import TimeStep
from icrl.trees import Tree

Hidden = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Normalization:
    """What `VecNormalize` learned of the observations."""

    mean: Mapping[str, np.ndarray]
    """By key of a Dict; `""` for a bare observation."""
    variance: Mapping[str, np.ndarray]
    clip: float
    epsilon: float

    @classmethod
    def of(cls, env: VecNormalize) -> Self:
        """A copy of what the wrapper knows now."""
        known = observation_statistics(env)
        return cls(
            {key: rms.mean.copy() for key, rms in known.items()},
            {key: rms.var.copy() for key, rms in known.items()},
            float(env.clip_obs),
            float(env.epsilon),
        )

    def __call__(self, observation: Any) -> Any:
        """The observations as the policy was trained to see them."""
        if isinstance(observation, dict):
            return {key: self._normal(key, array) for key, array in observation.items()}
        return self._normal("", observation)

    def _normal(self, key: str, array: np.ndarray) -> np.ndarray:
        if key not in self.mean:
            return array
        centred = (array - self.mean[key]) / np.sqrt(self.variance[key] + self.epsilon)
        return np.clip(centred, -self.clip, self.clip).astype(np.float32)


class SB3Policy(Policy[Hidden]):
    """A policy that Stable-Baselines3 trained; a recurrent one forgets at an episode's end, as it
    was trained to.

    It acts through NumPy on the host, whatever the device, since that is how SB3 acts.
    """

    def __init__(
        self,
        model: BaseAlgorithm,
        observation_space: Space,
        action_space: Space,
        *,
        normalization: Normalization | None = None,
        deterministic: bool = False,
    ) -> None:
        """Take the policy of a trained model.

        Args:
            model: the model, which is kept with its environment and buffers.
            observation_space, action_space: the environment's own, as the family has them.
            normalization: None: the model's own, if it was trained behind `VecNormalize`.
            deterministic: take the mode instead of a sample.

        Raises:
            SpaceError: if the model was trained on other spaces.
        """
        self._view, self._act = ObservationView(observation_space), ActionView(action_space)
        seen = shown_space(self._view.space, self._act.space)
        if model.observation_space != seen or model.action_space != self._act.space:
            raise SpaceError(
                f"this model was trained on {model.observation_space} and {model.action_space}; "
                f"here a learner sees {seen} and acts in {self._act.space}."
            )
        wrapper = model.get_vec_normalize_env()
        if normalization is None and wrapper is not None:
            normalization = Normalization.of(wrapper)
        self.observation_space, self.action_space = observation_space, action_space
        self.deterministic = deterministic
        self._model = model
        self._normalization = normalization
        self._hidden_shape = getattr(model.policy, "lstm_hidden_state_shape", None)

    def initial_context(self, num_envs: int) -> Hidden:
        """The recurrent state, two of [layers, envs, width]; nothing for other policies."""
        if self._hidden_shape is None:
            return ()
        layers, _, width = self._hidden_shape
        return torch.zeros(layers, num_envs, width), torch.zeros(layers, num_envs, width)

    def act(
        self, timestep: TimeStep, context: Hidden, generator: torch.Generator
    ) -> tuple[Tree, Hidden]:
        """Choose actions."""
        seen = self._view(timestep.observation)
        if self._normalization is not None:
            seen = self._normalization(seen)
        policy: Any = self._model.policy
        with _seeded(generator, self._model.device):
            if self._model.use_sde:
                policy.reset_noise(len(timestep.reward))
            actions, state = policy.predict(
                seen,
                tuple(part.numpy() for part in context) or None,
                timestep.episode_start.cpu().numpy(),
                self.deterministic,
            )
        received = torch.from_numpy(self._act.received(np.asarray(actions)))
        hidden = tuple(torch.from_numpy(part) for part in state or ())
        return received.to(timestep.reward.device), hidden

    def save(self, directory: Path) -> None:
        """Write weights and what rebuilds them, as `policy.safetensors`.

        Raises:
            ConfigError: if the model has classes of its own, which could only be pickled.
        """
        learner = type(self._model)
        names = [
            name
            for name, known in learner.policy_aliases.items()
            if known is self._model.policy_class
        ]
        if not names:
            raise ConfigError(
                f"the policy class {self._model.policy_class.__name__} is not one of SB3's own."
            )
        metadata = {
            "algorithm": learner.__name__,
            "policy": names[0],
            "policy_kwargs": json.dumps(plain_settings(self._model.policy_kwargs)),
            "use_sde": json.dumps(bool(self._model.use_sde)),
            "observation_space": json.dumps(space_to_json(self.observation_space)),
            "action_space": json.dumps(space_to_json(self.action_space)),
            "deterministic": json.dumps(self.deterministic),
        }
        tensors = {
            f"weights/{name}": tensor for name, tensor in module_tensors(self._model.policy).items()
        }
        if self._normalization is not None:
            metadata["normalization"] = json.dumps(
                {"clip": self._normalization.clip, "epsilon": self._normalization.epsilon}
            )
            for what in ("mean", "variance"):
                for key, array in getattr(self._normalization, what).items():
                    tensors[f"normalization/{what}/{key}"] = torch.from_numpy(np.asarray(array))
        write_tensors(Path(directory) / "policy.safetensors", tensors, metadata)

    @classmethod
    def load(cls, directory: Path, device: torch.device | str = "cpu") -> Self:
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            DamagedFileError: naming the file.
        """
        path = Path(directory) / "policy.safetensors"
        required = (
            "algorithm",
            "policy",
            "policy_kwargs",
            "use_sde",
            "observation_space",
            "action_space",
            "deterministic",
        )
        tensors, metadata = read_tensors(path, required_metadata=required)
        try:
            observation, action = (
                space_from_json(json.loads(metadata[f"{what}_space"]))
                for what in ("observation", "action")
            )
            model = _untrained(metadata, observation, action, device)
            weights = {
                name[8:]: tensor for name, tensor in tensors.items() if name.startswith("weights/")
            }
            load_module(model.policy, weights)
            return cls(
                model,
                observation,
                action,
                normalization=_read_normalization(tensors, metadata),
                deterministic=json.loads(metadata["deterministic"]),
            )
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise DamagedFileError(
                f"{path} does not hold a policy that icrl wrote: {error}"
            ) from error


def _untrained(
    metadata: Mapping[str, str], observation: Space, action: Space, device: torch.device | str
) -> BaseAlgorithm:
    """A model with the saved architecture, without an environment or room for replays."""
    learner = algorithm(metadata["algorithm"])
    known = inspect.signature(learner).parameters
    bare = {"buffer_size": 1, "use_sde": json.loads(metadata["use_sde"])}
    model = learner(
        metadata["policy"],
        BlankVecEnv(ObservationView(observation).space, ActionView(action).space),
        policy_kwargs=python_settings(json.loads(metadata["policy_kwargs"])),
        device=device,
        **{name: value for name, value in bare.items() if name in known},
    )
    model.env = None
    return model


def _read_normalization(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> Normalization | None:
    if "normalization" not in metadata:
        return None
    found: dict[str, dict[str, np.ndarray]] = {"mean": {}, "variance": {}}
    for name, tensor in tensors.items():
        if name.startswith("normalization/"):
            _, what, key = name.split("/", 2)
            found[what][key] = tensor.numpy()
    limits = json.loads(metadata["normalization"])
    return Normalization(found["mean"], found["variance"], limits["clip"], limits["epsilon"])


@contextmanager
def _seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """SB3 samples from torch's global generator: seed it from ours, and put it back afterwards."""
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        # Each generator by itself: `torch.manual_seed` also seeds every CUDA device.
        torch.default_generator.manual_seed(seed)
        if device.type != "cpu":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
