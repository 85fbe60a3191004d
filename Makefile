# The commands for people; CI runs `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help test fmt clippy demo latency bench bench-short soak fuzz matrix regression lab lab-down audit

help:
	@echo "make test       everything that CI runs: format, lints, unit tests, tests on real MySQL and MariaDB"
	@echo "make demo       an application on real MySQL, with and without Tidegate; stays up to try"
	@echo "make latency    what replication lag costs, and what each level makes of it (BENCH=\"--workload web\")"
	@echo "make bench      Tidegate against HAProxy: queries per second, latency, CPU per query"
	@echo "make soak       the simulation, random statements and the checker on many more seeds than make test plays (SEEDS=20 READS=1000000)"
	@echo "make fuzz       a fuzzer for each decoder (FUZZ_SECONDS=600); needs cargo-fuzz and a nightly toolchain"
	@echo "make matrix     a session of each of many drivers, directly and through Tidegate (DRIVERS='go php-pdo')"
	@echo "make regression MySQL's own regression tests, directly and through Tidegate (TESTS='cast sp' PROTOCOL=ps)"
	@echo "make audit      known weaknesses of the dependencies; needs cargo-audit and the network"
	@echo "make lab        a writer and two lagging readers on loopback, to play with"
	@echo "make lab-down   end that lab and remove it"

# What has to hold on MariaDB too.
BOTH := lab watch online front identity prepared explain consistency checker transport bench pool \
	failover
DECODERS := framing login answer compression execute gtid sql config proxy
FUZZ_SECONDS ?= 600

test: fmt clippy
	cargo test --locked --no-fail-fast
	TIDEGATE_FLAVOUR=mariadb cargo test --locked --no-fail-fast $(BOTH:%=--test %)
	TIDEGATE_FLAVOUR=mariadb cargo test --locked --test chaos p1_p2

fmt:
	cargo fmt --check

clippy:
	cargo clippy --locked --all-targets -- -D warnings

demo:
	cargo run --locked --release -- demo

latency:
	cargo run --locked --release -- bench --html latency.html $(BENCH)

OPENSRV := benches/opensrv
bench:
	cargo build --locked --release --manifest-path $(OPENSRV)/Cargo.toml
	cargo bench --locked --bench sysbench -- --opensrv $(OPENSRV)/target/release/opensrv-front
	cargo bench --locked --bench connections
	cargo bench --locked --bench waiting
	cargo bench --locked --bench instructions

bench-short:
	cargo bench --locked --bench sysbench -- --short
	cargo bench --locked --bench connections -- --short
	cargo bench --locked --bench waiting -- --short

SEEDS ?= 20
# Of the checker, over all scopes.
READS ?= 1000000
# For each scope; reads of registers and of lists count alike.
CHECKER := TIDEGATE_CHECKER_SEEDS=$(SEEDS) TIDEGATE_CHECKER_STEPS=1000 \
	TIDEGATE_CHECKER_CLIENTS=18 TIDEGATE_CHECKER_BURST=20
soak:
	TIDEGATE_SIM_SEEDS=$$(( $(SEEDS) * 5000 )) cargo test --locked --release --test routing_simulation -- --nocapture
	TIDEGATE_SEQUENCE_SEEDS=$$(( $(SEEDS) * 500 )) cargo test --locked --test sequences
	$(CHECKER) TIDEGATE_CHECKER_READS=$$(( $(READS) / 4 )) \
	cargo test --locked --test checker -- --nocapture
	$(CHECKER) TIDEGATE_CHECKER_READS=$$(( $(READS) / 20 )) TIDEGATE_FLAVOUR=mariadb \
	cargo test --locked --test checker -- --nocapture
	TIDEGATE_CHAOS_SECONDS=$$(( $(SEEDS) * 180 )) TIDEGATE_CHAOS_CLIENTS=5000 \
	cargo test --locked --test chaos -- --nocapture
	for flavour in mysql mariadb; do TIDEGATE_FLAVOUR=$$flavour TIDEGATE_SWITCHOVERS=50 \
	cargo test --locked --test failover back_and_forth -- --nocapture || exit 1; done
	TIDEGATE_HOSTILE_SECONDS=$$(( $(SEEDS) * 30 )) TIDEGATE_ATTACK_ROUNDS=$$(( $(SEEDS) * 1000 )) \
	cargo test --locked --test pressure makes_tidegate_panic -- --nocapture
	TIDEGATE_DECODERS_ROUNDS=$$(( $(SEEDS) * 100000 )) cargo test --locked --test decoders no_bytes
	TIDEGATE_POOL_CLIENTS=2000 TIDEGATE_POOL_CONNECTIONS=50 \
	cargo test --locked --release --test pool crowd -- --nocapture
	TIDEGATE_POOL_MODE=transaction cargo test --locked --no-fail-fast \
	--test consistency --test prepared --test checker --test identity --test front
	@if $(CAN_FUZZ); then $(MAKE) fuzz FUZZ_SECONDS=$$(( $(SEEDS) * 30 )); \
	else echo "left out: make fuzz, which needs cargo-fuzz and a nightly toolchain"; fi

CAN_FUZZ := cargo fuzz --version >/dev/null 2>&1 && cargo +nightly --version >/dev/null 2>&1
# Each decoder on what a fuzzer makes of the bytes that it understands. No decoder has unsafe code, so
# that an address sanitizer would mostly be slow.
fuzz:
	@$(CAN_FUZZ) || { echo "rustup toolchain install nightly, cargo install --locked cargo-fuzz, then again"; exit 1; }
	for decoder in $(DECODERS); do \
	(cd fuzz && cargo +nightly fuzz run -s none $$decoder -- -max_total_time=$(FUZZ_SECONDS)) || exit 1; done

DRIVERS ?= all
matrix:
	TIDEGATE_MATRIX="$(DRIVERS)" cargo test --locked --test matrix -- --nocapture

TESTS ?= all
PROTOCOL ?= text
regression:
	TIDEGATE_REGRESSION="$(TESTS)" TIDEGATE_REGRESSION_PROTOCOL=$(PROTOCOL) \
	cargo test --locked --test regression -- --nocapture

lab:
	cargo run --locked --quiet -- lab up

lab-down:
	cargo run --locked --quiet -- lab down

# RUSTSEC-2023-0071: the RSA key decrypts blinded, and never for clients with TLS.
audit:
	@cargo audit --version >/dev/null 2>&1 || { echo "cargo install --locked cargo-audit, then again"; exit 1; }
	cargo audit --ignore RUSTSEC-2023-0071
