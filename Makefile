# make reproduce | make audit DATA=folder | make test | make lab | make bench | make oracles | make notebooks | make publish
PROFILE ?= quick
DATASET ?=
CONTENT ?=
JOBS ?= 2
DATA ?=
OUT ?=
SEED ?= 0
FRESH ?=
VERBOSE ?=
PYTHON ?= python3

# Recipes read these from the environment, as they were typed: no text of a value becomes part of a command.
$(foreach name,PROFILE DATASET CONTENT DATA OUT SEED JOBS FRESH VERBOSE,$(eval override $(name) := $$(value $(name))))
export PROFILE DATASET CONTENT DATA OUT SEED JOBS
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONWARNINGS ?= ignore::DeprecationWarning
RUN := run="$$(python -m bonmf_lib folder --profile="$$PROFILE" --dataset="$$DATASET" --content="$$CONTENT")"
PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check

.PHONY: reproduce audit test lab bench oracles publish notebooks

# One environment from the locks; made anew when one of them changes. Everything has its checksum there, build tools too.
.venv/ready: requirements.lock requirements-source.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	@echo "Installing the locked environment (several GB, a few minutes)"
	$(PIP) install --no-deps --require-hashes --only-binary :all: -r requirements.lock
	$(PIP) install --no-deps --require-hashes --no-build-isolation -r requirements-source.lock
	$(PIP) install --no-build-isolation --no-deps -e .
	$(PIP) check
	touch $@

# Records are written whole or not at all, so a stale lock of a killed run need not stop the next one. The rules say
# themselves what they do and what failed; 2 is the status after a sentence about a bad value.
reproduce: .venv/ready
	@$(if $(FRESH),BONMF_FRESH=1) snakemake --snakefile papermill_runs/Snakefile --directory . --cores "$$JOBS" \
	    --rerun-incomplete --nolock $(if $(FRESH),--forceall) $(if $(VERBOSE),,--quiet all) \
	    --config profile="$$PROFILE" dataset="$$DATASET" content="$$CONTENT" || { status=$$?; [ $$status -eq 2 ] || \
	    echo "Not finished; the same command goes on. VERBOSE=1 shows what the engine of the pipeline says." >&2; exit $$status; }

# What texts and pictures are worth on a catalogue of one's own: a folder, or a known name; goes on where it stopped.
audit: .venv/ready
	@$(if $(FRESH),BONMF_FRESH=1) python -m bonmf_lib audit --out="$$OUT" --content="$$CONTENT" --seed="$$SEED" -- "$$DATA"

test: .venv/ready
	ruff check .
	ruff format --check .
	runs=$$(mktemp -d) && trap 'rm -rf "$$runs"' EXIT && BONMF_RUNS="$$runs" BONMF_PROGRESS=off OMP_NUM_THREADS=1 \
	    BONMF_WORKERS=$${BONMF_WORKERS:-$$(nproc)} pytest --numprocesses=$$(nproc) --dist=loadscope --no-loadscope-reorder \
	    --nbval --nbval-current-env --nbval-cell-timeout=1200 tests notebooks

lab: .venv/ready
	jupyter lab --notebook-dir=notebooks

bench: .venv/ready
	python -m tests.benchmarks.speed
	python -m tests.benchmarks.ranking
	python -m tests.benchmarks.loading

# LightGCN against torch_geometric's and VBPR against Cornac's, on the same weights. They stay out of the environment.
oracles: .venv/ready
	$(PIP) install --no-deps --upgrade --only-binary :all: --target .oracles \
	    $$(python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["oracles"])')
	ORACLES=1 PYTHONPATH=.oracles pytest tests/unit -k another_library

# Keep a long run's records for every reader, beside those of experiments that this run did not repeat.
publish: .venv/ready
	@$(RUN) && python -m bonmf_lib publish "$$run" "$$(basename "$$run")"

# Take the executed notebooks of the default profile over into notebooks/.
notebooks: reproduce
	@$(RUN) && python papermill_runs/take_over.py "$$run/notebooks" notebooks
	ruff format notebooks
