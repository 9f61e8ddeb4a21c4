// The architecture as a test: which room may import which, and which libraries each may touch.
// A new arrow is one line in a table below; whoever adds it says why in the review.

import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..')
const PROGRAMS = ['webhook', 'authority', 'agent', 'node', 'cli'] as const

/** Room to the rooms of the same program that it may import. Every room may import shared/, main and app may import all. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'webhook/admission': [
    'webhook/injection',
    'webhook/mounting',
    'webhook/pod',
    'webhook/validation',
    'webhook/workloads'
  ],
  'webhook/injection': ['webhook/pod'],
  'webhook/mounting': ['webhook/pod'],
  'webhook/pod': [],
  'webhook/validation': [],
  'webhook/workloads': [],
  'webhook/certificate': [],
  'webhook/registration': ['webhook/certificate'],
  'authority/authentication': [],
  'authority/issuance': ['authority/authentication', 'authority/root'],
  'authority/root': [],
  'authority/naming': [],
  'authority/definitions': [],
  'authority/distribution': [],
  'authority/serving': [],
  'authority/mesh': ['authority/authentication', 'authority/naming'],
  'authority/metrics': [],
  'authority/bundle': [],
  'authority/leadership': [],
  'authority/status': [],
  'authority/keys': [],
  'authority/login-secrets': [],
  'authority/certificate-secrets': ['authority/issuance'],
  'agent/state': [],
  'agent/volume': ['agent/state'],
  'agent/workload': ['agent/state', 'agent/volume'],
  'agent/authority': ['agent/state', 'agent/workload'],
  'agent/capture': [],
  'agent/discovery': [],
  'agent/unknown-keys': [],
  'agent/proxy': ['agent/workload'],
  'agent/metrics': [],
  'node/csi': ['node/serving'],
  'node/registration': ['node/serving'],
  'node/capture': ['node/serving'],
  'node/serving': [],
  'agent/serving': ['agent/authority', 'agent/proxy', 'agent/volume', 'agent/workload']
}

/** Shared room to the shared rooms that it may import; what is missing here may import the leaves only. */
const LEAVES = [
  'shared/errors',
  'shared/log',
  'shared/clock',
  'shared/identity',
  'shared/proto',
  'shared/suggest',
  'shared/names',
  'shared/duration'
]
const SHARED_ARROWS: Readonly<Record<string, readonly string[]>> = {
  'shared/errors': [],
  'shared/rpc': ['shared/x509'],
  'shared/inventory': ['shared/policy', 'shared/kube', 'shared/exclusions', 'shared/certificate-secrets'],
  'shared/health': ['shared/config', 'shared/lifecycle'],
  'shared/exclusions': ['shared/bootstrap'],
  'shared/port-protocol': ['shared/inventory'],
  'shared/volume': ['shared/files'],
  'shared/suggest': [],
  'shared/names': [],
  'shared/duration': []
}

/** Rooms that decide and do nothing else: no file, no socket, no clock of their own, no library that has one. */
const PURE = [
  'webhook/injection',
  'webhook/mounting',
  'webhook/pod',
  'webhook/validation',
  'authority/naming',
  'agent/proxy',
  'shared/identity',
  'shared/policy',
  'shared/exclusions',
  'shared/port-protocol',
  'shared/port-traffic',
  'shared/certificate-secrets'
]
// Of node:net, what only looks at the text of an address.
const ADDRESS_SYNTAX = /^\{ (isIP|isIPv4|isIPv6)(, (isIP|isIPv4|isIPv6))* \} from\s+$/
const IMPURE =
  /^(node:(fs|net|http|http2|https|tls|dgram|dns|child_process|timers|worker_threads).*|@grpc\/grpc-js|fastify|undici)$/

/** One door per outside thing. Type-only imports pass: they are gone when the program runs. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  'node-forge': ['shared/x509'],
  jose: ['authority/authentication', 'cli/local'],
  yaml: ['shared/inventory', 'cli/local'],
  pino: ['shared/log'],
  commander: ['shared/config', 'cli'],
  fastify: ['shared/health', 'webhook'],
  'fast-json-patch': ['webhook/injection', 'cli/local'],
  '@kubernetes/client-node': ['shared/kube']
}

interface Import {
  readonly file: string
  readonly target: string
  readonly typeOnly: boolean
  readonly names: string
}

const files = globSync(`{shared,${PROGRAMS.join(',')}}/**/*.ts`, { cwd: root })
  .filter(file => !file.includes('/gen/') && !/\.test(-support)?\.ts$/.test(file))
  .sort()

const imports: Import[] = files.flatMap(file => {
  const text = readFileSync(join(root, file), 'utf8')
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?([^'"]*?\sfrom\s+)?'([^']+)'/gm)
  return [...statements].map(([, type, names = '', specifier = '']) => ({
    file,
    target: specifier.startsWith('.') ? relative(root, join(root, dirname(file), specifier)) : specifier,
    typeOnly: type !== undefined,
    names
  }))
})

const isLocal = (target: string): boolean => /^(shared|webhook|authority|agent|node|cli|test|tools)\//.test(target)
const roomOf = (path: string): string => path.split('/').slice(0, 2).join('/')
const isWiring = (file: string): boolean =>
  /^\w+\/(main|app|foundations|options|settings)\.ts$/.test(file) || file.startsWith('cli/')
const complaint = ({ file, target }: Import): string => `${file} imports ${target}`

describe('the architecture', () => {
  it('was looked at as a whole', () => {
    assert.ok(files.length >= 100, `only ${files.length} files were read`)
    assert.ok(imports.length >= 400, `only ${imports.length} imports were read`)
  })

  it('knows every room', () => {
    const rooms = new Set(files.filter(file => !file.startsWith('shared/') && !isWiring(file)).map(roomOf))
    assert.deepEqual(
      [...rooms].filter(room => ARROWS[room] === undefined),
      []
    )
    assert.deepEqual(
      Object.keys(ARROWS).filter(room => !rooms.has(room)),
      [],
      'rooms in the table that are not there'
    )
  })

  it('enters every room through its index.ts, which says what comes in, what goes out and what never happens', () => {
    const outside = imports.filter(
      ({ file, target }) => isLocal(target) && !isWiring(target) && roomOf(file) !== roomOf(target)
    )
    const wrong = outside.filter(
      ({ target }) => !target.includes('/gen/') && !/^\w+(\/[\w-]+){1,2}\/index\.ts$/.test(target)
    )
    assert.deepEqual(wrong.map(complaint), [])
    for (const room of new Set(
      files.map(roomOf).filter(name => !name.endsWith('.ts') && name !== 'shared/proto' && !name.startsWith('cli/'))
    )) {
      const index = join(root, room, 'index.ts')
      assert.ok(existsSync(index), `${room} has no index.ts`)
      const head = readFileSync(index, 'utf8')
        .split('\n')
        .filter(line => line.startsWith('//'))
        .join('\n')
      for (const word of ['In:', 'Out:', 'Never:'])
        assert.ok(head.includes(word), `${room}/index.ts does not say "${word}"`)
    }
  })

  it('lets no program import another, and no shared room a program', () => {
    const wrong = imports.filter(({ file, target }) => {
      const [from] = file.split('/')
      const [to = ''] = target.split('/')
      return isLocal(target) && to !== 'shared' && to !== from
    })
    assert.deepEqual(wrong.map(complaint), [])
  })

  it('lets rooms import only what the tables allow', () => {
    const wrong = imports.filter(({ file, target }) => {
      if (!isLocal(target) || isWiring(file)) return false
      const [from, to] = [roomOf(file), roomOf(target)]
      if (from === to) return false
      if (from.startsWith('shared/'))
        return !(SHARED_ARROWS[from] ?? [])
          .concat(['shared/errors', 'shared/suggest', 'shared/names', 'shared/duration'].includes(from) ? [] : LEAVES)
          .includes(to)
      return !to.startsWith('shared/') && !(ARROWS[from] ?? []).includes(to)
    })
    assert.deepEqual(wrong.map(complaint), [])
  })

  it('keeps the rooms that decide free of files, sockets and timers', () => {
    const wrong = imports.filter(
      ({ file, target, typeOnly, names }) =>
        PURE.includes(roomOf(file)) && !typeOnly && IMPURE.test(target) && !ADDRESS_SYNTAX.test(names)
    )
    assert.deepEqual(wrong.map(complaint), [])
    for (const file of files.filter(name => PURE.includes(roomOf(name))))
      assert.doesNotMatch(
        readFileSync(join(root, file), 'utf8'),
        /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval)\b/,
        file
      )
  })

  it('has one door to each outside thing', () => {
    const wrong = imports.filter(({ file, target, typeOnly }) => {
      const doors = DOORS[target]
      return doors !== undefined && !typeOnly && !doors.some(door => file.startsWith(`${door}/`))
    })
    assert.deepEqual(wrong.map(complaint), [])
  })

  it('keeps main.ts to 40 lines and every other file to 300', () => {
    const lengths = files.map(file => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
    const long = lengths.filter(({ file, lines }) => lines > (file.endsWith('/main.ts') ? 40 : 300))
    assert.deepEqual(long, [])
  })

  it('never reads the environment outside shared/config', () => {
    const wrong = files.filter(
      file => !file.startsWith('shared/config/') && readFileSync(join(root, file), 'utf8').includes('process.env')
    )
    assert.deepEqual(wrong, [])
  })
})
