"""``python -m training``: trains and exports models, runs experiments; see ``--help``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lbbic_engine.config import PAPER_VARIANTS
from lbbic_engine.errors import LbbicError
from training.kinds import kind_of, kind_of_run
from training.paper.recipe import METHODS
from training.refinement import commands as refinement
from training.shared.recipe import read_values


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        options.action(options)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        sys.exit(f"python -m training: {error.strerror or error}{place}")
    except (LbbicError, ValueError) as error:
        sys.exit(f"python -m training: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="start a run from a recipe")
    train.add_argument("recipe", type=Path, help="a TOML file, see training/recipes")
    train.add_argument(
        "--start", type=Path, help="float weights to start from (default: closed form)"
    )
    train.add_argument("--quality", type=float, help="of the paper's networks: 1 to 8")
    train.add_argument("--method", choices=METHODS, help="of the paper's networks")
    train.set_defaults(action=_train)

    resume = commands.add_parser("resume", help="continue a run that was stopped")
    resume.set_defaults(action=_resume)
    for command in (train, resume):
        command.add_argument("--data", type=Path, required=True, help="folder of pictures")

    export = commands.add_parser("export", help="export a model for the codec")
    export.add_argument("name", help="name of the model, as in `lbbic compress --weights NAME`")
    export.add_argument("--data", type=Path, required=True, help="folder the run was trained on")
    export.add_argument("-o", "--output", type=Path, required=True, help="folder of the file")
    export.add_argument("--float", type=Path, help="also write the float weights, to train from")
    export.set_defaults(action=_export)

    published = commands.add_parser(
        "import-weights", help="import a published checkpoint of the paper's as a model"
    )
    published.add_argument("checkpoint", type=Path, help="a .pth.tar file")
    published.add_argument("--variant", choices=PAPER_VARIANTS, required=True)
    published.add_argument("--quality", type=float, required=True, help="1 to 8, for its λ")
    published.add_argument(
        "-o",
        "--output",
        required=True,
        help="name of the model in your folder of models, or a path",
    )
    published.add_argument(
        "--pictures", type=Path, help="folder to calibrate and measure on, default: the samples"
    )
    published.add_argument("--float", type=Path, help="also write the float weights, to train from")
    published.set_defaults(action=_import)

    zoo = commands.add_parser("zoo", help="measure CompressAI's pretrained models on a folder")
    zoo.add_argument("folder", type=Path, help="of pictures")
    zoo.add_argument("-a", "--architecture", default="mbt2018", help="default mbt2018")
    zoo.add_argument("-q", "--qualities", type=_whole_numbers, default=range(1, 9), metavar="Q,Q")
    zoo.add_argument("-o", "--output", type=Path, required=True, help="a .json, for --anchor")
    zoo.set_defaults(action=_zoo)

    sizes = commands.add_parser("block-sizes", help="show which model is best where in a picture")
    sizes.add_argument("picture", type=Path)
    sizes.add_argument("--weights", nargs="+", required=True, metavar="NAME", help="two to four")
    sizes.add_argument(
        "--quality", type=float, required=True, help="1 to 8: its λ is used to compare"
    )
    sizes.add_argument(
        "-o", "--output", type=Path, required=True, help="a .png; a .csv is written beside it"
    )
    sizes.set_defaults(action=_block_sizes)

    refinement.add_commands(commands)

    evaluate = commands.add_parser(
        "evaluate", help="measure the cost of the integers on held-out pictures"
    )
    evaluate.add_argument("--data", type=Path, required=True, help="folder the run was trained on")
    evaluate.set_defaults(action=_evaluate)

    plot = commands.add_parser("plot", help="plot the learning curve of a run")
    plot.add_argument("-o", "--output", type=Path, required=True, help="a .png, .svg or .pdf")
    plot.add_argument(
        "--beside", type=Path, nargs="+", default=[], help="other runs, beside one of the paper's"
    )
    plot.set_defaults(action=_plot)

    throughput = commands.add_parser("throughput", help="measure the speed of training steps")
    throughput.add_argument("recipe", type=Path)
    throughput.set_defaults(action=_throughput)
    for command in (train, resume, throughput, zoo):
        command.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
        command.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")

    for command in (train, resume, export, evaluate, plot):
        command.add_argument("--run", type=Path, required=True, help="folder of the run")
    return parser


def _train(options: argparse.Namespace) -> None:
    values = read_values(options.recipe)
    wanted = {"quality": options.quality, "method": options.method}
    changes = {name: value for name, value in wanted.items() if value is not None}
    from training.shared import processes
    from training.shared.dataset import picture_paths

    with processes.joined(options.device):
        if processes.number() == 0:
            if not picture_paths(options.data):
                raise ValueError(f"{options.data}: there is no picture")  # leaves no run behind
            kind_of(values).start(values, options.run, options.start, **changes)
        processes.wait()
        _continue(options)


def _resume(options: argparse.Namespace) -> None:
    from training.shared import processes

    with processes.joined(options.device):
        _continue(options)


def _continue(options: argparse.Namespace) -> None:
    _set_threads(options.threads)
    kind_of_run(options.run).train(options.run, options.data, options.device)


def _import(options: argparse.Namespace) -> None:
    from training.paper.export_run import import_checkpoint

    path, cost = import_checkpoint(
        options.checkpoint,
        options.variant,
        options.quality,
        options.output,
        options.pictures,
        options.float,
    )
    print(f"{path}\n{cost}")


def _zoo(options: argparse.Namespace) -> None:
    from training.experiments.compressai_zoo import measure_folder

    _set_threads(options.threads)
    document = measure_folder(
        options.folder, options.architecture, options.qualities, options.device
    )
    text = json.dumps(document, indent=1)
    options.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def _block_sizes(options: argparse.Namespace) -> None:
    from lbbic_engine.pictures.read import load_picture
    from training.experiments.block_sizes import compete

    contest = compete(options.picture, options.weights, options.quality)
    contest.image(load_picture(options.picture).pixels).save(options.output)
    options.output.with_suffix(".csv").write_text(contest.csv(), encoding="utf-8")
    print(contest)


def _whole_numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _export(options: argparse.Namespace) -> None:
    kind = kind_of_run(options.run)
    print(kind.export(options.run, options.data, options.name, options.output, options.float))


def _evaluate(options: argparse.Namespace) -> None:
    print(kind_of_run(options.run).evaluate(options.run, options.data))


def _plot(options: argparse.Namespace) -> None:
    kind_of_run(options.run).plot(options.run, options.beside, options.output)


def _throughput(options: argparse.Namespace) -> None:
    from training.optimise.report import measure_throughput
    from training.shared.recipe import load_recipe

    _set_threads(options.threads)
    print(measure_throughput(load_recipe(options.recipe), options.device))


def _set_threads(count: int | None) -> None:
    if count:
        import torch

        torch.set_num_threads(count)


if __name__ == "__main__":
    main()
