{{/* The objects' name: the chart's, which an alias replaces. */}}
{{- define "postgres.name" -}}
{{- .Chart.Name }}
{{- end }}

{{- define "postgres.selectorLabels" -}}
app.kubernetes.io/name: {{ include "postgres.name" . }}
{{- end }}

{{/* Nothing that changes with every version: it would restart the pod. */}}
{{- define "postgres.podLabels" -}}
{{ include "postgres.selectorLabels" . }}
app.kubernetes.io/component: {{ .Values.component | quote }}
app.kubernetes.io/part-of: {{ .Values.partOf | default (include "postgres.name" .) | quote }}
{{- end }}

{{- define "postgres.labels" -}}
{{ include "postgres.podLabels" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{- define "postgres.metadata" -}}
name: {{ include "postgres.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "postgres.labels" . | nindent 2 }}
{{- end }}

{{/* Over TCP, because while the image initialises the volume a server answers on the socket alone; and as a user that is there, else the log
fills with refusals. */}}
{{- define "postgres.probe" -}}
exec:
  command:
    - pg_isready
    - --quiet
    - --host=127.0.0.1
    - --username={{ .Values.user }}
    - --dbname={{ .Values.database }}
    - --timeout=2
timeoutSeconds: 3
{{- end }}
