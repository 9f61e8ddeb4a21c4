import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create, toJson } from '@bufbuild/protobuf'
import { type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import {
  type ApplyRequest,
  ApplyRequestSchema,
  type ApplyResponse,
  ApplyResponseSchema,
  Capture
} from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'
import {
  InjectedServer,
  listenUnix,
  serviceDefinition,
  UNIX_SERVER_OPTIONS,
  type UnixListener
} from '../../shared/rpc/index.ts'
import { NodeCapture } from './index.ts'

const POD = '5f3c9f2e-8b1d-4c7a-9e61-0d2b8a6f4c11'

describe('the container that captures, over its socket', () => {
  let folder = ''
  let server: InjectedServer
  let listener: UnixListener
  let capture: NodeCapture
  let asked: ApplyRequest[] = []
  let deliveryAddresses: string[] = []
  let refusal: { code: status; details: string } | undefined

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-node-capture-'))
    asked = []
    deliveryAddresses = ['192.0.2.6', '2001:db8::6']
    refusal = undefined
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    server.addService(serviceDefinition(Capture), {
      Apply({ request }: ServerUnaryCall<ApplyRequest, ApplyResponse>, answer: sendUnaryData<ApplyResponse>) {
        asked.push(request)
        answer(refusal ?? null, create(ApplyResponseSchema, { deliveryAddresses }))
      }
    })
    listener = await listenUnix(join(folder, 'node.sock'), {
      mode: 0o600,
      onConnection: connection => server.accept(connection, 'agent')
    })
    capture = new NodeCapture(join(folder, 'node.sock'))
  })
  afterEach(async () => {
    capture.close()
    server.close()
    await listener.close()
    rmSync(folder, { recursive: true })
  })

  const fields = () => asked.map(request => toJson(ApplyRequestSchema, request))

  it('is asked for a pod alone where nothing is excluded', async () => {
    await capture.apply(POD, NO_EXCLUSIONS)
    assert.deepEqual(fields(), [{ podUid: POD }])
  })

  it('is asked with everything that is excluded', async () => {
    await capture.apply(POD, {
      inboundPorts: [22, 9100],
      outboundPorts: [5432],
      outboundCidrs: [
        { family: 'ip', text: '10.0.0.0/8' },
        { family: 'ip6', text: 'fd00::/8' }
      ],
      interfaces: ['net1'],
      outboundUsers: [0, 2_147_483_647]
    })
    assert.deepEqual(fields(), [
      {
        podUid: POD,
        excludedInboundPorts: [22, 9100],
        excludedOutboundPorts: [5432],
        excludedOutboundCidrs: ['10.0.0.0/8', 'fd00::/8'],
        excludedInterfaces: ['net1'],
        excludedOutboundUsers: [0, 2_147_483_647]
      }
    ])
  })

  it('says no as an error that names the pod, with the reason as its cause', async () => {
    refusal = { code: status.FAILED_PRECONDITION, details: 'excluded_interfaces "lo": expected another' }
    await assert.rejects(capture.apply(POD, NO_EXCLUSIONS), (thrown: Error & { code?: string }) => {
      assert.equal(thrown.code, 'ERR_CAPTURE_FAILED')
      assert.match(thrown.message, new RegExp(POD))
      assert.ok(thrown.cause)
      return true
    })
  })

  const others: Readonly<Record<string, readonly string[]>> = {
    'names none: its version is an earlier one': [],
    'names those of an earlier version': ['127.0.0.6', '::6'],
    'names that of IPv4 alone': ['192.0.2.6'],
    'names that of IPv6 alone': ['2001:db8::6'],
    'names others': ['192.0.2.60', '2001:db8::60', '']
  }
  for (const [title, allowed] of Object.entries(others))
    it(`has not captured for this version of the proxy when it ${title}`, async () => {
      deliveryAddresses = [...allowed]
      await assert.rejects(capture.apply(POD, NO_EXCLUSIONS), (thrown: Error & { code?: string }) => {
        assert.equal(thrown.code, 'ERR_CAPTURE_FAILED')
        assert.match((thrown.cause as Error).message, /^delivery_addresses: expected .*different versions$/)
        return true
      })
    })
})
