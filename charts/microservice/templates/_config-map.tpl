{{/* What the service is told by environment variables, as JSON; the user's own win. */}}
{{- define "microservice.config" -}}
{{- $data := dict "LISTEN_ADDR" (printf "0.0.0.0:%d" (int .Values.service.port)) }}
{{- with .Values.admin.port }}
{{- $_ := set $data "ADMIN_ADDR" (printf "0.0.0.0:%d" (int .)) }}
{{- end }}
{{- if eq .Values.drain.by "service" }}
{{- $_ := set $data "DRAIN_DELAY" (printf "%ds" (int64 .Values.drain.delaySeconds)) }}
{{- $_ := set $data "DRAIN_TIMEOUT" (printf "%ds" (int64 .Values.drain.timeoutSeconds)) }}
{{- end }}
{{- if .Values.telemetry.enabled }}
{{- $_ := set $data "OTEL_SERVICE_NAME" (include "microservice.name" .) }}
{{- end }}
{{- with include "microservice.exportsTo" . }}
{{- $_ := set $data "OTEL_EXPORTER_OTLP_ENDPOINT" . }}
{{- end }}
{{- if .Values.database.kind }}
{{- range $name, $value := include "microservice.databaseVariable" . | fromJson }}
{{- $_ := set $data $name $value }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.env }}
{{- $_ := set $data $name $value }}
{{- end }}
{{- toJson $data }}
{{- end }}

{{/* Where spans are sent; nothing when none are. */}}
{{- define "microservice.exportsTo" -}}
{{- if .Values.telemetry.enabled }}{{ .Values.telemetry.endpoint | default "" }}{{ end }}
{{- end }}

{{- define "microservice.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
data:
  {{- range $name, $value := include "microservice.config" . | fromJson }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
{{- end }}

{{/* sha256 over the raw keys and values, each ended by a NUL; toJson would escape some characters. */}}
{{- define "microservice.configChecksum" -}}
{{- $raw := "" }}
{{- range $name, $value := include "microservice.config" . | fromJson }}
{{- $raw = printf "%s%s\x00%s\x00" $raw $name $value }}
{{- end }}
{{- sha256sum $raw }}
{{- end }}
