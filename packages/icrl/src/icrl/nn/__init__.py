"""What agents share: encoders of spaces, action heads, a causal sequence backbone with its
cache, and layers of many members.
"""

from icrl.nn.actions import ActionDistribution, ActionHead, action_distribution, action_head
from icrl.nn.backbone import CausalBackbone, KeyValueCache
from icrl.nn.dropout import dropout
from icrl.nn.encoders import SpaceEncoder
from icrl.nn.initialisation import initial_weights
from icrl.nn.members import MemberLinear
from icrl.nn.normalisation import RunningNorm
from icrl.nn.tokens import TimeStepEncoder

__all__ = [
    "ActionDistribution",
    "ActionHead",
    "CausalBackbone",
    "KeyValueCache",
    "MemberLinear",
    "RunningNorm",
    "SpaceEncoder",
    "TimeStepEncoder",
    "action_distribution",
    "action_head",
    "dropout",
    "initial_weights",
]
