{{- define "microservice.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
    msctl.dev/track: stable
  {{- if eq (.Values.database.kind | default "none") "sqlite" }}
  annotations:
    msctl.dev/database: sqlite
  {{- end }}
spec:
  {{- if and (not .Values.autoscaling.enabled) (not (kindIs "invalid" .Values.replicas)) }}
  replicas: {{ int .Values.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ int .Values.rollout.revisionHistoryLimit }}
  progressDeadlineSeconds: {{ int .Values.rollout.progressDeadlineSeconds }}
  selector:
    matchLabels:
      {{- include "microservice.trackLabels" . | nindent 6 }}
  strategy:
    {{- if eq (.Values.database.kind | default "none") "sqlite" }}
    {{- /* Two pods may never hold one SQLite file, so the old one goes before the new one comes. */}}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxSurge: {{ include "microservice.intOrPercent" .Values.rollout.maxSurge }}
      maxUnavailable: {{ include "microservice.intOrPercent" .Values.rollout.maxUnavailable }}
    {{- end }}
  template:
    metadata:
      labels:
        {{- include "microservice.podLabels" . | nindent 8 }}
      annotations:
        checksum/config: {{ include "microservice.configChecksum" . }}
        {{- range $key, $value := .Values.podAnnotations }}
        {{ $key }}: {{ $value | quote }}
        {{- end }}
    spec:
      {{- include "microservice.podSpec" . | nindent 6 }}
{{- end }}

{{/* A count as a number, a share as text. */}}
{{- define "microservice.intOrPercent" -}}
{{- if kindIs "string" . }}{{ . | quote }}{{ else }}{{ int . }}{{ end }}
{{- end }}
