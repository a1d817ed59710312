"""What the papers claim (``claims.yaml``), read and checked."""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ..errors import ConfigError
from ..evaluation.rules import RATED_ITEMS

OWN_SOURCE = "this-study"  # checks we add; not counted among the papers' claims


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Claim(_Model):
    id: str
    source: str  # a key of `sources`
    statement: str
    paper: str  # the paper's number or words, as shown in tables
    datasets: tuple[str, ...]  # where it can be judged
    content: Literal["any", "full"] = "any"  # full: only with real plots and posters
    split: str = ""  # how the records' split rule must begin; empty = any split
    evaluation: str = RATED_ITEMS.name  # the records' evaluation, or how it must begin
    protocol: str = "as published"
    verified: bool = True  # False: quoted from memory, never a gate
    # False: the paper leaves open what its number means; judged as we read it, not counted
    defined: bool = True
    note: str = ""
    untestable: str = ""  # why nothing at hand can test it; "" where something can

    @property
    def about(self) -> str:
        """The paper it is about, whatever its source: the first word of its id."""
        return self.id.partition(" ")[0]


class ValueClaim(_Claim):
    """One number: ``variant`` has ``value`` in ``metric``."""

    kind: Literal["value"]
    variant: str
    metric: str
    value: float
    tolerance: float  # relative


class BetterClaim(_Claim):
    """``variant`` beats ``than`` in ``metric``, by ``percent`` (low, high) where the paper says by
    how much."""

    kind: Literal["better"]
    variant: str
    than: tuple[str, ...]  # all of them
    metric: str
    percent: tuple[float, float] | None = None
    # row -> its control: not the rows are compared but what each gains over its own, in percent
    gains_over: dict[str, str] = {}
    # what gains are percent of: the other's value on the same seed, or its mean over seeds, where
    # its values are so near zero that single ratios mean nothing
    relative_to: Literal["seed", "mean"] = "seed"

    @model_validator(mode="after")
    def _gains_of_all_rows_or_none(self) -> Self:
        if self.gains_over and set(self.gains_over) != {self.variant, *self.than}:
            raise ValueError("gains_over must name a control of the variant and of all others")
        return self


class EquivalentClaim(_Claim):
    """All ``variants`` lie within ``margin`` percent of each other in ``metric``, or of the one
    that they are ``around``; where the others ``may_be_better`` than that one by any amount, at
    most so far behind it."""

    kind: Literal["equivalent"]
    variants: tuple[str, ...]
    metric: str
    margin: float
    around: str = ""
    may_be_better: bool = False

    @model_validator(mode="after")
    def _is_around_one_of_them(self) -> Self:
        if self.may_be_better and not self.around:
            raise ValueError(
                "may_be_better needs around, the one that the others may be better than"
            )
        if self.around and self.around not in self.variants:
            raise ValueError(f"around must be one of the variants, got {self.around!r}")
        return self


Claim = Annotated[ValueClaim | BetterClaim | EquivalentClaim, Field(discriminator="kind")]


class _Table(_Model):
    """A table of a paper: one value claim per cell."""

    id: str
    source: str
    title: str
    datasets: tuple[str, ...]
    columns: dict[str, str]  # column title -> metric
    rows: dict[str, list[float | None]]  # row title -> values in column order
    variants: dict[str, str] = {}  # row title -> variant name where they differ
    full_content: tuple[str, ...] = ()  # rows that need real plots or posters
    split: str = ""
    evaluation: str = RATED_ITEMS.name
    protocol: str = "as published"
    protocols: dict[str, str] = {}  # row title -> protocol where they differ
    tolerance: float = 0.02
    scale: float = 1.0  # printed value x scale = value
    verified: bool = True
    undefined: tuple[str, ...] = ()  # columns whose definition the paper does not give
    notes: dict[str, str] = {}  # column title -> what to know about its cells
    untestable: str = ""  # why nothing at hand can test any cell

    def claims(self) -> list[ValueClaim]:
        out = []
        for row, values in self.rows.items():
            for (title, metric), value in zip(self.columns.items(), values, strict=True):
                if value is not None:
                    out.append(self._cell(row, title, metric, value))
        return out

    def _cell(self, row: str, title: str, metric: str, value: float) -> ValueClaim:
        return ValueClaim(
            kind="value",
            id=f"{self.id}: {row}, {title}",
            source=self.source,
            statement=f"{self.title}: {row} has {title} {value:g}",
            paper=f"{value:g}",
            datasets=self.datasets,
            content="full" if row in self.full_content else "any",
            split=self.split,
            evaluation=self.evaluation,
            protocol=self.protocols.get(row, self.protocol),
            verified=self.verified,
            defined=title not in self.undefined,
            note=self.notes.get(title, ""),
            untestable=self.untestable,
            variant=self.variants.get(row, row),
            metric=metric,
            value=value * self.scale,
            tolerance=self.tolerance,
        )


class _File(_Model):
    sources: dict[str, str]
    claims: tuple[Claim, ...]
    tables: tuple[_Table, ...]


@cache
def read_claims() -> tuple[Claim, ...]:
    """All claims of ``claims.yaml``: the claims in words, then every table cell."""
    path = Path(__file__).with_name("claims.yaml")
    try:
        file = TypeAdapter(_File).validate_python(_loaded(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{path.name}, {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from None
    claims = [*file.claims, *(claim for table in file.tables for claim in table.claims())]
    for claim in claims:
        if claim.source not in file.sources:
            raise ConfigError(f"{path.name}: {claim.id} names the unknown source {claim.source!r}.")
    return tuple(claims)


@cache
def claims_by_id() -> dict[str, Claim]:
    """The claims of :func:`read_claims` by their ids."""
    return {claim.id: claim for claim in read_claims()}


def read_sources() -> dict[str, str]:
    """Source key -> citation."""
    return _loaded(Path(__file__).with_name("claims.yaml"))["sources"]


def _loaded(path: Path) -> Any:
    """A YAML file, by the C parser where PyYAML has it, ten times as fast."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)
