"""Settings: dataclass schemas, YAML files on top, then dotlist overrides. The only module that knows OmegaConf."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.errors import ConfigError

T = TypeVar("T")


def load(schema: type[T], files: Sequence[Path | str] = (), overrides: Sequence[str] = ()) -> T:
    """A `schema` dataclass with its defaults, then each YAML file, then `key.sub=value` overrides.

    Raises ConfigError for a file that cannot be read, an unknown key (naming the nearest known
    one), a value of the wrong type, or a required value left out.
    """
    merged = OmegaConf.structured(schema)
    try:
        for path in files:
            merged = OmegaConf.merge(merged, OmegaConf.create(yaml.safe_load(Path(path).read_text()) or {}))
        for override in overrides:
            if "=" not in override:
                raise ConfigError(f"a setting is written key=value, not {override!r}")
            merged = OmegaConf.merge(merged, OmegaConf.from_dotlist([override]))
        return typing.cast(T, OmegaConf.to_object(merged))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {error.filename}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"a settings file cannot be read: {' '.join(str(error).split())}") from error
    except OmegaConfBaseException as error:
        raise ConfigError(_explain(schema, error)) from error


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
    yamls = [word for word in words if word.endswith((".yaml", ".yml")) and "=" not in word]
    return load(schema, [*files, *yamls], [word for word in words if word not in yamls])


def describe(schema: type, about: str = "") -> str:
    """Every setting of `schema`, one a line, with its default."""
    lines = [about.strip(), "", "settings, given as key=value:"] if about else ["settings, given as key=value:"]
    plain = OmegaConf.to_container(OmegaConf.structured(schema))
    lines += [f"  {key}={value}" for key, value in _flat(plain)]
    return "\n".join(lines)


def to_yaml(settings: Any) -> str:
    """The settings as YAML that `load` reads back."""
    return OmegaConf.to_yaml(OmegaConf.structured(settings))


def to_dict(settings: Any) -> dict[str, Any]:
    """The settings as plain dicts, lists and scalars."""
    return dataclasses.asdict(settings)


def _flat(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(tree, dict) or not tree:
        return [(prefix, "" if tree is None else tree)]
    return [pair for key, value in tree.items() for pair in _flat(value, f"{prefix}.{key}" if prefix else str(key))]


def _known_keys(schema: type) -> list[str]:
    return [key for key, _ in _flat(OmegaConf.to_container(OmegaConf.structured(schema)))]


def _explain(schema: type, error: OmegaConfBaseException) -> str:
    key = str(error.full_key or error.key or "")
    known = _known_keys(schema)
    groups = {known_key.rsplit(".", depth)[0] for known_key in known for depth in range(1, known_key.count(".") + 1)}
    if key and key not in known and key not in groups:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown setting {key!r}{hint} (--help prints all of them)"
    return f"setting {key!r}: {str(error).splitlines()[0]}"
