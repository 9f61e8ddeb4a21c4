import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import type { Clock } from '../clock/index.ts'
import { FakeApiServer, status } from './api-server.test-support.ts'
import { COLLECTIONS, collectionPath, type KubeClient, type KubeObject, Reflector } from './index.ts'
import { clientOf, hastyClock, recordingLogger } from './kube.test-support.ts'

const PODS = collectionPath(COLLECTIONS.pods)
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function serving(): Promise<FakeApiServer> {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  return server
}

const pod = (name: string, value = '1', namespace = 'shop') => ({ metadata: { name, namespace }, value })

interface Followed {
  readonly reflector: Reflector<string>
  readonly client: KubeClient
  readonly lines: readonly Record<string, unknown>[]
  readonly changes: () => number
  /** `shop/a=1 shop/b=2` */
  readonly shown: () => string
}

async function follow(server: FakeApiServer, clock: Clock = hastyClock, path = PODS): Promise<Followed> {
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  const { log, lines } = recordingLogger()
  const normalise = (object: KubeObject, previous: string | undefined): string | undefined => {
    const value = String(object['value'])
    return value === 'bad' ? previous : value === 'none' ? undefined : value
  }
  const reflector = new Reflector({ client, path, normalise, clock, random: () => 0.5, log })
  closers.push(() => reflector.close())
  let changes = 0
  reflector.subscribe(() => {
    changes++
  })
  const shown = (): string =>
    [...reflector.current()]
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(' ')
  return { reflector, client, lines, changes: () => changes, shown }
}

const lists = (server: FakeApiServer): number =>
  server.requests.filter(({ path, query }) => path === PODS && !query.has('watch')).length

describe('a collection that is followed', () => {
  it('is listed, and then follows what is added, changed and deleted', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const { reflector, shown } = await follow(server)
    await reflector.synced
    assert.equal(shown(), 'shop/a=1')
    server.put(PODS, pod('b'))
    server.put(PODS, pod('a', '2'))
    await eventually(() => shown() === 'shop/a=2 shop/b=1', 'both changes')
    server.remove(PODS, 'a', 'shop')
    await eventually(() => shown() === 'shop/b=1', 'the deletion')
    assert.equal(lists(server), 1)
  })

  it('is listed in pages of 500', async () => {
    const server = await serving()
    for (let index = 0; index < 1_201; index++) server.put(PODS, pod(`p${index}`))
    const { reflector } = await follow(server)
    await reflector.synced
    assert.equal(reflector.current().size, 1_201)
    assert.deepEqual(
      server.requests.slice(0, 3).map(({ query }) => [query.get('limit'), query.get('continue') !== null]),
      [
        ['500', false],
        ['500', true],
        ['500', true]
      ]
    )
  })

  it('lets others use the thread in between, where looking at an object takes its time', async () => {
    const server = await serving()
    for (let index = 0; index < 25; index++) server.put(PODS, pod(`a${index}`))
    const client = await clientOf(server, hastyClock)
    closers.push(() => client.close())
    let turns = 0
    const seen: number[] = []
    const normalise = (): number => {
      if (seen.at(-1) !== turns) setImmediate(() => turns++)
      seen.push(turns)
      return turns
    }
    const { log } = recordingLogger()
    const tools = { client, clock: hastyClock, random: () => 0.5, log }
    const reflector = new Reflector({ ...tools, path: PODS, normalise, inARow: 10 })
    closers.push(() => reflector.close())
    await reflector.synced
    assert.equal(reflector.current().size, 25)
    assert.deepEqual([seen[9], seen[10], seen[19], seen[20]], [0, 1, 1, 2])
  })

  it('is asked for with bookmarks and an end, from the version of the list', async () => {
    const server = await serving()
    const version = server.put(PODS, pod('a')).metadata.resourceVersion
    await follow(server)
    await eventually(() => server.watches === 1, 'the watch')
    const query = server.requests.at(-1)?.query
    assert.equal(query?.get('allowWatchBookmarks'), 'true')
    assert.equal(query?.get('timeoutSeconds'), '300')
    assert.equal(query?.get('resourceVersion'), version)
  })

  it('keeps what its owner keeps, also of an object that means nothing any more', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const { reflector, shown } = await follow(server)
    await reflector.synced
    server.put(PODS, pod('a', 'bad'))
    server.put(PODS, pod('b'))
    await eventually(() => shown() === 'shop/a=1 shop/b=1', 'the second pod')
    server.put(PODS, pod('a', 'none'))
    await eventually(() => shown() === 'shop/b=1', 'the loss')
  })
})

interface Mishap {
  readonly title: string
  readonly happen: (server: FakeApiServer) => void | Promise<void>
  /** How often it is listed anew. */
  readonly lists: number
}

const mishaps: readonly Mishap[] = [
  { title: 'its connection is closed', happen: server => server.endWatches(), lists: 0 },
  { title: 'its connection is reset', happen: server => server.reset(), lists: 0 },
  {
    title: 'the end of its connection cuts off a line',
    happen: server => {
      server.sendRaw('{"type":"ADDED","object":{"metadata":{"na')
      server.endWatches()
    },
    lists: 0
  },
  {
    title: 'its version is too old',
    happen: server => {
      server.compact()
      server.endWatches()
    },
    lists: 1
  },
  { title: 'something comes that is no event', happen: server => server.sendRaw('what?\n'), lists: 1 },
  { title: 'an event comes without an object', happen: server => server.sendRaw('{"type":"ADDED"}\n'), lists: 1 },
  {
    title: 'an event of an unknown type comes',
    happen: server => server.sendRaw('{"type":"MOVED","object":{"metadata":{"name":"a"}}}\n'),
    lists: 1
  },
  {
    title: 'the server fails the watch',
    happen: server => server.sendRaw('{"type":"ERROR","object":{"kind":"Status","code":500}}\n'),
    lists: 0
  },
  {
    title: 'the server is away for a while',
    happen: async server => {
      const port = await server.stop()
      await server.listen(port)
    },
    lists: 0
  },
  {
    title: 'the server has no time',
    happen: server => {
      refuse(server, 429, 3)
      server.reset()
    },
    lists: 0
  },
  {
    title: 'the server fails',
    happen: server => {
      refuse(server, 500, 3)
      server.reset()
    },
    lists: 0
  },
  {
    title: 'the server knows nothing of the version',
    happen: server => {
      refuse(server, 504, 1)
      server.reset()
    },
    lists: 1
  },
  {
    title: 'the server takes its permission away for a while',
    happen: server => {
      refuse(server, 403, 2)
      server.reset()
    },
    lists: 0
  }
]

function refuse(server: FakeApiServer, code: number, times: number): void {
  let left = times
  server.intercept = (_request, response) => {
    if (left-- <= 0) return false
    status(response, code, 'Told')
    return true
  }
}

describe('a collection goes on being followed when', () => {
  for (const mishap of mishaps)
    it(mishap.title, async () => {
      const server = await serving()
      server.put(PODS, pod('a'))
      const { reflector, shown } = await follow(server)
      await reflector.synced
      await eventually(() => server.watches === 1, 'the watch')
      server.put(PODS, pod('b'))
      await eventually(() => shown() === 'shop/a=1 shop/b=1', 'the second pod')
      for (let time = 1; time <= 2; time++) {
        const before = lists(server)
        await mishap.happen(server)
        server.put(PODS, pod('c', String(time)))
        await eventually(() => shown() === `shop/a=1 shop/b=1 shop/c=${time}`, 'the change after it')
        await eventually(() => server.watches === 1, 'the next watch')
        // An interrupted attempt to list counts as one that was made.
        assert.equal(lists(server) - before, mishap.lists)
      }
    })

  it('objects were deleted while nobody watched and the version is too old', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    server.put(PODS, pod('b'))
    const { reflector, shown } = await follow(server)
    await reflector.synced
    await eventually(() => server.watches === 1, 'the watch')
    const port = await server.stop()
    server.remove(PODS, 'a', 'shop')
    server.compact()
    assert.equal(shown(), 'shop/a=1 shop/b=1')
    await server.listen(port)
    await eventually(() => shown() === 'shop/b=1', 'the deletion')
  })

  it('only a bookmark said how far it is, and what was before it is forgotten', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const { reflector, shown } = await follow(server)
    await reflector.synced
    await eventually(() => server.watches === 1, 'the watch')
    server.compact()
    server.bookmark()
    server.put(PODS, pod('b'))
    await eventually(() => shown() === 'shop/a=1 shop/b=1', 'the second pod')
    server.reset()
    server.put(PODS, pod('c'))
    await eventually(() => shown() === 'shop/a=1 shop/b=1 shop/c=1', 'the third pod')
    assert.equal(lists(server), 1)
  })

  it('the server cannot be reached at first', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const { kubeconfig } = server
    assert.ok(kubeconfig)
    let refused = 0
    server.intercept = (_request, response) => {
      if (refused++ >= 4) return false
      response.destroy()
      return true
    }
    const { reflector, shown, lines } = await follow(server)
    await reflector.synced
    assert.equal(shown(), 'shop/a=1')
    const told = lines.filter(({ msg }) => msg === 'a collection cannot be followed, trying again')
    assert.equal(told.length, 1, 'one trouble is told once')
    assert.equal(lines.filter(({ msg }) => msg === 'a collection is followed again').length, 1)
  })
})

describe('a connection on which nothing comes', () => {
  it('is given up after 90 s, and the watch continues where it was', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const clock = new FakeClock()
    const { reflector, shown, lines } = await follow(server, clock)
    await reflector.synced
    await eventually(() => server.watches === 1, 'the watch')
    const before = server.requests.length
    await clock.advance(90_000)
    await eventually(() => server.requests.length > before && server.watches === 1, 'the next watch')
    server.put(PODS, pod('b'))
    await eventually(() => shown() === 'shop/a=1 shop/b=1', 'the second pod')
    assert.equal(lists(server), 1)
    assert.deepEqual(lines, [], 'a quiet collection is no trouble')
  })

  it('is kept while bookmarks come', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const clock = new FakeClock()
    const { reflector, shown } = await follow(server, clock)
    await reflector.synced
    await eventually(() => server.watches === 1, 'the watch')
    for (let minute = 1; minute <= 4; minute++) {
      await clock.advance(60_000)
      server.put(PODS, pod('b', String(minute)))
      await eventually(() => shown() === `shop/a=1 shop/b=${minute}`, 'the change')
    }
    assert.equal(server.requests.length, 2)
  })
})

describe('a kind that is not installed', () => {
  it('is an empty collection, looked for twice a minute, and followed once it is there', async () => {
    const server = await serving()
    server.missing.add(PODS)
    const clock = new FakeClock()
    const { reflector, shown, lines } = await follow(server, clock)
    await reflector.synced
    assert.equal(shown(), '')
    assert.equal(lines.filter(({ level }) => level === 'warn' || level === 'error').length, 0)
    assert.equal(server.requests.length, 1)
    server.missing.delete(PODS)
    server.put(PODS, pod('a'))
    await eventually(() => clock.pending > 0, 'the wait')
    await clock.advance(29_000)
    assert.equal(server.requests.length, 1)
    await clock.advance(1_000)
    await eventually(() => shown() === 'shop/a=1', 'the pod')
  })

  it('is not believed of objects that were there before it was said twice', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const clock = new FakeClock()
    const { reflector, shown } = await follow(server, clock)
    await reflector.synced
    await eventually(() => server.watches === 1, 'the watch')
    server.missing.add(PODS)
    server.endWatches()
    // The watch ends: a moment, a watch that is refused, and then the first list.
    await eventually(async () => {
      await clock.advance(1_000)
      return lists(server) >= 2 || server.requests.filter(({ query }) => query.has('watch')).length >= 2
    }, 'a list that finds nothing')
    assert.equal(shown(), 'shop/a=1')
    await eventually(async () => {
      await clock.advance(31_000)
      return shown() === ''
    }, 'it to be gone')
  })
})

describe('the end of the following', () => {
  it('leaves no connection, no timer, and tells nobody anything', async () => {
    const server = await serving()
    server.put(PODS, pod('a'))
    const clock = new FakeClock()
    const { reflector, shown, changes } = await follow(server, clock)
    await reflector.synced
    await eventually(() => server.watches === 1, 'the watch')
    const before = changes()
    await reflector.close()
    await eventually(() => server.watches === 0, 'the end of the watch')
    server.put(PODS, pod('b'))
    assert.equal(clock.pending, 0)
    assert.equal(changes(), before)
    assert.equal(shown(), 'shop/a=1')
  })

  it('comes at once also while it waits for a server that is away', async () => {
    const server = await serving()
    const { reflector } = await follow(server, new FakeClock())
    await server.stop()
    await reflector.close()
  })
})
