"""The ids of meta-reinforcement learning's control tasks on MuJoCo."""

from icrl.plugins.specs import FamilySpec


def _control(id: str, entry_point: str, summary: str, paper: str) -> FamilySpec:
    return FamilySpec(
        id=id,
        entry_point=entry_point,
        summary=summary,
        paper=paper,
        default_source="sb3",
        tags=("wrapped", "continuous"),
    )


def control() -> list[FamilySpec]:
    """Bodies in MuJoCo whose goal, or whose physics, is hidden."""
    return [
        _control(
            "icrl/HalfCheetahVel-v0",
            "icrl_envs.half_cheetah:HalfCheetahVel",
            "Run at an untold speed between 0.075 and 3 m/s. 200 steps.",
            "arXiv:1703.03400",
        ),
        _control(
            "icrl/HalfCheetahDir-v0",
            "icrl_envs.half_cheetah:HalfCheetahDir",
            "Run forwards or backwards, untold which. 200 steps; both directions in each split.",
            "arXiv:1703.03400",
        ),
        _control(
            "icrl/AntDir-v0",
            "icrl_envs.ant_direction:AntDir",
            "Walk in an untold direction. 200 steps.",
            "arXiv:1903.08254",
        ),
        _control(
            "icrl/HopperParam-v0",
            "icrl_envs.changed_bodies:HopperParam",
            "Hop with untold masses, inertias, damping and friction. 200 steps.",
            "arXiv:1903.08254",
        ),
        _control(
            "icrl/WalkerParam-v0",
            "icrl_envs.changed_bodies:WalkerParam",
            "Walk with untold masses, inertias, damping and friction. 200 steps.",
            "arXiv:1903.08254",
        ),
        *_context_aware(),
    ]


def _context_aware() -> list[FamilySpec]:
    """The environments of CaDM on MuJoCo."""
    named = [
        ("HalfCheetah", "running_cheetahs", "Run with untold masses and joint damping."),
        ("CrippledHalfCheetah", "running_cheetahs", "Run although a joint does not obey."),
        ("Ant", "running_ant", "Walk on light left legs and heavy right legs, untold how much."),
        ("SlimHumanoid", "slim_humanoid", "Run on two legs with untold masses and damping."),
    ]
    return [
        _control(
            f"icrl/{name}-v0",
            f"icrl_envs.{module}:{name}",
            f"{summary} 1000 steps.",
            "arXiv:2005.06800",
        )
        for name, module, summary in named
    ]
