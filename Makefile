# Everything a person can do here. From nothing it needs Python 3.11, pip, cargo and make.
#
# One wheel is built, in release, and installed into three environments:
#   .venv           the newest engines: tests, lint, demo, benchmarks
#   .venv-oldest    the oldest DuckDB, Polars and pyarrow that are supported
#   .venv-polars20  the first Polars 2
# and, for `make test-workers` alone, into
#   .venv-workers   PyTorch, Grain, JAX and Dask
# and, for `make docs`, `make test-docs` and `make docs-check`, into
#   .venv-docs      Sphinx, and the engines and formats that only pages of the site use
# and, for `make bench-epochs` alone, without the wheel, into
#   .venv-streaming MosaicML Streaming
# and, for `make test-scale` alone, into
#   .venv-scale     Ray, Dask and Spark
#   .venv-daft      Daft, which wants an older pyarrow

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SF ?= 1
PYTEST_ARGS ?=
DENY ?= advisories licenses bans sources
PIP := -m pip --disable-pip-version-check --quiet
PIP_VERSION := 26.3
# JAX warns of every fork once a page has used it, those of PyTorch's workers among them, which never touch it.
JAX_FORKS := ignore:os.fork() was called:RuntimeWarning

# Make 3.81, which macOS has, does not know it.
SYNCED := $(if $(filter output-sync,$(.FEATURES)),--output-sync=line)

BIN := .venv/bin
RUST := $(shell find crates -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock
PACKAGE := $(shell find python -name '*.py' -o -name '*.pyi' -o -name py.typed)
LINTED := python tests benchmarks docs

.PHONY: help build demo test test-rust test-shuttle test-python test-alone test-engines test-oldest test-polars20 test-workers test-scale test-docs docs docs-check promises lint deny bench bench-epochs format clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

build: .venv/installed ## build the wheel in release and install it into .venv

demo: .venv/installed ## TPC-H lineitem down a pipe, cached, queried by two engines (SF=1)
	$(BIN)/python docs/demo.py --scale-factor $(SF)

# Two at a time: what is tested with one environment alone takes about as long as the engines with all three.
test: test-rust test-shuttle .venv/installed .venv-oldest/installed .venv-polars20/installed ## run every test, on all three environments
	$(MAKE) --jobs 2 $(SYNCED) test-alone test-engines

test-rust: ## unit tests, behaviour tests and doc examples of the crates
	cargo test --workspace --locked

test-shuttle: ## waiting and pulling in many orders of the threads (RESPOOL_SHUTTLE_FACTOR=100 for more)
	cargo test --package respool --features shuttle --test shuttle --locked

test-alone: .venv/installed
	$(BIN)/python -m pytest --ignore tests/engines $(PYTEST_ARGS)
	$(BIN)/python -m pytest --override-ini filterwarnings=default --nbmake notebooks

test-engines: .venv/installed .venv-oldest/installed .venv-polars20/installed
	$(BIN)/python -m pytest tests/engines $(PYTEST_ARGS)
	.venv-oldest/bin/python -m pytest tests/engines $(PYTEST_ARGS)
	.venv-polars20/bin/python -m pytest tests/engines $(PYTEST_ARGS)

test-python: .venv/installed ## pytest with the newest engines, README and notebooks
	$(BIN)/python -m pytest $(PYTEST_ARGS)
	$(BIN)/python -m pytest --override-ini filterwarnings=default --nbmake notebooks

promises: .venv/installed ## prove every promise at length, in half an hour, and rewrite docs/promises.md
	$(BIN)/python -m pytest tests/promises --long $(PYTEST_ARGS)

test-oldest: .venv-oldest/installed ## the engine tests with the oldest engines
	.venv-oldest/bin/python -m pytest tests/engines $(PYTEST_ARGS)

test-polars20: .venv-polars20/installed ## the engine tests with the first Polars 2
	.venv-polars20/bin/python -m pytest tests/engines $(PYTEST_ARGS)

test-workers: .venv-workers/installed ## training with PyTorch, Grain and JAX, workers of Dask; not in `test`: it downloads gigabytes
	.venv-workers/bin/python -m pytest -W '$(JAX_FORKS)' tests/workers tests/test_docs.py --environment workers $(PYTEST_ARGS)
	.venv-workers/bin/python -m pytest tests/test_docstrings.py -k 'respool.torch or respool.grain'

docs: .venv-docs/installed ## build the site into build/docs; a warning is an error
	.venv-docs/bin/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet docs build/docs
	@echo build/docs/index.html

docs-check: docs ## look at every page of the site in Debian's chromium: widths, copying, searching
	.venv-docs/bin/python docs/check.py build/docs

test-docs: .venv-docs/installed ## the pages about DataFusion, Ibis, ADBC, Lance and Delta; not in `test`: half a gigabyte
	.venv-docs/bin/python -m pytest tests/test_docs.py --environment docs $(PYTEST_ARGS)

test-scale: .venv-scale/installed .venv-daft/installed ## Ray, Daft, Dask, Spark; not in `test`: gigabytes (PYTEST_ARGS=--long: a log of 4 GiB)
	.venv-scale/bin/python -m pytest --override-ini filterwarnings=default --timeout 120 tests/scale --environment scale $(PYTEST_ARGS)
	# By itself: the page about Ray begins Ray, which the tests have running to their end.
	.venv-scale/bin/python -m pytest --override-ini filterwarnings=default --timeout 120 tests/test_docs.py --environment scale $(PYTEST_ARGS)
	.venv-scale/bin/python -m pytest tests/test_docstrings.py -k 'respool.ray and not test_example'
	.venv-daft/bin/python -m pytest --override-ini filterwarnings=default --timeout 120 tests/scale tests/test_docs.py --environment daft $(PYTEST_ARGS)
	.venv-daft/bin/python -m pytest tests/test_docstrings.py -k 'respool.daft and not test_example'

lint: .venv/installed ## format, clippy, ruff, mypy, the stub against the module, and the workflows
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --package respool --features shuttle --test shuttle --locked -- -D warnings
	$(BIN)/ruff check $(LINTED) notebooks
	$(BIN)/ruff format --check $(LINTED) notebooks
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/python -m mypy.stubtest respool --mypy-config-file pyproject.toml --allowlist .ci/stubtest.txt

deny: ## advisories, licences, doubles and origins of the dependencies (DENY="licenses bans sources" without a network)
	@command -v cargo-deny >/dev/null || { echo 'nothing was checked: cargo install --locked cargo-deny'; exit 1; }
	cargo deny --locked check $(DENY)

bench: .venv/installed .venv/bench ## ratios against pyarrow and batchcorder, one table per subject
	$(BIN)/python benchmarks/run.py

bench-epochs: .venv/installed .venv/bench .venv-workers/installed .venv-workers/bench .venv-streaming/tools ## epochs against Hugging Face datasets and MosaicML Streaming; downloads gigabytes twice
	$(BIN)/python benchmarks/run.py epochs_torch

format: .venv/tools ## rewrite the sources as `make lint` wants them
	cargo fmt --all
	$(BIN)/ruff check --fix $(LINTED) notebooks
	$(BIN)/ruff format $(LINTED) notebooks

clean: ## remove the environments, the wheel and the build
	rm -rf .venv .venv-oldest .venv-polars20 .venv-workers .venv-scale .venv-daft .venv-docs .venv-streaming dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	cargo clean

# --- environments: each stamp is a file, so a second run does nothing ---

.venv/tools: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) install 'pip==$(PIP_VERSION)'
	$(BIN)/python $(PIP) install --group test --group lint --group build
	touch $@

.venv/bench: .venv/tools
	$(BIN)/python $(PIP) install --group bench
	touch $@

.venv-workers/bench: .venv-workers/tools
	.venv-workers/bin/python $(PIP) install --group bench-epochs
	touch $@

.venv-%/tools: pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python $(PIP) install 'pip==$(PIP_VERSION)'
	.venv-$*/bin/python $(PIP) install --group $*
	touch $@

dist/built: .venv/tools $(RUST) $(PACKAGE) README.md
	rm -rf dist
	$(BIN)/maturin build --release --out dist
	touch $@

.venv/installed .venv-oldest/installed .venv-polars20/installed .venv-workers/installed .venv-scale/installed .venv-daft/installed .venv-docs/installed: %/installed: %/tools dist/built
	$*/bin/python $(PIP) install --force-reinstall --no-deps dist/*.whl
	$*/bin/python $(PIP) check
	touch $@
