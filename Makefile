# Every target sets up what it needs: .venv from the lock (Debian with Python >= 3.11 and make;
# root gets missing system packages installed, others are told their names).
.DEFAULT_GOAL := help
PYTHON ?= python3
export PYTHON
bin := .venv/bin

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 26

.venv/ready: requirements-dev.lock node/pyproject.toml node/client/pyproject.toml .ci/setup
	@.ci/setup
.venv/ready-bench: .venv/ready requirements-bench.lock
	@.ci/setup bench

# --- every day ---
.PHONY: test check golden-rewrite clean
test: .venv/ready ## everything a change must pass, in under 10 minutes on two cores
	@.ci/test
check: .venv/ready ## lint, format, types, layers, tidiness
	@.ci/check
golden-rewrite: .venv/ready ## write what came into the golden scripts; then read the diff
	@$(bin)/python -m pytest -q -p no:randomly tests/golden tests/tidy/test_docs.py --golden-rewrite
clean: ## remove the environment and everything that was made
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# --- one question each ---
.PHONY: tck
tck: .venv/ready ## the openCypher TCK from $TCK (default ../shared/tck); DOOR=http for that door
	@$(bin)/python -m tests.tck.run $(if $(DOOR),--door $(DOOR))

# --- now and then ---
.PHONY: lock
lock: .venv/ready ## resolve the locks anew; UPGRADE=1 takes the newest versions
	@.ci/lock
