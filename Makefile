# Every target sets up what it needs: .venv from the lock (Debian with Python >= 3.11 and make;
# root gets missing system packages installed, others are told their names).
.DEFAULT_GOAL := help
export PYTHON
export RAFT_TESTDATA
# hundreds of processes are started: one that has to compile all it imports takes twice as long
unexport PYTHONDONTWRITEBYTECODE
bin := .venv/bin

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 26

.venv/ready: requirements-dev.lock node/pyproject.toml node/client/pyproject.toml operator/pyproject.toml .ci/setup
	@.ci/setup
.venv/ready-bench: .venv/ready requirements-bench.lock
	@.ci/setup bench

# --- every day ---
.PHONY: run test check golden-rewrite golden-directory clean
run: .venv/ready ## a node with a real graph as it was at three moments; Ctrl-C stops it
	@samples/run
test: .venv/ready ## everything a change must pass, in under 10 minutes on two cores
	@.ci/test
check: .venv/ready ## lint, format, types, layers, tidiness
	@.ci/check
golden-rewrite: .venv/ready ## write what came into the golden scripts; then read the diff
	@$(bin)/python -m pytest -q -p no:randomly tests/golden tests/operator/test_crds.py tests/tidy/test_docs.py tests/tidy/test_reference.py --golden-rewrite
golden-directory: .venv/ready ## the golden data directory of the version about to be tagged (once for each)
	@$(bin)/python -m tests.compat.make $(ARGS)
clean: ## remove the environment and everything that was made
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# --- one question each; ARGS goes to the script, whose --help says what there is ---
.PHONY: sim tck raft-testdata coverage-language model isolation fuzz crash flashback test-drivers test-cluster
tck: .venv/ready ## the openCypher TCK in $TCK (default ../shared/tck); ARGS="--door http" over HTTP, bolt over Bolt
	@$(bin)/python -m tests.tck.run $(ARGS)
raft-testdata: .venv/ready ## consensus transcripts in $RAFT_TESTDATA (default ../shared/raft-testdata)
	@$(bin)/python -m tests.raft.run $(ARGS)
coverage-language: .venv/ready ## productions and functions without a golden script
	@$(bin)/python -m tests.golden.coverage $(ARGS)
model: .venv/ready ## 10,000 generated queries, with and without indexes, now and later; long histories
	@$(bin)/python -m tests.model.equivalence $(ARGS)
	@HYPOTHESIS_PROFILE=long $(bin)/python -m pytest -q --timeout=0 tests/model
	@$(bin)/python -m pytest -q -n0 -p no:randomly --timeout=0 tests/model/growth.py
isolation: .venv/ready ## anomalies, one script each, at every isolation level
	@$(bin)/python -m pytest -q tests/isolation $(ARGS)
fuzz: .venv/ready ## bad texts, bodies and files; more of them than make test has
	@HYPOTHESIS_PROFILE=long $(bin)/python -m pytest -q --timeout=0 tests/fuzz $(ARGS)
test-drivers: .venv/ready ## Neo4j's drivers (Python 4.4, 5, 6, JavaScript, Java, Go) as programs use them
	@$(bin)/python -m tests.drivers.run $(ARGS)
test-cluster: .venv/ready ## TCK, drivers, anomalies and models against three members, statements to any of them
	@$(bin)/python -m tests.tck.run --door cluster --jobs 1
	@$(bin)/python -m tests.drivers.run --cluster
	@TEST_DOOR=cluster MODEL_ROUNDS=2 $(bin)/python -m pytest -q --timeout=0 tests/isolation tests/model tests/golden/query
flashback: .venv/ready ## the sample back to 2023 and forth again, on one node and on three; long histories
	@FLASHBACK_SAMPLE=whole HYPOTHESIS_PROFILE=long $(bin)/python -m pytest -q -n0 --timeout=0 tests/imports/test_sample_flashback.py tests/model/test_flashback.py $(ARGS)
crash: .venv/ready ## 200 rounds of kill -9 under mixed writes
	@$(bin)/python -m tests.crash.run $(ARGS)

.PHONY: audit-tamper
audit-tamper: .venv/ready ## 10,000 alterations of history through the store itself, each found; ARGS="--seed 1"
	@$(bin)/python -m tests.audit.tampering $(ARGS)

.PHONY: mutants chaos
mutants: .venv/ready ## rules taken away one at a time, and which test notices after how many schedules
	@$(bin)/python -m tests.mutants.run $(ARGS)
MINUTES ?= 3
sim: .venv/ready ## the whole cluster simulated: MINUTES=3, SEEDS=n, or SEED=s to play one again
	@$(bin)/python -m tests.sim.run $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

chaos: .venv/ready ## real processes under load while members die, hang and are cut off; MINUTES=20
	@$(bin)/python -m tests.cluster.chaos.run --minutes $(MINUTES) $(ARGS)

.PHONY: bench bench-consensus bench-write bench-import bench-point bench-latency bench-bolt
bench: .venv/ready-bench ## all measurements, one JSON line each
	@$(MAKE) --no-print-directory --keep-going bench-write bench-import bench-point bench-latency bench-bolt
bench-consensus: .venv/ready ## the consensus core alone, proposal to commit
	@$(bin)/python -m bench.consensus $(ARGS)
bench-write: .venv/ready-bench ## commits with fsync, against etcd
	@$(bin)/python -m bench.write $(ARGS)
bench-import: .venv/ready-bench ## bulk load, relationships a second and bytes each
	@$(bin)/python -m bench.imports $(ARGS)
bench-point: .venv/ready-bench ## one node by an indexed property, against ladybug
	@$(bin)/python -m bench.point $(ARGS)
bench-latency: .venv/ready-bench ## what others feel while something large goes on
	@$(bin)/python -m bench.latency $(ARGS)

bench-bolt: .venv/ready-bench ## reads over Bolt, raw and through the driver, against ArcadeDB
	@$(bin)/python -m bench.bolt $(ARGS)
.PHONY: operator-model
operator-model: .venv/ready ## what the operator decides, over a model cluster with faults; EXAMPLES=10000
	@EXAMPLES=$(EXAMPLES) $(bin)/python -m pytest -q -n0 -p no:randomly --timeout=0 tests/operator/test_decide_model.py
operator-model: EXAMPLES ?= 10000
.PHONY: bench-cluster
bench-cluster: .venv/ready-bench ## three processes with fsync, against three members of etcd
	@$(bin)/python -m bench.cluster $(ARGS)
.PHONY: bench-stragglers
bench-stragglers: .venv/ready-bench ## a member misses a million entries, then loses its disk; the leader's memory
	@$(bin)/python -m bench.stragglers $(ARGS)
.PHONY: bench-failover
bench-failover: .venv/ready-bench ## writes around the death of a leader (100 times), and planned changes
	@$(bin)/python -m bench.failover $(ARGS)

.PHONY: bench-vacuum
bench-vacuum: .venv/ready-bench ## what forgetting gives back, its longest step, what versions of wide nodes cost
	@$(bin)/python -m bench.vacuum $(ARGS)

.PHONY: bench-compaction
bench-compaction: .venv/ready-bench ## what moving small commits into column segments gives and takes
	@$(bin)/python -m bench.compaction $(ARGS)
.PHONY: bench-compacting
bench-compacting: .venv/ready-bench ## what a foreground load notices of it
	@$(bin)/python -m bench.compacting $(ARGS)

.PHONY: bench-vector
bench-vector: .venv/ready-bench ## the nearest of 100,000 vectors, now and then, against bare hnswlib
	@$(bin)/python -m bench.vector $(ARGS)

.PHONY: bench-query
bench-query: .venv/ready-bench ## patterns and aggregates on 4 M relationships, against ladybug and ArcadeDB; SEED=2
	@$(bin)/python -m bench.query $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: bench-audit
bench-audit: .venv/ready ## a million commits verified
	@$(bin)/python -m bench.audit $(ARGS)

.PHONY: bench-time
bench-time: .venv/ready-bench ## what the past costs against the present; entities of a hundred versions
	@$(bin)/python -m bench.time $(ARGS)

.PHONY: bench-readers
bench-readers: .venv/ready-bench ## what a second reader adds on a second core, while a writer commits
	@$(bin)/python -m bench.readers $(ARGS)

.PHONY: bench-lag
bench-lag: .venv/ready-bench ## the event loop while queries and an import run on one node
	@$(bin)/python -m bench.loop_lag $(ARGS)

.PHONY: bench-flashback
bench-flashback: .venv/ready-bench ## a million changes undone: memory, and what readers feel meanwhile
	@$(bin)/python -m bench.flashback $(ARGS)

.PHONY: soak-bolt
soak-bolt: .venv/ready ## ten minutes of 200 clients that come and go, reset and vanish
	@$(bin)/python -m bench.soak_bolt $(ARGS)

# --- now and then ---
.PHONY: lock
lock: .venv/ready ## resolve the locks anew; UPGRADE=1 takes the newest versions
	@.ci/lock
# --- on a Kubernetes: the one beside the checkout, else Kind, or E2E_RIG=kubeconfig ---
.PHONY: e2e e2e-all
e2e: .venv/ready ## the core scripts on a real Kubernetes, in under 20 minutes
	@$(bin)/python -m pytest -q -s -p no:randomly -m core e2e $(ARGS)
e2e-all: .venv/ready ## all of them
	@$(bin)/python -m pytest -q -s -p no:randomly e2e $(ARGS)

.PHONY: demo-kubernetes
demo-kubernetes: .venv/ready ## from nothing to a cluster that loses its leader's machine, on the rig beside the checkout
	@samples/kubernetes/demo
.PHONY: images
images: ## the images of node and operator; ARGS names their tag
	@.ci/images $(ARGS)
