{{/*
A step of `helm uninstall` in the cluster: a Job, what it may do, and the script that it runs, all of them there for no
longer than it takes. A Job that failed stays until the next try, for its log.

Takes (dict "root" $ "name" "check" "event" "pre-delete" "arguments" (list …) "rules" (list …) "clusterWide" true).
*/}}
{{- define "countersign.uninstallHook" -}}
{{- $name := printf "countersign-uninstall-%s" .name -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $labels := include "countersign.labels" (dict "root" .root "component" "uninstall") -}}
{{- $prefix := ternary "Cluster" "" .clusterWide -}}
{{- $annotations := dict
  "helm.sh/hook" .event
  "helm.sh/hook-weight" "-1"
  "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels:
    {{- $labels | nindent 4 }}
  annotations:
    {{- toYaml $annotations | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels:
    {{- $labels | nindent 4 }}
  annotations:
    {{- toYaml $annotations | nindent 4 }}
data:
  uninstall.mjs: |
    {{- .root.Files.Get "files/uninstall.mjs" | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}Role
metadata:
  name: {{ $name }}
  {{- if not .clusterWide }}
  namespace: {{ $namespace }}
  {{- end }}
  labels:
    {{- $labels | nindent 4 }}
  annotations:
    {{- toYaml $annotations | nindent 4 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}RoleBinding
metadata:
  name: {{ $name }}
  {{- if not .clusterWide }}
  namespace: {{ $namespace }}
  {{- end }}
  labels:
    {{- $labels | nindent 4 }}
  annotations:
    {{- toYaml $annotations | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $prefix }}Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $namespace }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels:
    {{- $labels | nindent 4 }}
  annotations:
    {{- toYaml (merge (dict "helm.sh/hook-weight" "0" "helm.sh/hook-output-log-policy" "hook-failed") $annotations) | nindent 4 }}
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 120
  # What it refuses, it would refuse again.
  podFailurePolicy:
    rules:
      - action: FailJob
        onExitCodes: { containerName: uninstall, operator: In, values: [3] }
  template:
    metadata:
      labels:
        {{- $labels | nindent 8 }}
    spec:
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: true
      restartPolicy: Never
      enableServiceLinks: false
      {{- include "countersign.placement" (dict "root" .root "values" .root.Values.webhook) | nindent 6 }}
      containers:
        - name: uninstall
          image: {{ include "countersign.image" (dict "root" .root "name" "webhook") | quote }}
          imagePullPolicy: {{ .root.Values.images.webhook.pullPolicy }}
          command: [node, /uninstall/uninstall.mjs]
          args:
            {{- toYaml .arguments | nindent 12 }}
          env:
            - name: TOKEN_FILE
              value: /var/run/secrets/kubernetes.io/serviceaccount/token
            - name: NODE_EXTRA_CA_CERTS
              value: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
          resources:
            requests: { cpu: 10m, memory: 64Mi }
            limits: { memory: 256Mi }
          securityContext:
            {{- include "countersign.restricted" . | nindent 12 }}
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts:
            - { name: script, mountPath: /uninstall, readOnly: true }
      volumes:
        - name: script
          configMap: { name: {{ $name }} }
{{- end }}
