module msctl.dev/tests/cluster/parts/pause

go 1.25.0
