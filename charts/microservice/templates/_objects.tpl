{{/* All objects of a service, one file a kind, in the order in which msctl applies them. */}}
{{- define "microservice.objects" -}}
{{- include "microservice.validate" . }}
---
{{ include "microservice.serviceAccount" . }}
{{- if .Values.networkPolicy.enabled }}
---
{{ include "microservice.networkPolicy" . }}
{{- end }}
---
{{ include "microservice.service" . }}
---
{{ include "microservice.headlessService" . }}
---
{{ include "microservice.configMap" . }}
{{- if eq (.Values.database.kind | default "none") "sqlite" }}
---
{{ include "microservice.databaseClaim" . }}
{{- end }}
---
{{ include "microservice.deployment" . }}
{{- if .Values.podDisruptionBudget.enabled }}
---
{{ include "microservice.podDisruptionBudget" . }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
---
{{ include "microservice.autoscaler" . }}
{{- end }}
{{- if .Values.ingress.enabled }}
---
{{ include "microservice.ingress" . }}
{{- end }}
{{- if .Values.httpRoute.enabled }}
---
{{ include "microservice.httpRoute" . }}
{{- end }}
{{- end }}
