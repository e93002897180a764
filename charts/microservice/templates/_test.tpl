{{/* `helm test`: a request from inside the cluster; the image holds msctl and nothing else. */}}
{{- define "microservice.test" -}}
{{- $url := printf "http://%s:%d%s" (include "microservice.name" .) (int .Values.service.port) .Values.test.path }}
{{- include "microservice.testPod" (dict "root" . "image" .Values.test.image "url" $url) }}
{{- end }}

{{/* A pod that calls `url` with `image`, for the chart of `root`. */}}
{{- define "microservice.testPod" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ .root.Chart.Name }}-test
  namespace: {{ .root.Release.Namespace }}
  labels:
    # NetworkPolicies let this name in.
    app.kubernetes.io/name: msctl-test
    app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
    app.kubernetes.io/component: test
    app.kubernetes.io/part-of: {{ .root.Chart.Name }}
    app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
    helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
  annotations:
    helm.sh/hook: test
    # Helm does not delete what its hooks made when a release is uninstalled.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    helm.sh/hook-output-log-policy: hook-failed
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: call
      image: {{ .image | quote }}
      imagePullPolicy: IfNotPresent
      command:
        - /msctl
      args:
        - call
        - --via
        - direct
        - {{ .url | quote }}
      resources:
        requests:
          cpu: 10m
          memory: 16Mi
        limits:
          memory: 64Mi
      securityContext:
        allowPrivilegeEscalation: false
        capabilities:
          drop:
            - ALL
        readOnlyRootFilesystem: true
        runAsNonRoot: true
{{- end }}
