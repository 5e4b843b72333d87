"""Finds the installed models, and loads one."""

from __future__ import annotations

from importlib import import_module

from lbbic_gui.jobs import messages, requests
from lbbic_gui.jobs.work.decoding import OnReport
from lbbic_gui.jobs.work.torch_import import quiet_import


def warm_up(request: requests.WarmUp, report: OnReport) -> messages.Ready:
    with quiet_import():
        import torch

        from lbbic_engine.measure import evaluate

        import_module("lbbic_engine.batch.files")  # the window asks it without waiting for it
        models = installed()
        report(models)
        is_there = any(model.name == request.model for model in models.installed)
        evaluate.warm_up(request.device, weights_name(request.model if is_there else ""))
    use_cuda = request.device == "cuda" and torch.cuda.is_available()
    return messages.Ready("cuda" if use_cuda else "cpu", torch.__version__)


def installed() -> messages.InstalledModels:
    """The installed models; of several with one name, the one that the engine uses."""
    from lbbic_engine.config import QUALITY_COUNT
    from lbbic_engine.networks import model_files, weights

    by_name: dict[str, messages.Model] = {}
    for description in weights.installed():
        config, title = description.config, description.name
        name = "" if title == weights.DEFAULT else title
        has_all = all(map(config.offers, range(QUALITY_COUNT)))
        quality = None if has_all else config.default_quality
        by_name.setdefault(name, messages.Model(name, title, description.id.hex(), quality))
    models = tuple(sorted(by_name.values(), key=lambda model: model.name))
    return messages.InstalledModels(models, model_files.rejected())


def weights_name(model: str) -> str:
    """The engine's name of a model in the settings."""
    from lbbic_engine.networks import weights

    return model or weights.DEFAULT
