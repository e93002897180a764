{{/* An object's name is its service's, also under an umbrella chart and whatever the release is called. */}}
{{- define "microservice.name" -}}
{{- .Chart.Name }}
{{- end }}

{{/* The version for people: the tag, else the start of the digest. */}}
{{- define "microservice.version" -}}
{{- if .Values.image.tag }}
{{- .Values.image.tag }}
{{- else if .Values.image.digest }}
{{- .Values.image.digest | trimPrefix "sha256:" | trunc 12 }}
{{- end }}
{{- end }}

{{- define "microservice.partOf" -}}
{{- .Values.partOf | default (include "microservice.name" .) }}
{{- end }}

{{/* The labels of every object. A tag may be longer than a label and have other ends. */}}
{{- define "microservice.labels" -}}
app.kubernetes.io/name: {{ include "microservice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ regexReplaceAll "^[^A-Za-z0-9]+|[^A-Za-z0-9]+$" (include "microservice.version" . | trunc 63) "" | quote }}
app.kubernetes.io/component: {{ .Values.component | quote }}
app.kubernetes.io/part-of: {{ include "microservice.partOf" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* Every pod of the service. */}}
{{- define "microservice.selectorLabels" -}}
app.kubernetes.io/name: {{ include "microservice.name" . }}
{{- end }}

{{/* The pods of the Deployment. A selector can't be changed later, so it holds nothing more. */}}
{{- define "microservice.trackLabels" -}}
{{ include "microservice.selectorLabels" . }}
msctl.dev/track: stable
{{- end }}

{{/* The labels of the pods: nothing that changes with every version, because that would restart them. */}}
{{- define "microservice.podLabels" -}}
{{ include "microservice.trackLabels" . }}
app.kubernetes.io/component: {{ .Values.component | quote }}
app.kubernetes.io/part-of: {{ include "microservice.partOf" . | quote }}
{{- range $key, $value := .Values.podLabels }}
{{ $key }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "microservice.metadata" -}}
name: {{ include "microservice.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "microservice.labels" . | nindent 2 }}
{{- end }}

{{/* Annotations, given as a map. */}}
{{- define "microservice.annotations" -}}
annotations:
  {{- range $key, $value := . }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
{{- end }}
