"""Classic control whose physics is untold."""

from icrl.plugins.specs import FamilySpec


def classic() -> list[FamilySpec]:
    """CartPole and Pendulum, as CaDM varies them."""
    return [
        _classic(
            "icrl/CartPole-v0",
            "icrl_envs.cart_pole:CartPole",
            "Balance a pole of untold length with pushes of untold force. 200 steps.",
            "discrete",
        ),
        _classic(
            "icrl/Pendulum-v0",
            "icrl_envs.pendulum:Pendulum",
            "Swing up a pendulum of untold mass and length. 200 steps.",
            "continuous",
        ),
    ]


def _classic(id: str, entry_point: str, summary: str, actions: str) -> FamilySpec:
    return FamilySpec(
        id=id,
        entry_point=entry_point,
        summary=summary,
        paper="arXiv:2005.06800",
        default_source="sb3",
        tags=("native", actions),
    )
