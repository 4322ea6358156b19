# Everything runs in one environment, $(VENV), made from Python and the pinned constraints.txt.

PYTHON ?= python3
VENV ?= .venv
# Least branch coverage in percent, of all four packages together.
COVERAGE ?= 90
# Test processes; auto: one for each core.
JOBS ?= auto
# More arguments for pytest, e.g. make test PYTEST="-k wire".
PYTEST ?=

BIN := $(VENV)/bin
# A terminal sees pip's progress, a log only what goes wrong.
PIP := $(BIN)/python -m pip --disable-pip-version-check $(shell test -t 2 || echo --quiet)
PYTEST_RUN := $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile
# Tests that reach numba code: coverage sees its lines only when they run as plain Python.
# Those of the coding functions and of laws run them as plain Python anyway.
INTERPRETED = $(shell grep -rlE "san_runtime|numba" --include="test_*.py" --exclude-dir=coding \
	--exclude=test_compression_benchmark.py tests/unit)

# The test set holds the demo's.
DEMO := $(if $(wildcard $(VENV)/.stamp-dev),$(VENV)/.stamp-dev,$(VENV)/.stamp-demo)

.PHONY: help demo test lint test-long fuzz promises bench clean

help: ## this list
	@echo "san-stream: targets"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r target text; do printf '%-18s %s\n' "$$target" "$$text"; done

demo: $(DEMO) ## replay a real ECG through encoder, socket and decoder (165 MB of packages, no torch)
	@echo "demo: a minute of real ECG as a live stream through encoder, socket and decoder"
	$(BIN)/san-stream demo

test: $(VENV)/.stamp-dev ## all tests with branch coverage, about 12 minutes on two cores (435 MB of packages)
	@echo "test: all tests, then those of the numba code again as plain Python; branch coverage of both"
	@rm -f .coverage .coverage.*
	$(PYTEST_RUN) --durations=15 --cov --cov-report= $(PYTEST)
	NUMBA_DISABLE_JIT=1 $(PYTEST_RUN) --durations=5 -m "not long and not fuzz and not compiled" \
		--cov --cov-append --cov-report=term --cov-fail-under=$(COVERAGE) $(INTERPRETED) $(PYTEST)

lint: $(VENV)/.stamp-dev ## style, types and import directions (the packages of make test)
	@echo "lint: ruff, mypy, import-linter; all of them run, then any failure counts"
	@status=0; for check in "ruff check ." "ruff format --check ." mypy "lint-imports --no-logo"; do \
		echo "$$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

test-long: $(VENV)/.stamp-dev ## all tests and the long ones, 2,000 examples for each law
	@echo "test-long: every law on 2,000 examples, and the tests that take minutes"
	HYPOTHESIS_PROFILE=long $(PYTEST_RUN) --durations=15 -m "not fuzz" $(PYTEST)

fuzz: $(VENV)/.stamp-dev ## millions of damaged frames and payloads
	@echo "fuzz: damaged frames through the reader, damaged payloads through the decoder"
	$(BIN)/python -m pytest -q -m fuzz $(PYTEST)

promises: $(VENV)/.stamp-dev ## lossless and bounded on a thousand million samples (hours)
	SAN_STREAM_SAMPLES=$(or $(SAMPLES),1000000000) $(BIN)/python -m pytest -q \
		tests/faults/test_promises.py $(PYTEST)

bench: $(VENV)/.stamp-dev ## the benchmarks, one after the other
	@for script in benchmarks/[a-z]*.py; do \
		echo "bench: $$script"; $(BIN)/python "$$script" || exit 1; \
	done

clean: ## remove the environment, caches and builds
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments -------------------------------------------------------------------------

$(VENV)/.stamp-venv:
	@command -v "$(PYTHON)" > /dev/null 2>&1 || { \
		echo "$(PYTHON) not found: needs Python 3.11 or newer; name one by make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; \
		sys.exit("Python %d.%d is too old: needs 3.11 or newer; name one by make PYTHON=..." % v[:2] \
		if v < (3, 11) else 0)'
	@echo "environment: $(VENV)"
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-venv pyproject.toml constraints.txt
	@echo "environment: installs san-stream[runtime,physionet] into $(VENV): about 165 MB to download"
	@echo "             (LLVM for numba 60 MB, what wfdb needs 75 MB, numpy 17 MB), no torch"
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e ".[runtime,physionet]"
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-venv pyproject.toml constraints.txt
	@echo "environment: installs san-stream[dev] into $(VENV): about 435 MB to download"
	@echo "             (torch for the CPU 192 MB, LLVM for numba 60 MB, scipy 35 MB, onnxruntime 28 MB)"
	@echo "             On Linux the default index serves torch with CUDA, gigabytes more; the CPU build:"
	@echo "             PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make ..."
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e ".[dev]"
	@touch $@
