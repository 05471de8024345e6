"""Native families: four pure functions on batched tensors, from which both environments are
derived.
"""

from icrl.native.family import Consequence, NativeFamily, State, Task
from icrl.native.single import NativeEnv
from icrl.native.vector import NativeVectorEnv

__all__ = ["Consequence", "NativeEnv", "NativeFamily", "NativeVectorEnv", "State", "Task"]
