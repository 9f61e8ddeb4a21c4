import type { Secret } from '../../shared/inventory/index.ts'
import { lacksEntry, notThere, type SecretPlace, type SecretReading, type SecretStore } from './secret-store.ts'

interface Folder {
  secrets(): readonly Secret[]
  subscribe(listener: () => void): () => void
}

/** The Secrets that manifests in a folder hold; those of another type than Opaque are not read from there. */
export class FolderSecretStore implements SecretStore {
  readonly #folder: Folder

  constructor(folder: Folder) {
    this.#folder = folder
  }

  async read(place: SecretPlace): Promise<SecretReading> {
    const { namespace, name, key } = place
    const secret = this.#folder.secrets().find(one => one.namespace === namespace && one.name === name)
    if (secret === undefined) return notThere(place)
    const value = secret.data.get(key)
    return value === undefined ? lacksEntry(place) : { value }
  }

  subscribe(listener: () => void): () => void {
    return this.#folder.subscribe(listener)
  }
}
