{{/* One pod at a time, and a broken pod never holds up a node's drain. */}}
{{- define "microservice.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ include "microservice.intOrPercent" .Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "microservice.selectorLabels" . | nindent 6 }}
{{- end }}
