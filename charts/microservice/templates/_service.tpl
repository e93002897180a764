{{- define "microservice.servicePorts" -}}
- name: http
  port: {{ int .Values.service.port }}
  targetPort: http
  protocol: TCP
  appProtocol: http
{{- range $name, $port := .Values.service.extraPorts }}
- name: {{ $name }}
  port: {{ int $port }}
  targetPort: {{ $name }}
  protocol: TCP
{{- end }}
{{- end }}

{{- define "microservice.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
  {{- with .Values.service.annotations }}
  {{- include "microservice.annotations" . | nindent 2 }}
  {{- end }}
spec:
  type: ClusterIP
  selector:
    {{- include "microservice.selectorLabels" . | nindent 4 }}
  ports:
    {{- include "microservice.servicePorts" . | nindent 4 }}
{{- end }}

{{/* One DNS record a pod, for those who balance themselves. */}}
{{- define "microservice.headlessService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "microservice.name" . }}-headless
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "microservice.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  clusterIP: None
  selector:
    {{- include "microservice.selectorLabels" . | nindent 4 }}
  ports:
    {{- include "microservice.servicePorts" . | nindent 4 }}
{{- end }}
