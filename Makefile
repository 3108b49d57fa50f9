# make run    serve on http://127.0.0.1:8080/ with SQLite and the example network
# make test   the tests, on all cores          make test ARGS="-k slots -x"   some of them, on one
# make check  linters, types, import contracts, dependencies
# make screenshots  the pictures of the README, under docs/
# make bench  the benchmarks     make lock [UPGRADE=--upgrade]  rewrite both lock files
#
# Needs Python 3.11 or later with pip. PYTHON=/path/to/python chooses it; HOST and PORT move the service.

HOST ?= 127.0.0.1
PORT ?= 8080
PYTHON ?=
UPGRADE ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
PROJECT := $(PIP) --no-deps --no-build-isolation --editable .
LOCK := .venv/lock/bin/uv pip compile --universal --python-version 3.11 \
	--generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header --quiet
CLIENTS := tests/clients
NPM := --ignore-scripts --no-audit --no-fund --no-update-notifier --silent

.PHONY: run test check bench screenshots lock clean

# One shell, and `exec` at its end: SIGTERM and Ctrl-C reach the service, which drains and leaves.
run: .venv/.run
	@set -eu; \
	host='$(HOST)'; case "$$host" in 0.0.0.0|::) host=127.0.0.1;; *:*) host="[$$host]";; esac; \
	address="http://$$host:$(PORT)"; \
	if [ "$$address" != http://127.0.0.1:8080 ]; then \
		export PERINAT_PUBLIC_URL="$${PERINAT_PUBLIC_URL:-$$address}"; \
	fi; \
	token=$$($(BIN)/perinat-sched token create --role admin --name "make run"); \
	link=$$($(BIN)/perinat-sched token create --role admin --name "make run, pages" --link); \
	days=$$($(BIN)/python -c 'from datetime import date, timedelta as t; d = date.today(); \
	print(f"from={d + t(days=7)}&to={d + t(days=21)}")'); \
	printf '\nOpen    %s/\nSign in %s   (administrator; once, within ten minutes)\n\nToken   %s   (administrator; revoke it with perinat-sched token revoke)\n\n' \
		"$$address" "$$link" "$$token"; \
	printf 'curl -H "Authorization: Bearer %s" %s/api/v1/me\n' "$$token" "$$address"; \
	printf 'curl -H "Authorization: Bearer %s" "%s/api/v1/slots?site=lille&site=calais&duration_minutes=60&%s"\n\n' \
		"$$token" "$$address" "$$days"; \
	exec $(BIN)/perinat-sched serve --host '$(HOST)' --port '$(PORT)'

test: ARGS ?= -n auto --dist loadgroup
test: .venv/.test .venv/.clients .venv/.browser
	$(BIN)/python -m pytest $(ARGS)

check: .venv/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry perinat_sched

bench: .venv/.test
	$(BIN)/python -m benchmarks $(ARGS)

screenshots: .venv/.test .venv/.browser
	$(BIN)/python -W ignore -m tests.browser.screenshots docs

# The runtime lock takes its versions from the test lock, so the two always agree.
lock: .venv/lock/bin/uv
	$(LOCK) $(UPGRADE) pyproject.toml --extra build --extra test --output-file requirements-test.lock
	$(LOCK) $(UPGRADE) pyproject.toml --extra build --constraint requirements-test.lock --output-file requirements.lock
	$(LOCK) $(UPGRADE) $(CLIENTS)/requirements.in --output-file $(CLIENTS)/requirements.lock
	npm install --prefix $(CLIENTS) $(NPM) --package-lock-only --omit-lockfile-registry-resolved
	npm install --prefix tests/browser $(NPM) --package-lock-only --omit-lockfile-registry-resolved

clean:
	rm -rf .venv dist build htmlcov .coverage .coverage.* .hypothesis .schemathesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: pip runs, and the network is asked, only after a lock or pyproject.toml has changed.
.venv/.run: requirements.lock pyproject.toml | $(BIN)/pip
	$(PIP) --require-hashes -r requirements.lock
	$(PROJECT)
	@touch $@

.venv/.test: requirements-test.lock pyproject.toml | $(BIN)/pip
	$(PIP) --require-hashes -r requirements-test.lock
	$(PROJECT)
	@touch .venv/.run $@

# The calendar programs of other people that the tests let read the feeds: Python's, npm's, and Debian's libical.
.venv/.clients: $(wildcard $(CLIENTS)/*.lock $(CLIENTS)/package*.json $(CLIENTS)/programs/*.c) | $(BIN)/pip
	@missing=$$($(CLIENTS)/missing); if [ "$$missing" ]; then \
		echo 'The tests let other calendar programs read the feeds, and some of what these need is missing.' >&2; \
		echo "On Debian: apt-get install --no-install-recommends$$missing" >&2; exit 1; \
	fi
	$(BIN)/python -m venv --clear .venv/clients
	.venv/clients/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $(CLIENTS)/requirements.lock
	cp $(CLIENTS)/package.json $(CLIENTS)/package-lock.json .venv/clients/
	npm ci --prefix .venv/clients $(NPM)
	gcc -std=c99 -Wall -Wextra -Werror -O1 $(CLIENTS)/programs/libical_lint.c -o .venv/clients/bin/libical_lint \
		$$(pkg-config --cflags --libs libical)
	@touch $@

# What judges the pages in a browser: axe-core from npm; the browser is the system's Chromium.
.venv/.browser: tests/browser/package-lock.json | $(BIN)/pip
	@if ! command -v chromium >/dev/null || ! command -v npm >/dev/null; then \
		echo 'The tests of the pages need Chromium and npm.' >&2; \
		echo 'On Debian: apt-get install --no-install-recommends chromium npm' >&2; exit 1; \
	fi
	@mkdir -p .venv/browser
	cp tests/browser/package.json tests/browser/package-lock.json .venv/browser/
	npm ci --prefix .venv/browser $(NPM)
	@touch $@

$(BIN)/pip:
	@new() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
	for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14); do \
		if new "$$python"; then exec "$$python" -m venv --clear .venv; fi; \
	done; \
	echo 'perinat-sched needs Python 3.11 or later; none found as: $(or $(PYTHON),python3 python3.11 to python3.14).' >&2; \
	echo 'Install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)' >&2; \
	exit 1

.venv/lock/bin/uv: | $(BIN)/pip
	$(BIN)/python -m venv .venv/lock
	.venv/lock/bin/python -m pip install -q --disable-pip-version-check 'uv>=0.9'
