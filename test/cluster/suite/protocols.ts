import type { V1Container, V1ObjectMeta, V1Pod, V1PodSpec, V1Service } from '@kubernetes/client-node'
import type { Answer } from '../applications/protocols/answer.ts'
import type { Call, CallResult } from '../applications/protocols/calls.ts'
import { CONTROL_PORT } from '../applications/protocols/control.ts'
import type { KindName } from '../applications/protocols/kind.ts'
import { KIND_NAMES, KINDS } from '../applications/protocols/kinds.ts'
import type { LoadResult, LoadTarget } from '../applications/protocols/load.ts'
import type { StreamResult, StreamTarget } from '../applications/protocols/streams.ts'
import type { Cluster } from '../index.ts'
import { CONTAINER_SECURITY, INJECT, POD_SECURITY } from './pods.ts'

/** The container of the application of many protocols. */
const CONTAINER = 'application'

export interface ProtocolsPod {
  readonly namespace: string
  /** Also its account, and its label `app`. */
  readonly name: string
  readonly node?: string
  readonly injected: boolean
  /** Whatever else is to be said of it. */
  readonly more?: {
    readonly metadata?: V1ObjectMeta
    readonly spec?: Partial<V1PodSpec>
    readonly container?: Partial<V1Container>
    /** Beside the application. */
    readonly containers?: readonly V1Container[]
  }
}

/** The spec of a pod of the application of many protocols, as it stands in a Pod or in a template. */
export function protocolsTemplate({ name, node, injected, more = {} }: ProtocolsPod): Pick<V1Pod, 'metadata' | 'spec'> {
  const { metadata, spec, container, containers = [] } = more
  return {
    metadata: {
      ...metadata,
      labels: { app: name, [INJECT]: injected ? 'enabled' : 'disabled', ...metadata?.labels }
    },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      serviceAccountName: name,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 10,
      securityContext: POD_SECURITY,
      containers: [
        {
          name: CONTAINER,
          image: 'countersign.dev/test/protocols:1',
          securityContext: CONTAINER_SECURITY,
          ...container
        },
        ...containers
      ],
      ...spec
    }
  }
}

/** A pod of that application, with its account. */
export function protocolsPod(pod: ProtocolsPod): object[] {
  const { namespace, name } = pod
  const { metadata, spec } = protocolsTemplate(pod)
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name, namespace }, spec }
  ]
}

/** The same as a Deployment that never has less than its pods, and waits for each to answer. */
export function protocolsDeployment(pod: ProtocolsPod, replicas: number): object[] {
  const { namespace, name } = pod
  const { metadata, spec } = protocolsTemplate(pod)
  const [container] = spec?.containers ?? []
  const readinessProbe = { httpGet: { path: '/ready', port: KINDS.http.port }, periodSeconds: 1 }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        replicas,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        selector: { matchLabels: { app: name } },
        template: { metadata, spec: { ...spec, containers: [{ ...container, readinessProbe }] } }
      }
    }
  ]
}

/** A Service of it with every port, named after what is spoken there. */
export function protocolsService(namespace: string, name: string, app: string, headless = false): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      selector: { app },
      ...(headless ? { clusterIP: 'None' } : {}),
      ports: KIND_NAMES.map(kind => ({ name: kind, port: KINDS[kind].port }))
    }
  }
}

export async function addressOf(cluster: Cluster, namespace: string, pod: string): Promise<string> {
  await cluster.kubectl(['wait', '-n', namespace, `pod/${pod}`, '--for=condition=Ready', '--timeout=120s'])
  return cluster.kubectl(['get', 'pod', '-n', namespace, pod, '-o', 'jsonpath={.status.podIP}'])
}

/** Where the proxy of a pod tells its statistics. */
export const statisticsAt = (address: string): string => `http://${address}:15090/stats/prometheus`

/** A call that an application heard. */
export type Heard = Answer & { readonly kind: KindName }

/** What the application of a pod has heard so far. */
export async function heardBy(cluster: Cluster, namespace: string, pod: string): Promise<readonly Heard[]> {
  const log = await cluster.kubectl(['logs', '-n', namespace, pod, '-c', CONTAINER, '--tail=-1'])
  return heardIn(log)
}

/** What the application says in its log to have heard. */
export const heardIn = (log: string): readonly Heard[] =>
  log
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))

/** What the application of a pod is made to do as a client. */
export class ProtocolsClient {
  readonly #cluster: Cluster
  readonly #target: readonly string[]

  constructor(cluster: Cluster, namespace: string, pod: string) {
    this.#cluster = cluster
    this.#target = ['-n', namespace, pod, '-c', CONTAINER]
  }

  makeCalls(calls: readonly Call[]): Promise<readonly CallResult[]> {
    return this.#command('calls', calls)
  }

  /** Returns when every stream is open. */
  start(streams: readonly StreamTarget[], loads: readonly LoadTarget[] = []): Promise<null> {
    return this.#command('start', { streams, loads })
  }

  /** Ends what was started, in that order. */
  end(): Promise<readonly (StreamResult | LoadResult)[]> {
    return this.#command('end', null)
  }

  async #command<Result>(name: string, body: unknown): Promise<Result> {
    const request = JSON.stringify({ method: 'POST', body: JSON.stringify(body) })
    const script = `fetch('http://127.0.0.1:${CONTROL_PORT}/${name}', ${request})
      .then(async answer => {
        process.exitCode = answer.ok ? 0 : 1
        const text = await answer.text()
        ;(answer.ok ? console.log : console.error)(text)
      })`
    return JSON.parse(await this.#cluster.kubectl(['exec', ...this.#target, '--', 'node', '-e', script])) as Result
  }
}
