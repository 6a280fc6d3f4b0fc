# Everything a checkout needs: `make demo` and `make test` set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

TESTS := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

.PHONY: demo test test-all check docs browser lowest newest wheel sbom samples bench clean

$(READY): pyproject.toml constraints.txt hatch_build.py $(wildcard native/*)
	@echo "Installing into $(VENV) (once; a few minutes) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev,products,vector,dask,stac,alerts,onnx,xarray,docs]"
	@touch $(READY)

demo: $(READY)  ## the main job on the sample scenes, end to end
	$(BIN)/anomvae demo

test: $(READY)  ## the test suite but for slow tests: several minutes on two cores
	$(TESTS) -m "not slow"

test-all: $(READY)  ## the whole test suite
	$(TESTS)

check: $(READY)  ## style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict

docs: $(READY)  ## the documentation site in site/, which opens from disk: notebooks run, links checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

browser:  ## Chromium for the tests of pages, which are skipped without
	.ci/browser

lowest newest:  ## quick tests with the lowest versions declared, or the newest; KEEP=torch: as pinned
	PYTHON=$(PYTHON) .ci/versions $@ $(KEEP)

wheel: $(READY)  ## the wheel is the same file when it is built twice, and runs the demo
	.ci/wheel

sbom: $(READY)  ## what is installed, as CycloneDX JSON: anomvae.cdx.json
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[sbom]"
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file anomvae.cdx.json $(BIN)/python

samples: $(READY)  ## draw data_samples anew
	$(BIN)/python data_samples/make.py

bench: $(READY)  ## accuracy on labelled scenes: make bench SCENES=DIR OPTIONS="--seeds 3"
	$(BIN)/python benchmarks/accuracy.py --scenes $(SCENES) $(OPTIONS)

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest demo site anomvae.cdx.json
