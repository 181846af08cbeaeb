# What one does with this tree. `make` alone lists it.

.DEFAULT_GOAL := help
.PHONY: help run test lint bench soak fuzz setup

# Given on to `hotline demo`: make run ARGS='--calls 20 --once --data demo-data'
ARGS ?=
# How long `make fuzz` stays with each target.
SECONDS ?= 60
# How long `make soak` keeps 200 calls up.
MINUTES ?= 120

help: ## this list
	@echo 'hotline: a SIP telephony engine with queues and call recording'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make run ARGS='--calls 20 --once --data demo-data'   20 calls, then a summary"

run: ## install what is missing, build, and show the engine at work with simulated calls
	@scripts/setup run
	cargo build --release --locked --bin hotline
	@cargo run --quiet --release --locked --bin hotline -- demo $(ARGS)

test: ## everything that must hold before a merge, real telephones included
	@scripts/test

lint: ## format and clippy, without building for a run
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

bench: ## the benchmarks of the crates, the floods at full length (docs/benchmarks.md has more)
	@scripts/setup run
	cargo bench --locked --workspace --bench '*'
	HOTLINE_FLOOD=100000 cargo test --release --locked -p switch --test virtual_time flood::
	HOTLINE_FLOOD=100000 cargo test --release --locked -p hotline --test engine flood:: -- --nocapture

soak: ## 100,000 calls computed anew, a minute without PostgreSQL, 100 kills, 20 rounds of faults, 20,000 simulated worlds, two hours of 200 calls
	@scripts/setup test
	HOTLINE_JOURNAL_CALLS=100000 HOTLINE_POSTGRES_AWAY=60 cargo test --release --locked -p journal --lib -- rebuild:: both:: --nocapture
	HOTLINE_FAULTS_KILLS=100 HOTLINE_FAULTS_ROUNDS=20 cargo test --release --locked -p hotline --test engine faults:: -- --nocapture
	HOTLINE_SIM_SEEDS=20000 cargo test --release --locked -p sim --test worlds -- --nocapture
	cargo bench --locked --bench calls -- --soak $(MINUTES) --calls 200

fuzz: ## libFuzzer over the parsers, SECONDS=60 for each target (no nightly toolchain needed)
	@scripts/fuzz $(SECONDS)

setup: ## install what run and test need, if it is missing
	@scripts/setup test
