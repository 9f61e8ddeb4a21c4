import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { connectivityState } from '@grpc/grpc-js'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { newRoot, newSvid } from '../proxy/fixtures.test-support.ts'
import type { Svid } from '../workload/index.ts'
import { AuthorityChannel } from './authority-channel.ts'

const never = new AbortController().signal

describe('the channel to the authority', () => {
  let clock: FakeClock
  let silent: Server
  let channel: AuthorityChannel
  const sockets = new Set<Socket>()

  beforeEach(async () => {
    clock = new FakeClock(Date.now())
    // Like a pod that is gone: it takes connections, or seems to, and says nothing.
    silent = createServer(socket => sockets.add(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const root = await newRoot()
    const trustDomain = parseTrustDomain('mesh.test')
    const svid = await newSvid(root, SpiffeId.agent(trustDomain, 'node-1'))
    const identity: Svid = { ...svid, issuedAt: clock.now() }
    const bundle = { trustDomain, roots: [root.certificate] }
    const trust = { authorityBundle: () => bundle }
    const endpoint = { address: `127.0.0.1:${port}`, trustDomain, trust, clock }
    channel = new AuthorityChannel({ endpoint, identity: () => identity, clock })
    channel.refresh()
  })
  afterEach(async () => {
    channel.close()
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    silent.close()
    await once(silent, 'close')
  })

  const connecting = async (connections: number) => {
    const client = await channel.client(never)
    // As a call does.
    client.getChannel().getConnectivityState(true)
    await eventually(() => sockets.size === connections, `connection ${connections}`)
    assert.equal(client.getChannel().getConnectivityState(false), connectivityState.CONNECTING)
    return client
  }

  it('is replaced when it does not connect within the time of a call, as often as that happens', async () => {
    const first = await connecting(1)
    await clock.advance(9_999)
    assert.equal(await channel.client(never), first)
    await clock.advance(1)
    const second = await connecting(2)
    assert.notEqual(second, first)
    assert.equal(first.getChannel().getConnectivityState(false), connectivityState.SHUTDOWN)
    await clock.advance(9_999)
    assert.equal(await channel.client(never), second)
    await clock.advance(1)
    assert.notEqual(await connecting(3), second)
  })

  it('is kept when it failed and tries again by itself', async () => {
    const first = await connecting(1)
    for (const socket of sockets) socket.destroy()
    await eventually(async () => {
      await channel.client(never)
      return first.getChannel().getConnectivityState(false) === connectivityState.TRANSIENT_FAILURE
    }, 'a failure')
    await clock.advance(20_000)
    assert.equal(await channel.client(never), first)
  })
})
