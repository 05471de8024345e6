"""Points that move in the plane."""

from icrl.plugins.specs import FamilySpec

_PEARL = "arXiv:1903.08254"


def points() -> list[FamilySpec]:
    """Point Robot, dense and sparse."""
    return [
        _point_robot(
            "icrl/PointRobot-v0",
            "Move a point to an unseen goal in the square; minus the distance each of 20 steps.",
            "arXiv:2410.11448",
        ),
        _point_robot(
            "icrl/PointRobotSparse-v0",
            "Point Robot with goals on a half circle that pay only within a radius of 0.2.",
            _PEARL,
            goals="half-circle",
            goal_radius=0.2,
        ),
    ]


def _point_robot(id: str, summary: str, paper: str, **arguments: object) -> FamilySpec:
    return FamilySpec(
        id=id,
        entry_point="icrl_envs.point_robot:PointRobot",
        arguments=arguments,
        summary=summary,
        paper=paper,
        default_source="sb3",
        tags=("native", "continuous"),
    )
