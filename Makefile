# Two commands: `make run` shows it working, `make test` runs the whole suite.
#
# Everything lives in .venv, with the pinned versions of requirements/*.txt; PYTHON chooses the
# interpreter that it is made from (3.11 or later). JOBS says how many processes run the tests: one
# more than there are cores, for tests wait a part of their time for daemons that they started.

PYTHON ?= python3
JOBS ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))
PYTEST_ARGS ?=
BENCH_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

# The tests start the daemon and its commands some hundred times: without bytecode each of them would
# compile all sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check bench fuzz format docs clean
.DELETE_ON_ERROR:

run: $(VENV)/run.stamp
	$(BIN)/gatepost demo samples $(if $(ONCE),--once)

test: $(VENV)/test.stamp
	.ci/packages
	$(BIN)/pytest --numprocesses $(JOBS) $(PYTEST_ARGS)

check: $(VENV)/test.stamp $(VENV)/check.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python docs/generate.py --check

# All of them run, whatever one finds; a limit that is not kept ends it with 1. One alone, with its
# own options: make bench BENCHES=smtp BENCH_ARGS='--rounds 3'
BENCHES := auth smtp dns content caught enclosed peers policy memory milter milter_peers classifier ranking reporters statistics scrape

bench: $(VENV)/test.stamp
	.ci/packages
	@over=0; for name in $(BENCHES); do \
		echo "bench.$$name"; \
		$(BIN)/python -m bench.$$name $(BENCH_ARGS) || over=1; \
	done; exit $$over

fuzz: $(VENV)/fuzz.stamp
	$(BIN)/python -m tests.fuzz.dns_packets
	$(BIN)/python -m tests.fuzz.milter_packets
	$(BIN)/python -m tests.fuzz.sender_texts
	$(BIN)/python -m tests.fuzz.signatures
	$(BIN)/python -m tests.fuzz.messages
	$(BIN)/python -m tests.fuzz.guided 600 texts
	$(BIN)/python -m tests.fuzz.guided 600 messages

format: $(VENV)/check.stamp
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(VENV)/run.stamp
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A stamp is newer than what it was made from, so a second run installs nothing.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "venv failed; on Debian install the package python3-venv"; rm -rf $(VENV); exit 1; }
	@touch $@

# Some dependencies are published as source only: they are built by the pinned tools of build.txt
# that stand in .venv, not by whatever an isolated build would fetch.
$(VENV)/run.stamp: $(VENV)/made.stamp pyproject.toml requirements/build.txt requirements/run.txt
	$(PIP) install --require-hashes -r requirements/build.txt
	$(PIP) install --require-hashes --no-build-isolation -r requirements/run.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt
	$(PIP) install --require-hashes --no-build-isolation -r requirements/test.txt
	@touch $@

$(VENV)/fuzz.stamp: $(VENV)/test.stamp requirements/fuzz.txt
	$(PIP) install --require-hashes -r requirements/fuzz.txt
	@touch $@

$(VENV)/check.stamp: $(VENV)/run.stamp requirements/check.txt
	$(PIP) install --require-hashes --no-build-isolation -r requirements/check.txt
	@touch $@
