import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import jsonPatch from 'fast-json-patch'
import { parseOptions } from '../../shared/config/index.ts'
import { type FloorRules, NO_FLOOR } from '../../shared/floor/index.ts'
import { WEBHOOK_OPTIONS } from '../options.ts'
import type { Pod } from '../pod/index.ts'
import { injectionSettings } from '../settings.ts'
import { type InjectionResult, injectPod } from './index.ts'

type Fields = Record<string, unknown>

const WITHOUT = injectionSettings(parseOptions(WEBHOOK_OPTIONS, [], {}))
const RULES = ['mutualTls', 'injection', 'endUserChecks'] as const

const under = (rule: keyof FloorRules): typeof WITHOUT => ({
  ...WITHOUT,
  floor: { mesh: { ...NO_FLOOR.mesh, [rule]: true }, namespaces: new Map() }
})

/** The pod as it is injected, then changed. */
function injectedAnd(change: (proxy: Fields, spec: Fields) => void): Pod {
  const before: Pod = { metadata: {}, spec: { containers: [{ name: 'web' }] } }
  const result = injectPod(before, 'shop', WITHOUT)
  assert.ok(result.kind === 'patch')
  const after = jsonPatch.applyPatch(before, structuredClone([...result.patch])).newDocument
  change(after.spec?.initContainers?.[0] as unknown as Fields, after.spec as unknown as Fields)
  return after
}

const setting =
  (fields: Fields): ((proxy: Fields) => void) =>
  proxy =>
    Object.assign(proxy, fields)

const within =
  (field: string, fields: Fields): ((proxy: Fields) => void) =>
  proxy =>
    Object.assign(proxy[field] as object, fields)

const mounting =
  (mountPath: string, volume: object = { configMap: { name: 'mine' } }, more: object = {}) =>
  (proxy: Fields, spec: Fields): void => {
    ;(spec['volumes'] as object[]).push({ name: 'data', ...volume })
    ;(proxy['volumeMounts'] as object[]).push({ name: 'data', mountPath, ...more })
  }

const remounting =
  (more: object) =>
  (proxy: Fields): void => {
    Object.assign((proxy['volumeMounts'] as object[])[0] ?? {}, more)
  }

const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount'
const projected = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }
const exec = { exec: { command: ['x'] } }

describe('a proxy that a pod brings along', () => {
  const changes: readonly (readonly [expected: string, change: (proxy: Fields, spec: Fields) => void])[] = [
    ['the image', setting({ image: 'mine' })],
    ['imagePullPolicy IfNotPresent', setting({ imagePullPolicy: 'Never' })],
    ['no command', setting({ command: ['sh'] })],
    ['the arguments', proxy => (proxy['args'] as string[]).push('--config-yaml', '{}')],
    ['no lifecycle hook', setting({ lifecycle: { postStart: exec } })],
    ['no lifecycle hook', setting({ lifecycle: { stopSignal: 'SIGSTOP' } })],
    ['no livenessProbe', setting({ livenessProbe: exec })],
    ['the readiness probe', setting({ readinessProbe: exec })],
    ['the readiness probe', setting({ readinessProbe: undefined })],
    ['the startup probe', within('startupProbe', { httpGet: { path: '/', host: '203.0.113.1', port: 15021 } })],
    ['the startup probe', within('startupProbe', { failureThreshold: 1 })],
    ['no env LD_PRELOAD', setting({ env: [{ name: 'LD_PRELOAD', value: `${TOKEN}/evil.so` }] })],
    ['no env GLIBC_TUNABLES', setting({ env: [{ name: 'TZ', value: 'UTC' }, { name: 'GLIBC_TUNABLES' }] })],
    ['no env constructor', setting({ env: [{ name: 'constructor', value: 'x' }] })],
    ['no envFrom', setting({ envFrom: [{ configMapRef: { name: 'mine' } }] })],
    ['no workingDir', setting({ workingDir: '/x' })],
    ['no volumeDevices', setting({ volumeDevices: [{ name: 'data', devicePath: '/dev/x' }] })],
    ['no restartPolicyRules', setting({ restartPolicyRules: [{ action: 'Restart' }] })],
    ['no stdin', setting({ stdin: true })],
    ['no constructor', setting({ constructor: { x: 1 } })],
    ['terminationMessagePath /dev/termination-log', setting({ terminationMessagePath: '/etc/ld.so.preload' })],
    ['no resources.claims', within('resources', { claims: [{ name: 'device' }] })],
    ['the ports', setting({ ports: [{ containerPort: 15006, hostPort: 80, protocol: 'TCP' }] })],
    ['the securityContext', within('securityContext', { privileged: true })],
    ['the securityContext', within('securityContext', { capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } })],
    ['the securityContext', within('securityContext', { readOnlyRootFilesystem: false })],
    ['the securityContext', within('securityContext', { seccompProfile: { type: 'Unconfined' } })],
    ['the securityContext', within('securityContext', { procMount: 'Unmasked' })],
    ['the securityContext', within('securityContext', { runAsNonRoot: undefined })],
    ['no volume but countersign at /usr/local/bin', mounting('/usr/local/bin')],
    ['no volume but countersign at /var/run/secrets/x', mounting('/var/run/secrets/x')],
    ['no volume but countersign at /var/run/secrets/x', mounting('/var/run/secrets/x', projected)],
    [
      'no volume but countersign at /var/run/secrets/../../../usr/local/bin',
      mounting('/var/run/secrets/../../../usr/local/bin', projected)
    ],
    [`no volume but countersign at ${TOKEN}/../../..`, mounting(`${TOKEN}/../../..`, projected)],
    [`no volume but countersign at ${TOKEN}`, mounting(TOKEN)],
    [`no volume but countersign at ${TOKEN}`, mounting(TOKEN, projected, { subPath: 'x' })],
    [`no volume but countersign at ${TOKEN}`, mounting(TOKEN, projected, { mountPropagation: 'Bidirectional' })],
    ['the volume countersign at /run/countersign alone', remounting({ subPathExpr: '$(X)' })],
    ['the volume countersign at /run/countersign alone', remounting({ readOnly: false })]
  ]
  for (const [what, change] of changes)
    it(`is refused under every rule of a floor where it differs: ${what}`, () => {
      for (const rule of RULES) {
        const result = injectPod(injectedAnd(change), 'shop', under(rule))
        assert.ok(result.kind === 'refuse', `${rule}: ${JSON.stringify(result)}`)
        assert.equal(result.problems.length, 1)
        assert.ok(result.message.includes(`expected ${what} of the proxy that Countersign adds`), result.message)
      }
      assert.equal(injectPod(injectedAnd(change), 'shop', WITHOUT).kind, 'skip')
    })

  it('is refused with everything that differs, in one message', () => {
    const one = injectedAnd(setting({ image: 'mine', command: ['sh'], env: [{ name: 'A' }, { name: 'B' }] }))
    const result = injectPod(one, 'shop', under('injection'))
    assert.ok(result.kind === 'refuse')
    assert.match(result.message, /expected the image, no env A, no env B, no command of the proxy/)
  })

  const accepted: Readonly<Record<string, (proxy: Fields, spec: Fields) => void>> = {
    'as injection makes it': () => undefined,
    'with the token of its account and the defaults of the API server, as a copy by kubectl debug has them': (
      proxy,
      spec
    ) => {
      mounting(TOKEN, projected, { readOnly: true })(proxy, spec)
      within('startupProbe', { successThreshold: 1 })(proxy)
      within('readinessProbe', { successThreshold: 1 })(proxy)
      within('securityContext', { procMount: 'Default' })(proxy)
      setting({
        terminationMessagePath: '/dev/termination-log',
        resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
        resources: { requests: { cpu: '0.1', memory: '128Mi' }, limits: { cpu: '2', memory: '1Gi' } }
      })(proxy)
      spec['shareProcessNamespace'] = true
      ;(spec['containers'] as object[]).push({ name: 'debugger', image: 'busybox', stdin: true, tty: true })
    },
    'with empty fields, which some clients write': setting({
      command: null,
      env: [],
      envFrom: null,
      workingDir: '',
      livenessProbe: null,
      lifecycle: { postStart: null },
      stdin: false,
      volumeDevices: []
    }),
    'with what webhooks for identities of clouds add': (proxy, spec) => {
      mounting('/var/run/secrets/eks.amazonaws.com/serviceaccount', projected, { readOnly: true })(proxy, spec)
      setting({
        imagePullPolicy: 'Always',
        env: [
          { name: 'TZ', value: 'UTC' },
          { name: 'AWS_ROLE_ARN', value: 'arn:aws:iam::1:role/x' },
          {
            name: 'AWS_WEB_IDENTITY_TOKEN_FILE',
            value: '/var/run/secrets/eks.amazonaws.com/serviceaccount/token'
          }
        ]
      })(proxy)
    }
  }
  it('is moved under a floor before init containers that would run without it, also where probes are rewritten', () => {
    const livenessProbe = { tcpSocket: { port: 8080 } }
    for (const fields of [{}, { restartPolicy: 'Always' }, { restartPolicy: 'Always', livenessProbe }]) {
      const one = injectedAnd((_, spec) =>
        (spec['initContainers'] as object[]).unshift(
          { name: 'me', image: 'x', ...fields },
          { name: 'wait', image: 'x' }
        )
      )
      for (const rule of RULES) {
        const result = injectPod(one, 'shop', under(rule))
        assert.ok(result.kind === 'patch')
        const { spec } = jsonPatch.applyPatch(
          structuredClone(one),
          structuredClone([...result.patch]),
          true
        ).newDocument
        assert.deepEqual(
          spec?.initContainers?.map(({ name }) => name),
          ['countersign-proxy', 'me', 'wait']
        )
        const again = injectPod({ spec } as Pod, 'shop', under(rule))
        assert.ok(again.kind === 'skip' && again.reason === 'already-injected')
        assert.equal(
          spec?.initContainers?.[1]?.livenessProbe?.httpGet?.port,
          'livenessProbe' in fields ? 15020 : undefined
        )
      }
    }
  })

  for (const [title, change] of Object.entries(accepted))
    it(`is the proxy under a floor ${title}`, () => {
      for (const rule of RULES) {
        const result: InjectionResult = injectPod(injectedAnd(change), 'shop', under(rule))
        assert.ok(result.kind === 'skip' && result.reason === 'already-injected', JSON.stringify(result))
      }
    })
})
