import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createLogger } from '../../shared/log/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { type Volume, VolumeSockets } from './index.ts'

// As long as the kubelet's own paths are: longer than a socket's path may be.
const MOUNT = 'var/lib/kubelet/pods/3f0c8f2e-0f5c-4a57-9d3a-0123456789ab/volumes/kubernetes.io~csi/countersign/mount'

class FakeVolumes {
  #current: ReadonlyMap<string, Volume> = new Map()
  readonly #listeners = new Set<() => void>()
  current(): ReadonlyMap<string, Volume> {
    return this.#current
  }
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  set(...volumes: readonly Volume[]): void {
    this.#current = new Map(volumes.map(volume => [volume.pod.uid, volume]))
    for (const listener of this.#listeners) listener()
  }
}

describe('the sockets of volumes', () => {
  let folder: string
  let lines: string[]
  let clock: FakeClock
  let volumes: FakeVolumes
  let sockets: VolumeSockets
  let accepted: { peer: string; socket: Socket }[]
  let disconnected: string[]
  const clients: Socket[] = []

  const targetOf = (uid: string): string => join(folder, uid, MOUNT)
  const socketOf = (uid: string): string => join(targetOf(uid), 'agent.sock')
  const volume = (uid: string, change: Partial<Volume> = {}): Volume => ({
    id: `csi-${uid}`,
    targetPath: targetOf(uid),
    pod: { uid, namespace: 'shop', name: `cart-${uid}`, serviceAccount: 'cart' },
    token: undefined,
    attributes: {},
    probes: [],
    ...change
  })
  const publish = (uid: string): Volume => {
    mkdirSync(targetOf(uid), { recursive: true })
    return volume(uid)
  }
  const open = (): Promise<void> => {
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      }
    })
    sockets = new VolumeSockets({
      volumes,
      handler: {
        accept: (socket, peer) => accepted.push({ peer, socket }),
        disconnect: peer => {
          disconnected.push(peer)
          for (const connection of accepted.filter(one => one.peer === peer)) connection.socket.destroy()
        }
      },
      clock,
      log: createLogger('test', 'info', destination)
    })
    return sockets.start()
  }
  const errors = (): { code: string; message: string }[] =>
    lines.map(line => JSON.parse(line)).flatMap(({ level, err }) => (level === 'error' ? [err] : []))
  const until = (condition: () => boolean, what: string): Promise<void> =>
    eventually(condition, () => `${what}, log: ${lines.join('')}`)
  /** Connects as a pod does; its own path to the socket is short. */
  const dial = async (uid: string): Promise<Socket> => {
    const short = join(folder, 'short')
    rmSync(short, { force: true })
    symlinkSync(targetOf(uid), short)
    const socket = connect(join(short, 'agent.sock'))
    clients.push(socket)
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return socket
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cs-'))
    lines = []
    clock = new FakeClock()
    volumes = new FakeVolumes()
    accepted = []
    disconnected = []
  })
  afterEach(async () => {
    await sockets.close()
    for (const socket of [...clients.splice(0), ...accepted.map(one => one.socket)]) socket.destroy()
    assert.equal(clock.pending, 0, 'a timer is left')
    rmSync(folder, { recursive: true })
  })

  it('are all there when the start is done', async () => {
    volumes.set(publish('uid-1'), publish('uid-2'))
    await open()
    for (const uid of ['uid-1', 'uid-2']) {
      assert.ok(Buffer.byteLength(socketOf(uid)) > 107)
      assert.ok(lstatSync(socketOf(uid)).isSocket())
      assert.equal(statSync(socketOf(uid)).mode & 0o777, 0o666)
    }
  })

  it('name each connection after the pod whose socket it came in on', async () => {
    volumes.set(publish('uid-1'), publish('uid-2'))
    await open()
    await dial('uid-2')
    await dial('uid-1')
    await dial('uid-2')
    await until(() => accepted.length === 3, 'three connections')
    assert.deepEqual(
      accepted.map(({ peer }) => peer),
      ['pod:uid-2', 'pod:uid-1', 'pod:uid-2']
    )
  })

  it('appear and go with their volumes; connections end with the volume', async () => {
    await open()
    volumes.set(publish('uid-1'), publish('uid-2'))
    await until(() => existsSync(socketOf('uid-1')) && existsSync(socketOf('uid-2')), 'the sockets')
    await until(() => lines.filter(line => line.includes('volume is served')).length === 2, 'the listeners')
    const gone = await dial('uid-1')
    const staying = await dial('uid-2')
    await until(() => accepted.length === 2, 'the connections')
    gone.resume()
    volumes.set(volume('uid-2'))
    await until(() => gone.closed, 'the end of the connection')
    await until(() => disconnected.length === 1, 'the end')
    assert.deepEqual(disconnected, ['pod:uid-1'])
    assert.equal(existsSync(socketOf('uid-1')), false)
    assert.equal(staying.destroyed, false)
    await dial('uid-2')
  })

  it('are not disturbed when a token is refreshed', async () => {
    volumes.set(publish('uid-1'))
    await open()
    await dial('uid-1')
    const { ino } = statSync(socketOf('uid-1'))
    for (let refresh = 0; refresh < 5; refresh++) volumes.set(volume('uid-1'))
    volumes.set(volume('uid-1'), publish('uid-2'))
    await until(() => existsSync(socketOf('uid-2')), 'the other socket')
    assert.equal(statSync(socketOf('uid-1')).ino, ino)
    assert.deepEqual(disconnected, [])
  })

  it('replace the socket that an agent left when it was killed', async () => {
    volumes.set(publish('uid-1'))
    await open()
    const first = sockets
    await open()
    await dial('uid-1')
    await first.close()
  })

  it('are made again when a volume was unpublished and published again under the same path', async () => {
    volumes.set(publish('uid-1'))
    await open()
    rmSync(targetOf('uid-1'), { recursive: true })
    publish('uid-1')
    volumes.set(volume('uid-1'))
    await until(() => existsSync(socketOf('uid-1')), 'the socket')
    await until(() => lines.filter(line => line.includes('volume is served')).length === 2, 'the listener')
    await dial('uid-1')
  })

  it('move when the volume does', async () => {
    volumes.set(publish('uid-1'))
    await open()
    mkdirSync(targetOf('moved'), { recursive: true })
    volumes.set(volume('uid-1', { targetPath: targetOf('moved') }))
    await until(() => existsSync(socketOf('moved')), 'the socket')
    assert.equal(existsSync(socketOf('uid-1')), false)
  })

  it('do not wait for a volume whose folder is gone: it is said once, and tried again until the folder is there', async () => {
    volumes.set(volume('uid-1'), publish('uid-2'))
    await open()
    assert.ok(existsSync(socketOf('uid-2')))
    assert.equal(errors()[0]?.code, 'ERR_ADDRESS_UNUSABLE')
    assert.match(errors()[0]?.message ?? '', /^cannot listen on the socket .*agent\.sock: ENOENT/)
    for (let round = 0; round < 5; round++) await clock.advance(30_000)
    publish('uid-1')
    const deadline = Date.now() + 20_000
    while (!existsSync(socketOf('uid-1'))) {
      assert.ok(Date.now() < deadline)
      await clock.advance(30_000)
    }
    assert.equal(errors().length, 1)
  })

  it('are tried soon for a new volume, however long another one has failed', async () => {
    volumes.set(volume('uid-1'))
    await open()
    for (let round = 0; round < 5; round++) await clock.advance(30_000)
    volumes.set(volume('uid-1'), volume('uid-2'))
    await until(() => errors().length === 2, 'the second failure')
    await until(() => clock.pending === 1, 'the pause')
    publish('uid-2')
    await clock.advance(500)
    await until(() => existsSync(socketOf('uid-2')), 'the socket')
  })

  it('are not tried again when the volume is gone', async () => {
    volumes.set(volume('uid-1'))
    await open()
    assert.equal(clock.pending, 1)
    volumes.set()
    await until(() => clock.pending === 0, 'the end of trying')
  })

  it('do not give way to a file that is no socket', async () => {
    volumes.set(publish('uid-1'))
    writeFileSync(socketOf('uid-1'), 'mine')
    await open()
    assert.equal(errors()[0]?.code, 'ERR_ADDRESS_UNUSABLE')
    assert.equal(readFileSync(socketOf('uid-1'), 'utf8'), 'mine')
  })

  it('are closed at the end, and connections stay with whom they were given to', async () => {
    volumes.set(publish('uid-1'))
    await open()
    const client = await dial('uid-1')
    await until(() => accepted.length === 1, 'the connection')
    await sockets.close()
    assert.equal(existsSync(socketOf('uid-1')), false)
    assert.equal(client.destroyed, false)
    assert.deepEqual(disconnected, [])
    volumes.set(publish('uid-2'))
    await sockets.close()
    assert.equal(existsSync(socketOf('uid-2')), false)
  })
})
