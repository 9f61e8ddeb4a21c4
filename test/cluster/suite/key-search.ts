import type { Cluster } from '../index.ts'
import type { CertificateSeen } from './certificates-seen.ts'

const SYSTEM = 'countersign-system'
const COMPONENTS = 'app.kubernetes.io/component in (authority, webhook)'

/** Whether keys stand anywhere where they must not: notes keys and what is said, and looks for the former in the latter. */
export class KeySearch {
  readonly #cluster: Cluster
  /** Lines of keys, and what they are in the data of a Secret. */
  readonly #parts = new Set<string>()
  readonly #said: string[] = []

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  noteKeys(certificates: Iterable<CertificateSeen>): void {
    for (const { key } of certificates) {
      const lines = key.split('\n').filter(line => line !== '' && !line.startsWith('-'))
      for (const line of lines) this.#parts.add(line)
      this.#parts.add(Buffer.from(key).toString('base64').slice(100, 160))
    }
  }

  /** Notes what all replicas have written into their logs so far. Needed before a pod of theirs ends. */
  async noteLogs(): Promise<void> {
    const pods = ['-n', SYSTEM, '-l', COMPONENTS]
    this.#said.push(await this.#cluster.kubectl(['logs', ...pods, '--all-containers', '--tail=-1']))
  }

  /** What a pod had written when it was killed and started again. */
  async notePreviousLog(pod: string): Promise<void> {
    this.#said.push(await this.#cluster.kubectl(['logs', '-n', SYSTEM, pod, '--previous', '--tail=-1']))
  }

  /** Events, and objects of a kind. */
  async noteObjects(...kinds: readonly string[]): Promise<void> {
    for (const kind of kinds)
      this.#said.push(await this.#cluster.kubectl(['get', kind, '--all-namespaces', '-o', 'json']))
  }

  /** Where a key was said, as far as it can be shown; and how much was looked at. */
  look(): { readonly found: readonly string[]; readonly keyParts: number; readonly characters: number } {
    const found = this.#said.flatMap(text => {
      const part = ['PRIVATE KEY', ...this.#parts].find(each => text.includes(each))
      if (part === undefined) return []
      const at = text.indexOf(part)
      return [text.slice(Math.max(0, at - 200), at)]
    })
    const characters = this.#said.reduce((sum, { length }) => sum + length, 0)
    return { found, keyParts: this.#parts.size, characters }
  }
}
