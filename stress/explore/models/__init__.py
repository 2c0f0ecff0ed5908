"""One model a file, found by scanning: `pfnstorm explore` explores all that must hold by default. See stress/explore/model.py."""

import sys
from functools import cache

from stress import registry
from stress.explore.model import Model


@cache
def known_models() -> dict[str, Model]:
    """Every model by its name, those that are to be violated too.

    Raises      RegistryError if a file is not called as its model
    """
    found = registry.scan(sys.modules[__name__], Model)
    for stem, model in found.items():
        if model.name != stem.replace("_", "-"):
            raise registry.RegistryError(f"stress/explore/models/{stem}.py holds the model {model.name}: call them the same")
    return {model.name: model for model in found.values()}


def all_models() -> dict[str, Model]:
    """Every model that must hold, by its name."""
    return {name: model for name, model in known_models().items() if not model.breaks}
