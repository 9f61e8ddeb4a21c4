import type { V1Container, V1Pod } from '@kubernetes/client-node'
import { until } from '../../cli/local/index.ts'
import { applicationContainer } from './application-container.ts'
import type { Benchmark, FigureRow } from './benchmark.ts'
import { type Change, ClusterApi } from './cluster-api.ts'
import { benchCluster, INJECTED, PLAIN } from './cluster-mesh.ts'
import { median } from './statistics.ts'
import { formatFigure } from './table.ts'

const ROUNDS = 15
const PROXY = 'countersign-proxy'
const READY_PORT = 15021

/** A kind of pod, and where it is made. */
interface Kind {
  readonly name: string
  readonly namespace: string
  readonly sidecar?: V1Container
}

export const podReady: Benchmark = {
  name: 'pod-ready',
  measured: 'from the request that creates a pod until it is Ready, one pod at a time',
  peer: 'the same pod without a sidecar, and with one that does nothing but answer the same startup probe',
  needsCluster: true,
  async run(atEnd) {
    const api = await ClusterApi.open(await benchCluster(atEnd), atEnd)
    const kinds: readonly Kind[] = [
      { name: 'plain', namespace: PLAIN },
      { name: 'sidecar', namespace: PLAIN, sidecar: await idleSidecar(api) },
      { name: 'injected', namespace: INJECTED }
    ]
    const pods = new Pods(api)
    for (const namespace of [PLAIN, INJECTED])
      await api.watch<V1Pod>(podsIn(namespace), change => pods.onChange(change), atEnd)

    const times = new Map<Kind, number[]>(kinds.map(kind => [kind, []]))
    // The first of each pays for what is loaded once, and is not counted.
    for (let round = 0; round <= ROUNDS; round++)
      for (const kind of kinds) {
        const readyMs = await pods.startAndDelete(kind, `${kind.name}-${round}`)
        if (round > 0) times.get(kind)?.push(readyMs)
      }
    return {
      columns: ['ready s, median', 'fastest', 'slowest'],
      rows: [...times].map(([{ name }, all]) => rowOf(name, all))
    }
  }
}

function rowOf(name: string, times: readonly number[]): FigureRow {
  const seconds = [median(times), Math.min(...times), Math.max(...times)].map(ms => ms / 1_000)
  return { name: `${name}, ${times.length} times`, cells: seconds.map(formatFigure) }
}

const podsIn = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`

/** A sidecar with the startup probe that the webhook gives to proxies, in front of a server that answers everything. */
async function idleSidecar(api: ClusterApi): Promise<V1Container> {
  const judged = await api.call(
    'POST',
    `${podsIn(INJECTED)}?dryRun=All`,
    podOf({ name: 'judged', namespace: INJECTED })
  )
  const proxy = (JSON.parse(judged) as V1Pod).spec?.initContainers?.find(({ name }) => name === PROXY)
  if (proxy?.startupProbe === undefined) throw new Error('the webhook injects no proxy with a startup probe')
  const { startupProbe } = proxy
  return { ...applicationContainer('idle', READY_PORT), restartPolicy: 'Always', startupProbe }
}

function podOf({ sidecar }: Kind, name = 'pod'): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 2,
      containers: [applicationContainer('application', 8080)],
      ...(sidecar === undefined ? {} : { initContainers: [sidecar] })
    }
  }
}

/** Pods by name, each with the moments at which it was heard to be Ready, and gone. */
class Pods {
  readonly #api: ClusterApi
  readonly #readyAt = new Map<string, number>()
  readonly #gone = new Set<string>()

  constructor(api: ClusterApi) {
    this.#api = api
  }

  onChange({ type, object, heardAt }: Change<V1Pod>): void {
    const name = object.metadata?.name ?? ''
    const isReady = object.status?.conditions?.some(one => one.type === 'Ready' && one.status === 'True')
    if (isReady === true && !this.#readyAt.has(name)) this.#readyAt.set(name, heardAt)
    if (type === 'DELETED') this.#gone.add(name)
  }

  /** @returns milliseconds from the request to Ready */
  async startAndDelete(kind: Kind, name: string): Promise<number> {
    const path = podsIn(kind.namespace)
    const began = performance.now()
    await this.#api.call('POST', path, podOf(kind, name))
    const readyAt = await until(`${name} to be Ready`, () => this.#readyAt.get(name))
    await this.#api.call('DELETE', `${path}/${name}`)
    // The next one starts on idle nodes.
    await until(`${name} to be gone`, () => this.#gone.has(name) || undefined)
    return readyAt - began
  }
}
