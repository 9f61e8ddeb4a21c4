// What the tests of shapes check tokens with, and what they forge.

import assert from 'node:assert/strict'
import { keySet, newSigningKey, signed } from '../../oidc/index.ts'
import type { Transport } from './port-pod.ts'
import type { Checks } from './token-pod.ts'

const KEY = newSigningKey('ES256')
const ISSUER = 'https://issuer.test'
export const KEYS = { keys: keySet(KEY) }
export const SUBJECT = 'ada'
export const TOKEN = signed(KEY, { iss: ISSUER, sub: SUBJECT, exp: Math.floor(Date.now() / 1000) + 3_600 })

/** One policy; by default it requires a token, on every port. */
export const checksWith = (rule: { readonly required?: boolean; readonly exemptPorts?: number[] } = {}): Checks => ({
  providers: [
    {
      name: 'issuer',
      issuer: ISSUER,
      keySet: 'keys',
      fromHeaders: [{ name: 'authorization', prefix: 'Bearer ' }],
      payloadHeader: 'x-token',
      claimHeaders: [{ header: 'x-user', claim: 'sub' }]
    }
  ],
  rules: [{ providers: ['issuer'], required: true, ...rule }]
})

/** In all of these, the value that an application must never see. */
export const FORGED = 'forged'
const FORGED_PEER = `By=x;URI=spiffe://mesh.test/ns/bank/sa/${FORGED}`
export const FORGED_HEADERS: readonly (readonly [string, string])[] = [
  ['x-user', FORGED],
  ['X_User', FORGED],
  ['x-token', FORGED],
  ['x_token', FORGED],
  ['x-forwarded-client-cert', FORGED_PEER],
  ['x_forwarded_client_cert', FORGED_PEER],
  ['X-Forwarded_Client-Cert', FORGED_PEER],
  ['x-countersign-port', FORGED],
  ['x_countersign_port', FORGED]
]

/** Fails with the first line that is forged. */
export const assertUnforged = (text: string): void =>
  assert.equal(
    text.split(/\r?\n/).find(line => line.toLowerCase().includes(FORGED)),
    undefined
  )

/** As proxies of the mesh name themselves. */
const MESH_NAME = '80.orders.shop.countersign.internal'

/** How a member of the mesh can connect, its TLS being like a proxy's or unlike. */
export const MEMBER_TRANSPORTS: readonly Transport[] = [
  {},
  { servername: MESH_NAME },
  { alpn: ['foo'], servername: 'orders.example' },
  { alpn: ['foo'], servername: MESH_NAME },
  { alpn: ['http/1.1'], servername: MESH_NAME },
  { alpn: ['http/1.1'] }
]
