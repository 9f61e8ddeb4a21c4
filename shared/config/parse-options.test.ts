import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CountersignError } from '../errors/index.ts'
import {
  boolean,
  defineOptions,
  duration,
  helpText,
  integer,
  listenAddress,
  oneOf,
  parseOptions,
  path,
  text
} from './index.ts'

const TABLE = defineOptions({
  listenAddress: {
    flag: 'listen-address',
    env: 'COUNTERSIGN_LISTEN_ADDRESS',
    group: 'Listening',
    description: 'Where callers connect.',
    parser: listenAddress,
    default: '0.0.0.0:9443'
  },
  lifetime: {
    flag: 'lifetime',
    env: 'COUNTERSIGN_LIFETIME',
    group: 'Certificates',
    description: 'How long a certificate is valid; shorter means more renewals.',
    parser: duration('1m', '90d'),
    default: '24h'
  },
  mode: {
    flag: 'mode',
    env: 'COUNTERSIGN_MODE',
    group: 'Certificates',
    description: 'How it works.',
    parser: oneOf(['strict', 'permissive']),
    default: 'strict'
  },
  dryRun: {
    flag: 'dry-run',
    env: 'COUNTERSIGN_DRY_RUN',
    group: 'Certificates',
    description: 'Changes nothing.',
    parser: boolean,
    default: 'false'
  },
  file: { flag: 'file', env: 'COUNTERSIGN_FILE', group: 'Files', description: 'A file.', parser: path, optional: true },
  node: { flag: 'node', env: 'COUNTERSIGN_NODE', group: 'Files', description: 'A node.', parser: text('name') }
})

const NODE = ['--node', 'n1']

function problemsOf(argv: readonly string[], env: Record<string, string> = {}): readonly string[] {
  let caught: unknown
  try {
    parseOptions(TABLE, argv, env)
  } catch (thrown) {
    caught = thrown
  }
  assert.ok(caught instanceof CountersignError)
  assert.equal(caught.code, 'ERR_OPTION_INVALID')
  const problems = caught.facts['problems'] as readonly string[]
  assert.equal(caught.message, problems.join('; '))
  return problems
}

describe('options', () => {
  it('are the defaults where nothing is given', () => {
    assert.deepEqual(parseOptions(TABLE, NODE, {}), {
      listenAddress: { host: '0.0.0.0', port: 9443 },
      lifetime: 86_400_000,
      mode: 'strict',
      dryRun: false,
      node: 'n1'
    })
  })

  it('are frozen', () => assert.ok(Object.isFrozen(parseOptions(TABLE, NODE, {}))))

  it('come from the environment before the default, and from the flag before the environment', () => {
    const env = { COUNTERSIGN_LIFETIME: '2h', COUNTERSIGN_MODE: 'permissive', COUNTERSIGN_NODE: 'from-env' }
    const options = parseOptions(TABLE, ['--lifetime=3h'], env)
    assert.equal(options.lifetime, 3 * 3_600_000)
    assert.equal(options.mode, 'permissive')
    assert.equal(options.node, 'from-env')
  })

  it('take a value after a blank or after =, which may itself contain =', () => {
    assert.equal(parseOptions(TABLE, ['--node', 'a=b'], {}).node, 'a=b')
    assert.equal(parseOptions(TABLE, ['--node=a=b'], {}).node, 'a=b')
    assert.equal(parseOptions(TABLE, ['--node=--x'], {}).node, '--x')
  })

  it('read a boolean flag alone as true, and take nothing after it as its value', () => {
    assert.equal(parseOptions(TABLE, ['--dry-run', ...NODE], {}).dryRun, true)
    assert.equal(parseOptions(TABLE, ['--dry-run=false', ...NODE], { COUNTERSIGN_DRY_RUN: 'true' }).dryRun, false)
  })

  it('take a variable that is set to nothing as not set', () => {
    assert.equal(parseOptions(TABLE, NODE, { COUNTERSIGN_MODE: '' }).mode, 'strict')
  })

  it('do not mind variables that are not theirs', () => {
    assert.equal(parseOptions(TABLE, NODE, { COUNTERSIGN_AUTHORITY_PORT: 'tcp://10.0.0.1:15012' }).node, 'n1')
  })
})

describe('options are refused', () => {
  const refusals: Readonly<Record<string, readonly [readonly string[], Record<string, string>, string]>> = {
    'a value that is not allowed': [
      ['--lifetime', '5', ...NODE],
      {},
      '--lifetime "5": expected a duration from 1m to 90d such as 500ms, 30s, 1h30m or 7d'
    ],
    'a value out of range': [
      ['--lifetime=91d', ...NODE],
      {},
      '--lifetime "91d": expected a duration from 1m to 90d such as 500ms, 30s, 1h30m or 7d'
    ],
    'a variable whose value is not allowed, by its name': [
      NODE,
      { COUNTERSIGN_LISTEN_ADDRESS: 'nine' },
      'COUNTERSIGN_LISTEN_ADDRESS "nine": expected host:port with a port from 0 to 65535, IPv6 as [address]:port'
    ],
    'a word that is nearly one of the list': [
      ['--mode', 'strct', ...NODE],
      {},
      '--mode "strct": expected one of strict, permissive; did you mean "strict"'
    ],
    'an unknown flag, with the nearest': [
      ['--lifetme', '5h', ...NODE],
      {},
      '--lifetme: unknown option; did you mean "lifetime"'
    ],
    'an unknown flag that is like none': [['--verbose', ...NODE], {}, '--verbose: unknown option'],
    'a flag given twice': [['--mode', 'strict', '--mode=strict', ...NODE], {}, '--mode: given more than once'],
    'a flag without a value before another flag': [
      ['--mode', '--node', 'n1'],
      {},
      '--mode: needs a value: expected one of strict, permissive'
    ],
    'a flag without a value at the end': [
      [...NODE, '--mode'],
      {},
      '--mode: needs a value: expected one of strict, permissive'
    ],
    'an argument that is no option': [['run', ...NODE], {}, '"run": unexpected argument; options start with --'],
    'a short option': [['-v', ...NODE], {}, '"-v": unexpected argument; options start with --'],
    'a value after a boolean': [
      ['--dry-run', 'false', ...NODE],
      {},
      '"false": unexpected argument; options start with --'
    ],
    'an empty value': [['--node='], {}, '--node "": expected some text'],
    'nothing where something is required': [
      [],
      {},
      '--node: required, and neither it nor COUNTERSIGN_NODE is given: expected some text'
    ]
  }
  for (const [what, [argv, env, expected]] of Object.entries(refusals))
    it(`for ${what}`, () => assert.deepEqual(problemsOf(argv, env), [expected]))

  it('with all problems together', () => {
    const problems = problemsOf(['--lifetme=1h', '--mode', 'x', 'extra'], { COUNTERSIGN_LIFETIME: 'long' })
    assert.equal(problems.length, 5)
    for (const part of ['lifetme', '"extra"', 'COUNTERSIGN_LIFETIME "long"', '--mode "x"', '--node: required'])
      assert.ok(
        problems.some(problem => problem.includes(part)),
        part
      )
  })
})

describe('a table of options', () => {
  const option = { group: 'G', description: 'D.', parser: integer(0, 9) } as const

  it('may not use a flag or a variable twice', () => {
    const a = { ...option, flag: 'a', env: 'COUNTERSIGN_A', default: '1' } as const
    assert.throws(() => defineOptions({ a, b: { ...a, env: 'COUNTERSIGN_B' } }), TypeError)
    assert.throws(() => defineOptions({ a, b: { ...a, flag: 'b' } }), TypeError)
  })

  it('may not have a default that its own parser refuses, nor one for what is optional', () => {
    assert.throws(() => defineOptions({ a: { ...option, flag: 'a', env: 'COUNTERSIGN_A', default: '10' } }), TypeError)
    assert.throws(
      () => defineOptions({ a: { ...option, flag: 'a', env: 'COUNTERSIGN_A', default: '1', optional: true } }),
      TypeError
    )
  })

  it('may not name a flag with dashes in front or in capitals', () => {
    for (const flag of ['--a', 'A', 'a_b', 'a--b', ''])
      assert.throws(() => defineOptions({ a: { ...option, flag, env: 'COUNTERSIGN_A', default: '1' } }), TypeError)
  })
})

describe('the help', () => {
  const help = helpText('countersign-test', 'tests the help', TABLE)

  it('names every flag, its variable, its meaning and what is allowed', () => {
    for (const option of Object.values(TABLE))
      for (const part of [`--${option.flag}`, option.env, option.description.split(' ')[0] ?? ''])
        assert.ok(help.includes(part), part)
  })

  it('tells defaults, what is optional and what is required', () => {
    const flat = help.replace(/\s+/g, ' ')
    assert.match(flat, /Default: 24h\. Environment: COUNTERSIGN_LIFETIME\./)
    assert.match(flat, /Optional\. Environment: COUNTERSIGN_FILE\./)
    assert.match(flat, /Required\. Environment: COUNTERSIGN_NODE\./)
  })

  it('lists each group once, in the order of the table, and no line is wider than 100', () => {
    const headings = help.split('\n').filter(line => ['Listening', 'Certificates', 'Files', 'Help'].includes(line))
    assert.deepEqual(headings, ['Listening', 'Certificates', 'Files', 'Help'])
    for (const line of help.split('\n')) assert.ok(line.length <= 100, line)
  })
})
