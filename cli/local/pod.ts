import { randomBytes, randomUUID } from 'node:crypto'
import type { V1Deployment, V1Pod } from '@kubernetes/client-node'

/** A pod on this machine: one loopback address for its proxy, one for its application. */
export interface LocalPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly serviceAccount: string
  readonly node: string
  /** What other pods reach; the proxy listens there. */
  readonly address: string
  /** Where the application listens: nobody is told of it but the proxy. */
  readonly applicationAddress: string
  readonly manifest: V1Pod
}

export interface Placement {
  readonly node: string
  readonly address: string
  readonly applicationAddress: string
}

/** Plays the part of deployment controller and scheduler: one pod out of a Deployment's template, placed. */
export function podFromDeployment(deployment: V1Deployment, placement: Placement): LocalPod {
  const namespace = deployment.metadata?.namespace ?? 'default'
  const owner = deployment.metadata?.name ?? 'deployment'
  const template = deployment.spec?.template
  const name = `${owner}-${randomBytes(3).toString('hex')}`
  return localPod(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template?.metadata, namespace, name },
      spec: { ...template?.spec, containers: template?.spec?.containers ?? [] }
    },
    placement
  )
}

/** The same pod as the API server would show it once it is placed, before admission has seen it. */
export function localPod(manifest: V1Pod, placement: Placement): LocalPod {
  const { node, address, applicationAddress } = placement
  const namespace = manifest.metadata?.namespace ?? 'default'
  const name = manifest.metadata?.name ?? 'pod'
  const uid = manifest.metadata?.uid ?? randomUUID()
  const serviceAccount = manifest.spec?.serviceAccountName ?? 'default'
  const placed: V1Pod = {
    ...manifest,
    metadata: {
      ...manifest.metadata,
      namespace,
      name,
      uid,
      annotations: { ...manifest.metadata?.annotations, 'countersign.dev/application-address': applicationAddress }
    },
    spec: { containers: [], ...manifest.spec, nodeName: node, serviceAccountName: serviceAccount },
    status: {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [{ type: 'Ready', status: 'True' }]
    }
  }
  return { namespace, name, uid, serviceAccount, node, address, applicationAddress, manifest: placed }
}

/** The pod after admission: the same places and names, with what the webhook added. */
export function withManifest(pod: LocalPod, manifest: V1Pod): LocalPod {
  return { ...pod, manifest }
}
