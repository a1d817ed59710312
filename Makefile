# make reproduce | make test | make lab | make bench | make notebooks | make publish
PROFILE ?= quick
CONTENT ?=
JOBS ?= 1
FRESH ?=
PYTHON ?= python3

BIN := $(CURDIR)/.venv/bin
RUN := $(or $(BONMF_RUNS),papermill_runs/runs)/$(PROFILE)$(if $(CONTENT),-$(CONTENT))
export PATH := $(BIN):$(PATH)
export PYTHONWARNINGS ?= ignore::DeprecationWarning

.PHONY: reproduce test lab bench publish notebooks

# One environment from the lock; made anew when the lock changes.
.venv/ready: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	@echo "Installing the locked environment (several GB, a few minutes)"
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Records are written whole or not at all, so a stale lock of a killed run need not stop the next one.
reproduce: .venv/ready
	$(if $(FRESH),BONMF_FRESH=1) snakemake --snakefile papermill_runs/Snakefile --directory . --cores $(JOBS) --rerun-incomplete --nolock \
	    $(if $(FRESH),--forceall) --quiet all --config profile=$(PROFILE) content=$(CONTENT)
	@echo "Report: $(RUN)/report.html"
	@echo "Executed notebooks: $(RUN)/notebooks"

test: .venv/ready
	ruff check .
	ruff format --check .
	runs=$$(mktemp -d) && trap 'rm -rf "$$runs"' EXIT && BONMF_RUNS="$$runs" BONMF_PROGRESS=off BONMF_WORKERS=$${BONMF_WORKERS:-$$(nproc)} \
	    pytest --nbval --nbval-current-env --nbval-cell-timeout=1200 tests notebooks

lab: .venv/ready
	jupyter lab --notebook-dir=notebooks

bench: .venv/ready
	python -m tests.benchmarks.speed

# Keep a long run's records for every reader, beside those of experiments that this run did not repeat.
publish: .venv/ready
	python -m bonmf_lib.study publish $(RUN) $(notdir $(RUN))

# Take the executed notebooks of the default profile over into notebooks/.
notebooks: reproduce
	python papermill_runs/take_over.py $(RUN)/notebooks notebooks
	ruff format notebooks
