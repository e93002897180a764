// Reads deploy/kind.yaml as `kind create cluster --config` does, without a cluster: go run . FILE
package main

import (
	"bytes"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = check(text)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// As kind's pkg/internal/apis/config/encoding does, which nobody else may import: unknown keys are errors.
func check(text []byte) error {
	var config v1alpha4.Cluster
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil {
		return err
	}
	if config.APIVersion != "kind.x-k8s.io/v1alpha4" || config.Kind != "Cluster" {
		return fmt.Errorf("%s %s is no configuration that kind reads", config.APIVersion, config.Kind)
	}
	v1alpha4.SetDefaultsCluster(&config)
	planes := 0
	for at, node := range config.Nodes {
		switch node.Role {
		case v1alpha4.ControlPlaneRole:
			planes++
		case v1alpha4.WorkerRole:
		default:
			return fmt.Errorf("nodes[%d].role: %q is neither control-plane nor worker", at, node.Role)
		}
	}
	if planes == 0 {
		return fmt.Errorf("no node is a control-plane")
	}
	return nil
}
