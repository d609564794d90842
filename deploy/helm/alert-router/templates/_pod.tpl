{{- define "alert-router.probe" -}}
{{- $web := (index . 0).Values.web -}}
{{- if $web.clientCertificates -}}
tcpSocket: {port: http}
{{- else -}}
httpGet: {path: {{ include "alert-router.prefix" (index . 0) }}{{ index . 1 }}, port: http, scheme: {{ ternary "HTTPS" "HTTP" $web.tls }}}
{{- end }}
{{- end }}

{{- define "alert-router.gitSync" -}}
{{- with .Values.runbooks.gitSync -}}
- name: git-sync
  image: {{ .image }}
  args:
    - --repo={{ required "runbooks.gitSync.repository is missing" .repository }}
    - --ref={{ .ref }}
    - --period={{ .period }}
    - --root=/srv/runbooks
    - --link=current
    - --depth=1
  {{- if or .secretName .env }}
  env:
    {{- if .secretName }}
    - name: GITSYNC_USERNAME
      valueFrom:
        secretKeyRef: {name: {{ .secretName }}, key: username}
    - name: GITSYNC_PASSWORD
      valueFrom:
        secretKeyRef: {name: {{ .secretName }}, key: password}
    {{- end }}
    {{- with .env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  resources: {{- toYaml .resources | nindent 4 }}
  securityContext: {{- include "alert-router.restricted" $ | nindent 4 }}
  volumeMounts:
    - {name: runbooks, mountPath: /srv/runbooks}
    - {name: tmp, mountPath: /tmp}
{{- end }}
{{- end }}

{{- define "alert-router.sidecar" -}}
{{- with .Values.runbooks.sidecar -}}
- name: runbooks
  image: {{ .image }}
  env:
    - {name: LABEL, value: {{ quote .label }}}
    - {name: FOLDER, value: /srv/runbooks}
    - {name: FOLDER_ANNOTATION, value: {{ quote .folderAnnotation }}}
    - {name: RESOURCE, value: configmap}
    - {name: NAMESPACE, value: {{ default $.Release.Namespace .namespace | quote }}}
    - {name: REQ_METHOD, value: POST}
    - {name: REQ_URL, value: {{ printf "%s/-/reload" (include "alert-router.url" (list $ "127.0.0.1:9095")) | quote }}}
    - {name: REQ_SKIP_TLS_VERIFY, value: "true"}
    {{- with .env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources: {{- toYaml .resources | nindent 4 }}
  securityContext: {{- include "alert-router.restricted" $ | nindent 4 }}
  volumeMounts:
    - {name: runbooks, mountPath: /srv/runbooks}
    - {name: tmp, mountPath: /tmp}
    # Only this container gets a token.
    - {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
{{- end }}

{{- define "alert-router.runbookVolumes" -}}
{{- with .Values.runbooks -}}
{{- if and (has .source (list "configMaps" "volume")) (empty (get . (ternary "volume" "configMaps" (eq .source "volume")))) }}
{{- fail (printf "runbooks.%s is empty" (ternary "volume" "configMaps" (eq .source "volume"))) }}
{{- end }}
{{- if eq .source "configMaps" }}
{{- range .configMaps }}
- name: runbooks-{{ .directory }}
  configMap: {name: {{ .name }}}
{{- end }}
{{- else if eq .source "volume" }}
- name: runbooks
  {{- toYaml .volume | nindent 2 }}
{{- else if has .source (list "gitSync" "sidecar") }}
- name: runbooks
  emptyDir: {sizeLimit: 256Mi}
{{- end }}
{{- if eq .source "sidecar" }}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items:
            - path: namespace
              fieldRef: {fieldPath: metadata.namespace}
{{- end }}
{{- end }}
{{- end }}
