# What to do with a fresh clone: `make run`. Every target installs what it needs first, and nothing twice.

# Needs Python 3.11 or newer; make PYTHON=/path/to/python names another one.
PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
# More options for the run: make run ARGS='--threads 4'
ARGS ?=
RUN = .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help install run test check quick-tests bench ensembles lint

help:      ## print this
	@sed -n 's/^\([a-z]*\): .*## /make \1	/p' $(MAKEFILE_LIST)

install: .installed-run  ## what ROOT needs from the system, and a .venv of pinned packages

run: .installed-run  ## the main job on sample cms2010b (more options: ARGS='...')
	$(RUN) -m analysis.run --sample cms2010b --allow-simulated $(ARGS)

# Files in their order: the long ones, whose tests run whole programs, come early, and the short ones fill the end.
# Threads that wait leave the cores to the programs that tests start, which find modules compiled by earlier ones. Tests
# of pools and watches wait for much of their time: there is one process more than there are cores.
WORKERS = $(shell cores=$$(nproc); echo $$((cores < 3 ? cores + 1 : 4)))
PYTEST = env -u PYTHONDONTWRITEBYTECODE OMP_WAIT_POLICY=passive \
  $(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: .installed-dev  ## all tests
	$(PYTEST)

check: .installed-dev  ## lint, types, and the tests that need no compiler, network, browser, screen or pool: for every save
	@$(MAKE) --no-print-directory --jobs 2 lint quick-tests

# Nothing in tests/macros goes without a compiler, and to import it takes one. No test waits: a process for each core.
quick-tests: WORKERS = $(shell nproc)
quick-tests:
	$(PYTEST) --ignore tests/macros -m 'not (compiler or network or browser or screen or pool)'

bench: .installed-dev  ## the benchmarks, in less than 15 minutes: tables on the console, output/benchmarks.json
	$(RUN) -m tests.benchmarks

ensembles: .installed-dev  ## whether p-values are what they say: data sets by the hundred, in some hours; tables on the console
	$(RUN) -m tests.ensembles

lint: .installed-dev  ## ruff and mypy
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

# A stamp stands for a whole installation: it is written last, a changed requirements file outdates it, and without its
# .venv it is worth nothing.
ifeq (,$(wildcard $(RUN)))
.PHONY: .installed-run
endif
.installed-run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: $(PYTHON) is no Python 3.11 or newer; install one or name it: make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python" >&2; \
	  exit 4; }
	@$(PYTHON) -m analysis.doctor --mend
	$(PYTHON) -m venv --clear .venv
	$(RUN) -m pip install --disable-pip-version-check -q -r $<
	$(RUN) -m pip install --disable-pip-version-check -q --no-deps --config-settings editable_mode=compat --editable .
	$(RUN) -m rdf.code.library
	@touch $@

.installed-dev: requirements-dev.txt .installed-run
	$(RUN) -m pip install --disable-pip-version-check -q -r $<
	@touch $@
