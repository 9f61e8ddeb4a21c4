import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameOf } from './declaration.ts'
import { EMPTY_GRACE_MS, type FileState, nextFileState } from './file-state.ts'
import type { Content } from './read-file.ts'

const namespace = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n---\n`
const text = (text: string) => ({ state: 'text', text, digest: text }) as const

/** The state after these contents, a second apart. */
function after(...contents: readonly Content[]): FileState | undefined {
  let state: FileState | undefined
  for (const [index, content] of contents.entries()) state = nextFileState('f', state, content, index * 1_000)
  return state
}

const names = (state: FileState | undefined) => state?.declarations.map(nameOf)
const messages = (state: FileState | undefined) => state?.problems.map(({ message }) => message.split(':')[0])

const good = text(namespace('a'))
const other = text(namespace('b'))
const policy = (name: string, mode: string) =>
  `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: ${name}}\nspec: {mtls: {mode: ${mode}}}\n---\n`
const broken = text(`${namespace('b')}kind: [\n`)
const warned = text(`${namespace('b')}apiVersion: v1\nkind: ConfigMap\n`)
const empty = text(' \n')
const unreadable = { state: 'unreadable', reason: 'EACCES' } as const

const rows: readonly {
  title: string
  contents: readonly Content[]
  names: string[] | undefined
  problems: number
}[] = [
  { title: 'a good file is in force', contents: [good], names: ['Namespace a'], problems: 0 },
  { title: 'a good change is in force', contents: [good, other], names: ['Namespace b'], problems: 0 },
  {
    title: 'a mistake keeps the last good state of all of it',
    contents: [good, broken],
    names: ['Namespace a'],
    problems: 1
  },
  {
    title: 'a second mistake keeps it as well',
    contents: [good, broken, text('kind: {')],
    names: ['Namespace a'],
    problems: 1
  },
  {
    title: 'a mistake that is mended is forgotten',
    contents: [good, broken, other],
    names: ['Namespace b'],
    problems: 0
  },
  {
    title: 'a file that was never good counts as far as it is good',
    contents: [broken],
    names: ['Namespace b'],
    problems: 1
  },
  {
    title: 'a file that was never good counts anew after each change',
    contents: [text(`${namespace('a')}kind: [\n`), broken],
    names: ['Namespace b'],
    problems: 1
  },
  {
    title: 'a policy that cannot be understood is in force as such in a file that was never good',
    contents: [text(`${namespace('b')}${policy('p', 'strict')}`)],
    names: ['Namespace b', 'PeerAuthentication default/p'],
    problems: 1
  },
  {
    title: 'one that was good before keeps its last good state',
    contents: [text(policy('p', 'STRICT')), text(policy('p', 'strict')), text(policy('p', 'strikt'))],
    names: ['PeerAuthentication default/p'],
    problems: 1
  },
  {
    title: 'one that is new beside that is in force, since nothing better is known of it',
    contents: [good, text(`${namespace('b')}${policy('p', 'strict')}`), text(policy('q', 'strict'))],
    names: ['Namespace a', 'PeerAuthentication default/q'],
    problems: 1
  },
  {
    title: 'and is gone when it is mended',
    contents: [
      good,
      text(`${namespace('b')}${policy('p', 'strict')}`),
      text(`${namespace('b')}${policy('p', 'STRICT')}`)
    ],
    names: ['Namespace b', 'PeerAuthentication default/p'],
    problems: 0
  },
  { title: 'a warning holds nothing back', contents: [good, warned], names: ['Namespace b'], problems: 1 },
  {
    title: 'a file that becomes unreadable stays in force',
    contents: [good, unreadable],
    names: ['Namespace a'],
    problems: 1
  },
  {
    title: 'a mistake after that is held back against what was good before',
    contents: [good, unreadable, broken],
    names: ['Namespace a'],
    problems: 1
  },
  { title: 'a file that was never readable holds nothing', contents: [unreadable], names: [], problems: 1 },
  { title: 'a file that is gone is gone', contents: [good, { state: 'gone' }], names: undefined, problems: 0 },
  { title: 'an empty file holds nothing', contents: [empty], names: [], problems: 0 },
  {
    title: 'a file that becomes empty stays in force for a while',
    contents: [good, empty],
    names: ['Namespace a'],
    problems: 1
  },
  {
    title: 'and is empty when it stays so',
    contents: [good, empty, empty, empty, empty, empty, empty],
    names: [],
    problems: 0
  },
  {
    title: 'the while starts anew when it was written meanwhile',
    contents: [good, empty, empty, empty, other, empty, empty, empty],
    names: ['Namespace b'],
    problems: 1
  },
  {
    title: 'a generator that empties the file first replaces it at once when it is done',
    contents: [good, empty, other],
    names: ['Namespace b'],
    problems: 0
  },
  {
    title: 'the same text after a while of emptiness is in force without a problem',
    contents: [good, empty, good],
    names: ['Namespace a'],
    problems: 0
  }
]

for (const { title, contents, names: expected, problems } of rows)
  test(title, () => {
    const state = after(...contents)
    assert.deepEqual(names(state), expected)
    assert.equal(messages(state)?.length ?? 0, problems)
  })

test('a policy that keeps its last good state is the good one', () => {
  const state = after(text(policy('p', 'STRICT')), text(policy('p', 'strict')))
  assert.deepEqual(
    state?.declarations.map(({ kind }) => kind),
    ['PeerAuthentication']
  )
})

test('a file that did not change keeps its very state', () => {
  const state = after(good)
  assert.equal(nextFileState('f', state, good, EMPTY_GRACE_MS), state)
})
