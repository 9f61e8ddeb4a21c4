{{/*
Whether the authority writes Secrets in a namespace, as an expression of CEL. Takes (dict "root" $ "namespace" "…"), the
latter an expression for its name.
*/}}
{{- define "countersign.secretsAllowed" -}}
{{- $names := include "countersign.secretNamespaces" .root | fromJsonArray -}}
{{- if has "*" $names -}}
{{ .namespace }} != '{{ .root.Release.Namespace }}'
{{- else -}}
{{ .namespace }} in {{ $names | toJson | replace "\"" "'" }}
{{- end -}}
{{- end }}

{{/* Why it does not, as the end of a sentence, and what to do. */}}
{{- define "countersign.secretsNotAllowed" -}}
{{- if eq (include "countersign.secretNamespaces" .) `["*"]` -}}
the namespace is that of Countersign itself
{{- else -}}
the namespace is not in the value certificateSecrets.namespaces of the Helm release {{ .Release.Name }} in {{ .Release.Namespace }}
{{- end -}}
{{- end }}
