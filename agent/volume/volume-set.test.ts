import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createLogger } from '../../shared/log/index.ts'
import { removeVolumeRecord, type VolumeRecord, writeVolumeRecord } from '../../shared/volume/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { VolumeSet } from './index.ts'

const TOKEN = 'eyJ-the-token-of-a-pod'

function record(uid = 'uid-1', change: Partial<VolumeRecord> = {}): VolumeRecord {
  return {
    version: 1,
    volumeId: `csi-${uid}`,
    targetPath: `/var/lib/kubelet/pods/${uid}/volumes/kubernetes.io~csi/countersign/mount`,
    pod: { namespace: 'shop', name: `cart-${uid}`, uid, serviceAccount: 'cart' },
    token: TOKEN,
    tokenExpiresAt: '2026-01-01T01:00:00Z',
    attributes: {},
    ...change
  }
}

describe('the set of volumes', () => {
  let folder: string
  let lines: string[]
  let clock: FakeClock
  let volumes: VolumeSet

  const open = (): VolumeSet => {
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      }
    })
    volumes = new VolumeSet({ folder, clock, log: createLogger('test', 'info', destination) })
    volumes.start()
    return volumes
  }
  const uids = (): string[] => [...volumes.current().keys()].sort()
  const errors = (): { code: string; message: string }[] =>
    lines.map(line => JSON.parse(line)).flatMap(({ level, err }) => (level === 'error' ? [err] : []))
  const until = (condition: () => boolean): Promise<void> =>
    eventually(condition, () => `volumes: ${uids()}, log: ${lines.join('')}`)
  /** Replaces a record as `writeVolumeRecord` would, but with any content. */
  const put = (name: string, content: unknown): void => {
    const path = join(folder, name)
    writeFileSync(`${path}.tmp`, typeof content === 'string' ? content : JSON.stringify(content))
    renameSync(`${path}.tmp`, path)
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-volumes-'))
    lines = []
    clock = new FakeClock()
  })
  afterEach(() => {
    volumes.close()
    rmSync(folder, { recursive: true, force: true })
    assert.doesNotMatch(lines.join(''), new RegExp(TOKEN))
  })

  it('is there when it has started: every record as it was written', () => {
    writeVolumeRecord(folder, record('uid-1', { attributes: { 'countersign.dev/application-address': '10.0.0.7' } }))
    writeVolumeRecord(folder, record('uid-2', { token: undefined }))
    open()
    assert.deepEqual(uids(), ['uid-1', 'uid-2'])
    assert.deepEqual(volumes.current().get('uid-1')?.probes, [])
    const volume = volumes.current().get('uid-1')
    assert.equal(volume?.id, 'csi-uid-1')
    assert.deepEqual(volume?.pod, { namespace: 'shop', name: 'cart-uid-1', uid: 'uid-1', serviceAccount: 'cart' })
    assert.equal(volume?.token?.reveal(), TOKEN)
    assert.deepEqual(volume?.attributes, { 'countersign.dev/application-address': '10.0.0.7' })
    assert.equal(volumes.current().get('uid-2')?.token, undefined)
    assert.deepEqual(lines, [])
  })

  it('follows what comes and goes', async () => {
    open()
    assert.deepEqual(uids(), [])
    writeVolumeRecord(folder, record('uid-1'))
    await until(() => uids().length === 1)
    writeVolumeRecord(folder, record('uid-2'))
    await until(() => uids().length === 2)
    removeVolumeRecord(folder, 'csi-uid-1')
    await until(() => uids().length === 1)
    assert.deepEqual(uids(), ['uid-2'])
  })

  it('has a new volume with the new token when the kubelet published it again, and the others as they were', async () => {
    writeVolumeRecord(folder, record('uid-1'))
    writeVolumeRecord(folder, record('uid-2'))
    open()
    const before = volumes.current()
    let told = 0
    volumes.subscribe(() => {
      told += 1
    })
    writeVolumeRecord(folder, record('uid-1', { token: `${TOKEN}-2` }))
    await until(() => volumes.current().get('uid-1')?.token?.reveal() === `${TOKEN}-2`)
    assert.equal(volumes.current().get('uid-2'), before.get('uid-2'))
    assert.equal(before.get('uid-1')?.token?.reveal(), TOKEN)
    assert.ok(told >= 1)
  })

  it('reads at intervals what it does not hear of', async () => {
    rmSync(folder, { recursive: true })
    open()
    mkdirSync(folder)
    writeVolumeRecord(folder, record('uid-1'))
    await clock.advance(10_000)
    assert.deepEqual(uids(), ['uid-1'])
  })

  it('keeps its volumes when the folder cannot be read', async () => {
    writeVolumeRecord(folder, record('uid-1'))
    open()
    renameSync(folder, `${folder}-away`)
    try {
      await clock.advance(60_000)
      assert.deepEqual(uids(), ['uid-1'])
      assert.deepEqual(
        errors().map(({ code }) => code),
        ['ERR_VOLUME_INVALID'],
        'it is said once'
      )
    } finally {
      renameSync(`${folder}-away`, folder)
    }
  })

  it('tells nobody when nothing has changed', async () => {
    writeVolumeRecord(folder, record('uid-1'))
    open()
    let told = 0
    volumes.subscribe(() => {
      told += 1
    })
    writeFileSync(join(folder, 'README'), 'not a record')
    await clock.advance(60_000)
    assert.equal(told, 0)
    const unsubscribe = volumes.subscribe(() => assert.fail('told after it was ended'))
    unsubscribe()
    writeVolumeRecord(folder, record('uid-2'))
    await until(() => told === 1)
  })

  it('says that it does not know an attribute of ours, and leaves those of others alone', () => {
    const attributes = {
      'countersign.dev/applicaton-address': '10.0.0.7',
      'csi.storage.k8s.io/ephemeral': 'true',
      'countersign.dev/toString': 'x'
    }
    writeVolumeRecord(folder, record('uid-1', { attributes }))
    open()
    assert.deepEqual(volumes.current().get('uid-1')?.attributes, {})
    const [line] = lines.map(text => JSON.parse(text))
    assert.equal(line.level, 'warn')
    assert.deepEqual(line.attributes, ['countersign.dev/applicaton-address', 'countersign.dev/toString'])
  })

  it('reads the probes that the proxy answers', () => {
    const probe = { port: 8080, path: '/ready', headers: [['x-probe', '1']] }
    const attributes = { 'countersign.dev/probes': JSON.stringify({ cart: { readiness: probe } }) }
    writeVolumeRecord(folder, record('uid-1', { attributes }))
    open()
    assert.deepEqual(volumes.current().get('uid-1')?.probes, [
      { container: 'cart', kind: 'readiness', protocol: 'http', scheme: 'HTTP', ...probe }
    ])
    assert.deepEqual(lines, [])
  })

  it('never takes who a pod is from its attributes', () => {
    const attributes = {
      'csi.storage.k8s.io/serviceAccount.name': 'admin',
      'countersign.dev/service-account': 'admin',
      serviceAccount: 'admin'
    }
    writeVolumeRecord(folder, record('uid-1', { attributes }))
    open()
    assert.equal(volumes.current().get('uid-1')?.pod.serviceAccount, 'cart')
  })

  describe('reports a record that cannot be used, by file and field, and serves the others:', () => {
    const pod = record().pod
    const cases: Record<string, [unknown, RegExp]> = {
      'one that is empty': ['', /: not JSON$/],
      'one that is cut off': [JSON.stringify(record('bad')).slice(0, -9), /: not JSON$/],
      'one that is no object': ['null', /: record: /],
      'one of a version to come': [record('bad', { version: 2 as 1 }), /: version: /],
      'one with a field that is not known': [{ ...record('bad'), podLabels: {} }, /podLabels/],
      'one without a pod': [{ ...record('bad'), pod: undefined }, /: pod: /],
      'one without an account': [
        record('bad', { pod: { ...pod, serviceAccount: '' } }),
        /: pod\.serviceAccount: expected/
      ],
      'one of an account with a slash': [
        record('bad', { pod: { ...pod, serviceAccount: 'a/b' } }),
        /: pod\.serviceAccount: /
      ],
      'one of a namespace in upper case': [record('bad', { pod: { ...pod, namespace: 'Shop' } }), /: pod\.namespace: /],
      'one of a pod whose UID leads elsewhere': [
        record('bad', { pod: { ...pod, uid: '../x' } }),
        /: pod\.uid: expected/
      ],
      'one under the name of another': [
        record('other'),
        /: volumeId: expected that of the file's name, got csi-other$/
      ],
      'one with a relative path': [record('bad', { targetPath: 'mount' }), /: targetPath: expected an absolute path$/],
      'one with an empty token': [record('bad', { token: '' }), /: token: /],
      'one whose token expires at no time': [record('bad', { tokenExpiresAt: 'soon' }), /: tokenExpiresAt: /],
      'one with an attribute that is no text': [{ ...record('bad'), attributes: { a: 1 } }, /: attributes\.a: /],
      'one with a probe of another address': [
        record('bad', {
          attributes: { 'countersign.dev/probes': '{"cart":{"liveness":{"port":80,"path":"/","address":"10.0.0.9"}}}' }
        }),
        /: attributes\.countersign\.dev\/probes: cart\.liveness: expected no other fields$/
      ],
      'one with a probe of no port, whose headers it does not show': [
        record('bad', {
          attributes: {
            'countersign.dev/probes': `{"cart":{"liveness":{"port":0,"path":"/","headers":[["a","${TOKEN}"]]}}}`
          }
        }),
        /: attributes\.countersign\.dev\/probes: cart\.liveness\.port: expected a port from 1 to 65535$/
      ],
      'one with probes that are no JSON': [
        record('bad', { attributes: { 'countersign.dev/probes': TOKEN } }),
        /: attributes\.countersign\.dev\/probes: expected JSON$/
      ],
      'one with a name for an address': [
        record('bad', { attributes: { 'countersign.dev/application-address': 'localhost' } }),
        /: attributes\.countersign\.dev\/application-address: expected an IPv4 or IPv6 address, got "localhost"$/
      ]
    }
    for (const [title, [content, message]] of Object.entries(cases))
      it(title, async () => {
        writeVolumeRecord(folder, record('good'))
        put('csi-bad.json', content)
        open()
        await clock.advance(60_000)
        assert.deepEqual(uids(), ['good'])
        const [error, ...others] = errors()
        assert.equal(error?.code, 'ERR_VOLUME_INVALID')
        assert.match(error.message, /^volume record csi-bad\.json: /)
        assert.match(error.message, message)
        assert.deepEqual(others, [], 'it is said once')
      })
  })

  it('keeps a volume whose record was replaced by a bad one, until the record is gone', async () => {
    writeVolumeRecord(folder, record('uid-1'))
    open()
    const before = volumes.current().get('uid-1')
    put('csi-uid-1.json', '{')
    await until(() => errors().length > 0)
    assert.equal(volumes.current().get('uid-1'), before)
    unlinkSync(join(folder, 'csi-uid-1.json'))
    await until(() => uids().length === 0)
  })

  it('serves one volume of a pod, and goes on with that when a tenant adds another', async () => {
    writeVolumeRecord(folder, record('uid-1', { volumeId: 'csi-m' }))
    open()
    writeVolumeRecord(folder, record('uid-1', { volumeId: 'csi-a' }))
    await until(() => errors().length > 0)
    await clock.advance(60_000)
    assert.equal(errors().length, 1)
    assert.match(errors()[0]?.message ?? '', /^volume csi-a: pod uid-1 has another volume already/)
    assert.equal(volumes.current().get('uid-1')?.id, 'csi-m')
    removeVolumeRecord(folder, 'csi-m')
    await until(() => volumes.current().get('uid-1')?.id === 'csi-a')
  })

  it('takes the lower id when a pod has two volumes from the start', () => {
    for (const volumeId of ['csi-b', 'csi-a', 'csi-c']) writeVolumeRecord(folder, record('uid-1', { volumeId }))
    open()
    assert.equal(volumes.current().get('uid-1')?.id, 'csi-a')
    assert.equal(errors().length, 2)
  })
})
