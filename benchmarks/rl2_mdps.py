"""RL²'s table 2: the mean total reward of classical agents on random tabular MDPs.

Duan et al. 2016, arXiv:1611.02779. The paper took the agents of Osband's TabulaRL, and what that
package's defaults say is the first reading: it does not tell Bayesian agents the prior of the
rewards (a mean of 0, where it is 1), and lets the estimates of the others rest on what was seen
(priors that hardly weigh). The other readings are what the agents' papers say.
"""

from rl2_cells import Reading, Setting, Table

EPISODES = (10, 25, 50, 75, 100)
SCALES = tuple(10**-4 * 10 ** (0.2 * place) for place in range(21))
"""Where the paper searched the widths of UCRL2 and the bonus of BEB: 21 values, evenly apart on a
log scale. We search those around the best."""
STATES, HORIZON = 10, 10
UNINFORMED = {
    "rewards": "normal",
    "prior_deviation": 100.0,
    "concentration": 1e-4,
    "ties": "random",
}
TOLD = {"rewards": "normal", "prior_mean": 1.0, "ties": "random"}
EPSILONS = tuple({"epsilon": epsilon} for epsilon in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3))
SAMPLES = tuple({"samples": samples} for samples in (1, 2, 4, 8, 16))


def widths(of_transitions: float) -> tuple[dict[str, float], ...]:
    """Confidence intervals of rewards and, so many times as wide, of transitions."""
    return tuple(
        {"reward_width": scale, "transition_width": of_transitions * scale}
        for scale in SCALES[12:20]
    )


READINGS = {
    "random": (Reading(name="uniform", agent="random"),),
    "PSRL": (
        Reading(name="a reward is thought to be 0", agent="psrl"),
        Reading(name="the true prior", agent="psrl", fixed=TOLD),
    ),
    "OPSRL": (
        Reading(name="a reward is thought to be 0", agent="opsrl", grid=SAMPLES),
        Reading(name="the true prior", agent="opsrl", fixed=TOLD, grid=SAMPLES),
    ),
    "UCRL2": (
        Reading(
            name="intervals of transitions wider by the root of the states",
            agent="ucrl2",
            grid=widths(of_transitions=STATES**0.5),
        ),
        Reading(
            name="intervals of rewards and transitions alike",
            agent="ucrl2",
            grid=widths(of_transitions=1.0),
        ),
    ),
    "BEB": (
        Reading(
            name="a bonus that grows with the steps that remain",
            agent="beb",
            fixed={"reward_bonus": 1.0},
            grid=tuple({"transition_bonus": 2 * HORIZON**3 * scale} for scale in SCALES[3:9]),
        ),
        Reading(
            name="Kolter and Ng's bonus, the true prior",
            agent="beb",
            fixed=TOLD,
            grid=tuple({"reward_bonus": beta} for beta in (0.5, 1.0, 2.0, 4.0, 8.0)),
        ),
    ),
    "ε-greedy": (
        Reading(name="what was seen", agent="epsilon-greedy", fixed=UNINFORMED, grid=EPSILONS),
        Reading(
            name="what was seen, at least a tenth of the steps at random",
            agent="epsilon-greedy",
            fixed=UNINFORMED,
            grid=EPSILONS[3:],
        ),
        Reading(name="the true prior", agent="epsilon-greedy", fixed=TOLD, grid=EPSILONS),
    ),
    "greedy": (
        Reading(name="what was seen", agent="greedy", fixed=UNINFORMED),
        Reading(name="the true prior", agent="greedy", fixed=TOLD),
    ),
}

TABLE = Table(
    name="mdps",
    title="RL²'s table 2: tabular MDPs, total reward of a trial",
    settings=tuple(
        Setting(name=f"{episodes} episodes", family="icrl/TabularMDP-v0", episodes=episodes)
        for episodes in EPISODES
    ),
    readings=READINGS,
    published={
        "random": (100.1, 250.2, 499.7, 749.9, 999.4),
        "PSRL": (138.1, 408.8, 904.4, 1417.1, 1939.5),
        "OPSRL": (144.1, 425.2, 930.7, 1449.2, 1973.9),
        "UCRL2": (146.6, 424.1, 918.9, 1427.6, 1942.1),
        "BEB": (150.2, 427.8, 917.8, 1422.6, 1935.1),
        "ε-greedy": (132.8, 377.3, 823.3, 1293.9, 1778.2),
        "greedy": (134.8, 368.8, 769.3, 1172.9, 1578.5),
    },
    rows_at_once=1000,
    shared_trials=True,
)
