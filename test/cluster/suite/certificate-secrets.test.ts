// Certificates in Secrets: programs that read files have the identity of their account, through every rotation and
// whatever becomes of Secrets and of the leader; nobody may do more than that needs, and no key is told.

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { V1Container, V1Pod, V1ResourceQuota, V1Secret } from '@kubernetes/client-node'
import { until } from '../../../cli/local/index.ts'
import { SECRET_KEYS, SECRET_MOUNT, SECRET_TYPE, SECRETS_LABEL } from '../../../shared/certificate-secrets/index.ts'
import { parseTrustDomain } from '../../../shared/identity/index.ts'
import { createRoot, privateKeyToPem, toPem } from '../../../shared/x509/index.ts'
import type { PemClientReport } from '../applications/pem-client/report.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { SERVER } from '../settings.ts'
import { apiRequests, requestsBetween } from './api-requests.ts'
import { CertificateState } from './certificate-state.ts'
import { CertificateWatch } from './certificate-watch.ts'
import { type CertificateSeen, certificatesIn, verifyStrictly } from './certificates-seen.ts'
import { KeySearch } from './key-search.ts'
import { leaderOf } from './leader.ts'
import { NGINX_PORT, PEM_CLIENT_FOLDER, pemImages } from './pem-images.ts'
import { account, clientObjects, nginxObjects, pemPod } from './pem-pods.ts'

const SYSTEM = 'countersign-system'
const AUTHORITY = `system:serviceaccount:${SYSTEM}:countersign-authority`
const AUTHORITIES = ['-n', SYSTEM, '-l', 'app.kubernetes.io/component=authority'] as const
const LABELLED = ['pem', 'crowd', 'trouble'] as const
/** Where the authority may write, but is asked to later, or never. */
const UNLABELLED = ['full', 'later'] as const
const LIFETIME_S = 80
const SHORTEST_S = 30
const CROWD = Array.from({ length: 200 }, (_, index) => `member-${index}`)
/** What a queue of so many may take beyond the time that is due, on a machine that has other things to do, too. */
const PACE_S = 15
const ROTATIONS = 5
/** What the authority writes; the rest is asked by others. */
const RESOURCES = ['secrets', 'events', 'namespaces/status']
const NGINX_URL = `https://nginx.pem:${NGINX_PORT}/`
const BUSYBOX = 'countersign.dev/test/busybox:1'

const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels }
})

/** A Secret without content, as somebody else may make one. */
const secret = (name: string, type: string, space: string): V1Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: space },
  type
})

const sleeping = (name: string): Partial<V1Container> => ({ name, image: BUSYBOX, command: ['sleep', '3600'] })

describe('certificates in Secrets', { timeout: 900_000 }, () => {
  let cluster: Cluster
  let state: CertificateState
  let watch: CertificateWatch | undefined
  let keys: KeySearch

  before(async () => {
    const images = await pemImages()
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    state = new CertificateState(cluster)
    keys = new KeySearch(cluster)
    // A kubelet shows a changed Secret when it looks at the pod again: by default up to a minute and a half later.
    for (const node of cluster.nodes) await node.configureKubelet({ syncFrequency: '3s' })
    await cluster.apply(
      ...LABELLED.map(name => namespace(name, { [SECRETS_LABEL]: 'enabled' })),
      ...[...UNLABELLED, 'elsewhere'].map(name => namespace(name))
    )
    const values = {
      namespaces: `{${[...LABELLED, ...UNLABELLED]}}`,
      lifetime: `${LIFETIME_S}s`,
      shortestLifetime: `${SHORTEST_S}s`
    }
    const set = Object.entries(values).flatMap(([name, value]) => ['--set', `certificateSecrets.${name}=${value}`])
    await Promise.all([installChart(cluster, set), ...cluster.nodes.map(node => node.load(images))])
    watch = new CertificateWatch(cluster)
    await cluster.apply(...nginxObjects('pem', 'node1'))
    await ready('nginx')
    // It calls from now on, through everything that comes.
    await cluster.apply(...clientObjects('pem', 'node0'))
    await ready('client')
  })
  after(async () => {
    await watch?.stop()
    await stopOwnCluster()
  })

  const ready = (pod: string): Promise<string> =>
    cluster.kubectl(['wait', '-n', 'pem', `pod/${pod}`, '--for=condition=Ready', '--timeout=120s'])
  const patch = (kind: string, space: string, name: string, change: object): Promise<string> =>
    cluster.kubectl(['patch', kind, '-n', space, name, '--type=merge', '-p', JSON.stringify(change)])
  /** What kubectl says of an object that it is to create, and whether it did. */
  const create = async (
    object: object,
    more: readonly string[] = []
  ): Promise<{ readonly done: boolean; readonly said: string }> => {
    const input = JSON.stringify(object)
    const { code, stderr } = await cluster.kubectlOutcome(['create', '-f', '-', ...more], { input })
    return { done: code === 0, said: stderr }
  }
  const report = async (): Promise<PemClientReport> => {
    const log = await cluster.kubectl(['logs', '-n', 'pem', 'client', '-c', 'client', '--tail=1'])
    return JSON.parse(log) as PemClientReport
  }

  describe('a service account', () => {
    it('has a Secret with its certificate, which goes with it', async () => {
      await cluster.apply(account('pem', 'passing'))
      const { secret } = await state.right('pem', 'passing')
      assert.equal(secret.type, SECRET_TYPE)
      assert.deepEqual(Object.keys(secret.data ?? {}).sort(), Object.values(SECRET_KEYS).sort())
      const { 'countersign.dev/spiffe-id': spiffeId } = secret.metadata?.annotations ?? {}
      assert.equal(spiffeId, 'spiffe://cluster.local/ns/pem/sa/passing')
      await cluster.kubectl(['delete', 'serviceaccount', '-n', 'pem', 'passing'])
      const gone = async () => !(await certificatesIn(cluster, 'pem')).has('passing') || undefined
      await until('the Secret to go', gone, { timeoutMs: 60_000 })
    })

    it('has the names of its Services in it, and another kind of key, where it asks for them', async () => {
      const kindOf = ({ chain }: CertificateSeen) => new X509Certificate(chain).publicKey.asymmetricKeyType
      const before = await state.right('pem', 'nginx')
      assert.equal(kindOf(before), 'ec')
      const annotations = {
        'countersign.dev/certificate-dns-names': 'services',
        'countersign.dev/certificate-key': 'rsa-2048'
      }
      await cluster.apply(account('pem', 'nginx', annotations))
      const named = await state.right('pem', 'nginx', seen => kindOf(seen) === 'rsa')
      const certificate = new X509Certificate(named.chain)
      for (const name of ['nginx.pem', 'nginx.pem.svc', 'nginx.pem.svc.cluster.local'])
        assert.equal(certificate.checkHost(name), name)
      await verifyStrictly([before, named])
    })

    it('is counted in a condition of its namespace', async () => {
      // Kubernetes itself makes one, called default.
      await state.condition('pem', 'True', 'Issued', /^3 service accounts have their certificates$/)
    })
  })

  describe('a pod', () => {
    const base = {
      namespace: 'pem',
      name: 'default',
      injected: false,
      certificates: 'app',
      containers: [sleeping('app')]
    }
    const files = async (pod: string, container: string): Promise<string> => {
      const target = ['-n', 'pem', pod, '-c', container]
      const { stdout, stderr } = await cluster.kubectlOutcome(['exec', ...target, '--', 'ls', '-lL', SECRET_MOUNT])
      return stdout + stderr
    }

    const ways = {
      'with a proxy, its files for the group of the pod': {
        injected: true,
        fsGroup: 10_001,
        mode: '-r--r----- .* 10001'
      },
      'without a proxy, its files for whoever runs in it': { injected: false, fsGroup: null, mode: '-r--r--r--' }
    }
    for (const [what, { injected, fsGroup, mode }] of Object.entries(ways))
      it(`starts with an account as new as itself, ${what}`, async test => {
        const name = injected ? 'early-injected' : 'early'
        const prepare = { name: 'prepare', image: BUSYBOX, command: ['cat', `${SECRET_MOUNT}/${SECRET_KEYS.key}`] }
        const shape = { initContainers: [prepare], containers: [sleeping('app'), sleeping('side')] }
        const pod = pemPod({ ...base, ...shape, name, injected, certificates: 'prepare, app' })
        Object.assign(pod.spec?.securityContext ?? {}, { fsGroup })
        const began = Date.now()
        await cluster.apply(account('pem', name), pod)
        await ready(name)
        test.diagnostic(`Ready after ${((Date.now() - began) / 1_000).toFixed(1)} s`)
        const { spec } = JSON.parse(await cluster.kubectl(['get', 'pod', '-n', 'pem', name, '-o', 'json'])) as V1Pod
        assert.equal(
          spec?.initContainers?.some(one => one.name === 'countersign-proxy'),
          injected
        )
        const shown = await files(name, 'app')
        for (const file of Object.values(SECRET_KEYS)) assert.match(shown, new RegExp(`^${mode} .* ${file}$`, 'm'))
        assert.match(await files(name, 'side'), /No such file/)
        await cluster.kubectl(['delete', 'pod', '-n', 'pem', name, '--wait=false'])
      })

    it('is refused when it names a container that it does not have, with those that it has', async () => {
      const containers = [sleeping('app'), sleeping('worker')]
      const { done, said } = await create(pemPod({ ...base, certificates: 'app,worke', containers }))
      assert.equal(done, false)
      assert.match(said, /countersign\.dev\/certificates.* of app, worker; there is no container "worke"/)
    })

    it('is refused where no Secret would ever come', async () => {
      for (const space of ['later', 'elsewhere']) {
        const { done, said } = await create(pemPod({ ...base, namespace: space }))
        assert.equal(done, false)
        assert.match(said, new RegExp(`service accounts of ${space} have no Secrets; expected the label`))
      }
    })
  })

  describe('whoever labels a namespace', () => {
    const label = async (space: string, change: string): Promise<string> =>
      (await cluster.kubectlOutcome(['label', 'namespace', space, change])).stderr

    it('is told when that has no effect, and what to change', async () => {
      const notListed = /^Warning: .*no effect in elsewhere, because .* not in the value certificateSecrets\.namespaces/
      assert.match(await label('elsewhere', `${SECRETS_LABEL}=enabled`), notListed)
      assert.match(await label('later', `${SECRETS_LABEL}=true`), /^Warning: .*expected enabled, got true/)
      assert.equal(await label('later', `${SECRETS_LABEL}-`), '')
    })

    it('still cannot have pods wait there', async () => {
      const look = async (): Promise<string | undefined> => {
        const pod = pemPod({
          namespace: 'elsewhere',
          name: 'default',
          injected: false,
          certificates: 'app',
          containers: [sleeping('app')]
        })
        const { done, said } = await create(pod, ['--dry-run=server'])
        assert.equal(done, false)
        // That the label is there is known to the policy a moment later.
        return said.includes('expected the label') ? undefined : said
      }
      assert.match(await until('the label to be seen', look), /not in the value certificateSecrets\.namespaces/)
    })
  })

  describe('what stands in the way', () => {
    it('is told at the account and at its namespace: a Secret of somebody else, which is left alone', async () => {
      const theirs = { ...secret('countersign.taken', 'Opaque', 'trouble'), stringData: { own: 'theirs' } }
      await cluster.apply(theirs, account('trouble', 'taken'))
      assert.match(await state.event('trouble', 'taken', 'SecretNotOurs'), /countersign\.taken is somebody else's/)
      await state.condition('trouble', 'False', 'SecretNotOurs', /^1 of 2 .*: taken: /)
      const left = await cluster.kubectl(['get', 'secret', '-n', 'trouble', 'countersign.taken', '-o', 'json'])
      assert.deepEqual((JSON.parse(left) as V1Secret).data, { own: Buffer.from('theirs').toString('base64') })
      await cluster.kubectl(['delete', 'serviceaccount', '-n', 'trouble', 'taken'])
    })

    it('is told: an annotation that cannot be read, until it can', async () => {
      const annotation = 'countersign.dev/certificate-key'
      await cluster.apply(account('trouble', 'unread', { [annotation]: 'rsa-4096' }))
      const message = await state.event('trouble', 'unread', 'AnnotationUnreadable')
      assert.match(
        message,
        /certificate-key: expected one of ecdsa-p256, rsa-2048, got "rsa-4096".*no certificate is made/
      )
      await state.condition('trouble', 'False', 'AnnotationUnreadable', /unread: /)
      assert.equal((await certificatesIn(cluster, 'trouble')).has('unread'), false)
      await cluster.apply(account('trouble', 'unread', { [annotation]: 'ecdsa-p256' }))
      await state.right('trouble', 'unread')
    })

    it('is told: a lifetime beyond the limits, which is clamped', async () => {
      const annotation = 'countersign.dev/certificate-lifetime'
      await cluster.apply(
        account('trouble', 'brief', { [annotation]: '1s' }),
        account('trouble', 'long', { [annotation]: '365d' })
      )
      assert.match(await state.event('trouble', 'brief', 'LifetimeClamped'), /asks for 1s: .* 30s, which holds/)
      assert.match(await state.event('trouble', 'long', 'LifetimeClamped'), /asks for 365d: .* 90d, which holds/)
      await state.right('trouble', 'brief')
      const { chain } = await state.right('trouble', 'long')
      assert.ok(Date.parse(new X509Certificate(chain).validTo) <= Date.now() + 90 * 86_400_000)
      await state.condition('trouble', 'True', 'Issued', /brief: .*; long: /)
    })

    it('is told: a quota without room, until there is some; and without the label nothing more is said', async () => {
      const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none', namespace: 'full' } }
      await cluster.apply({ ...quota, spec: { hard: { 'count/secrets': '0' } } })
      await until('the quota to hold', async () => {
        const text = await cluster.kubectl(['get', 'resourcequota', '-n', 'full', 'none', '-o', 'json'])
        return (JSON.parse(text) as V1ResourceQuota).status?.hard
      })
      await cluster.kubectl(['label', 'namespace', 'full', `${SECRETS_LABEL}=enabled`])
      assert.match(await state.event('full', 'default', 'WriteRefused'), /cannot be written: .*exceeded quota/)
      await state.condition('full', 'False', 'WriteRefused', /^1 of 1 .*exceeded quota/)
      await cluster.kubectl(['delete', 'resourcequota', '-n', 'full', 'none'])
      const { secret } = await state.right('full', 'default')
      await state.condition('full', 'True', 'Issued')
      await cluster.kubectl(['label', 'namespace', 'full', `${SECRETS_LABEL}-`])
      const isSilent = async () => (await state.conditionOf('full')) === undefined || undefined
      await until('the condition to go', isSilent, { timeoutMs: 60_000 })
      const left = (await certificatesIn(cluster, 'full')).get('default')
      assert.equal(left?.secret.metadata?.uid, secret.metadata?.uid)
    })
  })

  describe('the authority', () => {
    const may = async (verb: string, what: string, space: string): Promise<boolean> => {
      const [resource = '', subresource] = what.split(':')
      const more = subresource === undefined ? [] : [`--subresource=${subresource}`]
      const question = ['auth', 'can-i', verb, resource, '-n', space, `--as=${AUTHORITY}`, ...more]
      return (await cluster.kubectlOutcome(question)).stdout.trim() === 'yes'
    }
    const answers: readonly (readonly [isAllowed: boolean, verb: string, what: string, space: string])[] = [
      [true, 'create', 'secrets', 'pem'],
      [true, 'patch', 'secrets', 'pem'],
      [true, 'patch', 'namespaces:status', 'pem'],
      [false, 'delete', 'secrets', 'pem'],
      [false, 'update', 'secrets', 'pem'],
      [false, 'patch', 'serviceaccounts', 'pem'],
      [false, 'create', 'serviceaccounts:token', 'pem'],
      [false, 'patch', 'namespaces', 'pem'],
      [false, 'create', 'secrets', 'elsewhere'],
      [false, 'list', 'secrets', 'elsewhere'],
      [false, 'list', 'secrets', 'kube-system'],
      [false, 'patch', 'namespaces:status', 'elsewhere']
    ]
    for (const [isAllowed, verb, what, space] of answers)
      it(`may ${isAllowed ? '' : 'not '}${verb} ${what} in ${space}`, async () => {
        assert.equal(await may(verb, what, space), isAllowed)
      })

    /** What the API server says when the authority is to create a Secret. */
    const said = async (name: string, type: string, space: string): Promise<string> => {
      const { done, said } = await create(secret(name, type, space), ['--dry-run=server', `--as=${AUTHORITY}`])
      return done ? 'created' : said
    }
    it('may write its own Secrets where it is asked to, and no others', async () => {
      assert.equal(await said('countersign.some', SECRET_TYPE, 'pem'), 'created')
      assert.match(
        await said('countersign.some', 'Opaque', 'pem'),
        /may only write Secrets of type countersign\.dev\/key-and-cert/
      )
      assert.match(await said('some', SECRET_TYPE, 'pem'), /whose names begin with countersign\./)
      assert.match(
        await said('countersign.some', SECRET_TYPE, 'later'),
        /in namespaces with the label countersign\.dev\/secrets/
      )
      assert.match(await said('countersign.some', 'Opaque', SYSTEM), /may only write Secrets of type/)
      assert.match(await said('countersign.some', SECRET_TYPE, 'elsewhere'), /cannot create resource "secrets"/)
    })

    /** A patch by its own token: kubectl would read first, which it may not. */
    const patched = async (path: string, change: object): Promise<string> => {
      const token = await cluster.kubectl(['create', 'token', '-n', SYSTEM, 'countersign-authority'])
      const headers = { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/merge-patch+json' }
      const request = { method: 'PATCH', headers, body: JSON.stringify(change) }
      const script = `fetch(${JSON.stringify(`${SERVER}${path}?dryRun=All`)}, ${JSON.stringify(request)})
        .then(async answer => console.log(answer.status, await answer.text()))`
      const env = { NODE_EXTRA_CA_CERTS: cluster.layout.pki('ca.crt') }
      return (await cluster.control.run([process.execPath, '-e', script], { env })).stdout
    }
    it('may not change Secrets of others, nor the labels of a namespace with its status', async () => {
      await cluster.apply({ ...secret('countersign.theirs', 'Opaque', 'pem'), stringData: { own: 'theirs' } })
      const data = { data: { own: Buffer.from('ours').toString('base64') } }
      assert.match(await patched('/api/v1/namespaces/pem/secrets/countersign.client', data), /^200 /)
      assert.match(await patched('/api/v1/namespaces/pem/secrets/countersign.theirs', data), /^403 .*got Opaque/)
      const labels = { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } }
      assert.match(await patched('/api/v1/namespaces/pem/status', labels), /^403 .*metadata\.labels: .* may not change/)
    })
  })

  describe('many service accounts at once', () => {
    it('have their certificates soon, each of which OpenSSL takes', async test => {
      const before = await apiRequests(cluster)
      const began = Date.now()
      await cluster.apply(...CROWD.map(name => account('crowd', name)))
      const applied = Date.now()
      const all = await state.allRight('crowd', CROWD)
      await verifyStrictly(all.values())
      const seen = CROWD.map(name => watch?.of('crowd', name)[0]?.seenAt ?? assert.fail(name))
      const [first, last] = [Math.min(...seen), Math.max(...seen)]
      const seconds = (from: number, to: number): string => ((to - from) / 1_000).toFixed(1)
      test.diagnostic(
        `applied within ${seconds(began, applied)} s; Secrets from ${seconds(began, first)} s to ${seconds(began, last)} s`
      )
      test.diagnostic(`${((CROWD.length - 1) / ((last - first) / 1_000)).toFixed(1)} Secrets per second`)
      test.diagnostic(`meanwhile: ${requestsBetween(before, await apiRequests(cluster), RESOURCES)}`)
      await state.condition('crowd', 'True', 'Issued', /^201 service accounts have their certificates$/)
    })

    it('have new ones about halfway through the life of the old', async test => {
      const before = await apiRequests(cluster)
      const began = Date.now()
      const count = (): number => CROWD.filter(name => (watch?.of('crowd', name).length ?? 0) > 1).length
      const all = () => (count() === CROWD.length ? true : undefined)
      await until('all to be rotated', all, { timeoutMs: (LIFETIME_S + PACE_S) * 1_000, intervalMs: 500 })
      const requests = requestsBetween(before, await apiRequests(cluster), RESOURCES)
      test.diagnostic(`within ${((Date.now() - began) / 1_000).toFixed(0)} s, in all namespaces: ${requests}`)
      const ages = CROWD.map(name => {
        const [first, second] = watch?.of('crowd', name) ?? []
        return ((second?.notAfter ?? Number.NaN) - (first?.notAfter ?? Number.NaN)) / 1_000
      })
      const [youngest, oldest] = [Math.min(...ages), Math.max(...ages)]
      test.diagnostic(`replaced at an age of ${youngest} s to ${oldest} s, of ${LIFETIME_S} s`)
      // Certificates count in whole seconds.
      assert.ok(youngest >= LIFETIME_S * 0.45 - 1, `one was replaced after ${youngest} s`)
      assert.ok(oldest <= LIFETIME_S * 0.55 + 1 + PACE_S, `one was replaced after ${oldest} s`)
    })

    it('were never without a valid certificate', () => {
      for (const name of CROWD) {
        const [first, second] = watch?.of('crowd', name) ?? []
        assert.ok(first !== undefined && second !== undefined && second.seenAt < first.notAfter, name)
      }
    })

    it('have right ones again after somebody meddled with them', async () => {
      const all = await certificatesIn(cluster, 'crowd')
      keys.noteKeys(all.values())
      const dataOf = (name: string) => all.get(name)?.secret.data ?? assert.fail(name)
      const [key, chain] = [SECRET_KEYS.key, SECRET_KEYS.chain]
      const half = (text = ''): string => Buffer.from(text, 'base64').subarray(0, 300).toString('base64')
      const damage: readonly (readonly [name: string, data: object | null])[] = [
        ['member-0', { [chain]: half(dataOf('member-0')[chain]) }],
        ['member-1', { [key]: '' }],
        ['member-2', dataOf('member-3')],
        ['member-4', { [key]: dataOf('member-5')[key] }],
        ['member-6', { [SECRET_KEYS.roots]: null }],
        ['member-7', null]
      ]
      for (const [name, data] of damage) await patch('secret', 'crowd', `countersign.${name}`, { data })
      await verifyStrictly((await state.allRight('crowd', CROWD)).values())
    })

    it('have them again after all were deleted and the leader was killed meanwhile', async test => {
      const leader = await leaderOf(cluster)
      await keys.noteLogs()
      await cluster.kubectl(['delete', '--raw', `/api/v1/namespaces/crowd/secrets?fieldSelector=type%3D${SECRET_TYPE}`])
      const some = async (): Promise<number | undefined> => {
        const { size } = await certificatesIn(cluster, 'crowd')
        return size >= CROWD.length / 10 ? size : undefined
      }
      const size = await until('some to be there again', some)
      await leader.kill()
      const began = Date.now()
      test.diagnostic(`${size} were there again when the leader was killed`)
      const all = await state.allRight('crowd', CROWD)
      test.diagnostic(`all were ${((Date.now() - began) / 1_000).toFixed(1)} s later`)
      await verifyStrictly(all.values())
      keys.noteKeys(all.values())
      await until('its log', () => keys.notePreviousLog(leader.pod).then(() => true))
      await cluster.kubectl(['delete', 'namespace', 'crowd', '--wait=false'])
    })
  })

  describe('a program that reads files', () => {
    it(`serves mutual TLS through ${ROTATIONS} rotations, and no request of its client is lost`, async test => {
      const isThrough = ({ serverSerials, clientSerials }: PemClientReport): boolean =>
        Math.min(serverSerials.length, clientSerials.length) > ROTATIONS
      const last = await until(
        `${ROTATIONS} rotations`,
        async () => {
          const seen = await report()
          return isThrough(seen) || seen.failed > 0 ? seen : undefined
        },
        { timeoutMs: (ROTATIONS + 2) * LIFETIME_S * 1_000, intervalMs: 1_000 }
      )
      const { answered, failed, failures, repeated, serverSerials, clientSerials, clients } = last
      test.diagnostic(`${answered.kept} requests over kept connections and ${answered.new} over new ones were answered`)
      test.diagnostic(`${repeated} were sent again because a kept connection was closed`)
      test.diagnostic(`${serverSerials.length} certificates of the server, ${clientSerials.length} of the client`)
      assert.deepEqual({ failed, failures }, { failed: 0, failures: [] })
      assert.deepEqual(clients, ['URI:spiffe://cluster.local/ns/pem/sa/client'])
      for (const count of [answered.kept, answered.new]) assert.ok(count > 1_000, `only ${count} were answered`)
    })

    const inClient = async (script: string): Promise<string> => {
      const target = ['-n', 'pem', 'client', '-c', 'client']
      return (await cluster.kubectl(['exec', ...target, '--', 'node', '--input-type=module', '-e', script])).trim()
    }

    it('answers nobody without a certificate', async () => {
      const script = `import { get } from 'node:https'
        get('${NGINX_URL}', { rejectUnauthorized: false }, answer => {
          console.log(answer.statusCode)
          answer.resume()
        })`
      assert.equal(await inClient(script), '400')
    })

    it('is not taken for another account by its client', async () => {
      const target = { url: NGINX_URL, server: 'spiffe://cluster.local/ns/pem/sa/another', folder: SECRET_MOUNT }
      const script = `import { Agent } from 'node:https'
        import { call } from '${PEM_CLIENT_FOLDER}/call.ts'
        call(${JSON.stringify(target)}, new Agent()).then(() => console.log('answered'), error => console.log(error.message))`
      assert.match(await inClient(script), /^expected spiffe:.*\/sa\/another, got .*URI:spiffe:.*\/sa\/nginx/)
    })
  })

  it('tells no key in a log, an event or a condition', async test => {
    for (const space of LABELLED) keys.noteKeys((await certificatesIn(cluster, space)).values())
    await keys.noteLogs()
    await keys.noteObjects('events', 'namespaces')
    const { found, keyParts, characters } = keys.look()
    test.diagnostic(`${keyParts} parts of keys are in none of ${characters} characters`)
    assert.ok(keyParts > CROWD.length)
    assert.deepEqual(found, [])
  })

  it('has another root in every Secret as soon as the authority has', async test => {
    const before = (await state.right('pem', 'nginx')).roots
    // Both would have to have the new one at the same moment.
    await cluster.kubectl(['delete', 'pod', '-n', 'pem', 'client', '--wait=true'])
    await cluster.kubectl(['delete', 'secret', '-n', SYSTEM, 'countersign-root'])
    await cluster.kubectl(['delete', 'pod', ...AUTHORITIES, '--wait=true'])
    const began = Date.now()
    for (const [space, name] of [
      ['pem', 'nginx'],
      ['pem', 'client'],
      ['trouble', 'long']
    ] as const)
      await state.right(space, name, ({ roots }) => roots !== before)
    test.diagnostic(`${((Date.now() - began) / 1_000).toFixed(1)} s after the last authority with the former root`)
  })

  it('says that its root is about to end; certificates end with it, and stay when nothing can be signed', async () => {
    const before = (await state.right('trouble', 'long')).roots
    // Enough for the authority to start anew and to write what there is, and then less than any certificate may live.
    const endsAt = Date.now() + 105_000
    const root = await createRoot({
      commonName: 'A root that ends',
      trustDomain: parseTrustDomain('cluster.local'),
      notBefore: Date.now() - 60_000,
      notAfter: endsAt
    })
    const data = { 'tls.crt': toPem([root.certificate]), 'tls.key': privateKeyToPem(root.privateKey) }
    const stringData = { stringData: data, type: 'countersign.dev/root' }
    await cluster.kubectl(['delete', 'secret', '-n', SYSTEM, 'countersign-root'])
    await cluster.apply({ ...secret('countersign-root', 'countersign.dev/root', SYSTEM), ...stringData })
    await cluster.kubectl(['delete', 'pod', ...AUTHORITIES, '--wait=true'])
    const { chain } = await state.right('trouble', 'long', ({ roots }) => roots !== before)
    assert.ok(Date.parse(new X509Certificate(chain).validTo) <= endsAt)
    assert.match(await state.event('trouble', 'long', 'IssuerEnds'), /the certificate of the authority ends at 20/)
    await state.condition('trouble', 'True', 'Issued', /long: .*the certificate of the authority ends at/)
    const soon = endsAt - SHORTEST_S * 1_000
    await until('the end to be near', () => (Date.now() > soon ? true : undefined), { timeoutMs: 120_000 })
    assert.match(await state.event('trouble', 'brief', 'IssuerUnusable'), /too soon to sign with it/)
    await until('the root to end', () => (Date.now() > endsAt + 2_000 ? true : undefined), { timeoutMs: 120_000 })
    assert.equal((await certificatesIn(cluster, 'trouble')).get('long')?.chain, chain)
    await state.condition('trouble', 'False', 'IssuerUnusable', /have no certificate: /)
  })
})
