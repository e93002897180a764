{{- define "microservice.networkPolicy" -}}
{{- $policy := .Values.networkPolicy }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "microservice.selectorLabels" . | nindent 6 }}
  policyTypes:
    - Ingress
    {{- if $policy.egress.enabled }}
    - Egress
    {{- end }}
  ingress:
    - from:
        {{- /* msctl's relay and the charts' test pods, in the same namespace. */}}
        - podSelector:
            matchExpressions:
              - key: app.kubernetes.io/name
                operator: In
                values:
                  - msctl-relay
                  - msctl-test
        {{- range $policy.from }}
        - {{ include "microservice.peer" . | indent 10 | trim }}
        {{- end }}
        {{- if or .Values.ingress.enabled .Values.httpRoute.enabled }}
        {{- range $policy.gatewayFrom }}
        - {{ include "microservice.peer" . | indent 10 | trim }}
        {{- end }}
        {{- end }}
      ports:
        - port: {{ int .Values.service.port }}
          protocol: TCP
        {{- range .Values.service.extraPorts }}
        - port: {{ int . }}
          protocol: TCP
        {{- end }}
    {{- /* Probes come from the node, whose address is not known here. */}}
    {{- with .Values.admin.port }}
    - ports:
        - port: {{ int . }}
          protocol: TCP
    {{- end }}
  {{- if $policy.egress.enabled }}
  egress:
    {{- /* Wherever the cluster's DNS is: a pod, or the node's cache. */}}
    - ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    {{- if include "microservice.exportsTo" . }}
    - to:
        - namespaceSelector: {}
      ports:
        - port: 4317
          protocol: TCP
        - port: 4318
          protocol: TCP
    {{- end }}
    {{- if eq (.Values.database.kind | default "none") "postgres" }}
    {{- /* Its host is in a Secret, and may be outside the cluster. */}}
    - ports:
        - port: 5432
          protocol: TCP
    {{- end }}
    {{- with $policy.egress.to }}
    - to:
        {{- range . }}
        - {{ include "microservice.peer" . | indent 10 | trim }}
        {{- end }}
    {{- end }}
  {{- end }}
{{- end }}

{{/* A peer without what is empty; an empty selector stays, because it matches all. */}}
{{- define "microservice.peer" -}}
{{- $peer := dict }}
{{- range $key := list "podSelector" "namespaceSelector" }}
{{- $selector := index $ $key }}
{{- if kindIs "map" $selector }}
{{- $_ := set $peer $key (include "microservice.selector" $selector | fromJson) }}
{{- end }}
{{- end }}
{{- with .ipBlock }}
{{- $block := dict "cidr" .cidr }}
{{- with .except }}
{{- $_ := set $block "except" . }}
{{- end }}
{{- $_ := set $peer "ipBlock" $block }}
{{- end }}
{{- toYaml $peer }}
{{- end }}

{{- define "microservice.selector" -}}
{{- $selector := dict }}
{{- with .matchLabels }}
{{- $_ := set $selector "matchLabels" . }}
{{- end }}
{{- with .matchExpressions }}
{{- $expressions := list }}
{{- range . }}
{{- $expression := dict "key" .key "operator" .operator }}
{{- with .values }}
{{- $_ := set $expression "values" . }}
{{- end }}
{{- $expressions = append $expressions $expression }}
{{- end }}
{{- $_ := set $selector "matchExpressions" $expressions }}
{{- end }}
{{- toJson $selector }}
{{- end }}
