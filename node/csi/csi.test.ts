import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { type ServiceError, status } from '@grpc/grpc-js'
import { podBootstrap } from '../../shared/bootstrap/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import {
  GetPluginCapabilitiesRequestSchema,
  GetPluginInfoRequestSchema,
  Identity,
  Node,
  NodeGetCapabilitiesRequestSchema,
  NodeGetInfoRequestSchema,
  NodeStageVolumeRequestSchema,
  ProbeRequestSchema
} from '../../shared/proto/gen/csi_pb.js'
import { InjectedServer, listenUnix, UNIX_SERVER_OPTIONS, type UnixListener } from '../../shared/rpc/index.ts'
import { readVolumeRecord, writeVolumeRecord } from '../../shared/volume/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { addIdentityService, addNodeService, OrphanSweep, PublishedVolumes } from './index.ts'
import { POD, type PublishOptions, TestKubelet, TOKEN, volumeIdOf } from './kubelet.test-support.ts'

const VOLUME = volumeIdOf(POD.uid)

describe('the CSI driver', () => {
  let base = ''
  let records = ''
  let socket = ''
  let kubelet: TestKubelet
  let server: InjectedServer
  let listener: UnixListener
  let volumes: PublishedVolumes
  let lines: string[] = []
  const log = createLogger('node', 'trace', { write: line => void lines.push(line) })

  const serve = async (tokensInSecrets = false): Promise<void> => {
    const context = { log, observer: { started: () => () => {} } }
    volumes = new PublishedVolumes({ podsFolder: kubelet.pods, recordsFolder: records, log })
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    addIdentityService(server, '1.2.3', context)
    const settings = { podsFolder: kubelet.pods, tokensInSecrets }
    addNodeService(server, { nodeName: 'node-1', settings, volumes, context })
    listener = await listenUnix(socket, {
      mode: 0o600,
      maxConnections: 100,
      onConnection: connection => server.accept(connection, 'kubelet')
    })
  }

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'countersign-csi-'))
    records = join(base, 'volumes')
    socket = join(base, 'csi.sock')
    mkdirSync(records)
    lines = []
    kubelet = new TestKubelet(join(base, 'kubelet'))
    await serve()
  })
  afterEach(async () => {
    kubelet.close()
    server.close()
    await listener.close()
    rmSync(base, { recursive: true })
    // Whatever was asked, none of it may show: neither a token nor what a tenant wrote.
    assert.doesNotMatch(lines.join(''), /eyJ|c2VjcmV0|tenant-text|volumeContext|volume_context"/)
  })

  const publish = (options?: PublishOptions) => kubelet.publish(socket, options)
  const record = () => readVolumeRecord(records, VOLUME)

  describe('asked who it is', () => {
    it('gives its name and version', async () => {
      const info = await kubelet.call(socket, Identity.method.getPluginInfo, create(GetPluginInfoRequestSchema))
      assert.deepEqual([info.name, info.vendorVersion], ['csi.countersign.dev', '1.2.3'])
    })

    it('has no controller, claims no capability, and is ready', async () => {
      const plugin = await kubelet.call(
        socket,
        Identity.method.getPluginCapabilities,
        create(GetPluginCapabilitiesRequestSchema)
      )
      const node = await kubelet.call(socket, Node.method.nodeGetCapabilities, create(NodeGetCapabilitiesRequestSchema))
      assert.deepEqual([plugin.capabilities, node.capabilities], [[], []])
      assert.equal((await kubelet.call(socket, Identity.method.probe, create(ProbeRequestSchema))).ready, true)
    })

    it('gives the name of its node, and no limit of volumes', async () => {
      const info = await kubelet.call(socket, Node.method.nodeGetInfo, create(NodeGetInfoRequestSchema))
      assert.deepEqual([info.nodeId, info.maxVolumesPerNode, info.accessibleTopology], ['node-1', 0n, undefined])
    })

    it('answers what it does not do with UNIMPLEMENTED', async () => {
      await assert.rejects(
        kubelet.call(socket, Node.method.nodeStageVolume, create(NodeStageVolumeRequestSchema)),
        (thrown: ServiceError) => thrown.code === status.UNIMPLEMENTED
      )
    })
  })

  describe('publishing a volume', () => {
    it('makes the folder with the file that the proxy starts from, and the record, and nothing else', async () => {
      assert.deepEqual(await publish({ attributes: { 'countersign.dev/x': 'tenant-text' } }), {
        code: 'OK',
        details: ''
      })
      assert.deepEqual(readdirSync(kubelet.targetPath()), ['envoy.json'])
      const bootstrap = join(kubelet.targetPath(), 'envoy.json')
      assert.equal(readFileSync(bootstrap, 'utf8'), podBootstrap(POD))
      // The proxy is another user.
      assert.equal(statSync(bootstrap).mode & 0o777, 0o644)
      assert.deepEqual(record(), {
        version: 1,
        volumeId: VOLUME,
        targetPath: kubelet.targetPath(),
        pod: { ...POD },
        token: TOKEN,
        tokenExpiresAt: '2026-11-22T20:00:00Z',
        attributes: { 'countersign.dev/x': 'tenant-text' }
      })
      assert.match(lines.join(''), /volume published/)
    })

    it('does the same a second time: the record stays, a damaged file of the proxy is mended', async () => {
      await publish()
      writeFileSync(join(kubelet.targetPath(), 'agent.sock'), '')
      writeFileSync(join(kubelet.targetPath(), 'envoy.json'), '{')
      const { ino } = statSync(join(records, `${VOLUME}.json`))
      assert.equal((await publish()).code, 'OK')
      assert.equal(statSync(join(records, `${VOLUME}.json`)).ino, ino)
      assert.deepEqual(readdirSync(kubelet.targetPath()).sort(), ['agent.sock', 'envoy.json'])
      assert.equal(readFileSync(join(kubelet.targetPath(), 'envoy.json'), 'utf8'), podBootstrap(POD))
    })

    it('does the same when many calls for it come at once', async () => {
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => publish()))
      assert.deepEqual(new Set(outcomes.map(({ code }) => code)), new Set(['OK']))
      assert.deepEqual(readdirSync(records), [`${VOLUME}.json`])
    })

    it('keeps volumes of several pods apart', async () => {
      const other = { uid: '00000000-0000-4000-8000-000000000002', name: 'other' }
      await Promise.all([publish(), publish({ pod: other })])
      assert.equal(record()?.pod.name, POD.name)
      assert.equal(readVolumeRecord(records, volumeIdOf(other.uid))?.pod.name, 'other')
    })

    it('takes a token from the secrets', async () => {
      await publish({ tokensIn: 'secrets' })
      assert.equal(record()?.token, TOKEN)
    })

    it('ignores a token in the volume context when tokens come in the secrets', async () => {
      server.close()
      await listener.close()
      await serve(true)
      const forged = { 'csi.storage.k8s.io/serviceAccount.tokens': '{"countersign-ca":{"token":"forged"}}' }
      assert.equal((await publish({ tokensIn: 'secrets', attributes: forged })).code, 'OK')
      assert.equal(record()?.token, TOKEN)
      assert.equal((await publish({ pod: { uid: 'another' }, attributes: forged })).code, 'INVALID_ARGUMENT')
    })

    for (const [title, change, details] of [
      ['can be written', { readonly: false }, /readonly: expected true/],
      ['has no pod', { volumeContext: {} }, /pod\.name: required.*podInfoOnMount/],
      ['lies elsewhere', { targetPath: '/tmp/elsewhere' }, /target_path: expected/],
      ['has no name', { volumeId: '' }, /volume_id: required/]
    ] as const)
      it(`refuses one that ${title} for good, says why, and leaves nothing behind`, async () => {
        const outcome = await publish({ change: request => Object.assign(request, change) })
        assert.equal(outcome.code, 'INVALID_ARGUMENT')
        assert.match(outcome.details, details)
        assert.deepEqual(readdirSync(records), [])
        assert.equal(existsSync(kubelet.targetPath()), false)
      })

    it('refuses a second volume of the same pod for good, and the first one stays', async () => {
      await publish()
      const second = { targetPath: kubelet.targetPath(POD.uid, 'aaa'), volumeId: volumeIdOf(POD.uid, 'aaa') }
      mkdirSync(dirname(second.targetPath), { recursive: true })
      const outcome = await publish({ change: request => Object.assign(request, second) })
      assert.equal(outcome.code, 'INVALID_ARGUMENT')
      assert.match(outcome.details, /expected the volume countersign, got aaa/)
      assert.deepEqual(readdirSync(records), [`${VOLUME}.json`])
      assert.equal(existsSync(second.targetPath), false)
      assert.equal((await kubelet.unpublish(socket, second.targetPath, second.volumeId)).code, 'OK')
      assert.ok(record())
    })

    // An earlier version served it: a final answer would make the kubelet remove it from the running pod.
    it('never answers with a final error for a second volume that is published already', async () => {
      const second = { targetPath: kubelet.targetPath(POD.uid, 'aaa'), volumeId: volumeIdOf(POD.uid, 'aaa') }
      mkdirSync(second.targetPath, { recursive: true })
      const outcome = await publish({ change: request => Object.assign(request, second) })
      assert.equal(outcome.code, 'UNAVAILABLE')
      assert.ok(existsSync(second.targetPath))
    })

    it('is tried again by the kubelet when the file system refuses', async () => {
      rmSync(records, { recursive: true })
      const outcome = await publish()
      assert.equal(outcome.code, 'UNAVAILABLE')
      mkdirSync(records)
      assert.equal((await publish()).code, 'OK')
      assert.ok(record())
    })

    it('is tried again when something is in the way', async () => {
      mkdirSync(dirname(kubelet.targetPath()), { recursive: true })
      writeFileSync(kubelet.targetPath(), 'x')
      const outcome = await publish()
      assert.equal(outcome.code, 'UNAVAILABLE')
      assert.match(outcome.details, /something that is not a folder is in the way/)
    })
  })

  describe('publishing a volume again, under a running pod', () => {
    beforeEach(async () => {
      await publish()
    })

    it('replaces the token and nothing else', async () => {
      writeFileSync(join(kubelet.targetPath(), 'envoy.json'), '{}')
      const before = { ...statSync(kubelet.targetPath()) }
      assert.equal((await publish({ token: 'fresh' })).code, 'OK')
      assert.equal(record()?.token, 'fresh')
      assert.equal(statSync(kubelet.targetPath()).ino, before.ino)
      assert.deepEqual(readdirSync(kubelet.targetPath()), ['envoy.json'])
    })

    const bad: Record<string, PublishOptions> = {
      'can be written all at once': { change: request => Object.assign(request, { readonly: false }) },
      'has lost its pod': { change: request => Object.assign(request, { volumeContext: {} }) },
      'has lost its token': {
        change: request => void delete request.volumeContext['csi.storage.k8s.io/serviceAccount.tokens']
      },
      'has a token that cannot be read': { token: '' },
      'has lost its capability': { change: request => void delete request.volumeCapability },
      'has moved': { change: request => Object.assign(request, { targetPath: '/tmp/elsewhere' }) },
      'is of another account': { pod: { serviceAccount: 'admin' } },
      'is of a pod of another name': { pod: { name: 'other' } },
      'is of another namespace': { pod: { namespace: 'kube-system' } }
    }
    for (const [title, options] of Object.entries(bad))
      it(`is UNAVAILABLE, never final, when it ${title}; the record stays`, async () => {
        const before = record()
        assert.equal((await publish(options)).code, 'UNAVAILABLE')
        assert.deepEqual(record(), before)
        assert.ok(existsSync(kubelet.targetPath()))
      })

    it('is never final while the folder is there, though the record was lost', async () => {
      rmSync(join(records, `${VOLUME}.json`))
      const readonly = { change: (request: object) => void Object.assign(request, { readonly: false }) }
      assert.equal((await publish(readonly)).code, 'UNAVAILABLE')
      assert.equal((await publish()).code, 'OK')
      assert.equal(record()?.pod.uid, POD.uid)
    })

    it('is never final while a record is there, though the folder was lost', async () => {
      rmSync(kubelet.targetPath(), { recursive: true })
      const readonly = { change: (request: object) => void Object.assign(request, { readonly: false }) }
      assert.equal((await publish(readonly)).code, 'UNAVAILABLE')
      assert.equal((await publish()).code, 'OK')
      assert.ok(existsSync(kubelet.targetPath()))
    })

    it('mends a record that cannot be read', async () => {
      writeFileSync(join(records, `${VOLUME}.json`), '{"token":"eyJ')
      assert.equal((await publish()).code, 'OK')
      assert.equal(record()?.token, TOKEN)
    })

    it('works after a restart, which forgets nothing', async () => {
      server.close()
      await listener.close()
      await serve()
      assert.equal((await publish({ token: 'fresh' })).code, 'OK')
      assert.equal((await kubelet.unpublish(socket)).code, 'OK')
      assert.deepEqual(readdirSync(records), [])
    })
  })

  describe('unpublishing a volume', () => {
    it('removes record, folder and what the agent put there', async () => {
      await publish()
      writeFileSync(join(kubelet.targetPath(), 'envoy.json'), '{}')
      assert.equal((await kubelet.unpublish(socket)).code, 'OK')
      assert.deepEqual(readdirSync(records), [])
      assert.deepEqual(readdirSync(dirname(kubelet.targetPath())), [])
    })

    it('succeeds when it is done already, and when nothing was ever there', async () => {
      await publish()
      for (const _ of [1, 2, 3]) assert.equal((await kubelet.unpublish(socket)).code, 'OK')
      assert.equal((await kubelet.unpublish(socket, kubelet.targetPath('never'), volumeIdOf('never'))).code, 'OK')
    })

    it('removes the record of a folder that is gone', async () => {
      await publish()
      rmSync(join(kubelet.pods, POD.uid), { recursive: true })
      assert.equal((await kubelet.unpublish(socket)).code, 'OK')
      assert.deepEqual(readdirSync(records), [])
    })

    it('succeeds when a file is in place of the folders above it', async () => {
      await publish()
      rmSync(join(kubelet.pods, POD.uid), { recursive: true })
      writeFileSync(join(kubelet.pods, POD.uid), 'x')
      assert.equal((await kubelet.unpublish(socket)).code, 'OK')
      assert.deepEqual(readdirSync(records), [])
    })

    it('removes a record that cannot be read', async () => {
      await publish()
      writeFileSync(join(records, `${VOLUME}.json`), '')
      assert.equal((await kubelet.unpublish(socket)).code, 'OK')
      assert.deepEqual(readdirSync(records), [])
    })

    it('has removed the record when the folder cannot be removed, and is tried again', async () => {
      await publish()
      const parent = dirname(kubelet.targetPath())
      rmSync(kubelet.targetPath(), { recursive: true })
      const elsewhere = join(base, 'elsewhere')
      mkdirSync(elsewhere)
      rmSync(parent, { recursive: true })
      symlinkSync(elsewhere, parent)
      const outcome = await kubelet.unpublish(socket)
      assert.equal(outcome.code, 'UNAVAILABLE')
      assert.match(outcome.details, /no symbolic link/)
      assert.deepEqual(readdirSync(records), [])
    })

    it('leaves the record of a volume at another path alone', async () => {
      await publish()
      assert.equal((await kubelet.unpublish(socket, kubelet.targetPath('other'))).code, 'OK')
      assert.ok(record())
    })

    for (const path of ['', '/', '/etc', '/var/lib/kubelet', '../x'])
      it(`refuses the path ${JSON.stringify(path)}`, async () => {
        await publish()
        const outcome = await kubelet.unpublish(socket, path)
        assert.equal(outcome.code, 'INVALID_ARGUMENT')
        assert.match(outcome.details, /target_path: expected /)
        assert.ok(record())
      })

    it('refuses what is not the folder of a volume, and leaves it as it is', async () => {
      await publish()
      for (const path of [kubelet.pods, join(kubelet.pods, POD.uid), dirname(kubelet.targetPath())])
        assert.equal((await kubelet.unpublish(socket, path)).code, 'INVALID_ARGUMENT')
      assert.ok(existsSync(kubelet.targetPath()))
    })

    it('refuses a call without a volume', async () => {
      assert.match((await kubelet.unpublish(socket, kubelet.targetPath(), '')).details, /volume_id: required/)
    })
  })

  describe('records without a folder', () => {
    const sweep = (clock = new FakeClock()): FakeClock => {
      const one = new OrphanSweep({ volumes, clock, log })
      one.start()
      return clock
    }

    it('are removed at the start', async () => {
      await publish()
      rmSync(join(kubelet.pods, POD.uid), { recursive: true })
      sweep()
      assert.deepEqual(readdirSync(records), [])
      assert.match(lines.join(''), /the folder of its volume is gone/)
    })

    it('are removed within a minute', async () => {
      await publish()
      const clock = sweep()
      await clock.advance(60_000)
      assert.ok(record())
      rmSync(join(kubelet.pods, POD.uid), { recursive: true })
      await clock.advance(60_000)
      assert.deepEqual(readdirSync(records), [])
    })

    it('stay while there is no folder of pods: then nothing is known', async () => {
      await publish()
      rmSync(kubelet.pods, { recursive: true })
      sweep()
      assert.ok(record())
    })

    it('stay when they cannot be read', async () => {
      writeFileSync(join(records, 'csi-broken.json'), '{')
      sweep()
      assert.deepEqual(readdirSync(records), ['csi-broken.json'])
    })

    it('are not looked for where there is no folder of records; the next look may find it', async () => {
      rmSync(records, { recursive: true })
      const clock = sweep()
      assert.match(lines.join(''), /records were not looked through/)
      mkdirSync(records)
      writeVolumeRecord(records, { version: 1, volumeId: 'a', targetPath: join(kubelet.pods, 'gone'), pod: { ...POD } })
      await clock.advance(60_000)
      assert.deepEqual(readdirSync(records), [])
    })

    it('are not looked for any more after close', () => {
      const clock = new FakeClock()
      const one = new OrphanSweep({ volumes, clock, log })
      one.start()
      one.close()
      assert.equal(clock.pending, 0)
    })
  })
})
