"""Durations that vary: service times and cold starts.

Each distribution is a small frozen value with its mean, its quantiles and a `sample` method. Sampling
uses the methods of the `numpy.random.Generator` that is handed in, so that this room needs the standard
library only, and a run stays reproducible from one seed.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.units import format_duration, parse_duration

if TYPE_CHECKING:
    from numpy import float64
    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = [
    "Constant",
    "Distribution",
    "Empirical",
    "Exponential",
    "Lognormal",
    "TokenTime",
    "distribution_from",
    "stretched",
]


class Distribution(Protocol):
    """A non-negative random duration in seconds."""

    @property
    def mean_s(self) -> float:
        """Expectation, in seconds."""

    @property
    def cv(self) -> float:
        """Coefficient of variation: standard deviation / mean; 0 for a constant."""

    def quantile(self, share: float) -> float:
        """The duration that a `share` in (0, 1) of all draws stay at or under, in seconds."""

    def sample(self, rng: Generator, count: int) -> NDArray[float64]:
        """`count` independent draws in seconds, shape (count,), float64."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `distribution_from` turns into the same distribution again."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same duration.

    >>> Constant(30.0).quantile(0.9)
    30.0
    """

    value_s: float

    def __post_init__(self) -> None:
        require_nonnegative(value_s=self.value_s)

    @property
    def mean_s(self) -> float:
        return self.value_s

    @property
    def cv(self) -> float:
        return 0.0

    def quantile(self, share: float) -> float:
        _check_share(share)
        return self.value_s

    def sample(self, rng: Generator, count: int) -> NDArray[float64]:
        return rng.uniform(self.value_s, self.value_s, count)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "constant", "value_s": self.value_s}

    def __str__(self) -> str:
        return format_duration(self.value_s)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Memoryless: P(X > x) = exp(-x / mean). The service time of M/M/c queues.

    >>> round(Exponential(0.4).quantile(0.9), 4)
    0.921
    """

    mean_s: float

    def __post_init__(self) -> None:
        require_positive(mean_s=self.mean_s)

    @property
    def cv(self) -> float:
        return 1.0

    def quantile(self, share: float) -> float:
        _check_share(share)
        return -self.mean_s * math.log1p(-share)

    def sample(self, rng: Generator, count: int) -> NDArray[float64]:
        return rng.exponential(self.mean_s, count)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "exponential", "mean_s": self.mean_s}

    def __str__(self) -> str:
        return f"exponential, mean {format_duration(self.mean_s)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lognormal:
    """exp(N(mu, sigma^2)), given by its mean and coefficient of variation.

    sigma^2 = ln(1 + cv^2), mu = ln(mean) - sigma^2 / 2. The usual shape of service times and cold
    starts: never negative, most draws below the mean, a tail on the right.

    >>> start = Lognormal(mean_s=60.0, cv=0.25)
    >>> round(start.quantile(0.5), 2), round(start.quantile(0.9), 2)
    (58.21, 79.8)
    """

    mean_s: float
    cv: float

    def __post_init__(self) -> None:
        require_positive(mean_s=self.mean_s, cv=self.cv)

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.sqrt(math.log1p(self.cv * self.cv))

    @property
    def mu(self) -> float:
        """Mean of the logarithm of seconds."""
        return math.log(self.mean_s) - self.sigma**2 / 2

    def quantile(self, share: float) -> float:
        _check_share(share)
        return math.exp(self.mu + self.sigma * NormalDist().inv_cdf(share))

    def sample(self, rng: Generator, count: int) -> NDArray[float64]:
        return rng.lognormal(self.mu, self.sigma, count)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "lognormal", "mean_s": self.mean_s, "cv": self.cv}

    def __str__(self) -> str:
        return f"lognormal, mean {format_duration(self.mean_s)}, cv {self.cv:g}"


@dataclass(frozen=True, slots=True)
class Empirical:
    """Measured durations, drawn again with equal chance.

    A quantile is the smallest measured value that at least that share of the values stay at or under.

    >>> Empirical((1.0, 2.0, 3.0, 10.0)).quantile(0.75)
    3.0
    """

    values_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values_s:
            raise ParameterError("values_s must hold at least one measured duration, was empty")
        for value in self.values_s:
            require_nonnegative(values_s=value)
        object.__setattr__(self, "values_s", tuple(sorted(self.values_s)))

    @property
    def mean_s(self) -> float:
        return math.fsum(self.values_s) / len(self.values_s)

    @property
    def cv(self) -> float:
        mean = self.mean_s
        if mean == 0:
            return 0.0
        variance = math.fsum((value - mean) ** 2 for value in self.values_s) / len(self.values_s)
        return math.sqrt(variance) / mean

    def quantile(self, share: float) -> float:
        _check_share(share)
        return self.values_s[math.ceil(share * len(self.values_s)) - 1]

    def share_within(self, bound_s: float) -> float:
        """Share of the measured values at or under `bound_s`."""
        return bisect.bisect_right(self.values_s, bound_s) / len(self.values_s)

    def sample(self, rng: Generator, count: int) -> NDArray[float64]:
        return rng.choice(self.values_s, count)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "empirical", "values_s": list(self.values_s)}

    def __str__(self) -> str:
        return f"{len(self.values_s)} measured values, mean {format_duration(self.mean_s)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTime:
    """Time in service of a language model's request: overhead + input * prefill + output * decode.

    Each slot decodes at the same speed whatever the others do: the mean field of a batch that is neither
    empty nor full. On a trace with token counts these are used; elsewhere both counts are lognormal.

    Attributes:
        prefill_s_per_token: Time per input token until the first output token.
        decode_s_per_token: Time per output token.
        overhead_s: Time per request besides.
        mean_input_tokens, mean_output_tokens: Where the trace does not say.
        cv_tokens: Coefficient of variation of both counts, where the trace does not say.

    >>> TokenTime(prefill_s_per_token=0.0002, decode_s_per_token=0.03, mean_output_tokens=200).mean_s
    6.22
    """

    prefill_s_per_token: float
    decode_s_per_token: float
    overhead_s: float = 0.02
    mean_input_tokens: float = 1000.0
    mean_output_tokens: float = 200.0
    cv_tokens: float = 0.8

    def __post_init__(self) -> None:
        require_nonnegative(
            prefill_s_per_token=self.prefill_s_per_token,
            decode_s_per_token=self.decode_s_per_token,
            overhead_s=self.overhead_s,
        )
        require_positive(
            mean_input_tokens=self.mean_input_tokens,
            mean_output_tokens=self.mean_output_tokens,
            cv_tokens=self.cv_tokens,
        )

    @property
    def mean_s(self) -> float:
        return self.overhead_s + self._prefill_s + self._decode_s

    @property
    def cv(self) -> float:
        return self.cv_tokens * math.hypot(self._prefill_s, self._decode_s) / self.mean_s

    @property
    def _prefill_s(self) -> float:
        return self.mean_input_tokens * self.prefill_s_per_token

    @property
    def _decode_s(self) -> float:
        return self.mean_output_tokens * self.decode_s_per_token

    def quantile(self, share: float) -> float:
        """By a lognormal of the same mean and deviation."""
        return Lognormal(mean_s=self.mean_s, cv=self.cv).quantile(share)

    def sample(self, rng: Generator, count: int) -> NDArray[float64]:
        inputs = Lognormal(mean_s=self.mean_input_tokens, cv=self.cv_tokens).sample(rng, count)
        outputs = Lognormal(mean_s=self.mean_output_tokens, cv=self.cv_tokens).sample(rng, count)
        return self.of_tokens(inputs, outputs)

    def of_tokens(self, inputs: NDArray[float64], outputs: NDArray[float64]) -> NDArray[float64]:
        """Time in service of requests with these token counts, in seconds."""
        return self.overhead_s + inputs * self.prefill_s_per_token + outputs * self.decode_s_per_token

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "tokens"} | {name: getattr(self, name) for name in _KINDS["tokens"][1]}

    def __str__(self) -> str:
        speed = 1 / self.decode_s_per_token if self.decode_s_per_token else math.inf
        return f"by tokens, {speed:.3g}/s, mean {format_duration(self.mean_s)}"


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise ParameterError(f"share must be in (0, 1), was {share!r}")


_KINDS: dict[str, tuple[Callable[..., Distribution], tuple[str, ...]]] = {
    "constant": (Constant, ("value_s",)),
    "exponential": (Exponential, ("mean_s",)),
    "lognormal": (Lognormal, ("mean_s", "cv")),
    "empirical": (Empirical, ("values_s",)),
    "tokens": (
        TokenTime,
        (
            "prefill_s_per_token",
            "decode_s_per_token",
            "overhead_s",
            "mean_input_tokens",
            "mean_output_tokens",
            "cv_tokens",
        ),
    ),
}
_OPTIONAL = {"overhead_s", "mean_input_tokens", "mean_output_tokens", "cv_tokens"}


def distribution_from(source: object, *, name: str = "distribution") -> Distribution:
    """A distribution from a number, a duration text, or a table with its `kind`.

    Args:
        source: `0.4`, `"400ms"`, or `{"kind": "lognormal", "mean_s": 0.4, "cv": 0.6}`; durations inside a
            table may be texts too.
        name: What to call it in an error message.

    Raises:
        ParameterError: If the kind or a field is unknown or missing.

    >>> distribution_from("400ms")
    Constant(value_s=0.4)
    >>> distribution_from({"kind": "lognormal", "mean_s": "2s", "cv": 0.5})
    Lognormal(mean_s=2.0, cv=0.5)
    """
    if isinstance(source, (int, float, str)) and not isinstance(source, bool):
        return Constant(parse_duration(source, name=name))
    if isinstance(source, Mapping):
        return _from_table(source, name)
    raise ParameterError(f"{name} must be a duration or a table with a kind, was {source!r}")


def _from_table(table: Mapping[str, Any], name: str) -> Distribution:
    kind = str(table.get("kind", ""))
    if kind not in _KINDS:
        raise ParameterError(f"{name}.kind must be one of the known kinds, was {kind!r}; {did_you_mean(kind, _KINDS)}")
    make, fields = _KINDS[kind]
    given = {key: value for key, value in table.items() if key != "kind"}
    unknown, absent = set(given) - set(fields), set(fields) - set(given) - _OPTIONAL
    if unknown:
        field = sorted(unknown)[0]
        raise ParameterError(f"{name}: a {kind} distribution has no {field!r}; {did_you_mean(field, fields)}")
    if absent:
        raise ParameterError(f"{name}: a {kind} distribution needs {', '.join(sorted(absent))}")
    return make(**{key: _field(key, value, name) for key, value in given.items()})


def _field(key: str, value: Any, name: str) -> Any:
    if key == "values_s":
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise ParameterError(f"{name}.values_s must be a list of durations, was {value!r}")
        return tuple(parse_duration(each, name=f"{name}.{key}") for each in value)
    return parse_duration(value, name=f"{name}.{key}") if _is_duration(key) else value


def _is_duration(key: str) -> bool:
    return key.endswith("_s") or "_s_per_" in key


def stretched(distribution: Distribution, factor: float) -> Distribution:
    """The same shape with every time `factor` times as long; at 0 nothing takes any time.

    Raises:
        ParameterError: If the factor is negative or not finite.

    >>> stretched(Lognormal(mean_s=120.0, cv=0.25), 0.25)
    Lognormal(mean_s=30.0, cv=0.25)
    """
    require_nonnegative(factor=factor)
    if factor == 0:
        return Constant(0.0)
    return distribution_from({key: _longer(key, value, factor) for key, value in distribution.to_dict().items()})


def _longer(key: str, value: Any, factor: float) -> Any:
    if key == "values_s":
        return [each * factor for each in value]
    return value * factor if _is_duration(key) else value
