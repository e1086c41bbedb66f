"""Rules of the source tree that no compiler keeps. Each asserts that it looked at something."""

import re
import tomllib
from pathlib import Path

import pytest

CRATES = Path(__file__).parent.parent / "crates"


def sources(crate: str = "*") -> dict[Path, str]:
    """The Rust sources of a crate without their comments."""
    found = {path: path.read_text() for path in CRATES.glob(f"{crate}/src/**/*.rs")}
    assert found
    return {path: re.sub(r"//.*", "", text) for path, text in found.items()}


def test_every_native_class_is_frozen():
    attributes = [
        attribute
        for text in sources("respool-python").values()
        for attribute in re.findall(r"#\[pyclass[^\]]*\]", text)
    ]
    assert len(attributes) >= 3
    assert [attribute for attribute in attributes if "frozen" not in attribute] == []


# Where the design says that unsafe code is: maps, and what comes from C or goes there.
UNSAFE = re.compile(r"respool-log/src/map\.rs|respool-python/src/(attach|arrow/\w+)\.rs")


def test_unsafe_code_lives_where_the_design_says():
    unsafe = [
        path.relative_to(CRATES).as_posix()
        for path, text in sources().items()
        if re.search(r"\bunsafe\s*(\{|impl|fn|extern)", text)
    ]
    assert len(unsafe) >= 3
    assert [path for path in unsafe if not UNSAFE.fullmatch(path)] == []


def test_nothing_but_one_module_attaches():
    """PyO3's count of a thread says nothing in a callback of C: one module asks Python itself."""
    attaching = [
        path.name
        for path, text in sources("respool-python").items()
        if re.search(r"Python::(try_attach|attach|assume_attached)|\.detach\(|PyGILState", text)
    ]
    assert sorted(attaching) == ["attach.rs", "exit.rs"]


def imports(crate: str) -> dict[str, set[str]]:
    """Which room of a crate imports which: a room is a folder, or a file beside them."""
    found: dict[str, set[str]] = {}
    for path, text in sources(crate).items():
        parts = path.relative_to(CRATES / crate / "src").parts
        room = parts[0].removesuffix(".rs")
        if room == "lib":
            continue
        named = re.findall(r"\bcrate::(\w+)", text.partition("#[cfg(test)]")[0])
        found.setdefault(room, set()).update({name for name in named if name != room})
    return {room: names & set(found) for room, names in found.items()}


@pytest.mark.parametrize("crate", ["respool", "respool-log", "respool-python"])
def test_rooms_import_each_other_one_way(crate):
    left = imports(crate)
    assert sum(len(names) for names in left.values()) >= 10
    while left:
        # What imports nothing that is left comes next; in a circle there is no such room.
        free = [room for room, names in left.items() if not names & set(left)]
        assert free, {room: sorted(names & set(left)) for room, names in left.items()}
        left = {room: names for room, names in left.items() if room not in free}


def test_dependencies_go_one_way():
    ours = {"respool-log": set(), "respool": {"respool-log"}, "respool-python": {"respool"}}
    for crate, allowed in ours.items():
        manifest = tomllib.loads((CRATES / crate / "Cargo.toml").read_text())
        dependencies = set(manifest["dependencies"])
        assert dependencies & set(ours) <= allowed, crate
        assert ("pyo3" in dependencies) == (crate == "respool-python"), crate
