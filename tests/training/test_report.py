from __future__ import annotations

import re

import pytest

from courses import SPEC
from hindscale.training.action_map import action_map
from hindscale.training.report import ComparedRow, TrainingPage, render
from networks import random_network


@pytest.fixture(scope="module")
def page() -> str:
    row = ComparedRow(policy="dqn <1>", meets_slo=True, attained="99.2% ± 0.1%", cost="101 ± 2", ratio="1.04")
    return render(
        TrainingPage(
            title="Trained on <wave>",
            subtitle="two seeds",
            round_steps=25_600,
            curves={0: [-2.0, -1.0, -0.5], 1: [-3.0, -0.7, -0.6]},
            best_seed=1,
            actions=action_map(random_network(), SPEC, largest_load=8.0),
            rows=[row],
            remark="three runs",
        )
    )


def test_the_page_shows_all_three(page: str) -> None:
    assert "✓ dqn &lt;1&gt;" in page
    assert page.count("<polyline") == 2
    assert page.count("<rect") > 100
    assert re.search(r"Of neighbouring loads [\d.]+% ask for fewer replicas", page)


def test_the_page_fetches_nothing_and_runs_nothing(page: str) -> None:
    assert "default-src 'none'" in page
    assert not re.search(r"<script|src=|href=|url\(|https?:", page)
    assert "<wave>" not in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
