"""Tables 1 and 2 of CaDM's paper: mean and standard deviation of the return, over five runs.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning", arXiv:2005.06800.
"""

from typing import NamedTuple

SPLITS = ("train", "moderate", "extreme")
LITTLE = ("icrl/CartPole-v0", "icrl/Pendulum-v0")
"""The families without MuJoCo, which two cores train in hours."""
TITLES = {
    "vanilla-dm": "Vanilla DM",
    "stacked-dm": "Stacked DM",
    "grbal": "GrBAL",
    "rebal": "ReBAL",
    "pe-ts": "PE-TS",
    "vanilla-cadm": "Vanilla+CaDM",
    "pets-cadm": "PE-TS+CaDM",
    "ppo": "PPO",
    "stacked-ppo": "Stacked PPO",
    "ppo-pc": "PPO+PC",
    "ppo-ep": "PPO+EP",
    "ppo-cadm": "PPO+CaDM",
}
"""How the paper calls the agents."""


class Spread(NamedTuple):
    """Mean and standard deviation over runs; one run has no deviation."""

    mean: float
    deviation: float | None


MODEL_BASED: dict[str, dict[str, str]] = {
    "icrl/CartPole-v0": {
        "vanilla-dm": "176.6±10.2 / 124.7±8.1 / 105.9±3.7",
        "stacked-dm": "176.9±6.3 / 131.9±6.0 / 106.6±11.0",
        "grbal": "118.1±40.2 / 87.5±35.1 / 81.6±21.3",
        "rebal": "105.7±45.8 / 48.4±34.5 / 54.3±37.0",
        "pe-ts": "194.3±4.1 / 171.3±18.5 / 142.9±23.6",
        "vanilla-cadm": "185.7±7.7 / 154.3±13.2 / 118.6±6.6",
        "pets-cadm": "196.1±4.8 / 187.3±11.2 / 149.4±26.2",
    },
    "icrl/Pendulum-v0": {
        "vanilla-dm": "-419.2±95.1 / -928.4±56.8 / -1170.6±51.3",
        "stacked-dm": "-1158.7±124.7 / -1308.0±49.6 / -1288.3±65.3",
        "grbal": "-726.8±322.6 / -1027.7±68.1 / -1048.1±111.8",
        "rebal": "-460.4±74.5 / -860.8±140.3 / -1026.4±51.5",
        "pe-ts": "-577.2±198.1 / -985.7±64.2 / -1221.1±31.0",
        "vanilla-cadm": "-415.2±60.4 / -593.7±48.6 / -967.9±83.5",
        "pets-cadm": "-537.0±114.6 / -705.5±41.7 / -1098.4±47.1",
    },
    "icrl/HalfCheetah-v0": {
        "vanilla-dm": "1560.7±453.1 / 1026.7±164.7 / 686.7±189.4",
        "stacked-dm": "1301.4±310.5 / 761.1±236.6 / 661.5±220.5",
        "grbal": "117.0±88.7 / -43.7±106.9 / -94.5±141.3",
        "rebal": "1086.7±90.0 / 657.5±184.9 / 396.6±188.5",
        "pe-ts": "4347.1±300.9 / 2019.6±274.8 / 1422.3±162.8",
        "vanilla-cadm": "3536.5±641.7 / 1556.1±260.6 / 1264.5±228.7",
        "pets-cadm": "8264.0±1374.0 / 7087.2±1495.6 / 4661.8±783.9",
    },
    "icrl/Ant-v0": {
        "vanilla-dm": "646.4±89.0 / 520.0±97.6 / 385.8±85.2",
        "stacked-dm": "492.3±68.7 / 417.1±46.8 / 338.9±51.5",
        "grbal": "55.0±10.0 / 46.5±6.5 / 42.9±3.8",
        "rebal": "100.1±12.3 / 73.1±15.5 / 53.0±17.2",
        "pe-ts": "1183.3±51.1 / 1075.1±103.6 / 856.6±66.5",
        "vanilla-cadm": "1851.0±113.7 / 1315.7±45.5 / 821.4±113.5",
        "pets-cadm": "2848.4±61.9 / 2121.0±60.4 / 1200.7±21.8",
    },
    "icrl/CrippledHalfCheetah-v0": {
        "vanilla-dm": "1005.1±429.0 / 870.0±308.0 / 577.3±76.5",
        "stacked-dm": "630.6±211.3 / 545.1±289.8 / 417.9±145.8",
        "grbal": "151.9±122.7 / -9.2±17.1 / 16.6±23.0",
        "rebal": "701.7±119.7 / 904.5±90.7 / 833.0±118.0",
        "pe-ts": "1846.8±380.7 / 1916.5±328.2 / 1227.6±35.2",
        "vanilla-cadm": "2435.1±880.4 / 1375.3±290.6 / 966.9±89.4",
        "pets-cadm": "3294.9±733.9 / 2618.7±647.1 / 1294.2±214.9",
    },
    "icrl/SlimHumanoid-v0": {
        "vanilla-dm": "1119.8±317.6 / 1004.4±798.2 / 1155.5±556.9",
        "stacked-dm": "1057.4±547.5 / 876.2±1005.2 / 651.8±449.9",
        "grbal": "-62.6±233.1 / -562.8±253.5 / -398.6±177.2",
        "rebal": "1205.8±546.8 / 85.8±388.9 / 108.7±357.6",
        "pe-ts": "1339.6±524.0 / 758.6±528.8 / 810.4±363.4",
        "vanilla-cadm": "1758.2±459.1 / 1228.9±374.0 / 1487.9±339.0",
        "pets-cadm": "1371.9±400.0 / 903.7±343.9 / 814.5±274.8",
    },
}
"""Table 1: returns in the splits, in the order of `SPLITS`, by family and agent."""
MODEL_FREE: dict[str, dict[str, str]] = {
    "icrl/CartPole-v0": {
        "ppo": "200.0±0.0 / 199.1±0.9 / 187.8±4.7",
        "stacked-ppo": "198.6±1.7 / 197.8±1.3 / 189.2±6.1",
        "ppo-pc": "200.0±0.0 / 198.0±1.4 / 187.5±10.9",
        "ppo-ep": "200.0±0.0 / 196.3±4.0 / 184.5±9.7",
        "ppo-cadm": "200.0±0.0 / 197.9±3.0 / 193.0±3.5",
    },
    "icrl/Pendulum-v0": {
        "ppo": "-945.1±126.0 / -1113.2±69.1 / -1356.8±48.0",
        "stacked-ppo": "-316.9±197.3 / -475.7±228.1 / -488.2±178.2",
        "ppo-pc": "-451.1±248.6 / -645.3±320.7 / -1136.6±251.0",
        "ppo-ep": "-255.7±9.5 / -374.3±24.6 / -256.7±26.4",
        "ppo-cadm": "-199.3±22.2 / -279.8±42.1 / -426.4±227.0",
    },
    "icrl/HalfCheetah-v0": {
        "ppo": "2043.4±802.9 / 807.7±553.6 / 574.0±645.6",
        "stacked-ppo": "1125.4±85.5 / 361.1±141.7 / 5.7±208.1",
        "ppo-pc": "1584.9±404.3 / 642.1±488.3 / 462.1±534.5",
        "ppo-ep": "1620.9±491.5 / 895.3±445.1 / 674.2±686.8",
        "ppo-cadm": "2652.0±1133.6 / 1224.2±630.0 / 1021.1±676.6",
    },
    "icrl/Ant-v0": {
        "ppo": "211.9±44.5 / 149.4±27.0 / 117.3±23.1",
        "stacked-ppo": "90.6±16.3 / 53.2±10.6 / 46.0±10.9",
        "ppo-pc": "249.9±85.0 / 207.0±33.8 / 163.5±30.4",
        "ppo-ep": "138.8±34.9 / 107.8±19.9 / 93.5±32.4",
        "ppo-cadm": "268.6±77.0 / 228.8±48.4 / 199.2±52.1",
    },
    "icrl/CrippledHalfCheetah-v0": {
        "ppo": "2059.6±658.3 / 1223.6±559.9 / 781.7±270.3",
        "stacked-ppo": "1238.1±102.5 / 967.1±146.6 / 904.4±146.5",
        "ppo-pc": "2920.7±771.7 / 1162.2±456.5 / 546.3±215.9",
        "ppo-ep": "1494.2±311.7 / 1017.0±201.1 / 719.0±438.5",
        "ppo-cadm": "2356.6±624.3 / 1454.0±462.6 / 1025.0±296.2",
    },
    "icrl/SlimHumanoid-v0": {
        "ppo": "7685.5±2599.4 / 3761.3±1582.4 / 2751.6±869.4",
        "stacked-ppo": "4831.0±688.1 / 2443.0±535.6 / 1577.8±573.5",
        "ppo-pc": "7130.1±3378.0 / 3928.5±1848.7 / 2362.6±781.9",
        "ppo-ep": "4824.7±1508.7 / 2224.7±882.9 / 1293.4±729.0",
        "ppo-cadm": "10455.0±1004.9 / 4975.7±1305.7 / 3015.1±1508.3",
    },
}
"""Table 2."""
TABLES = {"model-based": MODEL_BASED, "model-free": MODEL_FREE}


def reported(family: str, agent: str) -> dict[str, Spread]:
    """What the paper reports of an agent in each split."""
    (text,) = (table[family][agent] for table in TABLES.values() if agent in table[family])
    cells = [cell.split("±") for cell in text.split(" / ")]
    return {
        split: Spread(float(mean), float(deviation))
        for split, (mean, deviation) in zip(SPLITS, cells, strict=True)
    }
