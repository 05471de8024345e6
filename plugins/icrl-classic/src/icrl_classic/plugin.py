"""What this package provides."""

from icrl.plugins.markers import hookimpl
from icrl.plugins.specs import AgentSpec

BANDITS, PLANNING = "bandits", "planning"
"""Files of presets that several agents share."""


@hookimpl
def icrl_agents() -> list[AgentSpec]:
    """Agents that learn nothing beforehand: what they know of a task they counted in its trial."""
    return [*_bandit_agents(), *_tabular_agents()]


def _bandit_agents() -> list[AgentSpec]:
    """Agents for one state; the first two plan where there are more."""
    return [
        _spec(
            "greedy",
            "greedy:GreedyAgent",
            "config:GreedyConfig",
            summary="Takes what looks best so far.",
            presets=PLANNING,
        ),
        _spec(
            "epsilon-greedy",
            "greedy:EpsilonGreedyAgent",
            "config:EpsilonGreedyConfig",
            summary="Takes what looks best so far, and now and then anything.",
            presets=PLANNING,
        ),
        _spec(
            "ucb1",
            "ucb1:UCB1Agent",
            "config:UCB1Config",
            summary="Pulls the arm of the highest upper confidence bound.",
            paper="doi:10.1023/A:1013689704352",
            presets="ucb1",
        ),
        _spec(
            "thompson",
            "thompson:ThompsonAgent",
            "config:ThompsonConfig",
            summary="Pulls each arm as often as it believes it to be the best.",
            paper="doi:10.1093/biomet/25.3-4.285",
            presets=BANDITS,
        ),
        _spec(
            "optimistic-thompson",
            "thompson:OptimisticThompsonAgent",
            "config:OptimisticThompsonConfig",
            summary="Thompson sampling in which no sample falls below the mean.",
            paper="May et al. 2012, JMLR 13",
            presets=BANDITS,
        ),
        _spec(
            "gittins",
            "gittins:GittinsAgent",
            "config:GittinsConfig",
            summary="Pulls the arm of the highest Gittins index.",
            paper="doi:10.1111/j.2517-6161.1979.tb01068.x",
        ),
        _spec(
            "linucb",
            "linucb:LinUCBAgent",
            "config:LinUCBConfig",
            summary="Upper confidence bounds where rewards are linear in the arms' features.",
            paper="arXiv:1003.0146",
        ),
    ]


def _tabular_agents() -> list[AgentSpec]:
    """Agents for finitely many states and actions."""
    return [
        _spec(
            "psrl",
            "psrl:PSRLAgent",
            "tabular_config:PSRLConfig",
            summary="Plans each episode in an MDP drawn from the posterior.",
            paper="arXiv:1306.0940",
            presets=PLANNING,
        ),
        _spec(
            "opsrl",
            "psrl:OPSRLAgent",
            "tabular_config:OPSRLConfig",
            summary="Plans each episode in the best of several MDPs drawn from the posterior.",
            paper="arXiv:1306.0940",
            presets=PLANNING,
        ),
        _spec(
            "ucrl2",
            "ucrl2:UCRL2Agent",
            "tabular_config:UCRL2Config",
            summary="Plans in the best MDP that the observations leave plausible.",
            paper="Jaksch et al. 2010, JMLR 11",
            presets="ucrl2",
        ),
        _spec(
            "beb",
            "beb:BEBAgent",
            "tabular_config:BEBConfig",
            summary="Plans in the mean MDP, with a bonus for what was seldom tried.",
            paper="doi:10.1145/1553374.1553441",
            presets=PLANNING,
        ),
        _spec(
            "q-learning",
            "q_learning:QLearningAgent",
            "tabular_config:QLearningConfig",
            summary="Tabular Q-learning, whose table is its context.",
            paper="doi:10.1007/BF00992698",
            presets="q_learning",
        ),
    ]


def _spec(
    name: str,
    attribute: str,
    config: str,
    *,
    summary: str,
    paper: str = "",
    presets: str | None = None,
) -> AgentSpec:
    return AgentSpec(
        name=name,
        entry_point=f"icrl_classic.{attribute}",
        config=f"icrl_classic.{config}",
        presets=f"icrl_classic:presets/{presets}.toml" if presets else None,
        learns="nothing",
        memory="trial",
        companions=("random", "optimum"),
        summary=summary,
        paper=paper,
    )
