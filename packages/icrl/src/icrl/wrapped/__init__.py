"""Wrapped families: simulators on the CPU, behind the same TaskVectorEnv."""

from icrl.wrapped.adopted import AdoptedVectorEnv
from icrl.wrapped.family import WrappedFamily
from icrl.wrapped.gymnasium_family import GymnasiumFamily
from icrl.wrapped.simulators import SteppedTogether, Stepper
from icrl.wrapped.vector import WrappedVectorEnv

__all__ = [
    "AdoptedVectorEnv",
    "GymnasiumFamily",
    "SteppedTogether",
    "Stepper",
    "WrappedFamily",
    "WrappedVectorEnv",
]
