"""The models, one file each, in one package a family: `pfnstorm explore` explores all that must hold. See stress/explore/model.py."""

import importlib
import pkgutil
from functools import cache

from stress import registry
from stress.explore.model import Model


@cache
def families() -> dict[str, dict[str, Model]]:
    """The models of each family by name, those that must be violated included.

    Raises      RegistryError if a file is not named as its model, or two models have one name
    """
    found: dict[str, dict[str, Model]] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.ispkg:
            package = importlib.import_module(f"{__name__}.{info.name}")
            found[info.name] = {_checked_name(info.name, stem, model): model for stem, model in registry.scan(package, Model).items()}
    names = [name for models in found.values() for name in models]
    if twice := {name for name in names if names.count(name) > 1}:
        raise registry.RegistryError(f"stress/explore/models: two families have a model {min(twice)}")
    return found


def _checked_name(family: str, stem: str, model: Model) -> str:
    if model.name != stem.replace("_", "-"):
        raise registry.RegistryError(f"stress/explore/models/{family}/{stem}.py defines the model {model.name}: give both the same name")
    return model.name


@cache
def known_models() -> dict[str, Model]:
    """Every model by name, in the order of names, those that must be violated included."""
    return dict(sorted((name, model) for models in families().values() for name, model in models.items()))


def all_models() -> dict[str, Model]:
    """Every model that must hold, by name."""
    return {name: model for name, model in known_models().items() if not model.breaks}
