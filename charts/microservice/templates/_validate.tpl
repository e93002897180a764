{{/*
What the schema can't say: which values have to be there once a user's nulls have deleted defaults, and what values mean to each other.
The same rules, under the same paths, are in ctl/manifests/src/values/resolve.rs; tests hold the two together.
*/}}
{{- define "microservice.required" -}}
component image image.pullPolicy service service.port admin probes resources database telemetry telemetry.enabled drain drain.by
drain.delaySeconds drain.timeoutSeconds rollout rollout.maxSurge rollout.maxUnavailable rollout.progressDeadlineSeconds
rollout.revisionHistoryLimit autoscaling autoscaling.enabled autoscaling.minReplicas autoscaling.maxReplicas
podDisruptionBudget podDisruptionBudget.enabled podDisruptionBudget.maxUnavailable networkPolicy networkPolicy.enabled
networkPolicy.egress networkPolicy.egress.enabled ingress ingress.enabled httpRoute httpRoute.enabled serviceAccount
securityContext securityContext.readOnlyRootFilesystem tmp test test.image test.path probes.startup
probes.startup.periodSeconds probes.startup.timeoutSeconds probes.startup.failureThreshold probes.readiness
probes.readiness.periodSeconds probes.readiness.timeoutSeconds probes.readiness.failureThreshold probes.liveness
probes.liveness.periodSeconds probes.liveness.timeoutSeconds probes.liveness.failureThreshold
{{- end }}

{{- define "microservice.validate" -}}
{{- $missing := list }}
{{- range $path := include "microservice.required" . | splitList "\n" | join " " | splitList " " }}
{{- $keys := splitList "." $path }}
{{- $parent := $.Values }}
{{- range $key := initial $keys }}
{{- /* A parent that is missing is named itself. */}}
{{- $parent = ternary (index ($parent | default dict) $key) nil (kindIs "map" $parent) }}
{{- end }}
{{- if and (kindIs "map" $parent) (kindIs "invalid" (index ($parent | default dict) (last $keys))) }}
{{- $missing = append $missing (printf "%s: it is missing, and there is no default; a null deletes one" $path) }}
{{- end }}
{{- end }}
{{- include "microservice.refuse" $missing }}
{{- include "microservice.refuse" (include "microservice.problems" . | splitList "\n" | compact) }}
{{- end }}

{{- define "microservice.refuse" -}}
{{- if . }}
{{- fail (printf "the values are not valid:\n  %s" (join "\n  " .)) }}
{{- end }}
{{- end }}

{{/* One problem a line. */}}
{{- define "microservice.problems" -}}
{{- $values := .Values }}
{{- $name := include "microservice.name" . }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$" $name) }}
the chart's name: `{{ $name }}` is no name of a service: at most 52 of a-z 0-9 -, starting with a letter, ending with a letter or digit
{{- end }}
{{- if not $values.image.repository }}
image.repository: it is empty: give registry, name and tag, such as ghcr.io/acme/orders:1.0.0
{{- end }}
{{- if not (or $values.image.tag $values.image.digest) }}
image.tag: neither image.tag nor image.digest is set: set one, such as image.tag=1.0.0
{{- end }}
{{- include "microservice.portProblems" $values }}
{{- include "microservice.numberProblems" $values }}
{{- include "microservice.routeProblems" $values }}
{{- include "microservice.databaseProblems" $values }}
{{- include "microservice.volumeProblems" $values }}
{{- range $name := list "NODE_NAME" "OTEL_RESOURCE_ATTRIBUTES" "POD_NAME" "POD_NAMESPACE" }}
{{- if hasKey ($values.env | default dict) $name }}
env.{{ $name }}: the chart sets this variable itself; telemetry.resourceAttributes adds attributes
{{- end }}
{{- end }}
{{- range $key, $_ := $values.podLabels }}
{{- if regexMatch "^(app\\.kubernetes\\.io|msctl\\.dev)/" $key }}
podLabels.{{ $key }}: the chart sets labels of app.kubernetes.io and msctl.dev itself
{{- end }}
{{- end }}
{{- if hasKey ($values.podAnnotations | default dict) "checksum/config" }}
podAnnotations.checksum/config: the chart sets this annotation itself
{{- end }}
{{- end }}

{{- define "microservice.portProblems" -}}
{{- $taken := dict (int .service.port | toString) "service.port" }}
{{- with .admin.port }}
{{- $other := get $taken (int . | toString) }}
{{- if $other }}
admin.port: {{ int . }} is the number of {{ $other }} too: ports of a pod have to differ
{{- end }}
{{- $_ := set $taken (int . | toString) "admin.port" }}
{{- end }}
{{- range $name, $port := .service.extraPorts }}
{{- $path := printf "service.extraPorts.%s" $name }}
{{- if has $name (list "http" "admin") }}
{{ $path }}: the name `{{ $name }}` is taken by the chart: choose another
{{- end }}
{{- if not (regexMatch "[a-z]" $name) }}
{{ $path }}: a port's name needs a letter
{{- end }}
{{- $other := get $taken (int $port | toString) }}
{{- if $other }}
{{ $path }}: {{ int $port }} is the number of {{ $other }} too: ports of a pod have to differ
{{- end }}
{{- $_ := set $taken (int $port | toString) $path }}
{{- end }}
{{- end }}

{{- define "microservice.numberProblems" -}}
{{- $scaling := .autoscaling }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}
autoscaling.minReplicas: {{ int $scaling.minReplicas }} is more than autoscaling.maxReplicas, {{ int $scaling.maxReplicas }}
{{- end }}
{{- if and $scaling.enabled (not $scaling.targetCPUUtilizationPercentage) (not $scaling.targetMemoryUtilizationPercentage) }}
autoscaling.targetCPUUtilizationPercentage: an autoscaler needs a target: set this or autoscaling.targetMemoryUtilizationPercentage
{{- end }}
{{- if and (regexMatch "^0+%?$" (toString .rollout.maxSurge)) (regexMatch "^0+%?$" (toString .rollout.maxUnavailable)) }}
rollout.maxSurge: it and rollout.maxUnavailable are both 0: no pod could ever be replaced
{{- end }}
{{- end }}

{{- define "microservice.routeProblems" -}}
{{- if and .ingress.enabled (not .ingress.hosts) }}
ingress.hosts: an Ingress needs at least one host with a path
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) }}
httpRoute.parentRefs: an HTTPRoute needs at least one Gateway to attach to
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.paths) }}
httpRoute.paths: an HTTPRoute needs at least one path
{{- end }}
{{- end }}

{{- define "microservice.databaseProblems" -}}
{{- $kind := .database.kind | default "" }}
{{- if eq $kind "sqlite" }}
{{- if gt (int .replicas) 1 }}
replicas: {{ int .replicas }} pods can't share an SQLite database: set database.kind=postgres, or replicas=1
{{- end }}
{{- if .autoscaling.enabled }}
autoscaling.enabled: pods can't share an SQLite database: set database.kind=postgres, or autoscaling.enabled=false
{{- end }}
{{- end }}
{{- if and (eq $kind "postgres") (not (.database.postgres | default dict).secret) }}
database.postgres.secret: database.kind=postgres needs the Secret with the URL: set its name, such as database.postgres.secret=orders-database
{{- end }}
{{- range $section := list "sqlite" "postgres" }}
{{- if and (has $kind (list "" "none")) (kindIs "map" (index $.database $section)) }}
database.{{ $section }}: it would have no effect: set database.kind={{ $section }}, or database.{{ $section }}=null
{{- end }}
{{- end }}
{{- range $name := list "DATABASE_URL" "DATABASE_URL_FILE" }}
{{- if and $kind (hasKey ($.env | default dict) $name) }}
env.{{ $name }}: database.kind says which database: set database.kind=postgres and a Secret, or database.kind=null to use env
{{- end }}
{{- end }}
{{- end }}

{{- define "microservice.volumeProblems" -}}
{{- $mounted := dict }}
{{- $own := list "tmp" }}
{{- if .tmp.sizeLimit }}
{{- $_ := set $mounted "/tmp" "tmp.sizeLimit" }}
{{- end }}
{{- with get (dict "sqlite" "/var/lib/database" "postgres" "/run/secrets/database") (.database.kind | default "none") }}
{{- $_ := set $mounted . "database.kind" }}
{{- $own = append $own "database" }}
{{- end }}
{{- $volumes := .volumes | default dict }}
{{- range $kind := list "volumes" "secrets" }}
{{- range $name, $volume := index $ $kind }}
{{- $path := printf "%s.%s" $kind $name }}
{{- $sources := 0 }}
{{- range $source := list "emptyDir" "configMap" "persistentVolumeClaim" }}
{{- if kindIs "map" (index $volume $source) }}
{{- $sources = add1 $sources }}
{{- end }}
{{- end }}
{{- if and (eq $kind "volumes") (ne (int $sources) 1) }}
{{ $path }}: exactly one source is needed: emptyDir, configMap or persistentVolumeClaim
{{- end }}
{{- if and (eq $kind "secrets") (hasKey $volumes $name) }}
{{ $path }}: volumes.{{ $name }} has the same name: choose another
{{- end }}
{{- if has $name $own }}
{{ $path }}: the name `{{ $name }}` is taken by the chart: choose another
{{- end }}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" $name) }}
{{ $path }}: `{{ $name }}` is no name (RFC 1123 label): at most 63 of a-z 0-9 -, with a letter or digit at both ends
{{- end }}
{{- with get $mounted $volume.mountPath }}
{{ $path }}: {{ $volume.mountPath }} is where {{ . }} is mounted too
{{- end }}
{{- $_ := set $mounted $volume.mountPath $path }}
{{- end }}
{{- end }}
{{- end }}
