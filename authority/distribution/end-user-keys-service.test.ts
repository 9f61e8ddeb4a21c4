import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { createLogger } from '../../shared/log/index.ts'
import { EndUserKeys, ReportUnknownKeyRequestSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  AUTHORITY_SERVER_OPTIONS,
  CHANNEL_OPTIONS,
  InjectedServer,
  listenUnix,
  type UnixListener,
  unaryCall
} from '../../shared/rpc/index.ts'
import { addEndUserKeysService } from './index.ts'

const KEY_SETS: Readonly<Record<string, readonly string[]>> = { 'node-a/uid-1': ['issuer/1', 'uri/2'] }

describe('the service that hears of unknown keys', () => {
  let folder: string
  let server: InjectedServer
  let fetched: string[]
  const listeners: UnixListener[] = []
  const clients: Client[] = []
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-unknown-keys-'))
    fetched = []
    server = new InjectedServer(AUTHORITY_SERVER_OPTIONS)
    addEndUserKeysService(server, {
      keySetsOf: (node, podUid) => KEY_SETS[`${node}/${podUid}`] ?? [],
      unknownKey: name => fetched.push(name),
      log: createLogger('test', 'fatal')
    })
    for (const peer of ['agent:node-a', 'agent:node-b', 'token'])
      listeners.push(
        await listenUnix(join(folder, peer), { mode: 0o600, onConnection: socket => server.accept(socket, peer) })
      )
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    server.close()
    await Promise.all(listeners.splice(0).map(listener => listener.close()))
    rmSync(folder, { recursive: true })
  })

  const report = (peer: string, podUid: string): Promise<unknown> => {
    const client = new Client(`unix:${join(folder, peer)}`, credentials.createInsecure(), CHANNEL_OPTIONS)
    clients.push(client)
    const message = create(ReportUnknownKeyRequestSchema, { podUid })
    return unaryCall(client, EndUserKeys.method.reportUnknownKey, message, { timeoutMs: 10_000 })
  }

  it('has every key set of the pod fetched', async () => {
    await report('agent:node-a', 'uid-1')
    assert.deepEqual(fetched, ['issuer/1', 'uri/2'])
  })

  it('does nothing for a pod of another node, and says so to nobody', async () => {
    await report('agent:node-b', 'uid-1')
    await report('agent:node-a', 'uid-2')
    await report('agent:node-a', '')
    assert.deepEqual(fetched, [])
  })

  it('refuses who is not an agent', async () => {
    await assert.rejects(report('token', 'uid-1'), { code: 'ERR_AUTHORITY_REFUSED' })
    assert.deepEqual(fetched, [])
  })
})
