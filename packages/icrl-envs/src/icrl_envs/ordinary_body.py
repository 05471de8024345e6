"""The ordinary body: what a simulator's bodies are like before any task changes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np


class OrdinaryBody:
    """Numbers of a MuJoCo model as its file has them, from which every change starts.

    What is written into a model survives a reset, so nothing is ever multiplied twice.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, np.ndarray] | None = None

    def change(
        self, simulator: Any, factors: Mapping[str, np.ndarray], *, consistently: bool
    ) -> None:
        """Multiply the ordinary body's numbers.

        Args:
            simulator: Gymnasium's environment, unwrapped.
            factors: for each field of the model (`body_mass`, say) a factor, or one for each of its
                last entries: body 0 is the world, which has no mass.
            consistently: whether MuJoCo works out again what it derives from these numbers
                (`mj_setConst`).
        """
        import mujoco

        model = simulator.model
        if self._numbers is None:
            fresh = mujoco.MjModel.from_xml_path(simulator.fullpath)
            self._numbers = {field: getattr(fresh, field).copy() for field in factors}
        for field, factor in factors.items():
            ordinary = self._numbers[field]
            first = len(ordinary) - np.shape(factor)[0] if np.ndim(factor) else 0
            getattr(model, field)[first:] = ordinary[first:] * factor
        if consistently:
            mujoco.mj_setConst(model, simulator.data)
