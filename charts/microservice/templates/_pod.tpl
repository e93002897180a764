{{/* Pod Security `restricted`, spread over nodes and zones, given time to drain: 15 seconds beyond it are for what a service may take to
close connections, stop its background work and flush its last spans. */}}
{{- define "microservice.podSpec" -}}
serviceAccountName: {{ include "microservice.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ .name }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "microservice.podSecurityContext" . | nindent 2 }}
terminationGracePeriodSeconds: {{ add (int64 .Values.drain.delaySeconds) (int64 .Values.drain.timeoutSeconds) 15 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- range $key, $value := . }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- range . }}
  - {{ include "microservice.toleration" . | indent 4 | trim }}
  {{- end }}
{{- end }}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "microservice.trackLabels" $ | nindent 8 }}
    matchLabelKeys:
      - pod-template-hash
  {{- end }}
containers:
  - {{ include "microservice.container" . | indent 4 | trim }}
{{- with include "microservice.volumes" . | trim }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "microservice.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.securityContext.runAsUser }}
runAsUser: {{ int64 . }}
{{- end }}
{{- with .Values.securityContext.runAsGroup }}
runAsGroup: {{ int64 . }}
{{- end }}
{{- with .Values.securityContext.fsGroup }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "microservice.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop:
    - ALL
readOnlyRootFilesystem: {{ .Values.securityContext.readOnlyRootFilesystem }}
runAsNonRoot: true
{{- end }}

{{- define "microservice.toleration" -}}
{{- $toleration := dict }}
{{- range $key := list "key" "operator" "value" "effect" }}
{{- if kindIs "string" (index $ $key) }}
{{- $_ := set $toleration $key (get $ $key) }}
{{- end }}
{{- end }}
{{- if not (kindIs "invalid" .tolerationSeconds) }}
{{- $_ := set $toleration "tolerationSeconds" (int64 .tolerationSeconds) }}
{{- end }}
{{- toYaml $toleration }}
{{- end }}
