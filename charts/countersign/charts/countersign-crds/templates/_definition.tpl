{{- /*
Whether this release may write the definition: nobody has one of that name, or it is this release's own. One that is
there already and that this release did not make is left alone: it is Istio's, or that of another release.
*/ -}}
{{- define "crds.isOurs" -}}
{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" .name -}}
{{- $annotations := dig "metadata" "annotations" (dict) $found -}}
{{- $ours := and
  (eq (dig "meta.helm.sh/release-name" "" $annotations) .root.Release.Name)
  (eq (dig "meta.helm.sh/release-namespace" "" $annotations) .root.Release.Namespace) -}}
{{- if or (not $found) $ours }}true{{ end -}}
{{- end }}

{{- define "crds.metadata" -}}
name: {{ .name }}
labels:
  app.kubernetes.io/name: countersign
  app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
  app.kubernetes.io/part-of: countersign
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
annotations:
  # Deleting the definition would delete every policy.
  helm.sh/resource-policy: keep
{{- end }}
