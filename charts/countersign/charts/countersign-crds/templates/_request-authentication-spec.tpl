{{- define "crds.requestAuthenticationSpec" -}}
description: |-
  Whose tokens are verified. A wrong token, or one of somebody else, is refused with 401; a request without any passes
  unless a rule has presence: REQUIRED. In Countersign's own namespace it holds for the whole mesh.
type: object
x-kubernetes-preserve-unknown-fields: true
properties:
  selector:
    {{- include "crds.selector" . | nindent 4 }}
  jwtRules:
    description: One rule for each issuer.
    type: array
    maxItems: 64
    items:
      type: object
      x-kubernetes-preserve-unknown-fields: true
      required: [issuer]
      properties:
        {{- include "crds.tokenFields" . | nindent 8 }}
        presence:
          description: >-
            REQUIRED: a request without a valid token of this rule is refused with 401, whatever other tokens it has.
            OPTIONAL, or nothing: a request without a token passes.
          type: string
          enum: [OPTIONAL, REQUIRED]
        jwks_uri:
          description: Another spelling of jwksUri.
          {{- include "crds.jwksUri" . | nindent 10 }}
        spaceDelimitedClaims:
          description: Claims whose text is a list written with spaces, beside "scope" and "permission".
          type: array
          maxItems: 64
          items:
            {{- include "crds.claim" . | nindent 12 }}
      x-kubernetes-validations:
        - rule: '!(has(self.jwks) && (has(self.jwksUri) || has(self.jwks_uri))) && !(has(self.jwksUri) && has(self.jwks_uri))'
          message: keys are in one place, jwks or jwksUri
{{- end }}
