"""Find the cheapest parameters that keep the SLO, on one part of a trace, and judge them on the rest."""

from hindscale.backtesting.tuning.journal import Journal, open_journal
from hindscale.backtesting.tuning.judgement import Finding, Tuned
from hindscale.backtesting.tuning.tuning import Tuning, tune

__all__ = ["Finding", "Journal", "Tuned", "Tuning", "open_journal", "tune"]
