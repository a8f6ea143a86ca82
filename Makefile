# make demo   set up .venv and analyse the sample video
# make test   set up .venv and run the tests
# make check  ruff and mypy
# make lifter pairs, training and export of the lifter; hours
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
# The first Python from 3.10 on that really starts and can make an environment.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3.10 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test check dist lock clean lifter

demo: $(VENV)/.core
	$(BIN)/posepipe demo

test: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "posepipe needs Python 3.10 or newer with its venv module; none was found. On Debian and Ubuntu: apt-get install python3-venv. Or say: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	$(BIN)/posepipe models get
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e ".[dev,train,export,app,batch,formats]"
	$(BIN)/posepipe models get
	@touch $@ $(VENV)/.core

# The wheel and source package that would be published, checked as the index does it.
dist: $(VENV)/.dev
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m pytest -n 0 -m slow tests/test_package.py

# DATA holds train.npz, val.npz and, if wanted, more.npz. START= begins from scratch.
DATA ?= ../shared/data/mocap
START ?= models/lifter.safetensors
PAIRS = $(BIN)/posepipe train pairs --lengths 2 4 --wide-share 0.5 --shard 2000
lifter: $(VENV)/.dev
	$(BIN)/posepipe models get heavy
	mkdir -p runs/pairs
	$(PAIRS) --data $(DATA)/train.npz --out runs/pairs/loop_full_train.npz --frames 28000 --seed 300
	$(PAIRS) --data $(DATA)/train.npz --out runs/pairs/loop_heavy_train.npz --frames 20000 --seed 500 --network heavy
	$(PAIRS) --data $(DATA)/more.npz --out runs/pairs/loop_more_full_train.npz --frames 20000 --seed 700 --cmu-share 1 --leave-out 124
	$(PAIRS) --data $(DATA)/more.npz --out runs/pairs/loop_more_heavy_train.npz --frames 20000 --seed 600 --cmu-share 1 --leave-out 124 --network heavy
	$(BIN)/posepipe train lifter --data $(DATA) --pairs runs/pairs --out runs/lifter $(if $(START),--start $(START))
	$(BIN)/posepipe train export-lifter --data $(DATA) --pairs runs/pairs --run runs/lifter

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

# Pins for every Python and system at once, the first with hashes; needs uv (pip install uv).
LOCK := uv pip compile --quiet --upgrade --universal --python-version 3.10 --no-annotate pyproject.toml \
	--extra app --extra batch --extra formats --extra export
lock:
	$(LOCK) --generate-hashes --custom-compile-command "make lock" --output-file requirements.lock
	$(LOCK) --extra mediapipe --custom-compile-command "make lock" --output-file requirements.txt
	printf '%s\n' 'safetensors' 'scikit-learn' 'torch==2.13.0' '-e .' >> requirements.txt
