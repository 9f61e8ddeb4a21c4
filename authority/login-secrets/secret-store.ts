import type { Sensitive } from '../../shared/log/index.ts'

/** One entry of a Secret. */
export interface SecretPlace {
  readonly namespace: string
  readonly name: string
  readonly key: string
}

/** What is there, or, for people, why it is not to be had. */
export type SecretReading =
  | { readonly value: Sensitive<Buffer> }
  | {
      readonly problem: string
      /** It may be over in a moment, as a permission that the API server has not heard of yet. */
      readonly mayPass?: boolean
    }

/** Where Secrets are. */
export interface SecretStore {
  /** @throws CountersignError ERR_KUBERNETES_UNAVAILABLE or another when it cannot be told at present */
  read(place: SecretPlace, signal: AbortSignal): Promise<SecretReading>
  /** Calls back when any Secret may have changed. Absent: nobody tells, and they are looked at again and again. */
  subscribe?(listener: () => void): () => void
}

export const nameOf = ({ namespace, name }: Omit<SecretPlace, 'key'>): string => `Secret ${namespace}/${name}`

export const notThere = (place: SecretPlace): SecretReading => ({ problem: `there is no ${nameOf(place)}` })

export const lacksEntry = (place: SecretPlace): SecretReading => ({
  problem: `${nameOf(place)} has no entry ${JSON.stringify(place.key)}`
})
