# Two commands on a fresh machine: `make demo` and `make test`. `make check` is what CI runs first.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# Python compiles what is imported; pip would compile every file of every package, for a minute.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-warn-script-location \
	--no-compile -c constraints.txt
NPM_STAMP := tests/js/node_modules/.installed
SOURCES := arena generator ratings tests alembic setup.py
PORT ?= 8501
# How many tests run at once; auto: by processors and memory; 0: one after the other, in one process.
TEST_JOBS ?= auto
export PORT

.PHONY: demo test check check-format check-types check-layers check-pages format mutants load faults clean

demo: $(STAMP)
	@$(BIN)/arena demo --port $(PORT)

# COVERAGE=1 also prints how much of the code the tests reach, in half as much time again.
test: $(DEV_STAMP)
	@$(BIN)/python tests/support/needs.py
	$(BIN)/pytest -n $(TEST_JOBS) --dist worksteal --durations=10 $(if $(COVERAGE),--cov --cov-report=term)

# `make -j2 check` runs the type checker, which takes longest, beside the others.
check: check-format check-types check-layers check-pages

check-format: $(DEV_STAMP)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

check-types: $(DEV_STAMP)
	$(BIN)/mypy

check-layers: $(DEV_STAMP)
	$(BIN)/lint-imports

check-pages: $(NPM_STAMP)
	npm --prefix tests/js run --silent check

format: $(DEV_STAMP) $(NPM_STAMP)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	npm --prefix tests/js run --silent format

# Which changes to the code would no test notice? `make mutants MUTANTS='arena.voting.limits*'` for some only.
mutants: $(DEV_STAMP)
	@$(PIP) -e '.[mutants]'
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

# Voters and readers at a temporary arena of this machine; `make load LOAD='--help'` shows the options.
load: $(DEV_STAMP)
	@$(PIP) -e '.[load]'
	PYTHONPATH=tests/support $(BIN)/python tests/load/run.py $(LOAD)

# Kills, full disks, slow clients and other faults of real processes: about 20 minutes.
# `make faults FAULTS='--kills 5 locked half-open'` for some only.
faults: $(DEV_STAMP)
	PYTHONPATH=tests/support:tests/benchmarks $(BIN)/python tests/faults/run.py $(FAULTS)

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: install python3." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is needed: on Debian, apt install python3-venv." >&2; exit 1; }
	@echo "Creating $(VENV)."
	@$(PYTHON) -m venv $(VENV)

# The stamps are written last: an install that was stopped is done again.
$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Hippodrome into $(VENV): about 1.9 GB, 1 to 10 minutes depending on the network."
	@echo "  PyTorch is the largest part; its CUDA build, which pip may choose, adds several GB."
	@echo "  pip prints nothing unless it fails."
	@$(PIP) -e .
	@touch $@

# With what only tests and checks need: pytest, mypy, Playwright, Ray and others.
$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Hippodrome and the tools for its tests and checks into $(VENV): about 2.6 GB,"
	@echo "  1 to 10 minutes depending on the network; pip prints nothing unless it fails."
	@$(PIP) -e '.[dev]'
	@touch $(STAMP) $@

# The checkers of the pages' JavaScript; the pages themselves need no build step.
$(NPM_STAMP): tests/js/package.json tests/js/package-lock.json
	@command -v npm >/dev/null || \
		{ echo "make check needs npm and Node.js 20 or newer: install them (on Debian: apt install npm)." >&2; exit 1; }
	npm --prefix tests/js ci --silent
	@touch $@

clean:
	rm -rf $(VENV) tests/js/node_modules build dist *.egg-info
