from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hindscale.backtesting.tuning.executors import Task
from hindscale.backtesting.tuning.journal import Journal, identity, open_journal
from hindscale.core import InputError, OutputError
from hindscale.scoring import Scores


class Counting:
    """An executor that says how often each run was done."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.done: list[Task] = []

    def perform(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        for task in tasks:
            self.done.append(task)
            yield task, self.scores


@pytest.fixture
def executor(make_scores: Callable[..., Scores]) -> Counting:
    return Counting(make_scores(0.1 + 0.2, 1 / 3))


TASKS = [Task("hpa", 0), Task("hpa:target=50", 0), Task("hpa", 1)]


def test_a_run_is_done_once_and_read_to_the_last_digit(tmp_path: Path, executor: Counting) -> None:
    path = tmp_path / "trials.jsonl"
    with open_journal(path, key="k") as journal:
        journal.perform(executor, TASKS[:2])
    with open_journal(path, key="k") as journal:
        assert journal.known_runs == 2
        found = journal.perform(executor, [*TASKS, TASKS[0]])
    assert executor.done == TASKS
    again = found[TASKS[0]].to_dict()
    assert again == executor.scores.to_dict()
    assert list(found) == TASKS


def test_a_line_that_was_cut_short_is_done_again(tmp_path: Path, executor: Counting) -> None:
    path = tmp_path / "trials.jsonl"
    with open_journal(path, key="k") as journal:
        journal.perform(executor, TASKS)
    path.write_bytes(path.read_bytes()[:-20])
    with open_journal(path, key="k") as journal:
        assert journal.known_runs == 2
        journal.perform(executor, TASKS)
    with open_journal(path, key="k") as journal:
        assert journal.known_runs == 3
    assert executor.done == [*TASKS, TASKS[2]]


def test_runs_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    with open_journal(path, key="k"):
        pass
    with pytest.raises(InputError, match="holds runs of another trace, service or version; choose another folder"):
        open_journal(path, key="other").__enter__()


@pytest.mark.parametrize("text", ["hello\n", '{"a": 1}\n', '{"journal": "k"}\n{"policy": "hpa"}\n', "[]\n"])
def test_what_is_no_journal_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="expected a journal of a tuning"):
        open_journal(path, key="k").__enter__()


def test_a_folder_in_its_place_is_one_line(tmp_path: Path) -> None:
    with pytest.raises((InputError, OutputError), match="cannot be read"):
        open_journal(tmp_path, key="k").__enter__()


def test_without_a_file_runs_are_remembered(executor: Counting) -> None:
    journal = Journal()
    journal.perform(executor, TASKS)
    journal.perform(executor, TASKS)
    assert executor.done == TASKS


def test_an_identity_depends_on_values_not_on_their_order() -> None:
    assert identity({"a": 1, "b": [2]}) == identity({"b": [2], "a": 1})
    assert identity({"a": 1}) != identity({"a": 2})
