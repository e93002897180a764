// kind's own types of a configuration, for deploy/kind.yaml: kind itself needs Docker.
module kindconfig

go 1.26

require (
	go.yaml.in/yaml/v3 v3.0.6
	sigs.k8s.io/kind v0.33.0
)

require github.com/pkg/errors v0.9.1 // indirect
