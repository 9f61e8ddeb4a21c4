import type { V1ContainerStatus, V1Pod, V1PodCondition } from '@kubernetes/client-node'
import type { Cluster } from '../index.ts'

/** What the restricted Pod Security Standard asks of a pod, and of each of its containers. */
export const POD_SECURITY = { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } }
export const CONTAINER_SECURITY = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }

/** Label of a namespace or a pod: `enabled` or `disabled`. */
export const INJECT = 'countersign.dev/inject'

/** A pod of the example's application in the namespace shop, under the account `default`. */
export function podOf(name: string, nodeName: string): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: 'late' } },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 2,
      securityContext: POD_SECURITY,
      containers: [
        {
          name: 'application',
          image: 'countersign.dev/examples/echo:1',
          securityContext: CONTAINER_SECURITY
        }
      ]
    }
  }
}

/** A container's status, with what the suite looks at being there. */
export type ContainerSeen = V1ContainerStatus & { readonly state: NonNullable<V1ContainerStatus['state']> }

export interface PodStatusSeen {
  readonly proxy: ContainerSeen | undefined
  readonly application: ContainerSeen | undefined
  readonly conditions: readonly V1PodCondition[] | undefined
}

export async function statusOf(cluster: Cluster, name: string): Promise<PodStatusSeen> {
  const { status } = JSON.parse(await cluster.kubectl(['get', 'pod', '-n', 'shop', name, '-o', 'json'])) as V1Pod
  return {
    proxy: status?.initContainerStatuses?.find(one => one.name === 'countersign-proxy') as ContainerSeen | undefined,
    application: status?.containerStatuses?.[0] as ContainerSeen | undefined,
    conditions: status?.conditions
  }
}

/** The pod of a component of Countersign on a node, by name; `undefined` while there is none that is not ending. */
export async function componentPod(cluster: Cluster, component: string, node: string): Promise<string | undefined> {
  const selectors = ['-l', `app.kubernetes.io/component=${component}`, '--field-selector', `spec.nodeName=${node}`]
  const { items } = JSON.parse(
    await cluster.kubectl(['get', 'pods', '-n', 'countersign-system', ...selectors, '-o', 'json'])
  ) as { items: V1Pod[] }
  return items.find(({ metadata }) => metadata?.deletionTimestamp === undefined)?.metadata?.name
}
