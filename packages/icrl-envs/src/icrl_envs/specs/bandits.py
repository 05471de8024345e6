"""Bandits: one pull a step, one trial an episode."""

from icrl.plugins.specs import FamilySpec

_AD = "arXiv:2210.14215"
_DPT = "arXiv:2306.14892"
_HEADLESS_AD = "arXiv:2312.13327"
_RL2 = "arXiv:1611.02779"

RL2_ARMS, RL2_PULLS = (5, 10, 50), (10, 100, 500)
"""The settings of RL²'s table 1."""


def _bandit(
    id: str, entry_point: str, summary: str, paper: str, source: str, **arguments: object
) -> FamilySpec:
    return FamilySpec(
        id=id,
        entry_point=entry_point,
        arguments=arguments,
        summary=summary,
        paper=paper,
        default_source=source,
        tags=("native", "bandit"),
    )


def _bernoulli_bandit(num_arms: int, horizon: int) -> FamilySpec:
    return _bandit(
        f"icrl/BernoulliBandit{num_arms}x{horizon}-v0",
        "icrl_envs.bernoulli_bandit:BernoulliBandit",
        f"{num_arms} arms that pay 1 with unknown chances, {horizon} pulls, as in RL².",
        _RL2,
        "q-learning",
        num_arms=num_arms,
        horizon=horizon,
    )


def bandits() -> list[FamilySpec]:
    """Bernoulli, Gaussian, adversarial, linear and contextual bandits."""
    return [
        _bandit(
            "icrl/BernoulliBandit-v0",
            "icrl_envs.bernoulli_bandit:BernoulliBandit",
            "5 arms that pay 1 with unknown chances, 100 pulls.",
            _RL2,
            "q-learning",
        ),
        *(_bernoulli_bandit(arms, pulls) for pulls in RL2_PULLS for arms in RL2_ARMS),
        _bandit(
            "icrl/GaussianBandit-v0",
            "icrl_envs.gaussian_bandit:GaussianBandit",
            "5 arms that pay around unknown means, 500 pulls.",
            _DPT,
            "q-learning",
        ),
        _bandit(
            "icrl/AdversarialBandit-v0",
            "icrl_envs.adversarial_bandit:AdversarialBandit",
            "10 arms, the odd ones good in training, the even ones in the test, 100 pulls.",
            _AD,
            "q-learning",
        ),
        _bandit(
            "icrl/LinearBandit-v0",
            "icrl_envs.linear_bandit:LinearBandit",
            "20 arms whose changing features are seen, and unknown weights, 300 pulls.",
            _HEADLESS_AD,
            "sb3",
        ),
        _bandit(
            "icrl/ContextualBandit-v0",
            "icrl_envs.contextual_bandit:ContextualBandit",
            "20 arms of unknown features, and a changing context that is seen, 300 pulls.",
            _HEADLESS_AD,
            "sb3",
        ),
    ]
