{{- define "crds.status" -}}
description: What Countersign says of the policy.
type: object
x-kubernetes-preserve-unknown-fields: true
properties:
  observedGeneration:
    type: integer
    format: int64
  conditions:
    type: array
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [type]
    items:
      type: object
      x-kubernetes-preserve-unknown-fields: true
      required: [type, status]
      properties:
        type:
          type: string
          maxLength: 316
        status:
          type: string
          enum: ['True', 'False', Unknown]
        observedGeneration:
          type: integer
          format: int64
        lastTransitionTime:
          type: string
          format: date-time
        reason:
          type: string
          maxLength: 1024
        message:
          type: string
          maxLength: 32768
{{- end }}
