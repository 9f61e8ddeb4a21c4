import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { CACHE, LARGEST_OUTPUT, toolFile } from './tool.ts'

const ROOT = join(import.meta.dirname, '../..')
export const CHART = join(ROOT, 'charts/countersign')
export const NAMESPACE = 'countersign-system'

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
  const { status, stdout, stderr } = spawnSync(toolFile('helm'), args, {
    input,
    encoding: 'utf8',
    maxBuffer: LARGEST_OUTPUT,
    env: { PATH: process.env['PATH'], HOME: home, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home }
  })
  if (status !== 0) throw new Error(stderr)
  return stdout
}

export const read = (file: string): string => readFileSync(join(CHART, file), 'utf8')
