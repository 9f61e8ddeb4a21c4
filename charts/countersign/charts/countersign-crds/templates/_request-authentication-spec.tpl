{{- define "crds.requestAuthenticationSpec" -}}
description: |-
  Whose tokens are verified. A wrong token, or one of somebody else, is refused with 401; a request without any passes:
  an EndUserAuthentication demands one. In Countersign's own namespace it holds for the whole mesh.
type: object
properties:
  selector:
    {{- include "crds.selector" . | nindent 4 }}
  jwtRules:
    description: One rule for each issuer.
    type: array
    maxItems: 64
    items:
      type: object
      required: [issuer]
      properties:
        {{- include "crds.tokenFields" . | nindent 8 }}
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
