// The program as it runs: in a process of its own, with the kubelet's folders in a temporary one.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { type ServiceError, status } from '@grpc/grpc-js'
import manifest from '../package.json' with { type: 'json' }
import { ApplyRequestSchema, Capture } from '../shared/proto/gen/countersign/node/v1/capture_pb.js'
import { GetPluginInfoRequestSchema, Identity, Node, NodeGetInfoRequestSchema } from '../shared/proto/gen/csi_pb.js'
import {
  InfoRequestSchema,
  Registration,
  RegistrationStatusSchema
} from '../shared/proto/gen/staging/src/k8s.io/kubelet/pkg/apis/pluginregistration/v1/api_pb.js'
import { readVolumeRecord, writeVolumeRecord } from '../shared/volume/index.ts'
import { eventually } from '../test/eventually.ts'
import { freePort } from '../test/free-port.ts'
import { POD, TestKubelet, TOKEN, volumeIdOf } from './csi/kubelet.test-support.ts'

describe('the program of the privileged container', () => {
  let base = ''
  let port = 0
  let kubelet: TestKubelet
  let child: ChildProcess | undefined
  let output = ''

  const path = (...parts: string[]): string => join(base, ...parts)
  const csiSocket = (): string => path('csi/csi.sock')
  const registrationSocket = (): string => path('registration/csi.countersign.dev-reg.sock')

  const start = async (...more: string[]): Promise<void> => {
    output = ''
    const options = {
      node: 'node-1',
      state: path('state'),
      health: `127.0.0.1:${port}`,
      kubelet: kubelet.root,
      registration: path('registration'),
      'csi-socket': csiSocket(),
      'log-level': 'trace'
    }
    const flags = Object.entries(options).flatMap(([flag, value]) => [`--${flag}`, value])
    child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...flags, ...more], { env: {} })
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', part => (output += part))
    await eventually(
      () => output.includes('"msg":"started"') || child?.exitCode !== null,
      () => output
    )
  }
  const end = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null) return running?.exitCode ?? null
    const exited = new Promise<number | null>(resolve => running.once('exit', resolve))
    running.kill(signal)
    return exited
  }
  // But for capture: whether that is possible depends on who runs the tests. Those in test/netns ask for it, as root.
  const ready = async (): Promise<{ ready: boolean; open: string[] }> => {
    const answer = (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as { open: string[] }
    const open = answer.open.filter(name => name !== 'capture')
    return { ready: open.length === 0, open }
  }
  const register = (): Promise<unknown> =>
    kubelet.call(
      registrationSocket(),
      Registration.method.notifyRegistrationStatus,
      create(RegistrationStatusSchema, { pluginRegistered: true })
    )

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'countersign-node-'))
    for (const folder of ['csi', 'registration', 'state']) mkdirSync(path(folder))
    // As the kubelet makes the folder of a hostPath.
    chmodSync(path('state'), 0o755)
    kubelet = new TestKubelet(path('kubelet'))
    port = await freePort('127.0.0.1')
  })
  afterEach(async () => {
    await end('SIGKILL')
    kubelet.close()
    rmSync(base, { recursive: true })
    assert.doesNotMatch(output, /eyJ|c2VjcmV0|tenant-text/, 'the log shows a token, or what a tenant wrote')
  })

  it('is found by the kubelet, publishes and unpublishes, and closes without leaving a socket', async () => {
    await start()
    assert.deepEqual(await ready(), { ready: false, open: ['registered'] })

    const found = await kubelet.call(registrationSocket(), Registration.method.getInfo, create(InfoRequestSchema))
    assert.equal(found.endpoint, join(kubelet.root, 'plugins/csi.countersign.dev/csi.sock'))
    const info = await kubelet.call(csiSocket(), Identity.method.getPluginInfo, create(GetPluginInfoRequestSchema))
    assert.deepEqual([info.name, info.vendorVersion], [found.name, manifest.version])
    const node = await kubelet.call(csiSocket(), Node.method.nodeGetInfo, create(NodeGetInfoRequestSchema))
    assert.equal(node.nodeId, 'node-1')
    await register()
    assert.deepEqual(await ready(), { ready: true, open: [] })

    for (const folder of ['state', 'state/volumes']) assert.equal(statSync(path(folder)).mode & 0o777, 0o700)
    for (const socket of [csiSocket(), registrationSocket(), path('state/node.sock')])
      assert.equal(statSync(socket).mode & 0o777, 0o600, socket)

    assert.equal((await kubelet.publish(csiSocket(), { attributes: { x: 'tenant-text' } })).code, 'OK')
    assert.equal((await kubelet.publish(csiSocket(), { token: 'eyJmcmVzaA' })).code, 'OK')
    assert.equal(
      (await kubelet.publish(csiSocket(), { change: request => Object.assign(request, { readonly: false }) })).code,
      'UNAVAILABLE'
    )
    assert.equal(readVolumeRecord(path('state/volumes'), volumeIdOf(POD.uid))?.token, 'eyJmcmVzaA')
    assert.equal((await kubelet.unpublish(csiSocket())).code, 'OK')
    assert.deepEqual(readdirSync(path('state/volumes')), [])

    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    assert.match(metrics, /^countersign_node_calls_total\{method="NodePublishVolume",status="OK"\} 2$/m)
    assert.match(metrics, /^countersign_node_calls_total\{method="NodePublishVolume",status="UNAVAILABLE"\} 1$/m)
    assert.doesNotMatch(metrics, /eyJ|tenant-text/)

    assert.equal(await end(), 0)
    assert.deepEqual(
      [csiSocket(), registrationSocket(), path('state/node.sock')].filter(socket => existsSync(socket)),
      []
    )
  })

  it('takes a token from the secrets alone when it is told so', async () => {
    await start('--tokens-in-secrets')
    assert.equal((await kubelet.publish(csiSocket(), { pod: { uid: 'in-context' } })).code, 'INVALID_ARGUMENT')
    assert.equal((await kubelet.publish(csiSocket(), { tokensIn: 'secrets' })).code, 'OK')
    assert.equal(readVolumeRecord(path('state/volumes'), volumeIdOf(POD.uid))?.token, TOKEN)
  })

  it('forgets no volume when it is killed, and clears up when it comes back', async () => {
    await start()
    await kubelet.publish(csiSocket())
    await kubelet.publish(csiSocket(), { pod: { uid: 'gone' } })
    await end('SIGKILL')
    rmSync(join(kubelet.pods, 'gone'), { recursive: true })
    writeFileSync(path('state/volumes/.csi-x.json.0123456789ab.tmp'), 'half a t')
    await start()
    assert.deepEqual(readdirSync(path('state/volumes')), [`${volumeIdOf(POD.uid)}.json`])
    assert.equal((await kubelet.publish(csiSocket(), { token: 'eyJmcmVzaA' })).code, 'OK')
    assert.equal((await kubelet.unpublish(csiSocket())).code, 'OK')
  })

  it('has its sockets again when they are removed, and is not ready until the kubelet registered it anew', async () => {
    await start()
    await register()
    for (const socket of [csiSocket(), registrationSocket(), path('state/node.sock')]) {
      const { ino } = statSync(socket)
      rmSync(socket)
      await eventually(
        () => existsSync(socket) && output.includes(`"socket":"${socket}","msg":"the file of a socket was gone`),
        () => `${socket} (inode ${ino}) is there again: ${output}`
      )
    }
    assert.deepEqual(await ready(), { ready: false, open: ['registered'] })
    await register()
    assert.equal((await ready()).ready, true)
    assert.equal((await kubelet.publish(csiSocket())).code, 'OK')
  })

  it('answers the agent, of a pod that has no process', async () => {
    await start()
    await assert.rejects(
      kubelet.call(path('state/node.sock'), Capture.method.apply, create(ApplyRequestSchema, { podUid: POD.uid })),
      ({ code }: ServiceError) => code === status.NOT_FOUND
    )
  })

  for (const [title, prepare, complaint] of [
    [
      'its state folder is open to others',
      () => {
        writeFileSync(path('state/file'), '')
      },
      /ERR_STATE_FOLDER_UNSAFE.*chmod 0700/
    ],
    [
      'the folder of the kubelet’s plugins is missing',
      () => rmSync(path('registration'), { recursive: true }),
      /ERR_ADDRESS_UNUSABLE.*registration/
    ],
    [
      'the folder of its own socket is missing',
      () => rmSync(path('csi'), { recursive: true }),
      /ERR_ADDRESS_UNUSABLE.*csi\.sock/
    ]
  ] as const)
    it(`does not start when ${title}, and says why`, async () => {
      prepare()
      await start()
      await eventually(
        () => child?.exitCode !== null,
        () => output
      )
      assert.equal(child?.exitCode, 1)
      assert.match(output, complaint)
    })

  it('keeps records that another version wrote, though it cannot read them', async () => {
    mkdirSync(path('state/volumes'), { mode: 0o700 })
    chmodSync(path('state'), 0o700)
    writeFileSync(path('state/volumes/csi-future.json'), '{"version":2}')
    writeVolumeRecord(path('state/volumes'), { version: 1, volumeId: 'gone', targetPath: '/gone', pod: { ...POD } })
    await start()
    assert.deepEqual(readdirSync(path('state/volumes')), ['csi-future.json'])
  })
})
