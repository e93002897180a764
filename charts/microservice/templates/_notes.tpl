{{/* What to run next. */}}
{{- define "microservice.notes" -}}
{{- $name := include "microservice.name" . -}}
{{- $namespace := .Release.Namespace -}}
{{- $port := int .Values.service.port -}}
{{ $name }} {{ include "microservice.version" . }} is installed in the namespace {{ $namespace }}.

Wait until it is ready:
  kubectl -n {{ $namespace }} rollout status deployment/{{ $name }}

Call it from here, with plain kubectl:
  kubectl -n {{ $namespace }} port-forward service/{{ $name }} {{ $port }}:{{ $port }} &
  curl http://127.0.0.1:{{ $port }}{{ .Values.test.path }}

Or with msctl, through the cluster's DNS{{ if include "microservice.exportsTo" . }}, every hop shown{{ end }}:
  msctl -n {{ $namespace }} call {{ $name }}{{ .Values.test.path }}{{ if include "microservice.exportsTo" . }} --trace{{ end }}

Test it from inside:
  helm -n {{ $namespace }} test {{ .Release.Name }}
{{- end }}
