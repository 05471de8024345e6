"""LEEP's classification example: what policies earn on images that did not train.

Ghosh et al. 2021, arXiv:2107.06277, on Fashion-MNIST: 20 guesses, -1 for each wrong one, all 10,000
test images. First with members that are told the labels, for three numbers of training images; then
with learners that are told nothing but rewards. Returns are expectations,
worked out from the probabilities of each image, and played through once to see that they hold.
Intervals are bootstraps over seeds (training images, bootstraps, weights) and test images at once,
with the same draws for all rows, so that differences are paired. How long members train is chosen
on training images that they do not see.

    python benchmarks/leep_classification.py [--parts supervised learners] [--seeds 0 1 2]
                                             [--steps 200000] [--out runs/leep-classification]

What stands in `--out` is not trained again.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from classification_learners import DQN_SETTINGS as DQN
from classification_learners import ENSEMBLES, PPO, Watched, learned
from classification_members import MEMBERS, Labelled, Members, chosen_epochs, trained
from classification_pictures import draw_curves, draw_story
from classification_returns import HORIZON, WAYS, Resampling, accuracy, played, returns
from measurement import RESULTS, write_result
from torch import Tensor

from icrl import make_family
from icrl.families import TaskFamily
from icrl.files import read_json, read_tensors, write_json, write_tensors
from icrl.run import Run
from icrl.tasks import Tasks

NAME, ID = "leep_classification", "icrl/SequentialClassification-v0"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZES = {1_000: 60, 10_000: 30, 60_000: 15}
"""Numbers of training images, and how many epochs are tried for each."""
SIZE, SUPERVISED_SEEDS, HELD_OUT, CHOICE_SEED = 10_000, range(3), 10_000, 1000
ORDER = ("elimination", "max", "sampled", "argmax")
"""From best to worst, as the gate has it."""
PAIRS = (
    ("elimination", "max"),
    ("max", "average"),
    ("max", "sampled"),
    ("average", "sampled"),
    ("sampled", "argmax"),
    ("argmax of max", "argmax"),
)
LEARNERS = ("ppo", "plain-ensemble", "leep", "dqn", "elimination")
WAYS_OF = {
    "ppo": ("argmax", "sampled", "elimination"),
    "dqn": ("argmax", "elimination"),
    "elimination": ("elimination",),
}
"""How those can be looked at that have but one member, or values in place of probabilities."""
BETWEEN = (
    (("leep", "max"), ("ppo", "sampled")),
    (("leep", "max"), ("plain-ensemble", "max")),
    (("leep", "max"), ("plain-ensemble", "sampled")),
    (("leep", "max"), ("dqn", "argmax")),
    (("elimination", "elimination"), ("leep", "max")),
)


def main() -> int:
    """Measure what was asked for, draw, write the result; 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the learners")
    parser.add_argument("--steps", type=int, default=200_000, help="of each learner")
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--out", type=Path, default=Path("runs/leep-classification"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {name: PARTS[name](arguments) for name in arguments.parts}
    measured = earlier() | found
    path = write_result(
        NAME,
        {
            "family": {"id": ID, "data": "fashion-mnist", "horizon": HORIZON},
            "ways": {name: way.title for name, way in WAYS.items()},
            "intervals": "95 %, bootstrap over seeds and test images at once",
            **measured,
        },
        packages=("icrl-envs", "icrl-leep", "stable-baselines3"),
    )
    print("\n".join(shown(measured)))
    print(path)
    return 0 if all(gate["reached"] for gate in measured["supervised"]["gates"]) else 1


def supervised(arguments: argparse.Namespace) -> dict[str, Any]:
    """Members that are told the labels, by the number of training images."""
    found: dict[str, Any] = {"members": MEMBERS, "seeds": list(SUPERVISED_SEEDS)}
    resampling = None
    for size in sorted({SIZE, *arguments.sizes}):
        choice = chosen(arguments.out / f"epochs-{size}.json", size, SIZES[size])
        tables, label = [], torch.zeros(0)
        for seed in SUPERVISED_SEEDS:
            folder = arguments.out / f"supervised-{size}"
            log_probs, label = told(folder, size, int(choice["epochs"]), seed)
            tables.append(log_probs)
        resampling = resampling or Resampling(len(tables), len(label))
        found[str(size)] = {"choice": choice} | figures(tables, label, resampling, tuple(WAYS))
    found["played"] = played_and_drawn(arguments.out / f"supervised-{SIZE}" / "seed0.safetensors")
    found["gates"] = gates(found[str(SIZE)])
    return found


def learners(arguments: argparse.Namespace) -> dict[str, Any]:
    """Learners that are told rewards alone, on 10,000 training images."""
    found: dict[str, Any] = {
        "steps": arguments.steps,
        "train_images": SIZE,
        "seeds": arguments.seeds,
        "settings": {"PPO, LEEP": PPO, "each": dict(ENSEMBLES), "DQN": dict(DQN)},
    }
    resampling, every = None, {}
    for name in LEARNERS:
        runs = [rewarded(arguments, name, seed) for seed in arguments.seeds]
        label, ways = runs[0][1], WAYS_OF.get(name, tuple(WAYS))
        resampling = resampling or Resampling(len(runs), len(label))
        tables = [scores for scores, _, _ in runs]
        found[name] = figures(tables, label, resampling, ways)
        found[name]["seconds"] = [facts["seconds"] for _, _, facts in runs]
        found[name]["curves"] = [
            {step: {way: each[way] for way in ways} for step, each in facts["curve"].items()}
            for _, _, facts in runs
        ]
        every[name] = [returns(scores, label) for scores in tables]
    assert resampling is not None
    found["differences"] = {
        f"{one} {way} - {other} {theirs}": resampling.interval(
            [a[way] - b[theirs] for a, b in zip(every[one], every[other], strict=True)]
        )
        for (one, way), (other, theirs) in BETWEEN
    }
    draw_curves({name: found[name]["curves"] for name in LEARNERS}, IMAGES / "leep-curves.png")
    return found


PARTS = {"supervised": supervised, "learners": learners}


def chosen(path: Path, size: int, most: int) -> dict[str, float]:
    """How many epochs so many images are gone through; kept in a file.

    On 10,000 images that train for nothing else. Where all train, on those that 50,000 leave.
    """
    if not path.exists():
        used = new_family(min(size, 60_000 - HELD_OUT), CHOICE_SEED)
        train, known = shown_images(used, "train")
        every, tasks = shown_images(new_family(None, CHOICE_SEED), "train")
        others = ~torch.isin(tasks.arrays["image"], known.arrays["image"])
        held_out = every[others.nonzero()[:HELD_OUT, 0]]
        write_json(path, chosen_epochs(train, held_out, 10, most))
        print(f"{path}: {path.read_text()}", flush=True)
    return read_json(path)


def told(folder: Path, size: int, epochs: int, seed: int) -> tuple[Tensor, Tensor]:
    """What members that were told the labels think of the test images, and the labels."""
    path = folder / f"seed{seed}.safetensors"
    family = new_family(size, seed)
    test, _ = shown_images(family, "test")
    if not path.exists():
        start = time.perf_counter()
        train, _ = shown_images(family, "train")
        members = trained(train, 10, epochs, seed=seed)
        weights = {f"weights/{place}": each for place, each in enumerate(members.weights)}
        write_tensors(path, {"log_probs": members.log_probs(test.image)} | weights, {})
        print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)
    return read_tensors(path)[0]["log_probs"], test.label


def played_and_drawn(path: Path) -> dict[str, dict[str, float]]:
    """Play every way through with members that were told the labels, and draw an image's story."""
    tensors, _ = read_tensors(path)
    members = Members.of([tensors[f"weights/{place}"] for place in range(4)])
    family = new_family(SIZE, 0)
    _, tasks = shown_images(family, "test")
    log_probs, label = tensors["log_probs"], tasks.arrays["label"]
    first = {n: way.earned(way.joined(log_probs), label)[0] for n, way in WAYS.items()}
    draw_story(family, tasks, members.log_probs, IMAGES / "leep-classification.png")
    return played(family, tasks, members.log_probs, first)


def rewarded(
    arguments: argparse.Namespace, name: str, seed: int
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """What a learner thinks of the test images in the end, their labels, and how it came there."""
    folder = arguments.out / f"{name}-{arguments.steps}" / f"seed{seed}"
    family = new_family(SIZE, seed)
    test, _ = shown_images(family, "test")
    if not (folder / "facts.json").exists():
        start = time.perf_counter()
        watched = Watched(test.image, test.label)
        thought = learned(
            name, family, arguments.steps, watched, Run(folder, seed=seed, quiet=True)
        )
        write_tensors(folder / "test.safetensors", {"scores": thought(test.image)}, {})
        facts = {"seconds": round(time.perf_counter() - start), "curve": watched.curve}
        write_json(folder / "facts.json", facts)
        print(f"{folder}: {facts['seconds']} s, {list(watched.curve.values())[-1]}", flush=True)
    scores = read_tensors(folder / "test.safetensors")[0]["scores"]
    return scores, test.label, read_json(folder / "facts.json")


def figures(
    tables: list[Tensor], label: Tensor, resampling: Resampling, ways: tuple[str, ...]
) -> dict[str, Any]:
    """Accuracy, and the return by each way with its interval; differences of ways."""
    earned = [returns(table, label) for table in tables]
    hits = [accuracy(table, label) for table in tables]
    return {
        "accuracy": round(sum(hits) / len(hits), 4),
        "returns": {way: resampling.interval([each[way] for each in earned]) for way in ways},
        "differences": {
            f"{one} - {other}": resampling.interval([each[one] - each[other] for each in earned])
            for one, other in PAIRS
            if one in ways and other in ways
        },
    }


def gates(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each neighbour in the order, with intervals that do not touch."""
    rows = found["returns"]
    return [
        {
            "what": f"{better} above {worse}, {SIZE:,} training images",
            "measured": [rows[better]["low"], rows[worse]["high"]],
            "reached": rows[better]["low"] > rows[worse]["high"],
        }
        for better, worse in pairwise(ORDER)
    ]


def new_family(train_images: int | None, split_seed: int) -> TaskFamily:
    """Fashion-MNIST with so many training images, which `split_seed` draws."""
    return make_family(
        ID, data="fashion-mnist", num_train_tasks=train_images, split_seed=split_seed
    )


def shown_images(family: TaskFamily, split: str) -> tuple[Labelled, Tasks]:
    """All images of a split as its environments show them, and their tasks."""
    tasks = family.sample_tasks(family.num_tasks[split] or 0, split=split, seed=0)
    env = family.vector_env(tasks)
    observation, _ = env.reset(seed=0)
    env.close()
    return Labelled(observation, tasks.arrays["label"]), tasks


def earlier() -> dict[str, Any]:
    """The parts of the last result."""
    path = RESULTS / f"{NAME}.json"
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: found[name] for name in PARTS if name in found}


def shown(measured: Mapping[str, Any]) -> Iterator[str]:
    """The result as lines of text."""
    ours = measured["supervised"]
    sizes = [(f"{n} images, told", ours[str(n)]) for n in SIZES if str(n) in ours]
    rows = [(f"{n}, rewarded", measured["learners"][n]) for n in LEARNERS if "learners" in measured]
    for title, found in [*sizes, *rows]:
        yield f"{title}: accuracy {found['accuracy']}"
        for way, each in found["returns"].items():
            yield f"    {way:<20} {each['mean']:7.3f}  [{each['low']:.3f}, {each['high']:.3f}]"
        for pair, each in found["differences"].items():
            yield f"    {pair:<35} {each['mean']:+.3f}  [{each['low']:+.3f}, {each['high']:+.3f}]"
    for pair, each in measured.get("learners", {}).get("differences", {}).items():
        yield f"{pair}: {each['mean']:+.3f}  [{each['low']:+.3f}, {each['high']:+.3f}]"
    for gate in ours["gates"]:
        yield f"{'reached' if gate['reached'] else 'MISSED '}  {gate['what']}: {gate['measured']}"


if __name__ == "__main__":
    raise SystemExit(main())
