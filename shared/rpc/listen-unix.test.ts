import assert from 'node:assert/strict'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { eventually } from '../../test/eventually.ts'
import { listenUnix, type UnixListener } from './index.ts'

describe('a listener on a Unix socket', () => {
  let folder: string
  const listeners: UnixListener[] = []
  const accepted: Socket[] = []

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-unix-'))
  })
  afterEach(async () => {
    await Promise.all(listeners.splice(0).map(listener => listener.close()))
    for (const socket of accepted.splice(0)) socket.destroy()
    rmSync(folder, { recursive: true })
  })

  const listen = async (
    path: string,
    options: { maxConnections?: number; mode?: number } = {}
  ): Promise<UnixListener> => {
    const listener = await listenUnix(path, {
      mode: 0o600,
      ...options,
      onConnection: socket => {
        accepted.push(socket)
        socket.on('error', () => {})
      }
    })
    listeners.push(listener)
    return listener
  }
  // A client meets the same limit; a working directory would do as well.
  const dial = (path: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const link = join(tmpdir(), `${basename(folder)}.link`)
      symlinkSync(join(path, '..'), link)
      const socket = connect(join(link, basename(path)))
      socket.once('connect', () => resolve(socket))
      socket.once('error', reject)
      socket.once('connect', () => rmSync(link))
      socket.once('error', () => rmSync(link))
    })
  const assertReachable = async (path: string): Promise<void> => {
    const before = accepted.length
    const socket = await dial(path)
    await eventually(() => accepted.length === before + 1, 'the connection is accepted')
    socket.destroy()
  }

  it('is where its path says, with the mode that is asked for', async () => {
    const path = join(folder, 'agent.sock')
    await listen(path, { mode: 0o666 })
    assert.ok(lstatSync(path).isSocket())
    assert.equal(lstatSync(path).mode & 0o777, 0o666)
    await assertReachable(path)
  })

  it('is where its path says when the path has more than 107 bytes', async () => {
    const deep = join(folder, 'kubernetes.io~csi'.repeat(10), 'mount')
    mkdirSync(deep, { recursive: true })
    const path = join(deep, 'agent.sock')
    assert.ok(Buffer.byteLength(path) > 170)
    await listen(path)
    assert.ok(lstatSync(path).isSocket())
    await assertReachable(path)
  })

  it('removes its file when it closes, and closing again does no harm', async () => {
    const path = join(folder, 'agent.sock')
    const listener = await listen(path)
    await listener.close()
    await listener.close()
    assert.ok(!existsSync(path))
    await assert.rejects(dial(path), { code: 'ENOENT' })
  })

  it('leaves open connections alone when it closes', async () => {
    const path = join(folder, 'agent.sock')
    const listener = await listen(path)
    const socket = await dial(path)
    await eventually(() => accepted.length === 1, 'the connection is accepted')
    await listener.close()
    accepted[0]?.write('still here')
    const [received] = await new Promise<[Buffer]>(resolve => socket.once('data', data => resolve([data])))
    assert.equal(received.toString(), 'still here')
    socket.destroy()
  })

  it('replaces a socket file that a dead process left', async () => {
    const path = join(folder, 'agent.sock')
    await new Promise<void>(resolve => {
      const dead = createServer().listen(join(folder, 'other'), () => {
        renameSync(join(folder, 'other'), path)
        dead.close(() => resolve())
      })
    })
    assert.ok(lstatSync(path).isSocket())
    await listen(path)
    await assertReachable(path)
  })

  it('removes the file from its own folder, not from one that took its place', async () => {
    const [own, moved] = [join(folder, 'volume'), join(folder, 'moved')]
    mkdirSync(own)
    const listener = await listen(join(own, 'agent.sock'))
    renameSync(own, moved)
    mkdirSync(own)
    await listen(join(own, 'agent.sock'))
    await listener.close()
    assert.deepEqual([existsSync(join(moved, 'agent.sock')), existsSync(join(own, 'agent.sock'))], [false, true])
    await assertReachable(join(own, 'agent.sock'))
  })

  it('closes connections beyond the limit, and accepts again when there is room', async () => {
    const path = join(folder, 'agent.sock')
    await listen(path, { maxConnections: 2 })
    const first = await dial(path)
    await dial(path)
    await eventually(() => accepted.length === 2, 'two connections are accepted')
    const third = await dial(path)
    await new Promise(resolve => third.once('close', resolve))
    assert.equal(accepted.length, 2)
    first.destroy()
    await eventually(() => accepted[0]?.destroyed === true, 'the first connection is gone')
    await assertReachable(path)
  })

  const refusals: [string, () => string, RegExp][] = [
    ['a folder that is not there', () => join(folder, 'absent', 'agent.sock'), /cannot listen on .*absent.*ENOENT/],
    [
      'a folder that is a file',
      () => {
        writeFileSync(join(folder, 'file'), '')
        return join(folder, 'file', 'agent.sock')
      },
      /ENOTDIR/
    ],
    [
      'a file in its place, which stays',
      () => {
        writeFileSync(join(folder, 'agent.sock'), 'precious')
        return join(folder, 'agent.sock')
      },
      /something that is not a socket is in the way/
    ],
    [
      'a link in its place, which is not followed',
      () => {
        symlinkSync(join(folder, 'elsewhere'), join(folder, 'agent.sock'))
        return join(folder, 'agent.sock')
      },
      /something that is not a socket is in the way/
    ],
    ['a name that is too long by itself', () => join(folder, 'n'.repeat(100)), /its name is too long/]
  ]
  for (const [what, prepare, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(listen(prepare()), error => {
        assert.equal((error as { code?: string }).code, 'ERR_ADDRESS_UNUSABLE')
        assert.match(String(error), message)
        return true
      })
    })
  }
})
