{{/* The service's own database: a claim and a volume for SQLite, the user's Secret for Postgres, and the variable that tells of it. */}}
{{- define "microservice.databaseClaimName" -}}
{{ include "microservice.name" . }}-database
{{- end }}

{{/* It stays when the release is uninstalled: a database can't be had back, a volume too many can be deleted. */}}
{{- define "microservice.databaseClaim" -}}
{{- $sqlite := .Values.database.sqlite | default dict }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "microservice.databaseClaimName" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "microservice.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes:
    - ReadWriteOnce
  resources:
    requests:
      storage: {{ include "microservice.quantity" ($sqlite.size | default "1Gi") | quote }}
  {{- with $sqlite.storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
{{- end }}

{{/* The variable and its value, as JSON. */}}
{{- define "microservice.databaseVariable" -}}
{{- $variable := dict }}
{{- if eq .Values.database.kind "none" }}
{{- $_ := set $variable "DATABASE_URL" "none" }}
{{- else if eq .Values.database.kind "sqlite" }}
{{- $_ := set $variable "DATABASE_URL" (printf "sqlite:///var/lib/database/%s.sqlite3" (include "microservice.name" .)) }}
{{- else }}
{{- $_ := set $variable "DATABASE_URL_FILE" "/run/secrets/database/url" }}
{{- end }}
{{- toJson $variable }}
{{- end }}

{{- define "microservice.databaseVolume" -}}
{{- if eq (.Values.database.kind | default "none") "sqlite" }}
- name: database
  persistentVolumeClaim:
    claimName: {{ include "microservice.databaseClaimName" . }}
{{- else if eq (.Values.database.kind | default "none") "postgres" }}
- name: database
  secret:
    secretName: {{ .Values.database.postgres.secret }}
    defaultMode: {{ include "microservice.secretMode" . }}
    {{- /* The one key: the service has no business with what else the Secret holds. */}}
    items:
      - key: {{ .Values.database.postgres.key | default "url" | quote }}
        path: url
{{- end }}
{{- end }}

{{- define "microservice.databaseMount" -}}
{{- if eq (.Values.database.kind | default "none") "sqlite" }}
- name: database
  mountPath: /var/lib/database
{{- else if eq (.Values.database.kind | default "none") "postgres" }}
- name: database
  mountPath: /run/secrets/database
  readOnly: true
{{- end }}
{{- end }}
