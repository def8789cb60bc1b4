# `make demo` and `make test` do all the set-up on a machine with Python 3.11 or newer and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# One thread a process: two busy cores are slower with more.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-slow lint types speed docs clean

demo: $(READY)
	$(BIN)/luxreid demo --out demo --again

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy .

speed: $(READY)
	set -e; for script in tests/speed/*.py; do $(BIN)/python $$script; done

docs: $(READY)
	$(BIN)/python docs/make.py

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) demo build *.egg-info
