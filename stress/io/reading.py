"""Files of text that are read: bounded in size and depth, checked by a schema. A mistake is one line: file, key, what is wrong, remedy."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from stress.errors import UserError
from stress.io.text import MIB, one_line, shortened

MAX_TEXT_BYTES = 64 * MIB
MAX_DEPTH = 64  # of lists and objects inside of each other
MAX_INT_BITS = 256  # far more than any reader takes; Python converts larger ones slowly or not at all

Checked = TypeVar("Checked")
Table = TypeVar("Table", bound=BaseModel)


def is_file(path: Path) -> bool:
    """Whether there is a file; False for a name that no file can have, and below a folder that may not be read."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False as in is_file()."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_text(path: Path, what: str) -> str:
    """The text of a file.

    Parameters  what: what the file should be, for the message: "a result"
    Raises      UserError if it cannot be read, is larger than MAX_TEXT_BYTES, or is not UTF-8
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise UserError(f"{path}: not {what}: larger than {MAX_TEXT_BYTES // MIB} MiB")
        return content.decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # a name with a null byte, or not UTF-8
        raise UserError(f"{path}: not {what}: {error}") from error


def read_json(path: Path, what: str, *, missing_numbers: bool = False) -> Any:
    """The value in a JSON file. It is at most MAX_DEPTH deep, and its numbers are finite.

    Parameters  what: as in read_text()
                missing_numbers: NaN and Infinity, which JSON does not have, are read as null
    Raises      UserError
    """
    try:
        return parse_json(read_text(path, what), missing_numbers=missing_numbers)
    except ValueError as error:
        raise UserError(f"{path}: not {what}: {error}") from error


def parse_json(text: str, *, missing_numbers: bool = False) -> Any:
    """The value of a JSON text.

    Parameters  missing_numbers: as in read_json()
    Raises      ValueError, one line
    """
    try:
        value = json.loads(text, parse_constant=_no_number if missing_numbers else _refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_bounds(value)
    return value


def _no_number(_name: str) -> None:
    return None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _check_bounds(value: Any) -> None:
    """Raise ValueError unless the value is at most MAX_DEPTH deep and its integers are small. Not recursive, unlike its readers."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(each, int) and each.bit_length() > MAX_INT_BITS for each in level):
            raise ValueError(f"an integer has more than {MAX_INT_BITS} bits")
        containers = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [inner for each in containers for inner in each]
        if not level:
            return
    raise ValueError(f"nested too deeply: more than {MAX_DEPTH} levels")


def read_toml(path: Path, model: type[Table], context: Mapping[str, Any] | None = None) -> Table:
    """A TOML file, checked by a model.

    Parameters  context: for the model's validators
    Raises      UserError
    """
    text = read_text(path, "valid TOML")
    try:
        table = tomllib.loads(text)
        _check_bounds(table)
    except RecursionError as error:
        raise UserError(f"{path}: not valid TOML: nested too deeply") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid TOML: {one_line(str(error))}") from error
    try:
        return model.model_validate(table, context=dict(context or {}))
    except ValidationError as error:
        raise UserError(f"{path}: {first_mistake(error, model)}") from error


def checked(schema: TypeAdapter[Checked], value: object, path: Path, what: str, remedy: str) -> Checked:
    """A value of a file, checked by a schema.

    Parameters  what: as in read_text()
    Raises      UserError
    """
    try:
        return schema.validate_python(value)
    except ValidationError as error:
        raise UserError(f"{path}: not {what}: {first_mistake(error)}; {remedy}") from error


def first_mistake(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """The first mistake of a file as "key: what is wrong", and the number of the others.

    Parameters  model: of the file; the keys that it allows are named beside an unknown one
    """
    mistakes = error.errors(include_url=False, include_context=False)
    first: dict[str, Any] = dict(mistakes[0])
    where = shortened(".".join(one_line(str(part)) for part in first["loc"]))
    message = one_line(str(first["msg"]).removeprefix("Value error, "))
    if first["type"] == "extra_forbidden":
        message = "unknown key" if model is None else f"unknown key; allowed here: {', '.join(_keys_beside(model, first['loc']))}"
    elif "input" in first and not isinstance(first["input"], dict | list | tuple):
        message += f" (is {shortened(repr(first['input']))})"
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return f"{where}: {message}{more}" if where else f"{message}{more}"


def _keys_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model allows in the table of an unknown key."""
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = _model_in(field.annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation such as `tuple[Mix, ...]` has inside."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
