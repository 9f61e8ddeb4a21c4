import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import jsonPatch from 'fast-json-patch'
import { parse } from 'yaml'
import { type Container, containersOf, type Pod } from '../pod/index.ts'
import { type MountingResult, mountCertificates } from './index.ts'

const CERTIFICATES = 'countersign.dev/certificates'
const VOLUME = 'countersign-certificates'
const MOUNT = { name: VOLUME, mountPath: '/var/run/secrets/countersign', readOnly: true }
const SETTINGS = { excludedNamespaces: new Set(['kube-system', 'countersign-system']) }

const SIMPLE = `
apiVersion: v1
kind: Pod
metadata: { generateName: web-6d4cf56db6-, annotations: { countersign.dev/certificates: web } }
spec: { containers: [{ name: web, image: nginx }] }
`

// As the API server shows it to a webhook: defaults filled in, the account's token mounted; and injected already.
const FULL = `
apiVersion: v1
kind: Pod
metadata:
  name: orders-0
  labels: { app: orders, countersign.dev/inject: enabled }
  annotations: { prometheus.io/scrape: "true", countersign.dev/certificates: "worker, migrate" }
spec:
  serviceAccountName: orders
  serviceAccount: orders
  hostNetwork: true
  securityContext: { runAsUser: 1000, runAsNonRoot: true }
  initContainers:
    - { name: countersign-proxy, image: envoy, restartPolicy: Always }
    - { name: migrate, image: migrate, volumeMounts: [{ name: data, mountPath: /data }] }
    - { name: worker, image: work, restartPolicy: Always }
  containers:
    - name: orders
      image: orders
      volumeMounts:
        - { name: data, mountPath: /var/run/secrets }
        - { name: kube-api-access-x, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
  volumes:
    - { name: data, emptyDir: {} }
    - { name: kube-api-access-x, projected: { sources: [{ serviceAccountToken: { path: token } }] } }
`

type Whole = Pod & { spec: NonNullable<Pod['spec']>; metadata: NonNullable<Pod['metadata']> }
type Change = (pod: Whole) => void

function pod(yaml: string, change: Change = () => undefined): Whole {
  const made = parse(yaml)
  change(made)
  return made
}

const naming = (names: string, yaml = SIMPLE): Pod =>
  pod(yaml, ({ metadata }) => {
    metadata.annotations = { [CERTIFICATES]: names }
  })

const web = ({ spec }: Whole): Container => spec.containers[0] ?? assert.fail()

const mount = (one: Pod, namespace = 'shop'): MountingResult => mountCertificates(one, namespace, SETTINGS)

/** The pod after its patch, which must exist. The judge of the patch is a library of its own. */
function mounted(one: Pod): Whole {
  const result = mount(one)
  assert.ok(result.kind === 'patch', JSON.stringify(result))
  return jsonPatch.applyPatch(structuredClone(one), structuredClone([...result.patch]), true).newDocument as Whole
}

const containersWith = (one: Pod): string[] =>
  containersOf(one).flatMap(({ container }) =>
    container.volumeMounts?.some(({ name }) => name === VOLUME) ? [container.name] : []
  )

const modeOf = (one: Pod): string | undefined =>
  one.spec?.volumes?.find(({ name }) => name === VOLUME)?.secret?.defaultMode?.toString(8)

describe('a pod that names containers', () => {
  it('gets the Secret of its account as a volume, and a mount in each of them', () => {
    const before = pod(FULL)
    const after = mounted(before)
    assert.deepEqual(after.spec.volumes?.at(-1), {
      name: VOLUME,
      secret: { secretName: 'countersign.orders', defaultMode: 0o444 }
    })
    assert.deepEqual(containersWith(after), ['migrate', 'worker'])
    assert.deepEqual(after.spec.initContainers?.[1]?.volumeMounts, [{ name: 'data', mountPath: '/data' }, MOUNT])
    assert.deepEqual(after.spec.initContainers?.[2]?.volumeMounts, [MOUNT])
  })

  it('gets nothing else', () => {
    const before = pod(FULL)
    const after = mounted(before)
    after.spec.volumes?.pop()
    after.spec.initContainers?.[1]?.volumeMounts?.pop()
    delete after.spec.initContainers?.[2]?.volumeMounts
    assert.deepEqual(after, before)
  })

  it('is changed only in the patch: the object itself stays as it is', () => {
    const before = pod(FULL)
    mount(before)
    assert.deepEqual(before, pod(FULL))
  })

  for (const account of [undefined, '', 'default'])
    it(`has the account default where it has ${JSON.stringify(account)}`, () => {
      const after = mounted(pod(SIMPLE, ({ spec }) => Object.assign(spec, { serviceAccountName: account })))
      assert.equal(after.spec.volumes?.[0]?.secret?.secretName, 'countersign.default')
    })

  it('gets lists where it had null, which some clients write', () => {
    const after = mounted(
      pod(SIMPLE, one => {
        Object.assign(one.spec, { volumes: null, initContainers: null })
        Object.assign(web(one), { volumeMounts: null })
      })
    )
    assert.deepEqual(web(after).volumeMounts, [MOUNT])
    assert.equal(after.spec.volumes?.length, 1)
  })

  for (const names of ['worker,orders', ' worker , orders ', 'orders,worker,orders', '\tworker,\n orders'])
    it(`may write ${JSON.stringify(names)}`, () => {
      assert.deepEqual(containersWith(mounted(naming(names, FULL))), ['worker', 'orders'])
    })

  const harmless: Readonly<Record<string, string>> = {
    'the folder above': '/var/run/secrets',
    'the folder of programs': '/run',
    'everything above': '/',
    'the token of the account': '/var/run/secrets/kubernetes.io/serviceaccount',
    'a name that begins like it': '/var/run/secrets/countersign2',
    'a name that ends like it': '/mnt/var/run/secrets/countersign'
  }
  for (const [what, mountPath] of Object.entries(harmless))
    it(`may mount ${what} itself: ${mountPath}`, () => {
      const own = { name: 'own', mountPath }
      const after = mounted(pod(SIMPLE, one => Object.assign(web(one), { volumeMounts: [own] })))
      assert.deepEqual(web(after).volumeMounts, [own, MOUNT])
    })

  it('may have something else at that path in a container that it does not name', () => {
    const side = { name: 'side', volumeMounts: [{ name: 'own', mountPath: MOUNT.mountPath }] }
    assert.deepEqual(containersWith(mounted(pod(SIMPLE, ({ spec }) => spec.containers.push(side)))), ['web'])
  })

  it('may mount the volume elsewhere as well', () => {
    const own = { name: VOLUME, mountPath: '/etc/tls', readOnly: true }
    const after = mounted(pod(SIMPLE, one => Object.assign(web(one), { volumeMounts: [own] })))
    assert.deepEqual(web(after).volumeMounts, [own, MOUNT])
  })
})

describe('the files can be read', () => {
  const as = (runAsUser?: number | null): object => (runAsUser === undefined ? {} : { securityContext: { runAsUser } })
  const modes: Readonly<Record<string, readonly [pod: object, web: object, side: object, mode: string]>> = {
    'by all where nobody says who they run as': [{}, {}, {}, '444'],
    'by all where the pod runs as a user': [{ runAsUser: 1000 }, {}, {}, '444'],
    'by all where only one of two is root': [{}, as(0), {}, '444'],
    'by all where the pod is root and one of two is not': [{ runAsUser: 0 }, as(1000), {}, '444'],
    'by all where it is only said that nobody is root': [{ runAsNonRoot: true }, {}, {}, '444'],
    'by all where only the group is root': [{ runAsGroup: 0 }, {}, {}, '444'],
    'by root where the pod is': [{ runAsUser: 0 }, {}, {}, '400'],
    'by root where every container is': [{ runAsUser: 1000 }, as(0), as(0), '400'],
    'by root where a container says null and the pod is': [{ runAsUser: 0 }, as(null), {}, '400'],
    'by the group of the pod where it has one': [{ fsGroup: 70 }, {}, {}, '440'],
    'by the group of the pod, root or not': [{ fsGroup: 70, runAsUser: 0 }, as(0), as(5), '440'],
    'by the group of root where it is that of the pod': [{ fsGroup: 0 }, as(5), {}, '440'],
    'by all where the group is null': [{ fsGroup: null }, {}, {}, '444']
  }
  for (const [what, [ofPod, ofWeb, ofSide, mode]] of Object.entries(modes))
    it(what, () => {
      const after = mounted(
        pod(SIMPLE, one => {
          Object.assign(one.spec, { securityContext: ofPod })
          Object.assign(web(one), ofWeb)
          one.spec.initContainers = [{ name: 'side', ...ofSide }]
          Object.assign(one.metadata, { annotations: { [CERTIFICATES]: 'web,side' } })
        })
      )
      assert.equal(modeOf(after), mode)
    })

  it('whoever the containers run as that do not mount them', () => {
    const after = mounted(
      pod(SIMPLE, one => {
        Object.assign(web(one), as(0))
        one.spec.containers.push({ name: 'side', ...as(1000) })
      })
    )
    assert.equal(modeOf(after), '400')
  })
})

describe('a pod is left alone', () => {
  const skips: Readonly<Record<string, readonly [string, boolean, Pod, string]>> = {
    'without the annotation': [
      'not-asked',
      false,
      pod(SIMPLE, ({ metadata }) => delete metadata.annotations),
      'kube-system'
    ],
    'with other annotations': [
      'not-asked',
      false,
      pod(SIMPLE, ({ metadata }) => {
        metadata.annotations = { 'countersign.dev/certificate': 'web' }
      }),
      'shop'
    ],
    'in kube-system': ['excluded-namespace', true, pod(SIMPLE), 'kube-system'],
    'in the namespace of Countersign, whatever is wrong with it': [
      'excluded-namespace',
      true,
      naming('nobody'),
      'countersign-system'
    ],
    'when it is the mirror of a static pod': [
      'mirror-pod',
      true,
      pod(SIMPLE, ({ metadata }) => Object.assign(metadata.annotations ?? {}, { 'kubernetes.io/config.mirror': 'a' })),
      'shop'
    ],
    'on Windows': [
      'windows',
      true,
      pod(SIMPLE, ({ spec }) => {
        spec.os = { name: 'windows' }
      }),
      'shop'
    ],
    'when it has everything': ['already-mounted', false, mounted(pod(FULL)), 'shop']
  }
  for (const [what, [reason, unexpected, one, namespace]] of Object.entries(skips))
    it(what, () => {
      const result = mount(one, namespace)
      assert.ok(result.kind === 'skip', JSON.stringify(result))
      assert.deepEqual([result.reason, result.unexpected], [reason, unexpected])
    })
})

describe('a pod is refused', () => {
  const EXPECTED = 'expected names of containers separated by commas, of'
  const names: Readonly<Record<string, readonly [string, string]>> = {
    'for a name that is nearly right': ['wroker', '; there is no container "wroker"; did you mean "worker"'],
    'for a name that is far from right': ['database', '; there is no container "database"'],
    'for a name in capitals': ['Worker', '; there is no container "Worker"; did you mean "worker"'],
    'for all wrong names at once': [
      'orders,wroker,db',
      '; there is no container "wroker"; did you mean "worker"; there is no container "db"'
    ],
    'for names that are separated otherwise': ['orders worker', '; there is no container "orders worker"'],
    'for no name': ['', '; a name is missing'],
    'for blanks': ['  ', '; a name is missing'],
    'for a comma at the end': ['orders,', '; a name is missing'],
    'for commas alone': [',,,', '; a name is missing'],
    'for the proxy': ['orders,countersign-proxy', '; countersign-proxy has its certificate from the agent'],
    'for every container at once': ['*', '; there is no container "*"']
  }
  for (const [what, [text, faults]] of Object.entries(names))
    it(what, () => {
      const message = `annotation ${CERTIFICATES} ${JSON.stringify(text)}: ${EXPECTED} migrate, worker, orders${faults}`
      assert.deepEqual(mount(naming(text, FULL)), { kind: 'refuse', problems: [message], message })
    })

  it('for more wrong names than anybody reads, in a message that somebody can', () => {
    const result = mount(naming(Array.from({ length: 10_000 }, (_, index) => `${'x'.repeat(300)}${index}`).join()))
    assert.ok(result.kind === 'refuse')
    assert.match(result.message, /; and 9980 more are wrong$/)
    assert.ok(result.message.length < 4_000)
  })

  const RESERVED = 'the name is reserved, and this is not what Countersign adds: expected'
  const OURS = { secret: { secretName: 'countersign.default', defaultMode: 0o444 } }
  const volumes: Readonly<Record<string, object>> = {
    'for somebody else’s volume of our name': { emptyDir: {} },
    'for a volume with the Secret of another account': { secret: { ...OURS.secret, secretName: 'countersign.admin' } },
    'for a volume with some of its files': { secret: { ...OURS.secret, items: [{ key: 'key.pem', path: 'k' }] } },
    'for a volume that starts without the Secret': { secret: { ...OURS.secret, optional: true } },
    'for a volume whose files everybody may run': { secret: { ...OURS.secret, defaultMode: 0o777 } },
    'for a volume without a mode': { secret: { secretName: OURS.secret.secretName } },
    'for a volume without a Secret': { secret: {} }
  }
  for (const [what, volume] of Object.entries(volumes))
    it(what, () => {
      const message = `spec.volumes["${VOLUME}"]: ${RESERVED} ${JSON.stringify(OURS)}`
      const one = pod(SIMPLE, ({ spec }) => {
        spec.volumes = [{ name: VOLUME, ...volume }]
      })
      assert.deepEqual(mount(one), { kind: 'refuse', problems: [message], message })
    })

  const { mountPath } = MOUNT
  const mounts: Readonly<Record<string, { name: string; mountPath: string; [field: string]: unknown }>> = {
    'for something else at the path': { name: 'own', mountPath },
    'for something else at the path with a slash': { name: 'own', mountPath: `${mountPath}/` },
    'for something else at the path, written otherwise': {
      name: 'own',
      mountPath: '/var//run/./secrets/x/../countersign'
    },
    'for something else at the path without its first slash': { name: 'own', mountPath: mountPath.slice(1) },
    'for something else at the path to which it leads': { name: 'own', mountPath: '/run/secrets/countersign' },
    'for something else below the path': { name: 'own', mountPath: `${mountPath}/key.pem` },
    'for something else below the path to which it leads': { name: 'own', mountPath: '/run/secrets/countersign/x' },
    'for the volume where it only leads to': { ...MOUNT, mountPath: '/run/secrets/countersign' },
    'for the volume below the path': { ...MOUNT, mountPath: `${mountPath}/more` },
    'for one file of the volume': { ...MOUNT, subPath: 'key.pem' },
    'for one file of the volume by an expression': { ...MOUNT, subPathExpr: '$(FILE)' },
    'for the volume to write to': { ...MOUNT, readOnly: false },
    'for the volume without a word on writing': { name: VOLUME, mountPath }
  }
  for (const [what, volumeMount] of Object.entries(mounts))
    it(what, () => {
      const field = `spec.containers["web"].volumeMounts ${JSON.stringify(volumeMount.mountPath)}`
      const message = `${field}: expected nothing at ${mountPath} or below but ${JSON.stringify(MOUNT)}`
      const one = pod(SIMPLE, changed => Object.assign(web(changed), { volumeMounts: [volumeMount] }))
      assert.deepEqual(mount(one), { kind: 'refuse', problems: [message], message })
    })

  it('for an account whose Secret could have no name', () => {
    const account = 'a'.repeat(242)
    const message = `spec.serviceAccountName "${account}": expected at most 241 characters, so that its Secret can have a name`
    const one = pod(SIMPLE, ({ spec }) => {
      spec.serviceAccountName = account
    })
    assert.deepEqual(mount(one), { kind: 'refuse', problems: [message], message })
  })

  it('for everything at once', () => {
    const one = pod(SIMPLE, changed => {
      changed.metadata.annotations = { [CERTIFICATES]: 'web,wbe' }
      changed.spec.volumes = [{ name: VOLUME, emptyDir: {} }]
      Object.assign(web(changed), { volumeMounts: [{ name: 'own', mountPath }] })
    })
    const result = mount(one)
    assert.ok(result.kind === 'refuse')
    assert.equal(result.problems.length, 3)
    assert.equal(result.message, result.problems.join('; '))
  })
})

describe('mounting twice gives the same pod', () => {
  it('also when the API server has filled in defaults and other webhooks have come between', () => {
    const one = mounted(pod(FULL))
    one.spec.initContainers?.unshift({ name: 'first', image: 'x' })
    one.spec.volumes?.unshift({ name: 'other', emptyDir: {} })
    const volume = one.spec.volumes?.at(-1) ?? assert.fail()
    Object.assign(volume.secret ?? {}, { optional: false, items: [] })
    Object.assign(one.spec.initContainers?.[3]?.volumeMounts?.[0] ?? {}, { recursiveReadOnly: 'Disabled', subPath: '' })
    const result = mount(one)
    assert.equal(result.kind === 'skip' && result.reason, 'already-mounted', JSON.stringify(result))
  })

  it('and gives a container its mount that is named since', () => {
    const one = mounted(pod(SIMPLE))
    one.spec.containers.push({ name: 'late' })
    Object.assign(one.metadata, { annotations: { [CERTIFICATES]: 'web,late' } })
    assert.deepEqual(containersWith(mounted(one)), ['web', 'late'])
    const result = mount(one)
    assert.deepEqual(result.kind === 'patch' && result.patch, [
      { op: 'add', path: '/spec/containers/1/volumeMounts', value: [MOUNT] }
    ])
  })

  const since: Readonly<Record<string, readonly [object, object, string, string]>> = {
    'the group of the pod is known': [{}, { fsGroup: 70 }, '444', '440'],
    'the user is known': [{}, { runAsUser: 0 }, '444', '400'],
    'the user is another': [{ runAsUser: 0 }, { runAsUser: 5 }, '400', '444']
  }
  for (const [what, [first, then, before, after]] of Object.entries(since))
    it(`but for the mode of the files, where since ${what}`, () => {
      const one = mounted(pod(SIMPLE, ({ spec }) => Object.assign(spec, { securityContext: first })))
      assert.equal(modeOf(one), before)
      one.spec.securityContext = then
      assert.equal(modeOf(mounted(one)), after)
    })

  const NAMES = ['a', 'b', 'c', 'd', 'e']
  const context = fc.record(
    { runAsUser: fc.constantFrom(null, 0, 1000), fsGroup: fc.constantFrom(null, 0, 70) },
    { requiredKeys: [] }
  )
  const container = fc.record(
    {
      image: fc.string(),
      securityContext: fc.record({ runAsUser: fc.constantFrom(null, 0, 1000) }, { requiredKeys: [] }),
      restartPolicy: fc.constant('Always'),
      volumeMounts: fc.option(
        fc.array(
          fc.record(
            {
              name: fc.constantFrom('own', VOLUME),
              mountPath: fc.oneof(
                { weight: 3, arbitrary: fc.string() },
                fc.constantFrom(MOUNT.mountPath, '/run', '/var/run/secrets', '/run/secrets/countersign/x', '/etc/tls')
              ),
              readOnly: fc.boolean()
            },
            { requiredKeys: ['name', 'mountPath'] }
          ),
          { maxLength: 3 }
        )
      )
    },
    { requiredKeys: [] }
  )
  const anyPod = fc
    .record({
      containers: fc.array(container, { minLength: 5, maxLength: 5 }),
      initial: fc.nat(4),
      named: fc.oneof({ weight: 8, arbitrary: fc.subarray(NAMES, { minLength: 1 }) }, fc.array(fc.string())),
      spec: fc.record(
        {
          securityContext: context,
          serviceAccountName: fc.constantFrom('', 'orders', 'default'),
          nodeName: fc.string(),
          volumes: fc.option(
            fc.array(
              fc.oneof(
                fc.constant({ name: 'own', emptyDir: {} }),
                fc.constant({ name: VOLUME, secret: { secretName: 'countersign.orders', defaultMode: 0o444 } })
              ),
              { maxLength: 3 }
            )
          )
        },
        { requiredKeys: [] }
      )
    })
    .map(({ containers, initial, named, spec }) => {
      const all = containers.map((one, index) => ({ name: NAMES[index], ...one }))
      return {
        metadata: { annotations: { [CERTIFICATES]: named.join(), other: 'x' } },
        spec: { ...spec, initContainers: all.slice(0, initial), containers: all.slice(initial) }
      }
    })

  it('for any pod, and every field that was there before is still there, untouched', () => {
    const seen = { patch: 0, refuse: 0, skip: 0 }
    fc.assert(
      fc.property(anyPod, generated => {
        const before = JSON.parse(JSON.stringify(generated)) as Pod
        const result = mount(before)
        seen[result.kind]++
        if (result.kind !== 'patch') return
        const after = mounted(before)
        const again = mount(after)
        assert.equal(again.kind === 'skip' && again.reason, 'already-mounted', JSON.stringify(again))
        const named = new Set(before.metadata?.annotations?.[CERTIFICATES]?.split(',').map(name => name.trim()))
        for (const { container } of containersOf(after)) {
          const { mountPath } = MOUNT
          const there = container.volumeMounts?.filter(one => one.name === VOLUME && one.mountPath === mountPath) ?? []
          if (named.has(container.name)) assert.ok(there.length >= 1, container.name)
        }
        assertWithin(before, after, 'pod')
        const foreign = containersOf(before).filter(({ container }) => !named.has(container.name))
        const sameAfter = containersOf(after).filter(({ container }) => !named.has(container.name))
        assert.deepEqual(sameAfter, foreign)
      }),
      { numRuns: 500 }
    )
    assert.ok(seen.patch > 50 && seen.refuse > 50, JSON.stringify(seen))
  })
})

/** That a value holds everything that another holds, lists in their order; null may have become a list. */
function assertWithin(before: unknown, after: unknown, path: string): void {
  if (before === null || typeof before !== 'object') {
    // Of a volume of ours the mode follows the containers.
    if (path.endsWith('.secret.defaultMode')) return
    if (before !== null || !Array.isArray(after)) assert.deepEqual(after, before, path)
    return
  }
  assert.ok(typeof after === 'object' && after !== null && Array.isArray(after) === Array.isArray(before), path)
  for (const [key, value] of Object.entries(before))
    assertWithin(value, (after as Record<string, unknown>)[key], `${path}.${key}`)
}
