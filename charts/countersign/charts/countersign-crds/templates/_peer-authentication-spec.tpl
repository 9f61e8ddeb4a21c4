{{- define "crds.mutualTls" -}}
type: object
x-kubernetes-preserve-unknown-fields: true
properties:
  mode:
    description: |-
      Which connections are accepted. UNSET, or nothing: as a wider policy says, from workload over namespace to mesh, at
      last PERMISSIVE. DISABLE: plaintext. PERMISSIVE: mutual TLS and plaintext. STRICT: mutual TLS alone.
    type: string
    enum: [UNSET, DISABLE, PERMISSIVE, STRICT]
{{- end }}

{{- define "crds.peerAuthenticationSpec" -}}
description: |-
  What workloads demand of those who connect to them: those that the selector selects; without one, those of the
  namespace; in Countersign's own namespace, those of the whole mesh.
type: object
x-kubernetes-preserve-unknown-fields: true
properties:
  selector:
    {{- include "crds.selector" . | nindent 4 }}
  mtls:
    description: What holds for every port.
    {{- include "crds.mutualTls" . | nindent 4 }}
  portLevelMtls:
    description: What holds for single ports instead. Keys are ports of the pod, not of a Service.
    type: object
    minProperties: 1
    maxProperties: 65535
    additionalProperties:
      {{- include "crds.mutualTls" . | nindent 6 }}
    x-kubernetes-validations:
      - rule: self.all(port, port.matches('^[1-9][0-9]{0,4}$') && int(port) <= 65535)
        message: keys must be ports from 1 to 65535
x-kubernetes-validations:
  - rule: >-
      !has(self.portLevelMtls) ||
      has(self.selector) && has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0
    message: portLevelMtls requires selector.matchLabels, because ports belong to workloads, not to a namespace
{{- end }}
