import type { Clock } from '../../shared/clock/index.ts'
import { type Labels, type Pod, podFromApi, type Service, serviceFromManifest } from '../../shared/inventory/index.ts'
import {
  COLLECTIONS,
  type Collection,
  collectionPath,
  type KubeClient,
  type KubeObject
} from '../../shared/kube/index.ts'

export interface FoundWorkloads {
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
  /** There may be more pods or Services, which were not listed. */
  readonly isPartial: boolean
}

/**
 * Lists the pods with these labels, and the Services of their namespace.
 *
 * @throws Error that says why, as a phrase for users
 */
export type WorkloadFinder = (namespace: string, labels: Labels) => Promise<FoundWorkloads>

export interface WorkloadFinderOptions {
  readonly client: Pick<KubeClient, 'pages'>
  readonly clock: Clock
}

/** The API server waits 5 s for the answer of this webhook. */
const LONGEST_MS = 2_000
/** Each may hold two lists of 500 objects in memory. */
const MOST_AT_ONCE = 4
/** `pages` asks for so many. */
const PAGE_SIZE = 500

export function workloadFinder({ client, clock }: WorkloadFinderOptions): WorkloadFinder {
  let running = 0
  return async (namespace, labels) => {
    if (running >= MOST_AT_ONCE) throw new Error('too many policies are being written at the same time')
    running++
    const deadline = new AbortController()
    const cancel = clock.after(LONGEST_MS, () => deadline.abort())
    const list = (collection: Collection, selection = {}): Promise<readonly KubeObject[]> =>
      firstPage(client, collectionPath(collection, namespace), selection, deadline.signal)
    try {
      const labelSelector = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
      const [pods, services] = await Promise.all([
        list(COLLECTIONS.pods, labelSelector.length === 0 ? {} : { labelSelector: labelSelector.join(',') }),
        list(COLLECTIONS.services)
      ])
      return {
        pods: pods.flatMap(pod => podFromApi(pod).value ?? []),
        services: services.flatMap(service => serviceFromManifest(service).value ?? []),
        isPartial: pods.length >= PAGE_SIZE || services.length >= PAGE_SIZE
      }
    } catch (thrown) {
      if (deadline.signal.aborted) throw new Error(`the Kubernetes API did not answer within ${LONGEST_MS / 1_000} s`)
      throw thrown
    } finally {
      cancel()
      deadline.abort()
      running--
    }
  }
}

async function firstPage(
  client: Pick<KubeClient, 'pages'>,
  path: string,
  selection: { readonly labelSelector?: string },
  signal: AbortSignal
): Promise<readonly KubeObject[]> {
  for await (const { items } of client.pages(path, selection, signal)) return items
  return []
}
