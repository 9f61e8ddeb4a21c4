{{- define "crds.selector" -}}
description: The workloads of the namespace for which the policy holds.
type: object
x-kubernetes-preserve-unknown-fields: true
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
{{- end }}
