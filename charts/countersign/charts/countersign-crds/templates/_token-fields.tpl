{{- /* What both kinds of policies for tokens say of an issuer. Limits are those of the webhook. */ -}}
{{- define "crds.tokenFields" -}}
issuer:
  description: The issuer, exactly as tokens have it in the claim "iss".
  type: string
  minLength: 1
  maxLength: 2048
  pattern: '^\S+$'
audiences:
  description: One of these must be in the claim "aud". Without it tokens for other applications are taken as well.
  type: array
  maxItems: 256
  items:
    type: string
    minLength: 1
    maxLength: 256
jwksUri:
  description: >-
    Where the public keys of the issuer are. With neither this nor jwks they are looked for by OpenID Connect, at
    .well-known/openid-configuration below the issuer.
  {{- include "crds.jwksUri" . | nindent 2 }}
jwks:
  description: The public keys themselves, a JSON Web Key Set as text.
  type: string
  minLength: 1
  maxLength: 262144
fromHeaders:
  description: Headers that hold a token.
  type: array
  maxItems: 32
  items:
    type: object
    x-kubernetes-preserve-unknown-fields: true
    required: [name]
    properties:
      name:
        {{- include "crds.fieldName" . | nindent 8 }}
      prefix:
        description: What stands before the token, its space included.
        type: string
        maxLength: 65
fromParams:
  description: Parameters of the query that hold a token. Queries are written into many logs.
  type: array
  maxItems: 32
  items:
    type: string
    minLength: 1
    maxLength: 128
fromCookies:
  description: Cookies that hold a token.
  type: array
  maxItems: 32
  items:
    {{- include "crds.fieldName" . | nindent 4 }}
forwardOriginalToken:
  description: The application gets the token as well.
  type: boolean
outputPayloadToHeader:
  description: A header for the verified payload, in base64url. What clients send in it is removed.
  {{- include "crds.fieldName" . | nindent 2 }}
outputClaimToHeaders:
  description: Headers for single claims. What clients send in them is removed.
  type: array
  maxItems: 64
  items:
    type: object
    x-kubernetes-preserve-unknown-fields: true
    required: [header, claim]
    properties:
      header:
        {{- include "crds.fieldName" . | nindent 8 }}
      claim:
        {{- include "crds.claim" . | nindent 8 }}
timeout:
  description: How long fetching keys may take, from 1ms to 60s.
  type: string
  maxLength: 96
  pattern: '^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h)){1,4}$'
{{- end }}

{{- define "crds.jwksUri" -}}
type: string
maxLength: 2048
pattern: '^https?://[^\s\\#]+$'
{{- end }}

{{- define "crds.fieldName" -}}
type: string
minLength: 1
maxLength: 128
pattern: '^[!#$%&''*+.^_`|~0-9A-Za-z-]+$'
{{- end }}

{{- define "crds.claim" -}}
description: The name of the claim, with dots between those of nested ones.
type: string
minLength: 1
maxLength: 256
pattern: '^[^\s.]+(\.[^\s.]+)*$'
{{- end }}
