import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createLogger } from '../../shared/log/index.ts'
import { listenUnix } from '../../shared/rpc/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { KeptSocket } from './index.ts'

async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

describe('a kept socket', () => {
  let base = ''
  let folder = ''
  let path = ''
  let peers: string[] = []
  let lost = 0
  let lines: string[] = []
  let watched = 0
  let clock: FakeClock
  let socket: KeptSocket
  const open: Socket[] = []
  const others: { close(): Promise<void> }[] = []
  const log = createLogger('node', 'trace', { write: line => void lines.push(line) })

  const make = (): KeptSocket =>
    new KeptSocket({
      path,
      clock,
      log,
      peer: 'kubelet',
      maxConnections: 10,
      server: {
        accept(connection, peer) {
          open.push(connection)
          peers.push(peer)
        }
      },
      onLost: () => {
        lost++
      }
    })
  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'countersign-kept-'))
    folder = join(base, 'folder')
    path = join(folder, 'a.sock')
    mkdirSync(folder)
    peers = []
    lines = []
    lost = 0
    clock = new FakeClock()
    socket = make()
    await socket.start()
    watched = clock.pending
  })
  afterEach(async () => {
    await socket.close()
    for (const other of others.splice(0)) await other.close()
    for (const connection of open.splice(0)) connection.destroy()
    rmSync(base, { recursive: true })
  })

  /** What is looked at twice before it is believed: the second time comes with the clock. */
  const graceEnds = async (): Promise<void> => {
    await eventually(() => clock.pending > watched, 'the loss is noticed')
    await clock.advance(250)
  }
  const reach = async (): Promise<void> => {
    const before = peers.length
    const client = connect(path)
    open.push(client)
    await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject))
    await eventually(() => peers.length > before, 'the connection is accepted')
  }

  it('is for this user alone, and knows whose connections it takes', async () => {
    assert.equal(statSync(path).mode & 0o777, 0o600)
    await reach()
    assert.deepEqual(peers, ['kubelet'])
  })

  it('is there again after its file was removed, which is told', async () => {
    rmSync(path)
    await graceEnds()
    await eventually(() => lines.length > 0, 'the file is there again')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    await reach()
    assert.equal(lost, 1)
    assert.match(lines.join(''), /it is there again/)
  })

  it('is there again and again', async () => {
    for (let round = 1; round <= 5; round++) {
      rmSync(path)
      await graceEnds()
      await eventually(() => lines.length === round, `round ${round}`)
      await reach()
    }
    assert.equal(lost, 5)
  })

  it('is there again when its whole folder was made anew, at the next look', async () => {
    rmSync(folder, { recursive: true })
    await graceEnds()
    await eventually(() => /it is tried again/.test(lines.join('')), 'the failure is logged')
    mkdirSync(folder)
    await clock.advance(10_000)
    await clock.advance(250)
    await eventually(() => /it is there again/.test(lines.join('')), 'the socket is there again')
    await reach()
  })

  it('waits while something else is in the way', async () => {
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'a file')
    await graceEnds()
    await eventually(() => /it is tried again/.test(lines.join('')), 'the failure is logged')
    rmSync(folder)
    mkdirSync(folder)
    await clock.advance(10_000)
    await clock.advance(250)
    await eventually(() => /it is there again/.test(lines.join('')), 'the socket is there again')
  })

  it('leaves the socket of a successor alone, and says so once', async () => {
    const successor = await listenUnix(path, { mode: 0o600, onConnection: connection => open.push(connection) })
    others.push(successor)
    await eventually(async () => {
      await clock.advance(10_000)
      return lines.length > 0
    }, 'the other is noticed')
    await clock.advance(60_000)
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /another process has taken over the socket/)
    assert.equal(lost, 0)
    const client = connect(path)
    open.push(client)
    await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject))
    assert.deepEqual(peers, [])
  })

  it('comes back to a successor whose predecessor removed its file while it ended', async () => {
    const successor = make()
    others.push(successor)
    await successor.start()
    await socket.close()
    // That of the successor, instead of that of the other.
    watched = 1
    await graceEnds()
    await eventually(() => /it is there again/.test(lines.join('')), 'the file is there again')
    assert.equal(lost, 1)
    await reach()
  })

  it('replaces what a process left that was killed', async () => {
    await socket.close()
    const left = createServer()
    await new Promise<void>(resolve => left.listen(path, resolve))
    others.push({ close: () => new Promise(resolve => void left.close(() => resolve())) })
    socket = make()
    await socket.start()
    await reach()
  })

  it('is gone after close, with its timers, and does not come back', async () => {
    await socket.close()
    assert.equal(existsSync(path), false)
    assert.equal(clock.pending, 0)
    await clock.advance(60_000)
    assert.equal(existsSync(path), false)
    assert.equal(lost, 0)
  })

  it('cannot start in a folder that is not there', async () => {
    await socket.close()
    path = join(base, 'nowhere', 'a.sock')
    await assert.rejects(make().start(), { code: 'ERR_ADDRESS_UNUSABLE' })
  })
})
