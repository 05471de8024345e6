"""The native environment that a source's learner plays, whose state its view is made of."""

from icrl.errors import UsageError
from icrl.native import NativeVectorEnv
from icrl.vector import TaskVectorEnv


def played(env: TaskVectorEnv) -> NativeVectorEnv:
    """The environment itself, after its first reset.

    Raises:
        UsageError: for another family's environment, and before the first reset.
    """
    native = env.unwrapped
    if not isinstance(native, NativeVectorEnv) or native.state is None:
        raise UsageError(
            f"{env.family.id} shows learners what its own vector environment is in, once that was "
            f"reset; got {native}. Make one with the family's vector_env, and reset it."
        )
    return native
