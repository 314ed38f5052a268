# Cleanplate. `make` takes a fresh clone to metrics; `make help` lists the rest.

PYTHON ?= python3
TORCH ?= auto
EXTRAS ?= auto
BIN := $(CURDIR)/.venv/bin
# the stages are run as `python -m ...`: let that be the .venv's, activated or not
RUN := PATH="$(BIN):$$PATH"

# nobody phones home, nothing is fetched behind one's back, and caches stay in this folder
export DVC_NO_ANALYTICS := 1
export YOLO_AUTOINSTALL := false
export YOLO_CONFIG_DIR := $(CURDIR)/.cache/ultralytics
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
export HF_HUB_DISABLE_TELEMETRY := 1
# images for containers often set it, and then each stage compiles pandas and torch anew: half of its start
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := all
.PHONY: all setup repro test bench soak lock clean help

all: repro ## set up, then run whatever stage is not up to date

setup: ## install requirements.lock into .venv (TORCH=cpu or TORCH=cuda: torch's build; EXTRAS="cluster remotes": Ray, SSH and S3 for dvc remote)
	@"$(PYTHON)" cleanplate/setup/install.py --torch "$(TORCH)" --extras "$(EXTRAS)"

repro: setup
	$(RUN) dvc repro

test: setup ## lint, types and the whole suite
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) basedpyright
	$(RUN) python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: setup ## measure what is promised to be fast; writes reports/benchmarks.json
	$(RUN) python -m benchmarks

soak: setup ## the long reliability tests
	CLEANPLATE_SOAK=1 $(RUN) python -m pytest tests/reliability $(ARGS)

lock: ## recompute requirements.lock and the extras' from their .in files (UPGRADE=1: newest versions that fit)
	"$(PYTHON)" cleanplate/setup/lock.py $(if $(UPGRADE),--upgrade)
	"$(PYTHON)" cleanplate/setup/install.py --torch "$(TORCH)" --extras "cluster remotes"
	$(RUN) python cleanplate/setup/licences.py

clean: ## remove what the stages made; .venv, DVC's cache and the result cache stay
	rm -rf build reports quick demo/data demo/truth demo/mattes
	rm -rf .pytest_cache .ruff_cache .hypothesis

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' Makefile
