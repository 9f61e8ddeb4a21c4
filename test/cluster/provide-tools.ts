import { spawn } from 'node:child_process'
import { createWriteStream, existsSync } from 'node:fs'
import { chmod, copyFile, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ClusterError } from './cluster-error.ts'
import type { Progress } from './progress.ts'
import { environment, lastLines, outcomeOf } from './run.ts'
import type { Layout, Settings } from './settings.ts'
import { type Tool, toolSource, toolsFor } from './tools.ts'

const CACHE = join(import.meta.dirname, '../../.cache/cluster-tools')
const MODULES = join(import.meta.dirname, 'tools')

/** A program of a cluster, ready to run. */
export interface ProvidedTool {
  readonly name: Tool['name']
  readonly file: string
}

/**
 * Finds kube, coredns and helm, or makes them.
 *
 * @throws ClusterError when one can neither be found nor be built
 */
export async function provideTools(settings: Settings, progress: Progress): Promise<ProvidedTool[]> {
  const provided: ProvidedTool[] = []
  for (const tool of toolsFor(settings.kubernetes)) {
    const source = toolSource(tool, settings, CACHE, existsSync)
    await mkdir(dirname(source.to), { recursive: true })
    if (source.kind === 'packed') await unpack(source.from, source.to, progress)
    if (source.kind === 'built') await build(tool, source.to, progress)
    provided.push({ name: tool.name, file: source.to })
  }
  return provided
}

/** Puts the programs into the folder of a cluster, so that its nodes see them wherever the checkout is. */
export async function placeTools(tools: readonly ProvidedTool[], layout: Layout): Promise<void> {
  for (const { name, file } of tools) {
    await mkdir(dirname(layout[name]), { recursive: true })
    // On another file system it has to be copied.
    await link(file, layout[name]).catch(() => copyFile(file, layout[name]))
  }
}

async function unpack(from: string, to: string, progress: Progress): Promise<void> {
  const { size, mtimeMs } = await stat(from)
  const origin = `${from} ${size} ${mtimeMs}`
  const note = `${to}.origin`
  if (existsSync(to) && (await readFile(note, 'utf8').catch(() => '')) === origin) return
  await progress.step(`unpacking ${from}`, () =>
    replace(to, async unfinished => {
      const xz = spawn('xz', ['-dc', from], { stdio: ['ignore', 'pipe', 'inherit'], env: environment() })
      const ended = new Promise<number | null>(done => xz.once('close', done))
      await pipeline(xz.stdout, createWriteStream(unfinished))
      if ((await ended) !== 0) throw new ClusterError(`${from} could not be unpacked`, 'see the message of xz above')
    })
  )
  await writeFile(note, origin)
}

async function build(tool: Tool, to: string, progress: Progress): Promise<void> {
  const title = `building ${tool.name} ${tool.version} from Go modules (once, about ${tool.minutes} minutes on two CPUs)`
  const args = [
    'build',
    '-v',
    '-trimpath',
    ...(tool.modfile === undefined ? [] : [`-modfile=${tool.modfile}`]),
    ...['-ldflags', tool.linkerFlags]
  ]
  let packages = 0
  let latest = ''
  const count = (text: string): void => {
    const lines = text.split('\n').filter(Boolean)
    packages += lines.filter(line => !line.startsWith('go: ')).length
    latest = lines.at(-1) ?? latest
  }
  await progress.step(
    title,
    () =>
      replace(to, async unfinished => {
        const { code, stderr } = await outcomeOf('go', [...args, '-o', unfinished, tool.target], {
          cwd: join(MODULES, tool.module),
          env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
          onStderr: count
        }).catch(cause => {
          throw new ClusterError(
            `${tool.name} is neither in ${CACHE} nor can it be built: ${cause.message}`,
            'install Go 1.26 or newer (https://go.dev/dl), or set COUNTERSIGN_TOOLS to a folder that has the programs'
          )
        })
        if (code !== 0)
          throw new ClusterError(
            `building ${tool.name} failed: ${lastLines(stderr)}`,
            'see the message above; Go modules come from GOPROXY (`go env GOPROXY`)'
          )
      }),
    () => `${packages} packages, ${latest}`
  )
}

/** Makes a file under another name, so that a process that dies leaves none that looks whole. */
async function replace(to: string, make: (unfinished: string) => Promise<void>): Promise<void> {
  const unfinished = `${to}.${process.pid}.unfinished`
  try {
    await make(unfinished)
    await chmod(unfinished, 0o755)
    await rename(unfinished, to)
  } finally {
    await rm(unfinished, { force: true })
  }
}
