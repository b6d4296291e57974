# The two commands of a newcomer: make demo, make test.

SWIFT ?= swift
SCRATCH ?= .build
FLAGS = -c release --scratch-path $(SCRATCH)
COHORT = $(SCRATCH)/release/cohort
DEMO_MODEL = Tests/Fixtures/tiny-r1-fp8/model

.PHONY: build demo test test-slow lint format wire fixtures clean

build: .packages
	$(SWIFT) build $(FLAGS) --product cohort

# A coordinator and four workers on this machine complete a prompt with a small R1-shaped model (256 experts, top 8).
demo: build
	$(COHORT) generate $(DEMO_MODEL) --local 4 --prompt "The cluster" --max-tokens 48 --ignore-eos --report

# Tests that start processes or servers, or meet an engine at work, run after the others, whose long loops would starve
# their waits.
PROCESS_TESTS = CohortTests|HTTPAPITests|EngineRunnerTests

test: .packages
	$(SWIFT) build $(FLAGS) --build-tests
	$(SWIFT) test $(FLAGS) --skip-build --skip "$(PROCESS_TESTS)"
	$(SWIFT) test $(FLAGS) --skip-build --filter "$(PROCESS_TESTS)"

# A checkpoint of R1's true widths with one dense and one MoE layer (16 GB) through four workers; wants 20 GB of disk.
test-slow: build
	scripts/true-widths.sh $(COHORT)

lint:
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests
	scripts/check-style.py

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests

# Regenerates the committed protobuf code from Sources/CWire/wire.proto.
wire:
	scripts/generate-wire.sh

# Regenerates Tests/Fixtures: make fixtures SHARED=../shared
fixtures:
	scripts/make-fixtures.py $(SHARED)

# Debian packages: installed once, when one is missing.
.packages:
	@scripts/install-packages.sh

clean:
	rm -rf $(SCRATCH)
