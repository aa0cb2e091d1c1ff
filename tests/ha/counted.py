"""What a Flyte and an Airflow have of the task instances of a scenario, as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass
class Counted:
    """Of one scenario. Where nothing is lost and nothing runs twice, :meth:`faults` is empty."""

    tasks: int = 0
    """Task instances."""
    tries: int = 0
    """Airflow's tries of them."""
    due: int = 0
    """Runs that had to be launched: one for each task instance, and one more where one failed in Flyte."""
    runs: int = 0
    """Runs that Flyte has of them."""
    started: int = 0
    """How often Flyte started one."""
    creates: int = 0
    """CreateRun calls, repeated ones too."""
    aborted: int = 0
    """Runs that somebody aborted."""
    ends: int = 0
    """Task instances that ended as their newest run did, with what it returned."""
    repeated: int = 0
    """Events of triggers above one for each wait."""
    watched: int = 0
    """Runs whose ends a DAG was to get."""
    reported: int = 0
    """Those whose ends it got."""
    reported_twice: int = 0
    """Those of them whose ends it got more than once."""

    def faults(self) -> dict[str, int]:
        """What is wrong of them."""
        found = {
            "runs too few or too many": self.runs - self.due,
            "runs started twice": self.started - self.runs,
            "aborted": self.aborted,
            "ends not seen": self.tasks - self.ends,
            "not reported": self.watched - self.reported,
        }
        return {name: number for name, number in found.items() if number}

    def __add__(self, other: Counted) -> Counted:
        mine, its = asdict(self), asdict(other)
        return Counted(**{each.name: mine[each.name] + its[each.name] for each in fields(self)})

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in asdict(self).items())
