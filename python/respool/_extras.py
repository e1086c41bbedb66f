"""Engines that respool does without, until somebody imports the module over one."""

ENGINES = {
    "daft": "Daft",
    "duckdb": "DuckDB",
    "grain": "Grain",
    "polars": "Polars",
    "ray": "Ray Data",
    "torch": "PyTorch",
}
"""What each is called, by the name of the module and of the extra that installs it."""


def missing(name: str, error: ImportError) -> ImportError:
    """Return what to raise where an engine can't be imported.

    Parameters
    ----------
    name
        Of the module over it.
    error
        What the import of the engine raised.

    Returns
    -------
    ImportError
        The same error, unless the engine, or NumPy, which has no extra of its own, is what is missing; else one that
        says what to install.
    """
    root = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or root not in {name, "numpy"}:
        return error
    return ModuleNotFoundError(said(name, error), name=error.name, path=error.path)


def said(name: str, error: ImportError) -> str:
    """Return what is missing for a module, and how to get it."""
    return (
        f"respool.{name} needs {ENGINES[name]}, which can't be imported ({error}): "
        f"pip install 'respool[{name}]'"
    )
