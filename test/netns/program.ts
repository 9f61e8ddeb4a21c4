import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { ApplyRequestSchema, Capture } from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'
import { unaryCall } from '../../shared/rpc/index.ts'
import { end, eventually } from './pod.ts'

// To enter a namespace, to program it, to look at the namespaces of other users' processes; the last is for
// iptables-legacy alone.
const CAPABILITIES = ['sys_admin', 'net_admin', 'sys_ptrace', 'net_raw']

export interface ProgramOptions {
  /** The value of `--capture`; its default unless given. */
  readonly capture?: string
  /** Capabilities that it does not have. */
  readonly withoutCapabilities?: readonly string[]
  /** Programs that cannot be run, by their paths. */
  readonly withoutPrograms?: readonly string[]
}

/** The program of the privileged container, with the rights that it has in a cluster and no others. */
export class Program {
  readonly #options: ProgramOptions
  readonly folder = mkdtempSync(join(tmpdir(), 'countersign-netns-'))
  /** Where the agent asks it. */
  readonly socket = join(this.folder, 'state/node.sock')
  #child: ChildProcess | undefined
  #client: Client | undefined
  output = ''

  constructor(options: ProgramOptions = {}) {
    this.#options = options
  }

  async start(): Promise<void> {
    for (const folder of ['state', 'csi', 'registration', 'kubelet', 'proc'])
      mkdirSync(join(this.folder, folder), { recursive: true })
    const flags = ['state', 'registration', 'kubelet', 'proc'].flatMap(name => [`--${name}`, join(this.folder, name)])
    const { capture, withoutCapabilities = [], withoutPrograms = [] } = this.#options
    if (capture !== undefined) flags.push(`--capture=${capture}`)
    const kept = CAPABILITIES.filter(name => !withoutCapabilities.includes(name)).map(name => `+${name}`)
    const rights = ['setpriv', '--inh-caps=-all', `--bounding-set=-all,${kept.join()}`]
    const program = [process.execPath, join(import.meta.dirname, '../../node/main.ts'), '--node=node-1', ...flags]
    const more = ['--health=127.0.0.1:0', `--csi-socket=${this.folder}/csi/csi.sock`]
    // The node's processes are seen at a mount, as in a container that has process ids of its own.
    const hide = withoutPrograms.map(path => `mount --bind /dev/null ${path} && `).join('')
    const prepare = `mount --rbind /proc ${this.folder}/proc && mount -t proc proc /proc && ${hide}exec "$@"`
    this.output = ''
    const child = spawn(
      'unshare',
      ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', prepare, 'sh', ...rights, ...program, ...more],
      { stdio: ['ignore', 'pipe', 'pipe'] }
    )
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', part => (this.output += part))
    await eventually(() => this.output.includes('"msg":"started"'), 'the program has started').catch(thrown => {
      throw new Error(this.output, { cause: thrown })
    })
    assert.ok(existsSync(this.socket))
    this.#client = new Client(`unix:${this.socket}`, credentials.createInsecure())
  }

  async apply(podUid: string, fields: MessageInitShape<typeof ApplyRequestSchema> = {}): Promise<void> {
    assert.ok(this.#client)
    const request = create(ApplyRequestSchema, { podUid, ...fields })
    await unaryCall(this.#client, Capture.method.apply, request, { timeoutMs: 30_000 })
  }

  /** Ends it as a kill does; it can be started again, and then sees what was mounted meanwhile. */
  async stop(): Promise<void> {
    this.#client?.close()
    if (this.#child) await end(this.#child)
  }

  async close(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true })
  }
}
