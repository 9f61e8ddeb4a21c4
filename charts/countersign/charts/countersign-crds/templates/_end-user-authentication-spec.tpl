{{- define "crds.pathPattern" -}}
type: string
minLength: 1
maxLength: 512
pattern: '^(/[0-9A-Za-z._~!$&''()+,=:@%/-]*\*?|\*[0-9A-Za-z._~!$&''()+,=:@%/-]*|(/([0-9A-Za-z._~!$&''()+,=:@%-]*|\{([A-Za-z_][0-9A-Za-z_]*|\*)\}))*(/\{\*\*\})?)$'
{{- end }}

{{- define "crds.endUserAuthenticationSpec" -}}
description: |-
  Which requests need a token, and of whom; without a valid one they are refused with 401. In Countersign's own
  namespace it holds for the whole mesh.
type: object
x-kubernetes-preserve-unknown-fields: true
required: [issuer]
properties:
  selector:
    {{- include "crds.selector" . | nindent 4 }}
  {{- include "crds.tokenFields" . | nindent 2 }}
  includePaths:
    description: >-
      The paths that need a token, without it all: exact /x, prefix /x/*, suffix *.html, or template /x/{id}/y, in which
      {name} is one segment and {**} at the end any number. In any letter case and spelling.
    type: array
    minItems: 1
    maxItems: 64
    items:
      {{- include "crds.pathPattern" . | nindent 6 }}
  excludePaths:
    description: Paths that need none, written exactly so.
    type: array
    minItems: 1
    maxItems: 64
    items:
      {{- include "crds.pathPattern" . | nindent 6 }}
  methods:
    description: The methods that need a token, without it all. HEAD goes with GET.
    type: array
    minItems: 1
    maxItems: 16
    items:
      type: string
      maxLength: 32
      pattern: '^[A-Z][A-Z0-9_-]*$'
  exemptPorts:
    description: >-
      Ports of the workloads on which the policy is not enforced: bytes of every kind pass there, without a token.
    type: array
    minItems: 1
    maxItems: 64
    items:
      type: integer
      format: int32
      minimum: 1
      maximum: 65535
  login:
    {{- include "crds.login" . | nindent 4 }}
x-kubernetes-validations:
  - rule: '!(has(self.jwks) && has(self.jwksUri))'
    message: keys are in one place, jwks or jwksUri
    fieldPath: .jwks
  - rule: >-
      has(self.jwks) || has(self.jwksUri) || self.issuer.startsWith('http://') || self.issuer.startsWith('https://')
    message: without jwks and jwksUri the issuer must be an http or https URL, because the keys are looked for below it
    fieldPath: .issuer
  - rule: '!has(self.login) || has(self.login.tokenEndpoint) || !(has(self.jwks) || has(self.jwksUri))'
    message: with jwks or jwksUri nothing is discovered, so login needs its authorizationEndpoint and tokenEndpoint
{{- end }}
