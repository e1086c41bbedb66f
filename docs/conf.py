"""The site: `make docs` builds it into build/docs, with warnings as errors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import respool

project = "respool"
author = "the respool authors"
project_copyright = "the respool authors"
version = release = respool.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "annotations",
]
# Programs and tables of the machine's own, and folders that hold no pages.
exclude_patterns = ["_extensions", "pictures", "performance"]
nitpicky = True
# What others document: their sites can't be asked while this one is built.
nitpick_ignore_regex = [("py:.*", r"(?!respool).*")]
myst_heading_anchors = 4

# Of environments of their own: a reference needs the names that are written here, not theirs.
autodoc_mock_imports = ["daft", "dask", "grain", "jax", "pyspark", "ray", "torch"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "respool"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
