{{- define "microservice.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository .Values.image.tag }}
{{- end }}
{{- end }}

{{- define "microservice.container" -}}
name: {{ include "microservice.name" . }}
image: {{ include "microservice.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.args }}
args:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: {{ int .Values.service.port }}
    protocol: TCP
  {{- with .Values.admin.port }}
  - name: admin
    containerPort: {{ int . }}
    protocol: TCP
  {{- end }}
  {{- range $name, $port := .Values.service.extraPorts }}
  - name: {{ $name }}
    containerPort: {{ int $port }}
    protocol: TCP
  {{- end }}
envFrom:
  - configMapRef:
      name: {{ include "microservice.name" . }}
{{- /* apiVersion is the default: were it left out, the server would fill it in, and so change a map that has one owner. */}}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        apiVersion: v1
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        apiVersion: v1
        fieldPath: metadata.namespace
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        apiVersion: v1
        fieldPath: spec.nodeName
  {{- if .Values.telemetry.enabled }}
  - name: OTEL_RESOURCE_ATTRIBUTES
    value: {{ include "microservice.resourceAttributes" . | quote }}
  {{- end }}
{{- range $kind := list "startup" "readiness" "liveness" }}
{{ $kind }}Probe:
  {{- include "microservice.probe" (dict "admin" $.Values.admin.port "probe" (get $.Values.probes $kind)) | trim | nindent 2 }}
{{- end }}
{{- if and (eq .Values.drain.by "kubelet") .Values.drain.delaySeconds }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int64 .Values.drain.delaySeconds }}
{{- end }}
resources:
  {{- include "microservice.resources" . | nindent 2 }}
securityContext:
  {{- include "microservice.containerSecurityContext" . | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- with include "microservice.volumeMounts" . | trim }}
volumeMounts:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Kubernetes fills in the $(…), from variables that come before this one. */}}
{{- define "microservice.resourceAttributes" -}}
k8s.pod.name=$(POD_NAME),k8s.namespace.name=$(POD_NAMESPACE),k8s.node.name=$(NODE_NAME),service.version={{ include "microservice.version" . }},service.instance.id=$(POD_NAME)
{{- range $key, $value := .Values.telemetry.resourceAttributes }},{{ $key }}={{ $value }}{{ end }}
{{- end }}

{{/* A probe of the admin port when there is one, else of the traffic port. */}}
{{- define "microservice.probe" -}}
{{- $port := ternary "admin" "http" (not (empty .admin)) }}
{{- if .probe.path }}
httpGet:
  path: {{ .probe.path | quote }}
  port: {{ $port }}
{{- else }}
tcpSocket:
  port: {{ $port }}
{{- end }}
periodSeconds: {{ int .probe.periodSeconds }}
timeoutSeconds: {{ int .probe.timeoutSeconds }}
failureThreshold: {{ int .probe.failureThreshold }}
{{- end }}

{{- define "microservice.resources" -}}
{{- $resources := dict }}
{{- range $kind := list "requests" "limits" }}
{{- $quantities := dict }}
{{- range $name, $quantity := index $.Values.resources $kind }}
{{- $_ := set $quantities $name (include "microservice.quantity" $quantity) }}
{{- end }}
{{- if $quantities }}
{{- $_ := set $resources $kind $quantities }}
{{- end }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* A quantity as text; a large whole number would be written with an exponent. */}}
{{- define "microservice.quantity" -}}
{{- if kindIs "string" . }}{{ . }}
{{- else if eq (float64 .) (float64 (int64 .)) }}{{ int64 . }}
{{- else }}{{ . }}
{{- end }}
{{- end }}
