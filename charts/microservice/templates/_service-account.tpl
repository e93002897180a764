{{- define "microservice.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
  {{- with .Values.serviceAccount.annotations }}
  {{- include "microservice.annotations" . | nindent 2 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
