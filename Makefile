# run: the demo · test: prove everything · check: format, lint, types, layers, templates · bench, soak: measure
# Every path is relative to this file, so a checkout in a directory with spaces in its name works.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PARTS := pyproject.toml package.json package-lock.json hatch_build.py

# Tests start some hundred processes: with it, each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check format bench soak clean

run: $(VENV)/run.stamp
	$(PY) -m rqdash.cli demo $(ARGS)

test: check
	$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/dev.stamp
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m djlint templates --lint --quiet

format: $(VENV)/dev.stamp
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(VENV)/dev.stamp
	$(PY) -m bench $(ARGS)

soak: $(VENV)/dev.stamp
	RQDASH_SOAK=1 $(PY) -m pytest -m soak $(ARGS)

clean:
	rm -rf $(VENV) static/vendor build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Made anew when what is to be installed changes. --group needs pip 25.1; the one a new environment starts with may be older.
$(VENV)/run.stamp: $(PARTS) $(VENV)/pip.stamp
	$(PY) -m pip install --quiet --editable ".[demo]"
	@touch $@

$(VENV)/dev.stamp: $(PARTS) $(VENV)/pip.stamp
	$(PY) -m pip install --quiet --editable ".[demo,postgres]" --group dev
	@touch $@ $(VENV)/run.stamp

$(VENV)/pip.stamp:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'rqdash needs Python 3.11 or newer as $(PYTHON). Name one: make run PYTHON=python3.13' >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@
