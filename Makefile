# Every target sets up what it needs, in .venv (or make VENV=…).
PYTHON ?= python3
ENV ?= demo
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST = $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
export DO_NOT_TRACK := 1

.PHONY: help install run experiments test test-all test-pythons lint docs viz mlflow notebooks lock clean

help:
	@echo "make run     render a demo set, train on it, report (a few minutes)"
	@echo "make experiments  a few more runs on the demo set, each with one thing changed"
	@echo "make test    run the tests, but the slow ones"
	@echo "make test-all  run all tests"
	@echo "make test-pythons  run make test on every supported Python of this machine"
	@echo "make lint    check style and types"
	@echo "make docs    build the docs into site/, with the graph"
	@echo "make viz     explore the graph in Kedro-Viz, http://127.0.0.1:4141 (ENV=cpu for another environment)"
	@echo "make mlflow  compare experiments in MLflow, http://127.0.0.1:5000"
	@echo "make notebooks  explore photos and runs in JupyterLab, http://127.0.0.1:8888"
	@echo "make clean   remove caches and everything under data/ but 01_raw"

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml requirements.lock
	$(PYTHON) -c "import sys; sys.exit('Python 3.11 to 3.13 is needed; set it with make PYTHON=…' if not (3, 11) <= sys.version_info < (3, 14) else 0)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	touch $@

run: $(VENV)/installed
	$(BIN)/kedro run --env=demo --pipelines=demo_photos
	$(BIN)/kedro run --env=demo

experiments: run
	$(BIN)/kedro run --env=demo --params=training.loss=bce_dice
	$(BIN)/kedro run --env=demo --params=network.space_to_depth=2
	$(BIN)/kedro run --env=demo --params=training.epochs=4

test: $(VENV)/installed
	$(PYTEST) -m "not slow"

test-all: $(VENV)/installed
	$(PYTEST)

test-pythons:
	.ci/pythons

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/installed
	rm -rf build
	$(BIN)/kedro viz build
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

viz: $(VENV)/installed
	$(BIN)/kedro viz run --env=$(ENV)

mlflow: $(VENV)/installed
	@echo "What changed, and did it help:" \
		"http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=what_helped"
	PYTHONWARNINGS="ignore:starlette.middleware.wsgi" \
		$(BIN)/mlflow server --host 127.0.0.1 --port 5000 --workers 1 --uvicorn-opts "--log-level=warning" \
		--backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db} \
		--default-artifact-root file://$(CURDIR)/mlruns

notebooks: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[notebooks]'
	$(BIN)/jupyter lab --ip=127.0.0.1 --port=8888 notebooks

lock:
	{ head -2 requirements.lock; uv pip compile pyproject.toml --all-extras --universal \
		--python-version 3.11 --no-header --no-annotate --quiet; } > requirements.new
	mv requirements.new requirements.lock

clean:
	find data -mindepth 2 -not -path 'data/01_raw*' -not -name .gitkeep -delete
	find data -mindepth 1 -type d -empty -delete
	find data -maxdepth 1 -type f -delete
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis .viz build site
