"""Settings: dataclass schemas, YAML files on top, then dotlist overrides. The only module that knows OmegaConf."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import numbers
import re
import sys
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from engine.errors import ConfigError

T = TypeVar("T")
MOST_DENOISE_STEPS, MOST_THREADS = 1000, 512  # more is a slip of the hand, and would bring a machine to a halt
PLAINER = (  # OmegaConf's words, and ours
    (r"Value (.*) of type '\w+' could not be converted to Integer", r"a whole number, not \1"),
    (r"Value (.*) of type '\w+' could not be converted to Float", r"a number, not \1"),
    (r"Value (.*) is not a valid bool .*", r"true or false, not \1"),
    (r"Incompatible value 'None' for field of type .*", "it needs a value"),
)


def load(schema: type[T], files: Sequence[Path | str] = (), overrides: Sequence[str] = ()) -> T:
    """A `schema` dataclass with its defaults, then each YAML file, then `key.sub=value` overrides.

    Raises ConfigError for a file that cannot be read, an unknown key (naming the nearest known
    one), a value of the wrong type, or a required value left out. A ValueError that the schema's
    own `__post_init__` raises becomes a ConfigError of the same text.
    """
    layers = [(f"{path}: ", _read_yaml(path)) for path in files]
    layers += [(f"{word!r}: ", _read_override(word)) for word in overrides]
    return _merge(schema, layers)


def from_dict(schema: type[T], values: dict[str, Any]) -> T:
    """A `schema` dataclass from plain dicts and lists, as `to_dict` gives them. Raises ConfigError as `load` does."""
    return _merge(schema, [("", values)])


def from_command_line(
    schema: type[T], argv: Sequence[str] | None = None, files: Sequence[Path | str] = (), about: str = ""
) -> T:
    """`load` with overrides from the command line; `--help` prints every setting and exits.

    A word of the command line that ends in .yaml is a file, read in order; the rest are overrides.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if any(word in ("-h", "--help", "help") for word in words):
        print(describe(schema, about))
        raise SystemExit(0)
    yamls, overrides = _split(words)
    return load(schema, [*files, *yamls], overrides)


def named(argv: Sequence[str] | None = None) -> set[str]:
    """The settings that a command line gives, itself or in its YAML files: the first part of each name."""
    yamls, overrides = _split(argv)
    return {str(key) for file in yamls for key in _read_yaml(file)} | {
        str(key) for word in overrides for key in _read_override(word)
    }


def _split(argv: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The YAML files and the overrides of a command line."""
    words = list(sys.argv[1:] if argv is None else argv)
    yamls = [word for word in words if word.endswith((".yaml", ".yml")) and "=" not in word]
    return yamls, [word for word in words if word not in yamls]


def describe(schema: type, about: str = "") -> str:
    """Every setting of `schema`, one a line, with its default and the comment beside it in the source."""
    lines = [about.strip(), ""] if about else []
    lines.append("settings, given as key=value:")
    comments = dict(_comments(schema))
    tree = OmegaConf.to_container(OmegaConf.structured(schema))
    shown = [(key, f"  {key}={_show(value)}") for key, value in _flat(tree)]
    column = min(max((len(text) for _, text in shown), default=0), 40)
    for key, text in shown:
        comment = comments.get(key, "")
        lines.append(f"{text:<{column}}  {comment}" if comment else text)
    return "\n".join(lines)


def to_yaml(settings: Any) -> str:
    """The settings as YAML that `load` reads back."""
    tree = OmegaConf.to_container(OmegaConf.structured(settings), enum_to_str=True)
    return yaml.safe_dump(_plain(tree), sort_keys=False)


def to_dict(settings: Any) -> dict[str, Any]:
    """The settings as plain dicts, lists and scalars."""
    return dataclasses.asdict(settings)


def _merge(schema: type[T], layers: Sequence[tuple[str, dict[Any, Any]]]) -> T:
    """The defaults with each tree of plain values on top; each comes with what an error about it begins with."""
    merged = OmegaConf.structured(schema)
    for source, tree in layers:
        _check_shape(schema, tree, source)
        try:
            merged = OmegaConf.unsafe_merge(merged, OmegaConf.create(tree))  # spares a copy of all for each layer
        except (OmegaConfBaseException, TypeError) as error:
            raise ConfigError(source + _explain(error)) from error
    try:
        return typing.cast(T, OmegaConf.to_object(merged))
    except MissingMandatoryValue as error:
        raise ConfigError(f"setting {str(error.full_key or error.key)!r} must be given: it has no default") from error
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(_explain(error)) from error


def _read_yaml(path: Path | str) -> dict[Any, Any]:
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not YAML: {_fault_of(error)}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold settings, one `key: value` a line, not a {type(tree).__name__}")
    return tree


def _fault_of(error: Exception) -> str:
    """What a YAML reader stumbled over, and in which line, where it says so."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _read_override(word: str) -> dict[Any, Any]:
    key, equals, _ = word.partition("=")
    if not equals or not key:
        raise ConfigError(f"a setting is written key=value, not {word!r} (--help prints all settings)")
    try:
        return typing.cast(dict[Any, Any], OmegaConf.to_container(OmegaConf.from_dotlist([word])))
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{word!r}: the value cannot be read: {_explain(error)}") from error


def _check_shape(schema: type, tree: dict[Any, Any], source: str) -> None:
    """Raise ConfigError at the first key that the schema does not have, or group or list given as something else."""
    for problem in _problems(schema, tree, "", [key for key, _ in _leaves(schema)]):
        raise ConfigError(source + problem)


def _problems(hint: Any, value: Any, prefix: str, leaves: list[str]) -> Iterator[str]:
    """What is wrong with the shape of `value` for a setting of type `hint`; scalars are OmegaConf's to check."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(value, str) and value.startswith("${"):
        return
    if origin in (typing.Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        if value is not None and len(inner) == 1:
            yield from _problems(inner[0], value, prefix, leaves)
    elif dataclasses.is_dataclass(hint):
        yield from _group_problems(typing.cast(type, hint), value, prefix, leaves)
    elif origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            yield f"setting {prefix!r} is a list, written [a, b], not {value!r}"
            return
        if origin is tuple and arguments[-1] is not ... and len(value) != len(arguments):
            yield f"setting {prefix!r} takes {len(arguments)} values, not {len(value)}"
        for index, item in enumerate(value):
            yield from _problems(arguments[0], item, f"{prefix}[{index}]", leaves)
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"setting {prefix!r} is a table, written {{name: value}}, not {value!r}"
            return
        for key, item in value.items():
            yield from _problems(arguments[1], item, f"{prefix}.{key}", leaves)


def _group_problems(group: type, value: Any, prefix: str, leaves: list[str]) -> Iterator[str]:
    hints, dot = _hints(group), f"{prefix}." if prefix else ""
    known = [dot + name for name in hints]
    if not isinstance(value, dict):
        yield f"setting {prefix!r} is a group (of {', '.join(known)}), not {value!r}"
        return
    for key, item in value.items():
        if key in hints:
            yield from _problems(hints[key], item, dot + key, leaves)
        else:
            near = _nearest(f"{dot}{key}", known) or _nearest(str(key), leaves)
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"
            yield f"unknown setting '{dot}{key}'; {hint}"


@functools.cache
def _hints(group: type) -> dict[str, Any]:
    hints = typing.get_type_hints(group)
    return {item.name: hints[item.name] for item in dataclasses.fields(group)}


def _leaves(schema: type, prefix: str = "") -> Iterator[tuple[str, type]]:
    """(full key, the dataclass it stands in) of every setting; groups are entered, lists and dicts are not."""
    for name, hint in _hints(schema).items():
        if dataclasses.is_dataclass(hint):
            yield from _leaves(typing.cast(type, hint), f"{prefix}{name}.")
        else:
            yield prefix + name, schema


def _nearest(found: str, known: list[str]) -> str | None:
    """The known key most like `found`, by its last part; None if nothing is near."""
    last = found.rpartition(".")[2]
    scores = [(difflib.SequenceMatcher(None, last, key.rpartition(".")[2]).ratio(), key) for key in known]
    score, key = max(scores, default=(0.0, ""))
    return key if score >= 0.6 else None


def _explain(error: Exception) -> str:
    """An error of OmegaConf's as one line, with the setting's name where it knows it."""
    key = getattr(error, "full_key", None)
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    for pattern, plain in PLAINER:
        text = re.sub(pattern, plain, text)
    return f"setting {key!r}: {text}" if key else text


def _comments(schema: type) -> Iterator[tuple[str, str]]:
    """(full key, the comment at the end of its line in the source), where there is one."""
    for key, group in _leaves(schema):
        try:
            source = inspect.getsource(group)
        except (OSError, TypeError):
            continue
        match = re.search(rf"^\s+{key.rpartition('.')[2]}\s*:.*?\s#\s+(.*)$", source, re.MULTILINE)
        if match:
            yield key, match.group(1)


def _plain(tree: Any) -> Any:
    """The tree with paths as text: a YAML of python objects would be refused when read."""
    if isinstance(tree, dict):
        return {key: _plain(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_plain(value) for value in tree]
    return str(tree) if isinstance(tree, Path) else tree


def _flat(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(tree, dict) or not tree:
        return [(prefix, tree)]
    return [pair for key, value in tree.items() for pair in _flat(value, f"{prefix}.{key}" if prefix else str(key))]


def _show(value: Any) -> str:
    """A default as one would type it; `???` is OmegaConf's mark of a setting without one."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_show(item) for item in value)}]"
    return "(required)" if value == "???" else str(value)


def is_seed(seed: object) -> TypeGuard[int]:
    """Whether it is a whole number from 0 to 2**63 - 1."""
    return isinstance(seed, numbers.Integral) and not isinstance(seed, bool) and 0 <= int(seed) < 2**63


def check_seed(seed: object) -> int:
    """The seed. Raises ConfigError if it is none."""
    if not is_seed(seed):
        raise ConfigError(f"seed is a whole number from 0 to 2**63 - 1, not {seed!r}")
    return int(seed)


def at_least_one(value: int, name: str, most: int | None = None) -> int:
    """The setting `name`. Raises ConfigError unless it is a whole number from 1, at most `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
        raise ConfigError(f"{name} is a whole number from 1{'' if most is None else f' to {most}'}, not {value!r}")
    return value
