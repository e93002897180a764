{{- define "microservice.httpRoute" -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
  {{- with .Values.httpRoute.annotations }}
  {{- include "microservice.annotations" . | nindent 2 }}
  {{- end }}
spec:
  parentRefs:
    {{- range .Values.httpRoute.parentRefs }}
    - name: {{ .name }}
      {{- with .namespace }}
      namespace: {{ . }}
      {{- end }}
      {{- with .sectionName }}
      sectionName: {{ . }}
      {{- end }}
      {{- with .port }}
      port: {{ int . }}
      {{- end }}
    {{- end }}
  {{- with .Values.httpRoute.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        {{- range .Values.httpRoute.paths }}
        - path:
            type: {{ .type }}
            value: {{ .value | quote }}
        {{- end }}
      backendRefs:
        - name: {{ include "microservice.name" . }}
          port: {{ int .Values.service.port }}
{{- end }}
