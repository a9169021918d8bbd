"""Configuration of a campaign: what `evolve run` takes from a TOML file and from its options."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evaluators import registry
from evaluators.contract import nearest
from evolve.errors import ConfigError
from evolve.models.config import DECISIVE, LlmConfig
from evolve.search.population import Settings as PopulationSettings
from sandbox.process import Kind

RAISABLE = frozenset({"candidates", "time_s", "budget_usd", "budget_tokens"})
"""Budgets: a continued campaign may have them raised."""

_COMMENT_WIDTH = 100

SYNONYMS = {"games": "tasks", "iterations": "budget"}

FREE = frozenset({"workers", "min_isolation", "db", "max_engine_errors"})
"""What changes neither programs nor scores: a continued campaign takes what the new command says."""


class LimitsConfig(BaseModel):
    """Overrides of the domain's limits for one sandbox session (one program on one task)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    cpu_s: float | None = Field(None, gt=0)
    """CPU seconds of the session."""
    wall_s: float | None = Field(None, gt=0)
    """Wall seconds of the session."""
    call_wall_s: float | None = Field(None, gt=0)
    """Wall seconds of one call."""
    memory_mib: int | None = Field(None, gt=0)
    """Memory of the program's process."""


class CampaignConfig(BaseModel):
    """One search. Every field has a default, so that ``evolve run`` alone is a campaign."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field("", pattern=r"^[\w.+-]*$")
    """What the campaign is called; <domain>-<operator>-s<seed> when empty."""
    domain: str = "cfr"
    """Problem domain: which interface the programs implement, and what scores them; a name, or a folder with a file
    domain.py."""
    operator: str = "symbolic"
    """What proposes programs: symbolic or llm."""
    model: tuple[str, ...] = ()
    """Who writes the programs of the operator ``llm``: ``openai:NAME``, ``gemini:NAME``, ``mailbox:DIR`` and so on; of
    several, one is chosen for each candidate."""
    start: tuple[str, ...] = ()
    """Seed names, paths or stored ids that the search starts from; the domain's seed when empty."""
    seed: int = Field(0, ge=0, lt=1 << 32)
    """Of everything random."""
    suite: str = "train"
    """Named set of tasks to search on."""
    tasks: tuple[str, ...] = ()
    """Names of tasks (for games, short names or OpenSpiel strings), instead of the suite."""
    tiers: tuple[str, ...] = ()
    """Tiers of tasks that are scored; the domain's own when empty."""
    budget: int | None = Field(None, ge=1)
    """Of each task, such as iterations; the domain's own unless given."""
    refinements: int | None = Field(None, ge=0, lt=1000)
    """How often an island's leader is evaluated on further seeds; the domain's own unless given."""
    race: bool = True
    """Whether a candidate that is far behind its parent on the first stage of its tasks is stopped there."""
    objective: str = ""
    """What decides "better"; the domain's default when empty."""
    baselines: tuple[str, ...] = ()
    """Seeds that the search is compared with, by name; the domain's own when empty."""
    candidates: int = Field(120, ge=1)
    """Budget: programs to propose."""
    time_s: float | None = Field(None, gt=0)
    """Budget: wall seconds."""
    budget_usd: float | None = Field(None, gt=0)
    """Most dollars that the model may cost."""
    budget_tokens: int | None = Field(None, gt=0)
    """Most tokens of the model, input and output."""
    workers: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1)
    """Evaluation processes; one per core unless given."""
    lookahead: int = Field(8, ge=1)
    """How many candidates are under way at once: the parents of candidate k are chosen when k - lookahead is told."""
    crossover: float = Field(0.15, ge=0, le=1)
    """Share of the children that are a crossover of two parents."""
    attempts: int = Field(3, ge=1)
    """How often an operator tries again when its child fails screening."""
    max_engine_errors: int = Field(5, ge=1)
    """So many candidates in a row that end by a fault of the engine end the campaign."""
    db: str = ""
    """Results database, when neither an option nor the environment names one."""
    sandbox: Kind = "process"
    """Where programs run: process, docker or gvisor."""
    min_isolation: str = ""
    """Refuse to start below this level; when empty, what the operator needs (`evolve.evaluation.isolation`)."""
    limits: LimitsConfig = LimitsConfig()
    """Limits of one program on one task; the domain's own unless given."""
    population: PopulationSettings = PopulationSettings()
    """How programs are kept and parents chosen."""
    llm: LlmConfig = LlmConfig()
    """How a model is asked, where the operator is llm."""

    @model_validator(mode="before")
    @classmethod
    def _synonyms(cls, given: Any) -> Any:
        """Domains that play games may say games and iterations, as configurations of earlier versions do."""
        if not isinstance(given, Mapping):
            return given
        values = dict(given)
        for old, new in SYNONYMS.items():
            if old in values:
                if new in values:
                    raise ValueError(f"expected {new} or its synonym {old}, not both")
                values[new] = values.pop(old)
        return values

    @field_validator("domain")
    @classmethod
    def _wherever_it_runs(cls, given: str) -> str:
        """A folder is stored as an absolute path: later commands may run elsewhere."""
        return registry.reference(given)

    @field_validator("model", "start", mode="before")
    @classmethod
    def _one_or_several(cls, given: object) -> object:
        """A single one may be written as a plain string."""
        return ((given,) if given else ()) if isinstance(given, str) else given

    @field_validator("model", "start")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("expected each of them once")
        return names

    @property
    def campaign_name(self) -> str:
        """The given name, or ``<domain>-<operator>-s<seed>``."""
        return self.name or f"{Path(self.domain).name}-{self.operator}-s{self.seed}"


def load_config(path: Path | None, options: Mapping[str, Any]) -> CampaignConfig:
    """The configuration in a TOML file, with options of the command line over it.

    Args:
        path: the file, or None for the defaults.
        options: field -> value; None stands for "not given".

    Raises:
        ConfigError: no such file, no TOML, an unknown key (with the nearest), a value of the wrong kind.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"config: expected a TOML file at {path}; {error.strerror}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"config: expected TOML in {path}; {error}.") from error
    chosen = {key: value for key, value in options.items() if value is not None}
    # An option replaces what the file says by the field's older name too.
    kept = {key: value for key, value in values.items() if SYNONYMS.get(key) not in chosen}
    return parse_config(kept | chosen)


def parse_config(values: Mapping[str, Any]) -> CampaignConfig:
    """The configuration that plain values describe.

    Raises:
        ConfigError: the first thing that is wrong, in one line.
    """
    try:
        return CampaignConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"config: unknown key {key!r}.", nearest(key, list(notes()))) from error
        # An address may hold a password, which is not to be shown.
        actual = "" if "base_url" in key else f"; got {first['input']!r}"
        raise ConfigError(f"config: {key}: {first['msg']}{actual}.") from (error if actual else None)


def check_continues(stored: Mapping[str, Any], wanted: CampaignConfig) -> CampaignConfig:
    """The configuration of a continued campaign: `wanted`, whose budgets may be higher than the stored ones.

    Raises:
        ConfigError: another option differs, or a budget was lowered.
    """
    before = parse_config(stored)
    for field in CampaignConfig.model_fields:
        old, new = getattr(before, field), getattr(wanted, field)
        raised = field in RAISABLE and (new is None or (old is not None and new > old))
        alike = field == "llm" and all(getattr(old, name) == getattr(new, name) for name in DECISIVE)
        if not (old == new or field in FREE or raised or alike):
            raise ConfigError(
                f"campaign {wanted.campaign_name!r} exists with {field} = {old!r}; this command says {new!r}.",
                "Only candidates, time and cost may be raised; for anything else start a new campaign with --name.",
            )
    return wanted


def notes(model: type[BaseModel] = CampaignConfig, prefix: str = "") -> dict[str, str]:
    """Return what each field is for, by its dotted key: what the models themselves say of it."""
    described = {}
    for name, field in model.model_fields.items():
        described[prefix + name] = (field.description or "").replace("``", "")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            described |= notes(field.annotation, f"{prefix}{name}.")
    return described


def to_toml(values: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """Return plain values as TOML, which the standard library only reads.

    First the keys of a mapping, then a table for each mapping in it; mappings further in are inline tables.

    Args:
        values: None, booleans, numbers, strings, sequences and mappings. TOML has no None: it is left out.
        comments: dotted key, or table -> comment above it. A key that is None stands there then, as a comment too.
    """
    comments = comments or {}
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    blocks = [_keys(plain, "", comments)]
    for name, table in tables.items():
        head = [*_comment(comments.get(name, "")), f"[{_key(name)}]"]
        blocks.append("\n".join([*head, _keys(table, f"{name}.", comments)]).rstrip("\n"))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _keys(values: Mapping[str, Any], prefix: str, comments: Mapping[str, str]) -> str:
    lines = []
    for key, value in values.items():
        comment = comments.get(prefix + key, "")
        lines += _comment(comment)
        if value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
        elif comment:
            lines.append(f"# {_key(key)} =")
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), _COMMENT_WIDTH)]


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _string(value)
        case Mapping():
            inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case int() | float():
            return repr(value)
    raise TypeError(f"toml: expected a plain value; got {type(value).__name__}")


def _string(text: str) -> str:
    """Return a basic string: JSON's escapes are TOML's, which has one character more to escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
