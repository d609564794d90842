{{- define "alert-router.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "alert-router.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "alert-router.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "alert-router.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "alert-router.selector" -}}
app.kubernetes.io/name: {{ include "alert-router.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "alert-router.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "alert-router.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "alert-router.serviceAccount" -}}
{{- default (ternary (include "alert-router.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "alert-router.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- /* "" or a path such as /alerts. */}}
{{- define "alert-router.prefix" -}}
{{- with trimAll "/" .Values.web.routePrefix -}}/{{ . }}{{- end -}}
{{- end }}

{{- /* The router's URL for this host, with its scheme and prefix. */}}
{{- define "alert-router.url" -}}
{{- with index . 0 -}}
{{ ternary "https" "http" .Values.web.tls }}://{{ index $ 1 }}{{ include "alert-router.prefix" . }}
{{- end -}}
{{- end }}

{{- define "alert-router.runbooksPath" -}}
{{- with .Values.runbooks -}}
{{- $base := "/srv/runbooks" -}}
{{- if eq .source "image" -}}{{- $base = "/usr/share/alert-router/runbooks" -}}{{- end -}}
{{- if eq .source "gitSync" -}}{{- $base = "/srv/runbooks/current" -}}{{- end -}}
{{- if has .source (list "volume" "gitSync") -}}{{ clean (printf "%s/%s" $base .subdirectory) }}{{- else -}}{{ $base }}{{- end -}}
{{- end }}
{{- end }}

{{- /* alert-router.yaml: what the chart decides has precedence over `config`. */}}
{{- define "alert-router.config" -}}
{{- $storage := "sqlite:////var/lib/alert-router/alert-router.db" -}}
{{- if eq .Values.storage.type "postgresql" -}}
{{- with .Values.storage.postgresql -}}
{{- $url := required "storage.postgresql.url is missing" .url -}}
{{- $storage = printf "%s%sspool=/var/lib/alert-router/spool.db" $url (ternary "&" "?" (contains "?" $url)) -}}
{{- with .passwordSecret -}}
{{- if .name -}}{{- $storage = printf "%s&password_file=/run/secrets/postgresql/%s" $storage .key -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $routing := ternary "routing.yaml" "/usr/share/alert-router/routing.yaml" (not (empty .Values.routing)) -}}
{{- $chosen := dict "storage" $storage "routing" $routing -}}
{{- $_ := set $chosen "http" (dict "listen" ":9095") -}}
{{- $_ := set $chosen "runbooks" (dict "path" (include "alert-router.runbooksPath" .)) -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $chosen) }}
{{- end }}

{{- define "alert-router.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
