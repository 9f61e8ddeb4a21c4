{{- define "crds.mutualTls" -}}
type: object
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
properties:
  selector:
    description: The workloads of the namespace for which the policy holds.
    type: object
    properties:
      matchLabels:
        description: Labels that a pod must have, all of them.
        type: object
        maxProperties: 4096
        additionalProperties:
          type: string
          maxLength: 63
          x-kubernetes-validations:
            - rule: "!self.contains('*')"
              message: a wildcard is not allowed in the value of a label
        x-kubernetes-validations:
          - rule: self.all(key, key.size() != 0)
            message: the key of a label must not be empty
          - rule: self.all(key, !key.contains('*'))
            message: a wildcard is not allowed in the key of a label
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
