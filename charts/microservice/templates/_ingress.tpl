{{- define "microservice.ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "microservice.metadata" . | nindent 2 }}
  {{- with .Values.ingress.annotations }}
  {{- include "microservice.annotations" . | nindent 2 }}
  {{- end }}
spec:
  {{- with .Values.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  rules:
    {{- range .Values.ingress.hosts }}
    - http:
        paths:
          {{- range .paths }}
          - path: {{ .path | quote }}
            pathType: {{ .pathType }}
            backend:
              service:
                name: {{ include "microservice.name" $ }}
                port:
                  name: http
          {{- end }}
      {{- with .host }}
      host: {{ . | quote }}
      {{- end }}
    {{- end }}
  {{- with .Values.ingress.tls }}
  tls:
    {{- range . }}
    {{- $tls := dict }}
    {{- with .hosts }}
    {{- $_ := set $tls "hosts" . }}
    {{- end }}
    {{- with .secretName }}
    {{- $_ := set $tls "secretName" . }}
    {{- end }}
    - {{ toYaml $tls | indent 6 | trim }}
    {{- end }}
  {{- end }}
{{- end }}
