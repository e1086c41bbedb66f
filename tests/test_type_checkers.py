"""What type checkers see of respool."""

import subprocess
import sys

import pytest

CODE = """
from datetime import timedelta
from types import MappingProxyType

import respool

reveal_type(respool.open("x"))
reveal_type(respool.duckdb.attach)
reveal_type(respool.typing.Metrics)
respool.cache([], schema="first", path=b"x").to_parquet("x", row_group_size=5)
respool.named("x", metadata=MappingProxyType({"from": 7}), ttl=timedelta(1))
"""


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """Return what mypy says of some code."""
    pytest.importorskip("mypy")
    place = tmp_path_factory.mktemp("mypy")

    def said(code):
        (place / "code.py").write_text(code)
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", "code.py"]
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, check=False, timeout=300
        )
        return done.returncode, done.stdout

    return said


@pytest.mark.timeout(600)
def test_names_have_types_and_misspelt_ones_are_errors(check):
    code, said = check(CODE)
    assert code == 0, said
    assert 'Revealed type is "respool._native.StreamCache"' in said
    assert "def (con: " in said
    assert "Any" not in said.splitlines()[2]
    for name in ("respool.opne", "respool.duckdb.attahc"):
        code, said = check(f"import respool\n{name}('x')\n")
        assert code == 1
        assert f'has no attribute "{name.rpartition(".")[2]}"' in said
