"""Rules of the source tree that no compiler keeps. Each asserts that it looked at something."""

import re
import tomllib
from pathlib import Path

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


def test_unsafe_code_lives_in_two_files_at_most():
    unsafe = [
        path for path, text in sources().items() if re.search(r"\bunsafe\s*(\{|impl|fn)", text)
    ]
    assert len(unsafe) <= 2, unsafe


def test_dependencies_go_one_way():
    ours = {"respool-log": set(), "respool": {"respool-log"}, "respool-python": {"respool"}}
    for crate, allowed in ours.items():
        manifest = tomllib.loads((CRATES / crate / "Cargo.toml").read_text())
        dependencies = set(manifest["dependencies"])
        assert dependencies & set(ours) <= allowed, crate
        assert ("pyo3" in dependencies) == (crate == "respool-python"), crate
