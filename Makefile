# `make help` lists the targets. People and CI run the same ones.

PYTHON ?= python3
PORT   ?= 8080
FUZZTIME ?= 5m
VENV   ?= .venv
GO     ?= go

TAGS    := coprocess python
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
BIN     := $(abspath $(VENV))/bin
STAMP   := $(VENV)/.installed-$(subst /,_,$(PYTHON))
SOURCES := $(shell find driver integrations/tyk -name '*.go') libgateway.h build_gateway.py setup.py pyproject.toml \
           $(shell find tyk_cffi shims -name '*.py' -o -name '*.pyi')
# Four test files at once: most tests wait for something.
export PARALLEL ?= -n 4 --dist loadfile
# The interpreter that gateways and tests started from here use.
export TYK_CFFI_PYTHON := $(BIN)/python
# Programs that tests start, where the machine lacks them.
export PATH := $(abspath $(VENV))/programs:$(PATH)
# Catch Go pointers that are misused in C, in every test.
TEST_ENV := GOEXPERIMENT=cgocheck2

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: need
need:
	@tools/need "$(PYTHON)" "$(GO)"

.PHONY: build
build: need $(STAMP) ## the library and the Python package, installed in .venv

$(STAMP): $(SOURCES)
	@test -e $@ || rm -rf $(VENV) # that of another interpreter
	@echo "== environment: $(VENV), with $$($(PYTHON) --version) =="
	@$(PYTHON) -m venv $(VENV)
	@echo "== wheel: compiling the shared library, installing it with cffi and protobuf =="
	@$(BIN)/pip install --quiet --disable-pip-version-check .
	@touch $@
	@$(BIN)/tyk-cffi info

.PHONY: gateway
gateway: build ## the gateway, bin/gateway
	@echo "== Go modules: fetching those that are not in the cache =="
	@$(GO) mod download
	@echo "== gateway: compiling bin/gateway =="
	@$(GO) build -tags '$(TAGS)' -o bin/gateway .
	@$(GO) build -o bin/echo ./cmd/echo

.PHONY: run
run: gateway ## serve the samples on 127.0.0.1:8080 (PORT=, PYTHON=)
	@PORT=$(PORT) tools/run

.PHONY: dev
dev: build $(STAMP)-dev

$(STAMP)-dev: $(STAMP)
	@echo "== test tools: pytest, mypy, ruff and others, into $(VENV) =="
	@$(BIN)/pip install --quiet --disable-pip-version-check '.[dev]'
	@tools/test-programs $(VENV)
	@touch $@

.PHONY: test
test: test-here test-another ## all tests; the Python ones on a second Python where there is one

.PHONY: test-here
test-here: dev gateway test-go test-python test-race

.PHONY: test-go
test-go: dev
	$(TEST_ENV) $(GO) vet -tags '$(TAGS)' ./... && cd driver && $(TEST_ENV) $(GO) vet -tags '$(TAGS)' ./...
	cd driver && $(TEST_ENV) $(GO) test -race -tags '$(TAGS)' ./...
	$(TEST_ENV) $(GO) test -race -tags '$(TAGS)' ./...
	cd integrations/tyk && $(GO) vet -tags standin ./... && $(TEST_ENV) $(GO) test -race -tags '$(TAGS) standin' ./...
	$(MAKE) -s fuzz-go FUZZTIME=5s
	$(GO) build -o bin/gateway-without-python .

.PHONY: fuzz
fuzz: dev fuzz-go ## arbitrary bytes for the Go decoder and the Python entry points (FUZZTIME=5m)
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest tests/test_entry_points.py

.PHONY: fuzz-go
fuzz-go:
	cd driver && for target in FuzzDecodeReply FuzzSession; do \
		$(GO) test -run '^$$' -fuzz "$$target" -fuzztime $(FUZZTIME) ./internal/codec || exit 1; done
	for target in FuzzAPathReachesOneAPIOnly FuzzAQueryHasOneReading; do \
		$(GO) test -tags '$(TAGS)' -run '^$$' -fuzz "$$target" -fuzztime $(FUZZTIME) ./host || exit 1; done

.PHONY: test-python
test-python: dev gateway
	$(BIN)/pytest $(PARALLEL)

.PHONY: test-race
test-race: dev
	$(GO) build -race -tags '$(TAGS)' -o bin/gateway-race .
	GATEWAY=bin/gateway-race $(BIN)/pytest tests/e2e -q $(PARALLEL)

.PHONY: test-another
test-another: gateway
	@tools/pythons --other-than $(BIN)/python --first | xargs -r -n 1 tools/test-on

.PHONY: test-pythons
test-pythons: gateway ## the Python and end-to-end tests on every Python 3.10 to 3.15
	@tools/test-pythons

.PHONY: docs-check
docs-check: dev ## links, commands, spelling and wording of the documentation
	@$(BIN)/python tools/docs_check.py

.PHONY: conformance
conformance: dev gateway ## the conformance suite on another gateway (GATEWAY=a Tyk binary, GATEWAY_SETTINGS=its JSON)
	$(BIN)/pytest tests/conformance

.PHONY: bench
bench: gateway ## measure, print a table, draw docs/bench.svg (GATEWAY=binary adds one, GATEWAY_SETTINGS= its JSON; QUICK=1)
	@cd bench && for program in micro load soak; do \
		$(GO) build -tags '$(TAGS)' -o ../bin/bench-$$program ./$$program || exit 1; done
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install --quiet --disable-pip-version-check . -r bench/requirements.txt
	@.venv-bench/bin/python bench/run.py $(if $(QUICK),--quick) $(if $(GATEWAY),other=$(GATEWAY))

.PHONY: soak
soak: gateway ## 5 million calls, errors, events and 1,000 reloads: memory at each tenth
	@cd bench && $(GO) build -tags '$(TAGS)' -o ../bin/bench-soak ./soak && ../bin/bench-soak

.PHONY: proto
proto: dev ## the Python and Go modules of the .proto files
	@PYTHON=$(BIN)/python tools/proto .

.PHONY: lint
lint: dev ## ruff, mypy --strict, gofmt, vet, staticcheck; C warnings are errors in every build
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	@test -z "$$(git ls-files '*.go' | xargs gofmt -l | tee /dev/stderr)"
	$(GO) vet ./... && $(GO) vet -tags '$(TAGS)' ./...
	$(STATICCHECK) ./... && $(STATICCHECK) -tags '$(TAGS)' ./...
	cd driver && $(STATICCHECK) -tags '$(TAGS)' ./...
	cd integrations/tyk && $(STATICCHECK) -tags '$(TAGS) standin' .
	cd bench && $(GO) vet -tags '$(TAGS)' ./... && $(STATICCHECK) -tags '$(TAGS)' ./...

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf .venv .venv-* .debian bin build shims/*.egg-info
