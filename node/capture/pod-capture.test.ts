import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { ApplyRequestSchema, Capture } from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'
import {
  InjectedServer,
  listenUnix,
  UNIX_SERVER_OPTIONS,
  type UnixListener,
  unaryCall
} from '../../shared/rpc/index.ts'
import { addCaptureService, PodCapture, type PodNetwork, PodProcesses, type Redirector } from './index.ts'
import { FakeProc } from './proc.test-support.ts'

const PODS = ['5f3c9f2e-8b1d-4c7a-9e61-0d2b8a6f4c11', '00000000-0000-4000-8000-000000000002'] as const
const [POD, OTHER] = PODS

/** Applies when it is told to, and knows how many do so at one time. */
class FakeRedirector implements Redirector {
  readonly applied: { network: PodNetwork; exclusions: Exclusions }[] = []
  readonly waiting: (() => void)[] = []
  failure: Error | undefined
  atOnce = 0
  hold = false

  async apply(network: PodNetwork, exclusions: Exclusions): Promise<void> {
    this.applied.push({ network, exclusions })
    this.atOnce++
    try {
      if (this.hold) await new Promise<void>(resolve => this.waiting.push(resolve))
      if (this.failure) throw this.failure
    } finally {
      this.atOnce--
    }
  }
}

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

describe('the capture of pods', () => {
  let base = ''
  let proc: FakeProc
  let redirector: FakeRedirector
  let server: InjectedServer
  let listener: UnixListener
  let client: Client
  let lines: string[] = []
  let descriptors = 0

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'countersign-capture-'))
    lines = []
    proc = new FakeProc()
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    proc.add({ pid: 301, pod: OTHER, network: 'other' })
    proc.add({ pid: 302, pod: 'aaaaaaaa-0000-4000-8000-000000000003', network: 'node' })
    redirector = new FakeRedirector()
    const log = createLogger('node', 'trace', { write: line => void lines.push(line) })
    const capture = new PodCapture({ processes: new PodProcesses(proc.path), redirector, log, proc: proc.path })
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    addCaptureService(server, capture, { log, observer: { started: () => () => {} } })
    listener = await listenUnix(join(base, 'node.sock'), {
      mode: 0o600,
      onConnection: connection => server.accept(connection, 'agent')
    })
    client = new Client(`unix:${join(base, 'node.sock')}`, credentials.createInsecure())
    await new Promise<void>((resolve, reject) =>
      client.waitForReady(Date.now() + 30_000, error => (error ? reject(error) : resolve()))
    )
    descriptors = readdirSync('/proc/self/fd').length
  })
  afterEach(async () => {
    client.close()
    server.close()
    await listener.close()
    proc.remove()
    rmSync(base, { recursive: true })
    await eventually(() => readdirSync('/proc/self/fd').length <= descriptors, 'every namespace is closed again')
  })

  const apply = (podUid: string = POD, fields: MessageInitShape<typeof ApplyRequestSchema> = {}): Promise<unknown> =>
    unaryCall(client, Capture.method.apply, create(ApplyRequestSchema, { podUid, ...fields }), { timeoutMs: 30_000 })
  const refusal =
    (code: status, details: RegExp) =>
    (thrown: Error): boolean => {
      const cause = thrown.cause as ServiceError
      assert.equal(status[cause.code], status[code])
      assert.match(cause.details, details)
      return true
    }

  it('is asked for by the agent, with what is excluded', async () => {
    await apply(POD, {
      excludedInboundPorts: [22],
      excludedOutboundPorts: [5432],
      excludedOutboundCidrs: ['10.0.0.0/8'],
      excludedInterfaces: ['net1'],
      excludedOutboundUsers: [2000]
    })
    assert.deepEqual(
      redirector.applied.map(({ exclusions }) => exclusions),
      [
        {
          inboundPorts: [22],
          outboundPorts: [5432],
          outboundCidrs: [{ family: 'ip', text: '10.0.0.0/8' }],
          interfaces: ['net1'],
          outboundUsers: [2000]
        }
      ]
    )
    assert.match(lines.join(''), /traffic is captured/)
  })

  it('happens every time that it is asked for: the sandbox may be a new one', async () => {
    await apply()
    proc.end(300)
    proc.add({ pid: 400, pod: POD, network: 'new' })
    await apply()
    assert.equal(redirector.applied.length, 2)
  })

  it('happens once at a time for a pod, and at the same time for others', async () => {
    redirector.hold = true
    const calls = [apply(), apply(), apply(OTHER)]
    await eventually(() => redirector.waiting.length === 2, 'one call of each pod is under way')
    assert.equal(redirector.applied.length, 2)
    redirector.waiting.splice(0).forEach(resume => void resume())
    await eventually(() => redirector.waiting.length === 1, 'the second call of the pod is under way')
    redirector.waiting.splice(0).forEach(resume => void resume())
    await Promise.all(calls)
    assert.equal(redirector.atOnce, 0)
  })

  it('is tried anew after a failure, which does not spoil the next call', async () => {
    redirector.failure = new CountersignError('ERR_CAPTURE_FAILED', 'nft ended with 1: no such file')
    const failing = [apply(), apply()]
    for (const call of failing)
      await assert.rejects(call, refusal(status.UNAVAILABLE, /^nft ended with 1: no such file$/))
    redirector.failure = undefined
    await apply()
  })

  it('is NOT_FOUND for a pod without a process', async () => {
    await assert.rejects(
      apply('bbbbbbbb-0000-4000-8000-000000000004'),
      refusal(status.NOT_FOUND, /no process of pod bbbb/)
    )
  })

  it('is refused for good for a pod on the network of its node, and nothing is run', async () => {
    await assert.rejects(
      apply('aaaaaaaa-0000-4000-8000-000000000003'),
      refusal(status.FAILED_PRECONDITION, /uses the network of its node/)
    )
    assert.deepEqual(redirector.applied, [])
  })

  it('is refused for good with exclusions that are not valid, and nothing is run', async () => {
    await assert.rejects(
      apply(POD, { excludedInboundPorts: [0], excludedOutboundCidrs: ['x; flush ruleset'] }),
      refusal(status.FAILED_PRECONDITION, /excluded_inbound_ports 0: .*excluded_outbound_cidrs "x; flush ruleset"/)
    )
    assert.deepEqual(redirector.applied, [])
  })

  it('is UNAVAILABLE after something unforeseen, of which nothing is told', async () => {
    redirector.failure = new TypeError('inner')
    await assert.rejects(apply(), refusal(status.UNAVAILABLE, /^something unforeseen happened/))
    assert.match(lines.join(''), /inner/)
  })
})
