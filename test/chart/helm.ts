import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { toolSource, toolsFor } from '../cluster/tools.ts'

const ROOT = join(import.meta.dirname, '../..')
export const CHART = join(ROOT, 'charts/countersign')
export const NAMESPACE = 'countersign-system'

const CACHE = join(ROOT, '.cache/cluster-tools')
const LARGEST_OUTPUT = 256 * 1024 * 1024

/** An object of Kubernetes, of which a test reads what it needs. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a manifest holds
export type Manifest = Record<string, any>

export interface RenderOptions {
  readonly values?: object
  readonly namespace?: string
  readonly kubernetes?: string
}

/**
 * What `helm template` makes of the chart, hooks included.
 *
 * @throws Error with what helm said
 */
export function render(options: RenderOptions = {}): readonly Manifest[] {
  const { values = {}, namespace = NAMESPACE, kubernetes = '1.34.0' } = options
  const args = ['template', 'countersign', CHART, '--namespace', namespace, '--kube-version', kubernetes]
  const output = helm([...args, '--values', '-'], stringify(values))
  return parseAllDocuments(output).flatMap(document => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS() ?? []
  })
}

/** Why helm refuses these values; empty when it does not. */
export function refusal(values: object): string {
  try {
    render({ values })
    return ''
  } catch (thrown) {
    return (thrown as Error).message
  }
}

/** The one object of this kind and name. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter(manifest => manifest['kind'] === kind && manifest['metadata'].name === name)
  if (found.length !== 1 || found[0] === undefined) throw new Error(`expected one ${kind} ${name}, got ${found.length}`)
  return found[0]
}

/** Runs helm, without anything that belongs to the user of this machine. */
export function helm(args: readonly string[], input = ''): string {
  const home = join(CACHE, 'helm-home')
  const { status, stdout, stderr } = spawnSync(program(), args, {
    input,
    encoding: 'utf8',
    maxBuffer: LARGEST_OUTPUT,
    env: { PATH: process.env['PATH'], HOME: home, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home }
  })
  if (status !== 0) throw new Error(stderr)
  return stdout
}

let found: string | undefined

// Where the cluster has it: packed in COUNTERSIGN_TOOLS, or in the cache.
function program(): string {
  found ??= provide()
  return found
}

function provide(): string {
  const tool = toolsFor('1.34').find(({ name }) => name === 'helm')
  if (tool === undefined) throw new Error('the cluster has no helm any more')
  const tools = process.env['COUNTERSIGN_TOOLS'] || undefined
  const source = toolSource(tool, { tools }, CACHE, existsSync)
  if (source.kind === 'built')
    throw new Error(
      'there is no helm: set COUNTERSIGN_TOOLS to a folder with helm.xz, or run `npm run cluster up` once'
    )
  if (source.kind === 'packed' && !existsSync(source.to)) unpack(source.from, source.to)
  return source.to
}

function unpack(from: string, to: string): void {
  const { status, stdout, stderr } = spawnSync('xz', ['-dc', from], { maxBuffer: LARGEST_OUTPUT })
  if (status !== 0) throw new Error(`${from} cannot be unpacked: ${stderr}`)
  mkdirSync(dirname(to), { recursive: true })
  // Under another name first: several test files may do this at once.
  const unfinished = `${to}.${process.pid}`
  writeFileSync(unfinished, stdout)
  chmodSync(unfinished, 0o755)
  renameSync(unfinished, to)
}

export const read = (file: string): string => readFileSync(join(CHART, file), 'utf8')
