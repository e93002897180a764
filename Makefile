# The verbs of development. Each is one line; the logic is in the scripts they call.
.DEFAULT_GOAL := help
.PHONY: help build demo check test soak chaos bench images cluster cluster-down kind minikube goldens

help:           ## This list
	@sed -n 's/^\([a-z-]*\): *## */\1\t/p' Makefile | expand -t 16
demo:           ## What msctl does, on this machine in seconds; KEEP=1 leaves it up, TARGET=cluster takes a cluster
	tests/demo/run
build:          ## msctl, service-a and service-b, optimised, for this machine
	cargo build --release --locked
check:          ## The quick inner loop: format, lints, unit tests, goldens, scenarios on this machine
	tests/run check
test:           ## Every test, the scenarios on a real cluster included
	tests/run test
soak:           ## What takes longer by nature: rollouts under load, kills, crashes, fuzzing, each statement broken, images compiled twice and for arm64
	tests/run soak
chaos:          ## 1,000 kills under load on each database, then every attempt compared with what arrived
	tests/run chaos
bench:          ## The figures, each measured beside what it is compared with
	tests/run bench
images:         ## The container images, into dist/images
	deploy/build-images
cluster:        ## A real two-node Kubernetes on this machine, without Docker
	tests/cluster/cluster up
cluster-down:   ## Take that cluster down
	tests/cluster/cluster down
kind:           ## A kind cluster with the demo installed
	deploy/kind up
minikube:       ## A minikube cluster with the demo installed
	deploy/minikube up
goldens:        ## Write the generated files anew: chart schemas, OpenAPI documents, goldens, snapshots
	tests/run goldens
