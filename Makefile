# PYTHON=… chooses the interpreter; otherwise the first of these that is 3.11 to 3.14 is taken.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell \
	$(name) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 15); print("$(name)")' 2>/dev/null)))
PIP_INSTALL = bin/python -m pip install --disable-pip-version-check -q
APP = $(firstword $(wildcard dist/lbbic/lbbic-gui) .venv/bin/lbbic-gui)
EDITABLE = --no-deps --no-build-isolation -e .

.PHONY: help run test test-fast fuzz soak test-train lint format bundle deb bundle-test install-desktop \
	uninstall-desktop docs quality appearance icons screenshots bench clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 19

run: .venv/stamp  ## Set up, then open the app; with no display, try the codec on its samples
	@if [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		echo "No display: running 'lbbic demo' instead of the app."; .venv/bin/lbbic demo; \
	else .venv/bin/lbbic-gui; fi

test: export QT_QPA_PLATFORM = offscreen
test: lint  ## Set up, then check format, lint and types, and run the tests
	.venv/bin/python -m pytest -m "not train" --ignore tests/frozen

FAST_TESTS = $(addprefix tests/engine/,bitstream layout measure networks pictures test_codec.py) \
	tests/gui/style tests/test_architecture.py
test-fast: export QT_QPA_PLATFORM = offscreen
test-fast: .venv/stamp  ## Set up, then run a selection of the tests, under a minute, for the inner loop
	.venv/bin/python -m pytest -q -m "not slow and not train" $(FAST_TESTS)

fuzz: SECONDS ?= 60
fuzz: .venv/stamp  ## Read damaged and hostile files for SECONDS each target (60)
	.venv/bin/python -W ignore -m tests.fuzz --seconds $(SECONDS)

soak: export QT_QPA_PLATFORM = offscreen
soak: export OMP_NUM_THREADS = 1
soak: export PYTHONMALLOC = malloc
soak: export MALLOC_ARENA_MAX = 1
soak: .venv/stamp  ## Code 10,000 small pictures in one process and 300 in the window: memory stays flat
	.venv/bin/python -W ignore -m tests.soak.soak

test-train: .venv-train/stamp  ## Set up the training environment and run its tests
	.venv-train/bin/python -m pytest tests/training

lint: .venv/stamp  ## Check format, lint and types
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

format: .venv/stamp  ## Format the code and mend what ruff can mend
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bundle: .venv/stamp  ## Build the double-click app (dist/lbbic) and show its size by component
	.venv/bin/pyinstaller --noconfirm --log-level ERROR --workpath build/bundle build_app.spec
	@cd dist/lbbic && du -cm --apparent-size lbbic* _internal/* | sort -n | tail -15

deb: bundle  ## Build the bundle and a Debian package of it (dist)
	.venv/bin/python docs/make/deb.py

bundle-test: .venv/stamp  ## Build the app and try it with no environment, read-only, in a window
	.venv/bin/python -m pytest tests/frozen -s

install-desktop: .venv/stamp  ## Add menu entry, icon and file type .lbb for this user
	$(APP) --install-desktop

uninstall-desktop: .venv/stamp  ## Undo it
	$(APP) --remove-desktop

docs: .venv/stamp  ## Write docs/file-format.md and redraw the figures and the animation
	.venv/bin/python docs/make/file_format.py
	.venv/bin/python docs/make/how_it_works.py
	.venv/bin/python docs/make/architecture.py
	.venv/bin/python docs/make/app_pictures.py

quality: .venv/stamp  ## Measure the weights (KODAK=FOLDER ANCHORS=FOLDER), write docs/quality.md
	.venv/bin/python docs/make/quality.py $(KODAK) $(ANCHORS)

appearance: .venv/stamp  ## Measure how pictures look beside other codecs (PICTURES="FOLDER …"), write docs/appearance.md
	.venv/bin/python docs/make/appearance.py $(PICTURES)

icons: .venv/stamp  ## Redraw the icon, in all sizes and formats
	.venv/bin/python docs/make/icons.py

screenshots: .venv/stamp  ## Photograph the app in every state (build/screenshots)
	@if command -v xvfb-run >/dev/null; then \
		xvfb-run -a -s "-screen 0 2560x1700x24" .venv/bin/python tests/gui/screenshots.py build/screenshots; \
	else QT_QPA_PLATFORM=offscreen .venv/bin/python tests/gui/screenshots.py build/screenshots; fi

BENCH_PICTURES ?= resources/samples
BENCH_CODECS ?= lbbic,reference,jpeg,webp,avif,jxl,compressai:bmshj2018-hyperprior
bench: .venv/stamp  ## Measure speed, memory and rates beside other codecs (BENCH_PICTURES=FOLDER)
	$(if $(wildcard .venv-train/stamp),.venv-train,.venv)/bin/lbbic bench $(BENCH_PICTURES) --codecs $(BENCH_CODECS) --out build/bench
	.venv/bin/python -m lbbic_engine.bench.scaling $(BENCH_PICTURES) build/bench
	.venv/bin/python -m lbbic_engine.bench.targets $(BENCH_PICTURES)
	.venv/bin/python tests/gui/seconds.py

clean:  ## Remove both environments and everything generated
	rm -rf .venv .venv-train build dist *.egg-info .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed (make PYTHON=…)"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/$(PIP_INSTALL) -r requirements.lock
	.venv/$(PIP_INSTALL) $(EDITABLE)
	touch $@

# torch first, with all that it needs on this machine; the rest as listed and nothing more.
.venv-train/stamp: requirements-train.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed (make PYTHON=…)"; exit 1; }
	$(PYTHON) -m venv .venv-train
	.venv-train/$(PIP_INSTALL) -c requirements-train.lock torch
	.venv-train/$(PIP_INSTALL) --no-deps -r requirements-train.lock
	.venv-train/$(PIP_INSTALL) $(EDITABLE)
	touch $@
