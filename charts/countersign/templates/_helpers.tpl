{{/* Labels of every object. Takes (dict "root" $ "component" "webhook"); without a component for what belongs to none. */}}
{{- define "countersign.labels" -}}
{{ include "countersign.selector" . }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
app.kubernetes.io/part-of: countersign
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What selects the pods of a component: never changes, because selectors cannot. */}}
{{- define "countersign.selector" -}}
app.kubernetes.io/name: countersign
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* Reference of an image. Takes (dict "root" $ "name" "webhook"). */}}
{{- define "countersign.image" -}}
{{- $image := index .root.Values.images .name -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $image.repository $image.digest }}
{{- else -}}
{{ printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{/* Where a program listens. Takes (dict "root" $ "port" 8081). */}}
{{- define "countersign.listen" -}}
{{- $host := .root.Values.listenHost -}}
{{ printf (ternary "[%s]:%d" "%s:%d" (contains ":" $host)) $host (int .port) }}
{{- end }}

{{/* What every container has: everything that the restricted Pod Security Standard asks for. */}}
{{- define "countersign.restricted" -}}
runAsNonRoot: true
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* The probes of a program. Takes the name of its port: they answer within a second of its start. */}}
{{- define "countersign.probes" -}}
livenessProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: {{ . }} }
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{/* What values say of where pods run. Takes (dict "root" $ "values" $.Values.webhook). */}}
{{- define "countersign.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas on different nodes and in different zones, where there are such. Takes the same as the selector. */}}
{{- define "countersign.spread" -}}
{{- $selector := include "countersign.selector" . -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
    # Replicas of the version before do not count: they are about to go.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{/* Metadata of the pods of a component. Takes (dict "root" $ "component" "webhook" "values" $.Values.webhook). */}}
{{- define "countersign.podMetadata" -}}
labels:
  {{- /* Not all of them: a new version of the chart alone must not restart every agent. */}}
  {{- include "countersign.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: countersign
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: {{ .component }}
  {{- if ne .component "agent" }}
  {{- with include "countersign.floorAnnotation" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Namespaces in which the webhook changes no pod, as JSON: what the cluster needs in order to start waits for nothing. */}}
{{- define "countersign.alwaysExcludedNamespaces" -}}
{{- list "kube-system" "kube-node-lease" .Release.Namespace | uniq | toJson -}}
{{- end }}

{{/* Namespaces that are never asked about: what a cluster needs in order to start and to heal never waits for a proxy. */}}
{{- define "countersign.excludedNamespaces" -}}
{{- concat (include "countersign.alwaysExcludedNamespaces" . | fromJsonArray) .Values.injection.excludedNamespaces | uniq | toJson -}}
{{- end }}

{{/* Names of the namespaces whose floor has a rule, as JSON. Takes (dict "root" $ "rule" "injection"). */}}
{{- define "countersign.floorNamespaces" -}}
{{- $names := list -}}
{{- range $name, $rules := .root.Values.floor.namespaces -}}
{{- if index $rules $.rule -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- $names | toJson -}}
{{- end }}

{{/* The file of the floor; empty where it has no rule. A rule that would not hold is refused. */}}
{{- define "countersign.floor" -}}
{{- $floor := .Values.floor -}}
{{- $excluded := include "countersign.excludedNamespaces" . | fromJsonArray -}}
{{- $any := false -}}
{{- range $rule := list "mutualTls" "injection" "endUserChecks" -}}
{{- if index $floor.mesh $rule -}}{{- $any = true -}}{{- end -}}
{{- range $name, $rules := $floor.namespaces -}}
{{- if has $name $excluded -}}
{{- fail (printf "floor.namespaces.%s: expected a namespace that is not excluded from injection" $name) -}}
{{- end -}}
{{- if index $rules $rule -}}{{- $any = true -}}
{{- else if and (hasKey $rules $rule) (index $floor.mesh $rule) -}}
{{- fail (printf "floor.namespaces.%s.%s: expected true or nothing, got false: floor.mesh.%s is true" $name $rule $rule) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $any -}}{{- $floor | toJson -}}{{- end -}}
{{- end }}

{{/* What a program needs to read the floor; each is empty where there is none. */}}
{{- define "countersign.floorArgument" -}}
{{- if include "countersign.floor" . -}}
- --floor=/etc/countersign/floor/floor.json
{{- end }}
{{- end }}

{{- define "countersign.floorMount" -}}
{{- if include "countersign.floor" . -}}
- { name: floor, mountPath: /etc/countersign/floor, readOnly: true }
{{- end }}
{{- end }}

{{- define "countersign.floorVolume" -}}
{{- if include "countersign.floor" . -}}
- name: floor
  configMap: { name: countersign-floor }
{{- end }}
{{- end }}

{{/* It is read at the start: another one starts the pods again. */}}
{{- define "countersign.floorAnnotation" -}}
{{- with include "countersign.floor" . -}}
checksum/floor: {{ sha256sum . }}
{{- end }}
{{- end }}

{{/* Namespaces in which the authority writes Secrets, each once: names, or '*' alone. */}}
{{- define "countersign.secretNamespaces" -}}
{{- $namespaces := .Values.certificateSecrets.namespaces | uniq -}}
{{- if and (has "*" $namespaces) (gt (len $namespaces) 1) -}}
{{- fail "certificateSecrets.namespaces: expected '*' alone or names of namespaces, got '*' among names" -}}
{{- else if has .Release.Namespace $namespaces -}}
{{- fail (printf "certificateSecrets.namespaces: expected other namespaces than that of Countersign itself, whose keys stay where they are, got %s" .Release.Namespace) -}}
{{- end -}}
{{- $namespaces | toJson -}}
{{- end }}

{{/* `true` where the kubelet gives tokens in the secrets of a volume: KEP-5538, on by default since Kubernetes 1.35. */}}
{{- define "countersign.tokensInSecrets" -}}
{{- $wish := .Values.agent.tokensInSecrets -}}
{{- or (eq $wish "always") (and (eq $wish "auto") (semverCompare ">=1.35.0-0" .Capabilities.KubeVersion.Version)) -}}
{{- end }}

{{/*
What the API server shall trust of the webhook. With a certificate of its own, the webhook writes caBundle itself: it is
not in the manifests, so that an upgrade leaves it alone.
*/}}
{{- define "countersign.caBundle" -}}
{{- with .Values.webhook.certificate }}
{{- if and .secret .caBundle -}}
caBundle: {{ b64enc .caBundle }}
{{- else if and .secret (not .certManager) -}}
{{- fail "webhook.certificate.secret: expected webhook.certificate.certManager or webhook.certificate.caBundle with it, so that the API server trusts that certificate" -}}
{{- end }}
{{- end }}
{{- end }}

{{- define "countersign.injectedCaBundle" -}}
{{- with .Values.webhook.certificate }}
{{- if and .secret .certManager -}}
annotations:
  cert-manager.io/inject-ca-from: {{ $.Release.Namespace }}/{{ .certManager }}
{{- end }}
{{- end }}
{{- end }}
