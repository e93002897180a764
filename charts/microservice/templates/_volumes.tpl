{{- define "microservice.emptyDir" -}}
{{- if .sizeLimit }}
emptyDir:
  sizeLimit: {{ include "microservice.quantity" .sizeLimit | quote }}
{{- else }}
emptyDir: {}
{{- end }}
{{- end }}

{{/* 0440 for the pod's group where it has one, else 0444 for the only user there is. */}}
{{- define "microservice.secretMode" -}}
{{ ternary 292 288 (empty .Values.securityContext.fsGroup) }}
{{- end }}

{{- define "microservice.volumes" -}}
{{- if .Values.tmp.sizeLimit }}
- name: tmp
  {{- include "microservice.emptyDir" .Values.tmp | trim | nindent 2 }}
{{- end }}
{{- with include "microservice.databaseVolume" . | trim }}
{{ . }}
{{- end }}
{{- range $name, $volume := .Values.volumes }}
- name: {{ $name }}
  {{- if kindIs "map" $volume.emptyDir }}
  {{- include "microservice.emptyDir" $volume.emptyDir | trim | nindent 2 }}
  {{- end }}
  {{- with $volume.configMap }}
  configMap:
    name: {{ .name }}
  {{- end }}
  {{- with $volume.persistentVolumeClaim }}
  persistentVolumeClaim:
    claimName: {{ .claimName }}
  {{- end }}
{{- end }}
{{- range $name, $secret := .Values.secrets }}
- name: {{ $name }}
  secret:
    secretName: {{ $secret.secretName }}
    defaultMode: {{ include "microservice.secretMode" $ }}
{{- end }}
{{- end }}

{{- define "microservice.volumeMounts" -}}
{{- if .Values.tmp.sizeLimit }}
- name: tmp
  mountPath: /tmp
{{- end }}
{{- with include "microservice.databaseMount" . | trim }}
{{ . }}
{{- end }}
{{- range $name, $volume := .Values.volumes }}
- name: {{ $name }}
  mountPath: {{ $volume.mountPath | quote }}
  {{- if kindIs "bool" $volume.readOnly }}
  readOnly: {{ $volume.readOnly }}
  {{- end }}
  {{- with $volume.subPath }}
  subPath: {{ . | quote }}
  {{- end }}
{{- end }}
{{- range $name, $secret := .Values.secrets }}
- name: {{ $name }}
  mountPath: {{ $secret.mountPath | quote }}
  readOnly: true
{{- end }}
{{- end }}
