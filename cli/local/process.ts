import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const KEPT_LINES = 200

export interface ProcessSpec {
  /** What people call it, for example `authority` or `orders-1/countersign-proxy`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly folder?: string
}

/** A child process with its last lines of output at hand. Ended by its own id, never by a name. */
export class LocalProcess {
  readonly name: string
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #listeners = new Set<(line: string) => void>()
  readonly #exited: Promise<void>

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
    this.#exited = once(child, 'exit').then(() => undefined)
    for (const stream of [child.stdout, child.stderr])
      if (stream !== null) createInterface({ input: stream }).on('line', line => this.#take(line))
  }

  /** @throws Error when the program cannot be started at all */
  static async start(spec: ProcessSpec): Promise<LocalProcess> {
    const child = spawn(spec.command, spec.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...spec.environment },
      ...(spec.folder === undefined ? {} : { cwd: spec.folder })
    })
    await once(child, 'spawn')
    return new LocalProcess(spec.name, child)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Exit code, or the signal that ended it; undefined while it runs. */
  get ended(): number | string | undefined {
    return this.#child.exitCode ?? this.#child.signalCode ?? undefined
  }

  /** The last lines it printed, oldest first. */
  get output(): readonly string[] {
    return this.#lines
  }

  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** SIGTERM, then SIGKILL for what is still there after `graceMs`. Resolves when it has ended. */
  async stop(graceMs = 5_000): Promise<void> {
    if (!this.running) return this.#exited
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs)
    await this.#exited
    clearTimeout(timer)
  }

  /** SIGKILL: what a crash or an out-of-memory kill looks like. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  #take(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > KEPT_LINES) this.#lines.shift()
    for (const listener of this.#listeners) listener(line)
  }
}
