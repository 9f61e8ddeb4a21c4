import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { FolderWatch } from '../../shared/files/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { onePerPod } from './one-per-pod.ts'
import { readRecord } from './read-record.ts'
import type { Volume } from './volume.ts'

export interface VolumeSetOptions {
  /** The `volumes` folder of the agent's state. */
  readonly folder: string
  readonly clock: Clock
  readonly log: Logger
  /** How often the folder is read although nothing was heard of a change; 10 seconds unless given. */
  readonly rescanMs?: number
}

interface KnownFile {
  /** Changes whenever the file is replaced, even by the same content. */
  readonly fingerprint: string
  readonly volume: Volume | undefined
}

/**
 * The volumes of this node, as their records say, kept current.
 *
 * A record that cannot be used is reported as ERR_VOLUME_INVALID and changes nothing for any other; where it replaced
 * a good one, the good one stays in force until the file is gone, so a pod never loses its key to a typing error.
 */
export class VolumeSet {
  readonly #options: VolumeSetOptions
  readonly #log: Logger
  readonly #watch: FolderWatch
  readonly #listeners = new Set<() => void>()
  #files = new Map<string, KnownFile>()
  #current: ReadonlyMap<string, Volume> = new Map()
  #refused: ReadonlySet<Volume> = new Set()
  #folderProblem: string | undefined

  constructor(options: VolumeSetOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'volume' })
    const { folder, clock, rescanMs } = options
    const interval = rescanMs === undefined ? {} : { intervalMs: rescanMs }
    this.#watch = new FolderWatch({ folder, clock, log: this.#log, look: () => this.#scan(), ...interval })
  }

  /** Reads the folder, so that `current` is right when this returns, and follows it until `close`. */
  start(): void {
    this.#watch.start()
  }

  /** By the UID of the pod. */
  current(): ReadonlyMap<string, Volume> {
    return this.#current
  }

  /** Calls `listener` after every change; the returned function ends that. */
  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  close(): void {
    this.#watch.close()
    this.#listeners.clear()
  }

  #scan(): void {
    let names: string[]
    try {
      names = readdirSync(this.#options.folder).filter(name => name.endsWith('.json') && !name.startsWith('.'))
    } catch (thrown) {
      // Not knowing is no reason to take the volumes from running pods.
      const err = CountersignError.from(thrown, 'ERR_VOLUME_INVALID', 'volume folder cannot be read')
      if (this.#folderProblem !== err.message) this.#log.error({ err }, 'volumes stay as they were')
      this.#folderProblem = err.message
      return
    }
    this.#folderProblem = undefined
    this.#files = new Map(
      names.sort().flatMap(name => {
        const file = this.#readFile(name)
        return file === undefined ? [] : [[name, file]]
      })
    )
    this.#publish()
  }

  #readFile(name: string): KnownFile | undefined {
    const path = join(this.#options.folder, name)
    const known = this.#files.get(name)
    let fingerprint = 'unreadable'
    try {
      const { ino, mtimeNs, size } = statSync(path, { bigint: true })
      fingerprint = `${ino}/${mtimeNs}/${size}`
      if (known?.fingerprint === fingerprint) return known
      const { volume, unknownAttributes } = readRecord(name, readFileSync(path, 'utf8'))
      if (unknownAttributes.length > 0)
        this.#log.warn({ file: name, pod: volume.pod.name, attributes: unknownAttributes }, 'unknown volume attributes')
      return { fingerprint, volume }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      if (known?.fingerprint !== fingerprint) {
        const err = CountersignError.from(thrown, 'ERR_VOLUME_INVALID', `volume record ${name}`)
        this.#log.error({ err, lastGood: known?.volume !== undefined }, 'volume record cannot be used')
      }
      return { fingerprint, volume: known?.volume }
    }
  }

  #publish(): void {
    const volumes = [...this.#files.values()].flatMap(file => file.volume ?? [])
    const { accepted, refused } = onePerPod(volumes, this.#current)
    for (const volume of refused.filter(volume => !this.#refused.has(volume))) {
      const message = `volume ${volume.id}: pod ${volume.pod.uid} has another volume already, expected one per pod`
      this.#log.error({ err: new CountersignError('ERR_VOLUME_INVALID', message) }, 'volume is not served')
    }
    this.#refused = new Set(refused)
    const previous = this.#current
    this.#current = accepted
    const unchanged =
      previous.size === accepted.size && [...accepted].every(([uid, volume]) => previous.get(uid) === volume)
    if (!unchanged) for (const listener of [...this.#listeners]) listener()
  }
}
