"""Environment families of icrl, native on CPU and GPU; importing this registers them with
Gymnasium.
"""

from icrl.registration import register_families
from icrl_envs.plugin import icrl_families

__version__ = "0.1.0"

register_families(icrl_families())
