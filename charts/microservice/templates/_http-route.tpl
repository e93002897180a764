{{- define "microservice.httpRoute" -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
  {{- with .Values.httpRoute.annotations }}
  {{- include "microservice.annotations" . | nindent 2 }}
  {{- end }}
spec:
  {{- /* Group, kind and weight are the defaults: were they left out, the server would fill them in, and so change a list that has one
  owner. */}}
  parentRefs:
    {{- range .Values.httpRoute.parentRefs }}
    - group: gateway.networking.k8s.io
      kind: Gateway
      name: {{ .name }}
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
        - group: ""
          kind: Service
          name: {{ include "microservice.name" . }}
          port: {{ int .Values.service.port }}
          weight: 1
{{- end }}
