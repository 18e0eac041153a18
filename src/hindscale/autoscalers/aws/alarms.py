"""CloudWatch alarms: M of the last N datapoints beyond a threshold."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hindscale.core.checks import require_at_least, require_finite, require_positive
from hindscale.core.errors import ParameterError, did_you_mean

__all__ = ["ALARM", "COMPARISONS", "INSUFFICIENT_DATA", "OK", "TREATMENTS", "Alarm", "alarm_state", "breaches"]

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
TREATMENTS = ("missing", "notBreaching", "breaching", "ignore")
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A metric alarm.

    Attributes:
        threshold: In the metric's own unit; utilization in percent.
        comparison: How a datapoint breaches, such as GreaterThanThreshold.
        evaluation_periods: N, how many of the latest datapoints are looked at; >= 1.
        datapoints_to_alarm: M, how many of them must breach, in [1, N].
        period_s: Length of a datapoint's period; > 0.
        treat_missing_data: missing, notBreaching, breaching or ignore.
    """

    threshold: float
    comparison: str
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    period_s: float = 60.0
    treat_missing_data: str = "missing"

    def __post_init__(self) -> None:
        require_finite(threshold=self.threshold)
        require_positive(period_s=self.period_s)
        require_at_least(1, evaluation_periods=self.evaluation_periods, datapoints_to_alarm=self.datapoints_to_alarm)
        if self.datapoints_to_alarm > self.evaluation_periods:
            raise ParameterError(
                f"datapoints_to_alarm must be <= evaluation_periods, but"
                f" {self.datapoints_to_alarm} > {self.evaluation_periods}"
            )
        for name, known in (("comparison", COMPARISONS), ("treat_missing_data", TREATMENTS)):
            value = getattr(self, name)
            if value not in known:
                raise ParameterError(f"{name}: nobody knows {value!r}; {did_you_mean(value, known)}")


def breaches(value: float, alarm: Alarm) -> bool:
    """Whether one datapoint is beyond the threshold.

    >>> breaches(70.0, Alarm(threshold=70.0, comparison="GreaterThanThreshold"))
    False
    """
    return COMPARISONS[alarm.comparison](value, alarm.threshold)


def alarm_state(datapoints: Sequence[float | None], alarm: Alarm, *, previous: str = INSUFFICIENT_DATA) -> str:
    """The alarm's state after the latest datapoint.

    With N datapoints in the evaluation range, their latest N decide. With fewer, the missing ones are
    filled in as good or bad (notBreaching, breaching), or not at all: the alarm then goes off only if the
    oldest datapoint there is breaches, is at least M old, and all later ones breach or are missing.

    Args:
        datapoints: Of the evaluation range, newest last; None where nothing was measured. The range may be
            longer than N: CloudWatch looks further back where datapoints are missing.
        alarm: Its rule.
        previous: The state before.

    Returns:
        OK, ALARM or INSUFFICIENT_DATA.

    Source: Amazon CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat
    missing data"; what `missing` and `ignore` do with too few datapoints that do not decide is our reading.

    >>> alarm = Alarm(
    ...     threshold=50.0, comparison="GreaterThanThreshold", evaluation_periods=3, datapoints_to_alarm=2
    ... )
    >>> alarm_state((80.0, 40.0, 60.0), alarm), alarm_state((80.0, 40.0, 45.0), alarm)
    ('ALARM', 'OK')
    """
    needed, wanted = alarm.datapoints_to_alarm, alarm.evaluation_periods
    real = [breaches(value, alarm) for value in datapoints if value is not None][-wanted:]
    filled = wanted - len(real)
    bad = sum(real) + (filled if alarm.treat_missing_data == "breaching" else 0)
    if not filled or alarm.treat_missing_data in {"breaching", "notBreaching"}:
        return ALARM if bad >= needed else OK
    if not real:
        return INSUFFICIENT_DATA if alarm.treat_missing_data == "missing" else previous
    if bad >= needed or (all(real) and _age_of_oldest(datapoints) >= needed):
        # Premature alarms are for `missing`; `ignore` holds what was.
        return previous if alarm.treat_missing_data == "ignore" and bad < needed else ALARM
    return previous if all(real) else OK


def _age_of_oldest(datapoints: Sequence[float | None]) -> int:
    """How many periods ago the oldest datapoint was measured; 1 is the latest period."""
    return next(len(datapoints) - index for index, value in enumerate(datapoints) if value is not None)
