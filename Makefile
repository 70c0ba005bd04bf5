# Everything a developer runs. Whatever a target needs and does not find, it installs into
# .build. Outside the checkout only `make test` and `make system` touch anything: as root, or with a
# sudo that asks for no password, they install Chromium, flatc, HAProxy and a font from the packages
# of Debian or Ubuntu; elsewhere they name what is missing, and the tests concerned are skipped.

PYTHON ?= python3
VENV := .build/venv
PY := $(VENV)/bin/python
NPM := .build/npm
TYPES := .build/types

.DEFAULT_GOAL := help
.PHONY: help system venv comfyui-install lint lint-python lint-web format test test-fast test-core \
	test-nodes test-comfy test-browser demo comfyui bench clean

help:
	@echo "make test       lint and every test: core, nodes, ComfyUI, browser"
	@echo "make test-fast  the tests of dt_core, which need no ComfyUI"
	@echo "make test-versions  the tests of dt_core on Python 3.10 to 3.14, where they are here"
	@echo "make lint       ruff, mypy and tsc"
	@echo "make format     let ruff rewrite the Python files"
	@echo "make demo       the example workflows into demo/"
	@echo "make soak       thousands of generations with faults; nothing may grow"
	@echo "make comfyui    the simulator and a ComfyUI to click around in"
	@echo "make bench      measure the client against floors and a peer, write docs/performance.md"
	@echo "make fuzz       damaged input for every reader, route and node, FUZZ_SECONDS for each"
	@echo "make docs       the documentation as a site, in .build/site"
	@echo "make system     what the tests need of the system's packages"
	@echo "make clean      remove all that these left behind"

# --- environments

system:
	@tools/system_packages.sh

venv: $(VENV)/stamp

$(VENV)/stamp: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -qq -r requirements-dev.txt
	@touch $@

comfyui-install: venv
	@$(PY) -m tools.comfyui install

$(NPM)/stamp: tools/web_types/package.json
	@mkdir -p $(NPM)
	@cp $< $(NPM)/
	npm install --prefix $(NPM) --no-package-lock --no-audit --no-fund --ignore-scripts --silent
	@touch $@

# --- checks

lint: lint-python lint-web

lint-python: venv
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	@mkdir -p $(TYPES) && ln -sfn ../.. $(TYPES)/drawthings
	$(VENV)/bin/mypy $(addprefix $(TYPES)/drawthings/,dt_core nodes tools tests)

lint-web:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory tsc; \
	else echo "Node.js is not installed: the type check of web/ is left out." >&2; fi

.PHONY: tsc
tsc: $(NPM)/stamp
	$(NPM)/node_modules/.bin/tsc --project tools/web_types/tsconfig.json

format: venv
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test-fast test-core: venv
	$(PY) -m pytest -n auto tests/core

# These need ComfyUI's modules in their own process, so they run in its Python.
test-nodes: comfyui-install
	$(PY) -m tools.comfyui python -m pytest $(CURDIR)/tests/nodes

test-comfy: comfyui-install
	$(PY) -m pytest tests/comfy

test-browser: comfyui-install
	$(PY) -m pytest tests/browser

# Not in CI: wants the interpreters, see tools/versions.py.
.PHONY: test-versions
test-versions: venv
	$(PY) -m tools.versions

test: system lint docs test-nodes
	$(PY) -m pytest tests/core tests/matrix tests/package tests/deploy tests/comfy tests/browser

# --- the product at work

demo: comfyui-install
	@$(PY) -m tools.demo

# 2,000 generations with faults and cancels; 10 to 20 minutes, and not in CI.
.PHONY: soak
soak: comfyui-install
	$(PY) -m tools.soak --report

comfyui: comfyui-install
	@$(PY) -m tools.comfyui

# QUICK=--quick takes fewer rounds and smaller sizes.
bench: comfyui-install
	@$(PY) -m tools.bench $(QUICK)

# --- documentation

DOCS := .build/docs

$(DOCS)/stamp: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install -qq -r docs/requirements.txt
	@touch $@

.PHONY: docs docs-pictures
docs: $(DOCS)/stamp
	$(DOCS)/bin/python -m tools.build_messages --check
	$(DOCS)/bin/sphinx-build --quiet --fail-on-warning --keep-going docs .build/site
	@echo "open .build/site/index.html"

# Real graphs in a real browser, as in the browser tests.
docs-pictures: comfyui-install
	$(PY) -m pytest tests/browser/take_pictures.py

clean:
	rm -rf .build build dist demo artifacts .pytest_cache tests/.pytest_cache .mypy_cache \
		.ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- fuzzing; atheris has wheels for Linux and Python 3.11 to 3.14

.PHONY: fuzz
FUZZ := .build/fuzz/venv
FUZZ_SECONDS ?= 60

fuzz: $(FUZZ)/stamp $(VENV)/stamp
	nice $(FUZZ)/bin/python -m tools.fuzz --seconds $(FUZZ_SECONDS)
	DRAWTHINGS_FUZZ_EXAMPLES=$$((10 * $(FUZZ_SECONDS))) nice $(PY) -m tools.comfyui python -m pytest \
		-q --timeout 0 -k "any or strange" $(CURDIR)/tests/nodes/test_routes_any_json.py \
		$(CURDIR)/tests/nodes/test_node_inputs.py $(CURDIR)/tests/nodes/test_official_fuzz.py

$(FUZZ)/stamp: requirements.txt
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install -qq --only-binary atheris -r requirements.txt atheris
	@touch $@
