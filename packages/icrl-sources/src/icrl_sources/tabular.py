"""QLearners: thousands of independent tabular Q-learners as one batch of tensors."""

import torch
from torch import Tensor

BELOW_ONE = 1.0 - 2.0**-20
"""So far below one that a product with a number of actions rounds to less than it."""


class QLearners:
    """Independent Q-learners (Watkins 1989), each with a table of its own, stepped together.

    Nothing is read back to the host.
    """

    def __init__(
        self,
        num_learners: int,
        num_cells: int,
        num_actions: int,
        *,
        initial_value: float,
        learning_rate: float,
        discount: float,
        visit_bonus: float,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self._num_actions = num_actions
        self._learning_rate = learning_rate
        self._discount = discount
        self._visit_bonus = visit_bonus
        self._generator = generator
        self._num_learners = num_learners
        rows = num_learners * num_cells
        self.table = torch.full((rows, num_actions), initial_value, device=device)
        """[learners * cells, actions]: the value of each action in each learner's cells."""
        self._flat = self.table.view(-1)
        self._visits = torch.zeros_like(self._flat) if visit_bonus else None
        self._first_row = torch.arange(num_learners, device=device) * num_cells

    def rows(self, cells: Tensor) -> Tensor:
        """The rows of the table for the learners' cells, [learners]."""
        return self._first_row + cells

    def act(self, rows: Tensor, epsilon: float) -> Tensor:
        """An action [learners] each: uniform with probability `epsilon`, else uniform among the
        best.
        """
        draw = torch.rand(self._num_learners, generator=self._generator, device=rows.device)
        values = self.table.index_select(0, rows)
        if self._visits is not None:
            visits = self._visits.view(-1, self._num_actions).index_select(0, rows)
            values = torch.add(values, visits.add_(1.0).rsqrt_(), alpha=self._visit_bonus)
        best = (values == values.amax(-1, keepdim=True)).cumsum(-1)
        # One draw serves both choices: where it is at least epsilon, what remains is uniform again.
        rest = draw.sub(epsilon).div_(max(1.0 - epsilon, 1e-7)) if epsilon else draw
        which = rest.clamp_(0.0, BELOW_ONE).mul_(best[:, -1])
        action = (best <= which.unsqueeze(-1)).sum(-1)
        if not epsilon:
            return action.clamp_(max=self._num_actions - 1)
        explored = draw.mul(self._num_actions / epsilon).long()
        return torch.where(draw < epsilon, explored, action).clamp_(max=self._num_actions - 1)

    def learn(self, entries: Tensor, reward: Tensor, next_rows: Tensor, terminated: Tensor) -> None:
        """Update the entries [learners] of the table by one transition of each learner.

            Q(s, a) <- Q(s, a) + learning_rate (r + discount max Q(s', .) - Q(s, a))

        where the maximum counts as 0 if s' is terminal. A truncated episode is bootstrapped like
        one that goes on: its horizon is the experimenter's, and the cell does not show how near it
        is. (Where the horizon belongs to the task, this values the last steps too highly; the order
        of actions rarely changes.)
        """
        ahead = self.table.index_select(0, next_rows).amax(-1).masked_fill_(terminated, 0.0)
        target = torch.add(reward, ahead, alpha=self._discount)
        if self._learning_rate != 1.0:
            target = self._flat.index_select(0, entries).lerp_(target, self._learning_rate)
        self._flat.index_copy_(0, entries, target)

    def count(self, entries: Tensor) -> None:
        """Count a visit of the entries [learners], if visits matter."""
        if self._visits is not None:
            self._visits.index_add_(0, entries, torch.ones_like(entries, dtype=self._visits.dtype))

    def entries(self, rows: Tensor, actions: Tensor) -> Tensor:
        """The entries of the table for actions [learners] in rows [learners]."""
        return torch.add(actions, rows, alpha=self._num_actions)
