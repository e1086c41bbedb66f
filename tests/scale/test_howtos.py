"""The how-tos of engines that are not in `.venv`: every Python block of a page, from top to bottom, as one program."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = {"ray": "ray", "daft": "daft", "dask": "dask", "spark": "pyspark"}


@pytest.mark.timeout(200)
@pytest.mark.parametrize("page", PAGES)
def test_page(page, tmp_path):
    if importlib.util.find_spec(PAGES[page]) is None:
        pytest.skip(f"{PAGES[page]} is not in this environment")
    if page == "spark" and shutil.which("java") is None:
        pytest.skip("Spark needs a JVM: apt-get install openjdk-17-jre-headless")
    text = (DOCS / f"{page}.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == text.count("```python") >= 2
    # Without the folder of the tests: what a reader of the page has not.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks))
    run = subprocess.run(  # noqa: PLW1510 - what it said is in the assertion
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert run.returncode == 0, run.stdout + run.stderr
