"""docs/promises.md: the promises as the docstrings of their tests have them, with the last figures."""

import ast
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

NO_RUN = "not run yet"
TITLE = """# Promises

Each is a file of tests, and this table is written from what these say of themselves: `make promises` runs
them at length, `make test` a short part.
"""
HEAD = "| promise | how it is proved | last figures | not promised |\n|---|---|---|---|"
ROW = re.compile(
    r"^\|[^|]*\|[^|]*\(\.\./tests/promises/(test_\w+\.py)\)[^|]*\|([^|]*)\|[^|]*\|$", re.MULTILINE
)
MACHINE = re.compile(r"^Measured on (.*)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Promise:
    """A promise in its three parts, each one line of prose."""

    title: str
    proof: str
    exception: str


def promise_of(path: Path) -> Promise:
    """What the docstring of a file of tests promises, how it is proved, and what is not promised."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    title, *proof = (
        " ".join(paragraph.split()) for paragraph in text.replace("|", "/").split("\n\n")
    )
    exception = proof.pop() if proof else ""
    prefix = "Not promised: "
    if not exception.startswith(prefix) or not proof:
        raise ValueError(f"{path.name} has no paragraph that says how, or what is not promised")
    exception = exception.removeprefix(prefix)
    return Promise(title, " ".join(proof), exception[0].upper() + exception[1:])


@dataclass
class Table:
    """The promises in a folder, and what was last seen of each."""

    promises: dict[str, Promise]
    figures: dict[str, str]
    machine: str

    @classmethod
    def read(cls, table: Path, tests: Path) -> "Table":
        """Read the promises from the tests, and the last figures from the table if there is one."""
        promises = {path.name: promise_of(path) for path in sorted(tests.glob("test_*.py"))}
        text = table.read_text() if table.exists() else ""
        seen = {name: figures.strip() for name, figures in ROW.findall(text)}
        figures = {name: seen.get(name, NO_RUN) for name in promises}
        machine = MACHINE.search(text)
        return cls(promises, figures, machine[1] if machine else "")

    def record(self, name: str, figures: str, failed: int) -> None:
        """Take down what today's run of a file saw."""
        broken = f"**{failed} tests fail.** " if failed else ""
        self.figures[name] = f"{broken}{figures} ({datetime.now(UTC):%Y-%m-%d})"

    def __str__(self) -> str:
        rows = [
            f"| {it.title} | {it.proof} [{name}](../tests/promises/{name}) "
            f"| {self.figures[name]} | {it.exception} |"
            for name, it in self.promises.items()
        ]
        machine = f"\nMeasured on {self.machine}.\n" if self.machine else ""
        return "\n".join([TITLE, HEAD, *rows, machine])

    def write(self, table: Path) -> None:
        """Write the table."""
        table.write_text(str(self))


HERE = Path(__file__).parent
DOCUMENT = HERE.parent.parent / "docs" / "promises.md"

if __name__ == "__main__":
    Table.read(DOCUMENT, HERE).write(DOCUMENT)
