"""A schedd that only keeps a list, and what makes the configuration of a batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from condor.configuration import BatchConfiguration


@dataclass
class ListedDags:
    """Stands for the schedd: DAGs that were submitted are in the queue until they are taken out."""

    dags: dict[int, Path] = field(default_factory=dict)
    held: int = 0
    changes: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False

    def running_dags(self, batch: Path) -> dict[int, int]:
        return {number: 100 + number for number, dag in self.dags.items() if dag.parent == batch}

    def submit_dag(self, dag: Path, batch: Path, number: int) -> int:
        if self.breaks:
            raise KeyboardInterrupt
        assert dag.is_file()
        assert dag.parent == batch
        self.dags[number] = dag
        dag.with_name(f"{dag.name}.dagman.log").touch()
        return 100 + number

    def release(self, dag: int, changes: Mapping[str, str]) -> int:
        assert dag in (100 + number for number in self.dags)
        self.changes = changes
        return self.held

    def remove(self, dag: int) -> None:
        del self.dags[dag - 100]


Configured = Callable[..., BatchConfiguration]
