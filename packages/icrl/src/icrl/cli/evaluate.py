"""`icrl evaluate`: a trained agent, frozen, on tasks that it never saw."""

import dataclasses

from icrl.cli.options import Options
from icrl.cli.output import say
from icrl.cli.pairing import check_served, resolve
from icrl.cli.record import RunRecord
from icrl.plugins.lookup import provided
from icrl.plugins.shipped import run_directory


def main(options: Options) -> None:
    """Play the agent of a run, and write the result."""
    directory, out = run_directory(options.directories[0]), options.out
    assert out is not None
    record = RunRecord.load(directory)
    agent = provided("agents", record.run["agent"])
    own = options.family in (None, record.run["family"])
    options = dataclasses.replace(
        options,
        family=options.family or record.run["family"],
        seed=record.run["seed"] if options.seed is None else options.seed,
    )
    pairing = resolve(options, record.env if own else None)
    check_served(agent.spec, pairing.family)
    pairing.family.check_split(options.split)

    from icrl.agent import Interface
    from icrl.cli.amounts import num_test_tasks
    from icrl.cli.report import show_figures
    from icrl.cli.stages import check_unseen, evaluated, played
    from icrl.evaluation.protocol import check_held_out
    from icrl.evaluation.result import check_place
    from icrl.plugins import make_family
    from icrl.report import group, summaries
    from icrl.trained import loaded

    check_held_out(options.split, options.allow_training_tasks)
    learned = loaded(agent, directory / "agent", pairing.device)
    learned.interface.check_family(pairing.family)
    learned.config.adapted(Interface.of(pairing.family))
    count = num_test_tasks(pairing.family, options.split, pairing.budget, options.num_tasks)
    tasks = pairing.family.sample_tasks(count, split=options.split, seed=pairing.seed)
    if agent.spec.learns != "nothing" and not options.allow_training_tasks:
        trained_on = make_family(record.run["family"], **record.env)
        available = trained_on.num_tasks.get("train")
        if available is not None:
            seen = trained_on.sample_tasks(available, split="train", seed=record.run["seed"])
            check_unseen(tasks, seen, f"the training tasks of {options.directories[0]}")
    check_place(
        out,
        agent=agent.spec.name,
        tasks=tasks,
        training_seed=record.run["seed"],
        details=played(pairing, learned),
    )
    result = evaluated(pairing, agent, learned, tasks, training_seed=record.run["seed"])
    result.save(out)
    show_figures(options, summaries(group([result])))
    say(pairing.options, f"The result is in {out}. Next: icrl report {out} --out DIR")
