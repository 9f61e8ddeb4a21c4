import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { SECRET_TYPE } from '../../../shared/certificate-secrets/index.ts'
import type { Cluster } from '../index.ts'
import { environment } from '../run.ts'

/** A certificate that came into a Secret; times in milliseconds since the epoch. */
export interface Generation {
  readonly serialNumber: string
  readonly notAfter: number
  readonly seenAt: number
}

const FIELDS = ['.metadata.namespace', '.metadata.name', '.data.cert-chain\\.pem']
const FORMAT = `${FIELDS.map(field => `{${field}}`).join('{" "}')}{"\\n"}`

/** Notes every certificate that comes into a Secret, in all namespaces, while it runs. */
export class CertificateWatch {
  readonly #child: ChildProcess
  readonly #generations = new Map<string, Generation[]>()
  #said = ''

  constructor(cluster: Cluster) {
    const selector = ['--field-selector', `type=${SECRET_TYPE}`]
    const watch = ['get', 'secrets', '--all-namespaces', ...selector, '--watch', '-o', `jsonpath=${FORMAT}`]
    const { command, args, env } = cluster.kubectlInvocation(watch)
    this.#child = spawn(command, args, { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] })
    if (this.#child.stdout !== null) createInterface(this.#child.stdout).on('line', line => this.#note(line))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text
    })
  }

  /** The certificates of an account, in the order in which they came. */
  of(namespace: string, account: string): readonly Generation[] {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) throw new Error(`kubectl watches no longer: ${this.#said}`)
    return this.#generations.get(`${namespace}/countersign.${account}`) ?? []
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }

  #note(line: string): void {
    const [namespace, name, chain = ''] = line.split(' ')
    const certificate = parsed(Buffer.from(chain, 'base64'))
    // Somebody damages some.
    if (certificate === undefined) return
    const { serialNumber, validTo } = certificate
    const key = `${namespace}/${name}`
    const known = this.#generations.get(key) ?? []
    if (known.some(one => one.serialNumber === serialNumber)) return
    this.#generations.set(key, [...known, { serialNumber, notAfter: Date.parse(validTo), seenAt: Date.now() }])
  }
}

function parsed(pem: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}
