"""RL²'s table 1: the mean total reward of classical algorithms on Bernoulli bandits.

Duan et al. 2016, arXiv:1611.02779. Every baseline knows that arms' chances are uniform, or starts
with one success and one failure of each; what else there is to set is searched for each setting.
"""

from rl2_cells import Reading, Setting, Table

SIZES = [(pulls, arms) for pulls in (10, 100, 500) for arms in (5, 10, 50)]

WIDTHS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
EPSILONS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
DISCOUNTS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)

READINGS = {
    "random": (Reading(name="uniform", agent="random"),),
    "Gittins": (
        Reading(
            name="exact index, the best discount",
            agent="gittins",
            grid=tuple({"discount": discount} for discount in DISCOUNTS),
        ),
        Reading(name="exact index, RL²'s own discount", agent="gittins", fixed={"discount": 0.99}),
    ),
    "TS": (
        Reading(name="a uniform prior", agent="thompson"),
        Reading(
            name="besides, one success and one failure to begin with, as UCB1 has them",
            agent="thompson",
            fixed={"successes": 2.0, "failures": 2.0},
        ),
    ),
    "OTS": (
        Reading(
            name="the likeliest of 20 draws",
            agent="optimistic-thompson",
            fixed={"rule": "likeliest", "draws": 20},
        ),
        Reading(
            name="the larger of draw and mean (May et al.)",
            agent="optimistic-thompson",
            fixed={"rule": "floor"},
        ),
    ),
    "UCB1": (
        Reading(
            name="ties to the first arm",
            agent="ucb1",
            grid=tuple({"width": width} for width in WIDTHS),
        ),
        Reading(
            name="ties at random",
            agent="ucb1",
            fixed={"ties": "random"},
            grid=tuple({"width": width} for width in WIDTHS),
        ),
    ),
    "ε-greedy": (
        Reading(
            name="ties to the first arm",
            agent="epsilon-greedy",
            grid=tuple({"epsilon": epsilon} for epsilon in EPSILONS),
        ),
        Reading(
            name="ties at random",
            agent="epsilon-greedy",
            fixed={"ties": "random"},
            grid=tuple({"epsilon": epsilon} for epsilon in EPSILONS),
        ),
    ),
    "greedy": (
        Reading(name="ties to the first arm", agent="greedy"),
        Reading(name="ties at random", agent="greedy", fixed={"ties": "random"}),
        Reading(
            name="what was seen, as in the table of MDPs",
            agent="greedy",
            fixed={"successes": 1e-4, "failures": 1e-4},
        ),
    ),
}

TABLE = Table(
    name="bandits",
    title="RL²'s table 1: Bernoulli bandits, total reward of a trial",
    settings=tuple(
        Setting(
            name=f"{pulls} pulls, {arms} arms",
            family="icrl/BernoulliBandit-v0",
            arguments={"num_arms": arms, "horizon": pulls},
        )
        for pulls, arms in SIZES
    ),
    readings=READINGS,
    published={
        "random": (5.0, 5.0, 5.1, 49.9, 49.9, 49.8, 249.8, 249.0, 249.6),
        "Gittins": (6.6, 6.6, 6.5, 78.3, 82.8, 85.2, 405.8, 437.8, 463.7),
        "TS": (5.7, 5.5, 5.2, 74.7, 76.7, 64.5, 402.0, 429.5, 427.2),
        "OTS": (6.5, 6.2, 5.5, 77.9, 81.4, 67.7, 406.7, 438.9, 437.6),
        "UCB1": (6.7, 6.7, 6.6, 78.0, 82.4, 84.3, 405.8, 437.1, 457.6),
        "ε-greedy": (6.6, 6.6, 6.5, 75.4, 77.4, 78.3, 388.2, 408.0, 413.6),
        "greedy": (6.6, 6.6, 6.5, 74.8, 77.1, 78.0, 380.6, 395.0, 402.8),
    },
)
