import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { systemClock } from '../../shared/clock/index.ts'
import { Readiness } from '../../shared/lifecycle/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import {
  InfoRequestSchema,
  type PluginInfo,
  Registration as RegistrationService,
  RegistrationStatusSchema
} from '../../shared/proto/gen/staging/src/k8s.io/kubelet/pkg/apis/pluginregistration/v1/api_pb.js'
import { InjectedServer, UNIX_SERVER_OPTIONS } from '../../shared/rpc/index.ts'
import { TestKubelet } from '../csi/kubelet.test-support.ts'
import { KeptSocket } from '../serving/index.ts'
import { Registration, registrationSocket } from './index.ts'

const ENDPOINT = '/var/lib/kubelet/plugins/csi.countersign.dev/csi.sock'

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

describe('the registration with the kubelet', () => {
  let base = ''
  let path = ''
  let kubelet: TestKubelet
  let readiness: Readiness
  let server: InjectedServer
  let socket: KeptSocket
  let lines: string[] = []
  const log = createLogger('node', 'trace', { write: line => void lines.push(line) })

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'countersign-registration-'))
    path = join(base, registrationSocket('csi.countersign.dev'))
    kubelet = new TestKubelet(join(base, 'kubelet'))
    lines = []
    readiness = new Readiness(log)
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    const context = { log, observer: { started: () => () => {} } }
    const registration = new Registration({ driver: 'csi.countersign.dev', endpoint: ENDPOINT, readiness, context })
    registration.addService(server)
    socket = new KeptSocket({
      path,
      server,
      peer: 'kubelet',
      maxConnections: 16,
      clock: systemClock,
      log,
      onLost: () => registration.lost()
    })
    await socket.start()
  })
  afterEach(async () => {
    kubelet.close()
    server.close()
    await socket.close()
    rmSync(base, { recursive: true })
  })

  // grpc-go of older kubelets makes the authority of the path, percent-encoded.
  const authority = (): string => encodeURIComponent(path)
  const info = (): Promise<PluginInfo> =>
    kubelet.call(path, RegistrationService.method.getInfo, create(InfoRequestSchema), authority())
  const notify = (pluginRegistered: boolean, error = ''): Promise<unknown> =>
    kubelet.call(
      path,
      RegistrationService.method.notifyRegistrationStatus,
      create(RegistrationStatusSchema, { pluginRegistered, error }),
      authority()
    )

  it('has a socket whose name the kubelet does not pass over', () => {
    assert.equal(basename(path), 'csi.countersign.dev-reg.sock')
    assert.ok(existsSync(path))
  })

  it('tells that it is a CSI driver, where it is, and which versions it speaks', async () => {
    const { type, name, endpoint, supportedVersions } = await info()
    assert.deepEqual(
      [type, name, endpoint, supportedVersions],
      ['CSIPlugin', 'csi.countersign.dev', ENDPOINT, ['1.0.0']]
    )
  })

  it('is owed until the kubelet says that it is done', async () => {
    assert.deepEqual(readiness.open, ['registered'])
    await info()
    assert.deepEqual(readiness.open, ['registered'])
    await notify(true)
    assert.ok(readiness.ready)
  })

  it('stays done when the kubelet restarts and says so again', async () => {
    for (const _ of [1, 2, 3]) {
      await info()
      await notify(true)
    }
    assert.ok(readiness.ready)
  })

  it('is owed again when the kubelet refuses, with its reason in the log, and done when it does not', async () => {
    await notify(true)
    await notify(false, 'plugin validation failed')
    await notify(false, 'plugin validation failed')
    assert.deepEqual(readiness.open, ['registered'])
    assert.match(lines.join(''), /"reason":"plugin validation failed".*the kubelet did not register the driver/)
    await notify(true)
    assert.ok(readiness.ready)
  })

  it('is owed again when the socket was removed, and done again through the new one', async () => {
    await notify(true)
    rmSync(path)
    await eventually(() => !readiness.ready, 'the loss is noticed')
    await eventually(() => lines.some(line => line.includes('it is there again')), 'the socket is there again')
    await info()
    await notify(true)
    assert.ok(readiness.ready)
  })

  it('is owed once, however often the socket is removed', async () => {
    for (let round = 1; round <= 3; round++) {
      rmSync(path)
      await eventually(() => lines.filter(line => line.includes('it is there again')).length === round, 'it is back')
    }
    assert.deepEqual(readiness.open, ['registered'])
  })
})
