"""Sequential classification: guess what an image shows until the guess is right.

Ghosh et al. 2021, "Why Generalization in RL is Difficult: Epistemic POMDPs and Implicit Partial
Observability", arXiv:2107.06277.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl_envs.counts import check_counts
from icrl_envs.guess_drawing import guesses_picture
from icrl_envs.image_set import divided
from icrl_envs.labelled_images import labelled_images


class SequentialClassification(NativeFamily, Solved):
    """An image that is to be classified, with as many guesses as it takes.

    | what        | space               | meaning                                              |
    |-------------|---------------------|------------------------------------------------------|
    | observation | Box(0, 1, [pixels]) | the image, row by row: 64 numbers, or 784            |
    | action      | Discrete(10)        | the label that is guessed                            |
    | reward      | -1 or 0             | -1 for a wrong guess, 0 for the right one            |
    | episode     | 20 steps            | the right guess ends it: a success                   |
    | task        | image, label        | which image of the data, and what it shows           |

    Every step shows the same image, and nothing tells a wrong guess from a first one but memory.
    Who knows the labels earns 0, a uniform random policy without memory -7.91. On the training
    images the best policy always guesses the label that it has learned; on held-out images, where
    it may be mistaken, that one guess is then repeated to the end.

    An image is a vector of numbers between 0 and 1, so that every learner gets it alike. As uint8
    it would be read as symbols by one encoder, and by another as numbers up to 255.

    * `data="digits"`: 1797 handwritten digits of 8 x 8 pixels, shipped with this package, of which
      359 are held out, drawn by `split_seed` (Alpaydin and Kaynak 1998, "Optical Recognition of
      Handwritten Digits", UCI Machine Learning Repository, doi:10.24432/C50P49, CC BY 4.0).
    * `data="fashion-mnist"`: 60,000 and 10,000 pieces of clothing of 28 x 28 pixels (Xiao et al.
      2017, arXiv:1708.07747), read from the folder `path`, else from the one that the environment
      variable `ICRL_FASHION_MNIST` names, else from where Debian's package
      `dataset-fashion-mnist` puts them.

    Splits are disjoint by the pixels; in neither data set does an image occur twice. Further
    keywords: `horizon` (20); `num_train_tasks`, how many of the training images there are, drawn
    by `split_seed` (all; the held-out images are always the same).
    """

    terminates = reports_success = True
    trial_episodes = 1

    def __init__(
        self,
        *,
        data: Literal["digits", "fashion-mnist"] = "digits",
        path: str | None = None,
        horizon: int = 20,
        num_train_tasks: int | None = None,
        split_seed: int = 0,
    ) -> None:
        check_counts(1, horizon=horizon)
        check_counts(0, split_seed=split_seed)
        self.data = labelled_images(data, path)
        """The images, and what they show."""
        self._horizon = self.max_episode_steps = horizon
        self._members = divided(self.data, num_train_tasks, split_seed)
        self.num_tasks = {split: len(members) for split, members in self._members.items()}
        self._on_device: dict[torch.device, Tensor] = {}
        count, pixels = self.data.images.flatten(1).shape
        self.observation_space = spaces.Box(0.0, 1.0, (pixels,), np.float32)
        self.action_space = spaces.Discrete(len(self.data.names))
        self.task_space = spaces.Dict(
            {"image": spaces.Discrete(count), "label": spaces.Discrete(len(self.data.names))}
        )

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Places of images [tasks] and their labels [tasks] of a split; splits are disjoint by the
        pixels.
        """
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        members = self._members[split]
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(seed))
        drawn = members[order[:num_tasks]]
        arrays = {"image": drawn, "label": self.data.labels[drawn]}
        return Tasks(self.id, dict(self.arguments), split, arrays)

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The image that is shown."""
        return task["image"].int()

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Only the right guess changes anything."""
        right = action == task["label"]
        return Consequence(state, right.float() - 1, right, right)

    def observation(self, state: State, task: Task) -> Tensor:
        """The image's pixels, from 0 to 1."""
        assert isinstance(state, Tensor)
        return self._images(state.device).index_select(0, state).float() / self.data.brightest

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The image, and the guesses so far: wrong ones crossed out, the right one framed."""
        return guesses_picture(
            self.data.images[int(task["image"])].numpy() / self.data.brightest,
            self._examples,
            np.asarray(episode.action, np.int64).reshape(-1).tolist(),
            int(task["label"]),
            self._horizon,
        )

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """Nothing is lost by who knows the label, [tasks] float32."""
        return torch.zeros(len(tasks), device=tasks.arrays["label"].device)

    def random_return(self, tasks: Tasks) -> Tensor:
        """The sum over steps t = 1, ..., T of the chance that no guess was right, [tasks] float32.

        -(q + q² + ... + q^T) with q = 9 / 10, which is -7.91 for T = 20.
        """
        wrong = 1 - 1 / len(self.data.names)
        lost = wrong * (1 - wrong**self._horizon) / (1 - wrong)
        return torch.full((len(tasks),), -lost, device=tasks.arrays["label"].device)

    def oracle(self, tasks: Tasks) -> Policy:
        """Guesses the label."""
        return Labeller(tasks.arrays["label"])

    def _images(self, device: torch.device) -> Tensor:
        """All images [images, pixels] uint8, brought to a device once."""
        if device not in self._on_device:
            self._on_device[device] = self.data.images.flatten(1).to(device)
        return self._on_device[device]

    @cached_property
    def _examples(self) -> np.ndarray:
        """Of each label the training image that is nearest to their mean, from 0 to 1, [labels,
        height, width]; black where there is none.
        """
        members = self._members["train"]
        images, labels = self.data.images[members].float(), self.data.labels[members]
        examples = torch.zeros(len(self.data.names), *images.shape[1:])
        for label in labels.unique().tolist():
            shown = images[labels == label]
            away = (shown - shown.mean(0)).square().sum((1, 2))
            examples[label] = shown[away.argmin()]
        return examples.numpy() / self.data.brightest


class Labeller(Policy[None]):
    """Guesses the label of its row, and remembers nothing."""

    def __init__(self, label: Tensor) -> None:
        """`label`: [tasks]; row `i` guesses label `i`."""
        self._label = label

    def initial_context(self, num_envs: int) -> None:
        """Nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """The label."""
        return self._label.to(timestep.reward.device, copy=True), None
