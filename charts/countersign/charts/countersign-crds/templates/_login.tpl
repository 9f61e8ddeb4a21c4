{{- /* How browsers without a token are sent to the issuer for one. Limits are those of the webhook. */ -}}
{{- define "crds.login" -}}
description: >-
  Browsers that ask for a page without a token are sent to the issuer to sign in, and come back with a session. Everybody
  else is refused as before.
type: object
x-kubernetes-preserve-unknown-fields: true
required: [clientId, clientSecret]
properties:
  clientId:
    description: What the issuer calls this client. Where no audiences are named, tokens must be for it.
    type: string
    minLength: 1
    maxLength: 256
    pattern: '^[!-~]([ -~]*[!-~])?$'
  clientSecret:
    description: >-
      Where the secret of the client is, in the namespace of the policy: a Secret of type Opaque, which the authority must
      be allowed to read.
    type: object
    x-kubernetes-preserve-unknown-fields: true
    required: [name]
    properties:
      name:
        description: The name of the Secret.
        type: string
        minLength: 1
        maxLength: 253
        pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
      key:
        description: The key of its entry, without it client-secret.
        type: string
        minLength: 1
        maxLength: 253
        pattern: '^[-._a-zA-Z0-9]+$'
  scopes:
    description: What is asked of the issuer. openid is always among it.
    type: array
    minItems: 1
    maxItems: 32
    items:
      type: string
      minLength: 1
      maxLength: 128
      pattern: '^[!#-\[\]-~]+$'
  redirectPath:
    description: Where the issuer sends browsers back to, without it /oauth2/callback.
    {{- include "crds.loginPath" . | nindent 4 }}
  signOutPath:
    description: Where people sign out, without it /oauth2/sign-out.
    {{- include "crds.loginPath" . | nindent 4 }}
  authorizationEndpoint:
    description: Where browsers sign in. Without it the issuer is asked, by OpenID Connect.
    {{- include "crds.jwksUri" . | nindent 4 }}
  tokenEndpoint:
    description: Where proxies fetch the tokens; together with authorizationEndpoint.
    {{- include "crds.jwksUri" . | nindent 4 }}
  endSessionEndpoint:
    description: Where browsers are sent to when they sign out.
    {{- include "crds.jwksUri" . | nindent 4 }}
  forwardTokens:
    description: The application gets the tokens as well.
    type: boolean
x-kubernetes-validations:
  - rule: 'has(self.authorizationEndpoint) == has(self.tokenEndpoint)'
    message: authorizationEndpoint and tokenEndpoint are named together
{{- end }}

{{- define "crds.loginPath" -}}
type: string
minLength: 2
maxLength: 512
pattern: '^/[0-9A-Za-z._~!$&''()+,=:@%/-]+$'
{{- end }}
