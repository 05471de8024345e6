"""Cells of CaDM's tables: what runs reached beside the paper, and whether its gaps open here."""

import json
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any, NamedTuple

from cadm_paper import LITTLE, SPLITS, TABLES, TITLES, Spread, reported
from cadm_runs import BEFORE, ENSEMBLES, ON_TWO_CORES

FEWEST_RUNS = 2
OF_EACH_RUN = ("training_seconds", "evaluation_seconds", "interruptions", "hardware")
OF_A_MODEL = "dynamics."
"""Begins what sets apart the model that was trained before a run."""
NAMED: dict[str, dict[str, Any]] = {
    "fewer particles": ON_TWO_CORES,
    "rewards divided": {
        "normalize_rewards": True,
        "clip_values": False,
        "limits_terminate": False,
        "value": 0.5,
    },
}
"""Overrides that go together, by what they are called."""


class Gate(NamedTuple):
    """A gap that a context opens over its base."""

    family: str
    base: str
    context: str


GATES = (
    Gate("icrl/Pendulum-v0", "vanilla-dm", "vanilla-cadm"),
    Gate("icrl/Pendulum-v0", "ppo", "ppo-cadm"),
    Gate("icrl/CartPole-v0", "vanilla-dm", "vanilla-cadm"),
    Gate("icrl/CartPole-v0", "ppo", "ppo-cadm"),
    Gate("icrl/CartPole-v0", "pe-ts", "pets-cadm"),
    Gate("icrl/HalfCheetah-v0", "pe-ts", "pets-cadm"),
)
Cell = dict[str, Any]


def spread(values: Iterable[float]) -> Spread:
    """Mean and sample deviation over runs."""
    runs = list(values)
    return Spread(mean(runs), stdev(runs) if len(runs) > 1 else None)


def cells(runs: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """Every cell of both tables; runs of other overrides make a cell of their own."""
    groups: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = {}
    for run in runs:
        asked, key = run["asked"], key_of(apart(run))
        group = groups.setdefault((asked["family"], asked["agent"]), {})
        group.setdefault(key, []).append(run)
    return [
        _cell(table, family, agent, group)
        for table, families in TABLES.items()
        for family, agents in families.items()
        for agent in agents
        for group in (groups.get((family, agent)) or {"": []}).values()
    ]


def apart(run: Mapping[str, Any]) -> dict[str, Any]:
    """What sets a run apart from the paper's settings: its overrides, and those of the model that
    was trained before, but for the precision in which that planned. No base has these: what such a
    context adds is not judged.
    """
    of_model = run.get("model", {}).get("overrides", {})
    inherited = {OF_A_MODEL + k: v for k, v in of_model.items() if k != "precision"}
    return {**run["asked"]["overrides"], **inherited}


def key_of(overrides: Mapping[str, Any]) -> str:
    """One and the same for the same overrides."""
    return json.dumps(overrides, sort_keys=True)


def _cell(table: str, family: str, agent: str, runs: list[Mapping[str, Any]]) -> Cell:
    paper = reported(family, agent)
    cell: Cell = {"table": table, "family": family, "agent": agent, "paper": paper}
    if not runs:
        return {**cell, "status": f"not run: {_reason(table, family, agent)}"}
    returns = {split: [round(run["returns"][split], 2) for run in runs] for split in SPLITS}
    return {
        **cell,
        "status": "run",
        "ours": {split: _rounded(spread(each)) for split, each in returns.items()},
        "seeds": [run["asked"]["seed"] for run in runs],
        "returns": returns,
        "episodes": runs[0]["episodes"],
        "steps": runs[0]["steps"],
        "overrides": apart(runs[0]),
        "settings": _alike(runs),
        **_models(runs),
        **{key: [run[key] for run in runs] for key in OF_EACH_RUN},
    }


def _reason(table: str, family: str, agent: str) -> str:
    if family in LITTLE:
        return "still to be run"
    if agent in ENSEMBLES:
        return "200,000 planned steps want a GPU for hours"
    if agent in BEFORE or table == "model-based":
        return "200,000 planned steps, hours of two cores"
    return "5,000,000 steps, still to be run"


def _alike(runs: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of all runs, without those in which seeds differ by their nature."""
    first = runs[0]["settings"]
    return {
        key: value
        for key, value in first.items()
        if all(r["settings"].get(key) == value for r in runs)
    }


def _models(runs: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Whose models the runs take their contexts from, those trained before; None: a run's own."""
    models = [run.get("model") for run in runs]
    return {"models": models} if any(models) else {}


def gates(found: list[Cell]) -> list[dict[str, Any]]:
    """Each gate in each split, once for all overrides that both its cells were run with."""
    judged = []
    for gate in GATES:
        both = [_run(found, gate.family, agent) for agent in (gate.base, gate.context)]
        pairs: list[tuple[Cell, Cell] | None]
        pairs = [(both[0][key], both[1][key]) for key in both[0] if key in both[1]]
        judged += [_judged(gate, split, pair) for pair in pairs or [None] for split in SPLITS]
    return judged


def _run(found: list[Cell], family: str, agent: str) -> dict[str, Cell]:
    """The cells of an agent that were run, by their overrides."""
    return {
        key_of(cell["overrides"]): cell
        for cell in found
        if (cell["family"], cell["agent"], cell["status"]) == (family, agent, "run")
    }


def _judged(gate: Gate, split: str, pair: tuple[Cell, Cell] | None) -> dict[str, Any]:
    """A gap is reached where it is at least the paper's less the deviation of the paper's; it is
    measured over the seeds that both were run with.
    """
    paper = gap(*(reported(gate.family, agent)[split] for agent in (gate.base, gate.context)))
    assert paper.deviation is not None
    judged = {**gate._asdict(), "split": split, "paper": _rounded(paper)}
    if pair is None:
        return {**judged, "status": "not run"}
    seeds = sorted(set(pair[0]["seeds"]) & set(pair[1]["seeds"]))
    if not seeds:
        return {**judged, "status": "not run"}
    ours = gap(*(_of_seeds(cell, split, seeds) for cell in pair))
    enough = len(seeds) >= FEWEST_RUNS
    return {
        **judged,
        "status": "judged" if enough else f"fewer than {FEWEST_RUNS} runs",
        "seeds": seeds,
        "ours": _rounded(ours),
        "needed": round(paper.mean - paper.deviation, 1),
        "reached": enough and ours.mean >= paper.mean - paper.deviation,
        "overrides": pair[0]["overrides"],
    }


def _of_seeds(cell: Cell, split: str, seeds: list[int]) -> Spread:
    returns = dict(zip(cell["seeds"], cell["returns"][split], strict=True))
    return spread(returns[seed] for seed in seeds)


def gap(base: Spread, context: Spread) -> Spread:
    """How much more the context earns than its base, with the deviation of one run's gap."""
    known = [one.deviation for one in (base, context) if one.deviation is not None]
    deviation = sum(value**2 for value in known) ** 0.5 if len(known) == 2 else None
    return Spread(context.mean - base.mean, deviation)


def _rounded(one: Spread) -> Spread:
    return Spread(round(one.mean, 1), None if one.deviation is None else round(one.deviation, 1))


def shown(found: list[Cell], judged: list[dict[str, Any]]) -> str:
    """Tables and gates as Markdown: ours, and the paper's in brackets."""
    lines = []
    for table, families in TABLES.items():
        for family in families:
            heads = [f"{family}, {table}", *SPLITS, "runs"]
            lines += ["", _line(heads), _line(["---"] * len(heads))]
            lines += [
                _line(_row(cell))
                for cell in found
                if (cell["table"], cell["family"]) == (table, family)
            ]
    heads = ["gap", "split", "ours", "the paper's", "seeds", "reached"]
    lines += ["", _line(heads), _line(["---"] * len(heads))]
    lines += [_line(_verdict(gate)) for gate in judged]
    return "\n".join(lines).strip()


def titled(cell: Cell, between: str = ", ") -> str:
    """What a cell's row is called: the agent, and what sets it apart from the paper's settings."""
    return between.join([TITLES[cell["agent"]], *named(cell.get("overrides") or {})])


def named(overrides: Mapping[str, Any]) -> list[str]:
    """Overrides in words."""
    words, left = [], dict(overrides)
    for name, together in NAMED.items():
        if together.items() <= left.items():
            words.append(name)
            left = {key: value for key, value in left.items() if key not in together}
    return [*words, *(f"{key} {value}" for key, value in left.items())]


def _row(cell: Cell) -> list[str]:
    title = titled(cell)
    if cell["status"] != "run":
        return [title, *(f"({text(cell['paper'][split])})" for split in SPLITS), cell["status"]]
    both = (f"{text(cell['ours'][split])} ({text(cell['paper'][split])})" for split in SPLITS)
    minutes = mean(cell["training_seconds"]) / 60
    spent = f"{len(cell['seeds'])} of {cell['steps']:,} steps, {minutes:.0f} min each"
    if models := [model for model in cell.get("models", []) if model]:
        before = mean(model["seconds"] for model in models) / 60
        spent += f", after {before:.0f} min for {TITLES[models[0]['agent']]}"
    return [title, *both, spent]


def _verdict(gate: Mapping[str, Any]) -> list[str]:
    name = f"{gate['family']}, {TITLES[gate['base']]} to {TITLES[gate['context']]}"
    if gate["status"] == "not run":
        return [name, gate["split"], "not run", text(gate["paper"]), "", ""]
    reached = "yes" if gate["reached"] else "no" if gate["status"] == "judged" else gate["status"]
    seeds = " ".join(map(str, gate["seeds"]))
    name = ", ".join([name, *named(gate["overrides"])])
    return [name, gate["split"], text(gate["ours"]), text(gate["paper"]), seeds, reached]


def text(one: Iterable[float | None]) -> str:
    """Mean ± deviation."""
    value, deviation = one
    return f"{value:.1f}" if deviation is None else f"{value:.1f} ± {deviation:.1f}"


def _line(parts: Iterable[str]) -> str:
    return f"| {' | '.join(parts)} |"
