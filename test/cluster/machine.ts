import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClusterError } from './cluster-error.ts'
import { childrenOf, goneWithin, identify, isAlive, type ProcessId, signal } from './process.ts'
import { environment, lastLines, type Outcome, outcomeOf, type RunOptions } from './run.ts'
import type { MachineName } from './settings.ts'
import { until } from './until.ts'

const INIT = join(import.meta.dirname, 'machine-init.sh')
const BOOT_MS = 10_000
const START_MS = 10_000
const STOP_MS = 10_000

/** A program that was started on a machine: how, and which process it is. */
interface Program extends ProcessId {
  readonly command: readonly string[]
}

/**
 * A computer made of namespaces: a network, mounts and processes of its own, on the disk and kernel of this one.
 * What runs on it outlives the command that started it, and ends with `machine-init.sh`.
 */
export class Machine {
  readonly name: MachineName
  readonly folder: string

  /** @param folder what it keeps; its programs find it at the same path */
  constructor(name: MachineName, folder: string) {
    this.name = name
    this.folder = folder
  }

  /** Makes the namespaces. The network namespace has to be there. */
  async boot(): Promise<void> {
    await mkdir(join(this.folder, 'programs'), { recursive: true })
    await mkdir(join(this.folder, 'log'), { recursive: true })
    const unshare = ['unshare', '--mount', '--pid', '--fork', 'bash', INIT, this.folder]
    const outer = this.#spawn('init', [`--net=/run/netns/${this.name.netns}`, ...unshare])
    const late = (): Error => this.#failure('init', 'did not come up')
    const init = await until(() => this.#childOnceBooted(outer), BOOT_MS, late)
    await this.#note('init', { ...init, command: [] })
  }

  #childOnceBooted(outer: number): ProcessId | undefined {
    if (identify(outer) === undefined) throw this.#failure('init', 'ended at once')
    const [child] = childrenOf(outer)
    return child === undefined || !existsSync(join(this.folder, 'booted')) ? undefined : identify(child)
  }

  /** The number that the machine's first process has outside. */
  async initPid(): Promise<number> {
    return (await this.#program('init')).pid
  }

  /** A file of this machine's own mounts, by a path that is valid outside. */
  async path(inside: string): Promise<string> {
    return `/proc/${await this.initPid()}/root${inside}`
  }

  /** Runs a program to its end, in all namespaces of the machine. */
  async run(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return outcomeOf('nsenter', [...(await this.#enter()), ...command], options)
  }

  /**
   * Starts a program that stays. Its output goes to `log/NAME.log`.
   *
   * @throws ClusterError when it ends at once
   */
  async start(name: string, command: readonly string[]): Promise<void> {
    const nsenter = this.#spawn(name, [...(await this.#enter()), ...command])
    const late = (): Error => this.#failure(name, 'did not start')
    // nsenter stays outside, waits for the program, and ends as it ended.
    const child = await until(
      () => {
        if (identify(nsenter) === undefined) throw this.#failure(name, 'ended at once')
        const [pid] = childrenOf(nsenter)
        return pid === undefined ? undefined : identify(pid)
      },
      START_MS,
      late
    )
    await this.#note(name, { ...child, command })
  }

  /**
   * Ends a program and waits until it is gone; one that is gone already is fine.
   *
   * @param how `SIGTERM` becomes a SIGKILL after ten seconds
   */
  async stop(name: string, how: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const program = await this.#program(name)
    if (!isAlive(program)) return
    signal(program.pid, how)
    if (await goneWithin(program, STOP_MS)) return
    signal(program.pid, 'SIGKILL')
    if (!(await goneWithin(program, STOP_MS))) throw this.#failure(name, 'cannot be ended')
  }

  /** Starts a program again, as it was started before, after it was stopped or killed. */
  async startAgain(name: string): Promise<void> {
    const program = await this.#program(name)
    if (isAlive(program)) throw new TypeError(`${name} runs on ${this.name.name}: stop it first`)
    await this.start(name, program.command)
  }

  async isRunning(name: string): Promise<boolean> {
    return isAlive(await this.#program(name))
  }

  /** @throws ClusterError with the end of its log when a program that should run does not */
  async mustRun(name: string): Promise<void> {
    if (!(await this.isRunning(name))) throw this.#failure(name, 'has ended')
  }

  async #enter(): Promise<string[]> {
    return ['--target', String(await this.initPid()), '--net', '--mount', '--pid', '--']
  }

  #spawn(name: string, args: readonly string[]): number {
    const log = openSync(this.#log(name), 'a')
    try {
      const child = spawn('nsenter', args, {
        detached: true,
        stdio: ['ignore', log, log],
        env: environment(),
        cwd: '/'
      })
      child.unref()
      // Told by `identify` soon after.
      child.once('error', () => {})
      if (child.pid === undefined) throw new ClusterError('nsenter could not be run', 'install the package util-linux')
      return child.pid
    } finally {
      closeSync(log)
    }
  }

  #log(name: string): string {
    return join(this.folder, 'log', `${name}.log`)
  }

  #note(name: string, program: Program): Promise<void> {
    return writeFile(join(this.folder, 'programs', `${name}.json`), JSON.stringify(program))
  }

  async #program(name: string): Promise<Program> {
    const file = join(this.folder, 'programs', `${name}.json`)
    try {
      return JSON.parse(await readFile(file, 'utf8')) as Program
    } catch (cause) {
      const message = `${name} was never started on ${this.name.name}`
      throw new ClusterError(message, 'bring the cluster down and up again', { cause })
    }
  }

  #failure(name: string, what: string): ClusterError {
    const log = this.#log(name)
    const said = existsSync(log) ? lastLines(readFileSync(log, 'utf8'), 6) : ''
    return new ClusterError(`${name} of ${this.name.name} ${what}: ${said}`, `see ${log}`)
  }
}
